"""The fake librados and librbd against transcripts of the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.rbd_replay import TOLERATED, Replay, recorded_bytes, scenarios, tolerated

RECORDED = scenarios(Path(__file__).parent / "rbd.jsonl")


@pytest.mark.parametrize("name", RECORDED)
def test_every_step_answers_as_recorded(name: str) -> None:
    """Results, types, output, and exceptions with class, number, text and arguments."""
    tally = Replay(name, RECORDED[name]).run()
    assert tally.differences == []
    assert tally.agreed > 0


def test_every_reason_to_tolerate_a_step_is_needed() -> None:
    """And none is used that is not explained."""
    steps = [row for rows in RECORDED.values() for row in rows if "call" in row]
    used = {tolerated(row) for row in steps} - {None}
    assert used == TOLERATED.keys()


def test_a_difference_is_noticed() -> None:
    """A recording that says something else fails."""
    rows = [dict(row) for row in RECORDED["resize"]]
    rows[5] = rows[5] | {"result": rows[5]["result"] + 1}
    assert [step for step, *_ in Replay("resize", rows).run().differences] == [rows[5]["step"]]


def test_recorded_bytes_are_found_by_their_hash() -> None:
    """Only bytes that have the recorded hash count as found."""
    value = {"$bytes": 3, "sha256": "0" * 64, "hex": "616263"}
    assert recorded_bytes(value) is None
