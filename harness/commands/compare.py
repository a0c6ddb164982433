"""``crucible compare``: cells on the simulation and on the real Cinder, and where they differ."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.commands import options
from harness.commands.options import Session
from harness.errors import InputError
from harness.matrix.cell_storage import MEMORY
from harness.matrix.comparison import Difference, differences
from harness.matrix.selection import select, shard
from harness.results import CellResult, TimelineEvent
from reports.printable import printable
from reports.terminal import console
from reports.timeline import seconds, shortened


@click.command("compare")
@click.option("--engines", is_flag=True, help="The simulation with the installed Cinder.")
@options.config
@click.option("--select", "expression", metavar="EXPR", help="Only these cells, as for crucible matrix.")
@click.option("--shard", "part", metavar="I/N", help="Only the I-th of N parts.")
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
    configs: tuple[Path, ...],
    expression: str | None,
    part: str | None,
    seed: int,
    jobs: int,
) -> int:
    """Run cells on both engines and show those in which they differ.

    Both timelines stand side by side. Exit status: 0 no difference, 1 some, 2 bad usage or input.
    """
    if not engines:
        raise InputError("compare needs --engines: the simulation with the installed Cinder")
    simulated, real = session.engine("sim"), session.engine("cinder")
    deployment = simulated.deployment(configs)
    cells = real.cells(deployment)
    if expression is not None:
        cells = select(cells, expression, [plan.name for plan in deployment.backends])
        if not cells:
            raise InputError(f"no cell matches --select {expression!r}; crucible list axes shows what there is")
    if part is not None:
        cells = shard(cells, part)
    out = console()
    waiting: list[CellResult] = simulated.run_cells(
        deployment, cells, seed=seed, jobs=jobs, timelines="all", on_result=lambda result: None, storage=MEMORY
    )
    expected = {result.id: result for result in waiting}
    differing = 0

    def on_result(result: CellResult) -> None:
        nonlocal differing
        found = differences(expected[result.id], result)
        if found:
            differing += 1
            show(out, expected[result.id], result, found)

    real.run_cells(
        deployment, cells, seed=seed, jobs=jobs, timelines="all", on_result=on_result, storage=MEMORY
    )
    out.print(f"{len(cells)} cells on the simulation and on Cinder {real.release}: {differing} differ")
    return 1 if differing else 0


def show(out: Console, simulated: CellResult, real: CellResult, found: list[Difference]) -> None:
    """The cell, what differs, and both timelines."""
    out.print(Text(printable(real.id), style="bold"), soft_wrap=True)
    for difference in found:
        out.print(Text(f"  {printable(str(difference))}"), soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    table.add_column("simulation", ratio=1, overflow="fold")
    table.add_column("Cinder", ratio=1, overflow="fold")
    for one, other in zip_longest(simulated.timeline, real.timeline):
        table.add_row(_line(one), _line(other))
    out.print(table)
    out.print()


def _line(event: TimelineEvent | None) -> Text:
    if event is None:
        return Text()
    text = shortened(printable(f"{event.actor}: {event.step} {event.detail}".rstrip()))
    return Text(f"{seconds(event.time_us):>9} {text}")
