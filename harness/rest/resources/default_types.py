"""``/default-types``: the volume type that a project gets where it asks for none, from microversion 3.62 on.

Source: `cinder.api.v3.default_types`.
"""

from __future__ import annotations

from typing import Any

from harness.model import DefaultType
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.schemas import NAME, record

View = dict[str, Any]

SINCE = 62


def _view(default: DefaultType) -> View:
    return {"project_id": default.id, "volume_type_id": default.volume_type_id}


def index(request: Request) -> View:
    """List the default types of all projects."""
    found = request.cloud.default_types.list_defaults(request.context)
    return {"default_types": [_view(each) for each in found]}


def show(request: Request) -> View:
    """Show the default type of a project."""
    found = request.cloud.default_types.of_project(request.context, request.path["project"])
    return {"default_type": _view(found)}


def choose(request: Request) -> View:
    """Choose the default type of a project."""
    kind = request.body["default_type"]["volume_type"]
    return {
        "default_type": _view(
            request.cloud.default_types.choose(request.context, request.path["project"], kind)
        )
    }


def unset(request: Request) -> None:
    """Let the deployment's default type hold for a project again."""
    request.cloud.default_types.unset(request.context, request.path["project"])


_ONE = "/default-types/{project}"
_CHOICE = {
    "type": "object",
    "properties": {"default_type": record({"volume_type": NAME}, "volume_type")},
    "required": ["default_type"],
}

OPERATIONS = (
    Operation(method="GET", path="/default-types", handler=index, since=SINCE),
    Operation(method="GET", path=_ONE, handler=show, since=SINCE),
    Operation(method="PUT", path=_ONE, handler=choose, since=SINCE, bodies=((SINCE, _CHOICE),)),
    Operation(method="DELETE", path=_ONE, handler=unset, code=204, since=SINCE),
)
