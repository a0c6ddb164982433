"""Names of volume groups and logical volumes: which are legal, and how a path is taken apart.

Source: lib/metadata and tools/toollib.c of lvm2 2.03.16 (`validate_name`, `apply_lvname_restrictions`).
"""

from __future__ import annotations

import re

from harness.errors import InvalidArgument

NAME_MAX = 127
"""Characters of one name."""
PAIR_MAX = 125
"""Characters of group and volume together: with two more they are a device-mapper name."""

_LEGAL = re.compile(r"[a-zA-Z0-9.+_][a-zA-Z0-9.+_-]*")
_RESERVED_STARTS = ("snapshot", "pvmove")
_RESERVED_PARTS = (
    "_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_wcorig", "_mimage", "_mlog", "_rimage", "_rmeta",
    "_tdata", "_tmeta", "_vdata", "_vorigin", "_imeta", "_iorig", "_pmspare",
)  # fmt: skip


def legal(name: str) -> bool:
    """Whether lvm2 takes this as the name of a group or a volume."""
    return len(name) <= NAME_MAX and name not in (".", "..") and bool(_LEGAL.fullmatch(name))


def reserved(name: str) -> str | None:
    """What lvm2 says of a volume name that it keeps to itself, or None."""
    for start in _RESERVED_STARTS:
        if name.startswith(start):
            return f'Names starting "{start}" are reserved. Please choose a different LV name.'
    for part in _RESERVED_PARTS:
        if part in name:
            return f'Names including "{part}" are reserved. Please choose a different LV name.'
    return None


def check_group_name(name: str) -> None:
    """InvalidArgument unless lvm2 takes this as the name of a volume group."""
    if not legal(name):
        raise InvalidArgument(f'New volume group name "{_printable(name)}" is invalid.')


def check_volume_name(name: str) -> None:
    """InvalidArgument unless lvm2 takes this as the name of a new volume."""
    if not legal(name):
        raise InvalidArgument(f'Logical volume name "{_printable(name)}" is invalid.')
    if refusal := reserved(name):
        raise InvalidArgument(refusal)


def _printable(name: str) -> str:
    return ascii(name)[1:-1]


def without_dev(path: str) -> str:
    """``vg/lv`` for ``/dev/vg/lv`` and ``/dev/mapper/v--g-lv``; anything else as it is."""
    if path.startswith("/dev/mapper/"):
        parts = re.split(r"(?<!-)-(?!-)", path.removeprefix("/dev/mapper/"), maxsplit=1)
        return "/".join(part.replace("--", "-") for part in parts)
    return re.sub(r"^/dev/+", "", path)
