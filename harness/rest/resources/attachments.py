"""``/attachments``, from microversion 3.27 on.

Source: `cinder.api.v3.attachments`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.model import Attachment
from harness.rest.faults import Fault
from harness.rest.filters import predicate, wanted
from harness.rest.listing import page
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.schemas import ANYTHING, UUID, Schema, only, record

View = dict[str, Any]

SINCE, COMPLETE_SINCE, MODE_SINCE = 27, 44, 54


def brief(attachment: Attachment) -> View:
    """Which server has which volume."""
    return {
        "id": attachment.id,
        "status": attachment.attach_status,
        "instance": attachment.instance_uuid,
        "volume_id": attachment.volume_id,
    }


def full(request: Request, attachment: Attachment) -> View:
    """With what the server needs to connect."""
    row = request.cloud.database.attachments.get(attachment.id, {})
    return {
        **brief(attachment),
        "attached_at": request.at(row.get("attach_time")) or "",
        "detached_at": request.at(row.get("detach_time")) or "",
        "attach_mode": attachment.attach_mode,
        "connection_info": flat(attachment.connection_info),
    }


def flat(info: dict[str, Any] | None) -> View:
    """The driver's data with its type among them (`VolumeAttachment.connection_info` as the API stores it)."""
    if not info:
        return {}
    rest = {key: value for key, value in info.items() if key != "data"}
    return {**info.get("data", {}), **rest}


def _list(request: Request) -> list[Attachment]:
    filters = wanted(request, "attachment")
    # That it is there is enough, whatever it says (`AttachmentsController._items`).
    everybody = request.context.is_admin and filters.pop("all_tenants", None) is not None
    for short, long in (("status", "attach_status"), ("instance_id", "instance_uuid")):
        if short in filters:
            filters[long] = filters.pop(short)
    passes = predicate(request, filters)
    found = request.cloud.attachments.list_attachments(request.context, all_tenants=everybody)
    by_id = {each.id: each for each in found}
    rows = [request.cloud.database.attachments[each.id] for each in found]
    shown = page(
        request,
        [row for row in rows if passes(row)],
        lambda marker: errors.AttachmentNotFound(attachment_id=marker),
        fields=(*Attachment.DEFAULTS, "created_at", "updated_at"),
    )
    return [by_id[row["id"]] for row in shown]


def index(request: Request) -> View:
    """List attachments."""
    return {"attachments": [brief(each) for each in _list(request)]}


def detail(request: Request) -> View:
    """List attachments with details."""
    return {"attachments": [full(request, each) for each in _list(request)]}


def show(request: Request) -> View:
    """Show an attachment."""
    found = request.cloud.attachments.get_attachment(request.context, request.path["attachment_id"])
    return {"attachment": full(request, found)}


def create(request: Request) -> View:
    """Reserve a volume for a server; with a connector, export it at once."""
    wish = request.body["attachment"]
    try:
        made = request.cloud.attachments.create(
            request.context,
            wish["volume_uuid"],
            wish.get("instance_uuid"),
            mode=wish.get("mode") if request.since(MODE_SINCE) else None,
            connector=wish.get("connector") or None,
        )
    except errors.ServiceError as error:
        raise _told(error, "Unable to create attachment for volume") from error
    return {"attachment": full(request, made)}


def update(request: Request) -> View:
    """Export the volume to the host of the connector."""
    try:
        made = request.cloud.attachments.update(
            request.context, request.path["attachment_id"], request.body["attachment"]["connector"]
        )
    except errors.ServiceError as error:
        raise _told(error, "Unable to update attachment") from error
    return {"attachment": full(request, made)}


def _told(error: errors.ServiceError, what: str) -> Exception:
    """What is no refusal is said to the client, although it is an error of the server."""
    if error.code < 500 and not isinstance(error, errors.OverQuota):
        return error
    return Fault(500, f"{what} ({error}).")


def delete(request: Request) -> View:
    """Disconnect, and forget the attachment."""
    left = request.cloud.attachments.delete(request.context, request.path["attachment_id"])
    return {"attachments": [brief(each) for each in left]}


def complete(request: Request) -> None:
    """Say that the server uses the volume."""
    request.cloud.attachments.complete(request.context, request.path["attachment_id"])


_ONE = "/attachments/{attachment_id}"
_FILTERS = ("all_tenants", "volume_id", "status", "instance_id", "limit", "marker", "offset", "sort")
_NEW: dict[str, Schema] = {
    "instance_uuid": UUID,
    "connector": {"type": ["object", "null"]},
    "volume_uuid": UUID,
}
_MODE: Schema = {"type": "string", "enum": ["rw", "ro"]}

OPERATIONS = (
    Operation(method="GET", path="/attachments", handler=index, since=SINCE, query=_FILTERS),
    Operation(method="GET", path="/attachments/detail", handler=detail, since=SINCE, query=_FILTERS),
    Operation(method="GET", path=_ONE, handler=show, since=SINCE),
    Operation(
        method="POST",
        path="/attachments",
        handler=create,
        since=SINCE,
        bodies=(
            (SINCE, only("attachment", record(_NEW, "volume_uuid"))),
            (MODE_SINCE, only("attachment", record({**_NEW, "mode": _MODE}, "volume_uuid"))),
        ),
    ),
    Operation(
        method="PUT",
        path=_ONE,
        handler=update,
        since=SINCE,
        bodies=(
            (
                SINCE,
                only("attachment", record({"connector": {"type": "object", "minProperties": 1}}, "connector")),
            ),
        ),
    ),
    Operation(method="DELETE", path=_ONE, handler=delete, since=SINCE),
    Operation(
        method="POST",
        path=f"{_ONE}/action",
        handler=complete,
        code=204,
        since=COMPLETE_SINCE,
        action="os-complete",
        bodies=((COMPLETE_SINCE, only("os-complete", ANYTHING)),),
    ),
)
