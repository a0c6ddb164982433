"""``/groups``: generic groups of volumes, from microversion 3.13 on.

Source: `cinder.api.v3.groups`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.groups import is_consistency_group
from harness.model import Group
from harness.rest.faults import Fault
from harness.rest.filters import Row, predicate, wanted
from harness.rest.listing import paged
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.resources.group_types import require_generic
from harness.rest.resources.volume_actions import wish
from harness.rest.schemas import (
    ANY_NAME,
    BOOLEAN,
    DESCRIPTION,
    UUID,
    Schema,
    any_of,
    only,
    record,
)

View = dict[str, Any]

SINCE, SOURCE_SINCE, RESET_SINCE, REPLICATION_SINCE = 13, 14, 20, 38
_ONLY = "group can only be operated by CG APIs"


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
        view |= {name: row[name] for name in ("group_snapshot_id", "source_group_id")}
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


def row_of(request: Request, group: Group) -> Row:
    """The row of a group that the caller may see."""
    return request.cloud.database.groups[group.id]


def _list(request: Request, *, detail: bool) -> View:
    filters = wanted(request, "group", ignored=("list_volume",))
    filters.pop("list_volume", None)
    # That it is there is enough, whatever it says (`cinder.group.api:API.get_all`).
    everybody = request.context.is_admin and filters.pop("all_tenants", None) is not None
    passes = predicate(request, filters, renamed={})
    groups = request.cloud.groups.list_groups(request.context, all_tenants=everybody)
    rows = [
        row_of(request, each)
        for each in groups
        if not is_consistency_group(request.cloud.database, each.group_type_id)
    ]
    return paged(
        request,
        [row for row in rows if passes(row)],
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
    found = request.cloud.groups.get_group(request.context, _id(request))
    require_generic(request, found.group_type_id, _ONLY)
    return {"group": full(request, row_of(request, found))}


def create(request: Request) -> View:
    """Create a group for volumes of some types."""
    body = request.body["group"]
    kinds = request.cloud.database.group_types.values()
    if body["group_type"] not in {kind[key] for kind in kinds for key in ("id", "name")}:
        raise errors.GroupTypeNotFoundByName(group_type_name=body["group_type"])
    require_generic(request, request.cloud.database.get_group_type(body["group_type"]).id, _ONLY)
    made = request.cloud.groups.create(
        request.context,
        body["group_type"],
        body["volume_types"],
        name=_trimmed(body.get("name")),
        description=_trimmed(body.get("description")),
        availability_zone=body.get("availability_zone"),
    )
    return {"group": {"id": made.id, "name": made.name}}


def create_from_source(request: Request) -> View:
    """Create a group of another one, or of its snapshot."""
    body = request.body["create-from-src"]
    try:
        made = request.cloud.groups.create_from_source(
            request.context,
            name=_trimmed(body.get("name")),
            description=_trimmed(body.get("description")),
            group_snapshot_id=body.get("group_snapshot_id"),
            source_group_id=body.get("source_group_id"),
        )
    except errors.NotFoundError:
        raise
    except errors.ServiceError as error:
        raise Fault(400, str(error)) from None  # whatever else it is: a quota, a permission
    return {"group": {"id": made.id, "name": made.name}}


def _trimmed(text: str | None) -> str | None:
    return text.strip() if text else text


def update(request: Request) -> None:
    """Change name and description, add and remove volumes."""
    _require_generic(request)
    body = request.body["group"]
    request.cloud.groups.update(
        request.context,
        _id(request),
        name=_trimmed(body.get("name")),
        description=_trimmed(body.get("description")),
        add_volumes=names(body.get("add_volumes")),
        remove_volumes=names(body.get("remove_volumes")),
    )


def names(text: str | None) -> list[str]:
    """Ids with commas between them."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def delete(request: Request) -> None:
    """Delete a group, with its volumes if that is said."""
    _require_generic(request)
    flag = to_bool(wish(request).get("delete-volumes", False))
    request.cloud.groups.delete(request.context, _id(request), delete_volumes=flag)


def _require_generic(request: Request) -> None:
    group = request.cloud.groups.get_group(request.context, _id(request))
    require_generic(request, group.group_type_id, _ONLY)


def reset_status(request: Request) -> None:
    """Write the status by hand."""
    request.cloud.groups.reset_status(request.context, _id(request), wish(request)["status"].lower())


def enable_replication(request: Request) -> None:
    """Replicate the volumes of a group."""
    request.cloud.groups.enable_replication(request.context, _id(request))


def disable_replication(request: Request) -> None:
    """No longer replicate the volumes of a group."""
    request.cloud.groups.disable_replication(request.context, _id(request))


def failover_replication(request: Request) -> None:
    """Fail a group over to a replica, or back."""
    body = wish(request)
    request.cloud.groups.failover_replication(
        request.context,
        _id(request),
        allow_attached_volume=to_bool(body.get("allow_attached_volume", False)),
        secondary_backend_id=body.get("secondary_backend_id"),
    )


def list_replication_targets(request: Request) -> View:
    """List the replicas that a group can fail over to."""
    targets = request.cloud.groups.list_replication_targets(request.context, _id(request))
    return {"replication_targets": targets}


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
_COPY: Schema = {
    **record(
        {"description": DESCRIPTION, "name": ANY_NAME, "source_group_id": UUID, "group_snapshot_id": UUID}
    ),
    "oneOf": any_of("group_snapshot_id", "source_group_id"),
}
_FAILOVER = record({"allow_attached_volume": BOOLEAN, "secondary_backend_id": ANY_NAME})
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
    Operation(
        method="POST", path="/groups/action", handler=create_from_source, code=202, since=SOURCE_SINCE,
        action="create-from-src", bodies=((SOURCE_SINCE, only("create-from-src", _COPY)),),
    ),
    *(
        Operation(
            method="POST", path=_ACTION, handler=handler, code=code, since=REPLICATION_SINCE, action=action,
            bodies=((REPLICATION_SINCE, only(action, body)),),
        )
        for action, handler, code, body in (
            ("enable_replication", enable_replication, 202, {"type": "object"}),
            ("disable_replication", disable_replication, 202, {"type": "object"}),
            ("failover_replication", failover_replication, 202, _FAILOVER),
            ("list_replication_targets", list_replication_targets, 200, {"type": "object"}),
        )
    ),
)  # fmt: skip
