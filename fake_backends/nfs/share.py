"""An NFS export: a directory of files, and the space that they take.

A file has a length (what ``ls`` and ``du --apparent-size`` count) and blocks of 4 KiB that are allocated to
it (what ``du`` and ``df`` count); a hole reads zero and takes no block. A file grows where it is written
behind its end, and what was read from a name goes on reading the same file when the name is removed or taken
by another file, as POSIX has it.

With a home, a file is a file of the same length in ``files`` there, under its name made harmless, and what a
file system would keep in its inode is in ``share.json``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

import msgspec

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK, Chunk, RegularFile, replaced
from fake_backends.files.directory import Directory
from fake_backends.files.names import check_text, safe_name, true_name
from fake_backends.host.file_systems import BLOCK, Statistics
from fake_backends.nfs.contents import Content, KeptContent, MemoryContent
from fake_backends.rbd.object_set import ObjectSet
from harness.errors import InputError, InvalidArgument, NoSpace, NotFound, StorageError
from harness.sim.points import QUIET, Points

DIRECTORY_BYTES = 4096
"""What ``du`` counts for the directory itself."""
NAME_MAX = 255
COMMAND_US = 10_000
FILES = "files"
RECORD = "share.json"
BYTES_PER_SECOND = 100 << 20


class File(RegularFile):
    """One file of a share. NoSpace when the share is full, with what fitted written.

    `mode` are its permission bits; `linked` is False once its name is gone: it then takes no space of the
    share any more.
    """

    def __init__(self, share: Share, content: Content) -> None:
        self.size = 0
        self.mode = 0o644
        self.linked = True
        self._share = share
        self.content = content
        self._blocks = ObjectSet()

    @property
    def allocated(self) -> int:
        """Bytes in allocated blocks (``du --block-size=1``)."""
        return len(self._blocks) * BLOCK

    def load(self, number: int) -> Chunk:
        return self.content.load(number)

    def store(self, number: int, chunk: Chunk) -> None:
        if number * CHUNK >= self.size:
            self.size = (number + 1) * CHUNK
        first = number * PAGES_PER_CHUNK
        self._take(first, min(first + PAGES_PER_CHUNK, -(-self.size // BLOCK)))
        self.content.store(number, chunk, self.size)
        self.structure = None

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return self.content.occupied(first, last)

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
        finally:
            self._share.keep_record()

    def write(self, offset: int, data: bytes) -> None:
        before = self.size
        self.size = max(before, offset + len(data))
        try:
            super().write(offset, data)
        except NoSpace as error:
            self.truncate(max(before, offset + error.written if error.written else 0))
            raise

    def patch(self, number: int, start: int, data: bytes) -> None:
        base = number * CHUNK + start
        self._take(base // BLOCK, -(-(base + len(data)) // BLOCK))
        self.content.patch(number, start, data)
        self.structure = None

    def replace(self, number: int, first: int, count: int, pages: Chunk) -> None:
        """Write `count` pages of a chunk from page `first` on; those that are not in `pages` become zero."""
        base = number * PAGES_PER_CHUNK + first
        self.size = max(self.size, (base + count) * PAGE)
        self._take(base, base + count)
        self.content.store(number, replaced(self.load(number), first, count, pages), self.size)
        self.structure = None

    def truncate(self, size: int) -> None:
        """Make it `size` bytes long (``truncate -s``): cut off the end, or add a hole."""
        if size < 0:
            raise InvalidArgument("Invalid argument")
        freed = 0
        if size < self.size:
            blocks = -(-size // BLOCK)
            freed = self._blocks.remove(blocks, max(blocks, -(-self.size // BLOCK)))
            if self.linked:
                self._share.account(-freed)
        self.content.resize(size)
        self.size = size
        self.structure = None
        if freed and self.linked:
            # Otherwise they would be back if the file grows again.
            self._share.keep_record()

    def open_truncated(self, length: int) -> None:
        self.truncate(0)
        self.truncate(length)

    def _take(self, first: int, last: int) -> None:
        wanted = last - first - len(self._blocks.between(first, last))
        if wanted > 0:
            if self.linked:
                self._share.account(wanted)
            self._blocks.add(first, last)

    # ---------------------------------------------------------------------------------- across processes

    def record(self) -> FileRecord:
        """What is not in the content."""
        return FileRecord(mode=self.mode, blocks=list(self._blocks.ranges()))

    def restore(self, content: KeptContent, record: FileRecord) -> None:
        """Be what an earlier process has left: blocks are those on record that still are in the file, and
        those that hold data."""
        self.size = content.size
        self.mode = record.mode
        blocks = -(-self.size // BLOCK)
        for first, last in record.blocks:
            self._take(first, min(last, blocks))
        for start, end in content.data_ranges():
            self._take(start // BLOCK, -(-end // BLOCK))


class FileRecord(msgspec.Struct):
    """A file's inode: permission bits, and allocated blocks as ranges [first, last)."""

    mode: int = 0o644
    blocks: list[tuple[int, int]] = []


class ShareRecord(msgspec.Struct):
    """What ``share.json`` holds. `renaming` is the old and the new name while a file is renamed."""

    export: str
    capacity: int
    files: dict[str, FileRecord] = {}
    renaming: tuple[str, str] | None = None


