"""Heartbeats that nobody has to run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.control_plane.heartbeat import Heartbeat

CHANGES = st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=6)


def beats(interval: int, start: int, changes: list[tuple[int, bool]], until: int) -> list[int]:
    """The beats up to `until` of a process that is stepped through time, halting and going on as it is told."""
    beating, switches, at = True, {}, start
    for pause, value in changes:
        at += pause
        switches[at] = value
    found = [start]
    for now in range(start, until + 1):
        if beating and now > start and (now - start) % interval == 0 and now not in switches:
            found.append(now)
        if now in switches:
            # At the very moment of a change: who halts has beaten, and who goes on beats again.
            if (now - start) % interval == 0 and (beating or switches[now]):
                found.append(now)
            beating = switches[now]
    return found


@given(st.integers(1, 20), st.integers(0, 30), CHANGES, st.integers(0, 60))
def test_a_computed_beat_is_a_real_one(
    interval: int, start: int, changes: list[tuple[int, bool]], after: int
) -> None:
    """The last beat is that of a process that really waits, whenever it was halted and resumed."""
    heartbeat, now = Heartbeat(interval, start), start
    for pause, value in changes:
        now += pause
        if value:
            heartbeat.resume(now)
        else:
            heartbeat.halt(now)
    assert heartbeat.heard_us(now + after) == beats(interval, start, changes, now + after)[-1]


def test_the_last_beat_may_be_set() -> None:
    """For a service that shall have been silent for long."""
    heartbeat = Heartbeat(10, 0)
    heartbeat.halt(100, heard_us=3)
    assert heartbeat.heard_us(1000) == 3


def test_a_beat_is_news_once() -> None:
    """The start is none; several that were missed are the last one."""
    heartbeat = Heartbeat(10, 5)
    assert [heartbeat.news_us(now) for now in (5, 14, 15, 16, 44, 45)] == [None, None, 15, None, 35, 45]
