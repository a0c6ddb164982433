"""What the profiles promise: the seed decides everything."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import strategies as st

from conformance.bench import Bench
from conformance.law import Chapter
from conformance.runner import check
from conformance.subjects import subject

SEEN: list[int] = []
"""What the law below was tried with."""
law = Chapter("profiles", level="core", stage=Bench)


@law(source="conformance.profiles", weight=40.0, number=st.integers())
def any_number_is_fine(bench: Bench, number: int) -> None:
    """It notes the numbers."""
    SEEN.append(number)


def drawn(seed: int) -> list[int]:
    """The numbers that the law is tried with."""
    SEEN.clear()
    check(subject("rbd"), [any_number_is_fine], profile="smoke", seed=seed)
    return list(SEEN)


def test_loaded_modules_do_not_change_what_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis would take numbers from their sources."""
    before = drawn(1)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "full_of_numbers.py").write_text(f"NUMBERS = {[77_770_000 + n for n in range(500)]}\n")
    importlib.import_module("full_of_numbers")
    try:
        assert drawn(1) == before
    finally:
        del sys.modules["full_of_numbers"]


def test_another_seed_draws_other_values() -> None:
    """So that more can be tried."""
    assert drawn(1) != drawn(2)
