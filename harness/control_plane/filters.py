"""Which pools may take a volume, and which of them is best.

The default filters (AvailabilityZone, Capacity, Capabilities) and the default weigher (Capacity) as pure
functions. Sizes are GiB. Sources: `cinder.scheduler.host_manager`, `cinder.scheduler.sched_utils`,
`cinder.scheduler.filters`, `cinder.scheduler.weights.capacity`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from harness.control_plane import extra_specs
from harness.model import service_host

UNMEASURED = ("infinite", "unknown")
"""What a driver may report instead of a capacity."""

AUTO_RATIO = 20.0
"""max_over_subscription_ratio ``auto`` as long as nothing is provisioned."""

DEFAULT_POOL = "_pool0"
"""Name of the pool of a back-end that reports neither pools nor a volume_backend_name."""

_PROTOCOL_SPELLINGS = (
    ("iSCSI", "iscsi"),
    ("FC", "fibre_channel", "fc"),
    ("NFS", "nfs"),
    ("NVMe-oF", "NVMeOF", "nvmeof"),
)


@dataclass(frozen=True)
class PoolState:
    """What the scheduler knows of a pool. `address` is ``host@backend#pool``, or ``cluster@backend#pool``.

    `capabilities` are the pool's statistics as its back-end reported them, back-end level ones filled in (see
    `pool_states`). `default_ratio` is the scheduler's own max_over_subscription_ratio, which stands in where
    the pool reports none. Reported once and asked often: what is derived is kept.
    """

    address: str
    availability_zone: str
    capabilities: Mapping[str, Any]
    default_ratio: str = "20.0"
    member: str | None = None
    """``host@backend`` of the service that speaks for the cluster."""

    @property
    def host(self) -> str:
        """``host@backend#pool``, where there is a cluster too."""
        return (
            self.address
            if self.member is None
            else self.member + self.address[len(service_host(self.address)) :]
        )

    @property
    def cluster_name(self) -> str | None:
        """``cluster@backend#pool``, or None."""
        return None if self.member is None else self.address

    @cached_property
    def total_capacity_gb(self) -> Any:
        """A number, ``infinite`` or ``unknown``."""
        return self.capabilities.get("total_capacity_gb", 0)

    @cached_property
    def free_capacity_gb(self) -> Any:
        """A number, ``infinite`` or ``unknown``."""
        return self.capabilities.get("free_capacity_gb", 0)

    @cached_property
    def allocated_capacity_gb(self) -> Any:
        """The sum of the sizes of Cinder's volumes, as their service counts it."""
        return self.capabilities.get("allocated_capacity_gb", 0)

    @cached_property
    def provisioned_capacity_gb(self) -> Any:
        """The sum of the apparent sizes of everything in the pool; what is allocated, if not reported."""
        return self.capabilities.get("provisioned_capacity_gb", self.allocated_capacity_gb)

    @cached_property
    def reserved_percentage(self) -> Any:
        """The part of the total that must stay free."""
        return self.capabilities.get("reserved_percentage", 0)

    @cached_property
    def thin_provisioning_support(self) -> bool:
        """True if the pool may promise more than it has."""
        return bool(self.capabilities.get("thin_provisioning_support", False))

    @cached_property
    def max_over_subscription_ratio(self) -> float:
        """How many times its size a thin pool may promise; 1.0 where that does not matter.

        Source: `cinder.scheduler.sched_utils:calculate_max_over_subscription_ratio`.
        """
        total, free = self.total_capacity_gb, self.free_capacity_gb
        if not self.thin_provisioning_support or total in UNMEASURED or free in UNMEASURED:
            return 1.0
        ratio = self.capabilities.get("max_over_subscription_ratio") or self.default_ratio
        if ratio != "auto":
            return float(ratio)
        provisioned = self.provisioned_capacity_gb
        return 1 + float(provisioned) / (total - free + 1) if provisioned != 0 else AUTO_RATIO


class Request(NamedTuple):
    """What the scheduler is asked for.

    `size_gb` is what has to be allocated: for an extend the growth, for managing an existing object 0.
    `availability_zones` None means anywhere; a migrate asks for none. `operation` is create, migrate, retype,
    extend or manage. `current_address` is the pool that the volume is in, or None. `attached` matters to an
    extend only.
    """

    size_gb: int
    extra_specs: Mapping[str, str] = MappingProxyType({})
    availability_zones: tuple[str, ...] | None = None
    operation: str = "create"
    current_address: str | None = None
    attached: bool = False

    @property
    def is_thin(self) -> bool:
        """True unless the type says ``provisioning:type=thick``."""
        return self.extra_specs.get("provisioning:type") != "thick"


