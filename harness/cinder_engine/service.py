"""One volume service: Cinder's manager and driver, and what Crucible's matrix wants to know of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cinder import context as cinder_context
from cinder import objects
from cinder.volume import manager as volume_manager

from fake_backends.nfs import snapshots as nfs_snapshots
from fake_backends.world import World
from harness.cinder_engine.seams import driver_calls
from harness.control_plane.deployment import BackendPlan
from harness.model import ConnectionInfo, Connector, Context, ModelUpdate, Volume

if TYPE_CHECKING:
    from harness.cinder_engine.cloud import CinderCloud


class VolumeService:
    """What `harness.control_plane.volume_manager.VolumeManager` is in the simulation.

    `manager` is Cinder's `VolumeManager`, `driver` a view of its driver with Crucible's records.
    """

    def __init__(self, cloud: CinderCloud, plan: BackendPlan, service_id: int) -> None:
        self._cloud = cloud
        self._service_id = service_id
        self.plan = plan
        self.host = plan.service
        self.actor = f"c-vol@{plan.name}"
        self.admin = Context("cinder", "service", is_admin=True)
        self.manager: Any = None
        self.setup_error: Exception | None = None
        """What the driver raised when it was set up. Cinder's manager logs it and goes on without the
        driver.
        """
        self.driver = DriverView(self)

    def create(self) -> None:
        """Make manager and driver, whose calls are named points."""
        self.make_manager()
        driver_calls.watch(
            self.manager.driver, self._cloud.simulation, self._cloud.mask.learn, self._cloud.calls_of(self.plan)
        )

    def make_manager(self) -> None:
        """Make the manager, which makes the driver that its section of cinder.conf names."""
        self.manager = volume_manager.VolumeManager(host=self.host, service_name=self.plan.name)

    def set_up(self) -> None:
        """What `cinder.service.Service.start` does with the manager."""
        driver = self.manager.driver
        driver.do_setup = self._noting(driver.do_setup)
        driver.check_for_setup_error = self._noting(driver.check_for_setup_error)
        self.manager.init_host(added_to_cluster=False, service_id=self._service_id)
        self.manager.init_host_with_rpc()

    def _noting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **keywords: Any) -> Any:
            try:
                return method(*arguments, **keywords)
            except Exception as error:
                self.setup_error = error
                raise

        return noted

    @property
    def initialized(self) -> bool:
        return bool(self.manager.driver.initialized)

    @initialized.setter
    def initialized(self, value: bool) -> None:
        self.manager.driver._initialized = value

    @property
    def allocated_capacity_gb(self) -> dict[str, int]:
        """What the service counts by pool; for one that it never counted it reports none to the scheduler."""
        pools = self.manager.stats.get("pools", {})
        return {self.plan.pool: 0, **{name: pool["allocated_capacity_gb"] for name, pool in pools.items()}}

    def publish_service_capabilities(self) -> None:
        """Ask the driver for its stats and tell the scheduler, now."""
        self.act(lambda: self.manager.publish_service_capabilities(_admin()))

    def act(self, function: Callable[[], Any]) -> Any:
        """Let the service do something, and everything that follows from it."""
        return self._cloud.act(self.actor, function)


def objects_in(world: World, plan: BackendPlan) -> list[str] | None:
    """Names of the volumes and snapshots in a back-end's container, told by the storage itself.

    None if there is nobody to tell: the fake of somebody's array cannot, or there is none.
    """
    if plan.kind == "lvm":
        return world.node(plan.node).volume_groups[plan.configuration.volume_group].names()
    if plan.kind == "rbd":
        assert plan.cluster is not None
        return world.cluster(plan.cluster).pool(plan.configuration.rbd_pool).names()
    if plan.kind == "nfs":
        shares = [world.shares[export] for export in plan.shares]
        return sorted({name for share in shares for name in nfs_snapshots.objects(share)})
    told = world.arrays[plan.array_name].objects() if plan.array is not None else None
    return None if told is None else list(told)


class DriverView:
    """The driver of a service, for whoever reads a volume behind Cinder's back."""

    def __init__(self, service: VolumeService) -> None:
        self._service = service

    def objects(self) -> list[str] | None:
        """Names of the volumes and snapshots in the service's container; None if nobody can tell."""
        return objects_in(self._service._cloud.world, self._service.plan)

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        stats: dict[str, Any] = self._drive("get_volume_stats", refresh=refresh)
        return stats

    def create_export(self, context: Context, volume: Volume, connector: Connector) -> ModelUpdate | None:
        update: ModelUpdate | None = self._drive("create_export", _admin(), _real(volume), connector)
        return update

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        info: ConnectionInfo = self._drive("initialize_connection", _real(volume), connector)
        return info

    def terminate_connection(self, volume: Volume, connector: Connector | None, **keywords: Any) -> bool | None:
        shared: bool | None = self._drive("terminate_connection", _real(volume), connector, **keywords)
        return shared

    def remove_export(self, context: Context, volume: Volume) -> None:
        self._drive("remove_export", _admin(), _real(volume))

    def _drive(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """On the machine of the service, whose programs the driver starts."""
        call = getattr(self._service.manager.driver, method)
        return self._service.act(lambda: call(*arguments, **keywords))


def _admin() -> Any:
    return cinder_context.get_admin_context()


def _real(volume: Volume) -> Any:
    """Cinder's object of a record, with what was changed in the record since it was read."""
    real = objects.Volume.get_by_id(_admin(), volume.id)
    for name in ("provider_location", "provider_auth", "provider_id"):
        setattr(real, name, getattr(volume, name))
    return real
