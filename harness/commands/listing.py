"""``crucible list``: what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.commands import options
from harness.commands.engine import Engine
from harness.commands.options import Session
from harness.matrix.axes import AXES
from reports.printable import printable
from reports.terminal import console


@click.command("list")
@click.argument(
    "what",
    type=click.Choice(["axes", "cells", "reproductions", "faults", "backends", "laws", "actions"]),
)
@options.config
@options.engine
@options.debug
@click.pass_obj
def listing(session: Session, *, what: str, configs: tuple[Path, ...], engine_name: str) -> None:
    """Show axes, cells, reproductions, known faults, back-ends, laws of drivers or API actions."""
    shown = {"axes": show_axes, "laws": show_laws, "actions": show_actions}
    if what in shown:
        shown[what]()
        return
    engine = session.engine(engine_name)
    if what == "cells":
        click.echo("".join(f"{cell.id}\n" for cell in engine.cells(engine.deployment(configs))), nl=False)
    elif what == "reproductions":
        show_reproductions(engine)
    elif what == "faults":
        _show(("id", "title"), sorted(engine.faults().items()))
    else:
        show_backends(engine, configs)


def show_axes() -> None:
    """Every axis with its values; the default, which ids leave out, comes first."""
    out = console()
    for axis in AXES:
        out.print(Text(axis.name, style="bold").append(f": {axis.meaning}", style="not bold"))
        values = axis.known or {"NAME": "a back-end of the deployment; crucible list backends shows them"}
        out.print(_table([(f"  {value}", meaning) for value, meaning in values.items()]))


def show_laws() -> None:
    """Every law that a driver is held to, with its sentence, by the level that it counts for."""
    from conformance.catalogue import catalogue
    from conformance.levels import LEVELS

    out, laws = console(), catalogue()
    for level, meaning in LEVELS.items():
        counted = [law for law in laws if law.level == level]
        heading = Text(f"{level} ({len(counted)}): ", style="bold")
        out.print(heading.append(meaning, style="not bold"))
        for law in counted:
            out.print(Text(f"  {law.name}"))
            out.print(Padding(Text(law.sentence, style="dim"), (0, 0, 0, 6), expand=False))


def show_actions() -> None:
    """The API's conditions: the statuses that a volume may have, and whether it may migrate."""
    # With them comes half of the control plane, which no other list needs.
    from harness.control_plane.api.conditions import ACTIONS
    from harness.control_plane.policy import least

    rows = []
    for name, action in ACTIONS.items():
        excluded = f"all but {', '.join(action.excluded)}" if action.excluded else "all"
        statuses = ", ".join(action.statuses) if action.statuses else excluded
        since = f"{action.since[0]}.{action.since[1]}"
        rows.append((name, least(action.rule), since, "no" if action.idle else "yes", statuses))
    _show(("action", "who", "since", "while migrating", "statuses"), rows)


def show_reproductions(engine: Engine) -> None:
    """Names and titles."""
    _show(("name", "title"), [(name, item.title) for name, item in engine.reproductions().items()])


def show_backends(engine: Engine, configs: Sequence[Path]) -> None:
    """The back-ends of the deployment, as the matrix names them."""
    backends = engine.deployment(configs).backends
    _show(
        ("name", "kind", "address", "storage", "zone"),
        [
            (
                facts.name,
                options.backend_kind(facts),
                facts.address,
                facts.container,
                facts.availability_zone,
            )
            for facts in backends
        ],
    )


def _show(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    console().print(_table(rows, titles))


def _table(rows: Iterable[Sequence[str]], titles: Sequence[str] = ()) -> Table:
    """Columns without lines around them; the last may wrap, the others may not."""
    rows = [[printable(text) for text in row] for row in rows]
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in range(max(map(len, [titles, *rows]))):
        table.add_column(no_wrap=column < len(titles or rows[0]) - 1, overflow="fold")
    if titles:
        table.add_row(*(Text(title, style="dim") for title in titles))
    for row in rows:
        table.add_row(*row)
    return table
