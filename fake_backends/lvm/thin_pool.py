"""Thin pools: volumes of any virtual size that share blocks until one of them is written.

A block has the size that lvm2 chooses for the pool: 64 KiB, or more where the metadata would become too large.
A block is known by the volume's number for it and by an *epoch*. A snapshot copies the map of its origin,
and from then on both write under epochs of their own: a block of another epoch may be shared, so a write
to it takes a new block (dm-thin tells shared blocks by the time of the snapshot in the same way).

The metadata is reckoned as the kernel lays it out: a B-tree of blocks per volume, whose nodes snapshots share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from fake_backends.block_store import CHUNK, EMPTY, PAGE, PAGES_PER_CHUNK, Chunk, chunks_between
from fake_backends.lvm.copy_store import ALL_PAGES
from fake_backends.lvm.extents import Area, Run, Runs
from fake_backends.lvm.logical_volume import LogicalVolume
from harness.errors import InvalidArgument, NoSpace

METADATA_BYTES_PER_BLOCK = 64
BLOCK_MIN = 64 << 10
METADATA_MIN = 2 << 20
METADATA_MAX = 128 << 20

TREE_FANOUT = 252
"""Entries of a full node of dm-thin's B-trees."""
BITMAP_ENTRIES = 16288
"""Blocks whose use one page of a space map records."""
FIXED_PAGES = 7
"""Pages of an empty pool's metadata: superblock, roots of the trees and of the space maps."""
RESERVED_PAGES_MAX = 4096
"""The kernel keeps a tenth of the metadata to itself, at most this, and counts it as used."""


def block_size(data_size: int) -> int:
    """Bytes of a block in a pool of so many bytes: the metadata must not need more than 128 MiB."""
    size = BLOCK_MIN
    while data_size // size * METADATA_BYTES_PER_BLOCK > METADATA_MAX:
        size *= 2
    return size


