"""Files that Cinder opens by itself: those of the machine of the running service, where they are fake.

That is what is mounted there, every device, and ``/proc/mounts``; all other paths are those of this process.
Only what drivers, os-brick and the copying loop call is replaced: ``open``, ``os.stat`` (and with it
``os.path.exists`` and its kin) and ``os.rename``.
"""

from __future__ import annotations

import builtins
import io
import os
import stat
from collections.abc import Callable
from typing import Any, TypeGuard

from fake_backends.block_store import BlockDevice, RegularFile
from fake_backends.host.file_systems import DirectoryFiles
from fake_backends.host.mounting import proc_mounts
from fake_backends.lvm.host import close_device
from fake_backends.world import Node
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.errors import StorageError

PROC_MOUNTS = "/proc/mounts"


class DeviceFile(io.RawIOBase):
    """A device, or a file of a share, as the raw file object under what ``open`` returns."""

    def __init__(self, device: BlockDevice, *, position: int = 0) -> None:
        super().__init__()
        self._device = device
        self._position = position

    def close(self) -> None:
        if not self.closed:
            close_device(self._device)
        super().close()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._device.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        return self._take(max(0, self._device.size - self._position) if size < 0 else size)

    def readall(self) -> bytes:
        return self.read()

    def write(self, data: Any) -> int:
        """All of `data`. OSError, such as ENOSPC behind the end of a device."""
        try:
            self._device.write(self._position, bytes(data))
        except StorageError as error:
            raise os_error(error) from error
        self._position += len(data)
        return len(data)

    def _take(self, size: int) -> bytes:
        try:
            data = self._device.read(self._position, max(0, min(size, self._device.size - self._position)))
        except StorageError as error:
            raise os_error(error) from error
        self._position += len(data)
        return data


class Files:
    """What takes the place of the functions, which are still called for paths of this process."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._open: Callable[..., Any] = builtins.open
        self._stat: Callable[..., os.stat_result] = os.stat
        self._rename: Callable[..., None] = os.rename

    def open(self, file: Any, mode: str = "r", buffering: int = -1, *others: Any, **named: Any) -> Any:
        """``open``; what is written to a file of the machine passes the point ``host.write``."""
        if not self.is_fake(file):
            return self._open(file, mode, buffering, *others, **named)
        node = self._node
        if file == PROC_MOUNTS:
            return io.StringIO(proc_mounts(node))
        try:
            raw = self._opened(node, file, mode)
        except StorageError as error:
            raise os_error(error, file) from error
        if "b" in mode and buffering == 0:
            return raw
        buffered = io.BufferedReader(raw) if "r" in mode and "+" not in mode else io.BufferedWriter(raw)
        encoding = named.get("encoding") or "utf-8"
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding=encoding)

    def _opened(self, node: Node, path: str, mode: str) -> DeviceFile:
        if set(mode) & set("wax+"):
            self._stage.playing.simulation.visit("host.write", f"write {path}")
        if "r" not in mode and not node.exists(path):
            close_device(node.create(path, 0))
        device = node.open(path)
        if "w" in mode and isinstance(device, RegularFile):
            device.truncate(0)
        return DeviceFile(device, position=device.size if "a" in mode else 0)

    def stat(self, path: Any, *others: Any, **named: Any) -> os.stat_result:
        """``os.stat``; everything belongs to the user of this process."""
        if not self.is_fake(path):
            return self._stat(path, *others, **named)
        node, size = self._node, 0
        if node.is_directory(path):
            mode = stat.S_IFDIR | 0o755
        elif node.is_device(path):
            mode = stat.S_IFBLK | 0o660
        elif (file := node.file(path)) is not None:
            mode, size = stat.S_IFREG | file.mode, file.size
            close_device(file)
        else:
            raise FileNotFoundError(2, os.strerror(2), path)
        return os.stat_result((mode, 0, 0, 1, os.getuid(), os.getgid(), size, 0, 0, 0))

    def rename(self, source: Any, target: Any, *others: Any, **named: Any) -> None:
        """``os.rename``."""
        if not self.is_fake(source):
            self._rename(source, target, *others, **named)
            return
        try:
            self._node.rename(source, target)
        except StorageError as error:
            raise os_error(error, source) from error

    @property
    def _node(self) -> Node:
        return self._stage.playing.machine(self._stage.hostname)

    def is_fake(self, path: Any) -> TypeGuard[str]:
        """Whether a path leads to the machine of the running service, and not to that of this process."""
        if self._stage.cloud is None or not isinstance(path, str):
            return False
        if path.startswith("/dev/") or path == PROC_MOUNTS:
            return True
        node = self._stage.cloud.world.nodes.get(self._stage.hostname)
        if node is None:
            return False
        mount = node.mounts.get(path) or node.mounts.get(path.rpartition("/")[0])
        return mount is not None and not isinstance(mount.file_system, DirectoryFiles)


def os_error(error: StorageError, path: str | None = None) -> OSError:
    """What the operating system would have said."""
    return OSError(error.errno, os.strerror(error.errno), path)


def install(patches: Patches, stage: Stage) -> None:
    """Replace the functions for everybody in this process."""
    files = Files(stage)
    patches.replace(builtins, "open", files.open)
    patches.replace(os, "stat", files.stat)
    patches.replace(os, "rename", files.rename)
