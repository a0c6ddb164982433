"""``/os-services/set-log`` and ``get-log``: what the services are told to log, from microversion 3.32 on.

Source: `cinder.api.v3.services:ServiceController.set_log`, `get_log`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.control_plane.scheduler import names
from harness.rest.filters import Row
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.schemas import Schema, record

View = dict[str, Any]

SINCE = 32
API = "cinder-api"
BINARIES = ("cinder-scheduler", "cinder-volume", "cinder-backup", API)
_POLICY = "volume_extension:services:update"


def _meant(request: Request) -> tuple[bool, list[Row]]:
    """Whether the API itself is meant, and which services that are up."""
    body = request.body
    binary, server = body.get("binary"), body.get("server")
    if binary == API:
        return True, []
    everybody = binary in (None, "", "*")
    rows: list[Row] = [
        row
        for row in request.cloud.database.services.values()
        if request.cloud.is_up(row["host"])
        and (everybody or row["binary"] == binary)
        and (not server or names(server, row["host"]) or names(server, row["cluster_name"] or ""))
    ]
    return everybody, rows


def set_log(request: Request) -> None:
    """Set what services log."""
    require_admin(request.context, _POLICY)
    prefix, level = request.body.get("prefix") or "", (request.body.get("level") or "").upper()
    api, rows = _meant(request)
    if api:
        if not level:
            raise errors.InvalidInput(reason=" is not a valid log level.")
        request.cloud.log_levels.set(prefix, level)
    for row in rows:
        request.cloud.messaging.cast(row["host"], "set_log_levels", prefix, level)


def get_log(request: Request) -> View:
    """Show what services log."""
    require_admin(request.context, _POLICY)
    prefix, server = request.body.get("prefix") or "", request.body.get("server")
    api, rows = _meant(request)
    host = request.cloud.deployment.nodes[0].host
    found = []
    if api and server in (None, "", host):
        found.append({"host": host, "binary": API, "levels": request.cloud.log_levels.get(prefix)})
    for row in rows:
        levels = request.cloud.messaging.call(row["host"], "get_log_levels", prefix)
        found.append({"host": row["host"], "binary": row["binary"], "levels": levels})
    return {"log_levels": found}


_TEXT: Schema = {"type": ["string", "null"], "minLength": 0, "maxLength": 255}
_WHICH: dict[str, Schema] = {
    "binary": {"type": "string", "enum": [*BINARIES, "", "*"]},
    "server": _TEXT,
    "prefix": _TEXT,
}
_LEVEL: Schema = {"type": ["string", "null"], "format": "level"}

OPERATIONS = (
    Operation(
        method="PUT",
        path="/os-services/set-log",
        handler=set_log,
        code=202,
        since=SINCE,
        bodies=((SINCE, record({**_WHICH, "level": _LEVEL})),),
    ),
    Operation(
        method="PUT",
        path="/os-services/get-log",
        handler=get_log,
        since=SINCE,
        bodies=((SINCE, record(_WHICH)),),
    ),
)
