"""Which filters a list takes, and which rows they leave.

Sources: `etc/cinder/resource_filters.json`, `cinder.api.common:reject_invalid_filters`,
`cinder.api.api_utils:remove_invalid_filter_options`, `cinder.db.api:_process_volume_filters` and its siblings.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from harness.rest.faults import Fault
from harness.rest.requests import Request, to_bool

Row = Mapping[str, Any]

ALLOWED: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "volume": (
        "name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size",
        "created_at", "updated_at", "consumes_quota",
    ),
    "backup": ("name", "status", "volume_id"),
    "snapshot": ("name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"),
    "group": ("name",),
    "group_snapshot": ("name", "status", "group_id"),
    "attachment": ("volume_id", "status", "instance_id", "attach_status"),
    "message": ("resource_uuid", "resource_type", "event_id", "request_id", "message_level"),
    "pool": ("name", "volume_type"),
    "volume_type": ("is_public", "extra_specs"),
})  # fmt: skip
"""What those who are no admins may filter by; of pools everybody, because only admins see them."""

GENERAL, LIKE = 31, 34
"""The microversions that refuse unknown filters, and that match parts of names."""

RENAMED: Mapping[str, str] = MappingProxyType({
    "name": "display_name", "name~": "display_name~", "description~": "display_description~",
    "consumes_quota": "use_quota",
})  # fmt: skip
_BOOLEANS = ("bootable", "multiattach", "use_quota", "shared_targets", "deleted")
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType({
    "gt": operator.gt, "gte": operator.ge, "eq": operator.eq, "neq": operator.ne, "lt": operator.lt,
    "lte": operator.le,
})  # fmt: skip


def wanted(
    request: Request, resource: str, older: Mapping[str, int] | None = None, *, ignored: Sequence[str] = ()
) -> dict[str, str]:
    """The filters of a query that count, by the names of the API.

    `ignored` are parameters that are no filters. `older` has the microversion from which on a filter is known
    at all, for requests older than `GENERAL`. Fault 400 for one that the caller may not use.
    """
    filters = {
        name: value
        for name, value in request.query.items()
        if name not in ("limit", "marker", "offset", "sort", "sort_key", "sort_dir", *ignored)
    }
    if request.since(45):
        filters.pop("with_count", None)
    if not request.since(GENERAL):
        for name, since in (older or {}).items():
            if not request.since(since):
                filters.pop(name, None)
        if request.context.is_admin:
            return filters
        return {name: value for name, value in filters.items() if name in ALLOWED[resource]}
    _reject_unknown(request, resource, filters)
    return filters


def _reject_unknown(request: Request, resource: str, filters: dict[str, str]) -> None:
    if not all(name.isascii() for name in filters):
        raise Fault(400, "Filter keys can only contain ASCII characters.")
    if request.context.is_admin and resource != "pool":
        return
    allowed = ALLOWED.get(resource, ())
    unknown = [name for name in filters if name not in allowed]
    if "all_tenants" in unknown:
        # The client always sends it; it is ignored.
        unknown.remove("all_tenants")
        del filters["all_tenants"]
    if unknown:
        raise Fault(400, f"Invalid filters {','.join(unknown)} are found in query options.")


def predicate(
    request: Request, filters: Mapping[str, str], *, renamed: Mapping[str, str] = RENAMED
) -> Callable[[Row], bool]:
    """Whether a row passes all filters; a filter for a field that rows do not have lets none pass.

    `renamed` has the fields whose filters have other names.
    """
    checks = [_check(request, renamed.get(name, name), value) for name, value in filters.items()]
    return lambda row: all(check(row) for check in checks)


def _check(request: Request, field: str, value: str) -> Callable[[Row], bool]:
    if field in ("created_at", "updated_at"):
        return _times(request, field, value)
    if field.endswith("~"):
        part = value.lower()
        return lambda row: part in str(row.get(field[:-1]) or "").lower()
    if field in ("host", "cluster_name"):
        return lambda row: row.get(field) == value or str(row.get(field) or "").startswith(f"{value}#")
    wanted = _literal(request, field, value)
    if field in ("metadata", "glance_metadata"):
        if not isinstance(wanted, dict):
            return lambda row: False
        return lambda row: wanted.items() <= {**row.get("admin_metadata", {}), **row[field]}.items()
    if isinstance(wanted, (list, tuple, set)):
        return lambda row: row.get(field) in wanted
    missing = object()
    return lambda row: row.get(field, missing) == wanted


def _literal(request: Request, field: str, value: str) -> Any:
    """What a filter's text means (`cinder.volume.api:API.check_volume_filters`)."""
    if field in _BOOLEANS:
        if not request.since(2):
            return value.lower() not in ("false", "0")
        return to_bool(value, f"{field}={value}")
    if field == "display_name":
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _times(request: Request, field: str, value: str) -> Callable[[Row], bool]:
    """``gt:2026-01-01T00:00:00,lt:...`` (`VolumeController._handle_time_comparison_filters`)."""
    bounds = []
    for part in value.split(","):
        name, _, moment = part.partition(":")
        if name not in _COMPARISONS:
            raise Fault(400, f"Invalid {name} operator")
        try:
            bounds.append((_COMPARISONS[name], request.instant_us(datetime.fromisoformat(moment))))
        except (ValueError, OverflowError):
            raise Fault(400, f"Invalid {moment} value") from None
    return lambda row: row.get(field) is not None and all(holds(row[field], bound) for holds, bound in bounds)
