"""What an operation of the API is. Declared once; routing, validation and the OpenAPI document come from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.rest.microversions import MAXIMUM
from harness.rest.requests import Request
from harness.rest.schemas import Schema

Handler = Callable[[Request], Any]
"""Gives the answer's body, None for an empty one. Refusals are Fault or ServiceError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked for.

    `path` is behind ``/v3`` and the project id, with parameters in braces. `action` is the key in the body that
    chooses among the operations of one ``.../action``. `bodies` are pairs of the minor version from which on a
    schema holds, ascending, and the schema. `since` and `until` bound the microversions that have it. `calls`
    says that a GET waits for the answer of a service.
    """

    method: str
    path: str
    handler: Handler
    code: int = 200
    action: str | None = None
    bodies: tuple[tuple[int, Schema], ...] = ()
    since: int = 0
    until: int = MAXIMUM
    query: tuple[str, ...] = ()
    calls: bool = False

    def body_schema(self, minor: int) -> Schema | None:
        """The schema of the body in that microversion."""
        schema = None
        for first, candidate in self.bodies:
            if minor >= first:
                schema = candidate
        return schema

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]

    @property
    def name(self) -> str:
        """Unique among all operations."""
        return f"{self.method} {self.path}" + (f" {self.action}" if self.action else "")
