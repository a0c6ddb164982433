"""``/groups`` and ``/group_types``: generic groups of volumes, from microversion 3.13 and 3.11 on.

Sources: `cinder.api.v3.groups`, `cinder.api.v3.group_types`, `cinder.api.v3.group_specs`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.model import Group, GroupType
from harness.rest.faults import Fault
from harness.rest.filters import Row, predicate, wanted
from harness.rest.listing import paged
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.resources.volume_actions import wish
from harness.rest.schemas import (
    ANY_NAME,
    BOOLEAN,
    DESCRIPTION,
    METADATA_OR_NULL,
    NAME,
    Schema,
    any_of,
    only,
    record,
)

View = dict[str, Any]

SINCE, TYPES_SINCE, RESET_SINCE = 13, 11, 20


def full(request: Request, row: Row) -> View:
    """A group as the caller sees it."""
    view: View = {
        "id": row["id"],
        "status": row["status"],
        "availability_zone": row["availability_zone"],
        "created_at": request.at(row["created_at"]),
        "name": row["name"],
        "description": row["description"],
        "group_type": row["group_type_id"],
        "volume_types": list(row["volume_type_ids"]),
    }
    if request.since(14):
        view |= {"group_snapshot_id": None, "source_group_id": None}
    if request.since(25) and request.flag("list_volume"):
        view["volumes"] = [
            each["id"] for each in request.cloud.database.volumes.values() if each["group_id"] == row["id"]
        ]
    if request.since(38):
        view["replication_status"] = row["replication_status"]
    if request.since(58) and request.context.is_admin:
        view["project_id"] = row["project_id"]
    return view


def _id(request: Request) -> str:
    return request.path["group_id"]


def _row(request: Request, group: Group) -> Row:
    return request.cloud.database.groups[group.id]


def _list(request: Request, *, detail: bool) -> View:
    filters = wanted(request, "group", ignored=("list_volume",))
    filters.pop("list_volume", None)
    # That it is there is enough, whatever it says (`cinder.group.api:API.get_all`).
    everybody = request.context.is_admin and filters.pop("all_tenants", None) is not None
    if "name" in filters:
        name = filters.pop("name")
        found = [
            each
            for each in request.cloud.groups.list_groups(request.context, all_tenants=everybody)
            if each.name == name
        ]
    else:
        found = request.cloud.groups.list_groups(request.context, all_tenants=everybody)
    passes = predicate(request, filters)
    return paged(
        request,
        [row for row in (_row(request, each) for each in found) if passes(row)],
        lambda marker: errors.GroupNotFound(group_id=marker),
        fields=(*Group.DEFAULTS, "updated_at"),
        name="groups",
        path="groups",
        view=lambda row: full(request, row) if detail else {"id": row["id"], "name": row["name"]},
    )


def index(request: Request) -> View:
    """List groups."""
    return _list(request, detail=False)


def detail(request: Request) -> View:
    """List groups with details."""
    return _list(request, detail=True)


def show(request: Request) -> View:
    """Show a group."""
    return {
        "group": full(request, _row(request, request.cloud.groups.get_group(request.context, _id(request))))
    }


def create(request: Request) -> View:
    """Create a group for volumes of some types."""
    body = request.body["group"]
    kinds = request.cloud.database.group_types.values()
    if body["group_type"] not in {kind[key] for kind in kinds for key in ("id", "name")}:
        raise errors.GroupTypeNotFoundByName(group_type_name=body["group_type"])
    made = request.cloud.groups.create(
        request.context,
        body["group_type"],
        body["volume_types"],
        name=_trimmed(body.get("name")),
        description=_trimmed(body.get("description")),
        availability_zone=body.get("availability_zone"),
    )
    return {"group": {"id": made.id, "name": made.name}}


def _trimmed(text: str | None) -> str | None:
    return text.strip() if text else text


def update(request: Request) -> None:
    """Change name and description, add and remove volumes."""
    body = request.body["group"]
    request.cloud.groups.update(
        request.context,
        _id(request),
        name=_trimmed(body.get("name")),
        description=_trimmed(body.get("description")),
        add_volumes=_names(body.get("add_volumes")),
        remove_volumes=_names(body.get("remove_volumes")),
    )


def _names(text: str | None) -> list[str]:
    """Ids with commas between them."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def delete(request: Request) -> None:
    """Delete a group, with its volumes if that is said."""
    flag = to_bool(wish(request).get("delete-volumes", False))
    request.cloud.groups.delete(request.context, _id(request), delete_volumes=flag)


def reset_status(request: Request) -> None:
    """Write the status by hand."""
    request.cloud.groups.reset_status(request.context, _id(request), wish(request)["status"].lower())


# ---------------------------------------------------------------------------------------------------- types


