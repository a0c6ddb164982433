"""lvcreate: linear volumes, thin pools and volumes, thick and thin snapshots; mirrors fail as for Cinder.

Source: tools/lvcreate.c and lib/metadata/lv_manip.c of lvm2 2.03.16.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fake_backends.block_store import CHUNK
from fake_backends.lvm.commands.errors import USAGE, Failed
from fake_backends.lvm.commands.pools import warn_of_overprovisioning
from fake_backends.lvm.commands.session import Session
from fake_backends.lvm.commands.sizes import shown
from fake_backends.lvm.logical_volume import LogicalVolume, ThickSnapshot
from fake_backends.lvm.names import PAIR_MAX, legal, reserved, without_dev
from fake_backends.lvm.signatures import Signature
from fake_backends.lvm.thin_pool import ThinVolume, block_size
from fake_backends.lvm.volume_group import SignatureFound, VolumeGroup

EXTENTS_MAX = 1 << 32
POOL_BLOCKS_MAX = 254 << 20
"""Blocks that the largest metadata of a thin pool can map."""
SLOW_BLOCK = 512 << 10
_EXTENTS = re.compile(r"\+?(\d+)(?:%(VG|FREE|PVS|ORIGIN))?")


@dataclass
class Request:
    """What is to be made, before anything is looked up."""

    kind: str
    group: str
    name: str | None
    target: str
    """The pool or the origin, or nothing."""


def lvcreate(session: Session) -> None:
    """Make one logical volume, or a pool, or a pool with a volume in it."""
    request = _understood(session)
    group = session.group(request.group, writing=True)
    name = request.name or _automatic_name(group)
    if request.kind == "thin" and (session.arguments.has("size") or session.arguments.has("extents")):
        _pool(session, group, request.target, quietly=True)
    with group.one_change():
        match request.kind:
            case "snapshot":
                _snapshot(session, group, name, request.target)
            case "thin-pool":
                _pool(session, group, request.target)
            case "thin":
                _thin(session, group, name, request.target)
            case "mirror":
                _mirror(session, group, name)
            case _:
                _linear(session, group, name)
        made = group.pool(request.target) if request.kind == "thin-pool" else group.volume(name)
        made.tags.extend(session.arguments.texts("addtag"))
        if isinstance(made, LogicalVolume):
            made.read_only = session.arguments.text("permission") in ("r", "read")
            made.skips_activation = _skips_activation(session, made)
    if isinstance(made, LogicalVolume):
        _set_activation(session, group, made.name)
    session.say(f'Logical volume "{made.name}" created.')


def _understood(session: Session) -> Request:
    """Check everything that can be checked before the group is read. Failed with the status of wrong usage."""
    arguments = session.arguments
    sized = arguments.has("size") or arguments.has("extents")
    kind = arguments.text("type") or _kind(session)
    fits = (
        len(arguments.names) == 1
        and kind in ("linear", "striped", "mirror", "thin", "thin-pool", "snapshot")
        and (sized or kind in ("thin", "snapshot"))
        and (kind != "thin" or arguments.has("virtualsize"))
        and not (arguments.has("size") and arguments.has("extents"))
    )
    if not fits:
        raise Failed(
            "No command with matching syntax recognised.  Run 'lvcreate --help' for more information.", rc=USAGE
        )
    for option in ("size", "virtualsize"):
        if (size := arguments.size(option)) and size[1] == 0:
            raise session.usage(f"--{option} may not be zero.")
    if arguments.has("extents") and _wanted_extents(session) == (0, ""):
        raise session.usage("--extents may not be zero.")
    group, _, target = without_dev(arguments.names[0]).partition("/")
    target = arguments.text("thinpool") or target
    name = arguments.text("name")
    if name is not None:
        name = _bare_name(session, name, group)
    if not legal(group):
        raise session.usage(f"Volume group name {group} has invalid characters")
    if name is not None and not legal(name):
        raise session.usage(f'Logical volume name "{name}" is invalid.')
    if kind == "thin-pool":
        target = target or name or ""
    for one in (name, target if kind == "thin-pool" else None):
        if one and (refusal := reserved(one)):
            raise session.usage(refusal)
    return Request(kind, group, name, target)


def _kind(session: Session) -> str:
    arguments = session.arguments
    if arguments.has("snapshot"):
        return "snapshot"
    if arguments.has("virtualsize"):
        return "thin"
    if arguments.has("thin") or arguments.has("thinpool"):
        return "thin-pool"
    return "mirror" if arguments.has("mirrors") else "linear"


def _bare_name(session: Session, name: str, group: str) -> str:
    """The name without the group that may stand before it, which must be the same."""
    before, slash, bare = without_dev(name).rpartition("/")
    if not slash:
        return name
    if before != group:
        raise session.usage(f'Inconsistent volume group names given: "{before}" and "{group}"')
    return bare


def _automatic_name(group: VolumeGroup) -> str:
    """``lvol`` and the first number that is free."""
    return next(name for number in range(1 << 32) if (name := f"lvol{number}") not in group)


# ------------------------------------------------------------------------------------------------ the kinds


def _linear(session: Session, group: VolumeGroup, name: str) -> None:
    size = _size(session, group)
    _check_new(group, name)
    wipe = session.arguments.yes("wipesignatures") is not False
    try:
        wiped = group.create(name, size, wipe=session.arguments.has("yes") or not wipe)
    except SignatureFound as error:
        _refuse(session, group, name, error.signatures)
    for signature in wiped if wipe else ():
        session.say(f"Wiping {signature.name} signature on /dev/{group.name}/{name}.")
    warn_of_overprovisioning(session, group, None)


def _refuse(session: Session, group: VolumeGroup, name: str, found: list[Signature]) -> None:
    """Ask whether to wipe, and fail, because nobody answers."""
    for signature in found:
        session.asks(
            f"WARNING: {signature.name} signature detected on /dev/{group.name}/{name} "
            f"at offset {signature.offset}. Wipe it?"
        )
        session.warn(f"Aborted wiping of {signature.name}.")
    plural = "s" if len(found) > 1 else ""
    raise Failed(
        f"{len(found)} existing signature{plural} left on the device.",
        f"Failed to wipe signatures on logical volume {group.name}/{name}.",
        "Aborting. Failed to wipe start of new LV.",
    )


def _pool(session: Session, group: VolumeGroup, name: str, *, quietly: bool = False) -> None:
    if name in group:
        raise Failed(f"Logical volume {name} already exists in Volume group {group.name}.")
    size = _size(session, group)
    block = block_size(group.round_up(size) * CHUNK)
    limit = shown(POOL_BLOCKS_MAX * block)
    if not quietly:
        session.say(f"Thin pool volume with chunk size {shown(block)} can address at most {limit} of data.")
    group.create_thin_pool(name, size)
    if block >= SLOW_BLOCK:
        session.warn(f"WARNING: Pool zeroing and {shown(block)} large chunk size slows down thin provisioning.")
        session.warn("WARNING: Consider disabling zeroing (-Zn) or using smaller chunk size (<512.00 KiB).")


def _thin(session: Session, group: VolumeGroup, name: str, pool: str) -> None:
    home = group.pool(pool)
    size = session.arguments.size("virtualsize")
    assert size is not None
    whole = _rounded(session, group, size[1])
    _check_new(group, name)
    group.create_thin(name, whole, pool)
    warn_of_overprovisioning(session, group, home)


def _snapshot(session: Session, group: VolumeGroup, name: str, origin: str) -> None:
    source = group.volumes.get(origin)
    if source is None:
        raise Failed(f"Snapshot origin LV {origin} not found in Volume group {group.name}.")
    if not session.arguments.has("size") and not session.arguments.has("extents"):
        if not isinstance(source, ThinVolume):
            raise Failed("Please specify either size or extents with snapshots.")
        _check_new(group, name)
        group.snapshot(origin, name, None)
        warn_of_overprovisioning(session, group, source.pool)
        return
    size = _size(session, group, source)
    most = group.store_max(source) * CHUNK
    if size > most and not isinstance(source, ThickSnapshot):
        session.say(f"Reducing COW size {shown(size)} down to maximum usable size {shown(most)}.")
    _check_new(group, name)
    group.snapshot(origin, name, size)
    warn_of_overprovisioning(session, group, None)


def _mirror(session: Session, group: VolumeGroup, name: str) -> None:
    """Always fails: on the way lvm2 finds out that it lacks disks, or that the log is of a kind long gone."""
    arguments = session.arguments
    size = _size(session, group)
    copies = int(arguments.text("mirrors") or "1") + 1
    if arguments.has("nosync"):
        session.warn("WARNING: New mirror won't be synchronised. Don't read what you didn't write!")
    _check_new(group, name)
    extents = size // group.extent_size
    logs = {"mirrored": 2, "disk": 1, "core": 0}.get(arguments.text("mirrorlog") or "disk", 1)
    short = _lacking(group, copies, extents, logs)
    if short:
        raise Failed(
            f"Insufficient suitable allocatable extents for logical volume {name}: {short} more required"
        )
    if logs == 2:
        raise Failed('Log type "mirrored" is DEPRECATED. Use RAID1 LV or disk log instead.')
    raise Failed("Mirrored volumes are not simulated; Cinder asks for a mirrored log, which lvm2 refuses.")


# ------------------------------------------------------------------------------------------------- details


def _size(session: Session, group: VolumeGroup, origin: LogicalVolume | None = None) -> int:
    """Bytes in whole extents of ``-L`` or ``-l``; says so when it rounds up. Failed for what is too large."""
    size = session.arguments.size("size")
    if size is not None:
        return _rounded(session, group, size[1])
    number, unit = _wanted_extents(session)
    whole = {
        "": number,
        "VG": group.extent_count * number // 100,
        "FREE": group.free_extents * number // 100,
        "PVS": group.extent_count * number // 100,
        "ORIGIN": _origin_extents(group, origin, number) if origin else 0,
    }[unit]
    if whole == 0:
        raise Failed("Calculated size of logical volume is 0 extents. Needs to be larger.")
    return whole * group.extent_size


def _origin_extents(group: VolumeGroup, origin: LogicalVolume, percent: int) -> int:
    """Extents of a store for that much of the origin, and for what a store of all of it needs for itself."""
    whole = origin.size // group.extent_size
    return -(-whole * percent // 100) + group.store_max(origin) * CHUNK // group.extent_size - whole


def _wanted_extents(session: Session) -> tuple[int, str]:
    text = session.arguments.text("extents") or ""
    found = _EXTENTS.fullmatch(text)
    if not found:
        raise Failed(
            f"Invalid argument for --extents: {text}", "Error during parsing of command line.", rc=USAGE
        )
    return int(found[1]), found[2] or ""


def _rounded(session: Session, group: VolumeGroup, size: int) -> int:
    whole = -(-size // group.extent_size) * group.extent_size
    if whole // group.extent_size >= EXTENTS_MAX:
        raise Failed(
            f"Volume too large ({shown(size)}) for extent size {shown(group.extent_size)}. "
            f"Upper limit is less than {shown((EXTENTS_MAX - 1) * group.extent_size)}."
        )
    if whole != size:
        session.say(f"Rounding up size to full physical extent {shown(whole)}")
    return whole


def _check_new(group: VolumeGroup, name: str) -> None:
    if name in group:
        raise Failed(f'Logical Volume "{name}" already exists in volume group "{group.name}"')
    length = len(group.name) + len(name)
    if length > PAIR_MAX:
        raise Failed(f'Internal error: LV name "{group.name}/{name}" length {length + 3} is not supported.')


def _skips_activation(session: Session, volume: LogicalVolume) -> bool:
    wanted = session.arguments.yes("setactivationskip")
    return volume.skips_activation if wanted is None else wanted


def _set_activation(session: Session, group: VolumeGroup, name: str) -> None:
    """What options say about the activation of a new volume."""
    arguments = session.arguments
    volume = group.volume(name)
    thin_snapshot = isinstance(volume, ThinVolume) and volume.origin is not None
    if arguments.has("ignoreactivationskip") or (thin_snapshot and arguments.yes("setactivationskip") is False):
        group.activate(name)
    if (arguments.text("activate") or "y").startswith("n"):
        group.deactivate(name)


def _lacking(group: VolumeGroup, copies: int, extents: int, logs: int) -> int:
    """Extents that are missing for so many copies on disks of their own, and a log of one extent on each."""
    free = sorted((disk.free_extents for disk in group.disks), reverse=True)
    if len([room for room in free if room]) < copies:
        return copies * extents
    if sum(free) < copies * extents + logs:
        return copies * extents + logs - sum(free)
    fitting = [room for room in free if room >= extents]
    return 0 if len(fitting) >= copies else logs
