"""``crucible matrix``: every cell that matters, and what differs from what it should be."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec

from harness.commands import choice, options
from harness.commands.engine import Timelines
from harness.commands.options import Session
from harness.results import CellResult
from reports.json_file import JsonFile
from reports.terminal import Grid, Terminal, console
from reports.writer import Writer


@click.command("matrix")
@options.config
@choice.of_cells
@click.option("--list", "only_list", is_flag=True, help="Print the ids of the cells and stop.")
@options.seed
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 512), metavar="N", help="Processes. Default: one per core."
)
@options.json_file
@click.option(
    "--timelines",
    type=click.Choice(["failed", "all"]),
    default="failed",
    show_default=True,
    help="Cells whose timelines the result keeps.",
)
@click.option(
    "--grid",
    type=click.Choice(["auto", "kinds", "pairs"]),
    default="auto",
    help="Rows of the grid: pairs of kinds or of back-ends. Default: kinds if there are many pairs.",
)
@options.engine
@options.storage
@options.debug
@click.pass_obj
def matrix(
    session: Session,
    *,
    configs: tuple[Path, ...],
    expression: str | None,
    part: str | None,
    sample: int | None,
    only_list: bool,
    seed: int,
    jobs: int | None,
    json_path: Path | None,
    timelines: Timelines,
    grid: Grid,
    engine_name: str,
    storage: str,
    storage_dir: Path | None,
) -> int:
    """Run the migration matrix.

    Moves a volume through every cell of the matrix and compares what happened with what should have.
    Exit status: 0 all as expected, 1 something differs, 2 bad usage or input, 3 a defect of Crucible.
    """
    engine = session.engine(engine_name)
    deployment = engine.deployment(configs)
    cells = choice.chosen(engine.cells(deployment), deployment, expression, part, sample)
    if only_list:
        click.echo("".join(f"{cell.id}\n" for cell in cells), nl=False)
        return 0

    terminal = Terminal(
        console(),
        console(sys.stderr),
        titles=engine.faults(),
        grid=grid,
        options=options.to_repeat(seed, configs, storage, engine_name),
    )
    writers: list[Writer] = [*([JsonFile(json_path)] if json_path else []), terminal]
    run = options.new_result(
        deployment,
        configs,
        engine_name=engine_name,
        release=engine.release,
        storage=storage,
        seed=seed,
        selection=expression,
        shard=part,
        spread=sample,
    )

    def on_result(result: CellResult) -> None:
        for writer in writers:
            writer.cell(result)

    begun_s = time.monotonic()
    with options.open_storage(storage, storage_dir, keep="unexpected") as place:
        try:
            for writer in writers:
                writer.begin(run, len(cells))
            results = engine.run_cells(
                deployment,
                cells,
                seed=seed,
                jobs=jobs or options.cores(),
                timelines=timelines,
                on_result=on_result,
                storage=place,
            )
        except BaseException:
            for writer in writers:
                writer.abort()
            raise
    run = msgspec.structs.replace(run, cells=results, duration_s=round(time.monotonic() - begun_s, 3))
    with ExitStack() as ends:
        # Last in, first out: people read the result even if the file cannot be written in the end, and
        # the file is written even if nobody reads the output any more.
        for writer in writers:
            ends.callback(writer.end, run)
    return options.exit_status(results)
