"""Results of several releases of Cinder, side by side."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.errors import InputError
from harness.results import CellResult, Expectation, Judgement, MatrixResult, Observation, Outcome
from reports.releases import markdown


def _result(release: str | None, **outcomes: Outcome) -> MatrixResult:
    cells = [
        CellResult(
            id=name,
            axes={},
            expected=Expectation(outcome="succeeded", reason="", rule="driver-moves", source="a.b:C.d"),
            observed=Observation(outcome=outcome, reason=""),
            verdict="pass" if outcome != "data-loss" else "fail",
        )
        for name, outcome in outcomes.items()
    ]
    return MatrixResult(
        crucible="1", python="3", engine="cinder" if release else "sim", cinder=release, storage="memory",
        seed=0, started="2026-01-01T00:00:00Z", duration_s=1.0, cells=cells,
    )  # fmt: skip


def test_releases_are_columns_in_their_order() -> None:
    """By number, whatever the order of the files; a cell that only one of them has is left out.

    Verdicts are counted, as outcomes are.
    """
    text = markdown([
        _result("29.0.0", same="succeeded", moved="succeeded"),
        _result("9.1.0", same="succeeded", moved="data-loss", gone="refused"),
    ])  # fmt: skip
    assert text.splitlines() == [
        "| outcome of 2 cells: pass / known / fail | 9.1.0 | 29.0.0 |",
        "|---|---|---|",
        "| succeeded | 1 / 0 / 0 | 2 / 0 / 0 |",
        "| data-loss | 0 / 0 / 1 | . |",
        "| all | 1 / 0 / 1 | 2 / 0 / 0 |",
        "",
        "| cells that came out differently | 9.1.0 | 29.0.0 |",
        "|---|---|---|",
        "| `moved`<br>rule driver-moves, `a.b:C.d` | data-loss | succeeded |",
    ]


def test_invariants_that_do_not_hold_everywhere_are_named() -> None:
    """The outcome is the same; what is broken on all of them makes no difference."""

    def broken(release: str, *names: str) -> MatrixResult:
        judged = [Judgement(name=name, holds=name not in names) for name in ("capacity", "names", "quota")]
        result = _result(release, cell="succeeded")
        return replace(result, cells=[replace(result.cells[0], invariants=judged)])

    results = [broken("27.0.0", "capacity", "names"), broken("28.0.0", "capacity")]
    assert markdown(results).splitlines()[-1] == (
        "| `cell`<br>rule driver-moves, `a.b:C.d` | succeeded, names | succeeded |"
    )


def test_cells_that_could_not_be_run_are_counted_if_there_are_any() -> None:
    """A fourth number for all releases."""
    crashed = _result("28.0.0", cell="crashed")
    crashed = replace(crashed, cells=[replace(crashed.cells[0], verdict="error")])
    lines = markdown([crashed, _result("29.0.0", cell="succeeded")]).splitlines()
    assert lines[0] == "| outcome of 1 cells: pass / known / fail / error | 28.0.0 | 29.0.0 |"
    assert "| crashed | 0 / 0 / 0 / 1 | . |" in lines


def test_no_difference_is_said() -> None:
    """An empty table would look like a mistake."""
    assert markdown([_result("28.0.0", same="refused"), _result("29.0.0", same="refused")]).endswith(
        "\nNo cell came out differently.\n"
    )


def test_results_without_a_release_or_of_one_release_are_refused() -> None:
    """In one line."""
    with pytest.raises(InputError, match="engine sim says nothing of a release"):
        markdown([_result(None, same="succeeded")])
    one = _result("29.0.0", same="succeeded")
    with pytest.raises(InputError, match=r"two results are of Cinder 29\.0\.0"):
        markdown([one, replace(one, seed=1)])
