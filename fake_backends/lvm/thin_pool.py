"""Thin pools: volumes of any virtual size that share blocks until one of them is written.

Blocks are 4 MiB here. Real pools use 64 KiB and more (up to the point where their metadata fits into
128 MiB), so a volume with scattered small writes uses more of a pool here than there.

A block is known by the volume's number for it and by an *epoch*. A snapshot copies the map of its origin,
and from then on both write under epochs of their own: a block of another epoch may be shared, so a write
to it takes a new block (dm-thin tells shared blocks by the time of the snapshot in the same way).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from fake_backends.block_store import CHUNK, EMPTY, Chunk, chunks_between
from fake_backends.lvm.extents import Area, Runs
from fake_backends.lvm.logical_volume import LogicalVolume
from harness.errors import InvalidArgument, NoSpace

METADATA_BYTES_PER_CHUNK = 64
THIN_CHUNK_MIN = 64 << 10
METADATA_MIN = 2 << 20
METADATA_MAX = 128 << 20


def metadata_extents(data_extents: int) -> int:
    """Extents that lvm2 gives to the metadata of a pool of that size."""
    size, thin_chunk = data_extents * CHUNK, THIN_CHUNK_MIN
    while size // thin_chunk * METADATA_BYTES_PER_CHUNK > METADATA_MAX:
        thin_chunk *= 2
    return -(-max(METADATA_MIN, size // thin_chunk * METADATA_BYTES_PER_CHUNK) // CHUNK)


class ThinPool:
    """Data and metadata extents, and the volumes that live in them."""

    def __init__(self, name: str, data: Area, metadata: Area) -> None:
        self.name = name
        self.data = data
        self.metadata = metadata
        self.volumes: list[ThinVolume] = []
        self._epochs = count(1)
        self._used = 0

    @property
    def size(self) -> int:
        """Bytes for data."""
        return self.data.count * CHUNK

    @property
    def data_used(self) -> int:
        """Bytes of blocks that any volume holds; shared ones count once."""
        return self._used * CHUNK

    @property
    def virtual_size(self) -> int:
        """The sum of the volumes' sizes, in bytes."""
        return sum(volume.size for volume in self.volumes)

    @property
    def free_blocks(self) -> int:
        """Blocks that no volume holds."""
        return self.data.count - self._used

    def next_epoch(self) -> int:
        """An epoch that no volume has written under."""
        return next(self._epochs)

    def add(self, volume: ThinVolume) -> None:
        """Take a new volume in. The blocks that it holds, if any, are its origin's."""
        self.volumes.append(volume)

    def remove(self, volume: ThinVolume) -> None:
        """Drop a volume; blocks that nobody else holds become free."""
        self.volumes.remove(volume)
        self.recount()

    def recount(self) -> None:
        """Count the blocks in use afresh."""
        runs = sorted((run.tag, run) for volume in self.volumes for run in volume.blocks)
        used, epoch, position = 0, 0, 0
        for _, run in runs:
            if run.tag != epoch:
                epoch, position = run.tag, 0
            used += max(0, run.last - max(run.first, position))
            position = max(position, run.last)
        self._used = used

    def take(self, blocks: int) -> None:
        """Use free blocks. NoSpace if there are not so many."""
        if blocks > self.free_blocks:
            raise self.full()
        self._used += blocks

    def full(self, *, written: int = 0) -> NoSpace:
        """What a write gets that finds no free block, after so many bytes went through."""
        return NoSpace(f"No space left on device: thin pool {self.name} is full", written=written)

    def give_back(self, number: int, epoch: int) -> None:
        """A volume has let go of a block: it becomes free if nobody else holds it."""
        if not any(volume.blocks.tag(number) == epoch for volume in self.volumes):
            self._used -= 1


class ThinVolume(LogicalVolume):
    """A volume in a pool. What was never written reads zero."""

    def __init__(self, name: str, extents: int, pool: ThinPool, origin: ThinVolume | None = None) -> None:
        super().__init__(name, extents)
        self.pool = pool
        self.origin: LogicalVolume | None = origin
        self.blocks: Runs = origin.blocks.copy() if origin else Runs()
        self._chunks: dict[int, Chunk] = dict(origin._chunks) if origin else {}
        self._epoch = pool.next_epoch()
        if origin:
            origin._epoch = pool.next_epoch()

    @property
    def data_used(self) -> int:
        """Bytes of the blocks that the volume holds, shared or not."""
        return sum(run.last - run.first for run in self.blocks) * CHUNK

    def load(self, number: int) -> Chunk:
        return self._chunks.get(number, EMPTY)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return chunks_between(self._chunks, first, last)

    def allocate(self, first: int, last: int) -> None:
        super().allocate(first, last)
        for start, end in self.blocks.gaps(first, last):
            fitting = min(end, start + self.pool.free_blocks)
            if fitting > start:
                self.pool.take(fitting - start)
                self.blocks.assign(start, fitting, self._epoch)
            if fitting < end:
                raise self.pool.full(written=(fitting - first) * CHUNK)

    def replace_with(self, snapshot: ThinVolume) -> None:
        """Become what the snapshot is, in content and size; the snapshot must be removed next."""
        if snapshot.pool is not self.pool:
            raise InvalidArgument(f"{snapshot.name} and {self.name} are in different thin pools")
        self.blocks = snapshot.blocks.copy()
        self._chunks = dict(snapshot._chunks)
        self._epoch = self.pool.next_epoch()
        self.resize(snapshot.size // CHUNK)

    def _put(self, number: int, chunk: Chunk) -> None:
        epoch = self.blocks.tag(number)
        if epoch != self._epoch:
            self.pool.take(1)
            self.blocks.assign(number, number + 1, self._epoch)
            if epoch is not None:
                self.pool.give_back(number, epoch)
        if chunk:
            self._chunks[number] = chunk
        else:
            self._chunks.pop(number, None)
