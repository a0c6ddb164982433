"""One cell as a story: steps in order, changes of status where they happen, the judgement at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import pytest
from rich.console import Console

from harness.results import CellResult, Judgement, Observation, TimelineEvent
from reports.timeline import changes, seconds, shortened, show

MakeCell = Callable[..., CellResult]

UUID = "3f2a11aa-9e37-4b9c-a7f1-0123456789ab"


class PaperLike(Protocol):
    console: Console

    @property
    def lines(self) -> list[str]: ...


@pytest.mark.parametrize(
    ("time_us", "text"), [(0, "0.000"), (999, "0.000"), (1_000, "0.001"), (61_002_999, "61.002")]
)
def test_virtual_time_is_seconds_with_milliseconds(time_us: int, text: str) -> None:
    """Cut, not rounded: a later event never shows an earlier time."""
    assert seconds(time_us) == text


def test_uuids_are_cut_to_the_digits_that_differ() -> None:
    """Names keep what surrounds the uuid."""
    assert shortened(f"lvcreate volume-{UUID} target:{UUID}") == "lvcreate volume-..456789ab target:..456789ab"
    assert shortened("volume-1, deadbeef") == "volume-1, deadbeef"


def test_states_are_told_when_they_change() -> None:
    """First sight, each change of status or migration_status, and the end of a record."""
    states: list[tuple[tuple[str, str | None] | None, tuple[str, str | None] | None]] = [
        (("available", None), None),
        (("available", None), None),
        (("available", "migrating"), ("creating", "target:1")),
        (("available", "success"), None),
    ]
    events = [
        TimelineEvent(time_us=0, actor="api", step="s", source=source, temporary=temporary)
        for source, temporary in states
    ]
    assert changes(events) == [
        "source is available/-",
        "",
        "source available/- -> available/migrating; temporary is creating/target:1",
        "source available/migrating -> available/success; temporary creating/target:1 -> gone",
    ]


def test_the_story_of_a_cell(make_cell: MakeCell, paper: PaperLike) -> None:
    """Every section in order, foreign text harmless, nothing wider than 100 columns."""
    cell = make_cell(
        outcome="failed-dirty",
        verdict="known",
        reason="[red]driver\x1b[31m said no",
        violations={"objects": "LP-1"},
        invariants=[
            Judgement(name="data", holds=True),
            Judgement(name="objects", holds=False, details=[f"orphan volume-{UUID}"], fault="LP-1"),
            Judgement(name="quota", holds=None, details=["checker failed"]),
        ],
        timeline=[
            TimelineEvent(time_us=0, actor="operator", step="os-migrate_volume", detail="host=node@rbd#rbd"),
            TimelineEvent(
                time_us=1_500_000,
                actor="c-vol@lvm-1",
                step="lvm.lvcreate",
                detail=f"volume-{UUID} " + "very long " * 20,
                source=("in-use", "migrating"),
            ),
        ],
    )
    show(paper.console, cell, {"LP-1": "Leaves an orphan"})
    lines = [line.rstrip() for line in paper.lines]
    text = "\n".join(lines)
    assert lines[0] == cell.id
    assert lines[2:4] == [
        "time (s)  actor        step               detail",
        "   0.000  operator     os-migrate_volume  host=node@rbd#rbd",
    ]
    assert lines[4].startswith("   1.500  c-vol@lvm-1  lvm.lvcreate       volume-..456789ab very long")
    assert "source is in-use/migrating" in text
    assert "expected  failed-dirty  so it must be" in lines
    assert "(rule a-rule)" in text
    assert "observed  failed-dirty  [red]driver\\x1b[31m said no" in lines
    assert "data     holds" in lines
    assert "objects  BROKEN       orphan volume-..456789ab" in lines
    assert "quota    cannot tell  checker failed" in lines
    assert lines[-2:] == ["verdict: known", "known fault LP-1: Leaves an orphan"]
    assert max(map(len, lines)) <= 100


def test_a_difference_and_a_code_are_shown(make_cell: MakeCell, paper: PaperLike) -> None:
    """Whoever reproduces a difference reads in what it differs; a refusal comes with its HTTP code."""
    cell = make_cell(outcome="refused", verdict="fail", difference="code 400, expected 409")
    cell = msgspec.structs.replace(cell, observed=Observation(outcome="refused", reason="no", code=400))
    show(paper.console, cell, {})
    text = "\n".join(paper.lines)
    assert "refused (400)  no" in text
    assert "code 400, expected 409" in text
    assert "time (s)" not in text
