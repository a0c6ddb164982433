"""``/volume-transfers``, and ``/os-volume-transfer`` as it was called before.

Sources: `cinder.api.v3.volume_transfer`, `cinder.api.views.transfers`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.model import Transfer
from harness.rest.filters import Row, predicate
from harness.rest.listing import paged
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.schemas import BOOLEAN, UUID, Schema, only, record

View = dict[str, Any]

COLLECTION = "os-volume-transfer"
"""What links lead to, whichever of the two names was asked for."""


def brief(request: Request, row: Row) -> View:
    """What is offered."""
    return {
        "id": row["id"],
        "volume_id": row["volume_id"],
        "name": row["display_name"],
        "links": request.links(COLLECTION, row["id"]),
    }


def full(request: Request, row: Row) -> View:
    """With when and to whom."""
    view: View = {
        "id": row["id"],
        "created_at": request.at(row["created_at"]),
        "name": row["display_name"],
        "volume_id": row["volume_id"],
        "links": request.links(COLLECTION, row["id"]),
    }
    if request.since(55):
        view["no_snapshots"] = row["no_snapshots"]
    if request.since(57):
        view |= {name: row[name] for name in ("destination_project_id", "source_project_id", "accepted")}
    return view


def _id(request: Request) -> str:
    return request.path["transfer_id"]


def _row(request: Request, transfer: Transfer) -> Row:
    return request.cloud.database.transfers[transfer.id]


def _list(request: Request, *, detail: bool) -> View:
    query = {name: request.query[name] for name in ("name", "volume_id", "id") if name in request.query}
    passes = predicate(request, query)
    everybody = request.context.is_admin and request.loose_flag("all_tenants")
    found = request.cloud.transfers.list_transfers(request.context, all_tenants=everybody)
    return paged(
        request,
        [row for row in (_row(request, each) for each in found) if passes(row)],
        lambda marker: errors.TransferNotFound(transfer_id=marker),
        fields=(*Transfer.DEFAULTS, "updated_at"),
        name="transfers",
        path=COLLECTION,
        view=lambda row: full(request, row) if detail else brief(request, row),
    )


def index(request: Request) -> View:
    """List transfers."""
    return _list(request, detail=False)


def detail(request: Request) -> View:
    """List transfers with details."""
    return _list(request, detail=True)


def show(request: Request) -> View:
    """Show a transfer."""
    return {
        "transfer": full(
            request, _row(request, request.cloud.transfers.get_transfer(request.context, _id(request)))
        )
    }


def create(request: Request) -> View:
    """Offer a volume to whoever knows the key in the answer."""
    body = request.body["transfer"]
    name = body.get("name")
    offer = request.cloud.transfers.create(
        request.context,
        body["volume_id"],
        name.strip() if name is not None else None,
        no_snapshots=to_bool(body.get("no_snapshots", False)),
        allow_encrypted=request.since(70),
    )
    return {"transfer": {**full(request, _row(request, offer.transfer)), "auth_key": offer.auth_key}}


def accept(request: Request) -> View:
    """Take an offered volume."""
    taken = request.cloud.transfers.accept(
        request.context, _id(request), str(request.body["accept"]["auth_key"])
    )
    return {
        "transfer": {
            "id": taken.id,
            "volume_id": taken.volume_id,
            "name": taken.display_name,
            "links": request.links(COLLECTION, taken.id),
        }
    }


def delete(request: Request) -> None:
    """Withdraw an offer."""
    request.cloud.transfers.delete(request.context, _id(request))


_NAME: Schema = {"oneOf": [{"type": "string", "format": "name_skip_leading_trailing_spaces"}, {"type": "null"}]}
_NEW: dict[str, Schema] = {"volume_id": UUID, "name": _NAME}
_KEY = record({"auth_key": {"type": ["string", "integer"]}}, "auth_key")
_FILTERS = ("all_tenants", "name", "limit", "marker", "offset", "sort")


def _operations(collection: str) -> tuple[Operation, ...]:
    one = f"/{collection}/{{transfer_id}}"
    return (
        Operation(method="GET", path=f"/{collection}", handler=index, query=_FILTERS),
        Operation(method="GET", path=f"/{collection}/detail", handler=detail, query=_FILTERS),
        Operation(method="GET", path=one, handler=show),
        Operation(
            method="POST",
            path=f"/{collection}",
            handler=create,
            code=202,
            bodies=(
                (0, only("transfer", record(_NEW, "volume_id"))),
                (55, only("transfer", record({**_NEW, "no_snapshots": BOOLEAN}, "volume_id"))),
            ),
        ),
        Operation(method="DELETE", path=one, handler=delete, code=202),
        Operation(
            method="POST", path=f"{one}/accept", handler=accept, code=202, bodies=((0, only("accept", _KEY)),)
        ),
    )


OPERATIONS = (*_operations("volume-transfers"), *_operations("os-volume-transfer"))