def pool_states(
    service: str, availability_zone: str, stats: Mapping[str, Any], default_ratio: str = "20.0"
) -> list[PoolState]:
    """The pools that a back-end's statistics tell of; `service` is ``host@backend``.

    Of the back-end level only what every pool has is handed down: name, vendor, version, protocol and the two
    functions. Statistics without `pools` are those of a single pool, named after volume_backend_name.
    Source: `cinder.scheduler.host_manager:BackendState.update_pools`.
    """
    protocol = _spellings(stats.get("storage_protocol"))
    pools = stats.get("pools")
    single = stats.get("volume_backend_name")
    names_and_pools = (
        [(pool["pool_name"], pool) for pool in pools]
        if isinstance(pools, list)
        else [(DEFAULT_POOL if single is None else single, stats)]
    )
    states = []
    for name, reported in names_and_pools:
        capabilities = dict(reported)
        for key in ("volume_backend_name", "vendor_name", "driver_version"):
            capabilities[key] = reported.get(key) or stats.get(key)
        capabilities["storage_protocol"] = _spellings(reported.get("storage_protocol")) or protocol
        for key in ("filter_function", "goodness_function"):
            if key in stats:
                capabilities.setdefault(key, stats[key])
        address = f"{service}#{name}" if name else service
        states.append(PoolState(address, availability_zone, capabilities, default_ratio))
    return states


def passes(pool: PoolState, request: Request) -> str | None:
    """None if the pool may take the volume, else ``<first filter that refuses>: <why>``.

    ZeroDivisionError for a thin pool that is reserved as a whole: in Cinder, too, one such pool makes the
    scheduling of every volume fail that it could be asked to take.
    """
    zones = request.availability_zones
    if zones and pool.availability_zone not in zones:
        return f"AvailabilityZoneFilter: {pool.availability_zone} is not in {', '.join(zones)}"
    if reason := _capacity_reason(pool, request):
        return f"CapacityFilter: {reason}"
    if reason := _capabilities_reason(pool, request):
        return f"CapabilitiesFilter: {reason}"
    return None


def weigh(pools: Iterable[PoolState], request: Request) -> list[PoolState]:
    """The pools, most virtual free capacity first; equals stay in the order given.

    Pools that do not say how much they have come last (`cinder.scheduler.weights.capacity:CapacityWeigher`).
    """
    candidates = list(pools)
    weights = [_weight(pool, request) for pool in candidates]
    if not candidates or min(weights) == max(weights):
        return candidates
    low, span = min(weights), float(max(weights)) - float(min(weights))
    order = sorted(range(len(candidates)), key=lambda n: (weights[n] - low) / span, reverse=True)
    return [candidates[n] for n in order]


def consumed(pool: PoolState, size_gb: int) -> PoolState:
    """The pool with so many GiB more promised (`host_manager:BackendState.consume_from_volume`)."""
    free = pool.free_capacity_gb
    capabilities = {
        **pool.capabilities,
        "allocated_capacity_gb": pool.allocated_capacity_gb + size_gb,
        "provisioned_capacity_gb": pool.provisioned_capacity_gb + size_gb,
        "free_capacity_gb": free if free in UNMEASURED else free - size_gb,
    }
    return replace(pool, capabilities=capabilities)


def virtual_free_capacity(pool: PoolState, *, thin: bool) -> float:
    """What the pool may still promise, rounded to 2 decimals (`sched_utils:calculate_capacity_factors`)."""
    provisioned = pool.provisioned_capacity_gb
    if thin and pool.thin_provisioning_support:
        return float(round(_usable(pool) * pool.max_over_subscription_ratio - provisioned, 2))
    return float(round(min(pool.free_capacity_gb, _usable(pool) - provisioned), 2))


def _usable(pool: PoolState) -> float:
    """The total without what is reserved, which is rounded down to whole GiB."""
    total = float(pool.total_capacity_gb)
    return total - math.floor(total * (float(pool.reserved_percentage) / 100))


def _weight(pool: PoolState, request: Request) -> float:
    if pool.free_capacity_gb in UNMEASURED or pool.total_capacity_gb in UNMEASURED:
        return -1
    return virtual_free_capacity(pool, thin=request.is_thin)


def _capacity_reason(pool: PoolState, request: Request) -> str | None:
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
        promised = (pool.provisioned_capacity_gb + size) / round(_usable(pool) * ratio, 2)
        if promised > ratio:
            return f"{size} GiB make a provisioned ratio of {promised:.2f}, above {ratio}"
    return None if available >= size else f"{size} GiB requested, {available} GiB available"


def _capabilities_reason(pool: PoolState, request: Request) -> str | None:
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


def _spellings(protocol: Any) -> Any:
    """All the names of a protocol that has several, else the one (`get_storage_protocol_variants`)."""
    return next((list(names) for names in _PROTOCOL_SPELLINGS if protocol in names), protocol)
