"""The grid: pairs of back-ends down, statuses across, the number of cells per outcome in between.

Only outcomes that occur get a column. Statuses that do not fit beside each other go below each other.
A mark behind a number says that not all is well, so that the grid can be read without colours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.text import Text

from harness.matrix.axes import STATUS
from harness.results import OUTCOMES, CellResult, Outcome, Verdict
from reports.printable import printable

SHORT: dict[Outcome, str] = {
    "succeeded": "ok",
    "refused": "ref",
    "failed-clean": "cln",
    "failed-dirty": "dty",
    "data-loss": "los",
    "crashed": "cra",
}
MARKS: dict[Verdict, str] = {"pass": "", "known": "*", "fail": "!", "error": "?"}
STYLES: dict[Verdict, str] = {"pass": "green", "known": "yellow", "fail": "bold red", "error": "bold magenta"}
MEANINGS: dict[Verdict, str] = {
    "pass": "as expected",
    "known": "with known faults",
    "fail": "with cells not as expected",
    "error": "with defects of Crucible",
}
_SEVERITY = list(MARKS)
GAP = 2
MARK_WIDTH = 1

Pair = tuple[str, str]


class Count(NamedTuple):
    """How many cells ended in one way, and the worst verdict among them."""

    cells: int
    worst: Verdict


class Column(NamedTuple):
    """One outcome under one status."""

    status: str
    outcome: Outcome
    width: int


Counts = dict[Pair, dict[tuple[str, Outcome], Count]]


def pairs(cells: Sequence[CellResult]) -> list[Pair]:
    """The pairs (source, destination) that occur, sorted."""
    return sorted({(cell.axes["source"], cell.axes["destination"]) for cell in cells})


def lines(cells: Sequence[CellResult], *, kinds: Mapping[str, str] | None, width: int) -> Iterator[Text]:
    """The grid, line by line, at most `width` wide where that is possible; the legend comes last.

    With `kinds` (back-end name to kind) the rows are pairs of kinds, without they are pairs of back-ends.
    """
    counts = _count(cells, kinds)
    rows = sorted(counts)
    labels = {row: f"{printable(row[0])} > {printable(row[1])}" for row in rows}
    label_width = max((len(label) for label in labels.values()), default=0)
    for block in _blocks(_columns(counts), width - label_width):
        yield from _head(block, label_width)
        for row in rows:
            if any((column.status, column.outcome) in counts[row] for column in block):
                yield _row(labels[row].ljust(label_width), counts[row], block)
        yield Text()
    yield from _legend(counts)


def _count(cells: Sequence[CellResult], kinds: Mapping[str, str] | None) -> Counts:
    totals: dict[Pair, Counter[tuple[str, Outcome]]] = defaultdict(Counter)
    worst: dict[tuple[Pair, tuple[str, Outcome]], int] = defaultdict(int)
    for cell in cells:
        names = cell.axes["source"], cell.axes["destination"]
        row = names if kinds is None else (kinds.get(names[0], names[0]), kinds.get(names[1], names[1]))
        column = cell.axes["status"], cell.observed.outcome
        totals[row][column] += 1
        worst[row, column] = max(worst[row, column], _SEVERITY.index(cell.verdict))
    return {
        row: {column: Count(number, _SEVERITY[worst[row, column]]) for column, number in counter.items()}
        for row, counter in totals.items()
    }


def _columns(counts: Counts) -> list[Column]:
    columns = []
    for status in STATUS.values:
        for outcome in OUTCOMES:
            shown = [
                len(str(row[status, outcome].cells)) for row in counts.values() if (status, outcome) in row
            ]
            if shown:
                columns.append(Column(status, outcome, max(len(SHORT[outcome]), *shown)))
    return columns


def _status_width(columns: Sequence[Column]) -> int:
    """The columns of one status side by side; a long status name may need more than its numbers."""
    numbers = sum(column.width + MARK_WIDTH for column in columns)
    return max(numbers, len(columns[0].status))


def _by_status(columns: Sequence[Column]) -> list[list[Column]]:
    groups: dict[str, list[Column]] = {}
    for column in columns:
        groups.setdefault(column.status, []).append(column)
    return list(groups.values())


def _blocks(columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """Statuses that fit side by side into `width`; at least one each time."""
    block: list[Column] = []
    used = 0
    for group in _by_status(columns):
        needed = GAP + _status_width(group)
        if block and used + needed > width:
            yield block
            block, used = [], 0
        block += group
        used += needed
    if block:
        yield block


def _head(block: Sequence[Column], label_width: int) -> Iterator[Text]:
    first = second = " " * label_width
    for group in _by_status(block):
        width = _status_width(group)
        outcomes = "".join(SHORT[column.outcome].rjust(column.width) + " " * MARK_WIDTH for column in group)
        first += " " * GAP + group[0].status.ljust(width)
        second += " " * GAP + outcomes.ljust(width)
    yield Text(first.rstrip(), style="bold")
    yield Text(second.rstrip(), style="dim")


def _row(label: str, counts: Mapping[tuple[str, Outcome], Count], block: Sequence[Column]) -> Text:
    row = Text(label)
    for group in _by_status(block):
        start = len(row) + GAP
        row.append(" " * GAP)
        for column in group:
            count = counts.get((column.status, column.outcome))
            if count is None:
                row.append(".".rjust(column.width) + " " * MARK_WIDTH, style="dim")
            else:
                number, mark = str(count.cells).rjust(column.width), MARKS[count.worst].ljust(MARK_WIDTH)
                row.append(number + mark, style=STYLES[count.worst])
        row.append(" " * (start + _status_width(group) - len(row)))
    row.rstrip()
    return row


def _legend(counts: Counts) -> Iterator[Text]:
    seen = {outcome for row in counts.values() for _, outcome in row}
    worst = {count.worst for row in counts.values() for count in row.values()}
    yield Text(", ".join(f"{SHORT[name]} {name}" for name in OUTCOMES if name in seen), style="dim")
    marks = [f"{mark} {MEANINGS[verdict]}" for verdict, mark in MARKS.items() if mark and verdict in worst]
    if marks:
        yield Text(", ".join(marks), style="dim")
