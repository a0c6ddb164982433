"""What the paths of a machine lead to: logical volumes, disks, dm-crypt mappings and files.

Commands find everything by path. A device comes from where it lives (a volume group, an iSCSI session, a
mapping); a file lives in a file system that is mounted, or in the root file system. Symbolic links lead on, as
udev and os-brick make them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fake_backends.block_store import BlockDevice, Chunk, RegularFile
from fake_backends.host.file_systems import FileSystem, Mount
from fake_backends.luks import Header, LuksDevice
from fake_backends.lvm.host import LvmHost, close_device
from harness.errors import AlreadyExists, Busy, NotFound, StorageError
from harness.sim.points import QUIET, Points
from harness.sim.seeds import Ids

MAPPER = "/dev/mapper/"
_LINKS_MAX = 40

Open = Callable[[], BlockDevice]


class Handle(BlockDevice):
    """One opener of a device that many may open: it is one of `openers` until `close`."""

    def __init__(self, device: BlockDevice, openers: list[Handle]) -> None:
        self._device = device
        self._openers = openers
        openers.append(self)

    @property
    def size(self) -> int:  # type: ignore[override]  # a device may grow under its openers
        return self._opened().size

    def load(self, number: int) -> Chunk:
        return self._opened().load(number)

    def store(self, number: int, chunk: Chunk) -> None:
        self._opened().store(number, chunk)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return self._opened().occupied(first, last)

    def allocate(self, first: int, last: int) -> None:
        self._opened().allocate(first, last)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self._opened().patch(number, start, data)

    def close(self) -> None:
        """Stop counting as an opener. Closing twice is allowed."""
        if self in self._openers:
            self._openers.remove(self)

    def _opened(self) -> BlockDevice:
        if self not in self._openers:
            raise StorageError("Input/output error: the device is not open any more")
        return self._device


@dataclass
class CryptMapping:
    """An active dm-crypt device: the plaintext over `backing`, which it holds open."""

    header: Header
    device: LuksDevice
    path: str
    backing: BlockDevice
    openers: list[Handle] = field(default_factory=list)


class Host(LvmHost):
    """One machine. Nothing of it is shared with another one, except what its paths lead to."""

    def __init__(self, hostname: str, points: Points = QUIET, *, seed: int = 0) -> None:
        super().__init__(hostname, points)
        self.ids = Ids(seed, f"host {hostname}")
        self.mappings: dict[str, CryptMapping] = {}
        self._devices: dict[str, Open] = {}
        self._links: dict[str, str] = {}
        self._mounts: dict[str, Mount] = {}

    # ---------------------------------------------------------------------------------------- what there is

    def add_device(self, path: str, open_device: Open) -> None:
        """A disk appears, on which `open_device` gives handles. AlreadyExists if something of that path is."""
        if self.exists(path):
            raise AlreadyExists(f"{path} exists")
        self._devices[path] = open_device

    def remove_device(self, path: str) -> None:
        """The disk, and all links that led to it directly, go away; absent ones are fine."""
        self._devices.pop(path, None)
        self._links = {link: target for link, target in self._links.items() if target != path}

    def link(self, path: str, target: str) -> None:
        """``ln --symbolic --force target path``."""
        self._links[path] = target

    def unlink(self, path: str) -> None:
        """Remove a link or a file. NotFound."""
        if self._links.pop(path, None) is not None or self.files.pop(path, None) is not None:
            return
        mounted, name = self._mounted(path)
        if mounted is None or name not in mounted:
            raise NotFound(f"{path}: No such file or directory")
        mounted.remove(name)

    def mount(
        self,
        path: str,
        file_system: FileSystem,
        *,
        source: str = "none",
        type: str = "none",
        options: str = "rw",
    ) -> None:
        """Files in `path` are those of `file_system` from now on, which hides what was there."""
        point = path.rstrip("/")
        self.directories.add(point)
        self._mounts[point] = Mount(source, point, type, options, file_system)

    def unmount(self, path: str) -> None:
        """NotFound if nothing is mounted there."""
        if self._mounts.pop(path.rstrip("/"), None) is None:
            raise NotFound(f"{path}: not mounted.")

    @property
    def mounts(self) -> dict[str, Mount]:
        """What is mounted, by mount point."""
        return dict(self._mounts)

    def is_directory(self, path: str) -> bool:
        """True if the path leads to a directory."""
        real = self.realpath(path.rstrip("/"))
        return real in self.directories or any(each.startswith(f"{real}/") for each in self.directories)

    def names(self, path: str) -> list[str]:
        """The files in a directory, sorted. NotFound."""
        if not self.is_directory(path):
            raise NotFound(f"{path}: No such file or directory")
        directory = self.realpath(path.rstrip("/"))
        if directory in self._mounts:
            return self._mounts[directory].file_system.names()
        parts = (name.rpartition("/") for name in self.files)
        return sorted(name for parent, _, name in parts if parent == directory)

    def realpath(self, path: str) -> str:
        """Where links lead to. NotFound for links that lead to one another."""
        for _ in range(_LINKS_MAX):
            if path not in self._links:
                return path
            path = self._links[path]
        raise NotFound(f"{path}: Too many levels of symbolic links")

    def exists(self, path: str) -> bool:
        """True if the path leads to a device or a file."""
        return self.is_file(path) or self.is_device(path)

    def is_file(self, path: str) -> bool:
        """True if the path leads to a file, and not to a device."""
        real = self.realpath(path)
        mounted, name = self._mounted(real)
        return real in self.files if mounted is None else name in mounted

    def file(self, path: str) -> RegularFile | None:
        real = self.realpath(path)
        mounted, name = self._mounted(real)
        if mounted is None:
            return super().file(real)
        return mounted.file(name) if name in mounted else None

    # ------------------------------------------------------------------------------------------------- use

    @contextmanager
    def opened(self, path: str) -> Iterator[BlockDevice]:
        """Open what the path leads to, for as long as the block lasts. NotFound."""
        device = self.open(path)
        try:
            yield device
        finally:
            close_device(device)

    def open(self, path: str) -> BlockDevice:
        real = self.realpath(path)
        if real in self._devices:
            return self._devices[real]()
        mapping = self.mappings.get(real.removeprefix(MAPPER)) if real.startswith(MAPPER) else None
        if mapping is not None:
            return Handle(mapping.device, mapping.openers)
        file = self.file(real)
        if file is not None:
            return file
        return super().open(real)

    def read(self, path: str) -> bytes:
        """All of a file. NotFound."""
        with self.opened(path) as device:
            return device.read(0, device.size)

    def write(self, path: str, content: bytes) -> None:
        """Make a file with this content, or replace what it has. NotFound if there is no such directory."""
        file = self.create(path, len(content))
        file.write(0, content)
        close_device(file)

    def create(self, path: str, size: int) -> RegularFile:
        """Make an empty file of `size` bytes, or empty one. NotFound if there is no such directory."""
        real = self.realpath(path)
        mounted, name = self._mounted(real)
        if mounted is None:
            return super().create(real, size)
        file = mounted.create(name)
        file.open_truncated(size)
        return file

    def truncate(self, path: str, size: int) -> None:
        """``truncate -s SIZE PATH``: a file that is not there is made. NotFound without its directory."""
        real = self.realpath(path)
        mounted, name = self._mounted(real)
        if mounted is not None:
            mounted.truncate(name, size)
        elif real in self.files:
            self.files[real].truncate(size)
        else:
            self.create(real, size)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits of a file. NotFound."""
        real = self.realpath(path)
        mounted, name = self._mounted(real)
        if mounted is not None:
            mounted.chmod(name, mode)
        elif real in self.files:
            self.files[real].mode = mode
        else:
            raise NotFound(f"{path}: No such file or directory")

    def rename(self, old: str, new: str) -> None:
        """``rename(2)`` of a file. NotFound, StorageError with EXDEV from one file system to another."""
        (source, name), (target, new_name) = self._mounted(old), self._mounted(new)
        if source is not target:
            raise StorageError(f"{old} -> {new}: Invalid cross-device link", errno=errno.EXDEV)
        if source is not None:
            source.rename(name, new_name)
        elif old not in self.files:
            raise NotFound(f"{old}: No such file or directory")
        else:
            self.files[new] = self.files.pop(old)

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
        if mapping.openers:
            raise Busy(f"Device {name} is still in use.")
        del self.mappings[name]
        close_device(mapping.backing)

    def mapping_over(self, path: str) -> str | None:
        """The name of the mapping that uses this device, if one does."""
        real = self.realpath(path)
        return next((name for name, each in self.mappings.items() if self.realpath(each.path) == real), None)

    def mapper_names(self) -> list[str]:
        return sorted([*super().mapper_names(), *self.mappings])

    # --------------------------------------------------------------------------------------------- insides

    def _mounted(self, path: str) -> tuple[FileSystem | None, str]:
        """The file system that is mounted where a path is, if one is, and the name of the file in it."""
        directory, _, name = path.rpartition("/")
        found = self._mounts.get(directory)
        return (None if found is None else found.file_system), name
