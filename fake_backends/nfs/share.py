"""An NFS export: a directory of files, and the space that they take.

A file has a length (what ``ls`` and ``du --apparent-size`` count) and blocks of 4 KiB that are allocated to
it (what ``du`` and ``df`` count); a hole reads zero and takes no block. A file grows where it is written
behind its end, and what was read from a name goes on reading the same file when the name is removed or taken
by another file, as POSIX has it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import NamedTuple

from fake_backends.block_store import (
    CHUNK,
    EMPTY,
    PAGE,
    PAGES_PER_CHUNK,
    BlockDevice,
    Chunk,
    chunks_between,
    patched,
)
from fake_backends.rbd.object_set import ObjectSet
from harness.errors import InvalidArgument, NoSpace, NotFound, StorageError
from harness.sim.points import QUIET, Points

BLOCK = PAGE
"""Bytes of a file system block."""
DIRECTORY_BYTES = 4096
"""What ``du`` counts for the directory itself."""
NAME_MAX = 255
COMMAND_US = 10_000
BYTES_PER_SECOND = 100 << 20


class File(BlockDevice):
    """One file of a share. NoSpace when the share is full, with what fitted written.

    `mode` are its permission bits; `linked` is False once its name is gone: it then takes no space of the
    share any more. `structure` is what a reader of an image format has learned of the content; it is void,
    and None again, as soon as somebody writes who does not know of it.
    """

    def __init__(self, share: Share) -> None:
        self.size = 0
        self.mode = 0o644
        self.linked = True
        self.structure: object | None = None
        self._share = share
        self._chunks: dict[int, Chunk] = {}
        self._blocks = ObjectSet()

    @property
    def allocated(self) -> int:
        """Bytes in allocated blocks (``du --block-size=1``)."""
        return len(self._blocks) * BLOCK

    def load(self, number: int) -> Chunk:
        return self._chunks.get(number, EMPTY)

    def store(self, number: int, chunk: Chunk) -> None:
        if number * CHUNK >= self.size:
            self.size = (number + 1) * CHUNK
        first = number * PAGES_PER_CHUNK
        self._take(first, min(first + PAGES_PER_CHUNK, -(-self.size // BLOCK)))
        self._put(number, chunk)
        self.structure = None

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return chunks_between(self._chunks, first, last)

    def allocate(self, first: int, last: int) -> None:
        start = first * PAGES_PER_CHUNK
        end = min(last * PAGES_PER_CHUNK, -(-self.size // BLOCK))
        try:
            self._take(start, end)
        except NoSpace as error:
            fitting = self._share.statistics().available // CHUNK
            self._take(start, min(end, start + fitting * PAGES_PER_CHUNK))
            error.written += fitting * CHUNK
            raise

    def write(self, offset: int, data: bytes) -> None:
        self.size = max(self.size, offset + len(data))
        super().write(offset, data)

    def patch(self, number: int, start: int, data: bytes) -> None:
        base = number * CHUNK + start
        self._take(base // BLOCK, -(-(base + len(data)) // BLOCK))
        self._put(number, patched(self.load(number), start, data))
        self.structure = None

    def replace(self, number: int, first: int, count: int, pages: Chunk) -> None:
        """Write `count` pages of a chunk from page `first` on; those that are not in `pages` become zero."""
        base = number * PAGES_PER_CHUNK + first
        self.size = max(self.size, (base + count) * PAGE)
        self._take(base, base + count)
        kept = {index: page for index, page in self.load(number).items() if not first <= index < first + count}
        self._put(number, {**kept, **pages})
        self.structure = None

    def truncate(self, size: int) -> None:
        """Make it `size` bytes long (``truncate -s``): cut off the end, or add a hole."""
        if size < 0:
            raise InvalidArgument("Invalid argument")
        if size < self.size:
            self._cut(size)
        self.size = size
        self.structure = None

    def open_truncated(self, length: int) -> None:
        self.truncate(0)
        self.truncate(length)

    def _cut(self, size: int) -> None:
        last, inside = divmod(size, CHUNK)
        for number in [number for number in self._chunks if number > last or (number == last and not inside)]:
            del self._chunks[number]
        if inside and last in self._chunks:
            page, rest = divmod(inside, PAGE)
            kept = {index: data for index, data in self._chunks[last].items() if index < page}
            if rest and page in self._chunks[last]:
                kept[page] = self._chunks[last][page][:rest].ljust(PAGE, b"\0")
            self._put(last, kept)
        blocks = -(-size // BLOCK)
        freed = self._blocks.remove(blocks, max(blocks, -(-self.size // BLOCK)))
        if self.linked:
            self._share.account(-freed)

    def _take(self, first: int, last: int) -> None:
        wanted = last - first - len(self._blocks.between(first, last))
        if wanted > 0:
            if self.linked:
                self._share.account(wanted)
            self._blocks.add(first, last)

    def _put(self, number: int, chunk: Chunk) -> None:
        if chunk:
            self._chunks[number] = chunk
        else:
            self._chunks.pop(number, None)


class Statistics(NamedTuple):
    """Bytes, as ``stat -f`` and ``df`` tell them."""

    total: int
    available: int


class Share:
    """What one export holds. `export` is ``address:/path``, `capacity` bytes.

    Every change of a name first passes the point ``nfs.<command>``. Names that would lead out of the
    directory, or that no file system takes, are refused.
    """

    def __init__(self, export: str, capacity: int, *, points: Points = QUIET) -> None:
        self.export = export
        self.capacity = capacity // BLOCK * BLOCK
        self.points = points
        self._files: dict[str, File] = {}
        self._used_blocks = 0

    # ------------------------------------------------------------------------------------------ questions

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def names(self) -> list[str]:
        """The directory's entries, sorted (``ls -A``)."""
        return sorted(self._files)

    def file(self, name: str) -> File:
        """The file of that name. NotFound."""
        if name not in self._files:
            raise NotFound(f"{self.export}/{name}: No such file or directory")
        return self._files[name]

    def statistics(self) -> Statistics:
        """The size of the file system, and what is free in it."""
        return Statistics(self.capacity, self.capacity - self._used_blocks * BLOCK)

    def apparent_size(self) -> int:
        """Bytes by the lengths of the files, and the directory itself (``du -sb``)."""
        return DIRECTORY_BYTES + sum(file.size for file in self._files.values())

    def allocated_size(self) -> int:
        """Bytes in allocated blocks, and the directory itself (``du -s --block-size=1``)."""
        return DIRECTORY_BYTES + sum(file.allocated for file in self._files.values())

    def read_text(self, name: str) -> str:
        """The whole of a small text file. NotFound."""
        file = self.file(name)
        return file.read(0, file.size).decode()

    # -------------------------------------------------------------------------------------------- changes

    def create(self, name: str) -> File:
        """The file of that name, made empty if there is none (``open(name, "a")``)."""
        _check(name)
        if name not in self._files:
            self._files[name] = File(self)
        return self._files[name]

    def truncate(self, name: str, size: int) -> None:
        """``truncate -s SIZE NAME``: a sparse file of `size` bytes."""
        self.visit("truncate", f"truncate -s {size} {name}")
        self.create(name).truncate(size)

    def fill(self, name: str, size: int) -> None:
        """``dd if=/dev/zero of=NAME``: a file of `size` bytes of zeros with all its blocks allocated."""
        self.visit("dd", f"dd if=/dev/zero of={name}", cost_us=size * 1_000_000 // BYTES_PER_SECOND)
        file = self.create(name)
        file.open_truncated(size)
        file.allocate(0, file.chunk_count)

    def write_text(self, name: str, text: str) -> None:
        """Replace a small text file by another of the same name, in one step."""
        self.visit("write", f"write {name}")
        file = self.create(name)
        file.truncate(0)
        file.write(0, text.encode())

    def chmod(self, name: str, mode: int) -> None:
        """Set the permission bits. NotFound."""
        self.visit("chmod", f"chmod {mode:o} {name}")
        self.file(name).mode = mode

    def rename(self, old: str, new: str) -> None:
        """``rename(2)``: whatever bears the new name is replaced, without a word. NotFound."""
        self.visit("rename", f"rename {old} {new}")
        file = self.file(old)
        _check(new)
        if self._files.get(new) is not file:
            self._unlink(new)
            self._files[new] = self._files.pop(old)

    def remove(self, name: str) -> None:
        """``rm -f``: an absent file is fine."""
        self.visit("rm", f"rm -f {name}")
        self._unlink(name)

    def visit(self, command: str, line: str, *, cost_us: int = COMMAND_US) -> None:
        """Pass the point ``nfs.<command>``."""
        self.points.visit(f"nfs.{command}", line, cost_us=cost_us)

    # -------------------------------------------------------------------------------------------- accounts

    def account(self, blocks: int) -> None:
        """A file takes so many blocks more, or gives them back. NoSpace."""
        if blocks > 0 and (self._used_blocks + blocks) * BLOCK > self.capacity:
            raise NoSpace
        self._used_blocks += blocks

    def _unlink(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            file.linked = False
            self._used_blocks -= file.allocated // BLOCK


def _check(name: str) -> None:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise InvalidArgument(f"{name!r} is no name of a file")
    if len(name.encode()) > NAME_MAX:
        raise StorageError("File name too long", errno=errno.ENAMETOOLONG)
