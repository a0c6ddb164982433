"""The answer: one cell, run in the simulation and explained by the matrix's rules."""

from __future__ import annotations

from shlex import quote

import msgspec

from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.expectations import RULES, expect
from harness.matrix.families import facts_of
from harness.matrix.known_faults import KNOWN_FAULTS
from harness.matrix.rules_situation import Situation
from harness.matrix.runner import run_cell
from harness.rehearsal.advice import ADVICE
from harness.rehearsal.alternatives import LOCK, Alternative, alternatives, good
from harness.rehearsal.question import Asked, Question
from harness.rehearsal.releases import differences
from harness.rehearsal.safety import who_may_attach, writes
from harness.rehearsal.space import Need, needs
from harness.results import CellResult, Expectation, Outcome

SCHEMA = 1
SIMULATED_GB_MAX = 64
"""A larger volume goes the same way, and a page in every 4 MiB of it would be long to write."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """From this step on the volume has this status and migration_status; the temporary record has its own."""

    time_us: int
    step: str
    status: str
    migration_status: str | None
    temporary: str | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A known fault that shows, and what it breaks (empty if it only chooses the way)."""

    id: str
    title: str
    breaks: tuple[str, ...] = ()


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """Something that would be in the way once what decides is out of it, why, and what to do about it."""

    name: str
    reason: str
    rule: str
    source: str
    advice: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What will happen to the volume if it is on `source`. `agrees` is False if the simulation says otherwise.

    `well` is what matters: it succeeds, and nothing is lost or left behind. `command` is what was asked, as one
    types it.
    """

    source: str
    destination: str
    command: str
    cell: str
    well: bool
    expected: Expectation
    observed: Outcome
    agrees: bool
    difference: str
    way: list[Step]
    space: list[Need]
    writes: str
    who_may_attach: str
    faults: list[Fault]
    then: list[Obstacle]
    other_release: list[str]
    instead: list[Alternative]
    advice: str


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """All answers: one for each back-end that the volume may be on."""

    schema: int = SCHEMA
    crucible: str
    cinder: str
    nova: str
    size_gb: int
    answers: list[Answer]


def answer(deployment: Deployment, question: Question, asked: Asked, release: str) -> Answer:
    """Run the cell, and say what it comes to."""
    cell = asked.cell
    source, destination = (facts_of(deployment.backend(name)) for name in (cell.source, cell.destination))
    situation = Situation(cell, source, destination)
    expected = expect(cell, source, destination)
    rule = next(each for each in RULES if each.name == expected.rule and each.applies(situation))
    size_gb = min(question.volume.size_gb, SIMULATED_GB_MAX)
    result = run_cell(deployment, cell, keep_timeline=True, size_gb=size_gb)
    well = good(expected) and result.verdict in ("pass", "known")
    careless = situation.unlocked and situation.moves
    return Answer(
        source=source.address,
        destination=destination.address,
        command=command(question, destination.address),
        cell=cell.id,
        well=well,
        expected=expected,
        observed=result.observed.outcome,
        agrees=result.verdict in ("pass", "known"),
        difference=result.difference,
        way=_way(result),
        space=needs(situation, rule, question.volume.size_gb),
        writes=writes(situation, rule),
        who_may_attach=who_may_attach(situation, rule),
        faults=_faults(expected),
        then=[_obstacle(expect(other, source, destination), other) for other in asked.others],
        other_release=differences(release, situation, rule),
        instead=_instead(alternatives(deployment, cell, size_gb, asked.others), well=well)
        if careless or not well
        else [],
        advice="" if well else ADVICE.get(expected.rule, ""),
    )


def _instead(found: list[Alternative], *, well: bool) -> list[Alternative]:
    """All that would end well; of what does already, only how to do it with more care."""
    return [each for each in found if not well or each.how == LOCK]


def command(question: Question, destination: str) -> str:
    """The request as one types it; VOLUME stands for the volume's id."""
    if not question.migrate:
        return f"cinder retype --migration-policy {question.policy} VOLUME {quote(question.new_type or '')}"
    # At the end: the client takes a word that comes after one of them for its value.
    flags = " --lock-volume" * question.lock + " --force-host-copy" * question.force
    return f"cinder migrate VOLUME {destination}{flags}"


def _way(result: CellResult) -> list[Step]:
    """Where the statuses change, from the request to the end."""
    steps: list[Step] = []
    for event in result.timeline:
        if event.source is None:
            continue
        status, migration_status = event.source
        temporary = "/".join(part or "-" for part in event.temporary) if event.temporary else None
        if temporary is not None:
            temporary = temporary.partition(":")[0].replace("/target", "/target:VOLUME")
        now = (status, migration_status, temporary)
        if steps and now == (steps[-1].status, steps[-1].migration_status, steps[-1].temporary):
            continue
        steps.append(
            Step(
                time_us=event.time_us,
                step=event.step,
                status=status,
                migration_status=migration_status,
                temporary=temporary,
            )
        )
    return steps


def _obstacle(expected: Expectation, cell: Cell) -> Obstacle:
    return Obstacle(
        name=cell.precondition,
        reason=expected.reason,
        rule=expected.rule,
        source=expected.source,
        advice=ADVICE.get(expected.rule, ""),
    )


def _faults(expected: Expectation) -> list[Fault]:
    broken: dict[str, list[str]] = {name: [] for name in expected.faults}
    for invariant, fault in expected.violations.items():
        broken[fault].append(invariant)
    return [
        Fault(id=name, title=KNOWN_FAULTS[name].title, breaks=tuple(invariants))
        for name, invariants in broken.items()
    ]
