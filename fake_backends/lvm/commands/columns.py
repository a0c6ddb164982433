"""What ``-o`` can ask for: each column's heading, least width, and value.

Source: lib/report/columns.h of lvm2 2.03.16. A column that is missing here is refused like an unknown one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from fake_backends.block_store import CHUNK
from fake_backends.lvm.commands.entries import Entry
from fake_backends.lvm.commands.sizes import percent
from fake_backends.lvm.extents import PV_METADATA, PhysicalVolume
from fake_backends.lvm.logical_volume import ThickSnapshot
from fake_backends.lvm.thin_pool import ThinVolume
from fake_backends.lvm.volume_group import VolumeGroup

Kind = Literal["text", "number", "size"]


class Row(NamedTuple):
    """What a row of a report is about. `segment` counts the segments of the logical volume."""

    group: VolumeGroup | None
    entry: Entry | None = None
    disk: PhysicalVolume | None = None
    segment: int = 0
    readonly: bool = False
    missing: Sequence[PhysicalVolume] = ()


class Column(NamedTuple):
    """`value` gives text, or a number of bytes for the kind ``size``. `per` says which rows have it."""

    heading: str
    width: int
    kind: Kind
    per: Literal["lv", "seg", "vg", "pv"]
    value: Callable[[Any], str | int]


def _lv(heading: str, width: int, value: Callable[[Entry], str | int], kind: Kind = "text") -> Column:
    return Column(heading, width, kind, "lv", lambda row: value(row.entry))


def _vg(heading: str, width: int, value: Callable[[VolumeGroup], str | int], kind: Kind = "number") -> Column:
    empty: str | int = "" if kind == "text" else 0
    return Column(heading, width, kind, "vg", lambda row: value(row.group) if row.group else empty)


def _pv(heading: str, width: int, value: Callable[[Row], str | int], kind: Kind = "number") -> Column:
    return Column(heading, width, kind, "pv", value)


def _percent(value: float | None) -> str:
    return "" if value is None else percent(value)


def _active(row: Row) -> str:
    assert row.entry is not None
    return "unknown" if row.readonly else "active" if row.entry.active else ""


def _snapshots(group: VolumeGroup) -> int:
    return sum(isinstance(volume, ThickSnapshot) for volume in group.volumes.values())


def _group_attributes(row: Row) -> str:
    return f"wz-{'p' if row.missing else '-'}n-"


def _size_of_disk(row: Row) -> int:
    assert row.disk is not None
    return row.disk.usable(row.group.extent_size) if row.group else row.disk.size


def _used_of_disk(row: Row) -> int:
    assert row.disk is not None
    return (row.disk.extent_count - row.disk.free_extents) * CHUNK if row.group else 0


def _disk_name(row: Row) -> str:
    assert row.disk is not None
    seen_again = row.group is not None and row.disk.uuid in row.group.outdated
    return "[unknown]" if row.disk in row.missing and not seen_again else row.disk.name


def _device(row: Row) -> str:
    assert row.entry is not None
    devices = row.entry.devices
    return devices[row.segment] if devices else ""


def _segment(row: Row, what: Literal["first", "length"]) -> int:
    assert row.entry is not None
    segments = row.entry.area.segments
    if segments:
        segment = segments[row.segment]
        return (segment.first if what == "first" else segment.length) * CHUNK
    return 0 if what == "first" else row.entry.size


def _chunk_size(row: Row) -> int:
    volume = getattr(row.entry, "volume", None)
    pool = getattr(row.entry, "thin_pool", None) or (volume.pool if isinstance(volume, ThinVolume) else None)
    return pool.block_size if pool else 4096 if isinstance(volume, ThickSnapshot) else 0


def _nothing(_: object) -> str:
    return ""


COLUMNS: dict[str, Column] = {
    "lv_name": Column("LV", 4, "text", "lv", attrgetter("entry.shown_name")),
    "lv_full_name": _lv("LV", 4, lambda entry: f"{entry.group.name}/{entry.name}"),
    "lv_path": _lv("Path", 4, lambda entry: "" if entry.hidden else f"/dev/{entry.group.name}/{entry.name}"),
    "lv_uuid": _lv("LV UUID", 38, lambda entry: entry.uuid),
    "lv_attr": Column(
        "Attr", 10, "text", "lv", lambda row: row.entry.attributes(readonly=row.readonly, missing=row.missing)
    ),
    "lv_size": Column("LSize", 5, "size", "lv", attrgetter("entry.size")),
    "lv_active": Column("Active", 6, "text", "lv", _active),
    "lv_layout": _lv("Layout", 10, lambda entry: entry.layout),
    "lv_role": _lv("Role", 10, lambda entry: entry.role),
    "lv_tags": _lv("LV Tags", 7, lambda entry: ",".join(sorted(entry.tags))),
    "lv_permissions": Column(
        "LPerms", 8, "text", "lv", lambda row: "read-only" if "r" in row.entry._attributes()[1] else "writeable"
    ),
    "lv_skip_activation": _lv(
        "SkipAct", 15, lambda entry: "skip activation" if entry._attributes().skip == "k" else ""
    ),
    "lv_device_open": _lv("DevOpen", 10, lambda entry: "open" if entry._attributes().is_open == "o" else ""),
    "origin": _lv("Origin", 6, lambda entry: entry.origin),
    "pool_lv": _lv("Pool", 4, lambda entry: entry.pool),
    "data_percent": _lv("Data%", 6, lambda entry: _percent(entry.data_percent)),
    "metadata_percent": _lv("Meta%", 6, lambda entry: _percent(entry.metadata_percent)),
    "snap_percent": _lv("Snap%", 6, lambda entry: _percent(entry.snap_percent)),
    "move_pv": _lv("Move", 4, _nothing),
    "mirror_log": _lv("Log", 3, _nothing),
    "copy_percent": _lv("Cpy%Sync", 8, _nothing),
    "sync_percent": _lv("Cpy%Sync", 8, _nothing),
    "convert_lv": _lv("Convert", 7, _nothing),
    "seg_count": _lv("#Seg", 4, lambda entry: str(len(entry.devices) or 1), "number"),
    "segtype": Column("Type", 4, "text", "seg", lambda row: row.entry.segment_type),
    "seg_start": Column("Start", 5, "size", "seg", lambda row: _segment(row, "first")),
    "seg_size": Column("SSize", 5, "size", "seg", lambda row: _segment(row, "length")),
    "stripes": Column("#Str", 4, "number", "seg", lambda row: "0" if row.entry.pool else "1"),
    "chunk_size": Column("Chunk", 5, "size", "seg", _chunk_size),
    "devices": Column("Devices", 7, "text", "seg", _device),
    "vg_name": _vg("VG", 4, lambda group: group.name, "text"),
    "vg_uuid": _vg("VG UUID", 38, lambda group: group.uuid, "text"),
    "vg_attr": Column("Attr", 5, "text", "vg", _group_attributes),
    "vg_fmt": _vg("Fmt", 3, lambda _: "lvm2", "text"),
    "vg_size": _vg("VSize", 5, lambda group: group.size, "size"),
    "vg_free": _vg("VFree", 5, lambda group: group.free, "size"),
    "vg_extent_size": _vg("Ext", 3, lambda group: group.extent_size, "size"),
    "vg_extent_count": _vg("#Ext", 4, lambda group: str(group.extent_count)),
    "vg_free_count": _vg("Free", 4, lambda group: str(group.free_extents)),
    "vg_seqno": _vg("Seq", 3, lambda group: str(group.seqno)),
    "vg_tags": _vg("VG Tags", 7, lambda group: ",".join(sorted(group.tags)), "text"),
    "max_lv": _vg("MaxLV", 5, lambda _: "0"),
    "max_pv": _vg("MaxPV", 5, lambda _: "0"),
    "pv_count": _vg("#PV", 3, lambda group: str(len(group.disks))),
    "lv_count": _vg("#LV", 3, lambda group: str(len(group.names()) + len(group.pools()))),
    "snap_count": _vg("#SN", 3, lambda group: str(_snapshots(group))),
    "vg_missing_pv_count": Column("#PV Missing", 11, "number", "vg", lambda row: str(len(row.missing))),
    "pv_name": _pv("PV", 10, _disk_name, "text"),
    "pv_uuid": _pv("PV UUID", 38, lambda row: row.disk.uuid, "text"),  # type: ignore[union-attr]
    "pv_fmt": _pv("Fmt", 3, lambda _: "lvm2", "text"),
    "pv_attr": _pv(
        "Attr", 4, lambda row: f"{'a' if row.group else '-'}-{'m' if row.disk in row.missing else '-'}", "text"
    ),
    "pv_size": _pv("PSize", 5, _size_of_disk, "size"),
    "pv_free": _pv("PFree", 5, lambda row: _size_of_disk(row) - _used_of_disk(row), "size"),
    "pv_used": _pv("Used", 4, _used_of_disk, "size"),
    "pv_tags": _pv("PV Tags", 7, lambda row: ",".join(sorted(row.disk.tags)), "text"),  # type: ignore[union-attr]
    "dev_size": _pv("DevSize", 7, lambda row: row.disk.size, "size"),  # type: ignore[union-attr]
    "pe_start": _pv("1st PE", 7, lambda _: PV_METADATA, "size"),
}


def resolved(name: str, prefix: str) -> str | None:
    """The full name of a column: ``size`` is ``lv_size`` for lvs. None if there is none."""
    wanted = name.lower().replace("_", "")
    names = {column.replace("_", ""): column for column in COLUMNS}
    return names.get(wanted) or names.get(prefix + wanted)
