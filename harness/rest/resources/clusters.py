"""``/clusters``: services of several nodes that share the work, from microversion 3.7 on.

A cluster here is what its services are; nothing is stored of it. Sources: `cinder.api.v3.clusters`,
`cinder.api.v3.views.clusters`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.control_plane.scheduler import names
from harness.rest.filters import Row
from harness.rest.operations import Operation
from harness.rest.requests import Request

View = dict[str, Any]

SINCE, REPLICATION_SINCE = 7, 26
_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
_REPLICATION = ("replication_status", "frozen", "active_backend_id")


def _clusters(request: Request) -> list[Row]:
    """As rows of the table, with the summary of their services."""
    members: dict[str, list[Row]] = {}
    for row in request.cloud.database.services.values():
        if row["cluster_name"]:
            members.setdefault(row["cluster_name"], []).append(row)
    return [_cluster(request, name, rows) for name, rows in members.items()]


def _cluster(request: Request, name: str, members: Sequence[Row]) -> Row:
    hosts = [row["host"] for row in members]
    up = [host for host in hosts if request.cloud.is_up(host)]
    return {
        "name": name,
        "binary": "cinder-volume",
        "is_up": bool(up),
        "disabled": False,
        "num_hosts": len(hosts),
        "num_down_hosts": len(hosts) - len(up),
        "heard_us": max(request.cloud.services.heard_us(host) for host in hosts),
        "replication_status": "disabled",
        "frozen": any(row["frozen"] for row in members),
        "active_backend_id": None,
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
        "created_at": request.at(0),
        "updated_at": "",
        "disabled_reason": None,
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


def index(request: Request) -> View:
    """List clusters."""
    fields = ("replication_status",) if request.since(REPLICATION_SINCE) else ()
    return {"clusters": [_brief(row) | {field: row[field] for field in fields} for row in _wanted(request)]}


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
    raise errors.NotFoundError(f"Cluster {name} could not be found.")


_QUERY = (*_FILTERS, *_REPLICATION)
OPERATIONS = (
    Operation(method="GET", path="/clusters", handler=index, since=SINCE, query=_QUERY),
    Operation(method="GET", path="/clusters/detail", handler=detail, since=SINCE, query=_QUERY),
    Operation(method="GET", path="/clusters/{cluster}", handler=show, since=SINCE),
)
