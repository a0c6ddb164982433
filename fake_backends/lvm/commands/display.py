"""lvdisplay, vgdisplay and pvdisplay without ``-C``: a paragraph for each.

Source: lib/display/display.c of lvm2 2.03.16. Volumes were all created at the beginning of virtual time.
"""

from __future__ import annotations

from fake_backends.block_store import CHUNK
from fake_backends.lvm.commands.entries import Entry, PoolEntry, VolumeEntry
from fake_backends.lvm.commands.errors import Failed
from fake_backends.lvm.commands.reports import chosen, lvs, pvs, vgs
from fake_backends.lvm.commands.session import Session
from fake_backends.lvm.commands.sizes import percent, shown
from fake_backends.lvm.extents import PV_METADATA, PhysicalVolume
from fake_backends.lvm.logical_volume import ThickSnapshot
from fake_backends.lvm.thin_pool import ThinVolume
from fake_backends.lvm.volume_group import VolumeGroup

EPOCH = "1970-01-01 00:00:00 +0000"
_MINOR = "253:0"


def lvdisplay(session: Session) -> None:
    """Logical volumes, as a table with ``-C``."""
    if session.arguments.has("columns"):
        lvs(session)
        return
    for entry in chosen(session):
        _lines(session, "Logical volume", _volume(session, entry), width=22)


def vgdisplay(session: Session) -> None:
    """Volume groups, as a table with ``-C``."""
    if session.arguments.has("columns"):
        vgs(session)
        return
    names = session.arguments.names
    for group in [session.group(name) for name in names] if names else session.devices.groups():
        _lines(session, "Volume group", _group(group), width=21)


def pvdisplay(session: Session) -> None:
    """Physical volumes, as a table with ``-C``."""
    if session.arguments.has("columns"):
        pvs(session)
        return
    disks = {disk.name: disk for disk in session.devices.disks() if disk.labelled}
    for name in session.arguments.names or sorted(disks):
        if name not in disks:
            raise Failed(f'Failed to find physical volume "{name}".')
        group = session.host.group_of(disks[name])
        kind = "Physical volume" if group else "NEW Physical volume"
        if group is None:
            session.say(f'"{name}" is a new physical volume of "{shown(disks[name].size)}"')
        _lines(session, kind, _disk(disks[name], group), width=21)


def _lines(session: Session, kind: str, lines: list[tuple[str, str]], *, width: int) -> None:
    session.say(f"--- {kind} ---")
    for label, value in lines:
        session.say(f"{label:<{width}} {value}")
    session.say(" ")


