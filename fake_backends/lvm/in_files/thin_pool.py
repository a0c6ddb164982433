"""Thin pools in files: blocks in the extents of the pool, and a journal in those of its metadata.

A volume's map says under which epoch it holds a block (`fake_backends.lvm.thin_pool`). Here a block of an
epoch also has a place in the pool, kept as the *shift* between the two numbers: the same for blocks in a row.

A new block is made ready (zeroed, or filled with what it replaces) before the journal says that a volume has
it, and written after that. A volume that is removed stays in the journal until the text metadata is without
it, and a new one is there before the text: whoever reopens the group takes what the text names.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count

import msgspec

from fake_backends.block_store import CHUNK, PAGE, Chunk
from fake_backends.files.chunks import FileChunk
from fake_backends.lvm.extents import Area, Run, Runs
from fake_backends.lvm.in_files.disk import AreaBytes
from fake_backends.lvm.in_files.thin_records import (
    Claimed,
    Created,
    Deleted,
    Device,
    DeviceMap,
    Devices,
    NewEpoch,
    Record,
)
from fake_backends.lvm.on_disk.thin_journal import ThinJournal
from fake_backends.lvm.thin_pool import ThinPool, ThinVolume, page_ranges
from harness.errors import Unreadable

_encode = msgspec.msgpack.encode


class FileThinPool(ThinPool):
    """A pool whose devices have numbers, as in dm-thin. `transaction_id` counts how often they changed."""

    def __init__(self, name: str, data: Area, metadata: Area, uuid: str = "") -> None:
        super().__init__(name, data, metadata, uuid)
        self.transaction_id = 0
        self.bytes = AreaBytes(data)
        self.places: dict[int, Runs] = {}
        self._journal = ThinJournal(AreaBytes(metadata), metadata.count * CHUNK)
        self._devices = count(1)
        self._doomed: list[FileThinVolume] = []
        self._free = Runs()
        self._blocks_known = 0

    def format(self) -> None:
        """Make the pool empty, whatever its extents hold."""
        self._journal.checkpoint(_encode([]))

    def load(self) -> dict[int, Device]:
        """The devices that the journal knows, by number. Unreadable."""
        try:
            checkpoint, records = self._journal.load()
            found = Devices(msgspec.msgpack.decode(checkpoint, type=list[DeviceMap]))
            for record in records:
                found.apply(msgspec.msgpack.decode(record, type=Record))
        except (Unreadable, msgspec.DecodeError, KeyError) as error:
            raise Unreadable(
                f"has the thin pool {self.name}, whose metadata cannot be read: {error}"
            ) from error
        self.places = found.places
        self._epochs = count(found.epoch_max + 1)
        self._devices = count(max(found.devices, default=0) + 1)
        return found.devices

    def new_volume(
        self, name: str, extents: int, origin: ThinVolume | None = None, uuid: str = ""
    ) -> FileThinVolume:
        volume = FileThinVolume(name, extents, self, origin, uuid)
        volume.device_id = next(self._devices)
        volume.transaction_id = self.transaction_id
        parent = origin if isinstance(origin, FileThinVolume) else None
        self.log(
            Created(
                device=volume.device_id,
                epoch=volume.epoch,
                origin=parent.device_id if parent else None,
                origin_epoch=parent.epoch if parent else 0,
            )
        )
        self.take_in(volume)
        self.transaction_id += 1
        return volume

    def take_in(self, volume: ThinVolume) -> None:
        """A volume that is new, or was found, belongs to the pool."""
        self.volumes.append(volume)
        self.layered = True

    def remove(self, volume: ThinVolume) -> None:
        super().remove(volume)
        assert isinstance(volume, FileThinVolume)
        self._doomed.append(volume)
        self.transaction_id += 1

    def settle(self) -> None:
        """The text metadata is without the volumes that were removed: now their blocks are free."""
        if self._doomed:
            while self._doomed:
                self.log(Deleted(device=self._doomed[-1].device_id))
                self._doomed.pop()
            self.collect()

    def collect(self) -> None:
        """Find out afresh which blocks are free, and how many are used."""
        held: dict[int, Runs] = {}
        self._free = Runs()
        self._blocks_known = 0
        self._grow()
        for volume in self.volumes:
            for run in volume.blocks:
                for place in self.places[run.tag].between(run.first, run.last):
                    held.setdefault(run.tag, Runs()).assign(*place)
                    self._free.assign(place.first + place.tag, place.last + place.tag, None)
        self.places = held
        self.recount()

    def take_places(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Free places for blocks first <= n < last, which were accounted for: first, last and shift."""
        self._grow()
        while first < last:
            run = next(iter(self._free))
            end = min(last, first + run.last - run.first)
            self._free.assign(run.first, run.first + end - first, None)
            yield first, end, run.first - first
            first = end

    def place_of(self, epoch: int, first: int, last: int) -> Iterator[Run]:
        """Where blocks of an epoch are; the tags are shifts."""
        return self.places[epoch].between(first, last)

    def log(self, record: Record) -> None:
        """Keep a change. NoSpace if the metadata is full."""
        raw = _encode(record)
        if not self._journal.append(raw):
            volumes = chain(self.volumes, self._doomed)
            maps = [volume.device_map() for volume in volumes if isinstance(volume, FileThinVolume)]
            self._journal.checkpoint(_encode(maps))
            self._journal.append(raw)

    def _freed(self, run: Run) -> None:
        places = self.places[run.tag]
        for place in list(places.between(run.first, run.last)):
            self._free.assign(place.first + place.tag, place.last + place.tag, 0)
            places.assign(place.first, place.last, None)

    def _grow(self) -> None:
        """Blocks that the pool has and did not have before are free."""
        if self._blocks_known < self.blocks_total:
            self._free.assign(self._blocks_known, self.blocks_total, 0)
            self._blocks_known = self.blocks_total


