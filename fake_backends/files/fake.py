"""Storage files in pyfakefs: a file system of one's own in memory. Nothing is patched, no disk is touched.

pyfakefs keeps whole files, knows no holes, and makes a file anew with each write. So a sparse file is a
directory there, with one small file for each *granule* of 1 MiB that holds something: how many of its pages
of 4 KiB are not zero, which (a byte each), and those pages. Time and memory follow the bytes written, so
sizes stay real here too, and nothing has to be scaled down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyfakefs.fake_file import FakeDirectory as PyfakefsDirectory
from pyfakefs.fake_file import FakeFile as PyfakefsFile
from pyfakefs.fake_filesystem import FakeFilesystem

from fake_backends.files.directory import TEMPORARY, Directory, SparseFile, check_name, not_found
from harness.errors import AlreadyExists

PAGE = 4096
GRANULE = 1 << 20
PAGES = GRANULE // PAGE
_COUNT = 2
"""Bytes of the number of pages."""
_ZERO_PAGE = bytes(PAGE)
_SIZE = ".size"
_ROOT = "/storage"


def fake_directory() -> Directory:
    """An empty directory in a new file system of its own."""
    filesystem = FakeFilesystem()
    return FakeDirectory(filesystem, filesystem.create_dir(_ROOT))


class FakeFile(SparseFile):
    """A sparse file, in the form that the module's docstring says."""

    def __init__(self, filesystem: FakeFilesystem, home: PyfakefsDirectory) -> None:
        self._filesystem = filesystem
        self._home = home

    @property
    def size(self) -> int:
        return int(_content(self._home, _SIZE) or b"0")

    @property
    def allocated(self) -> int:
        return sum(len(_content(self._home, name)) // PAGE * PAGE for name in self._granule_names())

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        pieces: list[bytes] = []
        position = offset
        while position < end:
            number, start = divmod(position, GRANULE)
            count = min(GRANULE - start, end - position)
            pages = self._load(number)
            first, last = start // PAGE, -(-(start + count) // PAGE)
            data = b"".join(pages.get(index, _ZERO_PAGE) for index in range(first, last))
            pieces.append(data[start - first * PAGE :][:count])
            position += count
        return b"".join(pieces)

    def write(self, offset: int, data: bytes) -> None:
        position = 0
        while position < len(data):
            number, start = divmod(offset + position, GRANULE)
            count = min(GRANULE - start, len(data) - position)
            self._patch(number, start, data[position : position + count])
            position += count
        if data and offset + len(data) > self.size:
            self._put(_SIZE, b"%d" % (offset + len(data)))

    def truncate(self, size: int) -> None:
        if size < self.size:
            self.punch(size, self.size)
        self._put(_SIZE, b"%d" % size)

    def data_ranges(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        start = end = 0
        for number in self._granules(first, last):
            for index in self._indexes(number):
                position = number * GRANULE + index * PAGE
                if position + PAGE <= first or position >= last:
                    continue
                if position != end:
                    if start < end:
                        yield max(first, start), end
                    start = position
                end = position + PAGE
        if start < end:
            yield max(first, start), min(last, end)

    def punch(self, first: int, last: int) -> None:
        for number in self._granules(first, last):
            low, high = max(0, first - number * GRANULE), min(GRANULE, last - number * GRANULE)
            if high - low == GRANULE:
                self._store(number, {})
            else:
                self._patch(number, low, bytes(high - low))

    def copy_from(self, source: SparseFile, first: int, last: int, at: int) -> None:
        if not isinstance(source, FakeFile) or first % GRANULE or last % GRANULE or at % GRANULE:
            super().copy_from(source, first, last, at)
            return
        # Granule for granule: their bytes are shared.
        self.punch(at, at + last - first)
        end = 0
        for number in source._granules(first, last):
            content = _content(source._home, _granule_name(number))
            target = number + (at - first) // GRANULE
            self._put(_granule_name(target), content)
            end = target * GRANULE + (self._indexes(target)[-1] + 1) * PAGE
        if end > self.size:
            self._put(_SIZE, b"%d" % end)

    def _granule_names(self) -> list[str]:
        return [name for name in self._home.entries if name != _SIZE]

    def _granules(self, first: int, last: int) -> list[int]:
        """Numbers of the granules in [first, last) that hold something, ascending."""
        low, high = first // GRANULE, -(-last // GRANULE)
        if high - low < len(self._home.entries):
            return [number for number in range(low, high) if _granule_name(number) in self._home.entries]
        numbers = (int(name, 16) for name in self._granule_names())
        return sorted(number for number in numbers if low <= number < high)

    def _indexes(self, number: int) -> bytes:
        """Numbers of the pages that are stored of a granule, ascending."""
        content = _content(self._home, _granule_name(number))
        return content[_COUNT : _COUNT + int.from_bytes(content[:_COUNT], "little")]

    def _load(self, number: int) -> dict[int, bytes]:
        indexes = self._indexes(number)
        content = _content(self._home, _granule_name(number))
        start = _COUNT + len(indexes)
        return {
            index: content[position : position + PAGE]
            for index, position in zip(indexes, range(start, len(content), PAGE), strict=True)
        }

    def _store(self, number: int, pages: dict[int, bytes]) -> None:
        name = _granule_name(number)
        if pages:
            indexes = sorted(pages)
            count = len(indexes).to_bytes(_COUNT, "little")
            self._put(name, b"".join([count, bytes(indexes), *(pages[index] for index in indexes)]))
        elif name in self._home.entries:
            self._home.remove_entry(name)

    def _patch(self, number: int, start: int, data: bytes) -> None:
        pages = self._load(number) if len(data) < GRANULE else {}
        position = 0
        while position < len(data):
            index, inside = divmod(start + position, PAGE)
            count = min(PAGE - inside, len(data) - position)
            page = data[position : position + count]
            if count < PAGE:
                old = pages.get(index, _ZERO_PAGE)
                page = old[:inside] + page + old[inside + count :]
            if page == _ZERO_PAGE:
                pages.pop(index, None)
            else:
                pages[index] = page
            position += count
        self._store(number, pages)

    def _put(self, name: str, content: bytes) -> None:
        _put(self._home, name, content)


def _granule_name(number: int) -> str:
    return f"{number:x}"


class FakeDirectory(Directory):
    """A directory in pyfakefs. Sparse files are directories there too, known by the file with their size."""

    def __init__(self, filesystem: FakeFilesystem, home: PyfakefsDirectory) -> None:
        # Its files know the file system only weakly.
        self._filesystem = filesystem
        self._home = home

    def __contains__(self, name: str) -> bool:
        return check_name(name) in self._home.entries

    def names(self) -> list[str]:
        return sorted(name for name in self._home.entries if not name.startswith("."))

    def read(self, name: str) -> bytes:
        if name not in self:
            raise not_found(name)
        return _content(self._home, name)

    def replace(self, name: str, content: bytes) -> None:
        _put(self._home, check_name(name), content)

    def open(self, name: str) -> SparseFile:
        entry = self._home.entries.get(check_name(name))
        if not isinstance(entry, PyfakefsDirectory):
            raise not_found(name)
        return FakeFile(self._filesystem, entry)

    def create(self, name: str) -> SparseFile:
        if name in self:
            self._home.remove_entry(name)
        file = FakeFile(self._filesystem, self._made(name))
        file.truncate(0)
        return file

    def rename(self, name: str, new_name: str) -> None:
        if name not in self:
            raise not_found(name)
        if new_name in self and new_name != name:
            self._home.remove_entry(new_name)
        entry: Any = self._home.entries.pop(name)
        entry.name = new_name
        self._home.entries[new_name] = entry

    def remove(self, name: str) -> None:
        if name not in self:
            raise not_found(name)
        self._home.remove_entry(name)

    def directory(self, name: str) -> Directory:
        entry = self._home.entries.get(check_name(name))
        if entry is None:
            entry = self._made(name)
        if not isinstance(entry, PyfakefsDirectory) or _SIZE in entry.entries:
            raise AlreadyExists(f"{name}: File exists")
        return FakeDirectory(self._filesystem, entry)

    def remove_directory(self, name: str) -> None:
        if name in self:
            self._home.remove_entry(name)

    def sweep(self) -> None:
        self.remove_directory(TEMPORARY)

    def _made(self, name: str) -> PyfakefsDirectory:
        made = PyfakefsDirectory(name, filesystem=self._filesystem)
        self._home.add_entry(made)
        return made


def _content(home: PyfakefsDirectory, name: str) -> bytes:
    """What is in a small file; nothing if there is none."""
    entry = home.entries.get(name)
    return (entry.byte_contents if entry is not None else None) or b""


def _put(home: PyfakefsDirectory, name: str, content: bytes) -> None:
    entry = home.entries.get(name)
    if entry is None:
        entry = PyfakefsFile(name, filesystem=home.filesystem)
        home.add_entry(entry)
    entry.set_contents(content)
