"""Which pools may take a volume: Cinder's filters as pure functions, by their names.

Sources: `cinder.scheduler.filters`, `cinder.scheduler.host_manager:HostManager.get_filtered_backends`.
"""

from __future__ import annotations

import json
import operator
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from harness import errors
from harness.control_plane import extra_specs
from harness.control_plane.functions import evaluate
from harness.control_plane.pools import UNMEASURED, PoolState, Request, usable, virtual_free_capacity
from harness.record import split_host

Filter = Callable[[PoolState, Request], str | None]
"""None if the pool passes, else why it does not."""

DEFAULT_FILTERS = ("AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter")
"""scheduler_default_filters."""


def passes(pool: PoolState, request: Request, names: Sequence[str] = DEFAULT_FILTERS) -> str | None:
    """None if the pool may take the volume, else ``<first filter that refuses>: <why>``.

    Whatever a filter raises is not caught: ZeroDivisionError for a thin pool that is reserved as a whole, for
    example. In Cinder, too, one such pool makes the scheduling of every volume fail that it could be asked to
    take.
    """
    for name in names:
        reason = FILTERS[name](pool, request)
        if reason is not None:
            return f"{name}: {reason}"
    return None


def _availability_zone(pool: PoolState, request: Request) -> str | None:
    zones = request.availability_zones
    if zones and pool.availability_zone not in zones:
        return f"{pool.availability_zone} is not in {', '.join(zones)}"
    return None


def _capacity(pool: PoolState, request: Request) -> str | None:
    if request.operation == "retype" and request.current_address == pool.address:
        return None
    size, free, total = request.size_gb, pool.free_capacity_gb, pool.total_capacity_gb
    if size == 0 or free in UNMEASURED:
        return None
    if free is None:
        return "free capacity is not reported"
    if total in UNMEASURED:
        if float(pool.reserved_percentage) == 0:
            return None
        return f"{pool.reserved_percentage} % of a total that is {total} cannot be reserved"
    if float(total) <= 0:
        return f"total capacity is {total} GiB"
    available = virtual_free_capacity(pool, thin=request.is_thin)
    if request.is_thin and pool.thin_provisioning_support:
        ratio = pool.max_over_subscription_ratio
        if ratio < 1:
            return f"max_over_subscription_ratio is {ratio}, below 1"
        # The ratio counts twice: it is in the capacity that is divided by, and compared with the result.
        promised = (pool.provisioned_capacity_gb + size) / round(usable(pool) * ratio, 2)
        if promised > ratio:
            return f"{size} GiB make a provisioned ratio of {promised:.2f}, above {ratio}"
    return None if available >= size else f"{size} GiB requested, {available} GiB available"


def _capabilities(pool: PoolState, request: Request) -> str | None:
    online_extend = pool.capabilities.get("online_extend_support", True)
    if request.operation == "extend" and request.attached and online_extend is False:
        return "an attached volume cannot be extended"
    for key, requirement in request.extra_specs.items():
        scope = key.split(":")
        if scope[0] == "capabilities":
            del scope[0]
        elif len(scope) > 1:
            continue  # for the driver or for another part of Cinder
        try:
            found = _capability(pool.capabilities, scope)
        except (KeyError, TypeError):
            return f"{key} is not reported"
        values = found if isinstance(found, list) else [found]
        if not any(extra_specs.match(value, requirement) for value in values):
            return f"{key} is {found!r}, which does not match {requirement!r}"
    return None


def _capability(capabilities: Any, scope: Sequence[str]) -> Any:
    for name in scope:
        capabilities = capabilities[name]
    return capabilities


# ------------------------------------------------------------------------- those that have to be asked for


def _attempted(pool: PoolState, request: Request) -> str | None:
    """No second chance for a pool that could not make the volume (`IgnoreAttemptedHostsFilter`)."""
    return "was tried before" if pool.address in request.tried else None


def _driver(pool: PoolState, request: Request) -> str | None:
    """What the back-end's own `filter_function` says; a function that cannot be evaluated refuses."""
    function = pool.capabilities.get("filter_function")
    if function is None:
        return None
    try:
        if any(evaluate(str(function), names) for names in request.names(pool, str(function))):
            return None
    except Exception as error:  # noqa: BLE001 (an operator may write anything)
        return f"filter_function {function}: {error}"
    return f"filter_function {function} is not met"


