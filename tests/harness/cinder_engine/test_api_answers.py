"""The real API says of a migrating volume what the table says, and what was recorded of it before."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from harness.cinder_engine.release import installed
from tests.golden.api.stages import STAGES

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)

TABLE: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[2] / "golden" / "api" / "during_migration.json").read_text()
)


def _ask(cells: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """In a process of its own, which alone imports Cinder."""
    from tests.golden.api.record import during_migration

    return during_migration(cells)


def test_the_real_api_answers_as_the_table_says() -> None:
    """Every action at every stage of real migrations, with Cinder's API, scheduler and volume manager."""
    expected = {
        (name, stage): word for name, words in TABLE.items() for stage, word in zip(STAGES, words, strict=True)
    }
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_ask, list(expected)).result() == expected
