"""Making a volume group in files, and finding it there again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fake_backends.block_store import CHUNK
from fake_backends.files.directory import Directory, SparseFile
from fake_backends.lvm.backing import Backing
from fake_backends.lvm.extents import Area, lvm_uuid
from fake_backends.lvm.in_files.copy_store import FileStore
from fake_backends.lvm.in_files.disk import FileDisk
from fake_backends.lvm.in_files.record_of import SECTOR, record_of
from fake_backends.lvm.in_files.restore import check_disks, restore
from fake_backends.lvm.in_files.thin_pool import FileThinPool
from fake_backends.lvm.on_disk.group_parser import parse_group
from fake_backends.lvm.on_disk.group_text import group_text
from fake_backends.lvm.on_disk.label import Label, read_label, write_label
from fake_backends.lvm.on_disk.metadata_area import commit_everywhere
from fake_backends.lvm.on_disk.records import GroupRecord
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import Unreadable
from harness.sim.points import QUIET, Points


def create_group(
    home: Directory, name: str, pv_sizes: Sequence[int], *, extent_size: int = CHUNK, points: Points = QUIET
) -> VolumeGroup:
    """A new, empty group in the directory `home`: a sparse file ``pv0.img``, ``pv1.img``, ... for each size.

    A crash leaves the files without a group in them (`open_group` says so), or the group. What these files
    held before is lost. The files are the group's until nobody has the group any more.
    """
    disks = [_new_disk(home, name, number, size) for number, size in enumerate(pv_sizes)]
    group = VolumeGroup(name, disks, extent_size=extent_size, points=points, backing=FileBacking())
    for disk in disks:
        disk.metadata_area.format()
    FileBacking().commit(group)
    return group


def open_group(home: Directory, *, points: Points = QUIET) -> VolumeGroup:
    """The group whose physical volumes are the files ``*.img`` in a directory, as its last change left it.

    The same names, sizes, extents, snapshots, thin volumes and free extents as when the last command was
    acknowledged; volumes are as an activation at boot leaves them, merges that waited have taken place.
    Unreadable, which names the file and the reason, with nothing changed: no physical volume, a format not
    known here, a physical volume that is missing, no copy of the metadata that can be trusted.
    """
    names = [name for name in home.names() if name.endswith(".img")]
    return group_of({name: home.open(name) for name in names}, points=points)


def group_of(files: Mapping[str, SparseFile], *, points: Points = QUIET) -> VolumeGroup:
    """The group that lives in these files; see `open_group`. The names are for messages only."""
    if not files:
        raise Unreadable("there is no file of a physical volume")
    disks: dict[str, FileDisk] = {}
    for name, file in files.items():
        try:
            label = read_label(file)
            disks[name] = FileDisk(file, label, name)
        except Unreadable as error:
            raise Unreadable(f"{name}: {error}") from error
    record = _newest(disks)
    ordered = check_disks(disks, record)
    for disk, physical in zip(ordered, record.physical_volumes, strict=True):
        disk.name, disk.size = physical.device, physical.dev_size * SECTOR
    extent_size = record.extent_size * SECTOR
    group = VolumeGroup(record.name, ordered, extent_size=extent_size, points=points, backing=FileBacking())
    try:
        restore(group, record)
    except Unreadable as error:
        raise Unreadable(f"{record.name}: {error}") from error
    for volume in list(group.volumes.values()):
        if volume.merging and volume.origin is not None and volume.origin.active:
            group.activate(volume.origin.name)
    return group


class FileBacking(Backing):
    """Copies and thin pools go to the extents that belong to them, metadata to all disks of the group."""

    def copy_store(self, area: Area) -> FileStore:
        store = FileStore(area)
        store.format()
        return store

    def thin_pool(self, name: str, data: Area, metadata: Area, uuid: str) -> FileThinPool:
        pool = FileThinPool(name, data, metadata, uuid)
        pool.format()
        return pool

    def commit(self, group: VolumeGroup) -> None:
        disks = [disk for disk in group.disks if isinstance(disk, FileDisk)]
        for disk in disks:
            disk.prepare()
        commit_everywhere([disk.metadata_area for disk in disks], group_text(record_of(group)))
        for disk in disks:
            disk.follow_size()
        for name in group.pools():
            pool = group.pool(name)
            assert isinstance(pool, FileThinPool)
            pool.settle()


def _new_disk(home: Directory, group: str, number: int, size: int) -> FileDisk:
    name = f"/dev/{group}-disk{number}"
    label = Label(lvm_uuid("pv", name, str(size)), size // SECTOR * SECTOR)
    file = home.create(f"pv{number}.img")
    file.truncate(size)
    write_label(file, label)
    return FileDisk(file, label, name)


def _newest(disks: Mapping[str, FileDisk]) -> GroupRecord:
    """What the disk says that took part in the last change. Unreadable if no disk has a text that holds."""
    records: list[GroupRecord] = []
    errors: list[Unreadable] = []
    for name, disk in disks.items():
        try:
            text = disk.metadata_area.read()
            if text is None:
                raise Unreadable("belongs to no volume group")
            records.append(parse_group(text))
        except Unreadable as error:
            errors.append(Unreadable(f"{name}: {error}"))
            disk.damaged = True
    if not records:
        raise errors[0]
    return max(records, key=lambda record: record.seqno)
