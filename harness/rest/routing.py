"""From a path to the operations that it may mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.routing import compile_path

from harness.rest.faults import Fault
from harness.rest.operations import Operation

PROJECT_ID = re.compile(r"[0-9a-f\-]+")
"""What Cinder takes for a project id in a URL (`project_id_regex`)."""


NOTHING: Any = object()
"""The body of a request that has none; null is one."""


class Found(NamedTuple):
    """The operations of a path and method, and the parameters in the path."""

    operations: Sequence[Operation]
    parameters: Mapping[str, str]


class Routes:
    """All operations, by collection, path and method."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        paths: dict[str, dict[str, list[Operation]]] = {}
        for operation in operations:
            paths.setdefault(operation.path, {}).setdefault(operation.method, []).append(operation)
        self._collections: dict[str, list[tuple[re.Pattern[str], dict[str, list[Operation]]]]] = {}
        # Whole words before parameters, as in Cinder: /volumes/detail is no volume's id.
        for path in sorted(paths, key=lambda path: [segment.startswith("{") for segment in path.split("/")]):
            pattern, _, _ = compile_path(path)
            self._collections.setdefault(path.split("/")[1], []).append((pattern, paths[path]))

    def split_project(self, path: str, project_id: str) -> tuple[str, str]:
        """(project id or "", rest) of a path behind ``/v3``.

        Beyond what Cinder takes for a project id, the caller's own project may have any name.
        """
        _, first, *rest = path.split("/", 2)
        if first not in self._collections and (first == project_id or PROJECT_ID.fullmatch(first)):
            return first, "/" + "".join(rest)
        return "", path

    def find(self, method: str, path: str) -> Found | None:
        """What a path (without a project id) and a method lead to; None if they lead nowhere."""
        path = path.rstrip("/") or "/"
        for pattern, methods in self._collections.get(path.split("/", 2)[1], ()):
            match = pattern.match(path)
            if match and method in methods:
                return Found(methods[method], match.groupdict())
        return None


def choose(operations: Sequence[Operation], minor: int, body: Any) -> Operation:
    """The one that is meant: by the action in the body, and by the microversion.

    Fault 400 for an unknown action or a body that names none, 404 where the microversion does not have it
    (`cinder.api.openstack.wsgi:Resource.get_method`).
    """
    if operations[0].action is not None:
        action = None
        if body is not NOTHING:
            if not isinstance(body, dict) or len(body) != 1:
                raise Fault(400, "Malformed request body")
            (action,) = body
        operations = [operation for operation in operations if operation.action == action]
        if not operations:
            raise Fault(
                400,
                f"There is no such action: {action}. Verify the request body and Content-Type header and try "
                "again.",
            )
    for operation in operations:
        if operation.since <= minor <= operation.until:
            return operation
    raise Fault(404)
