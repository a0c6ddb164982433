"""Schedules choose among labels, and a record of choices repeats them."""

from __future__ import annotations

import pytest

from harness.errors import KernelError
from harness.sim.schedules import Fifo, Replay, Seeded
from harness.sim.seeds import stream

LABELS = ("a", "b", "c")


def test_fifo_takes_the_longest_waiting() -> None:
    """The default has no opinion."""
    assert Fifo().choose(LABELS) == 0


def test_seeded_is_uniform_and_repeatable() -> None:
    """Same stream, same choices; every task gets its turn."""
    first, second = (Seeded(stream(7, "schedule")) for _ in range(2))
    choices = [first.choose(LABELS) for _ in range(300)]
    assert choices == [second.choose(LABELS) for _ in range(300)]
    assert all(70 < choices.count(index) < 130 for index in range(3))


def test_replay_goes_on_as_fifo() -> None:
    """A minimised record may be short."""
    schedule = Replay([2, 1])
    assert [schedule.choose(LABELS) for _ in range(4)] == [2, 1, 0, 0]


@pytest.mark.parametrize("choice", [3, -1])
def test_a_record_of_another_run_is_refused(choice: int) -> None:
    """The message says where it does not fit."""
    with pytest.raises(KernelError, match=rf"choice {choice} \(number 1\) .* 3 runnable tasks: a, b, c"):
        Replay([choice]).choose(LABELS)
