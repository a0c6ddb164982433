"""What every report is: told of the start of a run, of each cell, and of the end."""

from __future__ import annotations

from typing import Protocol

from harness.results import CellResult, MatrixResult


class Writer(Protocol):
    """A view of a run. Calls come in the order begin, cell ..., then end or abort."""

    def begin(self, run: MatrixResult, total: int) -> None:
        """The run starts: `run` has everything but cells and duration, `total` counts the cells to come.

        InputError if the report could not be written at the end.
        """

    def cell(self, result: CellResult) -> None:
        """One more cell is done; cells come in any order."""

    def end(self, run: MatrixResult) -> None:
        """The run is complete. Only here does a report write what outlives the run."""

    def abort(self) -> None:
        """The run broke off: leave nothing half-written behind."""
