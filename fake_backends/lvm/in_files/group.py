"""Making a volume group in files, and finding it there again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from fake_backends.block_store import CHUNK
from fake_backends.files.directory import Directory, SparseFile
from fake_backends.lvm.backing import Backing, NotCommitted
from fake_backends.lvm.extents import Area
from fake_backends.lvm.in_files.copy_store import FileStore
from fake_backends.lvm.in_files.disk import FileDisk
from fake_backends.lvm.in_files.record_of import SECTOR, record_of
from fake_backends.lvm.in_files.restore import check_disks, put_back, restore
from fake_backends.lvm.in_files.thin_pool import FileThinPool
from fake_backends.lvm.names import check_group_name
from fake_backends.lvm.on_disk.group_parser import parse_group
from fake_backends.lvm.on_disk.group_text import group_text
from fake_backends.lvm.on_disk.label import read_label
from fake_backends.lvm.on_disk.metadata_area import commit_everywhere
from fake_backends.lvm.on_disk.records import GroupRecord
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import NoSpace, StorageError, Unreadable
from harness.sim.points import QUIET, Points


def create_group(
    home: Directory, name: str, pv_sizes: Sequence[int], *, extent_size: int = CHUNK, points: Points = QUIET
) -> VolumeGroup:
    """A new, empty group in the directory `home`: a sparse file ``pv0.img``, ``pv1.img``, ... for each size.

    A crash leaves the files without a group in them (`open_group` says so), or the group. What these files
    held before is lost. The files are the group's until nobody has the group any more.
    InvalidArgument, with no file made, for a name that lvm2 does not take.
    """
    check_group_name(name)
    disks = [
        create_disk(home, f"pv{number}.img", f"/dev/{name}-disk{number}", size)
        for number, size in enumerate(pv_sizes)
    ]
    backing = FileBacking()
    group = VolumeGroup(name, disks, extent_size=extent_size, points=points, backing=backing)
    backing.found(group)
    return group


def create_disk(home: Directory, file_name: str, name: str, size: int) -> FileDisk:
    """An empty disk in a new file, under the path `name`. It is no physical volume yet."""
    file = home.create(file_name)
    file.truncate(size)
    return FileDisk(file, name)


def open_disk(file: SparseFile, name: str) -> FileDisk:
    """The physical volume in a file, under the path `name`. Unreadable if there is none."""
    return FileDisk(file, name, read_label(file))


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
            disks[name] = open_disk(file, name)
        except Unreadable as error:
            raise Unreadable(f"{name}: {error}") from error
    groups, left = groups_of(disks, points=points)
    if left:
        raise Unreadable(f"{next(iter(left))}: belongs to no volume group")
    if len(groups) > 1:
        raise Unreadable(f"there are several volume groups: {', '.join(sorted(one.name for one in groups))}")
    return groups[0]


def groups_of(
    disks: Mapping[str, FileDisk], *, points: Points = QUIET
) -> tuple[list[VolumeGroup], dict[str, FileDisk]]:
    """The groups that are on these physical volumes, and those of them that belong to none.

    A disk belongs to the group whose newest metadata lists it, whatever it says itself. Unreadable as for
    `open_group`; the keys are for messages only.
    """
    records: dict[str, GroupRecord | None] = {}
    errors: dict[str, Unreadable] = {}
    newest: dict[str, GroupRecord] = {}
    for name, disk in disks.items():
        try:
            record = records[name] = _record_on(disk)
        except Unreadable as error:
            errors[name] = error
            disk.damaged = True
            continue
        if record and (record.uuid not in newest or record.seqno > newest[record.uuid].seqno):
            newest[record.uuid] = record
    owners = {physical.uuid: uuid for uuid, record in newest.items() for physical in record.physical_volumes}
    members: dict[str, dict[str, FileDisk]] = {uuid: {} for uuid in newest}
    left: dict[str, FileDisk] = {}
    for name, disk in disks.items():
        record = records.get(name)
        owner = owners.get(disk.uuid) or (record.uuid if record else None)
        if owner:
            members[owner][name] = disk
        elif name in errors:
            raise Unreadable(f"{name}: {errors[name]}")
        else:
            left[name] = disk
    return [_reopened(members[uuid], record, points) for uuid, record in newest.items()], left


def _record_on(disk: FileDisk) -> GroupRecord | None:
    text = disk.metadata_area.read()
    return parse_group(text) if text is not None else None


def _reopened(disks: Mapping[str, FileDisk], record: GroupRecord, points: Points) -> VolumeGroup:
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

    def found(self, group: VolumeGroup) -> None:
        for disk in _disks(group):
            disk.join_group()
        _write(group)

    def dissolve(self, group: VolumeGroup) -> None:
        for disk in _disks(group):
            disk.metadata_area.format()
        for disk in _disks(group):
            # The group is gone by now; a disk that cannot say so is still none of its.
            with suppress(StorageError):
                disk.leave_group()

    def commit(self, group: VolumeGroup) -> None:
        try:
            _write(group)
        except StorageError as error:
            records = [record for disk in _disks(group) if (record := _record_on(disk))]
            put_back(group, max(records, key=lambda record: record.seqno))
            raise NotCommitted(group.name, error) from error
        for disk in _disks(group):
            disk.follow_size()
        for name in group.pools():
            pool = group.pool(name)
            assert isinstance(pool, FileThinPool)
            pool.settle()


def _disks(group: VolumeGroup) -> list[FileDisk]:
    return [disk for disk in group.disks if isinstance(disk, FileDisk)]


def _write(group: VolumeGroup) -> None:
    """Put the metadata in force. StorageError; then the old one still is, on all disks."""
    text = group_text(record_of(group))
    length = len(text.encode()) + 1
    for disk in _disks(group):
        if length > disk.metadata_area.room:
            raise NoSpace(
                f"VG {group.name} {group.seqno} metadata on {disk.name} ({length} bytes) "
                f"exceeds maximum metadata size ({disk.metadata_area.room} bytes)"
            )
        disk.prepare()
    commit_everywhere([disk.metadata_area for disk in _disks(group)], text)
