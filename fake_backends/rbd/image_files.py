"""An image in a directory: its record, and one sparse file for each version of each object.

    <image id>/image.json       what `fake_backends.rbd.records` says
    <image id>/<n>.<g>          object n (hexadecimal) as it was first written under generation g

A version that only one layer holds is written in place. One that a snapshot holds too, or that belongs to
the parent, is first copied: to a file without a name, which then gets the name of the new version.

A change of the image is one replacement of the record. Objects that belong to the change are written under a
generation of their own before it, and files that nobody holds any more are removed after it. Each record
begins a new generation, for the writes that follow it: so a file belongs to the image if the record lists
it, or if it is of the record's generation. Any other was left by a process that was killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from fake_backends.block_store import CHUNK, Chunk
from fake_backends.files.chunks import FileChunk, write_chunk
from fake_backends.files.directory import Directory
from fake_backends.rbd.objects import Objects
from fake_backends.rbd.records import IMAGE_RECORD, ImageRecord, record_of

if TYPE_CHECKING:
    from fake_backends.rbd.image import Image


class Version(NamedTuple):
    """An object of an image as one file has it."""

    files: ImageFiles
    number: int
    generation: int

    @property
    def name(self) -> str:
        """The file's."""
        return f"{self.number:x}.{self.generation:x}"


class ImageFiles:
    """The files of one image. `generation` is that of writes, since the record was last saved."""

    def __init__(self, pool: Directory, image_id: str) -> None:
        self.pool = pool
        self.image_id = image_id
        self.directory = pool.directory(image_id)
        self.generation = self._newest = 1
        self._holders: Counter[Version] = Counter()
        self._unheld: dict[Version, None] = {}
        self._adopted: dict[Version, Version] = {}
        self._lent: WeakValueDictionary[Version, FileChunk] = WeakValueDictionary()

    # ----------------------------------------------------------------------------------------- the record

    def objects(self) -> ObjectFiles:
        """Objects for a layer of the image, none yet."""
        return ObjectFiles(self)

    def save(self, image: Image) -> None:
        """Replace the record; then remove the files that nobody holds any more."""
        self._newest += 1
        self.directory.replace(IMAGE_RECORD, msgspec.json.encode(record_of(image, self._newest)))
        self.generation = self._newest
        for version in self._unheld:
            self._settle(version)
            self.directory.remove(version.name)
        self._unheld.clear()
        self._adopted.clear()

    def remove(self) -> None:
        """Remove the image's directory. What somebody has of its chunks stays readable."""
        for version in list(self._lent):
            self._settle(version)
        self.pool.remove_directory(self.image_id)

    def restore(self, record: ImageRecord) -> list[int]:
        """Take up what the record says; the numbers of objects that were written after it, ascending.

        Files that the record does not know of are removed.
        """
        self.directory.sweep()
        self.generation = self._newest = record.generation
        listed = {Version(self, *pair) for layer in record.layers() for pair in layer.own_versions()}
        written: list[int] = []
        for name in self.directory.names():
            version = self._version_of(name)
            if version is None or version in listed:
                continue
            if version.generation == record.generation:
                written.append(version.number)
            else:
                self.directory.remove(name)
        return sorted(written)

    def _version_of(self, name: str) -> Version | None:
        number, _, generation = name.partition(".")
        try:
            return Version(self, int(number, 16), int(generation, 16))
        except ValueError:
            return None

    # ---------------------------------------------------------------------------------------- the objects

    def lend(self, version: Version) -> FileChunk:
        """The content of a version, for a reader: it stays as it is when the file is written to."""
        chunk = self._lent.get(version)
        if chunk is None:
            chunk = self._lent[version] = FileChunk(lambda: self.directory.open(version.name), 0)
        return chunk

    def is_shared(self, version: Version) -> bool:
        """True if more than one layer of the image holds it."""
        return self._holders[version] > 1

    def write(self, version: Version, start: int, data: bytes) -> None:
        """Write inside a file that only one layer holds."""
        self._settle(version)
        with self.directory.open(version.name) as file:
            file.write(start, data)

    def store(self, version: Version, chunk: Chunk) -> None:
        """Write all of a file that only one layer holds."""
        self._settle(version)
        with self.directory.open(version.name) as file:
            write_chunk(file, 0, chunk)

    def create(self, number: int, chunk: Chunk, start: int = 0, data: bytes = b"") -> Version:
        """A version that holds a chunk with `data` written over it, in force at once."""
        return self._made(Version(self, number, self.generation), chunk, start, data)

    def stage(self, number: int, chunk: Chunk) -> Version:
        """A version that comes into force with the next record."""
        self._newest += 1
        return self._made(Version(self, number, self._newest), chunk)

    def adopted(self, version: Version) -> Version:
        """A copy of an ancestor's version, one for all layers that hold it, in force with the next record."""
        if version not in self._adopted:
            self._adopted[version] = self.stage(version.number, version.files.lend(version))
        return self._adopted[version]

    def _made(self, version: Version, chunk: Chunk, start: int = 0, data: bytes = b"") -> Version:
        self._settle(version)
        with self.directory.replacing(version.name) as file:
            file.truncate(CHUNK)
            write_chunk(file, 0, chunk, over_hole=True)
            if data:
                file.write(start, data)
        return version

    def hold(self, versions: Iterable[Version]) -> None:
        """A layer holds these from now on. Those of other images do not count: a snapshot there keeps them."""
        for version in versions:
            if version.files is self:
                self._holders[version] += 1
                self._unheld.pop(version, None)

    def release(self, versions: Iterable[Version]) -> None:
        """A layer holds these no more; the last one to let go leaves the file to the next `save`."""
        for version in versions:
            if version.files is self:
                self._holders[version] -= 1
                if not self._holders[version]:
                    del self._holders[version]
                    self._unheld[version] = None

    def _settle(self, version: Version) -> None:
        lent = self._lent.pop(version, None)
        if lent is not None:
            lent.settle()


