"""What the user says of his volume and its types, word by word. InputError for what makes no sense."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from harness.errors import InputError
from harness.matrix.selection import nearest

NO_TYPE = ("-", "none")
SIZE_GB_MAX = 1 << 20
OTHER_STATUSES = (
    "creating", "deleting", "error", "error_deleting", "error_managing", "managing", "attaching", "detaching",
    "maintenance", "restoring-backup", "error_restoring", "reserved", "awaiting-transfer", "backing-up",
    "error_backing-up", "error_extending", "downloading", "uploading", "retyping", "extending",
)  # fmt: skip
"""Statuses in which a volume cannot move (`cinder.objects.fields:VolumeStatus`)."""
STATUSES = ("available", "in-use", *OTHER_STATUSES)
SERVERS: Mapping[str, str] = MappingProxyType({
    "active": "none",
    "paused": "server-paused",
    "resized": "server-resized",
    "stopped": "server-stopped",
    "shelved": "server-shelved",
    "locked": "server-locked",
    "read-only": "none",
})  # fmt: skip
"""How a server can have the volume, and the precondition of the matrix that says so."""
_FORM = "SIZE,TYPE,STATUS[,ATTACHMENTS], such as 10,gold,in-use,1"


@dataclass(frozen=True, slots=True)
class VolumeWords:
    """A volume: GiB, name of its type or None, status, and how its servers have it."""

    size_gb: int
    type_name: str | None
    status: str
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeWords:
    """A volume type: `encryption` is a provider or ``none``, `qos` the consumer of its QoS or ``none``."""

    name: str
    specs: Mapping[str, str] = field(default_factory=dict)
    encryption: str = "none"
    qos: str = "none"

    @property
    def multiattach(self) -> bool:
        return self.specs.get("multiattach") == "<is> True"


def volume(text: str) -> VolumeWords:
    """``SIZE,TYPE,STATUS[,ATTACHMENTS]``; ATTACHMENTS is a number, or states of servers joined by ``+``."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (3, 4) or not all(parts):
        raise InputError(f"--volume {text!r} must be {_FORM}")
    size, type_name, status = parts[:3]
    if not size.isascii() or not size.isdigit() or not 1 <= int(size[:8]) <= SIZE_GB_MAX or len(size) > 7:
        raise InputError(
            f"--volume {text!r}: the size {size!r} must be a whole number of GiB, 1 to {SIZE_GB_MAX}"
        )
    if status not in STATUSES:
        raise InputError(
            f"--volume {text!r}: there is no status {status!r}{nearest(status, STATUSES)} "
            "volumes that can move are available or in-use"
        )
    servers = _servers(text, parts[3]) if len(parts) == 4 else ("active",) * (status == "in-use")
    if servers and status == "available":
        raise InputError(f"--volume {text!r}: a volume with attachments is in-use, not available")
    if not servers and status == "in-use":
        raise InputError(f"--volume {text!r}: a volume in-use has at least one attachment")
    return VolumeWords(int(size), None if type_name in NO_TYPE else type_name, status, servers)


def _servers(text: str, words: str) -> tuple[str, ...]:
    if words.isascii() and words.isdigit():
        if len(words) > 3:
            raise InputError(f"--volume {text!r}: {words} attachments are more than a volume has")
        return ("active",) * int(words)
    states = tuple(words.split("+"))
    for state in states:
        if state not in SERVERS:
            raise InputError(
                f"--volume {text!r}: {state!r} is no state of a server{nearest(state, list(SERVERS))} "
                f"ATTACHMENTS is a number, or {', '.join(SERVERS)}, joined by + for several"
            )
    return states


def volume_type(text: str) -> TypeWords:
    """``NAME KEY=VALUE...`` of ``--define``: extra specs, and ``encryption=`` and ``qos=``."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--define {text!r} must be 'NAME KEY=VALUE ...': {str(error).lower()}") from error
    if not words or "=" in words[0]:
        raise InputError(f"--define {text!r} must begin with a name: 'NAME KEY=VALUE ...'")
    name, *pairs = words
    specs: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InputError(f"--define {text!r}: {pair!r} must be KEY=VALUE")
        specs[key] = value
    encryption, qos = specs.pop("encryption", "none"), specs.pop("qos", "none")
    _require(text, "encryption", encryption, ("none", "luks", "luks2"))
    _require(text, "qos", qos, ("none", "front-end", "back-end", "both"))
    return TypeWords(name=name, specs=specs, encryption=encryption, qos=qos)


def _require(text: str, key: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(f"--define {text!r}: {key}={value} must be one of {', '.join(known)}")
