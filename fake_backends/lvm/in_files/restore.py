"""A volume group put together again from what text metadata says and its extents hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fake_backends.block_store import CHUNK
from fake_backends.lvm.extents import Area
from fake_backends.lvm.in_files.copy_store import FileStore
from fake_backends.lvm.in_files.disk import FileDisk
from fake_backends.lvm.in_files.record_of import SECTOR, SKIPS_ACTIVATION, SPARE
from fake_backends.lvm.in_files.thin_pool import FileThinPool, FileThinVolume
from fake_backends.lvm.in_files.thin_records import Device
from fake_backends.lvm.logical_volume import LinearVolume, LogicalVolume, ThickSnapshot
from fake_backends.lvm.on_disk.records import (
    GroupRecord,
    LogicalVolumeRecord,
    PoolSegment,
    SnapshotSegment,
    Striped,
    ThinSegment,
)
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import Unreadable


def restore(group: VolumeGroup, record: GroupRecord) -> None:
    """Give a new group over the right disks what the record says, as an activation at boot would leave it.

    Nothing is written. Unreadable if the record contradicts itself, or what is in the extents.
    """
    group.uuid, group.seqno, group.tags = record.uuid, record.seqno, list(record.tags)
    for disk, physical in zip(group.disks, record.physical_volumes, strict=True):
        disk.tags = list(physical.tags)
    reader = _Reader(group, record)
    for pool in (volume for volume in record.logical_volumes if isinstance(volume.segments[0], PoolSegment)):
        reader.pool(pool, pool.segments[0])
    reader.volumes()
    for thin_pool in reader.pools.values():
        thin_pool.collect()
    if SPARE in reader.records:
        reader.extents(reader.records[SPARE], group.spare)
    found = [reader.found[one.name] for one in record.logical_volumes if one.name in reader.found]
    group.adopt(found, list(reader.pools.values()))


def put_back(group: VolumeGroup, record: GroupRecord) -> None:
    """Let a group be what the record says again, after a change that could not be committed.

    Volumes that are still there stay active and open; one that was removed comes back inactive, because lvm2
    deactivates a volume before it writes that it is gone.
    """
    volumes = {volume.uuid: volume for volume in group.volumes.values()}
    pools = {pool.uuid: pool for pool in map(group.pool, group.pools())}
    group.spare.release()
    for disk, physical in zip(group.disks, record.physical_volumes, strict=True):
        disk.size = physical.dev_size * SECTOR
        disk.format(group.extent_size)
    restore(group, record)
    for volume in group.volumes.values():
        if volume.uuid in volumes:
            volume.stand_in_for(volumes[volume.uuid])
        else:
            volume.active = False
    for pool in map(group.pool, group.pools()):
        pool.active = pool.uuid in pools and pools[pool.uuid].active


class _Reader:
    """Turns records into volumes; `found` are those so far, by name."""

    def __init__(self, group: VolumeGroup, record: GroupRecord) -> None:
        self.records = {volume.name: volume for volume in record.logical_volumes}
        self.disks = {f"pv{number}": disk for number, disk in enumerate(group.disks)}
        self.unit = max(1, record.extent_size * SECTOR // CHUNK)
        self.pools: dict[str, FileThinPool] = {}
        self.devices: dict[str, dict[int, Device]] = {}
        self.found: dict[str, LogicalVolume] = {}

    def pool(self, record: LogicalVolumeRecord, segment: object) -> None:
        assert isinstance(segment, PoolSegment)
        pool = FileThinPool(
            record.name,
            self.extents(self.named(segment.data)),
            self.extents(self.named(segment.metadata)),
            record.uuid,
        )
        pool.block_size = segment.chunk_size * SECTOR
        pool.transaction_id = segment.transaction_id
        pool.tags = list(record.tags)
        self.pools[record.name] = pool
        self.devices[record.name] = pool.load()

    def volumes(self) -> None:
        """All but pools and what is hidden in them; origins before their snapshots."""
        ties = {
            segment.store: segment
            for record in self.records.values()
            for segment in record.segments
            if isinstance(segment, SnapshotSegment)
        }
        hidden = {SPARE, *(f"{name}_{part}" for name in self.pools for part in ("tdata", "tmeta"))}
        for record in self.records.values():
            first = record.segments[0]
            if isinstance(first, ThinSegment):
                self.add(record, self.thin(record, first))
            elif isinstance(first, Striped) and record.name not in ties and record.name not in hidden:
                self.add(record, LinearVolume(record.name, self.extents(record), record.uuid))
        for record in self.records.values():
            first = record.segments[0]
            if isinstance(first, ThinSegment) and first.origin is not None:
                self.found[record.name].origin = self.volume(first.origin)
        for name, tie in ties.items():
            self.add(self.named(name), self.snapshot(self.named(name), tie))

    def add(self, record: LogicalVolumeRecord, volume: LogicalVolume) -> None:
        volume.tags = list(record.tags)
        volume.read_only = "WRITE" not in record.status
        volume.skips_activation = SKIPS_ACTIVATION in record.flags
        volume.active = volume.origin.active if isinstance(volume, ThickSnapshot) else True
        if volume.skips_activation:
            volume.active = False
        self.found[record.name] = volume

    def thin(self, record: LogicalVolumeRecord, segment: ThinSegment) -> FileThinVolume:
        if segment.pool not in self.pools:
            raise Unreadable(
                f"logical volume {record.name} is in the thin pool {segment.pool}, which is missing"
            )
        pool = self.pools[segment.pool]
        device = self.devices[segment.pool].get(segment.device_id)
        if device is None:
            raise Unreadable(f"thin pool {segment.pool} lacks the device {segment.device_id} of {record.name}")
        volume = FileThinVolume(record.name, segment.count * self.unit, pool, uuid=record.uuid)
        volume.device_id, volume.transaction_id = segment.device_id, segment.transaction_id
        volume.merging = segment.merge is not None
        volume.take_over(device.blocks, device.epoch, device.tree)
        pool.take_in(volume)
        return volume

    def snapshot(self, record: LogicalVolumeRecord, tie: SnapshotSegment) -> ThickSnapshot:
        store = FileStore(self.extents(record))
        origin = self.volume(tie.origin)
        try:
            valid = store.load_all()
        except Unreadable as error:
            raise Unreadable(f"logical volume {record.name} {error}") from error
        snapshot = ThickSnapshot(record.name, origin, store, record.uuid)
        snapshot.invalid = not valid
        snapshot.merging = tie.merging
        origin.snapshots.append(snapshot)
        return snapshot

    def named(self, name: str) -> LogicalVolumeRecord:
        if name not in self.records:
            raise Unreadable(f"logical volume {name} is referred to, but missing")
        return self.records[name]

    def volume(self, name: str) -> LogicalVolume:
        if name not in self.found:
            raise Unreadable(f"logical volume {name} is referred to, but missing")
        return self.found[name]

    def extents(self, record: LogicalVolumeRecord, area: Area | None = None) -> Area:
        """The extents of a volume, which are free no longer."""
        area = Area() if area is None else area
        for segment in record.segments:
            if not isinstance(segment, Striped):
                raise Unreadable(f"logical volume {record.name} has no extents of its own")
            name, start = segment.stripe[0], segment.stripe[1] * self.unit
            disk, length = self.disks.get(name), segment.count * self.unit
            if disk is None or disk.free.gaps(start, start + length) or segment.start * self.unit != area.count:
                raise Unreadable(f"logical volume {record.name} has extents that are not there, or not its own")
            area.append(disk, start, length)
        return area


def check_disks(files: Mapping[str, FileDisk], record: GroupRecord) -> Sequence[FileDisk]:
    """The disks in the group's order. Unreadable if one is missing, or is not one of them."""
    by_uuid = {disk.uuid: (name, disk) for name, disk in files.items()}
    ordered: list[FileDisk] = []
    for physical in record.physical_volumes:
        if physical.uuid not in by_uuid:
            raise Unreadable(f"{record.name}: physical volume {physical.uuid} ({physical.device}) is missing")
        name, disk = by_uuid.pop(physical.uuid)
        size = physical.dev_size * SECTOR
        if disk.file_size < size:
            raise Unreadable(f"{name}: has {disk.file_size} bytes where its volume group knows {size}")
        ordered.append(disk)
    for name, disk in by_uuid.values():
        raise Unreadable(f"{name}: physical volume {disk.uuid} does not belong to {record.name}")
    return ordered
