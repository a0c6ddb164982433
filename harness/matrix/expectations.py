"""What should happen in a cell of the matrix, and why.

`RULES` reads top-down as Cinder checks: API, scheduler, the source's service, its driver, the temporary volume,
attach and copy or Nova's swap, completion. The first rule that applies gives the outcome and its reason; what
the operation leaves behind because it got that far is added. The rules know nothing of any implementation:
they are one of two oracles, and the engines are the other.
"""

from __future__ import annotations

from harness.matrix.cells import BackendFacts, Cell
from harness.matrix.releases import NEWEST
from harness.matrix.rules_aftermath import AFTERMATH
from harness.matrix.rules_assisted import ASSISTED
from harness.matrix.rules_generic import OFFLINE, TEMPORARY
from harness.matrix.rules_in_use import IN_USE
from harness.matrix.rules_refusals import REFUSALS, impossible
from harness.matrix.rules_scheduling import SCHEDULING
from harness.matrix.rules_situation import Rule, Situation
from harness.results import Expectation, Outcome

INVARIANTS = (
    "data",
    "objects",
    "exports",
    "attachments",
    "capacity",
    "quota",
    "keys",
    "statuses",
    "names",
    "life_after",
)
"""What may stand in `violations`; each has its own checker."""

RULES: tuple[Rule, ...] = (*REFUSALS, *SCHEDULING, *ASSISTED, *TEMPORARY, *OFFLINE, *IN_USE)


def is_possible(cell: Cell, source: BackendFacts, destination: BackendFacts) -> bool:
    """False for cells that contradict themselves, or whose volume cannot exist: a matrix leaves them out."""
    return not impossible(Situation(cell, source, destination))


def expect(
    cell: Cell, source: BackendFacts, destination: BackendFacts, *, release: str = NEWEST
) -> Expectation:
    """The expectation of one cell, from its values and the configuration of its back-ends alone.

    Of the release of Cinder counts what `harness.matrix.releases` knows.
    """
    situation = Situation(cell, source, destination, release=release)
    rule = next(rule for rule in RULES if rule.applies(situation))
    violations = _violations(situation, rule)
    return Expectation(
        outcome=_outcome(rule, violations),
        reason=rule.reason,
        rule=rule.name,
        source=rule.source,
        code=rule.code,
        violations=violations,
        fault=rule.fault,
    )


def _violations(situation: Situation, rule: Rule) -> dict[str, str]:
    """What the rule breaks itself, then what follows from how far the operation got; one fault for each."""
    broken = dict(rule.violations)
    for aftermath in AFTERMATH:
        if aftermath.applies(situation, rule):
            broken.setdefault(aftermath.invariant, aftermath.fault)
    return {name: broken[name] for name in INVARIANTS if name in broken}


def _outcome(rule: Rule, violations: dict[str, str]) -> Outcome:
    """A failure that leaves something behind is not clean. A drifting counter alone does not count."""
    leaves_something = any(name != "capacity" for name in violations)
    return "failed-dirty" if rule.outcome == "failed-clean" and leaves_something else rule.outcome
