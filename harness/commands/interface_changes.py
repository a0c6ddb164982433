"""``crucible interface-changes``: what a release of Cinder asks of drivers that another one did not."""

from __future__ import annotations

from pathlib import Path

import click
from packaging.version import InvalidVersion, Version

from harness.commands import options
from harness.commands.options import Session
from harness.errors import InputError
from harness.signatures import Contract, load
from reports.interface_changes import Release, changes_page


@click.command("interface-changes")
@click.argument("paths", nargs=-1, required=True, metavar="INTERFACE...", type=click.Path(path_type=Path))
@options.debug
@click.pass_obj
def interface_changes(session: Session, *, paths: tuple[Path, ...]) -> int:
    """Compare what crucible interface --json has written in environments with different releases of Cinder.

    Prints Markdown: what changed from each release to the next, whose driver that breaks, and what is wrong
    with drivers in which release. Exit status: 0 no driver breaks, 1 some do, 2 bad usage or input.
    """
    from conformance.interface import changes, judge

    by_release: dict[Version, Contract] = {}
    for path in paths:
        contract = load(path)
        try:
            version = Version(contract.release)
        except InvalidVersion:
            raise InputError(f"{path}: is of Cinder {contract.release!r}, which is no release") from None
        if version in by_release:
            raise InputError(f"{path}: is of Cinder {version}, as another one; give one for each release")
        by_release[version] = contract
    if len(by_release) < 2:
        raise InputError(f"{paths[0]}: is alone; give one for each release")
    contracts = [by_release[version] for version in sorted(by_release)]
    releases, broken = [], False
    for before, after in zip([None, *contracts], contracts, strict=False):
        changed = changes(before, after) if before is not None else []
        broken |= any(each.breaks for each in changed)
        findings = [each for driver in after.drivers for each in judge(after, driver)]
        releases.append(
            Release(
                name=after.release,
                drivers=[each.driver for each in after.drivers if not each.error],
                changes=[(each.text, each.breaks) for each in changed],
                findings=[(each.driver, each.text) for each in findings],
            )
        )
    click.echo(changes_page(releases), nl=False)
    return 1 if broken else 0
