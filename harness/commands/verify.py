"""``crucible verify``: does a certificate say what is true?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.certificates import by_level, load, tally
from harness.commands import options
from harness.commands.certify import run, xfail
from harness.commands.options import Session
from reports.certificate import number_of
from reports.printable import printable

if TYPE_CHECKING:
    from harness.certificates import Certificate


@click.command("verify")
@click.argument("path", metavar="CERTIFICATE", type=click.Path(path_type=Path))
@click.option("--no-run", is_flag=True, help="Compare the driver's source only, and check no law again.")
@xfail
@options.debug
@click.pass_obj
def verify(session: Session, *, path: Path, no_run: bool, xfail_path: Path | None) -> int:
    """Check the laws of a certificate again, with its seed and profile, and compare.

    Known failures are those of the file that the certificate names, or of --xfail. Exit status: 0 it is as the
    certificate says, 1 it is not, 2 bad usage or input.
    """
    from conformance.certify import Request
    from conformance.elsewhere import any_subject

    said = load(path)
    configs = [Path(each) for each in said.configuration]
    under_test = any_subject(said.subject, configs=configs, backend=said.backend, array=said.array)
    differences = []
    if under_test.digest != said.digest:
        differences.append("the driver's source is another one")
    if not no_run:
        request = Request(
            levels=said.levels,
            keyword=said.keyword,
            profile=said.profile,
            seed=said.seed,
            jobs=options.cores(),
            xfail_path=xfail_path or (Path(said.xfail) if said.xfail else None),
        )
        differences += compared(said, run(under_test, request, progress=sys.stderr))
    for each in differences:
        click.echo(f"{path}: {printable(each)}")
    if not differences:
        laws = f"{number_of(said.laws)} came out the same ({_counts(said)})"
        same = "its source is the same" if no_run else laws
        click.echo(f"{path}: {printable(said.subject)} {said.verdict}, and {same}")
    return 1 if differences else 0


def _counts(certificate: Certificate) -> str:
    """How many laws passed, of those that were checked, by level."""
    counts = {level: tally(laws) for level, laws in by_level(certificate).items()}
    return ", ".join(
        f"{level} {each.passed} of {each.passed + each.known + each.failed}" for level, each in counts.items()
    )


def compared(said: Certificate, found: Certificate) -> list[str]:
    """Laws that came out differently, in sentences."""
    now = {law.law: law for law in found.laws}
    differences = [
        f"{law.law} was {law.status}, and is {now[law.law].status if law.law in now else 'no law any more'}"
        for law in said.laws
        if law.law not in now or now[law.law].status != law.status
    ]
    before = {law.law for law in said.laws}
    differences += [f"{law} is a law that was not checked" for law in now if law not in before]
    if said.verdict != found.verdict:
        differences.append(f"the verdict was {said.verdict}, and is {found.verdict}")
    return differences