def _different_backend(pool: PoolState, request: Request) -> str | None:
    """Not where one of the volumes of the hint ``different_host`` is."""
    volumes = _identifiers(request.hints.get("different_host", []))
    if volumes is None:
        return "the hint different_host names no volumes"
    if pool.address in _places(volumes, request):
        return "a volume of the hint different_host is here"
    return None


def _same_backend(pool: PoolState, request: Request) -> str | None:
    """Where one of the volumes of the hint ``same_host`` is."""
    volumes = _identifiers(request.hints.get("same_host", []))
    if volumes is None:
        return "the hint same_host names no volumes"
    if volumes and pool.address not in _places(volumes, request):
        return "no volume of the hint same_host is here"
    return None


def _places(volumes: Sequence[str], request: Request) -> set[str | None]:
    return {request.places.get(volume) for volume in volumes}


def _identifiers(hint: Any) -> list[str] | None:
    """None if it is neither an identifier nor a list of them."""
    values = hint if isinstance(hint, list) else [hint]
    return values if all(is_uuid(value) for value in values) else None


def is_uuid(value: object) -> bool:
    """`oslo_utils.uuidutils:is_uuid_like`."""
    text = str(value).lower().replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
    try:
        return uuid.UUID(text).hex == text
    except ValueError:
        return False


def _instance_locality(pool: PoolState, request: Request) -> str | None:
    """On the machine of the server of the hint ``local_to_instance``. Invalid, ServerNotFound."""
    server = request.hints.get("local_to_instance")
    if not server:
        return None
    if not is_uuid(server):
        raise errors.Invalid(f"Expected a uuid but received {server}.")
    if server not in request.places:
        raise errors.ServerNotFound(server_id=server)
    machine = split_host(pool.address).host
    return None if request.places[server] == machine else f"the server is on {request.places[server]}"


# -------------------------------------------------------------------------------------------- JsonFilter


def _json(pool: PoolState, request: Request) -> str | None:
    """``'["and", [">", "$free_capacity_gb", 500], ["=", "$vendor_name", "x"]]'`` of the hint ``query``."""
    query = request.hints.get("query")
    if not query:
        return None
    answer = _query(json.loads(query), pool)
    met = any(answer) if isinstance(answer, list) else answer
    return None if met else f"{query} is not met"


_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType({
    "=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
})  # fmt: skip


def _query(query: Any, pool: PoolState) -> Any:
    """KeyError for a command that there is not. What a pool does not know is left out of the arguments."""
    if not query:
        return True
    command, *arguments = query
    found = (_query(each, pool) if isinstance(each, list) else _looked_up(each, pool) for each in arguments)
    values = [value for value in found if value is not None]
    if command == "not":
        return [not value for value in values]
    if command in ("and", "or"):
        return all(values) if command == "and" else any(values)
    if command == "in":
        return len(values) > 1 and values[0] in values[1:]
    compare = _COMPARISONS[command]
    return len(values) > 1 and all(compare(values[0], value) for value in values[1:])


def _looked_up(word: Any, pool: PoolState) -> Any:
    """The attribute of a pool that a word with a dollar names, such as ``$capabilities.QoS_support``."""
    if not isinstance(word, str) or not word.startswith("$"):
        return word or None if isinstance(word, str) else word
    first, *path = word[1:].split(".")
    found: Any = {**pool.stats, "capabilities": pool.capabilities}.get(first)
    for name in path:
        found = None if found is None else found.get(name)
    return found


FILTERS: Mapping[str, Filter] = MappingProxyType({
    "AvailabilityZoneFilter": _availability_zone,
    "CapabilitiesFilter": _capabilities,
    "CapacityFilter": _capacity,
    "DifferentBackendFilter": _different_backend,
    "DriverFilter": _driver,
    "IgnoreAttemptedHostsFilter": _attempted,
    "InstanceLocalityFilter": _instance_locality,
    "JsonFilter": _json,
    "SameBackendFilter": _same_backend,
})  # fmt: skip
"""By the names that scheduler_default_filters may have."""
