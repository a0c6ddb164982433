"""The copy through file objects takes time, in slices, as every copy in Crucible does.

`cinder.volume.volume_utils:_transfer_data` runs as it is; what it reads from is slowed down. Without that no
time would pass, and it divides by what has passed.
"""

from __future__ import annotations

from typing import Any

from cinder.volume import volume_utils

from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.control_plane.copying import COPY_BYTES_PER_SECOND, SLICES
from harness.model import GIB
from harness.sim.simulation import Simulation


class SlowReader:
    """A file object of `length` bytes that passes the point ``copy.file`` before every slice."""

    def __init__(self, source: Any, length: int, simulation: Simulation) -> None:
        self._source = source
        self._length = length
        self._simulation = simulation
        self._position = 0
        self._visited = 0

    def read(self, size: int) -> bytes:
        """The next bytes, and the time that it takes to copy them."""
        while self._visited < SLICES and self._position >= self._length * self._visited // SLICES:
            share = self._visited * 100 // SLICES
            self._visited += 1
            self._simulation.visit("copy.file", f"{share} % of {self._length // GIB} GiB")
        self._position += size
        self._simulation.kernel.sleep(size * 1_000_000 // COPY_BYTES_PER_SECOND)
        data: bytes = self._source.read(size)
        return data


def install(patches: Patches, stage: Stage) -> None:
    """Slow the source down, whatever it is."""
    real = volume_utils._transfer_data

    def transfer(src: Any, dest: Any, length: int, chunk_size: int) -> None:
        real(SlowReader(src, length, stage.playing.simulation), dest, length, chunk_size)

    patches.replace(volume_utils, "_transfer_data", transfer)
