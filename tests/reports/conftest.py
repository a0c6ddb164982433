"""Results to report on, made by hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from rich.console import Console

from harness.matrix.cells import Cell
from harness.results import CellResult, Expectation, MatrixResult, Observation
from reports import terminal

MakeCell = Callable[..., CellResult]
MakeRun = Callable[..., MatrixResult]


@pytest.fixture
def make_cell() -> MakeCell:
    """A cell result: axes by name, then outcome, verdict and any field of CellResult."""

    def make(
        source: str = "lvm-1",
        destination: str = "rbd-1",
        *,
        status: str = "available",
        outcome: Any = "succeeded",
        expected: Any = None,
        reason: str = "done",
        verdict: Any = "pass",
        **fields: Any,
    ) -> CellResult:
        cell = Cell(source=source, destination=destination, status=status)
        violations = fields.pop("violations", {})
        return CellResult(
            id=cell.id,
            axes=cell.axes,
            expected=Expectation(
                outcome=expected or outcome, reason="so it must be", rule="a-rule", violations=violations
            ),
            observed=Observation(outcome=outcome, reason=reason),
            verdict=verdict,
            **fields,
        )

    return make


@pytest.fixture
def make_run() -> MakeRun:
    """A run of the given cells."""
    empty = MatrixResult(
        crucible="1.2.3", python="3.11.2", engine="sim", storage="memory", seed=7,
        started="2026-01-02T03:04:05+00:00", duration_s=2.0, config=["cinder.conf"],
        backends={"lvm-1": "lvm thick", "lvm-2": "lvm thick", "rbd-1": "rbd"},
    )  # fmt: skip

    def make(*cells: CellResult, **fields: Any) -> MatrixResult:
        return msgspec.structs.replace(empty, cells=list(cells), **fields)

    return make


class Paper(io.StringIO):
    """A stream that remembers what was printed; `console` is one of ours that prints on it."""

    def __init__(self) -> None:
        super().__init__()
        self.console: Console = terminal.console(self)

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


@pytest.fixture
def paper() -> Paper:
    """Where a report goes that is no terminal."""
    return Paper()
