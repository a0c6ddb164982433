"""A running deployment: database, bus, scheduler, one volume service per back-end, APIs, Nova."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from fake_backends.files.directory import Directory
from fake_backends.world import World
from harness.control_plane.api import (
    AttachmentApi,
    BackupApi,
    DefaultTypeApi,
    GroupApi,
    QosApi,
    TransferApi,
    TypeApi,
    VolumeApi,
)
from harness.control_plane.backup_manager import BACKUP_HOST, BackupManager
from harness.control_plane.copying import Copy
from harness.control_plane.database import Database
from harness.control_plane.deployment import BackendPlan, Deployment, build_world
from harness.control_plane.encryption import KeyManager
from harness.control_plane.groups import FOR_CONSISTENCY_GROUPS
from harness.control_plane.hypervisor import Nova
from harness.control_plane.images import ImageService
from harness.control_plane.log_levels import LogLevels
from harness.control_plane.messaging import Messaging
from harness.control_plane.notifications import Notifications
from harness.control_plane.nova_profiles import NovaProfile
from harness.control_plane.quota import Quotas
from harness.control_plane.scheduler import ACTOR, TOPIC, Scheduler
from harness.control_plane.services import Services
from harness.control_plane.user_messages import UserMessages
from harness.control_plane.volume_manager import VolumeManager
from harness.model import GroupType, VolumeType
from harness.sim.kernel import Lock
from harness.sim.seeds import Ids
from harness.sim.simulation import Simulation

SECOND_US = 1_000_000
DEFAULT_TYPE = "__DEFAULT__"
"""The type of volumes for which nobody asked for one (`cinder.volume.volume_types:DEFAULT_VOLUME_TYPE`)."""


class Cloud:
    """Everything that runs, joined. Two clouds share nothing."""

    def __init__(
        self,
        deployment: Deployment,
        simulation: Simulation,
        *,
        nova: NovaProfile,
        seed: int = 0,
        backends: Sequence[str] | None = None,
        uninitialised: Sequence[str] = (),
        home: Directory | None = None,
        database: Database | None = None,
        before_start: Callable[[Self], None] = lambda cloud: None,
    ) -> None:
        """Start the services of `backends` (all by default) over storage of their own.

        `uninitialised` names back-ends whose driver fails to set up. `home` is where storage is kept, None
        for memory. `database` has the records of an earlier life of the deployment, and
        `before_start` may bring back what else there was before any service starts.
        """
        self.deployment = deployment
        self.simulation = simulation
        self.seed = seed
        plans = [plan for plan in deployment.backends if backends is None or plan.name in backends]
        self.world: World = build_world(deployment, simulation, home, backends=plans)
        self.database = Database(seed) if database is None else database
        self.database.changes.clock = lambda: simulation.kernel.now_us
        self.copies: dict[str, Copy] = {}
        """The copies that volume services make, by the id of the volume that is copied."""
        # Cinder's own migrations make them, so they are there before anybody comes.
        if not self.database.volume_types:
            ids = Ids(seed, "installation")
            self.create_type(DEFAULT_TYPE, id=ids.uuid(), description="Default Volume Type")
            self.database.create(
                GroupType,
                {
                    "id": ids.uuid(),
                    "name": FOR_CONSISTENCY_GROUPS,
                    "description": "Default group type for migrating cgsnapshot",
                    "group_specs": {"consistent_group_snapshot_enabled": "<is> True"},
                },
            )
        self.messaging = Messaging(simulation)
        self.key_manager = KeyManager(seed, self.world)
        self.images = ImageService(seed, simulation)
        self.options = deployment.nodes[0].options
        self.quotas = Quotas(quota_limits(self.options))
        self.notifications = Notifications(simulation.kernel, deployment.nodes[0].host)
        self.user_messages = UserMessages(seed, simulation.kernel, ttl_s=self.options["message_ttl"])
        self.log_levels = LogLevels(("cinder.api", "cinder.volume.api"))
        """Of the API itself."""
        self.scheduler = Scheduler(self)
        self.api = VolumeApi(self)
        self.attachments = AttachmentApi(self)
        self.backups = BackupApi(self)
        self.transfers = TransferApi(self)
        self.groups = GroupApi(self)
        self.types = TypeApi(self)
        self.default_types = DefaultTypeApi(self)
        self.qos = QosApi(self)
        self.nova = Nova(self, nova)
        self.world.compute = self.nova
        self.services = Services(self)
        self._locks: dict[str, Lock] = {}
        self.world.lock = self.lock
        self.backup_manager = BackupManager(self)
        self.messaging.register(TOPIC, ACTOR, self.scheduler)
        self.messaging.register(BACKUP_HOST, "c-bak", self.backup_manager)
        before_start(self)
        self.services.start_all(plans, uninitialised)

    def close(self) -> None:
        """Let go of the files that the storage has open."""
        self.world.close()

    # ------------------------------------------------------------------------------------------- services

    @property
    def managers(self) -> dict[str, VolumeManager]:
        """The volume services by their addresses, ``host@backend``."""
        return self.services.managers

    def manager(self, name: str) -> VolumeManager:
        """The volume service of a back-end, by the back-end's name."""
        return self.managers[self.deployment.backend(name).service]

    def start_again(self, name: str) -> None:
        """The process of a stopped service starts anew, and sets its driver up again."""
        self.services.start_again(self.deployment.backend(name))

    def stop(self, name: str, *, seconds_ago: int = 0) -> None:
        """The process ends: its tasks die, its records stay. It was last heard of at least `seconds_ago`."""
        self.services.stop(self.deployment.backend(name).service, seconds_ago=seconds_ago)

    def node_options(self, plan: BackendPlan) -> Mapping[str, Any]:
        """The ``[DEFAULT]`` options of the node that a back-end is on."""
        return next(node.options for node in self.deployment.nodes if node.host == plan.node)

    def is_up(self, address: str) -> bool:
        """True if the service at ``host@backend`` was heard of within `service_down_time`."""
        return self.services.is_up(address)

    def lock(self, name: str) -> Lock:
        """The coordination lock of that name (`cinder.coordination:synchronized`)."""
        if name not in self._locks:
            self._locks[name] = Lock(self.simulation.kernel, name)
        return self._locks[name]

    # ------------------------------------------------------------------------------------ types and quota

    def create_type(self, name: str, **fields: object) -> VolumeType:
        """A volume type as an operator would create it; fields as in `harness.model.VolumeType`."""
        self.database.create(VolumeType, {"name": name, **fields})
        return self.database.get_volume_type(name)

    def reserve(
        self,
        project_id: str,
        type_id: str | None,
        deltas: Mapping[str, int],
        *,
        only_type: bool = False,
    ) -> list[str]:
        """Reserve totals and the per-type resources that go with them (`add_volume_type_opts`).

        OverQuota's descendants if a limit is in the way; nothing is reserved then.
        """
        wanted = {} if only_type else dict(deltas)
        if type_id:
            name = self.database.get_volume_type(type_id).name
            wanted.update({f"{resource}_{name}": delta for resource, delta in deltas.items()})
        if not wanted:
            return []
        self.services.catch_up()
        self.simulation.strike("quota.reserve", " ".join(wanted))
        now_us = self.simulation.kernel.now_us
        until_us = now_us + self.options["reservation_expire"] * SECOND_US
        kinds = ("volumes", "snapshots", "backups", "groups")
        resource = next((kind for kind in kinds if kind in deltas), "volumes")
        return self.quotas.reserve(project_id, wanted, now_us, until_us, resource=resource)


def quota_limits(options: Mapping[str, Any]) -> dict[str, int]:
    """Default limits by resource, from the quota_* options of the first node."""
    return {
        "volumes": options["quota_volumes"],
        "snapshots": options["quota_snapshots"],
        "gigabytes": options["quota_gigabytes"],
        "backups": options["quota_backups"],
        "backup_gigabytes": options["quota_backup_gigabytes"],
        "groups": options["quota_groups"],
        "per_volume_gigabytes": options["per_volume_size_limit"],
    }
