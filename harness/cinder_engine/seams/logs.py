"""What Cinder logs: lines of the running cell's timeline, without passwords, and nothing on the terminal."""

from __future__ import annotations

import logging
import re

from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage

LEVEL = logging.WARNING
"""Below it, a cell would have thousands of lines."""
_NOISE = ("Deprecated:",)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Timeline(logging.Handler):
    """Puts records into the history of the cell on stage; between cells they are dropped."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(LEVEL)
        self._stage = stage

    def emit(self, record: logging.LogRecord) -> None:
        cloud = self._stage.cloud
        text = said(record.getMessage())
        if cloud is None or text.startswith(_NOISE):
            return
        task = cloud.simulation.kernel.current
        if task is not None and task.dead:
            return  # the clean-up of a service that has died is heard by nobody
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text} ({type(record.exc_info[1]).__name__}: {said(str(record.exc_info[1]))})"
        line = " ".join(self._stage.mask.text(text).split())
        cloud.simulation.record(f"log {record.levelname.lower()}", line)


def said(text: str) -> str:
    """Without what another process would say otherwise: addresses of objects, and a traceback from the bus."""
    return _ADDRESS.sub("", text.partition("Traceback (most recent call last)")[0].rstrip())


def install(patches: Patches, stage: Stage) -> None:
    """The only handler of this process."""
    root = logging.getLogger()
    handler = Timeline(stage)
    before = list(root.handlers)
    root.handlers[:] = [handler]
    patches.later(lambda: root.handlers.__setitem__(slice(None), before))
