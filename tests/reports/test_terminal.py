"""What the terminal shows of a run: everything that must be known, and nothing else."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from typing import Protocol

import pytest
from rich.console import Console

from harness.results import CellResult, Judgement, MatrixResult
from reports.terminal import PAIRS_MAX, PLAIN_WIDTH, Grid, Terminal, console, known_faults

MakeCell = Callable[..., CellResult]
MakeRun = Callable[..., MatrixResult]


class PaperLike(Protocol):
    console: Console

    @property
    def lines(self) -> list[str]: ...
    def getvalue(self) -> str: ...


TITLES = {"LP-1": "Leaves an [orphan] behind", "LP-2": "Loses the key"}


def report(
    run: MatrixResult, paper: PaperLike, *, grid: Grid = "auto", options: str = "", bar: Console | None = None
) -> list[str]:
    """The lines that a whole run prints."""
    progress = bar or console(io.StringIO())
    writer = Terminal(paper.console, progress, titles=TITLES, grid=grid, options=options)
    writer.begin(run, len(run.cells))
    for cell in run.cells:
        writer.cell(cell)
    writer.end(run)
    return paper.lines


def test_the_head_says_what_is_run(make_run: MakeRun, make_cell: MakeCell, paper: PaperLike) -> None:
    """Versions, engine, storage, seed, deployment, and which part of the matrix it is."""
    run = make_run(make_cell(), selection="source~lvm", shard="1/2")
    assert report(run, paper)[:3] == [
        "crucible 1.2.3, python 3.11.2, engine sim, storage memory, seed 7",
        "deployment cinder.conf: lvm-1, lvm-2, rbd-1",
        "1 cell, selected by source~lvm, shard 1/2",
    ]


def test_a_good_run_is_grid_and_totals(make_run: MakeRun, make_cell: MakeCell, paper: PaperLike) -> None:
    """No empty sections: neither faults nor differences are mentioned when there are none."""
    assert report(make_run(*[make_cell()] * 4), paper)[3:] == [
        "",
        "               available",
        "               ok",
        "lvm-1 > rbd-1   4",
        "",
        "ok succeeded",
        "",
        "4 cells: 4 pass, 0 known, 0 fail, 0 error, in 2.0 s, 2 cells/s",
    ]


def test_a_run_without_cells_has_no_grid(make_run: MakeRun, paper: PaperLike) -> None:
    """A shard may be empty."""
    assert report(make_run(duration_s=0.0), paper)[2:] == [
        "0 cells",
        "",
        "0 cells: 0 pass, 0 known, 0 fail, 0 error, in 0.0 s",
    ]


def test_known_faults_are_counted_with_their_titles(
    make_run: MakeRun, make_cell: MakeCell, paper: PaperLike
) -> None:
    """One line each: id, number of cells, title, without any markup being interpreted."""
    known = make_cell(outcome="failed-dirty", verdict="known", violations={"objects": "LP-1", "quota": "LP-2"})
    lines = report(make_run(known, known, make_cell()), paper)
    start = lines.index("Known faults seen")
    assert lines[start + 1 : start + 3] == [
        "  LP-1      2 cells  Leaves an [orphan] behind",
        "  LP-2      2 cells  Loses the key",
    ]


def test_a_difference_is_one_line_that_runs_it_again(
    make_run: MakeRun, make_cell: MakeCell, paper: PaperLike
) -> None:
    """The line is a command; expected, observed and reason follow as its comment, however long they are."""
    bad = make_cell(
        outcome="data-loss", expected="succeeded", verdict="fail", reason="64 KiB lost\n\x1b[2J" + "x" * 300
    )
    lines = report(make_run(bad), paper, options=" --seed 7")
    start = lines.index("Not as expected (1)")
    line = lines[start + 1]
    assert line.startswith(
        f"  crucible reproduce {bad.id} --seed 7  # expected succeeded, observed data-loss: 64"
    )
    assert line.endswith("x" * 300)
    assert "64 KiB lost\\n\\x1b[2J" in line
    assert shlex.split(line, comments=True) == ["crucible", "reproduce", bad.id, "--seed", "7"]


def test_the_difference_says_more_than_the_reason(
    make_run: MakeRun, make_cell: MakeCell, paper: PaperLike
) -> None:
    """Where the runner says in what the cell differs, that is shown."""
    bad = make_cell(verdict="fail", difference="invariant quota does not hold")
    assert report(make_run(bad), paper)[-3].endswith(
        "# expected succeeded, observed succeeded: invariant quota does not hold"
    )


def test_defects_of_crucible_are_listed_apart(make_run: MakeRun, make_cell: MakeCell, paper: PaperLike) -> None:
    """An error is not a finding about Cinder."""
    lines = report(make_run(make_cell(verdict="error", outcome="crashed")), paper)
    assert "Defects of Crucible, please report them (1)" in lines
    assert not any(line.startswith("Not as expected") for line in lines)
    assert lines[-1].startswith("1 cell: 0 pass, 0 known, 0 fail, 1 error")


def test_many_pairs_are_summed_up_unless_asked_for(
    make_run: MakeRun, make_cell: MakeCell, paper: PaperLike
) -> None:
    """More than a screen of pairs becomes a few lines by kind, with a hint at the rest."""
    cells = [make_cell(f"b{number}", "rbd-1") for number in range(PAIRS_MAX + 1)]
    run = make_run(*cells, backends={**{cell.axes["source"]: "lvm thin" for cell in cells}, "rbd-1": "rbd"})
    lines = report(run, paper)
    assert [line for line in lines if " > " in line] == [f"lvm thin > rbd  {PAIRS_MAX + 1}"]
    assert f"{PAIRS_MAX + 1} pairs of back-ends by kind; --grid pairs shows each" in lines


@pytest.mark.parametrize(("grid", "rows"), [("pairs", 2), ("kinds", 1)])
def test_the_grid_can_be_chosen(
    make_run: MakeRun, make_cell: MakeCell, paper: PaperLike, grid: Grid, rows: int
) -> None:
    """Pairs of back-ends or of kinds, whatever their number."""
    run = make_run(make_cell("lvm-1"), make_cell("lvm-2"))
    assert len([line for line in report(run, paper, grid=grid) if " > " in line]) == rows


def test_the_bar_shows_on_a_terminal_only(make_run: MakeRun, make_cell: MakeCell, paper: PaperLike) -> None:
    """Logs stay clean; the bar never goes where the report goes."""
    plain, tty = io.StringIO(), io.StringIO()
    run = make_run(make_cell(), make_cell(verdict="fail"))
    before = report(run, paper, bar=console(plain))
    assert plain.getvalue() == ""
    report(run, paper, bar=Console(file=tty, force_terminal=True, width=80))
    assert "1 not as expected" in tty.getvalue()
    assert paper.lines == before * 2


def test_a_run_that_breaks_off_leaves_the_terminal_clean(make_run: MakeRun, paper: PaperLike) -> None:
    """The bar stops and the cursor comes back."""
    tty = io.StringIO()
    writer = Terminal(paper.console, Console(file=tty, force_terminal=True, width=80), titles={})
    writer.begin(make_run(), 10)
    writer.abort()
    assert tty.getvalue().rindex("\x1b[?25h") > tty.getvalue().rindex("\x1b[?25l")


def test_a_plain_console_has_no_colours_and_a_fixed_width() -> None:
    """What goes into a file does not depend on the machine."""
    stream = io.StringIO()
    made = console(stream)
    made.print("[bold]x[/bold] :warning:", style="red")
    assert (stream.getvalue(), made.width) == ("[bold]x[/bold] :warning:\n", PLAIN_WIDTH)


def test_known_faults_come_from_judgements_and_expectations(make_cell: MakeCell) -> None:
    """A fault shows where an invariant broke by it; an unmet expectation shows nothing."""
    broken = [
        Judgement(name="data", holds=False, fault="LP-9"),
        Judgement(name="quota", holds=True, fault="LP-8"),
    ]
    assert known_faults(make_cell(verdict="known", invariants=broken, violations={"x": "LP-1"})) == [
        "LP-9",
        "LP-1",
    ]
    assert known_faults(make_cell(verdict="fail", violations={"x": "LP-1"})) == []
