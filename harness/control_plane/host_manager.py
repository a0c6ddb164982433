"""What the scheduler remembers of pools, and how it chooses among them.

Source: `cinder.scheduler.host_manager:HostManager`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.control_plane import pools
from harness.control_plane.filters import passes
from harness.control_plane.pools import PoolState, Request
from harness.control_plane.weighers import Criteria, weigh
from harness.record import service_host
from harness.sim.seeds import stream

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud
    from harness.control_plane.manager_base import ManagerBase

_REPORTABLE = (
    "pool_name", "total_capacity_gb", "free_capacity_gb", "allocated_capacity_gb", "provisioned_capacity_gb",
    "thin_provisioning_support", "thick_provisioning_support", "max_over_subscription_ratio",
    "reserved_percentage",
)  # fmt: skip
"""What a pool must have to be told of, and of which a change is told (`HostManager.REQUIRED_KEYS`)."""


class HostManager:
    """The scheduler's cache: it is empty after a start, until the services have reported."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        options = cloud.options
        self.criteria = Criteria(
            filters=tuple(options["scheduler_default_filters"]),
            weighers=tuple(options["scheduler_default_weighers"]),
            handler=options["scheduler_weight_handler"],
            capacity=options["capacity_weight_multiplier"],
            allocated=options["allocated_capacity_weight_multiplier"],
            number=options["volume_number_multiplier"],
            volumes=self._volumes_in,
            chance=stream(cloud.seed, "scheduler"),
        )
        self._pools: dict[str, list[PoolState]] = {}
        self._told: dict[str, Mapping[str, Any]] = {}

    def _volumes_in(self, pool: PoolState) -> int:
        return sum(row["host"] == pool.host for row in self._cloud.database.volumes.values())

    # ------------------------------------------------------------------------------- what services report

    def update(self, manager: ManagerBase) -> None:
        """Remember a service's stats, with what it has allocated in each pool; tell who listens of changes."""
        service = self._cloud.database.services[manager.host]
        stats = _with_counters(manager)
        self._pools[manager.topic_queue] = pools.pool_states(
            manager.topic_queue,
            service["availability_zone"],
            stats,
            self._cloud.options["max_over_subscription_ratio"],
        )
        self._tell(manager.topic_queue, stats)

    def _tell(self, backend: str, stats: Mapping[str, Any]) -> None:
        """``capacity.pool`` of pools that have changed since, and ``capacity.backend`` of their sum.

        Nothing is told of back-ends without a list of pools, such as RBD and NFS
        (`HostManager.notify_service_capabilities`).
        """
        listed = stats.get("pools")
        if not isinstance(listed, list) or any(key not in pool for pool in listed for key in _REPORTABLE):
            return
        shown = {pool["pool_name"]: {key: pool[key] for key in _REPORTABLE} for pool in listed}
        changed = [name for name, values in shown.items() if self._told.get(backend, {}).get(name) != values]
        if not changed:
            return
        self._told[backend] = shown
        measured = [pool for pool in self._pools[backend] if pool.is_measured]
        usages = {pool.address: pool.usage for pool in measured}
        for address, usage in usages.items():
            if address.partition("#")[2] in changed:
                self._cloud.notifications.capacity("pool", address, usage)
        total = {key: sum(usage[key] for usage in usages.values()) for key in pools.USAGE}
        self._cloud.notifications.capacity("backend", backend, total)

    def forget(self) -> None:
        """The process ends."""
        self._pools.clear()
        self._told.clear()

    @property
    def is_ready(self) -> bool:
        """All services that may be used have reported (`has_all_capabilities`)."""
        return all(manager.topic_queue in self._pools for manager in self._usable())

    @property
    def has_received(self) -> bool:
        """The same, and there was something to report (`first_receive_capabilities`)."""
        return bool(self._pools) and self.is_ready

    # ---------------------------------------------------------------------------------------------- choice

    def _usable(self) -> list[ManagerBase]:
        """The services that are up, not disabled and not frozen; of a cluster, the first such one."""
        database, services = self._cloud.database, self._cloud.services
        found: dict[str, ManagerBase] = {}
        for host, manager in services.managers.items():
            row = database.services[host]
            if not database.disabled(row) and not database.frozen(row) and services.is_up(host):
                found.setdefault(manager.topic_queue, manager)
        return list(found.values())

    def pools(self) -> list[PoolState]:
        """Candidates: what usable services have reported (`HostManager._update_backend_state_map`)."""
        self._cloud.services.catch_up()
        found: list[PoolState] = []
        for manager in self._usable():
            known = self._pools.get(manager.topic_queue, [])
            found += [replace(pool, member=manager.host) for pool in known] if manager.is_clustered else known
        return found

    def passing(self, request: Request) -> tuple[list[PoolState], str]:
        """Pools that pass all filters, best first, and why the others do not."""
        passing: list[PoolState] = []
        reasons: list[str] = []
        for pool in self.pools():
            reason = passes(pool, request, self.criteria.filters)
            if reason is None:
                passing.append(pool)
            else:
                reasons.append(f"{pool.address}: {reason}")
        return weigh(passing, request, self.criteria), "; ".join(reasons)

    def count(self, address: str, size_gb: int) -> None:
        """So many GiB more of a pool are promised, or less, until the pool reports again.

        Migrations are not counted. Sources: `BackendState.consume_from_volume`,
        `revert_volume_consumed_capacity`.
        """
        known = self._pools.get(service_host(address), [])
        for number, pool in enumerate(known):
            if pool.address == address:
                known[number] = pools.consumed(pool, size_gb)


def _with_counters(manager: ManagerBase) -> dict[str, Any]:
    """The driver's stats, the manager's counters, and the functions of the back-end's section.

    Sources: `VolumeManager._append_volume_stats`, `_append_filter_goodness_functions`.
    """
    stats = dict(manager.stats)
    allocated = manager.allocated_capacity_gb
    listed: Sequence[Mapping[str, Any]] | None = stats.get("pools")
    if isinstance(listed, list):
        stats["pools"] = [
            {**pool, "allocated_capacity_gb": allocated.get(pool["pool_name"], 0)} for pool in listed
        ]
    else:
        stats["allocated_capacity_gb"] = allocated.get(manager.plan.pool, 0)
    for function in ("filter_function", "goodness_function"):
        stats.setdefault(function, manager.configuration.safe_get(function))
    return stats
