"""The real API says of a migrating volume what the table says, and what was recorded of it before."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from harness.cinder_engine.release import installed
from harness.sim.seeds import stream
from tests.golden.api.stages import STAGES
from tests.golden.api.table import Table

pytestmark = pytest.mark.skipif(
    not (installed() or "").startswith("29."), reason="recorded from Cinder 29, which is not installed"
)

GOLDEN = Path(__file__).parents[2] / "golden" / "api"
TABLE: dict[str, list[str]] = json.loads((GOLDEN / "during_migration.json").read_text())
CONDITIONS: dict[str, dict[str, Any]] = json.loads((GOLDEN / "conditions.json").read_text())

State = tuple[str, str, str, str | None]


def _ask(cells: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """In a process of its own, which alone imports Cinder."""
    from tests.golden.api.record import during_migration

    return during_migration(cells)


def _ask_again(states: list[State]) -> dict[State, dict[str, Any]]:
    """Likewise."""
    from tests.golden.api.record import answers

    return answers(states)


def test_the_real_api_answers_as_the_table_says() -> None:
    """Every action at every stage of real migrations, with Cinder's API, scheduler and volume manager."""
    expected = {
        (name, stage): word for name, words in TABLE.items() for stage, word in zip(STAGES, words, strict=True)
    }
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_ask, list(expected)).result() == expected


def test_the_recording_is_what_the_real_api_says() -> None:
    """One state of every request and situation, and one in which it is allowed if there is any."""
    chance = stream(0, "states")
    expected: dict[State, dict[str, Any]] = {}
    for name, situations in CONDITIONS.items():
        for situation, told in situations.items():
            every = Table.read(told)
            allowed = [state for state, answer in every.items() if answer["code"] < 300]
            for states in (list(every), allowed):
                if states:
                    state = chance.choice(states)
                    expected[name, situation, *state] = every[state]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_ask_again, list(expected)).result() == expected
