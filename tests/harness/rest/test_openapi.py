"""The document says what the server does, because both are made of the same declarations."""

from __future__ import annotations

from typing import Any

import pytest

from harness.rest.catalogue import OPERATIONS
from harness.rest.microversions import MAXIMUM
from harness.rest.openapi import PATTERN_MAX, document
from harness.rest.routing import Routes


def test_every_operation_has_a_name_of_its_own() -> None:
    """No two declarations mean the same request in the same microversion."""
    seen: dict[str, list[range]] = {}
    for operation in OPERATIONS:
        mine = range(operation.since, operation.until + 1)
        for other in seen.setdefault(operation.name, []):
            assert not set(mine) & set(other), operation.name
        seen[operation.name].append(mine)


def test_every_operation_says_what_it_is_for() -> None:
    """A sentence of its handler's."""
    for operation in OPERATIONS:
        assert operation.summary.endswith("."), operation.name


@pytest.mark.parametrize("minor", [0, 26, MAXIMUM])
def test_a_path_in_the_document_leads_to_its_operation(minor: int) -> None:
    """With any parameters in it."""
    routes = Routes(OPERATIONS)
    for path, methods in document(OPERATIONS, minor)["paths"].items():
        for method in methods:
            found = routes.find(method.upper(), path.removeprefix("/v3").replace("{", "x").replace("}", ""))
            assert found is not None, (method, path)


def test_a_microversion_has_what_it_had() -> None:
    """Attachments came with 3.27."""
    assert "/v3/attachments" not in document(OPERATIONS, 26)["paths"]
    assert "/v3/attachments" in document(OPERATIONS, 27)["paths"]


def test_actions_are_choices_of_one_body() -> None:
    """One path, one method, a body for each action."""
    post = document(OPERATIONS)["paths"]["/v3/volumes/{volume_id}/action"]["post"]
    names = [
        next(iter(choice["properties"]))
        for choice in post["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    ]
    assert {"os-migrate_volume", "os-retype", "os-reset_status"} <= set(names)
    assert len(names) == len(set(names))


def test_very_long_patterns_are_left_out() -> None:
    """That of all printable characters has a thousand characters."""

    def patterns(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["pattern"]] if isinstance(value.get("pattern"), str) else []
            return own + [found for each in value.values() for found in patterns(each)]
        return [found for each in value for found in patterns(each)] if isinstance(value, list) else []

    assert all(len(pattern) <= PATTERN_MAX for pattern in patterns(document(OPERATIONS)))
