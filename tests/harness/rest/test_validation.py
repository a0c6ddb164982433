"""What is wrong with a body, in Cinder's words; recorded from `cinder.api.validation` of 29.0.0."""

from __future__ import annotations

from typing import Any

import pytest

from harness.rest.catalogue import OPERATIONS
from harness.rest.faults import Fault
from harness.rest.validation import validate

VOLUME = "0f0f0f0f-0000-4000-8000-000000000000"
FIELD = "Invalid input for field/attribute"


def refusal(method: str, path: str, body: Any) -> str | None:
    """The text, None for a body that is taken."""
    operation = next(each for each in OPERATIONS if (each.method, each.path) == (method, path))
    try:
        validate(body, operation.body_schema(71) or {})
    except Fault as fault:
        return f"{fault}" if fault.code == 400 else f"{fault.code}: {fault}"
    return None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, None),
        ("gift", None),
        (" ", f"{FIELD} name. Value:  . ' ' is not valid under any of the given schemas"),
        ("", f"{FIELD} name. Value: . '' is not valid under any of the given schemas"),
    ],
)
def test_a_transfer_may_have_no_name(name: str | None, said: str | None) -> None:
    """A name that is wrong is one of two forms that do not fit; the client sends null."""
    body = {"transfer": {"volume_id": VOLUME, "name": name}}
    assert refusal("POST", "/volume-transfers", body) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("thick", None),
        (None, f"{FIELD} name. Value: None. None is not of type 'string'"),
        (" ", "An invalid 'name' value was provided. The 'name' can not be empty."),
        ("", f"{FIELD} name. Value: . '' should be non-empty"),
    ],
)
def test_a_type_needs_a_name(name: str | None, said: str | None) -> None:
    """Here there is one form, and what it says of itself is said."""
    assert refusal("POST", "/types", {"volume_type": {"name": name}}) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("why", None),
        (None, None),
        ("", None),
        (" ", f"{FIELD} disabled_reason. Value:  . ' ' is not a 'disabled_reason'"),
    ],
)
def test_a_reason_is_more_than_blanks(reason: str | None, said: str | None) -> None:
    """Or there is none."""
    body = {"name": "cluster@lvm", "disabled_reason": reason}
    assert refusal("PUT", "/clusters/disable", body) == said


def test_a_group_type_is_more_than_blanks() -> None:
    """In the words of the schema, whatever the format would say."""
    body = {"group": {"group_type": " ", "volume_types": ["thick"]}}
    assert refusal("POST", "/groups", body) == f"{FIELD} group_type. Value:  . ' ' is not a 'group_type'"
