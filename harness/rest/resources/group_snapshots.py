"""``/group_snapshots``: snapshots of all volumes of a group, from microversion 3.14 on.

Source: `cinder.api.v3.group_snapshots`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.model import GroupSnapshot
from harness.rest.filters import Row, predicate, wanted
from harness.rest.listing import link_next, page
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.resources.group_types import require_generic
from harness.rest.resources.volume_actions import wish
from harness.rest.schemas import ANY_NAME, DESCRIPTION, UUID, only, record

View = dict[str, Any]

SINCE, RESET_SINCE, PAGED_SINCE = 14, 19, 29
_ONLY = "group snapshots can only be operated by CG snapshot APIs"


def brief(row: Row) -> View:
    """What a creation is answered with."""
    return {"id": row["id"], "name": row["name"], "group_type_id": row["group_type_id"]}


def full(request: Request, row: Row) -> View:
    """A group snapshot as the caller sees it."""
    view = {
        **brief(row),
        "group_id": row["group_id"],
        "status": row["status"],
        "created_at": request.at(row["created_at"]),
        "description": row["description"],
    }
    if request.since(58) and request.context.is_admin:
        view["project_id"] = row["project_id"]
    return view


def _id(request: Request) -> str:
    return request.path["group_snapshot_id"]


def row_of(request: Request, found: GroupSnapshot) -> Row:
    """The row of a group snapshot that the caller may see."""
    return request.cloud.database.group_snapshots[found.id]


def _list(request: Request, *, detail: bool) -> View:
    filters = wanted(request, "group_snapshot") if request.since(PAGED_SINCE) else {}
    # That it is there is enough, whatever it says (`cinder.group.api:API.get_all_group_snapshots`).
    everybody = request.context.is_admin and filters.pop("all_tenants", None) is not None
    passes = predicate(request, filters, renamed={})
    found = request.cloud.groups.list_group_snapshots(request.context, all_tenants=everybody)
    rows = [row for row in (row_of(request, each) for each in found) if passes(row)]
    if request.since(PAGED_SINCE):
        rows = page(
            request,
            rows,
            lambda marker: errors.GroupSnapshotNotFound(group_snapshot_id=marker),
            fields=(*GroupSnapshot.DEFAULTS, "updated_at"),
        )
    views = [full(request, row) if detail else {"id": row["id"], "name": row["name"]} for row in rows]
    answer: View = {"group_snapshots": views}
    link_next(request, answer, "group_snapshot_links", rows, "group_snapshots")
    return answer


def index(request: Request) -> View:
    """List group snapshots."""
    return _list(request, detail=False)


def detail(request: Request) -> View:
    """List group snapshots with details."""
    return _list(request, detail=True)


def show(request: Request) -> View:
    """Show a group snapshot."""
    found = request.cloud.groups.get_group_snapshot(request.context, _id(request))
    require_generic(request, found.group_type_id, _ONLY)
    return {"group_snapshot": full(request, row_of(request, found))}


def create(request: Request) -> View:
    """Take a snapshot of each volume of a group."""
    body = request.body["group_snapshot"]
    group = request.cloud.groups.get_group(request.context, body["group_id"])
    require_generic(request, group.group_type_id, _ONLY)
    made = request.cloud.groups.create_group_snapshot(
        request.context, group.id, name=body.get("name"), description=body.get("description")
    )
    return {"group_snapshot": brief(row_of(request, made))}


def delete(request: Request) -> None:
    """Delete a group snapshot, with the snapshots of the volumes."""
    found = request.cloud.groups.get_group_snapshot(request.context, _id(request))
    require_generic(request, found.group_type_id, _ONLY)
    request.cloud.groups.delete_group_snapshot(request.context, _id(request))


def reset_status(request: Request) -> None:
    """Write the status by hand."""
    status = wish(request)["status"].lower()
    request.cloud.groups.reset_group_snapshot_status(request.context, _id(request), status)


_ONE, _ACTION = "/group_snapshots/{group_snapshot_id}", "/group_snapshots/{group_snapshot_id}/action"
_NEW = record({"group_id": UUID, "name": ANY_NAME, "description": DESCRIPTION}, "group_id")
_STATUS = record({"status": {"type": "string", "format": "group_snapshot_status"}}, "status")
_FILTERS = ("all_tenants", "name", "status", "group_id", "limit", "marker", "offset", "sort")

OPERATIONS = (
    Operation(method="GET", path="/group_snapshots", handler=index, since=SINCE, query=_FILTERS),
    Operation(method="GET", path="/group_snapshots/detail", handler=detail, since=SINCE, query=_FILTERS),
    Operation(method="GET", path=_ONE, handler=show, since=SINCE),
    Operation(
        method="POST", path="/group_snapshots", handler=create, code=202, since=SINCE,
        bodies=((SINCE, only("group_snapshot", _NEW)),),
    ),
    Operation(method="DELETE", path=_ONE, handler=delete, code=202, since=SINCE),
    Operation(
        method="POST", path=_ACTION, handler=reset_status, code=202, since=RESET_SINCE, action="reset_status",
        bodies=((RESET_SINCE, only("reset_status", _STATUS)),),
    ),
)  # fmt: skip
