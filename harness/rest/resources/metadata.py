"""``/volumes/{id}/metadata`` and ``/snapshots/{id}/metadata``.

Sources: `cinder.api.v3.volume_metadata`, `cinder.api.v3.snapshot_metadata`,
`cinder.api.contrib.volume_encryption_metadata`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.rest.faults import Fault
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.resources.volumes import row_of
from harness.rest.schemas import METADATA, ONE_METADATUM, Schema, mapping, record

View = dict[str, Any]


def _of_volume(request: Request) -> dict[str, str]:
    return dict(row_of(request)["metadata"])


def list_of_volume(request: Request) -> View:
    """List the metadata of a volume."""
    return {"metadata": _of_volume(request)}


def show_of_volume(request: Request) -> View:
    """Show one entry of the metadata."""
    found, key = _of_volume(request), request.path["key"]
    if key not in found:
        raise errors.NotFoundError(f"Volume {request.path['volume_id']} has no metadata with key {key}.")
    return {"meta": {key: found[key]}}


def add_to_volume(request: Request) -> View:
    """Add or replace metadata of a volume."""
    wish = request.body["metadata"]
    return {"metadata": request.cloud.api.create_metadata(request.context, request.path["volume_id"], wish)}


def replace_of_volume(request: Request) -> View:
    """Replace all metadata of a volume."""
    wish = request.body["metadata"]
    kept = request.cloud.api.update_metadata(request.context, request.path["volume_id"], wish, delete=True)
    return {"metadata": kept}


def set_of_volume(request: Request) -> View:
    """Replace one entry of the metadata."""
    wish = _one(request)
    request.cloud.api.update_metadata(request.context, request.path["volume_id"], wish)
    return {"meta": wish}


def _one(request: Request) -> dict[str, str]:
    wish: dict[str, str] = request.body["meta"]
    if request.path["key"] not in wish:
        raise Fault(400, "Request body and URI mismatch")
    return wish


def delete_of_volume(request: Request) -> None:
    """Remove one entry of the metadata."""
    request.cloud.api.delete_metadata(request.context, request.path["volume_id"], request.path["key"])


def show_encryption(request: Request) -> View:
    """Show how a volume is encrypted."""
    row = row_of(request)
    kind = request.cloud.database.volume_types.get(row["volume_type_id"] or "")
    encryption = kind["encryption"] if kind else None
    shown: View = {"encryption_key_id": row["encryption_key_id"]}
    if encryption is not None:
        shown |= {
            "control_location": encryption.control_location,
            "cipher": encryption.cipher,
            "key_size": encryption.key_size,
            "provider": encryption.provider,
        }
    return shown


def show_encryption_field(request: Request) -> View:
    """Show one thing of how a volume is encrypted."""
    return {request.path["field"]: show_encryption(request).get(request.path["field"])}


# ------------------------------------------------------------------------------------------------ snapshots


def _of_snapshot(request: Request) -> dict[str, str]:
    return request.cloud.api.get_snapshot(request.context, request.path["snapshot_id"]).metadata


def list_of_snapshot(request: Request) -> View:
    """List the metadata of a snapshot."""
    return {"metadata": _of_snapshot(request)}


def show_of_snapshot(request: Request) -> View:
    """Show one entry of the metadata."""
    found, key = _of_snapshot(request), request.path["key"]
    if key not in found:
        raise errors.NotFoundError(f"Snapshot {request.path['snapshot_id']} has no metadata with key {key}.")
    return {"meta": {key: found[key]}}


def add_to_snapshot(request: Request) -> View:
    """Add or replace metadata of a snapshot."""
    return _change_snapshot(request, request.body["metadata"], delete=False)


def replace_of_snapshot(request: Request) -> View:
    """Replace all metadata of a snapshot."""
    return _change_snapshot(request, request.body["metadata"], delete=True)


def _change_snapshot(request: Request, wish: dict[str, str], *, delete: bool) -> View:
    kept = request.cloud.api.update_snapshot_metadata(
        request.context, request.path["snapshot_id"], wish, delete=delete
    )
    return {"metadata": kept}


def set_of_snapshot(request: Request) -> View:
    """Replace one entry of the metadata."""
    wish = _one(request)
    _change_snapshot(request, wish, delete=False)
    return {"meta": wish}


def delete_of_snapshot(request: Request) -> None:
    """Remove one entry of the metadata."""
    request.cloud.api.delete_snapshot_metadata(
        request.context, request.path["snapshot_id"], request.path["key"]
    )


_OF_SNAPSHOT: Schema = mapping("^[a-zA-Z0-9-_:. ]{1,255}$", {"type": "string", "maxLength": 255})
_WHOLE = record({"metadata": METADATA}, "metadata")
_ENTRY = record({"meta": ONE_METADATUM}, "meta")
_WHOLE_OF_SNAPSHOT = {**record({"metadata": _OF_SNAPSHOT}, "metadata"), "additionalProperties": True}
_ENTRY_OF_SNAPSHOT = {
    **record({"meta": {**_OF_SNAPSHOT, "minProperties": 1, "maxProperties": 1}}, "meta"),
    "additionalProperties": True,
}
_VOLUME, _SNAPSHOT = "/volumes/{volume_id}/metadata", "/snapshots/{snapshot_id}/metadata"
_ENCRYPTION = "/volumes/{volume_id}/encryption"

OPERATIONS = (
    Operation(method="GET", path=_VOLUME, handler=list_of_volume),
    Operation(method="POST", path=_VOLUME, handler=add_to_volume, bodies=((0, _WHOLE),)),
    Operation(method="PUT", path=_VOLUME, handler=replace_of_volume, bodies=((0, _WHOLE),)),
    Operation(method="GET", path=_VOLUME + "/{key}", handler=show_of_volume),
    Operation(method="PUT", path=_VOLUME + "/{key}", handler=set_of_volume, bodies=((0, _ENTRY),)),
    Operation(method="DELETE", path=_VOLUME + "/{key}", handler=delete_of_volume),
    Operation(method="GET", path=_ENCRYPTION, handler=show_encryption),
    Operation(method="GET", path=_ENCRYPTION + "/{field}", handler=show_encryption_field),
    Operation(method="GET", path=_SNAPSHOT, handler=list_of_snapshot),
    Operation(method="POST", path=_SNAPSHOT, handler=add_to_snapshot, bodies=((0, _WHOLE_OF_SNAPSHOT),)),
    Operation(method="PUT", path=_SNAPSHOT, handler=replace_of_snapshot, bodies=((0, _WHOLE_OF_SNAPSHOT),)),
    Operation(method="GET", path=_SNAPSHOT + "/{key}", handler=show_of_snapshot),
    Operation(
        method="PUT", path=_SNAPSHOT + "/{key}", handler=set_of_snapshot, bodies=((0, _ENTRY_OF_SNAPSHOT),)
    ),
    Operation(method="DELETE", path=_SNAPSHOT + "/{key}", handler=delete_of_snapshot),
)
