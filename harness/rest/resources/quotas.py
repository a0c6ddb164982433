"""``/os-quota-sets``, ``/os-quota-class-sets`` and ``/limits``.

Sources: `cinder.api.contrib.quotas`, `cinder.api.contrib.quota_classes`, `cinder.api.v3.limits`,
`cinder.api.contrib.used_limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.rest.faults import Fault
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.schemas import DB_INT_MAX, Schema, only

View = dict[str, Any]

SHOWN_AS: Mapping[str, tuple[str, str]] = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
    "snapshots": ("maxTotalSnapshots", "totalSnapshotsUsed"),
    "backups": ("maxTotalBackups", "totalBackupsUsed"),
    "backup_gigabytes": ("maxTotalBackupGigabytes", "totalBackupGigabytesUsed"),
}
"""The names of resources among the absolute limits."""


def resources(request: Request) -> list[str]:
    """Every resource that has a limit: the general ones, and three for each volume type."""
    names = [row["name"] for row in request.cloud.database.volume_types.values()]
    per_type = [f"{kind}_{name}" for name in names for kind in ("volumes", "snapshots", "gigabytes")]
    return [*request.cloud.quotas.defaults(), *per_type]


def _limits(request: Request, project: str) -> dict[str, int]:
    return {name: request.cloud.quotas.limit(project, name) for name in resources(request)}


def show(request: Request) -> View:
    """Show the limits of a project, and what it has used."""
    project = request.path["project"]
    if not (request.context.is_admin or project == request.context.project_id):
        raise errors.PolicyNotAuthorized(action="volume_extension:quotas:show")
    limits: View = _limits(request, project)
    if request.flag("usage"):
        for name, limit in limits.items():
            usage = request.cloud.quotas.usage(project, name)
            limits[name] = {"limit": limit, "in_use": usage.in_use, "reserved": usage.reserved}
    return {"quota_set": {**limits, "id": project}}


def defaults(request: Request) -> View:
    """Show the limits of a project that has none of its own."""
    project = request.path["project"]
    if not (request.context.is_admin or project == request.context.project_id):
        raise errors.PolicyNotAuthorized(action="volume_extension:quotas:show")
    return {"quota_set": {**_default_limits(request), "id": project}}


def _default_limits(request: Request) -> dict[str, int]:
    return {name: request.cloud.quotas.default(name) for name in resources(request)}


def update(request: Request) -> View:
    """Give a project limits of its own."""
    project = request.path["project"]
    require_admin(request.context, "volume_extension:quotas:update")
    wish = _numbers(request, request.body["quota_set"], ("tenant_id", "id"), "quota set")
    for name, limit in wish.items():
        used = sum(request.cloud.quotas.usage(project, name))
        # Only a project that has a limit already is held to what it uses.
        own = request.cloud.quotas.own_limit(project, name) is not None
        if own and name != "per_volume_gigabytes" and 0 <= limit < used:
            raise Fault(
                400,
                f"Quota {name} limit must be equal or greater than existing resources. Current usage is {used} "
                f"and the requested limit is {limit}.",
            )
    for name, limit in wish.items():
        request.cloud.quotas.set_limit(project, name, limit)
    return {"quota_set": _limits(request, project)}


def delete(request: Request) -> None:
    """Let the default limits hold for a project again."""
    require_admin(request.context, "volume_extension:quotas:delete")
    request.cloud.quotas.drop_limits(request.path["project"])


def show_class(request: Request) -> View:
    """Show the limits of a quota class; of `default`, those of every project."""
    require_admin(request.context, "volume_extension:quota_classes:get")
    name = request.path["name"]
    return {"quota_class_set": {**_class_limits(request, name), "id": name}}


def update_class(request: Request) -> View:
    """Change the limits of a quota class."""
    require_admin(request.context, "volume_extension:quota_classes:update")
    wish = _numbers(request, request.body["quota_class_set"], (), "quota class set")
    for resource, limit in wish.items():
        request.cloud.quotas.set_class_limit(request.path["name"], resource, limit)
    return {"quota_class_set": _class_limits(request, request.path["name"])}


def _class_limits(request: Request, name: str) -> dict[str, int]:
    return {each: request.cloud.quotas.class_limit(name, each) for each in resources(request)}


def _numbers(request: Request, wish: View, ignored: tuple[str, ...], what: str) -> dict[str, int]:
    """Limits by resource. Fault 400 for what is no resource or no number."""
    known = resources(request)
    bad = [name for name in wish if name not in known and name not in ignored]
    if bad:
        raise errors.InvalidInput(reason=f"Bad key(s) in {what}: {', '.join(bad)}")
    numbers = {}
    for name, value in wish.items():
        if name in ignored:
            continue
        try:
            numbers[name] = int(str(value))
        except ValueError:
            raise Fault(400, f"{name} must be an integer") from None
        if numbers[name] < -1:
            raise Fault(400, f"{name} must be >= -1")
        if numbers[name] > DB_INT_MAX:
            raise Fault(400, f"{name} must be <= {DB_INT_MAX}")
    return numbers


def limits(request: Request) -> View:
    """Show the caller's limits and usage."""
    project = request.context.project_id
    if request.since(39) and request.context.is_admin:
        project = request.query.get("project_id", request.query.get("tenant_id", project))
    absolute: dict[str, int] = {}
    for name in resources(request):
        if name in SHOWN_AS:
            absolute[SHOWN_AS[name][0]] = request.cloud.quotas.limit(project, name)
    for name, (_, used) in SHOWN_AS.items():
        absolute[used] = request.cloud.quotas.usage(project, name).in_use
    return {"limits": {"rate": [], "absolute": absolute}}


_PROJECT, _CLASS = "/os-quota-sets/{project}", "/os-quota-class-sets/{name}"
_SET: Schema = {"type": "object", "minProperties": 1}
_CLASS_SET: Schema = {
    "type": "object",
    "patternProperties": {
        "^[a-zA-Z0-9-_:. ]{1,300}$": {
            "type": ["integer", "string"],
            "pattern": "^[0-9]*$",
            "minimum": -1,
            "minLength": 1,
            "maximum": DB_INT_MAX,
        }
    },
    "additionalProperties": False,
}

OPERATIONS = (
    Operation(method="GET", path=_PROJECT, handler=show, query=("usage",)),
    Operation(method="GET", path=f"{_PROJECT}/defaults", handler=defaults),
    Operation(method="PUT", path=_PROJECT, handler=update, bodies=((0, only("quota_set", _SET)),)),
    Operation(method="DELETE", path=_PROJECT, handler=delete),
    Operation(method="GET", path=_CLASS, handler=show_class),
    Operation(
        method="PUT", path=_CLASS, handler=update_class, bodies=((0, only("quota_class_set", _CLASS_SET)),)
    ),
    Operation(method="GET", path="/limits", handler=limits, query=("project_id",)),
)
