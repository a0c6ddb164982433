"""lvchange, lvrename, lvextend, lvremove and lvconvert --merge.

Source: tools/lvchange.c, lvrename.c, lvresize.c, lvremove.c and lvconvert.c of lvm2 2.03.16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fake_backends.lvm.commands.entries import VolumeEntry
from fake_backends.lvm.commands.errors import Failed
from fake_backends.lvm.commands.pools import warn_of_overprovisioning
from fake_backends.lvm.commands.reports import chosen
from fake_backends.lvm.commands.session import Session
from fake_backends.lvm.commands.sizes import shown
from fake_backends.lvm.host import mapper_name
from fake_backends.lvm.logical_volume import LogicalVolume, ThickSnapshot
from fake_backends.lvm.names import PAIR_MAX, legal, reserved, without_dev
from fake_backends.lvm.thin_pool import ThinPool, ThinVolume
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import StorageError

EXTENTS_WRAP = 1 << 32
"""lvextend counts extents in 32 bits, and wraps."""
_CHANGES = ("permission", "setactivationskip", "addtag", "deltag", "refresh")

# ------------------------------------------------------------------------------------------------- lvchange


def lvchange(session: Session) -> None:
    """Activation, the flag to skip it, permission and tags; of one volume, or of all in a group."""
    arguments = session.arguments
    if not set(arguments.options) & {*_CHANGES, "activate"}:
        raise session.usage("Need 1 or more of -a, -k, -p, --addtag, --deltag or --refresh.")
    _each(session, _change)


def _change(session: Session, group: VolumeGroup, name: str) -> None:
    arguments = session.arguments
    changed = False
    one = _one(group, name)
    if arguments.has("activate") and len(set(arguments.options) & set(_CHANGES)):
        session.warn("WARNING: Combining activation change with other commands is not advised.")
    if isinstance(one, LogicalVolume):
        if (permission := arguments.text("permission")) is not None:
            _set_permission(group, one, permission)
            changed = True
        if (skips := arguments.yes("setactivationskip")) is not None:
            one.skips_activation = skips
            changed = True
    if arguments.has("addtag") or arguments.has("deltag"):
        tags = [tag for tag in one.tags if tag not in arguments.texts("deltag")]
        one.tags[:] = dict.fromkeys([*tags, *arguments.texts("addtag")])
        changed = True
    if (activation := arguments.text("activate")) is not None:
        _set_active(session, group, one, activation)
    if changed:
        group.touch()
        session.say(f"Logical volume {group.name}/{name} changed.")


def _set_permission(group: VolumeGroup, volume: LogicalVolume, permission: str) -> None:
    read_only = permission in ("r", "read")
    path = f"{group.name}/{volume.name}"
    if read_only and volume.read_only:
        raise Failed(f'Logical volume "{path}" is already read only.')
    if not read_only and not volume.read_only:
        raise Failed(f"Logical volume {path} is already writable.")
    volume.read_only = read_only


def _set_active(session: Session, group: VolumeGroup, one: LogicalVolume | ThinPool, activation: str) -> None:
    wanted = not activation.endswith("n")
    path = f"{group.name}/{one.name}"
    if isinstance(one, ThickSnapshot) and not _origin_too(session, group, one):
        raise Failed(f"Logical volume {path} not changed.")
    if wanted:
        group.activate(one.name, skipping=not session.arguments.has("ignoreactivationskip"))
    else:
        target = one.origin.name if isinstance(one, ThickSnapshot) else one.name
        group.deactivate(target)


def _origin_too(session: Session, group: VolumeGroup, snapshot: ThickSnapshot) -> bool:
    """A snapshot goes with its origin and all its snapshots: ask."""
    others = len(snapshot.origin.snapshots) - 1
    more = f" and {others} other snapshot(s)" if others else ""
    return session.asks(
        f"Change of snapshot {group.name}/{snapshot.name} will also change its origin "
        f"{group.name}/{snapshot.origin.name}{more}. Proceed?"
    )


# -------------------------------------------------------------------------------------- lvremove, lvconvert


def lvremove(session: Session) -> None:
    """Remove volumes with their thick snapshots, or pools with their volumes; ``-f`` asks nothing."""
    _each(session, _remove)


def _remove(session: Session, group: VolumeGroup, name: str) -> None:
    one = _one(group, name)
    path = f"{group.name}/{name}"
    if isinstance(one, ThinPool):
        going = [victim.name for volume in one.volumes for victim in (*volume.snapshots, volume)]
    else:
        going = [snapshot.name for snapshot in one.snapshots]
    if not session.arguments.has("force") and not _may_go(session, one, path):
        raise Failed(f"Logical volume {path} not removed.")
    group.remove(name, cascade=True)
    for gone in (*sorted(going), name):
        session.host.files.pop(f"/dev/mapper/{mapper_name(group.name, gone)}", None)
        session.say(f'Logical volume "{gone}" successfully removed.')


def _may_go(session: Session, one: LogicalVolume | ThinPool, path: str) -> bool:
    if isinstance(one, ThinPool):
        if one.volumes and not session.asks(
            f'Removing pool "{one.name}" will remove {len(one.volumes)} dependent volume(s). Proceed?'
        ):
            return False
        return not one.active or session.asks(f"Do you really want to remove active logical volume {path}?")
    if one.snapshots:
        what = "active origin" if one.active else "origin"
        return session.asks(
            f"Do you really want to remove {what} logical volume {path} with {len(one.snapshots)} snapshots(s)?"
        )
    return not one.active or session.asks(f"Do you really want to remove active logical volume {path}?")


def lvconvert(session: Session) -> None:
    """Merge a snapshot back into its origin, at once or when the origin is next activated."""
    if not session.arguments.has("merge"):
        raise Failed("Only lvconvert --merge is simulated.", rc=3)
    _each(session, _merge)


def _merge(session: Session, group: VolumeGroup, name: str) -> None:
    snapshot = _one(group, name)
    path = f"{group.name}/{name}"
    if isinstance(snapshot, LogicalVolume) and snapshot.merging:
        raise Failed(
            f"Command on LV {path} is invalid on LV with properties: lv_is_merging_cow .",
            f"Command not permitted on LV {path}.",
        )
    if isinstance(snapshot, ThinPool):
        raise Failed(f"{path} is not a mergeable logical volume.")
    origin = snapshot.origin
    opened = origin is not None and bool(origin.openers)
    if origin is not None and origin.read_only:
        where = f"{group.name}/{origin.name}"
        raise Failed(f"Cannot merge snapshot {path} into the read-only origin {where}. (Use lvchange -p rw).")
    thin = isinstance(snapshot, ThinVolume)
    at_once = group.merge(name)
    assert origin is not None
    home = f"{group.name}/{origin.name}"
    if at_once and thin:
        session.say(f"Volume {path} replaced origin {home}.")
    elif at_once:
        session.say(f"Merging of volume {path} started.")
        session.say(f"{home}: Merged: 100.00%")
    else:
        if opened:
            session.say(f"Delaying merge since origin {'volume ' if thin else ''}is open.")
        elif snapshot.openers:
            session.say("Delaying merge since snapshot is open.")
        kind = "thin snapshot" if thin else "snapshot"
        session.say(f"Merging of {kind} {path} will occur on next activation of {home}.")


# --------------------------------------------------------------------------------------- lvrename, lvextend


def lvrename(session: Session) -> None:
    """``lvrename VG old new`` or ``lvrename VG/old [VG/]new``."""
    group_name, old, new = _renaming(session)
    longest = PAIR_MAX - len(group_name)
    if not new:
        raise session.usage("New logical volume name may not be blank")
    if len(new) > longest:
        raise session.usage(f'New logical volume name "{new}" may not exceed {longest} characters.')
    if not legal(new):
        raise session.usage(f'New logical volume name "{new}" is invalid')
    if refusal := reserved(new):
        raise session.usage(refusal)
    if old == new:
        raise session.usage("Old and new logical volume names must differ")
    group = session.group(group_name, writing=True)
    group.rename(old, new)
    session.say(f'Renamed "{old}" to "{new}" in volume group "{group_name}"')


def _renaming(session: Session) -> tuple[str, str, str]:
    names = [without_dev(name) for name in session.arguments.names]
    if len(names) not in (2, 3):
        raise session.usage("Old and new logical volume names required")
    group_name, slash, _ = names[0].partition("/")
    if len(names) == 2 and not slash:
        raise session.usage(
            f'Path required for Logical Volume "{group_name}".', "Please provide a volume group name"
        )
    bare = []
    for name in names if len(names) == 2 else names[1:]:
        before, slash, rest = name.partition("/")
        if slash and before != group_name:
            raise session.usage(f'Please use a single volume group name ("{group_name}" or "{before}")')
        bare.append(rest if slash else name)
    return group_name, bare[0], bare[1]


def lvextend(session: Session) -> None:
    """Grow a volume, a pool, or the store of a snapshot, to a size or by one."""
    arguments = session.arguments
    if len(arguments.names) != 1 or arguments.has("size") == arguments.has("extents"):
        raise Failed(
            "No command with matching syntax recognised.  Run 'lvextend --help' for more information.", rc=3
        )
    if (size := arguments.size("size")) and size[1] == 0:
        raise session.usage("--size may not be zero.")
    path = without_dev(arguments.names[0])
    if path.count("/") > 1:
        raise session.usage(f'"{path}": Invalid path for Logical Volume.')
    group_name, _, name = path.partition("/")
    if not legal(name):
        raise session.usage(f'Logical volume name "{name}" is invalid.')
    group = session.group(group_name, writing=True)
    if name not in group:
        raise Failed(f"Logical volume {name} not found in volume group {group.name}.")
    _extend(session, group, _one(group, name))


def _extend(session: Session, group: VolumeGroup, one: LogicalVolume | ThinPool) -> None:
    if isinstance(one, LogicalVolume) and one.snapshots and one.active:
        raise Failed("Snapshot origin volumes can be resized only while inactive: try lvchange -an.")
    before = one.size if isinstance(one, ThinPool) else one.listed_size
    after = _new_size(session, group, before)
    group.extend(one.name, after)
    grown = f"{one.name}_tdata" if isinstance(one, ThinPool) else one.name
    session.say(
        f"Size of logical volume {group.name}/{grown} changed from "
        f"{shown(before)} ({before // group.extent_size} extents) to "
        f"{shown(after)} ({after // group.extent_size} extents)."
    )
    if isinstance(one, ThinPool):
        warn_of_overprovisioning(session, group, one)
    elif isinstance(one, ThinVolume):
        warn_of_overprovisioning(session, group, one.pool)
    session.say(f"Logical volume {group.name}/{one.name} successfully resized.")


def _new_size(session: Session, group: VolumeGroup, before: int) -> int:
    arguments = session.arguments
    if sized := arguments.size("size"):
        sign, size = sized
        wanted = before + size if sign else size
        whole = -(-wanted // group.extent_size) * group.extent_size
        if whole != wanted:
            session.say(f"Rounding size to boundary between physical extents: {shown(whole)}.")
        return whole // group.extent_size % EXTENTS_WRAP * group.extent_size
    text = arguments.text("extents") or ""
    number, percent, base = text.lstrip("+").partition("%")
    basis = {"": 100, "FREE": group.free_extents, "VG": group.extent_count, "LV": before // group.extent_size}
    if not number.isdigit() or base not in basis or (percent and not base):
        raise Failed(f"Invalid argument for --extents: {text}", "Error during parsing of command line.", rc=3)
    extents = int(number) * basis[base] // 100
    added = text.startswith("+") or base == "FREE"
    return extents * group.extent_size + (before if added else 0)


# -------------------------------------------------------------------------------------------------- common


def _each(session: Session, change: Callable[[Session, VolumeGroup, str], None]) -> None:
    """Do a change to each volume that is named, directly or with its group, and fail at the end if one did."""
    if not session.arguments.names:
        raise session.usage("No volume groups or logical volumes given.")
    by_group = [
        (entry.group, entry.name)
        for entry in chosen(session, changing=True)
        if not _goes_with_its_origin(session.arguments.names, entry)
    ]
    failed = False
    for group, name in by_group:
        if name not in group:
            continue
        before = group.seqno
        try:
            change(session, group, name)
            session.devices.written(group, before)
        except (Failed, StorageError) as error:
            session.report(error)
            failed = True
    if failed:
        raise Failed()


def _goes_with_its_origin(names: Sequence[str], entry: object) -> bool:
    """Whole groups are changed by their origins: snapshots follow."""
    named_group = any("/" not in without_dev(name) for name in names)
    return named_group and isinstance(entry, VolumeEntry) and isinstance(entry.volume, ThickSnapshot)


def _one(group: VolumeGroup, name: str) -> LogicalVolume | ThinPool:
    return group.pool(name) if name in group.pools() else group.volume(name)
