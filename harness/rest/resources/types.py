"""``/types``: volume types, and who may use them.

Sources: `cinder.api.v3.types`, `cinder.api.contrib.types_manage`, `volume_type_access`.
"""

from __future__ import annotations

import ast
from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.model import VolumeType
from harness.rest.faults import Fault
from harness.rest.filters import wanted
from harness.rest.listing import link_next, page
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.schemas import (
    BOOLEAN,
    DESCRIPTION,
    NAME,
    SPECS_OR_NULL_VALUES,
    only,
    record,
)

View = dict[str, Any]

VISIBLE_EXTRA_SPECS = ("RESKEY:availability_zones", "multiattach", "replication_enabled")
"""What users may see (`cinder.policies.type_extra_specs`)."""


def view(request: Request, kind: VolumeType) -> View:
    """A type as the caller sees it."""
    admin = request.context.is_admin
    shown: View = {
        "id": kind.id,
        "name": kind.name,
        "is_public": kind.is_public,
        "description": kind.description,
        "extra_specs": visible_specs(request, kind),
    }
    if admin:
        shown["qos_specs_id"] = kind.qos_specs.id if kind.qos_specs else None
    shown["os-volume-type-access:is_public"] = kind.is_public
    return shown


def visible_specs(request: Request, kind: VolumeType) -> dict[str, str]:
    """All extra specs for an admin, the harmless ones for others."""
    if request.context.is_admin:
        return kind.extra_specs
    return {key: kind.extra_specs[key] for key in VISIBLE_EXTRA_SPECS if key in kind.extra_specs}


def _wants_public(request: Request) -> bool | None:
    """None for both kinds, which only an admin may ask for."""
    wish = request.query.get("is_public")
    if wish is None or not request.context.is_admin:
        return True
    if wish.lower() in ("none", "null"):
        return None
    try:
        return to_bool(wish)
    except Fault:
        raise Fault(400, f"Invalid is_public filter [{wish}]") from None


def index(request: Request) -> View:
    """List volume types."""
    filters = wanted(request, "volume_type")
    public = _wants_public(request)
    kinds = request.cloud.types.list_types(request.context)
    if public is not None:
        # A private type that was given to the caller's project counts as one of its own.
        mine = request.context.project_id
        kinds = [kind for kind in kinds if kind.is_public == public or (public and mine in kind.projects)]
    if "extra_specs" in filters:
        specs = _mapping(filters["extra_specs"])
        if not request.context.is_admin and not set(specs) <= set(VISIBLE_EXTRA_SPECS):
            kinds = []
        kinds = [kind for kind in kinds if specs.items() <= kind.extra_specs.items()]
    rows = page(
        request,
        [request.cloud.database.volume_types[kind.id] for kind in kinds],
        lambda marker: errors.VolumeTypeNotFound(volume_type_id=marker),
        fields=_SORTABLE,
    )
    by_id = {kind.id: kind for kind in kinds}
    answer: View = {"volume_types": [view(request, by_id[row["id"]]) for row in rows]}
    link_next(request, answer, "volume_type_links", rows, "types")
    return answer


def _mapping(text: str) -> dict[str, str]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Fault(400, f"Invalid filter extra_specs: {text} is no mapping")
    return value


def show(request: Request) -> View:
    """Show a volume type, or the default one."""
    if request.path["type_id"] != "default":
        return {"volume_type": view(request, _named(request))}
    shown = view(request, request.cloud.default_types.default_for(request.context.project_id))
    del shown["os-volume-type-access:is_public"]  # the extension that adds it looks for a type of that id
    return {"volume_type": shown}


def _named(request: Request) -> VolumeType:
    return request.cloud.types.get_type(request.context, request.path["type_id"])


def create(request: Request) -> View:
    """Create a volume type."""
    wish = request.body["volume_type"]
    kind = request.cloud.types.create_type(
        request.context,
        wish["name"],
        description=wish.get("description"),
        extra_specs=wish.get("extra_specs"),
        is_public=to_bool(wish.get("os-volume-type-access:is_public", True)),
    )
    return {"volume_type": _without_qos(view(request, kind))}


def _without_qos(shown: View) -> View:
    """Who changes a type is answered in the view of version 2."""
    shown.pop("qos_specs_id", None)
    return shown


def update(request: Request) -> View:
    """Change name, description or visibility."""
    wish = request.body["volume_type"]
    name, description, public = (wish.get(key) for key in ("name", "description", "is_public"))
    if name and not name.strip():
        raise Fault(400, "Volume type name can not be empty.")
    if name is None and description is None and public is None:
        raise Fault(400, "Specify volume type name, description, is_public or a combination thereof.")
    kind = request.cloud.types.update_type(
        request.context,
        request.path["type_id"],
        name=name,
        description=description,
        is_public=None if public is None else to_bool(public),
    )
    shown = _without_qos(view(request, kind))
    del shown["os-volume-type-access:is_public"]
    return {"volume_type": shown}


def delete(request: Request) -> None:
    """Delete a volume type that no volume has."""
    request.cloud.types.delete_type(request.context, request.path["type_id"])


def access(request: Request) -> View:
    """List the projects that may use a private type."""
    kind = _named(request)
    require_admin(request.context, "volume_extension:volume_type_access:get_all_for_type")
    if kind.is_public:
        raise errors.VolumeTypeAccessNotFound("Access list not available for public volume types.")
    return {
        "volume_type_access": [{"volume_type_id": kind.id, "project_id": project} for project in kind.projects]
    }


def add_access(request: Request) -> None:
    """Let a project use a private type."""
    request.cloud.types.add_access(
        request.context, request.path["type_id"], request.body["addProjectAccess"]["project"]
    )


def remove_access(request: Request) -> None:
    """Take a private type from a project."""
    request.cloud.types.remove_access(
        request.context, request.path["type_id"], request.body["removeProjectAccess"]["project"]
    )


_SORTABLE = frozenset(VolumeType.DEFAULTS) - {"qos_specs", "encryption", "projects", "extra_specs"}
_PROJECT = record({"project": {"type": "string", "minLength": 1, "maxLength": 255}}, "project")
_NEW = record(
    {
        "name": NAME,
        "description": DESCRIPTION,
        "extra_specs": SPECS_OR_NULL_VALUES,
        "os-volume-type-access:is_public": BOOLEAN,
    },
    "name",
)
_CHANGES = record(
    {
        "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
        "description": DESCRIPTION,
        "is_public": BOOLEAN,
    }
)
_ONE, _ACTION = "/types/{type_id}", "/types/{type_id}/action"

OPERATIONS = (
    Operation(
        method="GET", path="/types", handler=index,
        query=("is_public", "extra_specs", "limit", "marker", "offset", "sort"),
    ),
    Operation(method="GET", path=_ONE, handler=show),
    Operation(method="POST", path="/types", handler=create, bodies=((0, only("volume_type", _NEW)),)),
    Operation(method="PUT", path=_ONE, handler=update, bodies=((0, only("volume_type", _CHANGES)),)),
    Operation(method="DELETE", path=_ONE, handler=delete, code=202),
    Operation(method="GET", path=f"{_ONE}/os-volume-type-access", handler=access),
    Operation(
        method="POST", path=_ACTION, handler=add_access, code=202, action="addProjectAccess",
        bodies=((0, only("addProjectAccess", _PROJECT)),),
    ),
    Operation(
        method="POST", path=_ACTION, handler=remove_access, code=202, action="removeProjectAccess",
        bodies=((0, only("removeProjectAccess", _PROJECT)),),
    ),
)  # fmt: skip
