"""``/group_types``: what volume types are for volumes, for groups of them, from microversion 3.11 on.

Sources: `cinder.api.v3.group_types`, `cinder.api.v3.group_specs`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.groups import is_consistency_group
from harness.control_plane.policy import require_admin
from harness.model import GroupType
from harness.rest.faults import Fault
from harness.rest.listing import paged
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.schemas import (
    ANY_NAME,
    BOOLEAN,
    DESCRIPTION,
    METADATA_OR_NULL,
    NAME,
    Schema,
    mapping,
    only,
    record,
)

View = dict[str, Any]

SINCE = 11
_POLICY = "group:group_types_specs"


def require_generic(request: Request, group_type_id: str, only_by: str) -> None:
    """Fault 400 for a consistency group, which has an API of its own (`_check_default_cgsnapshot_type`)."""
    if is_consistency_group(request.cloud.database, group_type_id):
        raise Fault(
            400, f"Group_type {group_type_id} is reserved for migrating CGs to groups. Migrated {only_by}."
        )


def view(request: Request, kind: GroupType) -> View:
    """A group type as the caller sees it."""
    shown: View = {
        "id": kind.id,
        "name": kind.name,
        "description": kind.description,
        "is_public": kind.is_public,
    }
    if request.context.is_admin:
        shown["group_specs"] = kind.group_specs
    return shown


def _id(request: Request) -> str:
    return request.path["type_id"]


def index(request: Request) -> View:
    """List group types."""
    kinds = {kind.id: kind for kind in request.cloud.groups.list_types(request.context)}
    return paged(
        request,
        [request.cloud.database.group_types[name] for name in kinds],
        lambda marker: errors.GroupTypeNotFound(group_type_id=marker),
        fields=(*GroupType.DEFAULTS, "created_at"),
        name="group_types",
        path="group_types",
        view=lambda row: view(request, kinds[row["id"]]),
    )


def show(request: Request) -> View:
    """Show a group type; a default one is not configured."""
    if _id(request) == "default":
        raise Fault(404, "Default group type can not be found.")
    return {"group_type": view(request, request.cloud.groups.get_type(request.context, _id(request)))}


def create(request: Request) -> View:
    """Create a group type."""
    body = request.body["group_type"]
    kind = request.cloud.groups.create_type(
        request.context,
        body["name"],
        description=body.get("description"),
        is_public=to_bool(body.get("is_public", True)),
        group_specs=body.get("group_specs"),
    )
    return {"group_type": view(request, kind)}


def update(request: Request) -> View:
    """Change name, description or visibility."""
    require_admin(request.context, "group:group_types:update")
    body = request.body["group_type"]
    name, description, public = (body.get(key) for key in ("name", "description", "is_public"))
    if name and not name.strip():
        raise Fault(400, "Group type name can not be empty.")
    if name is None and description is None and public is None:
        raise Fault(400, "Specify group type name, description or a combination thereof.")
    kind = request.cloud.groups.update_type(
        request.context,
        _id(request),
        name=name,
        description=description,
        is_public=None if public is None else to_bool(public),
    )
    return {"group_type": view(request, kind)}


def delete(request: Request) -> None:
    """Delete a group type that no group has."""
    try:
        request.cloud.groups.delete_type(request.context, _id(request))
    except errors.GroupTypeInUse as error:
        raise Fault(400, f"Target group type is still in use. {error}") from None


# ---------------------------------------------------------------------------------------------------- specs


def _specs(request: Request, what: str) -> dict[str, str]:
    require_admin(request.context, f"{_POLICY}:{what}")
    return request.cloud.groups.get_type(request.context, _id(request)).group_specs


def list_specs(request: Request) -> View:
    """List the specs of a group type."""
    return {"group_specs": _specs(request, "get_all")}


def show_spec(request: Request) -> View:
    """Show one spec."""
    specs, key = _specs(request, "get"), request.path["key"]
    if key not in specs:
        raise Fault(404, f"Group Type {_id(request)} has no extra spec with key {key}.")
    return {key: specs[key]}


def set_specs(request: Request) -> View:
    """Add or replace specs."""
    _specs(request, "create")
    request.cloud.groups.set_specs(request.context, _id(request), request.body["group_specs"])
    return dict(request.body)


def set_spec(request: Request) -> View:
    """Replace one spec."""
    _specs(request, "update")
    if request.path["key"] not in request.body:
        raise Fault(400, "Request body and URI mismatch")
    request.cloud.groups.set_specs(request.context, _id(request), request.body)
    return dict(request.body)


def delete_spec(request: Request) -> None:
    """Remove one spec."""
    request.cloud.groups.delete_spec(request.context, _id(request), request.path["key"])


_ONE, _SPECS, _SPEC = (
    "/group_types/{type_id}", "/group_types/{type_id}/group_specs", "/group_types/{type_id}/group_specs/{key}"
)  # fmt: skip
_NEW = record(
    {"name": NAME, "description": DESCRIPTION, "is_public": BOOLEAN, "group_specs": METADATA_OR_NULL}, "name"
)
_CHANGES = record({"name": ANY_NAME, "description": DESCRIPTION, "is_public": BOOLEAN})
_SPECS_BODY: Schema = mapping("^[a-zA-Z0-9-_:.]{1,255}$", {"type": ["string", "null"], "maxLength": 255})

OPERATIONS = (
    Operation(method="GET", path="/group_types", handler=index, since=SINCE),
    Operation(method="GET", path=_ONE, handler=show, since=SINCE),
    Operation(
        method="POST", path="/group_types", handler=create, code=202, since=SINCE,
        bodies=((SINCE, only("group_type", _NEW)),),
    ),
    Operation(
        method="PUT", path=_ONE, handler=update, since=SINCE, bodies=((SINCE, only("group_type", _CHANGES)),)
    ),
    Operation(method="DELETE", path=_ONE, handler=delete, code=202, since=SINCE),
    Operation(method="GET", path=_SPECS, handler=list_specs, since=SINCE),
    Operation(
        method="POST", path=_SPECS, handler=set_specs, code=202, since=SINCE,
        bodies=((SINCE, only("group_specs", _SPECS_BODY)),),
    ),
    Operation(method="GET", path=_SPEC, handler=show_spec, since=SINCE),
    Operation(
        method="PUT", path=_SPEC, handler=set_spec, since=SINCE,
        bodies=((SINCE, {**_SPECS_BODY, "minProperties": 1, "maxProperties": 1}),),
    ),
    Operation(method="DELETE", path=_SPEC, handler=delete_spec, code=202, since=SINCE),
)  # fmt: skip
