"""What a driver, or a library of its, prints: lines of the timeline, and nothing on the user's terminal."""

from __future__ import annotations

import io
import os
import sys
from functools import partial

from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage


class Printed(io.TextIOBase):
    """Standard output, or error, of whoever runs."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Every line that is not empty. Between cells nobody is listening."""
        cloud = self._stage.cloud
        task = cloud.simulation.kernel.current if cloud is not None else None
        if cloud is not None and not (task is not None and task.dead):
            for line in text.splitlines():
                if line.strip():
                    cloud.simulation.record("printed", self._stage.mask.text(line))
        return len(text)


def install(patches: Patches, stage: Stage) -> None:
    """Replace both streams, and lead to nowhere what a library writes to their file descriptors."""
    patches.replace(sys, "stdout", Printed(stage))
    patches.replace(sys, "stderr", Printed(stage))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        before = os.dup(descriptor)
        os.dup2(nowhere, descriptor)
        patches.later(partial(_put_back, before, descriptor))
    os.close(nowhere)


def _put_back(before: int, descriptor: int) -> None:
    os.dup2(before, descriptor)
    os.close(before)
