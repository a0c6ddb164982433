"""``crucible support-matrix``: which driver reaches which level, from certificates."""

from __future__ import annotations

from pathlib import Path

import click

from harness.certificates import load
from harness.commands import options
from harness.commands.options import Session
from reports.support_matrix import markdown, restructured_text


@click.command("support-matrix")
@click.argument("paths", nargs=-1, required=True, metavar="CERTIFICATE...", type=click.Path(path_type=Path))
@click.option("--rst", is_flag=True, help="reStructuredText in place of Markdown.")
@options.debug
@click.pass_obj
def support_matrix(session: Session, *, paths: tuple[Path, ...], rst: bool) -> int:
    """Print a table of drivers and levels, from what crucible certify --json has written."""
    certificates = [load(path) for path in paths]
    click.echo((restructured_text if rst else markdown)(certificates), nl=False)
    return 0
