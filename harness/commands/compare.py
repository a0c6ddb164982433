"""``crucible compare``: cells on two engines, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from rich.console import Console
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
    out.print(
        f"{len(cells)} cells on {one.title} and on {other.title} ({second.release}): {differing} differ",
        soft_wrap=True,
    )
    return 1 if differing else 0


def _pairs(
    engines: tuple[Engine, Engine], deployment: Deployment, cells: Sequence[Cell], seed: int, jobs: int
) -> Iterator[tuple[CellResult, CellResult]]:
    for start in range(0, len(cells), CHUNK):
        chunk = cells[start : start + CHUNK]
        ours, theirs = (
            engine.run_cells(
                deployment, chunk, seed=seed, jobs=jobs, timelines="all", on_result=lambda result: None,
                storage=MEMORY,
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
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    for title in titles:
        table.add_column(title, ratio=1, overflow="fold")
    for ours, theirs in zip_longest(one[1].timeline, other[1].timeline):
        table.add_row(_line(ours), _line(theirs))
    out.print(table)
    out.print()


def _line(event: TimelineEvent | None) -> Text:
    if event is None:
        return Text()
    text = shortened(printable(f"{event.actor}: {event.step} {event.detail}".rstrip()))
    return Text(f"{seconds(event.time_us):>9} {text}")
