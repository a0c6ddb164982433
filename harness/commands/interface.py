"""``crucible interface``: the outside of Cinder's own drivers, without running any of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec

from harness.commands import options
from harness.commands.options import Session
from harness.documents import encode
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
@options.json_file
@options.debug
@click.pass_obj
def interface(
    session: Session, *, drivers: tuple[str, ...], markdown_path: Path | None, json_path: Path | None
) -> int:
    """Look at the interfaces of drivers, with the Cinder that is installed (needs the extra cinder).

    DRIVER is a part of the path of a driver in Cinder, such as lvm, or one of your own, my_pkg.driver:MyDriver;
    all of Cinder's without it. Nothing is run: methods are looked for, and compared with how the manager of
    this release calls them. A driver that cannot be imported is an error. --json keeps what was read for
    crucible interface-changes.

    Exit status: 0 nothing to complain of, 1 something is wrong, 2 bad usage or input.
    """
    from conformance.interface import judge
    from harness.cinder_engine.interface_reader import read_contract

    for path in (markdown_path, json_path):
        if path is not None:
            check_writable(path)
    own = [name for name in drivers if ":" in name]
    contract = read_contract(own, all_drivers=not drivers or len(own) < len(drivers))
    chosen = []
    for name in drivers or ("",):
        fitting = [each for each in contract.drivers if name.replace(":", ".") in each.driver]
        if not fitting:
            raise InputError(f"no driver of Cinder {contract.release} has {name} in its path")
        chosen += [each for each in fitting if each not in chosen]
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
    if json_path is not None:
        write_atomically(json_path, encode(msgspec.structs.replace(contract, drivers=chosen)))
    return 1 if findings else 0
