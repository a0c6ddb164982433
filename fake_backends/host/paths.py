"""What the paths of a machine lead to: logical volumes, disks, dm-crypt mappings and files.

Commands find everything by path. A device comes from where it lives (a volume group, an iSCSI session, a
mapping); a file lives in a directory that was mounted. Symbolic links lead on, as udev and os-brick make them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from fake_backends.block_store import BlockDevice, Chunk
from fake_backends.files.chunks import ChunkFile
from fake_backends.files.directory import Directory, SparseFile
from fake_backends.luks import Header, LuksDevice
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import AlreadyExists, Busy, NotFound
from harness.sim.points import QUIET, Points
from harness.sim.seeds import Ids

MAPPER = "/dev/mapper/"
_LINKS_MAX = 40

Open = Callable[[], BlockDevice]
Close = Callable[[BlockDevice], None]


class FileDevice(BlockDevice):
    """A file, read and written as a device. Unlike one, it can grow."""

    def __init__(self, file: SparseFile) -> None:
        self._file = file
        self._chunks = ChunkFile(file)
        self.size = file.size

    @property
    def allocated(self) -> int:
        """Bytes that the file takes of its file system."""
        return self._file.allocated

    def load(self, number: int) -> Chunk:
        return self._chunks.load(number)

    def store(self, number: int, chunk: Chunk) -> None:
        self._chunks.store(number, chunk)
        self._file.truncate(self.size)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self._chunks.patch(number, start, data)

    def occupied(self, first: int, last: int) -> list[int]:
        return self._chunks.occupied(first, last)

    def truncate(self, size: int) -> None:
        """Cut off, or grow by a hole."""
        self._file.truncate(size)
        self._chunks = ChunkFile(self._file)
        self.size = size


@dataclass
class CryptMapping:
    """An active dm-crypt device: the plaintext over `backing`, which it holds open."""

    header: Header
    device: LuksDevice
    path: str
    backing: BlockDevice
    close_backing: Close
    users: int = 0


class Host:
    """One machine. Nothing of it is shared with another one, except what its paths lead to."""

    def __init__(
        self,
        hostname: str,
        *,
        seed: int = 0,
        groups: Callable[[], Mapping[str, VolumeGroup]] = dict,
        points: Points = QUIET,
    ) -> None:
        """`groups` gives the volume groups that the machine has at the moment, by name."""
        self.hostname = hostname
        self.points = points
        self.initiator = f"iqn.1994-05.com.redhat:{hostname}"
        self.ids = Ids(seed, f"host {hostname}")
        self.mappings: dict[str, CryptMapping] = {}
        self._groups = groups
        self._devices: dict[str, tuple[Open, Close]] = {}
        self._links: dict[str, str] = {}
        self._mounts: dict[str, Directory] = {}

    # ---------------------------------------------------------------------------------------- what there is

    def add_device(self, path: str, open_device: Open, close_device: Close) -> None:
        """A disk appears. AlreadyExists if something of that path is there."""
        if self.exists(path):
            raise AlreadyExists(f"{path} exists")
        self._devices[path] = (open_device, close_device)

    def remove_device(self, path: str) -> None:
        """The disk, and all links that led to it directly, go away; absent ones are fine."""
        self._devices.pop(path, None)
        self._links = {link: target for link, target in self._links.items() if target != path}

    def link(self, path: str, target: str) -> None:
        """``ln --symbolic --force target path``."""
        self._links[path] = target

    def unlink(self, path: str) -> None:
        """Remove a link or a file. NotFound."""
        if self._links.pop(path, None) is None:
            directory, name = self._file(path)
            directory.remove(name)

    def mount(self, path: str, directory: Directory) -> None:
        """Files below `path` are those of `directory` from now on."""
        self._mounts[path.rstrip("/")] = directory

    def realpath(self, path: str) -> str:
        """Where links lead to. NotFound for links that lead to one another."""
        for _ in range(_LINKS_MAX):
            if path not in self._links:
                return path
            path = self._links[path]
        raise NotFound(f"{path}: Too many levels of symbolic links")

    def exists(self, path: str) -> bool:
        """True if the path leads to a device or a file."""
        path = self.realpath(path)
        return self._device(path) is not None or self.is_file(path)

    def is_file(self, path: str) -> bool:
        """True if the path leads to a file, and not to a device."""
        try:
            directory, name = self._file(self.realpath(path))
        except NotFound:
            return False
        return name in directory

    # ------------------------------------------------------------------------------------------------- use

    @contextmanager
    def opened(self, path: str) -> Iterator[BlockDevice]:
        """Open what the path leads to, for as long as the block lasts. NotFound."""
        device, close = self.open(path)
        try:
            yield device
        finally:
            close(device)

    def open(self, path: str) -> tuple[BlockDevice, Close]:
        """Open what the path leads to, and what closes it again. NotFound."""
        real = self.realpath(path)
        found = self._device(real)
        if found is not None:
            open_device, close = found
            return open_device(), close
        directory, name = self._file(real)
        if name not in directory:
            raise NotFound(f"{path}: No such file or directory")
        file = directory.open(name)
        return FileDevice(file), lambda _: file.close()

    def closer(self, path: str) -> Close:
        """What closes a device that `open` gave. NotFound if the path leads to no device."""
        found = self._device(self.realpath(path))
        if found is None:
            raise NotFound(f"{path}: No such device")
        return found[1]

    def read(self, path: str) -> bytes:
        """All of a file. NotFound."""
        with self.opened(path) as device:
            return device.read(0, device.size)

    def write(self, path: str, content: bytes) -> None:
        """Make a file with this content, or replace what it has. NotFound if no directory is mounted there."""
        directory, name = self._file(self.realpath(path))
        with directory.create(name) as file:
            file.write(0, content)

    def create(self, path: str, size: int) -> None:
        """Make an empty file of `size` bytes, or empty one. NotFound if no directory is mounted there."""
        directory, name = self._file(self.realpath(path))
        with directory.create(name) as file:
            file.truncate(size)

    # ------------------------------------------------------------------------------------------- dm-crypt

    def map(self, name: str, mapping: CryptMapping) -> None:
        """``/dev/mapper/NAME`` appears. AlreadyExists."""
        if self.exists(MAPPER + name):
            raise AlreadyExists(f"Device {name} already exists.")
        self.mappings[name] = mapping

    def unmap(self, name: str) -> None:
        """It goes, and lets go of what is under it. NotFound if inactive, Busy if it is open."""
        mapping = self.mappings.get(name)
        if mapping is None:
            raise NotFound(f"Device {name} is not active.")
        if mapping.users:
            raise Busy(f"Device {name} is still in use.")
        del self.mappings[name]
        mapping.close_backing(mapping.backing)

    def mapping_over(self, path: str) -> str | None:
        """The name of the mapping that uses this device, if one does."""
        real = self.realpath(path)
        return next((name for name, each in self.mappings.items() if self.realpath(each.path) == real), None)

    # --------------------------------------------------------------------------------------------- insides

    def _device(self, path: str) -> tuple[Open, Close] | None:
        found = self._devices.get(path)
        if found is None and path.startswith(MAPPER):
            found = self._mapping(path.removeprefix(MAPPER))
        return found or self._logical_volume(path)

    def _mapping(self, name: str) -> tuple[Open, Close] | None:
        mapping = self.mappings.get(name)
        if mapping is None:
            return None

        def open_mapping() -> BlockDevice:
            mapping.users += 1
            return mapping.device

        def close_mapping(_: BlockDevice) -> None:
            mapping.users -= 1

        return open_mapping, close_mapping

    def _logical_volume(self, path: str) -> tuple[Open, Close] | None:
        """``/dev/GROUP/VOLUME`` and ``/dev/mapper/GROUP-VOLUME``, in which dashes of the names are doubled."""
        for group in self._groups().values():
            for prefix, escape in ((f"/dev/{group.name}/", ""), (MAPPER + _escaped(group.name) + "-", "-")):
                name = path.removeprefix(prefix)
                if name == path:
                    continue
                if escape:
                    name = name.replace("--", "-")
                if name in group and group.volume(name).active:
                    return group.volume(name).open, group.close
        return None

    def _file(self, path: str) -> tuple[Directory, str]:
        """The directory and the name in it. NotFound if none is mounted there."""
        for point in sorted(self._mounts, key=len, reverse=True):
            if path.startswith(point + "/"):
                directory = self._mounts[point]
                *parents, name = path[len(point) + 1 :].split("/")
                for parent in parents:
                    if parent not in directory:
                        raise NotFound(f"{path}: No such file or directory")
                    directory = directory.directory(parent)
                return directory, name
        raise NotFound(f"{path}: No such file or directory")


def _escaped(name: str) -> str:
    return name.replace("-", "--")
