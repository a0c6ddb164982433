"""Where two engines differ on a cell: rungs of the ladder of truth, compared.

A difference is a fault of Crucible until it is known to be one of the real thing. Identifiers are drawn
differently by each engine, and are left out of account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from harness.results import CellResult

_IDENTIFIER = re.compile(r"[0-9a-f]{8}(?:-{1,2}[0-9a-f]{4}){3}-{1,2}[0-9a-f]{12}")

TOLERATED: Mapping[str, str] = {}
"""Aspect -> why the engines may differ in it. Nothing is tolerated at the moment."""


class Difference(NamedTuple):
    """One aspect of a cell in which the engines differ, with what each of them shows."""

    aspect: str
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.aspect}: {self.one}, but {self.other}"


def differences(one: CellResult, other: CellResult) -> list[Difference]:
    """Outcome, HTTP code, verdict, invariants with what breaks them, driver calls in order, final statuses.

    Driver calls and statuses are compared where both results have their timelines.
    """
    aspects = {
        "outcome": (one.observed.outcome, other.observed.outcome),
        "HTTP code": (str(one.observed.code), str(other.observed.code)),
        **_invariants(one, other),
    }
    if one.timeline and other.timeline:
        aspects["driver calls"] = _first_deviation(driver_calls(one), driver_calls(other))
        aspects["final statuses"] = (final_statuses(one), final_statuses(other))
    return [
        Difference(aspect, *shown)
        for aspect, shown in aspects.items()
        if shown[0] != shown[1] and aspect not in TOLERATED
    ]


def driver_calls(result: CellResult) -> list[str]:
    """``actor: method`` of every call, without what the simulation notes about one, such as a refusal."""
    steps = [(event.actor, event.step) for event in result.timeline if event.step.startswith("driver.")]
    return [f"{actor}: {step}" for actor, step in steps if " " not in step]


def final_statuses(result: CellResult) -> str:
    """The last status and migration_status of the volume and of its temporary record."""
    last = result.timeline[-1]
    return f"source {_states(last.source)}, temporary {_states(last.temporary)}"


def _states(states: tuple[str, str | None] | None) -> str:
    return "gone" if states is None else f"{states[0]}/{states[1]}"


def _invariants(one: CellResult, other: CellResult) -> dict[str, tuple[str, str]]:
    shown: dict[str, list[str]] = {}
    for number, result in enumerate((one, other)):
        for judgement in result.invariants:
            said = sorted(_IDENTIFIER.sub("..", detail) for detail in judgement.details)
            word = {True: "holds", False: "broken", None: "cannot tell"}[judgement.holds]
            text = word if judgement.holds else f"{word} ({'; '.join(said)})"
            shown.setdefault(judgement.name, ["not judged", "not judged"])[number] = text
    return {name: (texts[0], texts[1]) for name, texts in shown.items()}


def _first_deviation(one: list[str], other: list[str]) -> tuple[str, str]:
    """Where two lists part: that is enough to read, the rest follows from it."""
    for number in range(max(len(one), len(other))):
        calls = [list_[number] if number < len(list_) else "nothing more" for list_ in (one, other)]
        if calls[0] != calls[1]:
            return f"call {number + 1} is {calls[0]}", f"call {number + 1} is {calls[1]}"
    return "", ""
