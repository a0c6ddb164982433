"""``/volumes``: list, show, create, change, delete.

Source: `cinder.api.v3.volumes:VolumeController`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from harness import errors
from harness.model import Volume
from harness.rest.faults import Fault
from harness.rest.filters import Row, predicate, wanted
from harness.rest.listing import paged
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.resources.volume_views import View, VolumeViews, visible_metadata
from harness.rest.schemas import (
    ANY_NAME,
    METADATA,
    METADATA_OR_NULL,
    OPTIONAL_BOOLEAN,
    OPTIONAL_UUID,
    SIZE,
    TRIMMED_DESCRIPTION,
    TRIMMED_NAME,
    UUID,
    ZONE,
    Schema,
    any_of,
    nullable,
    record,
)

HINTS = "OS-SCH-HNT:scheduler_hints"
"""What a user tells the scheduler, beside the volume in the body."""
OLDER_FILTERS = {
    "glance_metadata": 4, "group_id": 10, "created_at": 60, "updated_at": 60, "use_quota": 65
}  # fmt: skip


def _visible_rows(request: Request) -> list[Row]:
    """The volumes that the caller's list may have: of the project, or of all for an admin who asks for that."""
    context, volumes = request.context, request.cloud.database.volumes.values()
    if context.is_admin:
        if request.flag("all_tenants"):
            return list(volumes)
        return [row for row in volumes if row["project_id"] == context.project_id]
    return [
        row
        for row in volumes
        if row["project_id"] == context.project_id
        and not str(row["migration_status"] or "").startswith("target:")
    ]


def _filtered(request: Request, *, summary: bool = False) -> list[Row]:
    """An admin's all_tenants that says no is taken for a filter, which no volume passes; not by a summary."""
    filters = wanted(request, "volume", OLDER_FILTERS)
    if "all_tenants" in filters and (summary or request.flag("all_tenants")):
        del filters["all_tenants"]
    passes = predicate(request, filters)
    return [row for row in _visible_rows(request) if passes(row)]


def _list(request: Request, *, detail: bool) -> View:
    views = VolumeViews(request)
    attachments = _attachments_by_volume(request) if detail else {}
    return paged(
        request,
        _filtered(request),
        lambda marker: errors.VolumeNotFound(volume_id=marker),
        fields=_SORTABLE,
        name="volumes",
        path="volumes/detail" if detail else "volumes",
        view=lambda row: views.full(row, attachments.get(row["id"], ())) if detail else views.brief(row),
    )


def _attachments_by_volume(request: Request) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in request.cloud.database.attachments.values():
        found[row["volume_id"]].append(row)
    return found


def attachments_of(request: Request, volume_id: str) -> list[Row]:
    """The rows of a volume's attachments."""
    return [row for row in request.cloud.database.attachments.values() if row["volume_id"] == volume_id]


def index(request: Request) -> View:
    """List volumes."""
    return _list(request, detail=False)


def detail(request: Request) -> View:
    """List volumes with details."""
    return _list(request, detail=True)


def summary(request: Request) -> View:
    """Count volumes and GiB."""
    rows = _filtered(request, summary=True)
    found: View = {"total_count": len(rows), "total_size": sum(row["size"] for row in rows)}
    if request.since(36):
        values: dict[str, list[str]] = {}
        for row in rows:
            for key, value in row["metadata"].items():
                if value not in values.setdefault(key, []):
                    values[key].append(value)
        found["metadata"] = values
    return {"volume-summary": found}


def row_of(request: Request) -> Row:
    """The row of the volume that the path names, if the caller may see it. VolumeNotFound."""
    row = request.cloud.database.volumes.get(request.path["volume_id"])
    if row is None or not (request.context.is_admin or row["project_id"] == request.context.project_id):
        raise errors.VolumeNotFound(volume_id=request.path["volume_id"])
    return row


def show(request: Request) -> View:
    """Show a volume."""
    row = row_of(request)
    return {"volume": VolumeViews(request).full(row, attachments_of(request, row["id"]))}


def create(request: Request) -> View:
    """Create a volume: empty, or of a snapshot, another volume, an image or a backup."""
    wish = named(request.body["volume"])
    if wish.get("multiattach") is not None and to_bool(wish["multiattach"]):
        raise Fault(
            400,
            "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume "
            "types. Contact your administrator to create a multiattach enabled volume type and use it to "
            "create multiattach volumes.",
        )
    image_ref = wish.get("image_id", wish.get("imageRef"))
    image_id = _image_id(request, image_ref) if image_ref is not None else None
    size = wish.get("size")
    if size is None:
        size = _size_of_origin(request, wish)
    database = request.cloud.database
    volume = request.cloud.api.create_volume(
        request.context,
        int(size),
        name=wish.get("display_name"),
        description=wish.get("display_description"),
        volume_type=wish.get("volume_type") or None,
        snapshot_id=wish.get("snapshot_id"),
        source_volid=wish.get("source_volid"),
        image_id=image_id,
        backup_id=wish.get("backup_id") or None,
        group_id=wish.get("group_id") or wish.get("consistencygroup_id"),
        metadata=wish.get("metadata"),
        availability_zone=wish.get("availability_zone"),
        scheduler_hints=request.body.get(HINTS),
    )
    return {"volume": VolumeViews(request).detail(database.volumes[volume.id], ())}


