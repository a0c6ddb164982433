"""What every chapter of the volume manager stands on: its driver, its back-end, its counters.

Cinder's volume manager is one class. Here it is a chain of chapters, each in a file of its own:
`ManagerBase` -> `Connections` -> `Migration` -> `Retype` -> `VolumeManager`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import errors
from harness.driver import VolumeDriver
from harness.model import Connector, Context, Record, Volume, split_host

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud
    from harness.control_plane.deployment import BackendPlan


class ManagerBase:
    """The volume service of one back-end (`cinder.volume.manager:VolumeManager.__init__`)."""

    def __init__(self, cloud: Cloud, plan: BackendPlan, driver: VolumeDriver) -> None:
        self.cloud = cloud
        self.simulation = cloud.simulation
        self.db = cloud.database
        self.messaging = cloud.messaging
        self.driver = driver
        self.configuration = driver.configuration
        self.plan = plan
        self.host = plan.service
        self.actor = f"c-vol@{plan.name}"
        self.admin = Context("cinder", "service", is_admin=True)
        self.initialized = False
        self.allocated_capacity_gb: dict[str, int] = {}
        self.stats: Mapping[str, Any] = {}
        self.capabilities: Mapping[str, Any] = {}

    # --------------------------------------------------------------------------------------------- driver

    def drive(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call the driver; the call is a named point, ``driver.<method>``."""
        self.simulation.visit(f"driver.{method}", _subject(arguments))
        return getattr(self.driver, method)(*arguments, **keywords)

    def require_driver_initialized(self) -> None:
        """Raises DriverNotInitialized (`cinder.volume.volume_utils:require_driver_initialized`)."""
        if not self.initialized:
            raise errors.DriverNotInitialized

    def note(self, step: str, detail: str = "") -> None:
        """Something the timeline should show that is no driver call."""
        self.simulation.record(step, detail)

    # ---------------------------------------------------------------------------------- host and capacity

    @property
    def connector(self) -> Connector:
        """Connector properties of this volume service's own host, for copies that it does itself."""
        return host_connector(split_host(self.host).host)

    def is_our_backend(self, host: str) -> bool:
        """True for any pool of this back-end (`cinder.volume.volume_utils:hosts_are_equivalent`)."""
        return host.partition("#")[0] == self.host

    def update_allocated_capacity(self, volume: Volume, *, decrement: bool = False) -> None:
        """Keep the counter that the scheduler sees (`VolumeManager._update_allocated_capacity`)."""
        self.change_allocated_capacity(volume, -volume.size if decrement else volume.size)

    def change_allocated_capacity(self, volume: Volume, change_gb: int) -> None:
        """Move the counter of the volume's pool by so many GiB; it starts at zero."""
        pool = split_host(volume.host or "").pool or self.plan.pool
        if pool in self.allocated_capacity_gb:
            self.allocated_capacity_gb[pool] += change_gb
        else:
            self.allocated_capacity_gb[pool] = max(change_gb, 0)

    def publish_service_capabilities(self) -> None:
        """Ask the driver for its stats and tell the scheduler (`VolumeManager._report_driver_status`)."""
        if not self.initialized:
            return
        stats = self.driver.get_volume_stats(refresh=True)
        if stats:
            self.stats = stats
            self.cloud.scheduler.update_capabilities(self)

    def get_capabilities(self, discover: bool) -> Mapping[str, Any]:
        """The stats as they were when the driver was set up (`cinder.volume.driver:init_capabilities`)."""
        if discover:
            self.capabilities = self.driver.get_volume_stats(refresh=True)
        return self.capabilities


def host_connector(hostname: str) -> Connector:
    """What os-brick says of a host (`os_brick.initiator.connector:get_connector_properties`)."""
    return {
        "host": hostname,
        "ip": hostname,
        "initiator": f"iqn.1994-05.com.example:{hostname}",
        "multipath": False,
        "platform": "x86_64",
        "os_type": "linux",
        "do_local_attach": False,
    }


def _subject(arguments: tuple[Any, ...]) -> str:
    """The names of the records among the arguments, for the timeline."""
    return ", ".join(
        getattr(argument, "name", argument.id) for argument in arguments if isinstance(argument, Record)
    )
