"""``crucible compare``: two timelines side by side, without a second engine."""

from __future__ import annotations

from io import StringIO

from harness.commands.compare import side_by_side
from harness.results import TimelineEvent
from reports.terminal import console


def event(time_us: int, step: str, detail: str = "", actor: str = "c-vol@a") -> TimelineEvent:
    return TimelineEvent(time_us=time_us, actor=actor, step=step, detail=detail, source=None, temporary=None)


def shown(one: list[TimelineEvent], other: list[TimelineEvent]) -> list[list[str]]:
    """Rows without their heads, blanks drawn together."""
    out = StringIO()
    console(out).print(side_by_side(["one", "other"], one, other))
    return [line.split() for line in out.getvalue().splitlines()[1:]]


def test_one_step_on_both_sides_is_one_row() -> None:
    """Whatever either side tells before it."""
    one = [event(0, "asked"), event(2000, "driver.copy", "v1")]
    other = [event(1000, "log"), event(2000, "ends"), event(3000, "driver.copy", "v1")]
    assert shown(one, other) == [
        ["0.000", "c-vol@a:", "asked"],
        ["0.001", "c-vol@a:", "log"],
        ["0.002", "c-vol@a:", "ends"],
        ["0.002", "c-vol@a:", "driver.copy", "v1", "0.003", "c-vol@a:", "driver.copy", "v1"],
    ]


def test_the_same_step_again_and_again_is_told_once() -> None:
    """Such as the progress of a copy, which one engine tells in other portions than the other."""
    one = [event(0, "copy", f"{done} %") for done in (0, 50, 100)]
    assert shown(one, one[:1]) == [
        ["0.000", "c-vol@a:", "copy", "0", "%", "(and", "2", "more)", "0.000", "c-vol@a:", "copy", "0", "%"]
    ]
