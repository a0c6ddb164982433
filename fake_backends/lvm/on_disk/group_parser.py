"""Text metadata read back: a volume group from what lvm2, or `group_text`, wrote."""

from __future__ import annotations

from typing import cast

from fake_backends.lvm.on_disk import config_text
from fake_backends.lvm.on_disk.config_text import Scalar, Section
from fake_backends.lvm.on_disk.group_text import CONTENTS, VERSION
from fake_backends.lvm.on_disk.records import (
    GroupRecord,
    LogicalVolumeRecord,
    PhysicalVolumeRecord,
    PoolSegment,
    Segment,
    SnapshotSegment,
    Striped,
    ThinSegment,
)
from harness.errors import Unreadable


def parse_group(text: str) -> GroupRecord:
    """The group that a text describes. Unreadable, with the reason: damaged, or a format not known here."""
    root = _Fields(config_text.parse(text), "the text")
    if root.string("contents") != CONTENTS:
        raise Unreadable(f"has text metadata whose contents are {root.string('contents')!r}, not {CONTENTS!r}")
    if root.number("version") != VERSION:
        raise Unreadable(f"has text metadata of version {root.number('version')}; known is version {VERSION}")
    names = [name for name, value in root.section.items() if isinstance(value, dict)]
    if len(names) != 1:
        raise Unreadable(f"has text metadata of {len(names)} volume groups instead of one")
    fields = root.fields(names[0])
    if fields.string("format", "lvm2") != "lvm2":
        raise Unreadable(f"has metadata in the unknown format {fields.string('format')!r}, not 'lvm2'")
    return GroupRecord(
        name=names[0],
        uuid=fields.string("id"),
        seqno=fields.number("seqno"),
        physical_volumes=_physical_volumes(fields.fields("physical_volumes")),
        logical_volumes=tuple(_logical_volume(fields) for fields in fields.children("logical_volumes")),
        extent_size=fields.number("extent_size"),
        status=fields.strings("status"),
        flags=fields.strings("flags"),
        tags=fields.strings("tags"),
        max_lv=fields.number("max_lv", 0),
        max_pv=fields.number("max_pv", 0),
        metadata_copies=fields.number("metadata_copies", 0),
        description=root.string("description", ""),
        host=root.string("creation_host", ""),
        time=root.number("creation_time", 0),
    )


class _Fields:
    """A section and its name, with access that says what is missing where."""

    def __init__(self, section: Section, name: str) -> None:
        self.section = section
        self.name = name

    def number(self, key: str, default: int | None = None) -> int:
        value = self.section.get(key, default)
        if not isinstance(value, int):
            raise self._bad(key, "a number")
        return value

    def string(self, key: str, default: str | None = None) -> str:
        value = self.section.get(key, default)
        if not isinstance(value, str):
            raise self._bad(key, "a string")
        return value

    def optional(self, key: str) -> str | None:
        return self.string(key) if key in self.section else None

    def values(self, key: str) -> list[Scalar]:
        value = self.section.get(key, [])
        if not isinstance(value, list):
            raise self._bad(key, "a list")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        values = self.values(key)
        if not all(isinstance(value, str) for value in values):
            raise self._bad(key, "a list of strings")
        return tuple(cast(list[str], values))

    def fields(self, key: str) -> _Fields:
        value = self.section.get(key)
        if not isinstance(value, dict):
            raise self._bad(key, "a section")
        return _Fields(value, key)

    def children(self, key: str) -> list[_Fields]:
        if key not in self.section:
            return []
        parent = self.fields(key)
        return [parent.fields(name) for name in parent.section]

    def _bad(self, key: str, kind: str) -> Unreadable:
        return Unreadable(f"has text metadata in which {key!r} of {self.name} is not {kind}")


def _physical_volumes(fields: _Fields) -> tuple[PhysicalVolumeRecord, ...]:
    """In the order of their numbers, which other sections refer to."""
    return tuple(_physical_volume(fields.fields(f"pv{number}")) for number in range(len(fields.section)))


def _physical_volume(fields: _Fields) -> PhysicalVolumeRecord:
    return PhysicalVolumeRecord(
        uuid=fields.string("id"),
        device=fields.string("device", ""),
        dev_size=fields.number("dev_size"),
        pe_start=fields.number("pe_start"),
        pe_count=fields.number("pe_count"),
        status=fields.strings("status"),
        flags=fields.strings("flags"),
        tags=fields.strings("tags"),
    )


def _logical_volume(fields: _Fields) -> LogicalVolumeRecord:
    count = fields.number("segment_count")
    if count < 1:
        raise Unreadable(f"has the logical volume {fields.name} without segments")
    return LogicalVolumeRecord(
        name=fields.name,
        uuid=fields.string("id"),
        segments=tuple(
            _segment(fields.fields(f"segment{number}"), fields.name) for number in range(1, count + 1)
        ),
        status=fields.strings("status"),
        flags=fields.strings("flags"),
        tags=fields.strings("tags"),
        creation_time=fields.number("creation_time", 0),
        creation_host=fields.string("creation_host", ""),
    )


def _segment(fields: _Fields, volume: str) -> Segment:
    start, count, kind = fields.number("start_extent"), fields.number("extent_count"), fields.string("type")
    match kind:
        case "striped":
            return Striped(start, count, _stripe(fields, volume))
        case "snapshot":
            merging = "merging_store" in fields.section
            store = fields.string("merging_store" if merging else "cow_store")
            chunk_size, origin = fields.number("chunk_size"), fields.string("origin")
            return SnapshotSegment(start, count, chunk_size, origin, store, merging)
        case "thin-pool":
            return PoolSegment(
                start,
                count,
                fields.string("metadata"),
                fields.string("pool"),
                fields.number("transaction_id"),
                fields.number("chunk_size"),
                fields.string("discards", "ignore"),
                bool(fields.number("zero_new_blocks", 0)),
            )
        case "thin":
            return ThinSegment(
                start,
                count,
                fields.string("thin_pool"),
                fields.number("transaction_id"),
                fields.number("device_id"),
                fields.optional("origin"),
                fields.optional("merge"),
            )
    raise Unreadable(f"has the logical volume {volume} with a segment of the unknown type {kind!r}")


def _stripe(fields: _Fields, volume: str) -> tuple[str, int]:
    match fields.number("stripe_count"), fields.values("stripes"):
        case 1, [str(physical), int(extent)]:
            return physical, extent
    raise Unreadable(f"has the logical volume {volume} striped over several disks, which is not known here")
