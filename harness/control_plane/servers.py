"""Servers and their disks: what a guest reads and writes, and the block job that moves a disk away."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK, BlockDevice, copy_range
from fake_backends.connectors import Connection
from harness.control_plane.copying import COPY_BYTES_PER_SECOND, SLICES
from harness.errors import InvalidArgument, VolumeRebaseFailed
from harness.sim.ledger import Ledger
from harness.sim.points import Points

ZERO_PAGE = bytes(PAGE)
SWAPPABLE_STATES = ("ACTIVE", "PAUSED", "RESIZED")


class Disk:
    """A volume attached to a server. `device` is what the guest sees: decrypted, if it is encrypted."""

    def __init__(
        self, volume_id: str, attachment_id: str, connection: Connection, device: BlockDevice, mode: str
    ) -> None:
        self.volume_id = volume_id
        self.attachment_id = attachment_id
        self.connection = connection
        self.device = device
        self.mode = mode
        self.ledger: Ledger | None = None
        self._dirty: set[int] | None = None

    def write(self, page: int, data: bytes) -> None:
        """Write one page as the guest does; when this returns, the guest has its acknowledgement."""
        if self.mode != "rw":
            raise InvalidArgument("the disk is read-only")
        self.device.write(page * PAGE, data)
        if self._dirty is not None:
            self._dirty.add(page // PAGES_PER_CHUNK)
        if self.ledger is not None:
            self.ledger.acknowledge(page, data)

    def write_pages(self, pages: Mapping[int, bytes]) -> None:
        """Write many pages, chunk by chunk, as an owner does who fills a volume."""
        by_chunk: dict[int, dict[int, bytes]] = {}
        for page, data in pages.items():
            number, index = divmod(page, PAGES_PER_CHUNK)
            by_chunk.setdefault(number, {})[index] = data
        for number, chunk in by_chunk.items():
            merged = {**self.device.load(number), **chunk}
            self.device.store(number, {index: data for index, data in merged.items() if data != ZERO_PAGE})
        if self.ledger is not None:
            self.ledger.pages.update(pages)

    def mirror_to(self, connection: Connection, device: BlockDevice, points: Points) -> None:
        """QEMU's mirror job and pivot: bulk copy, then what the guest dirtied, until both are alike.

        Until the pivot the source has every write; the pivot drains and flips in one step. Source:
        libvirt's virDomainBlockCopy with REUSE_EXT, QEMU's ``blockdev-mirror``.
        """
        source = self.device
        if device.size != source.size:
            raise VolumeRebaseFailed(
                reason=f"Source and target image have different sizes ({source.size} and {device.size} bytes)"
            )
        self._dirty = set()
        try:
            chunks = source.chunk_count
            slice_us = source.size * 1_000_000 // COPY_BYTES_PER_SECOND // SLICES
            for part in range(SLICES):
                first, last = chunks * part // SLICES, chunks * (part + 1) // SLICES
                points.visit("nova.block_copy", f"{part * 100 // SLICES} %", cost_us=slice_us)
                copy_range(source, device, first, last)
            while self._dirty:
                dirty, self._dirty = self._dirty, set()
                points.visit("nova.block_copy", f"{len(dirty)} dirty chunks", cost_us=len(dirty) * 40_000)
                for number in sorted(dirty):
                    copy_range(source, device, number, number + 1)
        finally:
            self._dirty = None
        self.connection = connection
        self.device = device


class Server:
    """A server, where it runs and what it has attached."""

    def __init__(self, server_id: str, host: str, availability_zone: str) -> None:
        self.id = server_id
        self.host = host
        self.availability_zone = availability_zone
        self.state = "ACTIVE"
        self.locked = False
        self.disks: dict[str, Disk] = {}

    def guest_writes(self, volume_id: str, *, stamp: str) -> None:
        """The guest writes one page somewhere in the first half of the disk, if it runs and may write."""
        disk = self.disks.get(volume_id)
        if disk is None or disk.mode != "rw" or self.state != "ACTIVE":
            return
        digest = hashlib.blake2b(stamp.encode(), digest_size=64).digest()
        pages = min(disk.device.size // 2, 512 * CHUNK) // PAGE
        page = int.from_bytes(digest[:4], "big") % pages
        disk.write(page, digest * (PAGE // len(digest)))
