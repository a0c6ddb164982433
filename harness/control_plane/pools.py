"""What the scheduler knows of pools, and what it is asked for. Sizes are GiB.

Sources: `cinder.scheduler.host_manager`, `cinder.scheduler.sched_utils`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from harness.control_plane.functions import Names
from harness.record import service_host

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

    @property
    def stats(self) -> dict[str, Any]:
        """What filter and goodness functions know as ``stats``, and queries as attributes."""
        said = self.capabilities.get
        return {
            "host": self.host,
            "cluster_name": self.cluster_name,
            "backend_id": self.address,
            "volume_backend_name": said("volume_backend_name"),
            "vendor_name": said("vendor_name"),
            "driver_version": said("driver_version"),
            "storage_protocol": said("storage_protocol"),
            "QoS_support": said("QoS_support", False),
            "total_capacity_gb": self.total_capacity_gb,
            "allocated_capacity_gb": self.allocated_capacity_gb,
            "free_capacity_gb": self.free_capacity_gb,
            "provisioned_capacity_gb": self.provisioned_capacity_gb,
            "reserved_percentage": self.reserved_percentage,
            "max_over_subscription_ratio": self.max_over_subscription_ratio,
            "thin_provisioning_support": self.thin_provisioning_support,
            "thick_provisioning_support": said("thick_provisioning_support", False),
            "multiattach": said("multiattach", False),
        }

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

    @property
    def is_measured(self) -> bool:
        """True if it says how much it has."""
        unknown = (*UNMEASURED, None)
        return self.total_capacity_gb not in unknown and self.free_capacity_gb not in unknown

    @property
    def usage(self) -> dict[str, float]:
        """`USAGE` of a pool that is measured (`HostManager._get_pool_usage`)."""
        values = (
            self.total_capacity_gb, self.free_capacity_gb, self.allocated_capacity_gb,
            self.provisioned_capacity_gb, virtual_free_capacity(self, thin=self.thin_provisioning_support),
        )  # fmt: skip
        return {name: float(value) for name, value in zip(USAGE, values, strict=True)}

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
    extend only. `volume` has the properties that filter functions may look at, `qos` the QoS specs. `hints` are
    the user's; `places` has the addresses of the volumes, and the machines of the servers, that they name.
    `tried` are the pools that could not make the volume.
    """

    size_gb: int
    extra_specs: Mapping[str, str] = MappingProxyType({})
    availability_zones: tuple[str, ...] | None = None
    operation: str = "create"
    current_address: str | None = None
    attached: bool = False
    volume: Mapping[str, Any] = MappingProxyType({})
    qos: Mapping[str, Any] | None = None
    hints: Mapping[str, Any] = MappingProxyType({})
    places: Mapping[str, str] = MappingProxyType({})
    tried: tuple[str, ...] = ()

    @property
    def is_thin(self) -> bool:
        """True unless the type says ``provisioning:type=thick``."""
        return self.extra_specs.get("provisioning:type") != "thick"

    def names(self, pool: PoolState, function: str) -> Iterator[Names]:
        """What a function may speak of, once for each spelling of the protocol if it speaks of that.

        Source: `cinder.scheduler.filters.driver_filter:DriverFilter._generate_stats`.
        """
        stats, capabilities = pool.stats, dict(pool.capabilities)
        protocols = stats["storage_protocol"]
        spellings = protocols if isinstance(protocols, list) and "storage_protocol" in function else [protocols]
        for spelling in spellings:
            yield {
                "stats": {**stats, "storage_protocol": spelling},
                "capabilities": {**capabilities, "storage_protocol": spelling},
                "extra": self.extra_specs,
                "qos": self.qos,
                "volume": {**self.volume, "size": self.size_gb},
            }


USAGE = ("total", "free", "allocated", "provisioned", "virtual_free")
"""What is told of a pool's capacity, GiB."""


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
        return float(round(usable(pool) * pool.max_over_subscription_ratio - provisioned, 2))
    return float(round(min(pool.free_capacity_gb, usable(pool) - provisioned), 2))


def usable(pool: PoolState) -> float:
    """The total without what is reserved, which is rounded down to whole GiB."""
    total = float(pool.total_capacity_gb)
    return total - math.floor(total * (float(pool.reserved_percentage) / 100))


def _spellings(protocol: Any) -> Any:
    """All the names of a protocol that has several, else the one (`get_storage_protocol_variants`)."""
    return next((list(names) for names in _PROTOCOL_SPELLINGS if protocol in names), protocol)
