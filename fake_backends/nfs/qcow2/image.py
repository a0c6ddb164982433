"""The virtual disk in a qcow2 file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

from fake_backends.block_store import CHUNK, EMPTY, BlockDevice, Chunk, RegularFile
from fake_backends.nfs.qcow2.format import CLUSTER, CLUSTERS_PER_CHUNK, PAGES_PER_CLUSTER
from fake_backends.nfs.qcow2.tables import Tables
from harness.errors import InvalidArgument, NoSpace


class Qcow2Image(BlockDevice):
    """The virtual disk in `file`. `backing` is the open backing file, if the header names one.

    InvalidArgument if the file is no such image, or uses what is not known here.
    """

    def __init__(self, file: RegularFile, backing: BlockDevice | None = None) -> None:
        self.file = file
        self.backing = backing
        self.size = self._tables.size

    @property
    def _tables(self) -> Tables:
        if not isinstance(self.file.structure, Tables):
            self.file.structure = Tables(self.file)
        return self.file.structure

    @property
    def backing_name(self) -> str | None:
        """The name of the backing file, as the header has it."""
        return self._tables.backing[0]

    @property
    def backing_format(self) -> str | None:
        """The backing file's format, as the header has it."""
        return self._tables.backing[1]

    # ------------------------------------------------------------------------------------------ the disk

    def load(self, number: int) -> Chunk:
        hosts = self._tables.hosts(number * CLUSTERS_PER_CHUNK, CLUSTERS_PER_CHUNK)
        pages: dict[int, bytes] = {}
        if self.backing is not None:
            below = self.backing.load(number)
            pages = {index: page for index, page in below.items() if not hosts[index // PAGES_PER_CLUSTER]}
        places = dict(zip(hosts, range(CLUSTERS_PER_CHUNK), strict=True))
        places.pop(0, None)
        for held in sorted({host // CLUSTERS_PER_CHUNK for host in places}):
            for index, page in self.file.load(held).items():
                place = places.get(held * CLUSTERS_PER_CHUNK + index // PAGES_PER_CLUSTER)
                if place is not None:
                    pages[place * PAGES_PER_CLUSTER + index % PAGES_PER_CLUSTER] = page
        return pages or EMPTY

    def store(self, number: int, chunk: Chunk) -> None:
        if number * CHUNK >= self.size:
            raise NoSpace
        first = number * CLUSTERS_PER_CHUNK
        used = {index // PAGES_PER_CLUSTER for index in chunk}
        if self.backing is not None:
            used.update(index // PAGES_PER_CLUSTER for index in self.backing.load(number))
        hosts = self._tables.hosts(first, CLUSTERS_PER_CHUNK)
        self._put(number, chunk, [first + place for place, host in enumerate(hosts) if host or place in used])

    def _put(self, number: int, chunk: Chunk, guests: list[int]) -> None:
        """Write these clusters of a chunk, of which `chunk` is the content; of each run first the data."""
        if not guests:
            return
        tables = self._tables
        first = number * CLUSTERS_PER_CHUNK
        for host, run in _runs(tables.reserve(guests), guests):
            below, inside = divmod(host, CLUSTERS_PER_CHUNK)
            shift = (run[0] - first - inside) * PAGES_PER_CLUSTER
            low, count = inside * PAGES_PER_CLUSTER, len(run) * PAGES_PER_CLUSTER
            pages = {
                index - shift: page
                for index, page in chunk.items()
                if low + shift <= index < low + shift + count
            }
            self.file.replace(below, low, count, pages)
            self.file.structure = tables
            tables.link(run, host)

    def patch(self, number: int, start: int, data: bytes) -> None:
        tables = self._tables
        position = 0
        while position < len(data):
            guest, inside = divmod(number * CHUNK + start + position, CLUSTER)
            piece = data[position : position + CLUSTER - inside]
            if self.backing is not None and tables.hosts(guest, 1) == [0]:
                below = self.backing.read(guest * CLUSTER, CLUSTER).ljust(CLUSTER, b"\0")
                piece = below[:inside] + piece + below[inside + len(piece) :]
                inside = 0
            [host] = tables.reserve([guest])
            self.file.write(host * CLUSTER + inside, piece)
            self.file.structure = tables
            tables.link([guest], host)
            position = (guest + 1) * CLUSTER - number * CHUNK - start

    def occupied(self, first: int, last: int) -> Iterable[int]:
        tables = self._tables
        own = tables.own()
        numbers = set(self.backing.occupied(first, last)) if self.backing is not None else set()
        for below in self.file.occupied(0, self.file.chunk_count):
            for cluster in {
                below * CLUSTERS_PER_CHUNK + index // PAGES_PER_CLUSTER for index in self.file.load(below)
            } - own:
                guest = tables.guest(cluster)
                if guest >= 0:
                    numbers.add(guest // CLUSTERS_PER_CHUNK)
        return sorted(number for number in numbers if first <= number < last)

    # ----------------------------------------------------------------------------------------- the image

    def resize(self, size: int) -> None:
        """Grow the disk to `size` bytes; what is new reads zero (``qemu-img resize``)."""
        if size < self.size:
            raise InvalidArgument("Use the --shrink option to perform a shrink operation.")
        self._tables.grow(size)
        self.size = size

    def rebase(self, backing: str | None, backing_format: str | None) -> None:
        """Name another backing file, of the same content (``qemu-img rebase -u``)."""
        self._tables.name_backing(backing, backing_format)

    def clusters(self) -> Iterator[int]:
        """The clusters of the disk that the image itself holds, ascending."""
        return self._tables.guests()

    def commit(self) -> None:
        """Write what the image itself holds into its backing file, which grows if need be.

        The image stays as it is. InvalidArgument without a backing file.
        """
        below = self.backing
        if below is None:
            raise InvalidArgument("Image does not have a backing file")
        if below.size < self.size:
            if isinstance(below, Qcow2Image):
                below.resize(self.size)
            elif isinstance(below, RegularFile):
                below.truncate(self.size)
        for number in sorted({cluster * CLUSTER // CHUNK for cluster in self.clusters()}):
            below.store(number, self.load(number))

    def flatten(self) -> None:
        """Hold all that shows through the backing file; what reads zero takes no cluster of the file.

        QEMU marks such clusters in the table and writes no data either (`bdrv_co_do_copy_on_readv`). Once the
        image stands alone, as it may from now on, a mark says no more than no entry does.
        """
        for number in self.occupied(0, self.chunk_count):
            self.store(number, self.load(number))

    def take_over(self, clusters: Iterable[int]) -> None:
        """Hold these clusters of the disk itself, as they look through its backing file."""
        for number, guests in groupby(clusters, lambda guest: guest // CLUSTERS_PER_CHUNK):
            hosts = self._tables.hosts(number * CLUSTERS_PER_CHUNK, CLUSTERS_PER_CHUNK)
            missing = [guest for guest in guests if not hosts[guest % CLUSTERS_PER_CHUNK]]
            self._put(number, self.load(number), missing)


def _runs(hosts: list[int], guests: list[int]) -> Iterator[tuple[int, list[int]]]:
    """(first host, guests) for hosts in a row, within one chunk of the file, that hold guests in a row."""
    steps = zip(hosts, hosts[1:], guests, guests[1:], strict=False)
    ends = [
        end
        for end, (host, next_host, guest, next_guest) in enumerate(steps, 1)
        if next_host - host != 1 or next_guest - guest != 1 or not next_host % CLUSTERS_PER_CHUNK
    ]
    for start, end in pairwise([0, *ends, len(hosts)]):
        yield hosts[start], guests[start:end]
