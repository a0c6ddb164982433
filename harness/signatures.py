"""Signatures of methods as plain records, and whether a call fits one.

Who reads them out of a class, or out of Cinder, and who judges them need not know one another.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness import documents

SCHEMA = 1

Kind = Literal["positional-only", "positional", "var-positional", "keyword-only", "var-keyword"]
_KINDS: dict[Any, Kind] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional",
    inspect.Parameter.VAR_POSITIONAL: "var-positional",
    inspect.Parameter.KEYWORD_ONLY: "keyword-only",
    inspect.Parameter.VAR_KEYWORD: "var-keyword",
}


class Parameter(msgspec.Struct, frozen=True):
    """One parameter; `optional` if it has a default."""

    name: str
    kind: Kind
    optional: bool = False

    def __str__(self) -> str:
        stars = {"var-positional": "*", "var-keyword": "**"}.get(self.kind, "")
        return f"{stars}{self.name}{'=...' if self.optional else ''}"


Signature = list[Parameter]


class Call(msgspec.Struct, frozen=True, order=True):
    """How somebody calls a method: so many positional arguments, and keywords."""

    method: str
    positional: int
    keywords: tuple[str, ...] = ()

    def __str__(self) -> str:
        arguments = ["..."] * self.positional + [f"{name}=" for name in self.keywords]
        return f"{self.method}({', '.join(arguments)})"


def signature_of(function: Callable[..., Any], *, bound: bool) -> Signature:
    """The parameters of a function, without the first one (self) unless it is `bound`. ValueError."""
    parameters = list(inspect.signature(function).parameters.values())
    if (
        not bound
        and parameters
        and parameters[0].kind
        in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        )
    ):
        parameters = parameters[1:]
    return [
        Parameter(each.name, _KINDS[each.kind], each.default is not inspect.Parameter.empty)
        for each in parameters
    ]


def misfit(signature: Signature, call: Call) -> str:
    """Why a call does not fit a signature; empty if it does."""
    places = [each for each in signature if each.kind in ("positional-only", "positional")]
    names = {each.name for each in signature if each.kind in ("positional", "keyword-only")}
    kinds = {each.kind for each in signature}
    if call.positional > len(places) and "var-positional" not in kinds:
        return f"takes {len(places)} arguments, and is given {call.positional}"
    given = {each.name for each in places[: call.positional]}
    for keyword in call.keywords:
        if keyword in given:
            return f"is given {keyword} twice"
        if keyword not in names and "var-keyword" not in kinds:
            return f"does not take the keyword {keyword}"
        given.add(keyword)
    wanting = [
        each.name
        for each in signature
        if each.name not in given
        and not each.optional
        and each.kind in ("positional-only", "positional", "keyword-only")
    ]
    return f"wants {', '.join(wanting)}, which nobody passes" if wanting else ""


class DriverSignatures(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver class looks like from outside.

    `methods` are those that it has, wherever they come from; `own` the names of those that are not just the
    interface's own, which do nothing; `based` the names of those that it has from Cinder's base classes, which
    change with the release. `attributes` are SUPPORTED, VERSION, CI_WIKI_NAME, as far as it has them. `error`
    says why it cannot be imported.
    """

    driver: str
    methods: dict[str, Signature] = {}
    own: list[str] = []
    based: list[str] = []
    attributes: dict[str, str] = {}
    interfaces: list[str] = []
    error: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What one release of Cinder asks of drivers: its calls, and its interface classes with their methods.

    `core` names the interface that every driver must have; `drivers` are those of the release itself.
    """

    schema: int = SCHEMA
    release: str
    calls: list[Call]
    interfaces: dict[str, dict[str, Signature]]
    core: str
    drivers: list[DriverSignatures] = []


def load(path: Path) -> Contract:
    """Read what ``crucible interface --json`` has written. InputError."""
    return documents.load(
        path, Contract, schema=SCHEMA, noun="interface", otherwise="is no interface that crucible has written"
    )
