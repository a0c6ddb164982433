"""``crucible compare``: cells on two engines, and where they differ."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from harness.commands import choice, options
from harness.commands.engine import Engine
from harness.commands.options import Session
from harness.errors import InputError
from harness.matrix.cell_storage import MEMORY
from harness.matrix.comparison import Difference, differences
from harness.results import CellResult, TimelineEvent
from reports.printable import printable
from reports.terminal import console
from reports.timeline import seconds, shortened

if TYPE_CHECKING:
    from harness.control_plane.deployment import Deployment
    from harness.matrix.cells import Cell

CHUNK = 500
"""Cells whose timelines are held at a time."""


class Rung(NamedTuple):
    """An engine by its name and in words."""

    engine: str
    title: str


RUNGS = {
    "a": Rung("sim", "the simulation"),
    "b": Rung("reference", "Cinder with Crucible's drivers"),
    "c": Rung("cinder", "Cinder with its own drivers"),
}


@click.command("compare")
@click.option("--engines", is_flag=True, help="The simulation with the installed Cinder.")
@click.option(
    "--rungs",
    type=click.Choice(["ac", "ab", "bc"]),
    default="ac",
    show_default=True,
    help="Which two: a, the simulation; b, Cinder with Crucible's reference drivers; c, with its own drivers.",
)
@options.config
@choice.of_cells
@options.seed
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 512), default=1, show_default=True, metavar="N", help="Processes."
)
@options.debug
@click.pass_obj
def compare(
    session: Session,
    *,
    engines: bool,
    rungs: str,
    configs: tuple[Path, ...],
    expression: str | None,
    part: str | None,
    sample: int | None,
    seed: int,
    jobs: int,
) -> int:
    """Run cells on two engines and show those in which they differ.

    Compared are the outcome, every record, object, export, attachment, key and quota in the end, and the driver
    calls on the way. Both timelines stand side by side. Exit status: 0 no difference, 1 some, 2 bad usage or
    input.
    """
    if not engines:
        raise InputError("compare needs --engines: the simulation with the installed Cinder")
    one, other = (RUNGS[rung] for rung in rungs)
    first, second = session.engine(one.engine), session.engine(other.engine)
    deployment = first.deployment(configs)
    cells = choice.chosen(second.cells(deployment), deployment, expression, part, sample)
    out = console()
    differing = 0
    for ours, theirs in _pairs((first, second), deployment, cells, seed, jobs):
        found = differences(ours.picture, theirs.picture)
        if found:
            differing += 1
            show(out, (one, ours), (other, theirs), found)
    count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
    found_in = {0: "none differs", 1: "1 differs"}.get(differing, f"{differing} differ")
    out.print(f"{count} on {one.title} and on {other.title} ({second.release}): {found_in}", soft_wrap=True)
    return 1 if differing else 0


def _pairs(
    engines: tuple[Engine, Engine], deployment: Deployment, cells: Sequence[Cell], seed: int, jobs: int
) -> Iterator[tuple[CellResult, CellResult]]:
    err = console(sys.stderr)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("cells", total=len(engines) * len(cells))
        for start in range(0, len(cells), CHUNK):
            chunk = cells[start : start + CHUNK]
            ours, theirs = (
                engine.run_cells(
                    deployment, chunk, seed=seed, jobs=jobs, timelines="all",
                    on_result=lambda result: progress.advance(task), storage=MEMORY,
                )
                for engine in engines
            )  # fmt: skip
            yield from zip(ours, theirs, strict=True)


def show(
    out: Console, one: tuple[Rung, CellResult], other: tuple[Rung, CellResult], found: Sequence[Difference]
) -> None:
    """The cell, what differs, and both timelines."""
    titles = [one[0].title, other[0].title]
    out.print(Text(printable(one[1].id), style="bold"), soft_wrap=True)
    for difference in found:
        out.print(Text(f"  {printable(difference.aspect)}"), soft_wrap=True)
        for title, value in zip(titles, (difference.one, difference.other), strict=True):
            out.print(Text(f"    {title}: {printable(value)}"), soft_wrap=True)
    out.print(side_by_side(titles, one[1].timeline, other[1].timeline))
    out.print()


def side_by_side(titles: Sequence[str], one: Sequence[TimelineEvent], other: Sequence[TimelineEvent]) -> Table:
    """Both timelines: what is one step on both stands in one row, and else the other side is empty."""
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    for title in titles:
        table.add_column("", justify="right", no_wrap=True)
        table.add_column(title, ratio=1, overflow="fold")
    ours, theirs = _told(one), _told(other)
    alike = SequenceMatcher(None, [step.name for step in ours], [step.name for step in theirs], autojunk=False)
    for tag, start, end, other_start, other_end in alike.get_opcodes():
        left, right = ours[start:end], theirs[other_start:other_end]
        if tag == "equal":
            for mine, its in zip(left, right, strict=True):
                table.add_row(mine.time, mine.text, its.time, its.text)
        else:
            for step in left:
                table.add_row(step.time, step.text, "", "")
            for step in right:
                table.add_row("", "", step.time, step.text)
    return table


class _Step(NamedTuple):
    """What is told of events that follow one another with one name: actor and step."""

    name: tuple[str, str]
    time: str
    text: Text


def _told(timeline: Sequence[TimelineEvent]) -> list[_Step]:
    told: list[_Step] = []
    for name, events in groupby(timeline, key=lambda event: (event.actor, event.step)):
        first, *more = events
        again = f" (and {len(more)} more)" if more else ""
        text = shortened(printable(f"{first.actor}: {first.step} {first.detail}".rstrip()))
        told.append(_Step(name, seconds(first.time_us), Text(f"{text}{again}")))
    return told
