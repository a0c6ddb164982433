"""The fake librados and librbd against transcripts of the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.rbd_replay import OPEN, Replay, recorded_bytes, scenarios

RECORDED = scenarios(Path(__file__).parent / "rbd.jsonl")


@pytest.mark.parametrize("name", OPEN)
def test_open_differences_become_fewer(name: str) -> None:
    """A scenario that agrees better, or worse, has to say so in the table."""
    assert len(Replay(name, RECORDED[name]).run().differences) == OPEN[name]


@pytest.mark.parametrize("name", sorted(RECORDED.keys() - OPEN.keys()))
def test_every_call_answers_as_recorded(name: str) -> None:
    """Results, types, and exceptions with class, number, text and arguments."""
    tally = Replay(name, RECORDED[name]).run()
    assert tally.differences == []
    assert tally.agreed > 0


@pytest.mark.parametrize("name", ["driver_v1", "driver_v2"])
def test_what_cinders_driver_called_answers_as_recorded(name: str) -> None:
    """Up to the first image that the driver exported with the rbd command."""
    rows = RECORDED[name]
    first = next(row["step"] for row in rows if row.get("call", {}).get("args", [""])[:1] == ["export"])
    tally = Replay(name, [row for row in rows if row["step"] < first]).run()
    assert tally.differences == []
    assert tally.agreed > 500


def test_a_difference_is_noticed() -> None:
    """A recording that says something else fails."""
    rows = [dict(row) for row in RECORDED["resize"]]
    rows[5] = rows[5] | {"result": rows[5]["result"] + 1}
    assert [step for step, *_ in Replay("resize", rows).run().differences] == [rows[5]["step"]]


def test_recorded_bytes_are_found_by_their_hash() -> None:
    """Only bytes that have the recorded hash count as found."""
    value = {"$bytes": 3, "sha256": "0" * 64, "hex": "616263"}
    assert recorded_bytes(value) is None
