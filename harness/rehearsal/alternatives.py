"""Other ways of asking for the same: which would end better, by the same rules and in the same simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.expectations import expect, is_possible
from harness.matrix.families import facts_of
from harness.matrix.runner import run_cell
from harness.results import Expectation, Outcome

MINOR = ("capacity", "quota", "keys")
"""Invariants that an operator can put right afterwards: counters, and keys that nobody needs any more."""
LOCK = "add --lock-volume"


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """Another way, what becomes of it by the rules, and why."""

    how: str
    outcome: Outcome
    reason: str
    rule: str
    faults: tuple[str, ...] = ()


def good(expected: Expectation) -> bool:
    """It succeeds, and nothing is broken that an operator could not put right."""
    return expected.outcome == "succeeded" and not set(expected.violations) - set(MINOR)


def alternatives(
    deployment: Deployment, cell: Cell, size_gb: int, others: Sequence[Cell] = ()
) -> list[Alternative]:
    """Those that end well, the nearest to what was asked first. Each was run, and came out as it should.

    `others` are cells of what else is in the way: another way has to be one around that, too.
    """
    source, destination = (facts_of(deployment.backend(name)) for name in (cell.source, cell.destination))
    found: list[Alternative] = []
    enough: list[set[tuple[str, str]]] = []
    for how, changes in _ways(cell):
        other = msgspec.structs.replace(cell, **changes)
        changed = set(other.axes.items()) - set(cell.axes.items())
        if any(less <= changed for less in enough) or not is_possible(other, source, destination):
            continue
        expected = expect(other, source, destination)
        around = all(good(expect(_also(each, how), source, destination)) for each in others)
        if (
            around
            and good(expected)
            and run_cell(deployment, other, size_gb=size_gb).verdict in ("pass", "known")
        ):
            enough.append(changed)
            found.append(
                Alternative(
                    how=how,
                    outcome=expected.outcome,
                    reason=expected.reason,
                    rule=expected.rule,
                    faults=expected.faults,
                )
            )
    return found


def _also(cell: Cell, how: str) -> Cell:
    """Another cell, if the same is done about it."""
    return msgspec.structs.replace(cell, **dict(_ways(cell)).get(how, {}))


def _ways(cell: Cell) -> Iterator[tuple[str, dict[str, Any]]]:
    """What can be asked for otherwise, and the axes that it changes; small changes before large ones."""
    if cell.operation == "migrate" and cell.status == "available":
        yield LOCK, {"lock": "yes"}
        yield "add --force-host-copy", {"force": "yes"}
        yield "add --lock-volume --force-host-copy", {"lock": "yes", "force": "yes"}
    if cell.operation == "retype" and cell.policy == "never":
        yield "say --migration-policy on-demand", {"policy": "on-demand"}
    if cell.status != "available":
        server = {"precondition": "none"} if cell.precondition.startswith(("server-", "not-")) else {}
        yield "detach the volume first", {"status": "available", **server}
        if cell.precondition in ("server-stopped", "server-shelved"):
            yield "start the server first", {"precondition": "none"}
        if cell.multi_attached:
            yield "detach all servers but one", {"status": "in-use"}
        if cell.nova in ("20", "21"):
            yield "upgrade Nova to Wallaby (23) or later", {"nova": "23"}
    else:
        yield "attach the volume to a server first", {"status": "in-use", "lock": "no"}
