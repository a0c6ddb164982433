"""``crucible interface``: the outside of Cinder's own drivers, without running any of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from harness.commands import options
from harness.commands.options import Session
from harness.errors import InputError
from harness.results import check_writable, write_atomically
from reports.interface import interface_page


@click.command("interface")
@click.argument("drivers", nargs=-1, metavar="[DRIVER]...")
@click.option(
    "--markdown",
    "markdown_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the table there.",
)
@options.debug
@click.pass_obj
def interface(session: Session, *, drivers: tuple[str, ...], markdown_path: Path | None) -> int:
    """Look at the interfaces of the drivers in the installed Cinder (needs the extra cinder).

    DRIVER is a part of a driver's path, such as lvm; all drivers without it. Nothing is run: methods are looked
    for, and compared with how the manager of this release calls them. A driver that cannot be imported is an
    error.

    Exit status: 0 nothing to complain of, 1 something is wrong, 2 bad usage or input.
    """
    from conformance.interface import judge
    from harness.cinder_engine.interface_reader import read_contract

    if markdown_path is not None:
        check_writable(markdown_path)
    contract = read_contract()
    chosen = [each for each in contract.drivers if not drivers or any(part in each.driver for part in drivers)]
    if not chosen:
        raise InputError(f"no driver of Cinder {contract.release} has {' or '.join(drivers)} in its path")
    findings = [finding for driver in chosen for finding in judge(contract, driver)]
    for finding in findings:
        click.echo(f"{finding.kind:9}  {finding.driver}: {finding.text}")
    counts = Counter(finding.kind for finding in findings)
    wrong = len({finding.driver for finding in findings})
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in ("import", "missing", "signature", "attribute"))
    click.echo(f"Cinder {contract.release}: {len(chosen)} drivers, {wrong} with findings: {kinds}")
    if markdown_path is not None:
        rows = [(each.driver, each.kind, each.text) for each in findings]
        page = interface_page(contract.release, [each.driver for each in chosen], rows)
        write_atomically(markdown_path, page.encode())
    return 1 if findings else 0
