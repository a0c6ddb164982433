"""A driver that does not come back takes its time once, and not from every law."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.capabilities import Capabilities
from conformance.catalogue import select
from conformance.foreign.guard import contained
from conformance.foreign.patience import AGAIN_LIMIT_S, Patience
from conformance.runner import check, check_law
from conformance.subjects import subject
from fake_backends.rbd.driver import RbdDriver


class Hangs(RbdDriver):
    def create_snapshot(self, snapshot: Any) -> Any:
        while True:
            pass


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a run, but for the seconds."""
    monkeypatch.setattr("conformance.foreign.patience.AGAIN_LIMIT_S", 0.05)
    monkeypatch.setattr("conformance.runner.Patience", lambda: Patience(0.2))


def test_a_method_that_was_overdue_gets_less_time_and_others_do_not() -> None:
    """The second time we know what to expect."""
    patience = Patience()
    assert [patience.limit_s("create_volume"), patience.lose("create_volume")] == [30, "within 30 s"]
    assert patience.limit_s("create_volume") == AGAIN_LIMIT_S
    assert patience.limit_s("delete_volume") == 30
    assert patience.lose("create_volume") == "within 2 s (and not within 30 s before)"
    assert patience.losses == 2


@pytest.mark.usefixtures("hurried")
def test_each_law_that_meets_it_fails_and_the_others_go_on() -> None:
    """With the time that it had."""
    laws = [*select([], "snapshots/a_snapshot")[:2], *select([], "volumes/deleting_twice")]
    results = check(subject(Hangs, capabilities={"snapshots": True}), laws, profile="smoke")
    assert [each.reason for each in results] == [
        "create_snapshot does not return within 0.2 s",
        "create_snapshot does not return within 0.05 s (and not within 0.2 s before)",
        "",
    ]


@pytest.mark.usefixtures("hurried")
def test_no_smaller_values_are_looked_for_when_a_call_hangs() -> None:
    """Each of them would take its time again."""
    under_test = subject(Hangs)
    law, patience = select([], "snapshots/a_snapshot")[0], Patience(0.2)
    with contained(patience):
        result = check_law(under_test, law, Capabilities(under_test, 0), profile="dev", patience=patience)
    assert (result.status, result.examples) == ("failed", 1)
