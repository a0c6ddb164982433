"""What the profiles promise: the seed decides everything."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from conformance.bench import Bench
from conformance.law import Chapter, holds
from conformance.profiles import settings_of
from conformance.runner import check
from conformance.subjects import subject

SEEN: list[int] = []
"""What the law below was tried with."""
law = Chapter("profiles", level="core", stage=Bench)


@law(source="conformance.profiles", weight=40.0, number=st.integers())
def any_number_is_fine(bench: Bench, number: int) -> None:
    """It notes the numbers."""
    SEEN.append(number)


@law(source="conformance.profiles", weight=0.05, number=st.integers())
def small_numbers_are_fine(bench: Bench, number: int) -> None:
    """It fails for the others."""
    SEEN.append(number)
    holds(abs(number) <= 100, "too large")


@law(source="conformance.profiles", weight=0.01, number=st.integers())
def other_numbers_are_fine(bench: Bench, number: int) -> None:
    """All of them."""
    SEEN.append(number)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[None]:
    """A place for Hypothesis to keep examples in."""
    set_hypothesis_home_dir(tmp_path)
    yield
    set_hypothesis_home_dir(None)


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


@pytest.mark.usefixtures("home")
def test_nightly_begins_with_what_failed_the_last_time() -> None:
    """With another seed, too; other examples begin with zero."""
    (first,) = check(subject("rbd"), [small_numbers_are_fine], profile="nightly", seed=1)
    assert first.values == {"number": "101"}
    SEEN.clear()
    check(subject("rbd"), [small_numbers_are_fine], profile="nightly", seed=2)
    assert SEEN[0] == 101


@pytest.mark.usefixtures("home")
def test_nightly_keeps_examples_of_each_law_for_itself() -> None:
    """What failed one law is not tried on another first."""
    check(subject("rbd"), [small_numbers_are_fine], profile="nightly", seed=1)
    SEEN.clear()
    check(subject("rbd"), [other_numbers_are_fine], profile="nightly", seed=1)
    assert SEEN[0] == 0


def test_the_seed_decides_on_ci_too() -> None:
    """Where Hypothesis's own default is a seed of its own, and no database."""
    settings.load_profile("ci")
    try:
        assert not settings_of("nightly", 1.0).derandomize
        assert settings_of("nightly", 1.0).database is not None
    finally:
        settings.load_profile("untimed")
