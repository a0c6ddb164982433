"""``/backups``.

Sources: `cinder.api.contrib.backups`, `cinder.api.v3.backups`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.model import Backup
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
    METADATA,
    METADATA_OR_NULL,
    UUID,
    UUID_OR_NULL,
    Schema,
    nullable,
    only,
    record,
)

View = dict[str, Any]


def _id(request: Request) -> str:
    return request.path["backup_id"]


def _row(request: Request, backup: Backup) -> Row:
    return request.cloud.database.backups[backup.id]


def brief(request: Request, row: Row) -> View:
    """Id, name and links."""
    return {"id": row["id"], "name": row["display_name"], "links": request.links("backups", row["id"])}


def full(request: Request, row: Row) -> View:
    """Everything that the caller may see."""
    view: View = {
        "id": row["id"],
        "status": row["status"],
        "size": row["size"],
        "object_count": row["object_count"],
        "availability_zone": row["availability_zone"],
        "container": row["container"],
        "created_at": request.at(row["created_at"]),
        "updated_at": request.at(row.get("updated_at")),
        "name": row["display_name"],
        "description": row["display_description"],
        "fail_reason": row["fail_reason"],
        "volume_id": row["volume_id"],
        "links": request.links("backups", row["id"]),
        "is_incremental": row["parent_id"] is not None,
        "has_dependent_backups": row["num_dependent_backups"] > 0,
        "snapshot_id": row["snapshot_id"],
        "data_timestamp": request.at(row["data_timestamp"]),
    }
    if request.since(43):
        view["metadata"] = row["metadata"]
    if request.since(64) and row["encryption_key_id"]:
        view["encryption_key_id"] = row["encryption_key_id"]
    if request.since(18) and request.context.is_admin:
        view["os-backup-project-attr:project_id"] = row["project_id"]
    if request.since(56) and request.context.is_admin:
        view["user_id"] = row["user_id"]
    return view


def _list(request: Request, *, detail: bool) -> View:
    filters = wanted(request, "backup")
    try:
        everybody = to_bool(filters.pop("all_tenants", "0")) and request.context.is_admin
    except Fault:
        raise Fault(400, f"all_tenants must be a boolean, got '{request.query['all_tenants']}'.") from None
    passes = predicate(request, filters)
    found = request.cloud.backups.list_backups(request.context, all_tenants=everybody)
    return paged(
        request,
        [row for row in (_row(request, each) for each in found) if passes(row)],
        lambda marker: errors.BackupNotFound(backup_id=marker),
        fields=(*Backup.DEFAULTS, "updated_at"),
        name="backups",
        path="backups/detail" if detail else "backups",
        view=lambda row: full(request, row) if detail else brief(request, row),
    )


def index(request: Request) -> View:
    """List backups."""
    return _list(request, detail=False)


def detail(request: Request) -> View:
    """List backups with details."""
    return _list(request, detail=True)


def show(request: Request) -> View:
    """Show a backup."""
    return {
        "backup": full(request, _row(request, request.cloud.backups.get_backup(request.context, _id(request))))
    }


def create(request: Request) -> View:
    """Back a volume up."""
    body = named(request.body["backup"])
    made = request.cloud.backups.create(
        request.context,
        body["volume_id"],
        name=body.get("display_name"),
        description=body.get("display_description"),
        container=body.get("container"),
        incremental=to_bool(body.get("incremental", False)),
        force=to_bool(body.get("force", False)),
        snapshot_id=body.get("snapshot_id"),
        metadata=body.get("metadata") if request.since(43) else None,
        availability_zone=body.get("availability_zone") if request.since(51) else None,
    )
    return {"backup": brief(request, _row(request, made))}


def update(request: Request) -> View:
    """Change name, description or metadata."""
    body = named(request.body["backup"] or {})
    made = request.cloud.backups.update(
        request.context,
        _id(request),
        name=body.get("display_name"),
        description=body.get("display_description"),
        metadata=body.get("metadata") if request.since(43) else None,
    )
    return {"backup": brief(request, _row(request, made))}


def restore(request: Request) -> View:
    """Write a backup to a volume, or to a new one."""
    body = request.body["restore"]
    if body is None:
        raise Fault(400)
    volume = request.cloud.backups.restore(
        request.context, _id(request), volume_id=body.get("volume_id"), name=body.get("name")
    )
    return {
        "restore": {
            "backup_id": _id(request),
            "volume_id": volume.id,
            "volume_name": volume.display_name,
        }
    }


def export_record(request: Request) -> View:
    """Show how another Cinder imports a backup."""
    return {"backup-record": request.cloud.backups.export_record(request.context, _id(request))}


def import_record(request: Request) -> View:
    """Import what is in the store already."""
    wish = request.body["backup-record"]
    made = request.cloud.backups.import_record(request.context, wish["backup_service"], wish["backup_url"])
    return {"backup": brief(request, _row(request, made))}


def delete(request: Request) -> None:
    """Delete a backup."""
    request.cloud.backups.delete(request.context, _id(request))


def force_delete(request: Request) -> None:
    """Delete a backup whatever its status is."""
    request.cloud.backups.delete(request.context, _id(request), force=True)


def reset_status(request: Request) -> None:
    """Write the status by hand."""
    request.cloud.backups.reset_status(request.context, _id(request), wish(request)["status"].lower())


_ONE, _ACTION = "/backups/{backup_id}", "/backups/{backup_id}/action"
_NEW: dict[str, Schema] = {
    "volume_id": UUID,
    "container": ANY_NAME,
    "description": DESCRIPTION,
    "incremental": BOOLEAN,
    "force": BOOLEAN,
    "name": ANY_NAME,
    "snapshot_id": UUID_OR_NULL,
}
_NEW_WITH_METADATA = {**_NEW, "metadata": METADATA_OR_NULL}
_NEW_IN_ZONE = {**_NEW_WITH_METADATA, "availability_zone": ANY_NAME}
_CHANGES: dict[str, Schema] = {"name": ANY_NAME, "description": DESCRIPTION}
_RECORD: dict[str, Schema] = {
    "backup_service": {"type": "string", "minLength": 0, "maxLength": 255},
    "backup_url": {"type": "string", "minLength": 1, "format": "base64"},
}
_STATUS = record({"status": {"type": "string", "format": "backup_status"}}, "status")
_FILTERS = ("all_tenants", "name", "status", "volume_id", "limit", "marker", "offset", "sort", "with_count")

OPERATIONS = (
    Operation(method="GET", path="/backups", handler=index, query=_FILTERS),
    Operation(method="GET", path="/backups/detail", handler=detail, query=_FILTERS),
    Operation(method="GET", path=_ONE, handler=show),
    Operation(
        method="POST", path="/backups", handler=create, code=202,
        bodies=(
            (0, only("backup", record(_NEW, "volume_id"))),
            (43, only("backup", record(_NEW_WITH_METADATA, "volume_id"))),
            (51, only("backup", record(_NEW_IN_ZONE, "volume_id"))),
        ),
    ),
    Operation(
        method="PUT", path=_ONE, handler=update, since=9,
        bodies=(
            (9, only("backup", nullable(record(_CHANGES)))),
            (43, only("backup", nullable(record({**_CHANGES, "metadata": METADATA})))),
        ),
    ),
    Operation(method="DELETE", path=_ONE, handler=delete, code=202),
    Operation(method="GET", path=f"{_ONE}/export_record", handler=export_record, calls=True),
    Operation(
        method="POST", path="/backups/import_record", handler=import_record, code=201,
        bodies=((0, only("backup-record", record(_RECORD, "backup_service", "backup_url"))),),
    ),
    Operation(
        method="POST", path=f"{_ONE}/restore", handler=restore, code=202,
        bodies=((0, only("restore", nullable(record({"name": ANY_NAME, "volume_id": UUID_OR_NULL})))),),
    ),
    Operation(
        method="POST", path=_ACTION, handler=reset_status, code=202, action="os-reset_status",
        bodies=((0, only("os-reset_status", _STATUS)),),
    ),
    Operation(
        method="POST", path=_ACTION, handler=force_delete, code=202, action="os-force_delete",
        bodies=((0, only("os-force_delete", ANYTHING)),),
    ),
)  # fmt: skip
