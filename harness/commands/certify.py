"""``crucible certify``: hold a driver to the laws, and say which it keeps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import msgspec

from harness.certificates import LawResult
from harness.commands import options
from harness.commands.options import Session
from harness.documents import encode
from harness.results import check_writable, write_atomically
from reports.certificate import CertificateTerminal
from reports.printable import quoted
from reports.terminal import console

if TYPE_CHECKING:
    from conformance.elsewhere import Elsewhere
    from conformance.subjects import Subject
    from harness.certificates import Certificate

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
    "-j",
    "--jobs",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that check laws, which a driver may bring down; 0: none but this one.",
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
@options.debug
@click.pass_obj
def certify(
    session: Session,
    *,
    driver: str,
    configs: tuple[Path, ...],
    backend: str | None,
    array: str | None,
    levels: tuple[str, ...],
    profile: str,
    seed: int,
    jobs: int,
    keyword: str,
    xfail_path: Path | None,
    json_path: Path | None,
) -> int:
    """Check a driver against the laws of Cinder's driver contract.

    DRIVER is lvm, lvm-thin, rbd, nfs, nfs-qcow2 (the reference drivers), my_pkg.driver:MyDriver, or a driver
    of Cinder's tree, cinder.volume.drivers.lvm.LVMVolumeDriver. Drivers that are derived from Cinder's classes
    are checked on the installed Cinder.

    Exit status: 0 the driver keeps the contract, 1 it does not, or the list of known failures is out of date,
    2 bad usage or input, 3 a defect of Crucible.
    """
    # Imported here: Hypothesis takes its time, and other commands do not need it.
    from conformance.elsewhere import any_subject

    if json_path is not None:
        check_writable(json_path)
    certificate = run(
        any_subject(driver, configs=configs, backend=backend, array=array),
        levels=levels,
        keyword=keyword,
        profile=profile,
        seed=seed,
        jobs=jobs,
        configs=configs,
        xfail_path=xfail_path,
        progress=sys.stderr,
        out=sys.stdout,
    )
    if json_path is not None:
        write_atomically(json_path, encode(certificate))
    return EXIT_STATUS[certificate.verdict]


def run(
    subject: Subject | Elsewhere,
    *,
    levels: Sequence[str],
    keyword: str,
    profile: str,
    seed: int,
    jobs: int,
    configs: Sequence[Path],
    xfail_path: Path | None,
    progress: TextIO,
    out: TextIO | None = None,
) -> Certificate:
    """Make a certificate; report to `out`, if there is one. InputError."""
    from conformance import xfail
    from conformance.catalogue import select
    from conformance.certify import certify as make
    from conformance.profiles import no_files_left

    expected = xfail.load(xfail_path) if xfail_path else []
    laws = select(levels, keyword)
    repeat = f"crucible certify {quoted(subject.name)} --profile {profile} --seed {seed}"
    repeat += "".join(f" --config {quoted(str(path))}" for path in configs)
    terminal = CertificateTerminal(console(out), console(progress), repeat=repeat, total=len(laws))
    if out is not None:
        terminal.show(
            f"crucible certify {subject.name}: {subject.driver_path}"
            + (f", version {subject.version}" if subject.version else "")
            + (f", on Cinder {subject.cinder}" if subject.cinder else "")
        )
        terminal.show(f"{len(laws)} laws, profile {profile}, seed {seed}")
    terminal.begin()
    started, begun_s = datetime.now(UTC), time.monotonic()
    on_result: Callable[[LawResult], None] = terminal.law
    try:
        with no_files_left():
            certificate = make(
                subject,
                levels=levels,
                keyword=keyword,
                profile=profile,
                seed=seed,
                jobs=jobs,
                expected=expected,
                today=started.date(),
                configuration=[str(path) for path in configs],
                on_result=on_result,
            )
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