def _volume(session: Session, entry: Entry) -> list[tuple[str, str]]:
    path = "" if entry.hidden or isinstance(entry, PoolEntry) else f"/dev/{entry.group.name}/{entry.name}"
    lines = [("LV Path", path)] if path else []
    lines += [("LV Name", entry.name), ("VG Name", entry.group.name), ("LV UUID", entry.uuid)]
    attributes = entry.attributes(readonly=False, missing=())
    access = "read only" if attributes[1] == "r" else "read/write"
    lines.append(("LV Write Access", access))
    lines.append(("LV Creation host, time", f"{session.host.hostname}, {EPOCH}"))
    volume = entry.volume if isinstance(entry, VolumeEntry) else None
    if isinstance(volume, ThickSnapshot):
        state = "INACTIVE" if volume.invalid or not volume.active else "active"
        lines.append(("LV snapshot status", f"{state} destination for {volume.origin.name}"))
    elif volume and volume.snapshots:
        states = ["INACTIVE" if one.invalid or not one.active else "active" for one in volume.snapshots]
        lines.append(("LV snapshot status", "source of"))
        lines += [("", f"{one.name} [{state}]") for one, state in zip(volume.snapshots, states, strict=True)]
    if isinstance(volume, ThinVolume):
        lines.append(("LV Pool name", volume.pool.name))
        if volume.origin:
            lines.append(("LV Thin origin name", volume.origin.name))
    if isinstance(entry, PoolEntry):
        lines += [("LV Pool metadata", f"{entry.name}_tmeta"), ("LV Pool data", f"{entry.name}_tdata")]
    lines.append(("LV Status", "available" if entry.active else "NOT available"))
    if entry.active:
        opened = len(volume.openers) if volume else int(attributes[5] == "o")
        lines.append(("# open", str(opened)))
    size = volume.size if volume else entry.size
    lines.append(("LV Size", shown(size)))
    lines += _usage(entry)
    lines.append(("Current LE", str(size // entry.group.extent_size)))
    if isinstance(volume, ThickSnapshot):
        lines.append(("COW-table size", shown(entry.size)))
        lines.append(("COW-table LE", str(entry.size // entry.group.extent_size)))
        if entry.active:
            lines.append(("Allocated to snapshot", f"{percent(volume.percent_used)}%"))
        lines.append(("Snapshot chunk size", "4.00 KiB"))
    lines.append(("Segments", str(len(entry.devices) or 1)))
    lines += [("Allocation", "inherit"), ("Read ahead sectors", "auto")]
    if entry.active:
        lines += [("- currently set to", "256"), ("Block device", _MINOR)]
    return lines


def _usage(entry: Entry) -> list[tuple[str, str]]:
    if isinstance(entry, PoolEntry) and entry.data_percent is not None and entry.metadata_percent is not None:
        return [
            ("Allocated pool data", f"{percent(entry.data_percent)}%"),
            ("Allocated metadata", f"{percent(entry.metadata_percent)}%"),
        ]
    if entry.segment_type == "thin" and entry.data_percent is not None:
        return [("Mapped size", f"{percent(entry.data_percent)}%")]
    return []


def _group(group: VolumeGroup) -> list[tuple[str, str]]:
    volumes = len(group.names()) + len(group.pools())
    opened = sum(bool(volume.openers) for volume in group.volumes.values())
    used = group.extent_count - group.free_extents
    disks = str(len(group.disks))
    return [
        ("VG Name", group.name),
        ("System ID", ""),
        ("Format", "lvm2"),
        ("Metadata Areas", disks),
        ("Metadata Sequence No", str(group.seqno)),
        ("VG Access", "read/write"),
        ("VG Status", "resizable"),
        ("MAX LV", "0"),
        ("Cur LV", str(volumes)),
        ("Open LV", str(opened)),
        ("Max PV", "0"),
        ("Cur PV", disks),
        ("Act PV", disks),
        ("VG Size", shown(group.size)),
        ("PE Size", shown(group.extent_size)),
        ("Total PE", str(group.extent_count)),
        ("Alloc PE / Size", f"{used} / {shown(used * group.extent_size)}"),
        ("Free  PE / Size", f"{group.free_extents} / {shown(group.free)}"),
        ("VG UUID", group.uuid),
    ]


def _disk(disk: PhysicalVolume, group: VolumeGroup | None) -> list[tuple[str, str]]:
    size = shown(disk.size)
    if group is None:
        return [
            ("PV Name", disk.name), ("VG Name", ""), ("PV Size", size), ("Allocatable", "NO"),
            ("PE Size", "0"), ("Total PE", "0"), ("Free PE", "0"), ("Allocated PE", "0"),
            ("PV UUID", disk.uuid),
        ]  # fmt: skip
    usable = disk.usable(group.extent_size)
    total = usable // group.extent_size
    allocated = (disk.extent_count - disk.free_extents) * CHUNK // group.extent_size
    lost = disk.size - PV_METADATA - usable + PV_METADATA
    return [
        ("PV Name", disk.name),
        ("VG Name", group.name),
        ("PV Size", f"{size} / not usable {shown(lost)}"),
        ("Allocatable", "yes " if allocated < total else "yes (but full)"),
        ("PE Size", shown(group.extent_size)),
        ("Total PE", str(total)),
        ("Free PE", str(total - allocated)),
        ("Allocated PE", str(allocated)),
        ("PV UUID", disk.uuid),
    ]
