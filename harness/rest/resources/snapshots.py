"""``/snapshots``.

Sources: `cinder.api.v3.snapshots`, `cinder.api.contrib.admin_actions`, `extended_snapshot_attributes`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.model import Snapshot
from harness.rest.faults import Fault
from harness.rest.filters import Row, predicate, wanted
from harness.rest.listing import paged
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.resources.volume_actions import wish
from harness.rest.resources.volumes import named
from harness.rest.schemas import (
    ANY_NAME,
    ANYTHING,
    BOOLEAN,
    DESCRIPTION,
    METADATA_OR_NULL,
    UUID_OR_NULL,
    any_of,
    only,
    record,
)

View = dict[str, Any]

FORCE_IS_INVALID = (
    "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, "
    "however, when the 'force' flag is passed with a value evaluating to True, it is silently ignored."
)


def brief(request: Request, row: Row) -> View:
    """What a list without details shows."""
    return {
        "id": row["id"],
        "created_at": request.at(row["created_at"]),
        "updated_at": request.at(row.get("updated_at")),
        "name": row["display_name"],
        "description": row["display_description"],
        "volume_id": row["volume_id"],
        "status": row["status"],
        "size": row["volume_size"],
        "metadata": row["metadata"],
    }


def view(request: Request, row: Row) -> View:
    """A snapshot as the caller sees it."""
    shown = brief(request, row)
    if request.since(14):
        shown["group_snapshot_id"] = row["group_snapshot_id"]
    if request.since(41):
        shown["user_id"] = row["user_id"]
    if request.since(65):
        shown["consumes_quota"] = row["use_quota"]
    return shown


def full(request: Request, row: Row) -> View:
    """With the attributes of extensions, which creations do not answer with."""
    return {
        **view(request, row),
        "os-extended-snapshot-attributes:project_id": row["project_id"],
        "os-extended-snapshot-attributes:progress": row["progress"],
    }


def _id(request: Request) -> str:
    return request.path["snapshot_id"]


def _row(request: Request, snapshot: Snapshot) -> Row:
    return request.cloud.database.snapshots[snapshot.id]


def _list(request: Request, *, detail: bool) -> View:
    filters = wanted(request, "snapshot", {"metadata": 22, "use_quota": 65})
    everybody = request.context.is_admin and request.loose_flag("all_tenants")
    filters.pop("all_tenants", None)
    passes = predicate(request, filters)
    snapshots = request.cloud.api.list_snapshots(request.context, all_tenants=everybody)
    rows = [row for row in (_row(request, each) for each in snapshots) if passes(row)]
    view = full if detail else brief
    return paged(
        request,
        rows,
        lambda marker: errors.SnapshotNotFound(snapshot_id=marker),
        fields=_SORTABLE,
        name="snapshots",
        path="snapshots/detail" if detail else "snapshots",
        view=lambda row: view(request, row),
    )


def index(request: Request) -> View:
    """List snapshots."""
    return _list(request, detail=False)


def detail(request: Request) -> View:
    """List snapshots with details."""
    return _list(request, detail=True)


def show(request: Request) -> View:
    """Show a snapshot."""
    snapshot = request.cloud.api.get_snapshot(request.context, _id(request))
    return {"snapshot": full(request, _row(request, snapshot))}


def create(request: Request) -> View:
    """Create a snapshot; one of a volume in use needs force before 3.66."""
    body = named(request.body["snapshot"])
    force = None if body.get("force") is None else to_bool(body["force"])
    if request.since(66) and force is False:
        raise Fault(400, FORCE_IS_INVALID)
    snapshot = request.cloud.api.create_snapshot(
        request.context,
        body["volume_id"] or "",
        name=body.get("display_name"),
        description=body.get("display_description"),
        metadata=body.get("metadata"),
        force=force,
        microversion=(3, request.minor),
    )
    return {"snapshot": view(request, _row(request, snapshot))}


def update(request: Request) -> View:
    """Change name or description."""
    body = named(request.body["snapshot"])
    snapshot = request.cloud.api.update_snapshot(
        request.context,
        _id(request),
        name=body.get("display_name"),
        description=body.get("display_description"),
    )
    return {"snapshot": view(request, _row(request, snapshot))}


def delete(request: Request) -> None:
    """Delete a snapshot."""
    request.cloud.api.delete_snapshot(request.context, _id(request))


def force_delete(request: Request) -> None:
    """Delete a snapshot whatever its status is."""
    request.cloud.api.delete_snapshot(request.context, _id(request), force=True)


def unmanage(request: Request) -> None:
    """Forget a snapshot, and leave what is on the back-end."""
    request.cloud.api.unmanage_snapshot(request.context, _id(request))


def update_status(request: Request) -> None:
    """Say how a snapshot gets on that somebody else takes or deletes; Nova does."""
    body = wish(request)
    request.cloud.api.update_snapshot_status(
        request.context, _id(request), body["status"], progress=body.get("progress")
    )


def reset_status(request: Request) -> None:
    """Write the status by hand."""
    request.cloud.api.reset_snapshot_status(request.context, _id(request), wish(request)["status"])


_SORTABLE = frozenset((*Snapshot.DEFAULTS, "updated_at"))
_ONE, _ACTION = "/snapshots/{snapshot_id}", "/snapshots/{snapshot_id}/action"
_NEW = record(
    {
        "name": ANY_NAME,
        "display_name": ANY_NAME,
        "description": DESCRIPTION,
        "volume_id": UUID_OR_NULL,
        "force": BOOLEAN,
        "metadata": METADATA_OR_NULL,
    },
    "volume_id",
)
_CHANGES = {
    **record(
        {
            "name": ANY_NAME,
            "description": DESCRIPTION,
            "display_name": ANY_NAME,
            "display_description": DESCRIPTION,
        }
    ),
    "anyOf": any_of("name", "description", "display_name", "display_description"),
}
_STATUS = record({"status": {"type": "string", "format": "snapshot_status"}}, "status")
_PROGRESS = record({"status": {"type": "string"}, "progress": {"format": "progress"}}, "status")
_FILTERS = ("all_tenants", "name", "status", "volume_id", "metadata", "limit", "marker", "offset", "sort")

OPERATIONS = (
    Operation(
        method="POST", path=_ACTION, handler=unmanage, code=202, action="os-unmanage",
        bodies=((0, only("os-unmanage", ANYTHING)),),
    ),
    Operation(method="GET", path="/snapshots", handler=index, query=_FILTERS),
    Operation(method="GET", path="/snapshots/detail", handler=detail, query=_FILTERS),
    Operation(method="GET", path=_ONE, handler=show),
    Operation(
        method="POST", path="/snapshots", handler=create, code=202, bodies=((0, only("snapshot", _NEW)),)
    ),
    Operation(method="PUT", path=_ONE, handler=update, bodies=((0, only("snapshot", _CHANGES)),)),
    Operation(method="DELETE", path=_ONE, handler=delete, code=202),
    Operation(
        method="POST", path=_ACTION, handler=reset_status, code=202, action="os-reset_status",
        bodies=((0, only("os-reset_status", _STATUS)),),
    ),
    Operation(
        method="POST", path=_ACTION, handler=update_status, code=202, action="os-update_snapshot_status",
        bodies=((0, only("os-update_snapshot_status", _PROGRESS)),),
    ),
    Operation(
        method="POST", path=_ACTION, handler=force_delete, code=202, action="os-force_delete",
        bodies=((0, only("os-force_delete", ANYTHING)),),
    ),
)  # fmt: skip
