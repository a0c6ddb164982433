"""What lvm2, dd and blockdev see of a machine: disks, volume groups on them, regular files, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fake_backends.block_store import (
    CHUNK,
    PAGE,
    PAGES_PER_CHUNK,
    BlockDevice,
    Chunk,
    MemoryDevice,
    MemoryFile,
    RegularFile,
)
from fake_backends.lvm.backing import IN_MEMORY, Backing
from fake_backends.lvm.extents import PhysicalVolume, Runs
from fake_backends.lvm.logical_volume import LogicalVolume, ThickSnapshot
from fake_backends.lvm.volume_group import COMMAND_US, VolumeGroup
from harness.errors import NotFound
from harness.sim.points import QUIET, Points
from harness.sim.seeds import stream

ENDLESS = 1 << 62
_RANDOM_PERIOD = 1 << 20
_DIRECTORIES = ("/dev", "/dev/mapper", "/etc", "/proc", "/root", "/run", "/tmp", "/var/lib/cinder", "/var/tmp")
"""Directories of the root file system that a machine has from the beginning."""


class LvmHost:
    """Disks by path, volume groups by name, and regular files by path."""

    def __init__(self, hostname: str, points: Points = QUIET) -> None:
        self.hostname = hostname
        self.points = points
        self.backing: Backing = IN_MEMORY
        """Where new volume groups are kept."""
        self.disks: dict[str, PhysicalVolume] = {}
        self.volume_groups: dict[str, VolumeGroup] = {}
        self.files: dict[str, MemoryFile] = {}
        self.directories: set[str] = set(_DIRECTORIES)
        """Directories of the root file system in which commands may make files."""
        self.missing_programs: set[str] = set()
        """Programs that lvm2 runs, and that are not installed, by path."""

    def add_disk(self, path: str, size: int) -> PhysicalVolume:
        """Plug an empty disk in."""
        self.disks[path] = PhysicalVolume(size, path)
        return self.disks[path]

    def make_group(
        self, name: str, disks: Sequence[PhysicalVolume], *, extent_size: int = CHUNK, tags: Sequence[str] = ()
    ) -> VolumeGroup:
        """A new volume group on disks that belong to none; what was no physical volume becomes one.

        StorageError if the metadata cannot be written; then there is no group. Passes ``lvm.vgcreate``.
        """
        self.points.visit("lvm.vgcreate", f"vgcreate {name}", cost_us=COMMAND_US)
        group = VolumeGroup(name, disks, extent_size=extent_size, points=self.points, backing=self.backing)
        group.tags.extend(tags)
        self.backing.found(group)
        self.volume_groups[name] = group
        return group

    def remove_group(self, group: VolumeGroup) -> None:
        """Forget an empty volume group. Its disks stay physical volumes. Passes ``lvm.vgremove``."""
        self.points.visit("lvm.vgremove", f"vgremove {group.name}", cost_us=COMMAND_US)
        self.backing.dissolve(group)
        for disk in group.disks:
            disk.format(CHUNK)
            self.disks[disk.name] = disk
        del self.volume_groups[group.name]

    def all_disks(self) -> list[PhysicalVolume]:
        """The disks that were plugged in, and those of the volume groups, each once."""
        disks = {disk.name: disk for disk in self.disks.values()}
        for group in self.volume_groups.values():
            disks.update((disk.name, disk) for disk in group.disks)
        return list(disks.values())

    def group_of(self, disk: PhysicalVolume) -> VolumeGroup | None:
        """The volume group that a disk belongs to, or None."""
        return next((group for group in self.volume_groups.values() if disk in group.disks), None)

    def open(self, path: str) -> BlockDevice:
        """A handle on a file or device; `close_device` ends it. NotFound if there is none of that name."""
        if path in self.files:
            return self.files[path]
        match path:
            case "/dev/zero":
                return MemoryDevice(ENDLESS)
            case "/dev/urandom":
                return RandomDevice()
            case "/dev/null":
                return NullDevice()
        group, volume, part = self._find(path)
        if part == "-cow" and isinstance(volume, ThickSnapshot):
            return StoreDevice(volume)
        return group.open(volume.name)

    def is_file(self, path: str) -> bool:
        """Whether a path names a regular file."""
        return path in self.files

    def file(self, path: str) -> RegularFile | None:
        """The regular file of that name, to be closed with `close_device`; None for a device or nothing."""
        return self.files.get(path)

    def create(self, path: str, size: int) -> RegularFile:
        """A regular file of `size` zeros; one that exists is emptied first. NotFound without its directory."""
        directory = path.rpartition("/")[0]
        if directory not in self.directories and directory.removeprefix("/dev/") not in self.volume_groups:
            raise NotFound(f"{path}: No such file or directory")
        file = self.files.setdefault(path, MemoryFile(0))
        file.open_truncated(size)
        return file

    def is_device(self, path: str) -> bool:
        """Whether a path names a device, not a regular file or nothing."""
        if self.is_file(path):
            return False
        try:
            close_device(self.open(path))
        except NotFound:
            return False
        return True

    def mapper_names(self) -> list[str]:
        """What ``ls /dev/mapper`` shows of logical volumes and of what they are made of, sorted."""
        names = [
            mapper_name(group.name, volume.name) + part
            for group in self.volume_groups.values()
            for volume in group.volumes.values()
            for part in _parts(volume)
        ]
        for group in self.volume_groups.values():
            for name in group.pools():
                pool = group.pool(name)
                base = mapper_name(group.name, name)
                if pool.active:
                    names.append(base)
                if pool.running:
                    names += [f"{base}_tdata", f"{base}_tmeta", *([f"{base}-tpool"] if pool.layered else [])]
        files = (path.removeprefix("/dev/mapper/") for path in self.files if path.startswith("/dev/mapper/"))
        return sorted({*names, *files})

    def _find(self, path: str) -> tuple[VolumeGroup, LogicalVolume, str]:
        directory, _, name = path.rpartition("/")
        for group in self.volume_groups.values():
            for volume in group.volumes.values():
                if directory == f"/dev/{group.name}" and name == volume.name and volume.active:
                    return group, volume, ""
                if directory == "/dev/mapper":
                    node = mapper_name(group.name, volume.name)
                    for part in _parts(volume):
                        if name == node + part:
                            return group, volume, part
        raise NotFound(f"{path}: No such file or directory")


def mapper_name(group: str, volume: str) -> str:
    """The name under /dev/mapper: hyphens doubled, and one between group and volume."""
    return f"{group.replace('-', '--')}-{volume.replace('-', '--')}"


def close_device(device: BlockDevice) -> None:
    """End a handle that `LvmHost.open` gave."""
    close = getattr(device, "close", None)
    if close:
        close()


def _parts(volume: LogicalVolume) -> Iterator[str]:
    """Suffixes of the device-mapper devices that an active volume consists of."""
    if volume.active:
        yield ""
        if volume.snapshots:
            yield "-real"
        if isinstance(volume, ThickSnapshot):
            yield "-cow"


class StoreDevice(BlockDevice):
    """The copy-on-write store of a thick snapshot, as the ``-cow`` device shows it.

    Once all of it was overwritten with zeros through one handle, what the snapshot copied reads zero. Until
    then its copies are what they were.
    """

    def __init__(self, snapshot: ThickSnapshot) -> None:
        self._snapshot = snapshot
        self._zeroed = Runs()
        self.size = snapshot.listed_size

    def load(self, number: int) -> Chunk:
        disk, extent = self._snapshot.area.locate(number)
        return disk.get(extent)

    def store(self, number: int, chunk: Chunk) -> None:
        disk, extent = self._snapshot.area.locate(number)
        disk.put(extent, chunk)
        self._note(number, number + 1, zeroed=not chunk)

    def allocate(self, first: int, last: int) -> None:
        self._note(first, last, zeroed=True)

    def occupied(self, first: int, last: int) -> list[int]:
        return self._snapshot.area.occupied(first, last)

    def _note(self, first: int, last: int, *, zeroed: bool) -> None:
        self._zeroed.assign(first, last, 1 if zeroed else None)
        if zeroed and not self._zeroed.gaps(0, self.chunk_count):
            self._snapshot.clear_store()


class RandomDevice(BlockDevice):
    """Endless noise, always the same: it repeats after 1 MiB, so that copies share it."""

    size = ENDLESS

    def __init__(self) -> None:
        noise = stream(0, "/dev/urandom").randbytes(_RANDOM_PERIOD)
        pages = [noise[at : at + PAGE] for at in range(0, _RANDOM_PERIOD, PAGE)]
        self._chunk: Chunk = {index: pages[index % len(pages)] for index in range(PAGES_PER_CHUNK)}

    def load(self, number: int) -> Chunk:
        return self._chunk

    def store(self, number: int, chunk: Chunk) -> None:
        """Writes stir the pool, which changes nothing here."""

    def occupied(self, first: int, last: int) -> range:
        return range(first, last)


class NullDevice(BlockDevice):
    """Takes everything, and has nothing."""

    size = 0

    def load(self, number: int) -> Chunk:
        return {}

    def store(self, number: int, chunk: Chunk) -> None:
        """Forget it."""

    def write(self, offset: int, data: bytes) -> None:
        """Forget it."""

    def occupied(self, first: int, last: int) -> tuple[()]:
        return ()