def _type_view(request: Request, kind: GroupType) -> View:
    view: View = {
        "id": kind.id,
        "name": kind.name,
        "description": kind.description,
        "is_public": kind.is_public,
    }
    if request.context.is_admin:
        view["group_specs"] = kind.group_specs
    return view


def types(request: Request) -> View:
    """List group types."""
    kinds = {kind.id: kind for kind in request.cloud.groups.list_types(request.context)}
    return paged(
        request,
        [request.cloud.database.group_types[name] for name in kinds],
        lambda marker: errors.GroupTypeNotFound(group_type_id=marker),
        fields=(*GroupType.DEFAULTS, "created_at"),
        name="group_types",
        path="group_types",
        view=lambda row: _type_view(request, kinds[row["id"]]),
    )


def show_type(request: Request) -> View:
    """Show a group type."""
    kind = request.cloud.groups.get_type(request.context, request.path["type_id"])
    return {"group_type": _type_view(request, kind)}


def create_type(request: Request) -> View:
    """Create a group type."""
    body = request.body["group_type"]
    kind = request.cloud.groups.create_type(
        request.context,
        body["name"],
        description=body.get("description"),
        is_public=to_bool(body.get("is_public", True)),
        group_specs=body.get("group_specs"),
    )
    return {"group_type": _type_view(request, kind)}


def delete_type(request: Request) -> None:
    """Delete a group type that no group has."""
    try:
        request.cloud.groups.delete_type(request.context, request.path["type_id"])
    except errors.GroupTypeInUse as error:
        raise Fault(400, f"Target group type is still in use. {error}") from None


def list_specs(request: Request) -> View:
    """List the group specs of a group type."""
    kind = request.cloud.groups.get_type(request.context, request.path["type_id"])
    if not request.context.is_admin:
        raise Fault(403, "Policy doesn't allow group:group_types_specs:get_all to be performed.")
    return {"group_specs": kind.group_specs}


_ONE, _ACTION = "/groups/{group_id}", "/groups/{group_id}/action"
_TYPE_NAMES: Schema = {
    "type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 255}, "uniqueItems": True
}  # fmt: skip
_NEW = record(
    {
        "description": DESCRIPTION,
        "group_type": {"type": "string", "format": "group_type"},
        "name": ANY_NAME,
        "volume_types": _TYPE_NAMES,
        "availability_zone": {"type": ["string", "null"], "format": "availability_zone"},
    },
    "group_type",
    "volume_types",
)
_CHANGES: Schema = {
    "type": "object",
    "properties": {
        "description": DESCRIPTION,
        "name": ANY_NAME,
        "add_volumes": DESCRIPTION,
        "remove_volumes": DESCRIPTION,
    },
    "anyOf": any_of("name", "description", "add_volumes", "remove_volumes"),
    "additionalProperties": False,
}
_NEW_TYPE = record(
    {"name": NAME, "description": DESCRIPTION, "is_public": BOOLEAN, "group_specs": METADATA_OR_NULL}, "name"
)
_STATUS = record({"status": {"type": "string", "format": "group_status"}}, "status")
_FILTERS = ("all_tenants", "name", "list_volume", "limit", "marker", "offset", "sort")

OPERATIONS = (
    Operation(method="GET", path="/groups", handler=index, since=SINCE, query=_FILTERS),
    Operation(method="GET", path="/groups/detail", handler=detail, since=SINCE, query=_FILTERS),
    Operation(method="GET", path=_ONE, handler=show, since=SINCE, query=("list_volume",)),
    Operation(
        method="POST", path="/groups", handler=create, code=202, since=SINCE,
        bodies=((SINCE, only("group", _NEW)),),
    ),
    Operation(
        method="PUT", path=_ONE, handler=update, code=202, since=SINCE,
        bodies=((SINCE, only("group", _CHANGES)),),
    ),
    Operation(
        method="POST", path=_ACTION, handler=delete, code=202, since=SINCE, action="delete",
        bodies=((SINCE, only("delete", record({"delete-volumes": BOOLEAN}))),),
    ),
    Operation(
        method="POST", path=_ACTION, handler=reset_status, code=202, since=RESET_SINCE, action="reset_status",
        bodies=((RESET_SINCE, only("reset_status", _STATUS)),),
    ),
    Operation(method="GET", path="/group_types", handler=types, since=TYPES_SINCE),
    Operation(method="GET", path="/group_types/{type_id}", handler=show_type, since=TYPES_SINCE),
    Operation(method="GET", path="/group_types/{type_id}/group_specs", handler=list_specs, since=TYPES_SINCE),
    Operation(
        method="POST", path="/group_types", handler=create_type, code=202, since=TYPES_SINCE,
        bodies=((TYPES_SINCE, only("group_type", _NEW_TYPE)),),
    ),
    Operation(
        method="DELETE", path="/group_types/{type_id}", handler=delete_type, code=202, since=TYPES_SINCE
    ),
)  # fmt: skip
