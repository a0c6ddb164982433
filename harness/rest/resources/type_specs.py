"""``/types/{id}/extra_specs`` and ``/types/{id}/encryption``.

Sources: `cinder.api.contrib.types_extra_specs`, `cinder.api.contrib.volume_type_encryption`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.model import VolumeType
from harness.rest.faults import Fault
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.resources.types import visible_specs
from harness.rest.schemas import DB_INT_MAX, EXTRA_SPECS, ONE_EXTRA_SPEC, Schema, only, record

View = dict[str, Any]

ENCRYPTION_FIELDS = ("provider", "control_location", "cipher", "key_size")


def _kind(request: Request) -> VolumeType:
    return request.cloud.types.get_type(request.context, request.path["type_id"])


def list_specs(request: Request) -> View:
    """List the extra specs of a volume type."""
    return {"extra_specs": visible_specs(request, _kind(request))}


def show_spec(request: Request) -> View:
    """Show one extra spec."""
    specs, key = visible_specs(request, _kind(request)), request.path["key"]
    if key not in specs:
        raise errors.VolumeTypeExtraSpecsNotFound(volume_type_id=request.path["type_id"], extra_specs_key=key)
    return {key: specs[key]}


def set_specs(request: Request) -> View:
    """Add or replace extra specs."""
    request.cloud.types.set_extra_specs(request.context, request.path["type_id"], request.body["extra_specs"])
    return {"extra_specs": request.body["extra_specs"]}


def set_spec(request: Request) -> View:
    """Replace one extra spec."""
    if request.path["key"] not in request.body:
        raise Fault(400, "Request body and URI mismatch")
    request.cloud.types.set_extra_specs(request.context, request.path["type_id"], request.body)
    return dict(request.body)


def delete_spec(request: Request) -> None:
    """Remove one extra spec."""
    request.cloud.types.delete_extra_spec(request.context, request.path["type_id"], request.path["key"])


# ---------------------------------------------------------------------------------------------- encryption


def _encryption(request: Request) -> View:
    """What is stored of a type's encryption; empty for a type without."""
    require_admin(request.context, "volume_extension:volume_type_encryption:get")
    kind = _kind(request)
    if kind.encryption is None:
        return {}
    return {
        "volume_type_id": kind.id,
        "encryption_id": kind.encryption_id,
        **{field: getattr(kind.encryption, field) for field in ENCRYPTION_FIELDS},
        "created_at": request.at(kind.created_at),
        "updated_at": request.at(kind.updated_at),
        "deleted_at": None,
        "deleted": False,
    }


def show_encryption(request: Request) -> View:
    """Show the encryption of a volume type."""
    return _encryption(request)


def show_encryption_field(request: Request) -> View:
    """Show one field of the encryption."""
    found, field = _encryption(request), request.path["field"]
    if field not in found:
        raise errors.VolumeTypeEncryptionNotFound(type_id=request.path["type_id"])
    return {field: found[field]}


def _wish(request: Request) -> View:
    """The fields that are known; others are taken and forgotten."""
    wish = {field: request.body["encryption"].get(field) for field in ENCRYPTION_FIELDS}
    if wish["key_size"] is not None:
        wish["key_size"] = int(wish["key_size"])
    return wish


def create_encryption(request: Request) -> View:
    """Encrypt the volumes of a type from now on."""
    wish = _wish(request)
    request.cloud.types.create_encryption(request.context, request.path["type_id"], **wish)
    kind = _kind(request)
    ids = {"volume_type_id": kind.id, "encryption_id": kind.encryption_id}
    return {"encryption": {**_echo(request, wish), **ids}}


def update_encryption(request: Request) -> View:
    """Change the encryption of a type that no volume has."""
    wish = _wish(request)
    request.cloud.types.update_encryption(request.context, request.path["type_id"], **wish)
    return {"encryption": _echo(request, wish)}


def _echo(request: Request, wish: View) -> View:
    """The body as it came, with the size as a number."""
    return {
        **request.body["encryption"],
        **({"key_size": wish["key_size"]} if wish["key_size"] is not None else {}),
    }


def delete_encryption(request: Request) -> None:
    """No longer encrypt the volumes of a type."""
    request.cloud.types.delete_encryption(request.context, request.path["type_id"])


_SPECS, _SPEC = "/types/{type_id}/extra_specs", "/types/{type_id}/extra_specs/{key}"
_WHOLE, _FIELD = "/types/{type_id}/encryption", "/types/{type_id}/encryption/{field}"


def _encryption_schema(*required: str) -> Schema:
    schema = record(
        {
            "key_size": {
                "type": ["string", "integer", "null"], "minimum": 0, "maximum": DB_INT_MAX, "format": "key_size"
            },
            "provider": {"type": "string", "minLength": 0, "maxLength": 255},
            "control_location": {"enum": ["front-end", "back-end"]},
            "cipher": {"type": ["string", "null"], "minLength": 0, "maxLength": 255},
        },
        *required,
    )  # fmt: skip
    return only("encryption", {**schema, "additionalProperties": True})


OPERATIONS = (
    Operation(method="GET", path=_SPECS, handler=list_specs),
    Operation(method="POST", path=_SPECS, handler=set_specs, bodies=((0, only("extra_specs", EXTRA_SPECS)),)),
    Operation(method="GET", path=_SPEC, handler=show_spec),
    Operation(method="PUT", path=_SPEC, handler=set_spec, bodies=((0, ONE_EXTRA_SPEC),)),
    Operation(method="DELETE", path=_SPEC, handler=delete_spec, code=202),
    Operation(method="GET", path=_WHOLE, handler=show_encryption),
    Operation(
        method="POST", path=_WHOLE, handler=create_encryption,
        bodies=((0, _encryption_schema("provider", "control_location")),),
    ),
    Operation(method="GET", path=_FIELD, handler=show_encryption_field),
    Operation(method="PUT", path=_FIELD, handler=update_encryption, bodies=((0, _encryption_schema()),)),
    Operation(method="DELETE", path=_FIELD, handler=delete_encryption, code=202),
)  # fmt: skip
