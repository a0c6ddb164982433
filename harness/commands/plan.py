"""``crucible plan``: rehearse one migration or retype on the user's own configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

import harness
from harness.commands import options
from harness.commands.options import Session
from harness.control_plane.nova_profiles import nova_profile
from harness.errors import InputError
from harness.matrix.axes import FILL, PRECONDITION
from harness.rehearsal import words
from harness.rehearsal.releases import checked
from reports.terminal import console

NEWEST_CINDER, NEWEST_NOVA = "29", 33


@click.command("plan")
@options.config
@click.option(
    "--volume", "volume", required=True, metavar="SIZE,TYPE,STATUS[,ATTACHMENTS]",
    help="GiB, volume type or -, status, and how many servers have it, or their states joined by +: "
    f"{', '.join(words.SERVERS)}.",
)  # fmt: skip
@click.option(
    "--from", "sources", multiple=True, metavar="HOST", help="Where it is; default: wherever it can be."
)
@click.option("--to", "to", metavar="HOST", help="Migrate it to this back-end.")
@click.option("--type", "new_type", metavar="TYPE", help="Retype it to this volume type.")
@click.option(
    "--define", "definitions", multiple=True, metavar="'TYPE KEY=VALUE ...'",
    help="A volume type: extra specs, encryption=luks or luks2, qos=front-end, back-end or both. "
    "The name of a back-end is a type that leads there.",
)  # fmt: skip
@click.option(
    "--migration-policy", "policy", type=click.Choice(["on-demand", "never"]), default="on-demand",
    show_default=True, help="Of a retype.",
)  # fmt: skip
@click.option("--lock-volume", "lock", is_flag=True, help="Of a migration.")
@click.option("--force-host-copy", "force", is_flag=True, help="Of a migration.")
@click.option(
    "--given", multiple=True, type=click.Choice(list(PRECONDITION.values)[1:]), metavar="OBSTACLE",
    help="Something else that stands in the way, such as snapshot or no-capacity; see crucible list axes. "
    "May be said several times.",
)  # fmt: skip
@click.option(
    "--fill", type=click.Choice(list(FILL.values)), default="full", show_default=True,
    help="How much of it is written.",
)  # fmt: skip
@click.option("--nova", "nova", type=int, default=NEWEST_NOVA, show_default=True, metavar="RELEASE",
              help="Release of Nova, 12 to 33.")  # fmt: skip
@click.option("--cinder", "cinder", default=NEWEST_CINDER, show_default=True, metavar="RELEASE",
              help="Release of Cinder, 22 to 29, such as 25.3.1.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
@options.debug
@click.pass_obj
def plan(
    session: Session,
    *,
    configs: tuple[Path, ...],
    volume: str,
    sources: tuple[str, ...],
    to: str | None,
    new_type: str | None,
    definitions: tuple[str, ...],
    policy: str,
    lock: bool,
    force: bool,
    given: tuple[str, ...],
    fill: str,
    nova: int,
    cinder: str,
    as_json: bool,
) -> int:
    """Say what will happen to a volume that is migrated (--to) or retyped (--type), and why.

    Runs it in the simulation, on your own configuration, and explains it by the rules of the matrix: statuses
    on the way, the space that it takes, whether writes are safe, who may attach it, and what to do instead.
    Exit status: 0 it ends well, 1 it does not (from one of the back-ends), 2 bad usage or input, 3 a defect
    of Crucible.
    """
    # The simulation comes with these, and oslo.config: help and other commands do without.
    from harness.rehearsal.answer import Rehearsal, answer
    from harness.rehearsal.question import Question, Questioner, named
    from reports import rehearsal as report

    if (to is None) == (new_type is None):
        raise InputError("plan needs either --to HOST (a migration) or --type TYPE (a retype), and not both")
    if new_type is not None and (lock or force):
        raise InputError("--lock-volume and --force-host-copy are for --to: a retype has no such options")
    question = Question(
        volume=words.volume(volume),
        to=to,
        new_type=new_type,
        sources=sources,
        types=named([words.volume_type(text) for text in definitions]),
        policy=policy,
        lock=lock,
        force=force,
        nova=nova_profile(nova),
        fill=fill,
        given=given,
    )
    release = checked(cinder)
    deployment = session.engine().deployment(configs)
    found = Questioner(deployment).asked(question)
    rehearsal = Rehearsal(
        crucible=harness.__version__,
        cinder=release,
        nova=str(nova),
        size_gb=question.volume.size_gb,
        answers=[answer(deployment, question, asked, release) for asked in found],
    )
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(rehearsal), indent=2).decode() + "\n")
    else:
        report.show(console(), rehearsal)
    if not all(each.agrees for each in rehearsal.answers):
        return 3
    return 0 if all(each.well for each in rehearsal.answers) else 1
