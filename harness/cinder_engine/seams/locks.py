"""Locks between Cinder's services and threads: the kernel's, so that waiting for one takes virtual time.

Covers `cinder.coordination` (tooz) and `oslo_concurrency.lockutils`, with and without a file. A thread's lock
held across a simulated wait would stop this process for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from cinder import coordination
from oslo_concurrency import lockutils

from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage


class CoordinationLock:
    """What tooz hands out for a name."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.name = name
        self._lock = stage.playing.lock(name)

    def acquire(self, blocking: bool = True) -> bool:
        self._lock.__enter__()
        return True

    def release(self) -> bool:
        self._lock.__exit__(None, None, None)
        return True

    def __call__(self, blocking: bool = True) -> Self:
        """For a ``with`` that says how to acquire, as Cinder 22 writes it."""
        return self

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()


def install(patches: Patches, stage: Stage) -> None:
    """Replace both kinds of locks."""

    @contextmanager
    def lock(name: str, *arguments: Any, **keywords: Any) -> Iterator[None]:
        with stage.playing.lock(f"{stage.hostname} {name}"):
            yield

    patches.replace(lockutils, "lock", lock)
    coordinator = coordination.COORDINATOR
    patches.replace(coordinator, "get_lock", lambda name: CoordinationLock(stage, name))
    patches.replace(coordinator, "remove_lock", lambda glob: None)
    patches.replace(coordinator, "start", lambda: None)
