"""``/workers/cleanup``: have the work of dead services taken up, from microversion 3.24 on.

Source: `cinder.api.v3.workers`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.control_plane.scheduler import CleanupFilter
from harness.rest.operations import Operation
from harness.rest.requests import Request, to_bool
from harness.rest.schemas import BOOLEAN, HOST, OPTIONAL_UUID, record

View = dict[str, Any]

SINCE = 24
_TYPES = ("Snapshot", "Volume")


def cleanup(request: Request) -> View:
    """Have the work of dead services taken up."""
    require_admin(request.context, "workers:cleanup")
    body = request.body
    number = body.get("service_id")
    hosts = [host for own, host in _numbered(request) if number is None or str(number) == str(own)]
    kind = _resource_type(body)
    resource_id = body.get("resource_id")
    if resource_id and not {"service_id", "cluster_name", "host"} & body.keys():
        hosts = [_at_work(request, resource_id, kind)]
    requested: list[str] = []
    unavailable: list[str] = []
    if body.get("binary") != "cinder-scheduler":
        wanted = CleanupFilter(
            host=body.get("host"),
            cluster_name=body.get("cluster_name"),
            is_up=_boolean(body.get("is_up", False)),
            disabled=_boolean(body.get("disabled")),
            resource_id=resource_id,
            resource_type=kind,
        )
        now_us = request.cloud.simulation.kernel.now_us
        requested, unavailable = request.cloud.scheduler.work_cleanup(wanted, now_us, among=hosts)
    return {"cleaning": _services(request, requested), "unavailable": _services(request, unavailable)}


def _boolean(value: Any) -> bool | None:
    return None if value is None else to_bool(value)


def _resource_type(body: Any) -> str | None:
    """As the objects are called. InvalidInput for those that nobody cleans up."""
    kind: str = (body.get("resource_type") or "").title()
    if kind and kind not in _TYPES:
        raise errors.InvalidInput(reason=f"Resource type {kind} not valid, must be {' or '.join(_TYPES)}")
    return kind or None


def _at_work(request: Request, resource_id: str, kind: str | None) -> str:
    """The service that has begun something on a resource. InvalidInput, whose words Cinder forgets to join."""
    work = request.cloud.database.workers.get(resource_id)
    if work is None or kind not in (None, work.record.__name__):
        raise errors.InvalidInput(
            reason=str(("There is no resource with UUID %s pending cleanup.", resource_id))
        )
    return work.service


def _numbered(request: Request) -> Iterator[tuple[int, str]]:
    """A service is known by the number of its row."""
    return iter(enumerate(request.cloud.database.services, start=1))


def _services(request: Request, hosts: Collection[str]) -> list[View]:
    rows = request.cloud.database.services
    return [
        {
            "id": number,
            "host": host,
            "binary": rows[host]["binary"],
            "cluster_name": rows[host]["cluster_name"],
        }
        for number, host in _numbered(request)
        if host in hosts
    ]


_CLEANUP = record(
    {
        "cluster_name": HOST,
        "disabled": BOOLEAN,
        "host": HOST,
        "is_up": BOOLEAN,
        "binary": {"enum": ["cinder-volume", "cinder-scheduler"]},
        "resource_id": OPTIONAL_UUID,
        "resource_type": {"type": ["string", "null"], "minLength": 0, "maxLength": 40},
        "service_id": {"type": ["integer", "string", "null"], "pattern": "^[0-9]*$", "maxLength": 11},
    }
)

OPERATIONS = (
    Operation(
        method="POST", path="/workers/cleanup", handler=cleanup, code=202, since=SINCE, bodies=((0, _CLEANUP),)
    ),
)
