"""Where two engines differ on a cell: rungs of the ladder of truth, compared by the pictures that they leave.

A difference is a fault of Crucible until it is known to be one of the real thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import NamedTuple

from harness.matrix.picture import CALLS
from harness.results import Picture

TOLERATED: Mapping[str, str] = {}
"""Aspect -> why the engines may differ in it. Nothing is tolerated at the moment."""
NOTHING = "nothing"


class Difference(NamedTuple):
    """One aspect of a cell in which the engines differ, with what each of them shows."""

    aspect: str
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.aspect}: {self.one}, but {self.other}"


def differences(one: Picture, other: Picture) -> list[Difference]:
    """Every aspect in which the pictures differ and may not, in their order."""
    aspects = dict.fromkeys([*one, *other])
    return [
        Difference(aspect, *shown)
        for aspect in aspects
        if aspect not in TOLERATED
        for shown in _deviations(aspect, one.get(aspect, NOTHING), other.get(aspect, NOTHING))
    ]


def _deviations(aspect: str, one: str | list[str], other: str | list[str]) -> Iterator[tuple[str, str]]:
    """What each engine shows where the other does not."""
    if one == other:
        return
    ours, theirs = _lines(one), _lines(other)
    if aspect == CALLS:
        # Where they part is enough to read, the rest follows from it.
        yield next(
            (f"call {number} is {call}", f"call {number} is {their_call}")
            for number, (call, their_call) in enumerate(zip_longest(ours, theirs, fillvalue="nothing more"), 1)
            if call != their_call
        )
        return
    yield _only(ours, theirs), _only(theirs, ours)


def _lines(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [] if value == NOTHING else [value]


def _only(lines: list[str], others: list[str]) -> str:
    """The lines, without as many of each as the others have."""
    rest = list(lines)
    for line in others:
        if line in rest:
            rest.remove(line)
    return "; ".join(rest) or NOTHING
