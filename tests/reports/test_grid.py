"""The grid counts every cell once, where it belongs, and can be read without colours."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.results import CellResult, MatrixResult
from reports import grid

MakeCell = Callable[..., CellResult]
MakeRun = Callable[..., MatrixResult]


def shown(run: MatrixResult, *, by_kind: bool = False, width: int = 100) -> list[str]:
    return [line.plain for line in grid.lines(run.cells, kinds=run.backends if by_kind else None, width=width)]


def some_cells(make: MakeCell) -> list[CellResult]:
    return [
        make("lvm-1", "rbd-1"),
        make("lvm-1", "rbd-1"),
        make("lvm-1", "rbd-1", outcome="refused"),
        make("lvm-1", "rbd-1", status="in-use", outcome="failed-dirty", verdict="known"),
        make("lvm-2", "rbd-1", status="in-use", outcome="data-loss", expected="succeeded", verdict="fail"),
        make("rbd-1", "lvm-1", status="in-use", outcome="crashed", expected="succeeded", verdict="error"),
    ]


def test_a_row_per_pair_a_column_per_status_and_outcome(make_cell: MakeCell, make_run: MakeRun) -> None:
    """Only outcomes that occur have a column; marks tell known faults, differences and defects apart."""
    assert shown(make_run(*some_cells(make_cell))) == [
        "               available  in-use",
        "               ok ref     dty los cra",
        "lvm-1 > rbd-1   2   1       1*  .   .",
        "lvm-2 > rbd-1   .   .       .   1!  .",
        "rbd-1 > lvm-1   .   .       .   .   1?",
        "",
        "ok succeeded, ref refused, dty failed-dirty, los data-loss, cra crashed",
        "* with known faults, ! with cells not as expected, ? with defects of Crucible",
    ]


def test_pairs_can_be_summed_up_by_kind(make_cell: MakeCell, make_run: MakeRun) -> None:
    """Rows of one kind of pair add up, and show the worst verdict of any."""
    lines = shown(make_run(*some_cells(make_cell)), by_kind=True)
    assert [line for line in lines if line.startswith("lvm thick > rbd")] == [
        "lvm thick > rbd   2   1       1*  1!  ."
    ]


def test_every_cell_is_counted_once(make_cell: MakeCell, make_run: MakeRun) -> None:
    """The numbers of the grid add up to the number of cells, whatever the width."""
    cells = some_cells(make_cell) * 7
    for width in (20, 40, 100):
        rows = [line.split(" > ", 1)[1] for line in shown(make_run(*cells), width=width) if " > " in line]
        numbers = [int(number) for row in rows for number in re.findall(r"\s(\d+)", row)]
        assert sum(numbers) == len(cells)


def test_statuses_that_do_not_fit_go_below_each_other(make_cell: MakeCell, make_run: MakeRun) -> None:
    """No line is wider than the terminal, and rows without cells in a block are left out of it."""
    lines = shown(make_run(*some_cells(make_cell)), width=32)
    heads = [index for index, line in enumerate(lines) if "available" in line or "in-use" in line]
    assert len(heads) == 2
    assert not any(line.startswith("lvm-2") for line in lines[: heads[1]])
    assert max(len(line) for line in lines[: heads[1] + 5]) <= 32


def test_names_from_outside_are_made_printable(make_cell: MakeCell, make_run: MakeRun) -> None:
    """A back-end's name is the user's, and may hold anything."""
    lines = shown(make_run(make_cell("a\x1b[2J", "[b]")))
    assert lines[2] == "a\\x1b[2J > [b]   1"


def test_a_kind_that_is_not_known_is_the_name(make_cell: MakeCell, make_run: MakeRun) -> None:
    """A result without kinds can still be summed up."""
    assert any(line.startswith("x > rbd ") for line in shown(make_run(make_cell("x", "rbd-1")), by_kind=True))
