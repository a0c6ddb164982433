"""What every chapter of the volume manager stands on: its driver, its back-end, its counters.

Cinder's volume manager is one class. Here it is a chain of chapters, each in a file of its own:
`ManagerBase` -> `Start` -> `Connections` -> `Migration` -> `Retype` -> `Snapshots` -> `Content` ->
`Managing` -> `Groups` -> `GroupSnapshots` -> `Replication` -> `VolumeManager`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import errors
from harness.control_plane.heartbeat import Heartbeat
from harness.control_plane.log_levels import LogLevels
from harness.driver import VolumeDriver
from harness.model import Connector, Context, Snapshot, Volume
from harness.record import service_host, split_host

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud
    from harness.control_plane.deployment import BackendPlan

SECOND_US = 1_000_000
STANDARD_CAPABILITIES = (
    ("thin_provisioning", "Thin Provisioning", "Sets thin provisioning."),
    ("compression", "Compression", "Enables compression."),
    ("qos", "QoS", "Enables QoS."),
    ("replication_enabled", "Replication", "Enables replication."),
)
"""Name, title and description of what extra specs may ask of any back-end, whether it can or not."""


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
        self.topic_queue = plan.service_cluster or plan.service
        self.is_clustered = plan.service_cluster is not None
        self.actor = f"c-vol@{plan.name}"
        self.admin = Context("cinder", "service", is_admin=True)
        options, now_us = cloud.node_options(plan), self.simulation.kernel.now_us
        self.heartbeat = Heartbeat(options["report_interval"] * SECOND_US, now_us)
        self._polls = Heartbeat(options["backend_stats_polling_interval"] * SECOND_US, now_us)
        self.log_levels = LogLevels(("cinder.volume.manager", plan.driver.partition(":")[0]))
        self.initialized = False
        self.allocated_capacity_gb: dict[str, int] = {}
        self.stats: Mapping[str, Any] = {}
        self.capabilities: Mapping[str, Any] = {}

    # --------------------------------------------------------------------------------------------- driver

    @property
    def initialized(self) -> bool:
        """The driver is set up. A service whose driver is not stops reporting, and so appears to be down."""
        return self._initialized

    @initialized.setter
    def initialized(self, value: bool) -> None:
        self._initialized = value
        change = Heartbeat.resume if value else Heartbeat.halt
        change(self.heartbeat, self.simulation.kernel.now_us)

    def end(self, heard_us: int | None) -> None:
        """The process is dead. It was last heard of at `heard_us`, if not when it should have been."""
        now_us = self.simulation.kernel.now_us
        self.heartbeat.halt(now_us, heard_us=heard_us)
        self._polls.halt(now_us)

    def drive(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call the driver; the call is a named point, ``driver.<method>``."""
        self.simulation.visit(f"driver.{method}", _subject(arguments))
        self.cloud.services.catch_up()
        return getattr(self.driver, method)(*arguments, **keywords)

    def give_back(self, project_id: str, type_id: str | None, deltas: Mapping[str, int]) -> list[str]:
        """Reservations for what was deleted; none if that fails, which stops no deletion: it is only logged."""
        try:
            return self.cloud.reserve(project_id, type_id, deltas)
        except Exception as error:  # noqa: BLE001 (as Cinder does)
            self.note("ignored", f"usages cannot be updated: {error}")
            return []

    def require_driver_initialized(self) -> None:
        """Raises DriverNotInitialized (`cinder.volume.volume_utils:require_driver_initialized`)."""
        if not self.initialized:
            raise errors.DriverNotInitialized

    def note(self, step: str, detail: str = "") -> None:
        """Something the timeline should show that is no driver call."""
        self.simulation.record(step, detail)

    def set_log_levels(self, prefix: str, level: str) -> None:
        """See `LogLevels`."""
        self.log_levels.set(prefix, level)

    def get_log_levels(self, prefix: str) -> dict[str, str]:
        """See `LogLevels`."""
        return self.log_levels.get(prefix)

    def notify(self, volume: Volume, suffix: str, **extra: Any) -> None:
        """Tell who listens of ``volume.<suffix>`` (`VolumeManager._notify_about_volume_usage`)."""
        self.cloud.notifications.volume(volume, suffix, self.host, **extra)

    # ---------------------------------------------------------------------------------- host and capacity

    @property
    def connector(self) -> Connector:
        """Connector properties of this volume service's own host, for copies that it does itself."""
        return host_connector(split_host(self.host).host)

    def is_our_backend(self, host: str, cluster_name: str | None = None) -> bool:
        """True for any pool of this back-end, whichever service of its cluster is asked (`_is_our_backend`)."""
        return service_host(cluster_name or host) == self.topic_queue

    def update_allocated_capacity(
        self, volume: Volume, *, decrement: bool = False, host: str | None = None
    ) -> None:
        """Keep the counter that the scheduler sees (`VolumeManager._update_allocated_capacity`).

        `host` stands for the volume's, where that is gone.
        """
        self.change_allocated_capacity(host or volume.host, -volume.size if decrement else volume.size)

    def change_allocated_capacity(self, host: str | None, change_gb: int) -> None:
        """Move the counter of the pool of ``host@backend#pool`` by so many GiB; it starts at zero."""
        pool = split_host(host or "").pool or self.plan.pool
        if pool in self.allocated_capacity_gb:
            self.allocated_capacity_gb[pool] += change_gb
        else:
            self.allocated_capacity_gb[pool] = max(change_gb, 0)

    def catch_up(self) -> int:
        """Publish what the periodic task would have since it was last looked at, as the storage still is.

        Whoever is about to change anything comes here first, so the scheduler knows of a pool what was true
        when `backend_stats_polling_interval` last ended, and no more. Returns when there is more to publish.
        """
        now_us = self.simulation.kernel.now_us
        if self._polls.news_us(now_us) is not None:
            try:
                self.publish_service_capabilities()
            except Exception as error:  # noqa: BLE001 (a periodic task that fails is logged)
                self.note("get_volume_stats failed", str(error))
        return self._polls.next_us(now_us)

    def publish_service_capabilities(self) -> None:
        """Ask the driver for its stats and tell the scheduler (`VolumeManager._report_driver_status`)."""
        if not self.initialized:
            return
        stats = self.driver.get_volume_stats(refresh=True)
        if stats:
            self.stats = stats
            self.cloud.scheduler.update_capabilities(self)

    def get_capabilities(self, discover: bool) -> Mapping[str, Any]:
        """The stats as they were when the driver was set up, and what extra specs may ask for.

        Source: `cinder.volume.driver:BaseVD.init_capabilities`.
        """
        if discover:
            self.capabilities = self.driver.get_volume_stats(refresh=True)
        properties = {
            name: {"title": title, "description": description, "type": "boolean"}
            for name, title, description in STANDARD_CAPABILITIES
        }
        return {**self.capabilities, "properties": properties}


def host_connector(hostname: str) -> Connector:
    """What os-brick says of a host (`os_brick.initiator.connector:get_connector_properties`)."""
    return {
        "host": hostname,
        "ip": hostname,
        "initiator": f"iqn.1994-05.com.example:{hostname}",
        "wwpns": [_wwn("10", hostname)],
        "wwnns": [_wwn("20", hostname)],
        "nqn": f"nqn.2014-08.com.example:{hostname}",
        "multipath": False,
        "platform": "x86_64",
        "os_type": "linux",
        "do_local_attach": False,
    }


def _wwn(kind: str, hostname: str) -> str:
    """A World Wide Name of the machine's adapter: 64 bits, in hexadecimal."""
    return kind + hashlib.sha256(hostname.encode()).hexdigest()[:14]


def _subject(arguments: tuple[Any, ...]) -> str:
    """The names of the volumes and snapshots among the arguments, for the timeline."""
    return ", ".join(argument.name for argument in arguments if isinstance(argument, Volume | Snapshot))
