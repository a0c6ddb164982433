"""``/clusters``: services of several nodes that share the work, from microversion 3.7 on.

Sources: `cinder.api.v3.clusters`,
`cinder.api.v3.views.clusters`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.control_plane.scheduler import names
from harness.rest.filters import Row
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.schemas import NAME, Schema, record

View = dict[str, Any]

SINCE, REPLICATION_SINCE = 7, 26
BINARY = "cinder-volume"
_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
_REPLICATION = ("replication_status", "frozen", "active_backend_id")


def _clusters(request: Request) -> list[Row]:
    """As rows of the table, with the summary of their services."""
    return [_summed_up(request, row) for row in request.cloud.database.clusters.values()]


def _summed_up(request: Request, row: Row) -> Row:
    services = request.cloud.database.services.values()
    hosts = [service["host"] for service in services if service["cluster_name"] == row["name"]]
    up = [host for host in hosts if request.cloud.is_up(host)]
    return {
        **row,
        "is_up": bool(up),
        "num_hosts": len(hosts),
        "num_down_hosts": len(hosts) - len(up),
        "heard_us": max((request.cloud.services.heard_us(host) for host in hosts), default=None),
    }


def _brief(row: Row) -> View:
    return {
        "name": row["name"],
        "binary": row["binary"],
        "state": "up" if row["is_up"] else "down",
        "status": "disabled" if row["disabled"] else "enabled",
    }


def _full(request: Request, row: Row) -> View:
    view = {
        **_brief(row),
        "num_hosts": row["num_hosts"],
        "num_down_hosts": row["num_down_hosts"],
        "last_heartbeat": request.at(row["heard_us"]),
        "created_at": request.at(row["created_at"] or 0),
        "updated_at": request.at(row.get("updated_at")) or "",
        "disabled_reason": row["disabled_reason"],
    }
    if request.since(REPLICATION_SINCE):
        view |= {field: row[field] for field in _REPLICATION}
    return view


def _wanted(request: Request) -> list[Row]:
    """Those that pass the filters of the query. InvalidInput for a filter that is none."""
    require_admin(request.context, "clusters:get_all")
    allowed = (*_FILTERS, *(_REPLICATION if request.since(REPLICATION_SINCE) else ()))
    unknown = [name for name in request.query if name not in allowed]
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filter keys: {', '.join(unknown)}")
    rows = _clusters(request)
    for field, value in request.query.items():
        if field in ("disabled", "is_up"):
            wish = request.flag(field)
            rows = [row for row in rows if row[field] == wish]
        elif field == "name":
            rows = [row for row in rows if names(value, row["name"])]
        else:
            rows = [row for row in rows if str(row[field]) == value]
    return rows


def _line(request: Request, row: Row) -> View:
    """What a list without details shows."""
    replicated = {"replication_status": row["replication_status"]} if request.since(REPLICATION_SINCE) else {}
    return _brief(row) | replicated


def index(request: Request) -> View:
    """List clusters."""
    return {"clusters": [_line(request, row) for row in _wanted(request)]}


def detail(request: Request) -> View:
    """List clusters with their services counted."""
    return {"clusters": [_full(request, row) for row in _wanted(request)]}


def show(request: Request) -> View:
    """Show a cluster."""
    require_admin(request.context, "clusters:get")
    name = request.path["cluster"]
    for row in _clusters(request):
        if names(name, row["name"]):
            return {"cluster": _full(request, row)}
    raise _absent(name)


def _absent(name: str, binary: str = BINARY) -> errors.NotFoundError:
    """In Cinder's words: what it looked for."""
    wanted = {"binary": binary, "name": name}
    return errors.NotFoundError(f"Cluster {wanted} could not be found.")


def disable(request: Request) -> View:
    """Keep the scheduler from using the services of a cluster."""
    return _switched(request, disabled=True)


def enable(request: Request) -> View:
    """Let the scheduler use the services of a cluster again."""
    return _switched(request, disabled=False)


def _switched(request: Request, *, disabled: bool) -> View:
    require_admin(request.context, "clusters:update")
    name, binary = request.body["name"], request.body.get("binary", BINARY)
    reason = request.body.get("disabled_reason")
    reason = reason.strip() if reason else reason
    if binary != BINARY or name not in request.cloud.database.clusters:
        raise _absent(name, binary)
    found = request.cloud.api.set_cluster_disabled(request.context, name, disabled=disabled, reason=reason)
    row = _summed_up(request, request.cloud.database.clusters[found.id])
    return {"cluster": _line(request, row) | {"disabled_reason": reason}}


_NULLABLE: Schema = {"type": ["string", "null"], "minLength": 0, "maxLength": 255}
_SWITCH: dict[str, Schema] = {"name": NAME, "binary": _NULLABLE}
_REASON: Schema = {"type": ["string", "null"], "format": "disabled_reason"}
_QUERY = (*_FILTERS, *_REPLICATION)
OPERATIONS = (
    Operation(method="GET", path="/clusters", handler=index, since=SINCE, query=_QUERY),
    Operation(method="GET", path="/clusters/detail", handler=detail, since=SINCE, query=_QUERY),
    Operation(method="GET", path="/clusters/{cluster}", handler=show, since=SINCE),
    Operation(
        method="PUT",
        path="/clusters/disable",
        handler=disable,
        since=SINCE,
        bodies=((SINCE, record({**_SWITCH, "disabled_reason": _REASON}, "name")),),
    ),
    Operation(
        method="PUT",
        path="/clusters/enable",
        handler=enable,
        since=SINCE,
        bodies=((SINCE, record(_SWITCH, "name")),),
    ),
)
