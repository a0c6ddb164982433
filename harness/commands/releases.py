"""``crucible releases``: what changed between releases of Cinder, from results of the matrix."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands import options
from harness.commands.options import Session
from harness.results import load
from reports.releases import markdown


@click.command("releases")
@click.argument("results", nargs=-1, required=True, metavar="RESULT...", type=click.Path(path_type=Path))
@options.debug
@click.pass_obj
def releases(session: Session, *, results: tuple[Path, ...]) -> int:
    """Compare results of crucible matrix --engine cinder --json, one for each release.

    Prints Markdown: the cells by outcome, and those that came out differently.
    """
    click.echo(markdown([load(path) for path in results]), nl=False)
    return 0
