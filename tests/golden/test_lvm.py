"""The fakes answer as lvm2 did when it was recorded: both streams and the exit status of every step."""

from __future__ import annotations

import pytest

from tests.golden.lvm_replay import SCENARIOS, TOLERATED, Replay, outcomes


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_step_agrees_with_the_recording(scenario: str) -> None:
    """State is carried through a scenario. A tolerated step that agrees must leave the table."""
    wrong = [
        step for step, agrees in outcomes(scenario) if agrees == ((step.scenario, step.number) in TOLERATED)
    ]
    assert not wrong


def test_a_step_that_answers_differently_is_noticed() -> None:
    """Neither stream nor the status may differ by a byte; uuids may."""
    replay = Replay()
    step = next(step for step in SCENARIOS["vgcreate_forms"] if step.argv[0] == "vgcreate")
    result = replay.play(step)
    assert replay.agrees(step, result)
    assert not replay.agrees(step, result._replace(stdout=result.stdout.replace("  Vol", " Vol")))
    assert not replay.agrees(step, result._replace(stderr="  x\n"))
    assert not replay.agrees(step, result._replace(rc=1))
