"""``/consistencygroups`` and ``/cgsnapshots``: groups and their snapshots as they were called before.

Everything is a group today; these two names are left for old clients. Groups that are made here have a type of
their own, which only drivers take that know consistency groups.

Sources: `cinder.api.contrib.consistencygroups`, `cinder.api.contrib.cgsnapshots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import errors
from harness.control_plane.groups import FOR_CONSISTENCY_GROUPS
from harness.control_plane.policy import authorize
from harness.model import Group
from harness.rest.faults import Fault
from harness.rest.filters import Row, predicate
from harness.rest.listing import limit_of, link_next, offset_of, page
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.resources.groups import names, row_of
from harness.rest.schemas import ANY_NAME, ANYTHING, BOOLEAN, DESCRIPTION, Schema

View = dict[str, Any]

_PAGING = ("limit", "marker", "offset", "sort", "sort_key", "sort_dir")


def _brief(row: Row) -> View:
    return {"id": row["id"], "name": row["name"]}


def _full(request: Request, row: Row) -> View:
    return {
        **_brief(row),
        "status": row["status"],
        "availability_zone": row["availability_zone"],
        "created_at": request.at(row["created_at"]),
        "description": row["description"],
        "volume_types": list(row["volume_type_ids"]),
    }


def _id(request: Request) -> str:
    return request.path["group_id"]


def _list(request: Request, *, detail: bool) -> View:
    filters = {name: value for name, value in request.query.items() if name not in _PAGING}
    everybody = request.context.is_admin and filters.pop("all_tenants", None) is not None
    passes = predicate(request, filters, renamed={})
    found = request.cloud.groups.list_groups(request.context, all_tenants=everybody)
    rows = page(
        request,
        [row for row in (row_of(request, each) for each in found) if passes(row)],
        lambda marker: errors.GroupNotFound(group_id=marker),
        fields=(*Group.DEFAULTS, "updated_at"),
    )
    answer: View = {"consistencygroups": [_full(request, row) if detail else _brief(row) for row in rows]}
    link_next(request, answer, "consistencygroup_links", rows, "consistencygroups")
    return answer


def index(request: Request) -> View:
    """List groups."""
    return _list(request, detail=False)


def detail(request: Request) -> View:
    """List groups with details."""
    return _list(request, detail=True)


def show(request: Request) -> View:
    """Show a group."""
    found = request.cloud.groups.get_group(request.context, _id(request))
    return {"consistencygroup": _full(request, row_of(request, found))}


def _texts(wish: View) -> tuple[str | None, str | None]:
    """Name and description, without blanks around them."""
    name, description = (wish.get(field) for field in ("name", "description"))
    return name.strip() if name else name, description.strip() if description else description


def create(request: Request) -> View:
    """Create a consistency group."""
    authorize(request.context, "group:create")
    wish = request.body["consistencygroup"]
    name, description = _texts(wish)
    kinds = wish["volume_types"]
    if not kinds:
        raise Fault(400, f"volume_types must be provided to create consistency group {name}.")
    zone = wish.get("availability_zone")
    # The schema takes anything, and Cinder fails over what is no text.
    if not isinstance(kinds, str) or not isinstance(zone, str | None):
        raise Fault(400, "Invalid input received: volume_types and availability_zone must be texts.")
    types = request.cloud.database.group_types.values()
    if all(kind["name"] != FOR_CONSISTENCY_GROUPS for kind in types):
        raise Fault(
            400,
            f"Group type {FOR_CONSISTENCY_GROUPS} not found. Rerun migration script to create the default "
            "cgsnapshot type.",
        )
    made = request.cloud.groups.create(
        request.context,
        FOR_CONSISTENCY_GROUPS,
        kinds.rstrip(",").split(","),
        name=name,
        description=description,
        availability_zone=zone,
    )
    return {"consistencygroup": _brief(row_of(request, made))}


def create_from_source(request: Request) -> View:
    """Create a group of another one, or of its snapshot."""
    authorize(request.context, "group:create")
    wish = request.body["consistencygroup-from-src"]
    name, description = _texts(wish)
    snapshot_id, source_id = wish.get("cgsnapshot_id"), wish.get("source_cgid")
    if not snapshot_id and not source_id:
        raise Fault(
            400,
            f"Either 'cgsnapshot_id' or 'source_cgid' must be provided to create consistency group {name} from "
            "source.",
        )
    if snapshot_id and source_id:
        raise Fault(
            400,
            f"Cannot provide both 'cgsnapshot_id' and 'source_cgid' to create consistency group {name} from "
            "source.",
        )
    made = request.cloud.groups.create_from_source(
        request.context,
        name=name,
        description=description,
        group_snapshot_id=snapshot_id,
        source_group_id=source_id,
    )
    return {"consistencygroup": _brief(row_of(request, made))}


def update(request: Request) -> None:
    """Change name and description, add and remove volumes."""
    group = request.cloud.groups.get_group(request.context, _id(request))
    authorize(request.context, "group:update", group)
    wish = request.body["consistencygroup"]
    name, description = _texts(wish)
    added, removed = wish.get("add_volumes"), wish.get("remove_volumes")
    if not (name or description or added or removed):
        raise Fault(
            400,
            "Name, description, add_volumes, and remove_volumes can not be all empty in the request body.",
        )
    request.cloud.groups.update(
        request.context,
        group.id,
        name=name,
        description=description,
        add_volumes=names(added),
        remove_volumes=names(removed),
    )


def delete(request: Request) -> None:
    """Delete a group, with its volumes if that is said."""
    wish = (request.body or {}).get("consistencygroup", {})
    force = to_bool(wish.get("force", False))
    request.cloud.groups.delete(request.context, _id(request), delete_volumes=force)


# ------------------------------------------------------------------------------------------------ snapshots


def _snapshot(request: Request, row: Row) -> View:
    return {
        **_brief(row),
        "consistencygroup_id": row["group_id"],
        "status": row["status"],
        "created_at": request.at(row["created_at"]),
        "description": row["description"],
    }


def _snapshots(request: Request) -> Sequence[Row]:
    """Those of the project, whoever asks; in pages by number, as in version 1."""
    found = request.cloud.groups.list_group_snapshots(request.context)
    offset = offset_of(request)
    newest_first = [request.cloud.database.group_snapshots[each.id] for each in reversed(found)]
    return newest_first[offset : offset + limit_of(request)]


def snapshots(request: Request) -> View:
    """List the snapshots of groups."""
    return {"cgsnapshots": [_brief(row) for row in _snapshots(request)]}


def snapshots_detail(request: Request) -> View:
    """List the snapshots of groups with details."""
    return {"cgsnapshots": [_snapshot(request, row) for row in _snapshots(request)]}


def show_snapshot(request: Request) -> View:
    """Show a snapshot of a group."""
    found = request.cloud.groups.get_group_snapshot(request.context, request.path["cgsnapshot_id"])
    return {"cgsnapshot": _snapshot(request, request.cloud.database.group_snapshots[found.id])}


def create_snapshot(request: Request) -> View:
    """Take a snapshot of each volume of a group."""
    wish = request.body["cgsnapshot"]
    name, description = _texts(wish)
    made = request.cloud.groups.create_group_snapshot(
        request.context, wish["consistencygroup_id"], name=name, description=description
    )
    return {"cgsnapshot": {"id": made.id, "name": made.name}}


def delete_snapshot(request: Request) -> None:
    """Delete the snapshots of a group's volumes."""
    request.cloud.groups.delete_group_snapshot(request.context, request.path["cgsnapshot_id"])


