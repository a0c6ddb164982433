"""``/messages``: what went wrong after a request was accepted, from microversion 3.3 on.

Source: `cinder.api.v3.messages`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.user_messages import UserMessage
from harness.rest.filters import predicate, wanted
from harness.rest.listing import paged
from harness.rest.operations import Operation
from harness.rest.requests import Request

View = dict[str, Any]

SINCE, PAGED_SINCE = 3, 5


def _row(message: UserMessage) -> View:
    """As a row of the table, by which lists are sorted and filtered."""
    return {
        "id": message.id,
        "event_id": message.event_id,
        "message_level": message.level,
        "request_id": None,
        "resource_type": message.resource_type,
        "resource_uuid": message.resource_uuid,
        "created_at": message.created_us,
        "expires_at": message.expires_us,
        "user_message": message.user_message,
    }


def _view(request: Request, row: Any) -> View:
    return {
        "id": row["id"],
        "event_id": row["event_id"],
        "user_message": row["user_message"],
        "message_level": row["message_level"],
        "created_at": request.at(row["created_at"]),
        "guaranteed_until": request.at(row["expires_at"]),
        "request_id": row["request_id"],
        "links": request.links("messages", row["id"]),
        "resource_type": row["resource_type"],
        "resource_uuid": row["resource_uuid"],
    }


def index(request: Request) -> View:
    """List messages."""
    rows = [
        _row(each)
        for each in request.cloud.user_messages.all(request.context)
        if each.project_id == request.context.project_id
    ]
    if request.since(PAGED_SINCE):
        # An admin's all_tenants is taken for a filter, which no message passes.
        filters = wanted(request, "message")
        passes = predicate(request, filters)
        rows = [row for row in rows if passes(row)]
    return paged(
        request,
        rows,
        lambda marker: errors.MessageNotFound(message_id=marker),
        fields=(
            "id",
            "event_id",
            "message_level",
            "resource_type",
            "resource_uuid",
            "created_at",
            "request_id",
        ),
        name="messages",
        path="messages",
        view=lambda row: _view(request, row),
    )


def show(request: Request) -> View:
    """Show a message."""
    found = request.cloud.user_messages.get(request.context, request.path["message_id"])
    return {"message": _view(request, _row(found))}


def delete(request: Request) -> None:
    """Delete a message."""
    request.cloud.user_messages.delete(request.context, request.path["message_id"])


OPERATIONS = (
    Operation(
        method="GET",
        path="/messages",
        handler=index,
        since=SINCE,
        query=("resource_uuid", "resource_type", "event_id", "limit", "marker", "offset", "sort"),
    ),
    Operation(method="GET", path="/messages/{message_id}", handler=show, since=SINCE),
    Operation(method="DELETE", path="/messages/{message_id}", handler=delete, code=204, since=SINCE),
)
