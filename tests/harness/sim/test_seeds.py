"""Named random streams and identifiers."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from harness.sim.seeds import Ids, stream


def test_streams_do_not_disturb_one_another() -> None:
    """Draws from one change nothing in another; seed and names decide alone."""
    guest = stream(1, "guest")
    expected = [guest.random() for _ in range(3)]
    guest, scheduler = stream(1, "guest"), stream(1, "scheduler")
    mixed = []
    for _ in range(3):
        scheduler.random()
        mixed.append(guest.random())
    assert mixed == expected
    assert stream(2, "guest").random() != expected[0]


def test_a_stream_is_the_same_on_every_machine() -> None:
    """A recorded seed must mean the same for ever."""
    assert stream(0, "guest").getrandbits(64) == 0x6FD0977DDDA7B1B3


def test_names_do_not_run_together() -> None:
    """("a", "b") and ("a/b",) are two streams: cell ids hold slashes."""
    assert stream(1, "a", "b").random() != stream(1, "a/b").random()


@given(seed=st.integers(0, 1 << 64))
def test_ids_are_uuids_and_never_repeat(seed: int) -> None:
    """Version 4, as Cinder's; a sequence for each name."""
    ids, others = Ids(seed, "volumes"), Ids(seed, "snapshots")
    drawn = [ids.uuid() for _ in range(50)] + [others.uuid() for _ in range(50)]
    assert len(set(drawn)) == 100
    assert all(uuid.UUID(text).version == 4 for text in drawn)
    again = Ids(seed, "volumes")
    assert [again.uuid() for _ in range(50)] == drawn[:50]
