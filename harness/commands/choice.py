"""Which cells a command runs: ``--select``, ``--shard`` and ``--spread``, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.commands import options
from harness.errors import InputError
from harness.matrix.selection import select, shard, spread

if TYPE_CHECKING:
    from harness.control_plane.deployment import Deployment
    from harness.matrix.cells import Cell

_OPTIONS = (
    click.option(
        "--select",
        "expression",
        metavar="EXPR",
        help="Only cells for which this holds, such as: operation=retype and not fill=full",
    ),
    click.option("--shard", "part", metavar="I/N", help="Only the I-th of N parts; adding cells moves none."),
    click.option(
        "--spread",
        "sample",
        type=click.IntRange(min=1),
        metavar="N",
        help="Only N cells, which have as little in common as possible.",
    ),
)


def of_cells(command: Callable[..., Any]) -> Callable[..., Any]:
    """The three options; what they say goes to `chosen`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(
    cells: Sequence[Cell], deployment: Deployment, expression: str | None, part: str | None, sample: int | None
) -> list[Cell]:
    """The cells that are left. InputError for an option that cannot be understood, or that nothing matches."""
    left = list(cells)
    if expression is not None:
        left = select(left, expression, [plan.name for plan in deployment.backends])
        if not left:
            raise InputError(f"no cell matches --select {expression!r}; crucible list axes shows what there is")
    if part is not None:
        # A small selection may leave a shard without cells. That is no mistake: its siblings have them.
        left = shard(left, part)
    if sample is not None:
        left = spread(left, {plan.name: options.backend_kind(plan) for plan in deployment.backends}, sample)
    return left
