"""What is in images and backups, in sparse files beside the records.

Such a disk is written once, when it is whole, and before the record that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fake_backends.block_store import CHUNK, MemoryDevice
from fake_backends.files.chunks import ChunkFile, read_pages, write_chunk
from fake_backends.files.directory import Directory

Disks = dict[str, MemoryDevice]


class KeptDisks:
    """The files of one directory; each is named after what it belongs to."""

    def __init__(self, home: Directory) -> None:
        self._home = home
        home.sweep()
        self._kept = set(home.names())

    def load(self, disks: Disks) -> None:
        """Bring back what is there."""
        for name in sorted(self._kept):
            with self._home.open(name) as file:
                disk = MemoryDevice(file.size)
                for number in ChunkFile(file).occupied(0, disk.chunk_count):
                    disk.store(number, read_pages(file, number * CHUNK))
            disks[name] = disk

    def keep(self, disks: Mapping[str, MemoryDevice], whole: Callable[[str], bool]) -> None:
        """Write those that are whole and not there yet; remove those that nobody has any more."""
        for name in self._kept - disks.keys():
            self._home.remove(name)
            self._kept.remove(name)
        for name in disks.keys() - self._kept:
            if whole(name):
                self._write(name, disks[name])
                self._kept.add(name)

    def _write(self, name: str, disk: MemoryDevice) -> None:
        with self._home.replacing(name) as file:
            file.truncate(disk.size)
            for number, chunk in sorted(disk.chunks.items()):
                write_chunk(file, number * CHUNK, chunk, over_hole=True)