def _open(name: str, properties: dict[str, Schema], *required: str) -> Schema:
    """An object with that member, which has these at least."""
    inner: Schema = {"type": "object", "properties": properties}
    if required:
        inner["required"] = list(required)
    return {"type": "object", "properties": {name: inner}, "required": [name]}


_ONE, _SNAPSHOT = "/consistencygroups/{group_id}", "/cgsnapshots/{cgsnapshot_id}"
_TEXTS: dict[str, Schema] = {"name": ANY_NAME, "description": DESCRIPTION}
_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_NEW = _open(
    "consistencygroup", {**_TEXTS, "volume_types": ANYTHING, "availability_zone": ANYTHING}, "volume_types"
)
_COPY = _open("consistencygroup-from-src", {**_TEXTS, "cgsnapshot_id": _TEXT, "source_cgid": _TEXT})
_CHANGES = _open("consistencygroup", {**_TEXTS, "add_volumes": _TEXT_OR_NULL, "remove_volumes": _TEXT_OR_NULL})
_DELETION: Schema = {
    "oneOf": [
        _open("consistencygroup", {"force": BOOLEAN}),
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"type": "null"},
    ]
}
_NEW_SNAPSHOT = _open(
    "cgsnapshot", {"consistencygroup_id": _TEXT, "name": _TEXT, "description": _TEXT}, "consistencygroup_id"
)
_FILTERS = ("all_tenants", "limit", "marker", "offset", "sort")

OPERATIONS = (
    Operation(method="GET", path="/consistencygroups", handler=index, query=_FILTERS),
    Operation(method="GET", path="/consistencygroups/detail", handler=detail, query=_FILTERS),
    Operation(method="GET", path=_ONE, handler=show),
    Operation(method="POST", path="/consistencygroups", handler=create, code=202, bodies=((0, _NEW),)),
    Operation(
        method="POST", path="/consistencygroups/create_from_src", handler=create_from_source, code=202,
        bodies=((0, _COPY),),
    ),
    *(
        Operation(method="PUT", path=path, handler=update, code=202, bodies=((0, _CHANGES),))
        for path in (_ONE, f"{_ONE}/update")
    ),
    Operation(method="POST", path=f"{_ONE}/delete", handler=delete, code=202, bodies=((0, _DELETION),)),
    Operation(method="DELETE", path=_ONE, handler=delete, code=202, bodies=((0, _DELETION),)),
    Operation(method="GET", path="/cgsnapshots", handler=snapshots, query=("limit", "offset")),
    Operation(method="GET", path="/cgsnapshots/detail", handler=snapshots_detail, query=("limit", "offset")),
    Operation(method="GET", path=_SNAPSHOT, handler=show_snapshot),
    Operation(
        method="POST", path="/cgsnapshots", handler=create_snapshot, code=202, bodies=((0, _NEW_SNAPSHOT),)
    ),
    Operation(method="DELETE", path=_SNAPSHOT, handler=delete_snapshot, code=202),
)  # fmt: skip
