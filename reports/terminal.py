"""A run on the terminal: what runs, how far it is, and at the end everything that a person must know."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Literal, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from harness.results import CellResult, MatrixResult, Verdict
from reports import grid
from reports.printable import printable, quoted

Grid = Literal["auto", "kinds", "pairs"]

PAIRS_MAX = 30
"""More pairs than this are summed up by kind of back-end, unless asked for."""

PLAIN_WIDTH = 100
"""Columns when the output is no terminal."""


class _Console(Console):
    """Leaves it to the command line what a broken pipe means; rich would exit with status 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(stream: TextIO | None = None) -> Console:
    """A console that interprets nothing: no markup, no emoji codes, no guesses at what to colour."""
    made = _Console(file=stream or sys.stdout, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made


class Terminal:
    """Writes the report to `out`, the progress bar to `progress` if that is a terminal.

    `titles` has the titles of the known faults by id; `options` is what a command that reproduces a cell
    needs besides its id (`` --seed 7 --config cinder.conf``).
    """

    def __init__(
        self,
        out: Console,
        progress: Console,
        *,
        titles: Mapping[str, str],
        grid: Grid = "auto",
        options: str = "",
    ) -> None:
        self._out = out
        self._titles = titles
        self._grid = grid
        self._options = options
        self._unexpected = 0
        self._bar = Progress(
            TextColumn("cells"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unexpected]}"),
            TimeRemainingColumn(),
            console=progress,
            transient=True,
            disable=not progress.is_terminal,
        )
        self._task: TaskID | None = None

    # --------------------------------------------------------------------------------------- the writer

    def begin(self, run: MatrixResult, total: int) -> None:
        for line in header(run, total):
            self._line(Text(line))
        self._bar.start()
        self._task = self._bar.add_task("cells", total=total, unexpected="")

    def cell(self, result: CellResult) -> None:
        assert self._task is not None
        self._unexpected += result.verdict in ("fail", "error")
        notice = f"{self._unexpected} not as expected" if self._unexpected else ""
        self._bar.update(self._task, advance=1, unexpected=notice)

    def end(self, run: MatrixResult) -> None:
        self._bar.stop()
        if run.cells:
            self._line()
            self._show_grid(run)
        self._show_faults(run)
        self._show_cells(run, "fail", "Not as expected")
        self._show_cells(run, "error", "Defects of Crucible, please report them")
        self._line()
        self._line(totals(run))

    def abort(self) -> None:
        self._bar.stop()

    # -------------------------------------------------------------------------------------- its sections

    def _line(self, text: Text | str = "") -> None:
        self._out.print(text, soft_wrap=True)

    def _show_grid(self, run: MatrixResult) -> None:
        pairs = grid.pairs(run.cells)
        by_kind = self._grid == "kinds" or (self._grid == "auto" and len(pairs) > PAIRS_MAX)
        for line in grid.lines(run.cells, kinds=run.backends if by_kind else None, width=self._out.width):
            self._line(line)
        if by_kind:
            self._line(Text(f"{len(pairs)} pairs of back-ends by kind; --grid pairs shows each", style="dim"))

    def _show_faults(self, run: MatrixResult) -> None:
        faults = Counter(fault for cell in run.cells for fault in known_faults(cell))
        if not faults:
            return
        self._line()
        self._line(Text("Known faults seen", style="bold"))
        id_width = max(map(len, faults))
        for fault, number in sorted(faults.items()):
            unit = "cell" if number == 1 else "cells"
            title = printable(self._titles.get(fault, ""))
            self._line(f"  {printable(fault).ljust(id_width)}  {number:5} {unit:5}  {title}".rstrip())

    def _show_cells(self, run: MatrixResult, verdict: Verdict, heading: str) -> None:
        """One line each, which can be pasted into a shell as it is: the finding is the comment."""
        found = [cell for cell in run.cells if cell.verdict == verdict]
        if not found:
            return
        self._line()
        self._line(Text(f"{heading} ({len(found)})", style=grid.STYLES[verdict]))
        for cell in found:
            self._line(f"  {command(cell.id, self._options)}  # {finding(cell)}")


def header(run: MatrixResult, total: int) -> list[str]:
    """What is run, in three lines."""
    part = [f"selected by {run.selection}"] if run.selection else []
    part += [f"shard {run.shard}"] if run.shard else []
    part += [f"spread {run.spread}"] if run.spread else []
    deployment = ", ".join(run.config) or "the embedded default"
    engine = f"{run.engine} {run.cinder}" if run.cinder else run.engine
    versions = f"crucible {run.crucible}, python {run.python}, engine {engine}, storage {run.storage}"
    return [
        f"{versions}, seed {run.seed}",
        printable(f"deployment {deployment}: {', '.join(run.backends)}"),
        printable(", ".join([f"{total} {'cell' if total == 1 else 'cells'}", *part])),
    ]


def command(cell_id: str, options: str) -> str:
    """The command that runs one cell again; `options` is quoted already."""
    return f"crucible reproduce {quoted(cell_id)}{options}"


def finding(cell: CellResult) -> str:
    """Expected, observed and why, on one line."""
    expected, observed = cell.expected.outcome, cell.observed.outcome
    why = printable(cell.difference or cell.observed.reason)
    return f"expected {expected}, observed {observed}" + (f": {why}" if why else "")


def known_faults(cell: CellResult) -> list[str]:
    """The ids of the known faults that show in this cell, each once, in order."""
    seen = [judged.fault for judged in cell.invariants if judged.fault and judged.holds is False]
    if cell.verdict == "known":
        seen += cell.expected.faults
    return list(dict.fromkeys(seen))


def totals(run: MatrixResult) -> Text:
    """Cells by verdict, time and speed, on one line."""
    number = Counter(cell.verdict for cell in run.cells)
    line = Text(f"{len(run.cells)} {'cell' if len(run.cells) == 1 else 'cells'}: ")
    verdicts: tuple[Verdict, ...] = ("pass", "known", "fail", "error")
    for verdict in verdicts:
        style = grid.STYLES[verdict] if number[verdict] else ""
        line.append(f"{number[verdict]} {verdict}", style=style).append(", ")
    line.append(f"in {run.duration_s:.1f} s")
    if run.duration_s > 0:
        line.append(f", {len(run.cells) / run.duration_s:.0f} cells/s")
    return line
