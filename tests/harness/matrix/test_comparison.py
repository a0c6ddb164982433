"""What counts as a difference between two engines."""

from __future__ import annotations

import msgspec

from harness.matrix.comparison import differences, driver_calls
from harness.results import CellResult, Expectation, Judgement, Observation, TimelineEvent

ONE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def _event(step: str, actor: str = "c-vol@a", status: str = "available") -> TimelineEvent:
    return TimelineEvent(time_us=0, actor=actor, step=step, source=(status, None))


def _result(**changes: object) -> CellResult:
    result = CellResult(
        id="migrate/a/b/available",
        axes={},
        expected=Expectation(outcome="succeeded", reason="", rule="plain"),
        observed=Observation(outcome="succeeded", reason="moved"),
        verdict="pass",
        invariants=[Judgement(name="keys", holds=False, details=[f"key {ONE} belongs to no record"])],
        timeline=[_event("driver.create_volume"), _event("driver.migrate_volume refused"), _event("log error")],
    )
    return msgspec.structs.replace(result, **changes)


def test_identifiers_reasons_and_notes_are_no_difference() -> None:
    """They are drawn, worded and made by each engine for itself."""
    other = _result(
        observed=Observation(outcome="succeeded", reason="well"),
        invariants=[Judgement(name="keys", holds=False, details=[f"key {OTHER} belongs to no record"])],
        timeline=[_event("driver.create_volume")],
    )
    assert differences(_result(), other) == []
    assert driver_calls(other) == ["c-vol@a: driver.create_volume"]


def test_outcome_code_invariants_calls_and_statuses_are_differences() -> None:
    """Each is named with what both engines show."""
    other = _result(
        observed=Observation(outcome="refused", reason="", code=400),
        invariants=[
            Judgement(name="keys", holds=True),
            Judgement(name="quota", holds=None, details=["not tried"]),
        ],
        timeline=[_event("driver.create_volume"), _event("driver.delete_volume", status="error")],
    )
    assert [str(difference) for difference in differences(_result(), other)] == [
        "outcome: succeeded, but refused",
        "HTTP code: None, but 400",
        "keys: broken (key .. belongs to no record), but holds",
        "quota: not judged, but cannot tell (not tried)",
        "driver calls: call 2 is nothing more, but call 2 is c-vol@a: driver.delete_volume",
        "final statuses: source available/None, temporary gone, but source error/None, temporary gone",
    ]


def test_a_result_without_timeline_is_compared_by_its_judgements_alone() -> None:
    """The calls are not known then."""
    assert differences(_result(), _result(timeline=[])) == []
