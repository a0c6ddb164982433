"""Schedules: who goes next when several tasks could.

A schedule sees only the labels of the runnable tasks. Every choice among two or more is recorded by the
kernel, and `Replay` repeats such a record, so a run can be carried away as a list of small numbers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from harness.errors import KernelError


class Schedule(Protocol):
    """Chooses among runnable tasks."""

    def choose(self, labels: Sequence[str]) -> int:
        """An index into `labels`, which has two or more entries, the longest-waiting first."""


class Fifo:
    """First come, first served: the default."""

    def choose(self, labels: Sequence[str]) -> int:
        return 0


class Seeded:
    """Uniformly at random from a stream of its own."""

    def __init__(self, stream: random.Random) -> None:
        self._stream = stream

    def choose(self, labels: Sequence[str]) -> int:
        return self._stream.randrange(len(labels))


class Replay:
    """Repeats recorded choices; when they are used up, goes on as `Fifo`."""

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = tuple(choices)
        self._position = 0

    def choose(self, labels: Sequence[str]) -> int:
        if self._position >= len(self._choices):
            return 0
        choice = self._choices[self._position]
        self._position += 1
        if not 0 <= choice < len(labels):
            raise KernelError(
                f"the recorded choice {choice} (number {self._position}) does not fit the "
                f"{len(labels)} runnable tasks: {', '.join(labels)}"
            )
        return choice
