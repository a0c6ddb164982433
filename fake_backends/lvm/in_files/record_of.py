"""A volume group as text metadata says it."""

from __future__ import annotations

from collections.abc import Iterator

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.lvm.extents import PV_METADATA, Area, PhysicalVolume, lvm_uuid
from fake_backends.lvm.in_files.thin_pool import FileThinPool, FileThinVolume
from fake_backends.lvm.logical_volume import LinearVolume, LogicalVolume, ThickSnapshot
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
from fake_backends.lvm.thin_pool import ThinPool
from fake_backends.lvm.volume_group import VolumeGroup

SECTOR = 512
SPARE = "lvol0_pmspare"
"""The hidden volume that is set aside to repair the metadata of thin pools."""
SKIPS_ACTIVATION = "ACTIVATION_SKIP"
HIDDEN = ("READ", "WRITE")


def record_of(group: VolumeGroup) -> GroupRecord:
    """All that is true of a group in files while none of its volumes is open."""
    return _Writer(group).record()


class _Writer:
    """Knows the numbers of the physical volumes, and the size of the extents in units of 4 MiB."""

    def __init__(self, group: VolumeGroup) -> None:
        self.group = group
        self.names = {id(disk): f"pv{number}" for number, disk in enumerate(group.disks)}
        self.unit = max(1, group.extent_size // CHUNK)

    def record(self) -> GroupRecord:
        group = self.group
        return GroupRecord(
            name=group.name,
            uuid=group.uuid,
            seqno=group.seqno,
            physical_volumes=tuple(self.physical_volume(disk) for disk in group.disks),
            logical_volumes=(*self.visible(), *self.hidden()),
            extent_size=group.extent_size // SECTOR,
            tags=tuple(group.tags),
        )

    def physical_volume(self, disk: PhysicalVolume) -> PhysicalVolumeRecord:
        return PhysicalVolumeRecord(
            uuid=disk.uuid,
            device=disk.name,
            dev_size=disk.size // SECTOR,
            pe_start=PV_METADATA // SECTOR,
            pe_count=disk.usable(self.group.extent_size) // self.group.extent_size,
            tags=tuple(disk.tags),
        )

    def visible(self) -> Iterator[LogicalVolumeRecord]:
        for name in self.group.pools():
            yield self.pool(self.group.pool(name))
        for volume in self.group.volumes.values():
            if not volume.merging:
                yield self.logical_volume(volume)

    def hidden(self) -> Iterator[LogicalVolumeRecord]:
        """What lvs shows in brackets or not at all: lvm2 writes it behind the rest."""
        snapshots = [one for one in self.group.volumes.values() if isinstance(one, ThickSnapshot)]
        for number, snapshot in enumerate(snapshots):
            yield self.snapshot_tie(number, snapshot)
        for volume in self.group.volumes.values():
            if volume.merging:
                yield self.logical_volume(volume)
        if self.group.spare.count:
            yield self.hidden_area(SPARE, self.group.uuid, self.group.spare)
        for name in self.group.pools():
            pool = self.group.pool(name)
            yield self.hidden_area(f"{name}_tmeta", pool.uuid, pool.metadata)
            yield self.hidden_area(f"{name}_tdata", pool.uuid, pool.data)

    def logical_volume(self, volume: LogicalVolume) -> LogicalVolumeRecord:
        visible = not (isinstance(volume, ThickSnapshot) or volume.merging)
        status = ("READ", *(() if volume.read_only else ("WRITE",)), *(("VISIBLE",) if visible else ()))
        return LogicalVolumeRecord(
            name=volume.name,
            uuid=volume.uuid,
            segments=self.segments(volume),
            status=status,
            flags=(SKIPS_ACTIVATION,) if volume.skips_activation else (),
            tags=tuple(volume.tags),
        )

    def segments(self, volume: LogicalVolume) -> tuple[Segment, ...]:
        if isinstance(volume, LinearVolume | ThickSnapshot):
            return self.stripes(volume.area)
        assert isinstance(volume, FileThinVolume)
        origin = volume.origin.name if volume.origin else None
        return (
            ThinSegment(
                start=0,
                count=volume.size // CHUNK // self.unit,
                pool=volume.pool.name,
                transaction_id=volume.transaction_id,
                device_id=volume.device_id,
                origin=origin,
                merge=origin if volume.merging else None,
            ),
        )

    def snapshot_tie(self, number: int, snapshot: ThickSnapshot) -> LogicalVolumeRecord:
        segment = SnapshotSegment(
            start=0,
            count=snapshot.size // CHUNK // self.unit,
            chunk_size=PAGE // SECTOR,
            origin=snapshot.origin.name,
            store=snapshot.name,
            merging=snapshot.merging,
        )
        status = HIDDEN if snapshot.merging else (*HIDDEN, "VISIBLE")
        name = f"snapshot{number}"
        return LogicalVolumeRecord(name, lvm_uuid("lv", snapshot.uuid, "snapshot"), (segment,), status)

    def pool(self, pool: ThinPool) -> LogicalVolumeRecord:
        assert isinstance(pool, FileThinPool)
        segment = PoolSegment(
            start=0,
            count=pool.data.count // self.unit,
            metadata=f"{pool.name}_tmeta",
            data=f"{pool.name}_tdata",
            transaction_id=pool.transaction_id,
            chunk_size=pool.block_size // SECTOR,
        )
        return LogicalVolumeRecord(pool.name, pool.uuid, (segment,), tags=tuple(pool.tags))

    def hidden_area(self, name: str, owner: str, area: Area) -> LogicalVolumeRecord:
        uuid = lvm_uuid("lv", owner, name.rpartition("_")[2])
        return LogicalVolumeRecord(name, uuid, self.stripes(area), HIDDEN)

    def stripes(self, area: Area) -> tuple[Striped, ...]:
        unit = self.unit
        return tuple(
            Striped(one.first // unit, one.length // unit, (self.names[id(one.disk)], one.start // unit))
            for one in area.segments
        )