def metadata_size(data_size: int) -> int:
    """Bytes that lvm2 wants for the metadata of a pool of so many bytes; not rounded to extents."""
    return max(METADATA_MIN, data_size // block_size(data_size) * METADATA_BYTES_PER_BLOCK)


class ThinPool:
    """Data and metadata extents, and the volumes that live in them."""

    def __init__(self, name: str, data: Area, metadata: Area, uuid: str = "") -> None:
        self.name = name
        self.uuid = uuid
        self.data = data
        self.metadata = metadata
        self.active = True
        self.layered = False
        """Whether volumes are mapped through a device of their own (``-tpool``) under the pool's."""
        self.refused_writes = False
        """Whether the pool has been too small for a write; it is in trouble as long as it is full."""
        self.tags: list[str] = []
        self.volumes: list[ThinVolume] = []
        self.block_size = block_size(self.size)
        self._epochs = count(1)
        self._used = 0

    @property
    def size(self) -> int:
        """Bytes for data."""
        return self.data.count * CHUNK

    @property
    def running(self) -> bool:
        """Whether the kernel has the pool: it or any of its volumes is active."""
        return self.active or any(volume.active for volume in self.volumes)

    def activate(self) -> None:
        """Make the pool's own device appear."""
        if not self.running:
            self.layered = bool(self.volumes)
        self.active = True

    @property
    def data_used(self) -> int:
        """Bytes of blocks that any volume holds; shared ones count once."""
        return self._used * self.block_size

    @property
    def metadata_used(self) -> int:
        """Bytes of the metadata in use, with what the kernel reserves."""
        pages = self.metadata.count * PAGES_PER_CHUNK
        reserved = min(RESERVED_PAGES_MAX, pages // 10)
        bitmaps = -(-self.blocks_total // BITMAP_ENTRIES) - (-pages // BITMAP_ENTRIES)
        return min(pages, reserved + FIXED_PAGES + bitmaps + self._tree_pages()) * PAGE

    @property
    def virtual_size(self) -> int:
        """The sum of the volumes' sizes, in bytes."""
        return sum(volume.size for volume in self.volumes)

    @property
    def free_blocks(self) -> int:
        """Blocks that no volume holds."""
        return self.blocks_total - self._used

    @property
    def blocks_total(self) -> int:
        """Blocks for data, held or free."""
        return self.size // self.block_size

    def next_epoch(self) -> int:
        """An epoch that no volume has written under."""
        return next(self._epochs)

    def new_volume(
        self, name: str, extents: int, origin: ThinVolume | None = None, uuid: str = ""
    ) -> ThinVolume:
        """A new volume of the pool. The blocks that it holds, if any, are its origin's."""
        volume = ThinVolume(name, extents, self, origin, uuid)
        self.volumes.append(volume)
        self.layered = True
        return volume

    def remove(self, volume: ThinVolume) -> None:
        """Drop a volume; blocks that nobody else holds become free."""
        self.volumes.remove(volume)
        self.recount()

    def recount(self) -> None:
        """Count the blocks in use afresh."""
        self._used = sum(number for _, number in _distinct(self.volumes))

    def take(self, blocks: int) -> None:
        """Use free blocks. NoSpace if there are not so many."""
        if blocks > self.free_blocks:
            raise self.full()
        self._used += blocks

    def full(self, *, written: int = 0) -> NoSpace:
        """What a write gets that finds no free block, after so many bytes went through."""
        self.refused_writes = True
        return NoSpace(f"No space left on device: thin pool {self.name} is full", written=written)

    def give_back(self, run: Run) -> None:
        """A volume has let go of blocks: those become free that nobody else holds."""
        held = Runs()
        for volume in self.volumes:
            for other in volume.blocks.between(run.first, run.last):
                if other.tag == run.tag:
                    held.assign(other.first, other.last, 1)
        for first, last in held.gaps(run.first, run.last):
            self._used -= last - first
            self._freed(Run(first, last, run.tag))

    def _freed(self, run: Run) -> None:
        """Nobody holds these blocks any more."""

    def _tree_pages(self) -> int:
        """Nodes of all volumes' trees: the leaves of each epoch, and what leads each tree to them."""
        trees = {volume.tree: volume for volume in self.volumes}.values()
        large = [volume for volume in trees if volume.block_count > TREE_FANOUT]
        leaves = sum(-(-number // TREE_FANOUT) for _, number in _distinct(large))
        return leaves + sum(_inner_nodes(volume.block_count) for volume in large) + len(trees) - len(large)


def _inner_nodes(entries: int) -> int:
    """Nodes above the leaves of a full tree."""
    nodes, level = 0, -(-entries // TREE_FANOUT)
    while level > 1:
        level = -(-level // TREE_FANOUT)
        nodes += level
    return nodes


def _distinct(volumes: Iterable[ThinVolume]) -> Iterator[tuple[int, int]]:
    """Epochs, and how many blocks of each the volumes hold; shared ones count once. An epoch may come twice."""
    runs = sorted((run.tag, run) for volume in volumes for run in volume.blocks)
    epoch, position, number = 0, 0, 0
    for _, run in runs:
        if run.tag != epoch:
            yield epoch, number
            epoch, position, number = run.tag, 0, 0
        number += max(0, run.last - max(run.first, position))
        position = max(position, run.last)
    yield epoch, number


class ThinVolume(LogicalVolume):
    """A volume in a pool. What was never written reads zero."""

    def __init__(
        self, name: str, extents: int, pool: ThinPool, origin: ThinVolume | None = None, uuid: str = ""
    ) -> None:
        super().__init__(name, extents, uuid)
        self.pool = pool
        self.origin: LogicalVolume | None = origin
        self.blocks: Runs = origin.blocks.copy() if origin else Runs()
        self._chunks: dict[int, Chunk] = dict(origin._chunks) if origin else {}
        self._epoch = pool.next_epoch()
        self.tree: int = origin.tree if origin else self._epoch
        """Two volumes with the same tree have the same map, and share all of it."""
        if origin:
            origin._epoch = pool.next_epoch()

    @property
    def epoch(self) -> int:
        """What the volume writes under now."""
        return self._epoch

    @property
    def block_count(self) -> int:
        """Blocks that the volume holds, shared or not."""
        return sum(run.last - run.first for run in self.blocks)

    @property
    def data_used(self) -> int:
        """Bytes of the blocks that the volume holds, shared or not."""
        return self.block_count * self.pool.block_size

    def load(self, number: int) -> Chunk:
        return self._chunks.get(number, EMPTY)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return chunks_between(self._chunks, first, last)

    def allocate(self, first: int, last: int) -> None:
        super().allocate(first, last)
        block = self.pool.block_size
        for start, end in self.blocks.gaps(first * CHUNK // block, -(-last * CHUNK // block)):
            fitting = self._claim(start, end)
            if fitting < end:
                raise self.pool.full(written=fitting * block - first * CHUNK)

    def replace_with(self, snapshot: ThinVolume) -> None:
        """Become what the snapshot is, in content and size; the snapshot must be removed next."""
        if snapshot.pool is not self.pool:
            raise InvalidArgument(f"{snapshot.name} and {self.name} are in different thin pools")
        self._epoch = self._epoch_in_place_of(snapshot)
        self.blocks = snapshot.blocks.copy()
        self._chunks = dict(snapshot._chunks)
        self.tree = snapshot.tree
        self.resize(snapshot.size // CHUNK)

    def _epoch_in_place_of(self, snapshot: ThinVolume) -> int:
        """What the volume writes under once it is what the snapshot is. Nothing has changed yet."""
        return self.pool.next_epoch()

    def _put(self, number: int, chunk: Chunk, mask: int) -> None:
        base, block = number * CHUNK, self.pool.block_size
        for first_page, last_page in page_ranges(mask):
            start = (base + first_page * PAGE) // block
            end = -(-(base + last_page * PAGE) // block)
            fitting = self._claim(start, end)
            if fitting < end:
                written = max(0, fitting * block - base)
                done = ((1 << min(PAGES_PER_CHUNK, written // PAGE)) - 1) & mask
                self._keep(number, chunk, done)
                raise self.pool.full(written=max(0, written - first_page * PAGE))
        self._keep(number, chunk, mask)

    def _keep(self, number: int, chunk: Chunk, mask: int) -> None:
        """Store those pages of `chunk` that the mask names."""
        if mask != ALL_PAGES:
            old = self._chunks.get(number, EMPTY)
            chunk = {index: page for index, page in old.items() if not mask >> index & 1} | {
                index: page for index, page in chunk.items() if mask >> index & 1
            }
        if chunk:
            self._chunks[number] = chunk
        else:
            self._chunks.pop(number, None)

    def _claim(self, first: int, last: int) -> int:
        """Take blocks first <= n < last, as far as the pool reaches; the end of those that are own now."""
        pieces = [run for run in self.blocks.between(first, last) if run.tag != self._epoch]
        pieces += [Run(start, end, 0) for start, end in self.blocks.gaps(first, last)]
        for piece in sorted(pieces):
            fitting = min(piece.last, piece.first + self.pool.free_blocks)
            if fitting > piece.first:
                self.pool.take(fitting - piece.first)
                self._provide(Run(piece.first, fitting, piece.tag))
                self.blocks.assign(piece.first, fitting, self._epoch)
                self.tree = self._epoch
                if piece.tag:
                    self.pool.give_back(Run(piece.first, fitting, piece.tag))
            if fitting < piece.last:
                return fitting
        return last

    def _provide(self, piece: Run) -> None:
        """Get blocks of the volume's own, which show what those of the piece's epoch show (zeros for 0)."""


def page_ranges(mask: int) -> Iterator[tuple[int, int]]:
    """The runs of set bits in a mask, as first and last (exclusive) position."""
    position = 0
    while mask:
        skip = (mask & -mask).bit_length() - 1
        mask >>= skip
        length = ((mask + 1) & -(mask + 1)).bit_length() - 1
        yield position + skip, position + skip + length
        mask >>= length
        position += skip + length
