"""``/qos-specs``.

Source: `cinder.api.contrib.qos_specs_manage`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.model import QualityOfServiceSpecs
from harness.rest.faults import Fault
from harness.rest.filters import Row
from harness.rest.listing import link_next, page
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.schemas import SPECS_OR_NULL_VALUES, only, record

View = dict[str, Any]


def _view(row: Row) -> View:
    return {"id": row["id"], "name": row["name"], "consumer": row["consumer"], "specs": row["specs"]}


def _detail(request: Request, specs: QualityOfServiceSpecs) -> View:
    row = request.cloud.database.qos_specs[specs.id]
    return {"qos_specs": _view(row), "links": request.links("qos-specs", specs.id)}


def _id(request: Request) -> str:
    return request.path["specs_id"]


def _type_id(request: Request) -> str:
    type_id = request.query.get("vol_type_id")
    if not type_id:
        raise Fault(400, "Volume Type id must not be None.")
    return type_id


def index(request: Request) -> View:
    """List QoS specs."""
    require_admin(request.context, "volume_extension:qos_specs_manage:get_all")
    rows = page(
        request,
        request.cloud.database.qos_specs.values(),
        lambda marker: errors.QoSSpecsNotFound(specs_id=marker),
        fields=("id", "name", "consumer", "created_at", "updated_at"),
    )
    answer: View = {"qos_specs": [_view(row) for row in rows]}
    link_next(request, answer, "qos_specs_links", rows, "qos-specs")
    return answer


def show(request: Request) -> View:
    """Show QoS specs."""
    return _detail(request, request.cloud.qos.get(request.context, _id(request)))


def create(request: Request) -> View:
    """Create QoS specs."""
    specs = dict(request.body["qos_specs"])
    name = specs.pop("name").strip()
    return _detail(request, request.cloud.qos.create(request.context, name, specs))


def update(request: Request) -> View:
    """Add or replace keys of QoS specs."""
    request.cloud.qos.update(request.context, _id(request), request.body["qos_specs"])
    return dict(request.body)


def delete(request: Request) -> None:
    """Delete QoS specs."""
    request.cloud.qos.delete(request.context, _id(request), force=request.flag("force"))


def delete_keys(request: Request) -> None:
    """Remove keys of QoS specs."""
    request.cloud.qos.delete_keys(request.context, _id(request), request.body["keys"])


def associations(request: Request) -> View:
    """List the volume types that have these QoS specs."""
    kinds = request.cloud.qos.associations(request.context, _id(request))
    return {
        "qos_associations": [
            {"association_type": "volume_type", "name": kind.name, "id": kind.id} for kind in kinds
        ]
    }


def associate(request: Request) -> None:
    """Give a volume type these QoS specs."""
    request.cloud.qos.associate(request.context, _id(request), _type_id(request))


def disassociate(request: Request) -> None:
    """Take these QoS specs from a volume type."""
    request.cloud.qos.disassociate(request.context, _id(request), _type_id(request))


def disassociate_all(request: Request) -> None:
    """Take these QoS specs from all volume types."""
    request.cloud.qos.disassociate_all(request.context, _id(request))


_ONE = "/qos-specs/{specs_id}"
_NEW = record({"name": {"type": "string", "format": "name_skip_leading_trailing_spaces"}}, "name")
_KEYS = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 255},
    "uniqueItems": True,
}

OPERATIONS = (
    Operation(
        method="GET", path="/qos-specs", handler=index, query=("limit", "marker", "offset", "sort")
    ),
    Operation(
        method="POST", path="/qos-specs", handler=create,
        bodies=((0, only("qos_specs", {**_NEW, "additionalProperties": True})),),
    ),
    Operation(method="GET", path=_ONE, handler=show),
    Operation(
        method="PUT", path=_ONE, handler=update, bodies=((0, only("qos_specs", SPECS_OR_NULL_VALUES)),)
    ),
    Operation(method="DELETE", path=_ONE, handler=delete, code=202, query=("force",)),
    Operation(
        method="PUT", path=f"{_ONE}/delete_keys", handler=delete_keys, code=202,
        bodies=((0, only("keys", _KEYS)),),
    ),
    Operation(method="GET", path=f"{_ONE}/associations", handler=associations),
    Operation(method="GET", path=f"{_ONE}/associate", handler=associate, code=202, query=("vol_type_id",)),
    Operation(
        method="GET", path=f"{_ONE}/disassociate", handler=disassociate, code=202, query=("vol_type_id",)
    ),
    Operation(method="GET", path=f"{_ONE}/disassociate_all", handler=disassociate_all, code=202),
)  # fmt: skip
