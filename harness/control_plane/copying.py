"""The generic copy: dd between two host devices, a loop over file objects as soon as one is a handle.

Source: `cinder.volume.volume_utils:copy_volume`.
"""

from __future__ import annotations

from typing import NamedTuple

from fake_backends.block_store import CHUNK, BlockDevice, copy_range
from harness.model import GIB
from harness.sim.points import Points

COPY_BYTES_PER_SECOND = 100 << 20
SLICES = 8
"""A copy lets others run this many times, however large it is, so its cost follows the bytes written."""


def copy_volume(
    source: BlockDevice,
    destination: BlockDevice,
    size_gb: int,
    *,
    paths: bool,
    sparse: bool,
    points: Points,
) -> None:
    """Copy the first `size_gb` GiB, or up to the end of a shorter source.

    With `paths`, dd does it, and leaves out all-zero blocks where `sparse`; without, the file loop does,
    which always writes every byte. Both empty a destination that is a file first. NoSpace when the
    destination is too small, with everything up to its end written.
    """
    tool = "copy.dd" if paths else "copy.file"
    option = " conv=sparse" if paths and sparse else ""
    chunks = size_gb * GIB // CHUNK
    destination.open_truncated(min(size_gb * GIB, source.size))
    slice_us = size_gb * GIB * 1_000_000 // COPY_BYTES_PER_SECOND // SLICES
    for part in range(SLICES):
        first, last = chunks * part // SLICES, chunks * (part + 1) // SLICES
        points.visit(tool, f"{part * 100 // SLICES} % of {size_gb} GiB{option}", cost_us=slice_us)
        copy_range(source, destination, first, last, sparse=paths and sparse)


class Copy(NamedTuple):
    """A copy that runs: when it began, and how long it takes."""

    began_us: int
    takes_us: int

    def percent(self, now_us: int) -> float:
        """How much of it is done."""
        return min(100.0, 100.0 * (now_us - self.began_us) / max(1, self.takes_us))

    def left_us(self, now_us: int) -> int:
        """How long it still takes."""
        return max(0, self.began_us + self.takes_us - now_us)


def copy_time_us(size: int) -> int:
    """How long a copy of so many bytes takes."""
    return size * 1_000_000 // COPY_BYTES_PER_SECOND
