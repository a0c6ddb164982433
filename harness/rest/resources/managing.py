"""``/manageable_volumes``, ``/manageable_snapshots``: taking over what Cinder did not make.

Sources: `cinder.api.contrib.volume_manage`, `cinder.api.contrib.snapshot_manage`,
`cinder.api.contrib.resource_common_manage`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import errors
from harness.model import Context, Manageable
from harness.rest.faults import Fault
from harness.rest.listing import limit_of, offset_of, order_of
from harness.rest.operations import Handler, Operation
from harness.rest.requests import Request, to_bool
from harness.rest.resources import snapshots
from harness.rest.resources.volume_views import VolumeViews, visible_metadata
from harness.rest.schemas import (
    ANY_NAME,
    BOOLEAN,
    DESCRIPTION,
    HOST,
    METADATA_OR_NULL,
    UUID,
    Schema,
    only,
    record,
)

View = dict[str, Any]

LIST_SINCE = 8
BRIEF = ("reference", "size", "safe_to_manage")
DETAILS = (*BRIEF, "reason_not_safe", "cinder_id", "extra_info")


def _host(request: Request, wish: Any, since: int) -> str:
    """Host, or cluster where the microversion knows it; nothing here is in a cluster. InvalidInput."""
    cluster = wish.get("cluster") if request.since(since) else None
    host = wish.get("host")
    if bool(cluster) == bool(host):
        known = request.since(since)
        raise errors.InvalidInput(
            reason="One and only one of cluster and host must be set." if known else "Host field is missing."
        )
    return str(host or cluster)


def _reference(wish: View) -> dict[str, str]:
    if not isinstance(wish["ref"], dict):
        raise Fault(400, f"Invalid input received: ref {wish['ref']} must be an object")
    return {str(key): str(value) for key, value in wish["ref"].items()}


def manage_volume(request: Request) -> View:
    """Take over a volume that is on a back-end already."""
    wish = request.body["volume"]
    volume = request.cloud.api.manage_volume(
        request.context,
        _host(request, wish, 16),
        _reference(wish),
        name=(wish.get("name") or "").strip() or None,
        description=(wish.get("description") or "").strip() or None,
        volume_type=wish.get("volume_type") or None,
        metadata=wish.get("metadata"),
        availability_zone=wish.get("availability_zone"),
        bootable=to_bool(wish.get("bootable", False)),
    )
    row = request.cloud.database.volumes[volume.id]
    return {"volume": {**VolumeViews(request).legacy(row, ()), "metadata": visible_metadata(row)}}


def manage_snapshot(request: Request) -> View:
    """Take over a snapshot that is on a back-end already."""
    wish = request.body["snapshot"]
    snapshot = request.cloud.api.manage_snapshot(
        request.context,
        wish["volume_id"],
        _reference(wish),
        name=wish.get("name"),
        description=wish.get("description"),
        metadata=wish.get("metadata"),
    )
    return {"snapshot": snapshots.view(request, request.cloud.database.snapshots[snapshot.id])}


def _list(
    request: Request,
    found: Callable[[Context, str], list[Manageable]],
    name: str,
    fields: tuple[str, ...],
) -> View:
    field, descending = order_of(request, "reference")[0]
    if field not in ("reference", "size"):
        raise Fault(400, f"Invalid sort keys passed: {field}")
    items = sorted(
        found(request.context, _host(request, request.query, 17)),
        key=lambda item: str(item["reference"]) if field == "reference" else item["size"],
        reverse=descending,
    )
    offset = offset_of(request)
    shown = items[offset : offset + limit_of(request)]
    return {name: [{field: item.get(field) for field in fields} for item in shown]}


def volumes(request: Request) -> View:
    """List what could be taken over as volumes."""
    return _list(request, request.cloud.api.get_manageable_volumes, "manageable-volumes", BRIEF)


def volumes_detail(request: Request) -> View:
    """List what could be taken over as volumes, with details."""
    return _list(request, request.cloud.api.get_manageable_volumes, "manageable-volumes", DETAILS)


def snapshots_index(request: Request) -> View:
    """List what could be taken over as snapshots."""
    fields = (*BRIEF, "source_reference")
    return _list(request, request.cloud.api.get_manageable_snapshots, "manageable-snapshots", fields)


def snapshots_detail(request: Request) -> View:
    """List what could be taken over as snapshots, with details."""
    fields = (*DETAILS, "source_reference")
    return _list(request, request.cloud.api.get_manageable_snapshots, "manageable-snapshots", fields)


_VOLUME: dict[str, Schema] = {
    "description": DESCRIPTION,
    "availability_zone": ANY_NAME,
    "bootable": BOOLEAN,
    "volume_type": ANY_NAME,
    "name": ANY_NAME,
    "host": HOST,
    "ref": {"type": ["object", "string"]},
    "metadata": METADATA_OR_NULL,
}
_SNAPSHOT: dict[str, Schema] = {
    "description": DESCRIPTION,
    "metadata": METADATA_OR_NULL,
    "name": ANY_NAME,
    "volume_id": UUID,
    "ref": {"type": ["object", "string"]},
}
_FILTERS = ("host", "cluster", "limit", "marker", "offset", "sort")


def _operations(
    collection: str, since: int, create: Handler, index: Handler, detail: Handler, *bodies: tuple[int, Schema]
) -> tuple[Operation, ...]:
    return (
        Operation(method="POST", path=f"/{collection}", handler=create, code=202, since=since, bodies=bodies),
        Operation(method="GET", path=f"/{collection}", handler=index, since=since, query=_FILTERS, calls=True),
        Operation(
            method="GET",
            path=f"/{collection}/detail",
            handler=detail,
            since=since,
            query=_FILTERS,
            calls=True,
        ),
    )


_OF_VOLUMES = (
    manage_volume,
    volumes,
    volumes_detail,
    (0, only("volume", record(_VOLUME, "ref"))),
    (16, only("volume", record({**_VOLUME, "cluster": ANY_NAME}, "ref"))),
)
_OF_SNAPSHOTS = (
    manage_snapshot,
    snapshots_index,
    snapshots_detail,
    (0, only("snapshot", record(_SNAPSHOT, "ref", "volume_id"))),
)

OPERATIONS = (
    *_operations("manageable_volumes", LIST_SINCE, *_OF_VOLUMES),
    *_operations("os-volume-manage", 0, *_OF_VOLUMES),
    *_operations("manageable_snapshots", LIST_SINCE, *_OF_SNAPSHOTS),
    *_operations("os-snapshot-manage", 0, *_OF_SNAPSHOTS),
)