class ObjectFiles(Objects):
    """The objects of a layer, each a version of this image or of an ancestor.

    `trimmed` are those of the parent of which less is seen than they hold, because the image was smaller
    once: their content is in memory, and can be found again from the parent and the overlap.
    """

    def __init__(self, files: ImageFiles) -> None:
        self.files = files
        self.versions: dict[int, Version] = {}
        self.trimmed: dict[int, Chunk] = {}

    def __getitem__(self, number: int) -> Chunk:
        if number in self.trimmed:
            return self.trimmed[number]
        version = self.versions[number]
        return version.files.lend(version)

    def __contains__(self, number: object) -> bool:
        return number in self.versions

    def __iter__(self) -> Iterator[int]:
        return iter(self.versions)

    def __len__(self) -> int:
        return len(self.versions)

    def put(self, number: int, chunk: Chunk) -> None:
        version = self._exclusive(number)
        if version is not None:
            self.files.store(version, chunk)
        else:
            self.hold(number, self.files.create(number, chunk))

    def patch(self, number: int, start: int, data: bytes) -> None:
        version = self._exclusive(number)
        if version is not None:
            self.files.write(version, start, data)
        else:
            self.hold(number, self.files.create(number, self.get(number, {}), start, data))

    def twin(self) -> ObjectFiles:
        return ObjectFiles(self.files)

    def share(self, other: Mapping[int, Chunk]) -> None:
        assert isinstance(other, ObjectFiles)
        self.files.hold(other.versions.values())
        self.clear()
        self.versions.update(other.versions)
        self.trimmed.update(other.trimmed)

    def adopt(self) -> None:
        for number, version in list(self.versions.items()):
            if number in self.trimmed:
                self.hold(number, self.files.stage(number, self.trimmed[number]))
            elif version.files is not self.files:
                self.hold(number, self.files.adopted(version))

    def __setitem__(self, number: int, chunk: Chunk) -> None:
        version = self.versions.get(number)
        if version is not None and version.files is not self.files:
            self.trimmed[number] = chunk
        else:
            self.hold(number, self.files.stage(number, chunk))

    def __delitem__(self, number: int) -> None:
        self.files.release([self.versions.pop(number)])
        self.trimmed.pop(number, None)

    def clear(self) -> None:
        self.files.release(self.versions.values())
        self.versions.clear()
        self.trimmed.clear()

    def hold(self, number: int, version: Version) -> None:
        """Let a version be the content of an object."""
        self.files.hold([version])
        old = self.versions.get(number)
        if old is not None:
            self.files.release([old])
        self.versions[number] = version
        self.trimmed.pop(number, None)

    def own_versions(self) -> dict[int, int]:
        """The generation of each object that has a file of this image."""
        return {
            number: version.generation
            for number, version in self.versions.items()
            if version.files is self.files
        }

    def _exclusive(self, number: int) -> Version | None:
        """The object's version, if it can be written in place."""
        version = self.versions.get(number)
        if version is None or version.files is not self.files or self.files.is_shared(version):
            return None
        return version