def _image_id(request: Request, reference: str) -> str:
    """By id, a URL that ends in one, or name. Fault 400 or 409 (`VolumeController._image_uuid_from_ref`)."""
    images = request.cloud.images.visible(request.context)
    wanted = reference.rpartition("/")[2]
    if any(image.id == wanted for image in images):
        return wanted
    named = [image.id for image in images if image.name == reference]
    if len(named) > 1:
        raise Fault(409, f"Multiple matches found for '{reference}', use an ID to be more specific.")
    if not named:
        raise Fault(400, "Invalid image identifier or unable to access requested image.")
    return named[0]


def _size_of_origin(request: Request, wish: View) -> int:
    """Of what is copied, where nobody says a size. Fault 400 if nothing is: None is no number for Cinder."""
    if wish.get("snapshot_id"):
        return request.cloud.database.get_snapshot(wish["snapshot_id"]).volume_size
    if wish.get("source_volid"):
        return request.cloud.api.get(request.context, wish["source_volid"]).size
    if wish.get("backup_id"):
        return request.cloud.backups.get_backup(request.context, wish["backup_id"]).size
    raise Fault(400)


def update(request: Request) -> View:
    """Change name, description or metadata."""
    row = row_of(request)
    wish = named(request.body["volume"])
    request.cloud.api.update_volume(
        request.context,
        row["id"],
        name=wish.get("display_name"),
        description=wish.get("display_description"),
        metadata=wish.get("metadata"),
    )
    view = VolumeViews(request).detail(row, attachments_of(request, row["id"]))
    return {"volume": {**view, "metadata": visible_metadata(row)}}


def delete(request: Request) -> None:
    """Delete a volume; cascade takes its snapshots along, force (3.23) does not look at the status."""
    force = request.since(23) and request.flag("force")
    request.cloud.api.delete_volume(
        request.context, request.path["volume_id"], force=force, cascade=request.flag("cascade")
    )


def named(wish: dict[str, Any]) -> dict[str, Any]:
    """A request with the database's names for name and description, without blanks around them."""
    wish = dict(wish)
    for short, long in (("name", "display_name"), ("description", "display_description")):
        if short in wish:
            wish[long] = wish.pop(short)
        if isinstance(wish.get(long), str):
            wish[long] = wish[long].strip()
    return wish


_SORTABLE = frozenset((*Volume.DEFAULTS, "updated_at"))

_TEXTS: dict[str, Schema] = {
    "name": TRIMMED_NAME,
    "description": TRIMMED_DESCRIPTION,
    "display_name": TRIMMED_NAME,
    "display_description": TRIMMED_DESCRIPTION,
}
_IMAGE: Schema = {"type": ["string", "null"], "minLength": 0, "maxLength": 255}
_NEW: dict[str, Schema] = {
    **_TEXTS,
    "volume_type": ANY_NAME,
    "metadata": METADATA_OR_NULL,
    "snapshot_id": OPTIONAL_UUID,
    "source_volid": OPTIONAL_UUID,
    "consistencygroup_id": OPTIONAL_UUID,
    "size": nullable(SIZE),
    "availability_zone": ZONE,
    "multiattach": OPTIONAL_BOOLEAN,
    "image_id": _IMAGE,
    "imageRef": _IMAGE,
}
_NEW_IN_GROUP = {**_NEW, "group_id": ANY_NAME}
_NEW_FROM_BACKUP = {**_NEW_IN_GROUP, "backup_id": OPTIONAL_UUID}


_PLACES: Schema = {
    "oneOf": [
        {"type": "string", "format": "uuid"},
        {"type": "array", "items": UUID, "uniqueItems": True},
    ]
}
_HINTS: Schema = {
    "type": ["object", "null"],
    "properties": {
        "local_to_instance": OPTIONAL_UUID,
        "different_host": _PLACES,
        "same_host": _PLACES,
        "query": {"type": ["string", "object"]},
    },
}


def _creation(properties: dict[str, Schema], *, others: bool) -> Schema:
    volume = {**record(properties), "additionalProperties": others}
    return record({"volume": volume, HINTS: _HINTS}, "volume")


_CHANGES = record({**_TEXTS, "metadata": METADATA})
_SOME_CHANGE = {**_CHANGES, "anyOf": any_of(*_CHANGES["properties"])}
_FILTERS = (
    "all_tenants", "name", "status", "metadata", "bootable", "migration_status", "availability_zone", "host",
    "size", "limit", "marker", "offset", "sort", "with_count",
)  # fmt: skip

OPERATIONS = (
    Operation(method="GET", path="/volumes", handler=index, query=_FILTERS),
    Operation(method="GET", path="/volumes/detail", handler=detail, query=_FILTERS),
    Operation(method="GET", path="/volumes/summary", handler=summary, since=12, query=_FILTERS),
    Operation(method="GET", path="/volumes/{volume_id}", handler=show),
    Operation(
        method="POST",
        path="/volumes",
        handler=create,
        code=202,
        bodies=(
            (0, _creation(_NEW, others=True)),
            (13, _creation(_NEW_IN_GROUP, others=True)),
            (47, _creation(_NEW_FROM_BACKUP, others=True)),
            (53, _creation(_NEW_FROM_BACKUP, others=False)),
        ),
    ),
    Operation(
        method="PUT",
        path="/volumes/{volume_id}",
        handler=update,
        bodies=(
            (0, record({"volume": _CHANGES}, "volume")),
            (53, record({"volume": _SOME_CHANGE}, "volume")),
        ),
    ),
    Operation(
        method="DELETE", path="/volumes/{volume_id}", handler=delete, code=202, query=("cascade", "force")
    ),
)
