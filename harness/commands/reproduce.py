"""``crucible reproduce``: one cell, told step by step."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.text import Text

from harness.commands import options
from harness.commands.engine import Engine
from harness.commands.listing import show_reproductions
from harness.commands.options import Session
from harness.control_plane.nova_profiles import nova_profile
from harness.errors import InputError
from harness.matrix.selection import nearest
from reports import timeline
from reports.json_file import JsonFile
from reports.printable import printable, quoted
from reports.terminal import console

if TYPE_CHECKING:
    from harness.matrix.reproductions import Reproduction


@click.command("reproduce")
@click.argument("name", metavar="NAME|CELL-ID", required=False)
@click.option("--list", "only_list", is_flag=True, help="Show the named reproductions and stop.")
@click.option(
    "--nova", "release", type=int, metavar="RELEASE", help="Release of Nova, 12 to 33, in place of the cell's."
)
@options.config
@options.seed
@options.json_file
@options.engine
@options.storage
@options.debug
@click.pass_obj
def reproduce(
    session: Session,
    *,
    name: str | None,
    only_list: bool,
    release: int | None,
    configs: tuple[Path, ...],
    seed: int,
    json_path: Path | None,
    engine_name: str,
    storage: str,
    storage_dir: Path | None,
) -> int:
    """Run one cell and print its timeline.

    Takes a name (see --list) or the id of a cell of the matrix (see crucible matrix --list).
    Exit status: 0 as expected, 1 not as expected, 2 bad usage or input, 3 a defect of Crucible.
    """
    engine = session.engine(engine_name)
    if only_list:
        show_reproductions(engine)
        return 0
    if name is None:
        raise InputError("reproduce needs a name or a cell id; crucible reproduce --list shows the names")
    profile = nova_profile(release) if release is not None else None
    deployment = engine.deployment(configs)
    reproduction = engine.reproductions().get(name)
    if reproduction is not None:
        cell = reproduction.cell
        options.check_backends(name, [cell.source, cell.destination], deployment)
    elif "/" in name:
        cell = engine.find(deployment, name)
    else:
        raise _unknown(engine, name)
    if profile is not None:
        cell = msgspec.structs.replace(cell, nova=profile)

    writer = JsonFile(json_path) if json_path else None
    run = options.new_result(
        deployment,
        configs,
        engine_name=engine_name,
        release=engine.release,
        storage=storage,
        seed=seed,
        selection=cell.id,
    )
    begun_s = time.monotonic()
    with options.open_storage(storage, storage_dir, keep="all") as place:
        if writer:
            writer.begin(run, 1)
        result = engine.run_cell(deployment, cell, seed=seed, keep_timeline=True, storage=place)
    run = msgspec.structs.replace(run, cells=[result], duration_s=round(time.monotonic() - begun_s, 3))

    try:
        out = console()
        if reproduction is not None:
            _introduce(out, reproduction)
        timeline.show(out, result, engine.faults())
        if storage_dir is not None:
            shown = f"crucible storage {quoted(str(storage_dir))}"
            out.print(Text(f"what it has stored is kept: {shown}", style="dim"), soft_wrap=True)
    finally:
        if writer:
            writer.end(run)
    return options.exit_status([result])


def _introduce(out: Console, reproduction: Reproduction) -> None:
    out.print(Text(f"{reproduction.name}: {reproduction.title}", style="bold"))
    out.print(reproduction.story)
    out.print(Text(f"source: {reproduction.source}", style="dim"))
    out.print()


def _unknown(engine: Engine, name: str) -> InputError:
    names = list(engine.reproductions())
    return InputError(
        f"unknown reproduction {printable(name)!r}{nearest(name, names)} names: {', '.join(names)}; "
        "ids of cells look like migrate/SOURCE/DESTINATION/STATUS"
    )