class FileThinVolume(ThinVolume):
    """A device of a pool in files."""

    pool: FileThinPool

    def __init__(
        self,
        name: str,
        extents: int,
        pool: FileThinPool,
        origin: ThinVolume | None = None,
        uuid: str = "",
    ) -> None:
        super().__init__(name, extents, pool, origin, uuid)
        self.device_id = 0
        self.transaction_id = 0

    def take_over(self, blocks: Runs, epoch: int, tree: int) -> None:
        """Hold these blocks, and write under that epoch."""
        self.blocks, self._epoch, self.tree = blocks, epoch, tree

    def device_map(self) -> DeviceMap:
        """What the pool's metadata says of the device."""
        runs = [
            (place.first, place.last, run.tag, place.tag)
            for run in self.blocks
            for place in self.pool.place_of(run.tag, run.first, run.last)
        ]
        return DeviceMap(self.device_id, self.epoch, self.tree, runs)

    def load(self, number: int) -> Chunk:
        base = number * CHUNK
        places = list(self._places(base, base + CHUNK))
        if len(places) == 1 and places[0][:2] == (base, base + CHUNK):
            chunk = self.pool.bytes.chunk(places[0][2])
            if chunk is not None:
                return chunk
        return {
            (low + offset - place - base) // PAGE: page
            for low, high, place in places
            for offset, page in self.pool.bytes.pages(place, place + high - low)
        }

    def occupied(self, first: int, last: int) -> list[int]:
        numbers: set[int] = set()
        for low, high, place in self._places(first * CHUNK, last * CHUNK):
            for start, end in self.pool.bytes.data_ranges(place, place + high - low):
                numbers.update(range((low + start - place) // CHUNK, -(-(low + end - place) // CHUNK)))
        return sorted(numbers)

    def replace_with(self, snapshot: ThinVolume) -> None:
        """The two change their numbers, so that the text metadata alone decides which is which."""
        assert isinstance(snapshot, FileThinVolume)
        super().replace_with(snapshot)
        self.device_id, snapshot.device_id = snapshot.device_id, self.device_id

    def _epoch_in_place_of(self, snapshot: ThinVolume) -> int:
        assert isinstance(snapshot, FileThinVolume)
        epoch = super()._epoch_in_place_of(snapshot)
        self.pool.log(NewEpoch(device=snapshot.device_id, epoch=epoch))
        return epoch

    def _provide(self, piece: Run) -> None:
        medium, block = self.pool.bytes, self.pool.block_size
        places = self.pool.places.setdefault(self._epoch, Runs())
        for first, last, shift in self.pool.take_places(piece.first, piece.last):
            at = (first + shift) * block
            medium.clear(at, at + (last - first) * block)
            if piece.tag:
                for low, high, place in self._places(first * block, last * block):
                    for offset, page in medium.pages(place, place + high - low):
                        medium.write(low + offset - place + shift * block, page)
            self.pool.log(
                Claimed(device=self.device_id, first=first, last=last, epoch=self._epoch, shift=shift)
            )
            places.assign(first, last, shift)
            self.blocks.assign(first, last, self._epoch)

    def _keep(self, number: int, chunk: Chunk, mask: int) -> None:
        medium, base = self.pool.bytes, number * CHUNK
        for first_page, last_page in page_ranges(mask):
            for low, high, place in self._places(base + first_page * PAGE, base + last_page * PAGE):
                if isinstance(chunk, FileChunk) and medium.copied(place, chunk, low - base, high - base):
                    continue
                pages = range((low - base) // PAGE, (high - base) // PAGE)
                _write_pages(medium, place, [chunk.get(index) for index in pages])

    def _places(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """The parts of a range of bytes that have blocks: first, last, and the byte of the pool where it is."""
        block = self.pool.block_size
        for run in self.blocks.between(first // block, -(-last // block)):
            for place in self.pool.place_of(run.tag, run.first, run.last):
                low, high = max(first, place.first * block), min(last, place.last * block)
                yield low, high, low + place.tag * block


def _write_pages(medium: AreaBytes, at: int, pages: list[bytes | None]) -> None:
    """Write pages in a row from byte `at` on; those that are None read zero afterwards."""
    start = 0
    for end in range(1, len(pages) + 1):
        if end == len(pages) or (pages[end] is None) != (pages[start] is None):
            content = [page for page in pages[start:end] if page is not None]
            if content:
                medium.write(at + start * PAGE, b"".join(content))
            else:
                medium.clear(at + start * PAGE, at + end * PAGE)
            start = end
