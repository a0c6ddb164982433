"""``crucible certify``: hold a driver to the laws, and say which it keeps."""

from __future__ import annotations

import io
import re
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
import msgspec

from harness.certificates import Search
from harness.commands import options
from harness.commands.options import Session
from harness.documents import encode
from harness.errors import InputError
from harness.results import check_writable, write_atomically
from reports.certificate import CertificateTerminal, number_of
from reports.certificate_page import page
from reports.terminal import console

if TYPE_CHECKING:
    from conformance.certify import Request
    from conformance.elsewhere import Elsewhere
    from conformance.subjects import Subject
    from harness.certificates import Certificate

SEEDS_MAX = 1_000_000
EXIT_STATUS = {"keeps": 0, "breaks": 1, "unchecked": 1, "error": 3}
xfail = click.option(
    "--xfail",
    "xfail_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Failures that are known, in TOML: law, reason, bug, expires, parameters.",
)


@click.command()
@click.argument("driver", metavar="DRIVER")
@options.config
@click.option(
    "--backend", metavar="NAME", help="The section of the driver, if cinder.conf has several with it."
)
@click.option(
    "--array",
    metavar="CLASS",
    help="A fake of the driver's array, my_pkg.testing:FakeArray (fake_backends.array).",
)
@click.option(
    "--level", "levels", multiple=True, metavar="LEVEL", help="Only laws of this level; may be repeated."
)
@click.option(
    "--profile",
    type=click.Choice(["ci", "dev", "nightly"]),
    default="dev",
    show_default=True,
    help="ci: few examples, no shrinking. nightly: many, and those that failed come first the next time.",
)
@options.seed
@click.option(
    "--seeds",
    metavar="A-B",
    help="Check with each seed from A to B and show what broke: a search for faults, and for false alarms.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(0, 512),
    metavar="N",
    help="Processes for the laws, which a driver may bring down. Default: one per core; 0: none but this one.",
)
@click.option(
    "-k",
    "keyword",
    default="",
    metavar="TEXT",
    help="Only laws that have TEXT in name or sentence; 'not TEXT'.",
)
@xfail
@options.json_file
@click.option(
    "--html",
    "html_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the certificate there as a page.",
)
@options.debug
@click.pass_obj
def certify(
    session: Session,
    /,
    *,
    driver: str,
    configs: tuple[Path, ...],
    backend: str | None,
    array: str | None,
    json_path: Path | None,
    html_path: Path | None,
    seeds: str | None,
    jobs: int | None,
    **asked: Any,
) -> int:
    """Check a driver against the laws of Cinder's driver contract.

    DRIVER is lvm, lvm-thin, rbd, nfs, nfs-qcow2 (the reference drivers), my_pkg.driver:MyDriver, or a driver
    of Cinder's tree, cinder.volume.drivers.lvm.LVMVolumeDriver. Drivers that are derived from Cinder's classes
    are checked on the installed Cinder.

    Exit status: 0 the driver keeps the contract, 1 it does not, or the list of known failures is out of date,
    2 bad usage or input, 3 a defect of Crucible.
    """
    # Imported here: Hypothesis takes its time, and other commands do not need it.
    from conformance.certify import Request
    from conformance.elsewhere import any_subject
    from conformance.levels import LEVELS

    for path in (json_path, html_path):
        if path is not None:
            check_writable(path)
    searched = seeds_of(seeds) if seeds is not None else None
    if searched is not None and (json_path or html_path):
        raise InputError("a certificate is of one seed: --json and --html do not go with --seeds")
    under_test = any_subject(driver, configs=configs, backend=backend, array=array)
    request = Request(**asked, jobs=options.cores() if jobs is None else jobs)
    if searched is not None:
        return search(under_test, request, searched, progress=sys.stderr, out=sys.stdout)
    certificate = run(under_test, request, progress=sys.stderr, out=sys.stdout)
    if json_path is not None:
        write_atomically(json_path, encode(certificate))
    if html_path is not None:
        write_atomically(html_path, page(certificate, LEVELS).encode())
    return EXIT_STATUS[certificate.verdict]


def seeds_of(text: str) -> range:
    """The seeds of ``A-B``, both included. InputError."""
    match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text)
    first, last = map(int, match.groups()) if match else (0, -1)
    if not first <= last < first + SEEDS_MAX:
        raise InputError(
            f"--seeds {text}: should be the first and the last of at most {SEEDS_MAX:,} seeds, such as 0-99"
        )
    return range(first, last + 1)


def search(
    subject: Subject | Elsewhere, request: Request, seeds: range, *, progress: TextIO, out: TextIO
) -> int:
    """Check with one seed after the other; show what broke, and in the end how much was checked.

    What is wrong with the list of known failures is told if it is so with each seed: what is known to fail may
    pass by chance. InputError.
    """
    terminal = CertificateTerminal(console(out), console(progress), total=len(seeds))
    found = Search()
    begun_s = time.monotonic()
    terminal.begin()
    try:
        for seed in seeds:
            certificate = run(subject, replace(request, seed=seed), progress=io.StringIO())
            found.add(certificate)
            terminal.seed(certificate)
    finally:
        terminal.stop()
    terminal.searched(found, time.monotonic() - begun_s)
    return EXIT_STATUS[found.verdict]


def run(
    subject: Subject | Elsewhere, request: Request, *, progress: TextIO, out: TextIO | None = None
) -> Certificate:
    """Make a certificate; report to `out`, if there is one. InputError."""
    from conformance.certify import certify as make
    from conformance.profiles import files_of

    laws, _ = request.laws, request.expected  # bad input is said before anything is shown
    terminal = CertificateTerminal(console(out), console(progress), total=len(laws))
    if out is not None:
        terminal.show(
            f"crucible certify {subject.name}: {subject.driver_path}"
            + (f", version {subject.version}" if subject.version else "")
            + (f", on Cinder {subject.cinder}" if subject.cinder else "")
        )
        terminal.show(f"{number_of(laws)}, profile {request.profile}, seed {request.seed}")
    terminal.begin()
    started, begun_s = datetime.now(UTC), time.monotonic()
    try:
        with files_of(request.profile):
            certificate = make(subject, request, today=started.date(), on_result=terminal.law)
    finally:
        terminal.stop()
    certificate = msgspec.structs.replace(
        certificate,
        started=started.isoformat(timespec="seconds"),
        duration_s=round(time.monotonic() - begun_s, 3),
    )
    if out is not None:
        terminal.end(certificate)
    return certificate