class Share:
    """What one export holds. `export` is ``address:/path``, `capacity` bytes, `home` where it is kept, if so.

    Every change of a name first passes the point ``nfs.<command>``. Names that would lead out of the
    directory, or that no file system takes, are refused.
    """

    def __init__(
        self, export: str, capacity: int, *, points: Points = QUIET, home: Directory | None = None
    ) -> None:
        self.export = export
        self.capacity = capacity // BLOCK * BLOCK
        self.points = points
        self._files: dict[str, File] = {}
        self._used_blocks = 0
        self._home = home
        self._directory = home.directory(FILES) if home is not None else None
        self.keep_record()

    @classmethod
    def reopen(cls, home: Directory, *, points: Points = QUIET) -> Share:
        """The share that is kept in `home`. InputError for a damaged record."""
        try:
            record = msgspec.json.decode(home.read(RECORD), type=ShareRecord)
        except (NotFound, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{RECORD} of an NFS share is damaged: {error}; remove the share") from error
        share = cls.__new__(cls)
        share.export, share.capacity, share.points = record.export, record.capacity, points
        share._files, share._used_blocks, share._home = {}, 0, home
        share._directory = home.directory(FILES)
        names = {safe_name(name): name for name in record.files}
        inodes = record.files
        if record.renaming is not None and safe_name(record.renaming[0]) not in share._directory:
            old, new = record.renaming
            inodes[new] = inodes.pop(old)
            names[safe_name(new)] = new
        for kept in share._directory.names():
            # A file that is not on record was made by a process that was killed before it could say so.
            name = names.get(kept) or true_name(kept) or kept
            content = KeptContent(share._directory.open(kept))
            share._files[name] = File(share, content)
            share._files[name].restore(content, inodes.get(name, FileRecord()))
        share.keep_record()
        return share

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
            content: Content = MemoryContent()
            if self._directory is not None:
                content = KeptContent(self._directory.create(safe_name(name)))
            self._files[name] = File(self, content)
            self.keep_record()
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
        _check(name)
        data = check_text(text).encode()
        if -(-len(data) // BLOCK) * BLOCK > self.statistics().available:
            raise NoSpace
        inode = FileRecord(mode=self._files[name].mode) if name in self._files else FileRecord()
        if self._directory is None:
            self._forget(name)
            file = self._files[name] = File(self, MemoryContent())
            file.mode = inode.mode
            file.write(0, data)
            return
        with self._directory.replacing(safe_name(name)) as new:
            new.write(0, data)
        self._forget(name)
        content = KeptContent(self._directory.open(safe_name(name)))
        file = self._files[name] = File(self, content)
        file.restore(content, inode)
        self.keep_record()

    def chmod(self, name: str, mode: int) -> None:
        """Set the permission bits. NotFound."""
        self.visit("chmod", f"chmod {mode:o} {name}")
        self.file(name).mode = mode
        self.keep_record()

    def rename(self, old: str, new: str) -> None:
        """``rename(2)``: whatever bears the new name is replaced, without a word. NotFound."""
        self.visit("rename", f"rename {old} {new}")
        file = self.file(old)
        _check(new)
        if self._files.get(new) is not file:
            if self._directory is not None:
                # Whoever finds the file under its new name must know whose mode and blocks it has.
                self.keep_record(renaming=(old, new))
                self._directory.rename(safe_name(old), safe_name(new))
            self._forget(new)
            self._files[new] = self._files.pop(old)
            self.keep_record()

    def remove(self, name: str) -> None:
        """``rm -f``: an absent file is fine."""
        self.visit("rm", f"rm -f {name}")
        if name in self._files:
            if self._directory is not None:
                self._directory.remove(safe_name(name))
            self._forget(name)
            self.keep_record()

    def visit(self, command: str, line: str, *, cost_us: int = COMMAND_US) -> None:
        """Pass the point ``nfs.<command>``."""
        self.points.visit(f"nfs.{command}", line, cost_us=cost_us)

    # -------------------------------------------------------------------------------------------- accounts

    def account(self, blocks: int) -> None:
        """A file takes so many blocks more, or gives them back. NoSpace."""
        if blocks > 0 and (self._used_blocks + blocks) * BLOCK > self.capacity:
            raise NoSpace
        self._used_blocks += blocks

    def keep_record(self, *, renaming: tuple[str, str] | None = None) -> None:
        """Write down what is not in the files themselves."""
        if self._home is not None:
            files = {name: file.record() for name, file in self._files.items()}
            record = ShareRecord(export=self.export, capacity=self.capacity, files=files, renaming=renaming)
            self._home.replace(RECORD, msgspec.json.encode(record))

    def close(self) -> None:
        """Let go of the files. Closing twice is nothing."""
        for file in self._files.values():
            file.content.close()

    def _forget(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            file.linked = False
            self._used_blocks -= file.allocated // BLOCK


def _check(name: str) -> None:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise InvalidArgument(f"{name!r} is no name of a file")
    if len(check_text(name).encode()) > NAME_MAX:
        raise StorageError("File name too long", errno=errno.ENAMETOOLONG)
