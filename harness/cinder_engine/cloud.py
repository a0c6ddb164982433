"""One cell's deployment on the real Cinder: the same face as `harness.control_plane.cloud.Cloud`.

The scheduler, the volume services and the API are Cinder's; storage, Nova, the bus, time and locks are the
simulation's. A cloud is on stage from its making until `close`.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from cinder import context as cinder_context
from cinder import objects
from cinder.db import api as cinder_db
from cinder.scheduler import manager as scheduler_manager
from cinder.volume import qos_specs, rpcapi, volume_types

from fake_backends.files.directory import Directory
from fake_backends.files.real import RealDirectory
from fake_backends.host.file_systems import DirectoryFiles
from fake_backends.world import Node, World
from harness.cinder_engine.boot import Process
from harness.cinder_engine.groups import GroupApi
from harness.cinder_engine.rest import AttachmentApi, BackupApi, Rest, TransferApi, VolumeApi
from harness.cinder_engine.rows import Database, Quotas
from harness.cinder_engine.seams import clock, driver_calls, releases
from harness.cinder_engine.seams.rpc import VOLUME_TOPIC, Endpoint
from harness.cinder_engine.seams.services import translated
from harness.cinder_engine.service import VolumeService
from harness.control_plane.deployment import BackendPlan, Deployment, build_world
from harness.control_plane.encryption import KeyManager
from harness.control_plane.hypervisor import Nova
from harness.control_plane.images import ImageService
from harness.control_plane.messaging import Messaging
from harness.control_plane.nova_profiles import NovaProfile
from harness.control_plane.scheduler import TOPIC
from harness.errors import KernelError, NeverInitialised
from harness.model import VolumeType
from harness.record import service_host
from harness.sim.kernel import Lock, Task
from harness.sim.seeds import Ids, stream
from harness.sim.simulation import Simulation

REPORT_INTERVAL_US = 10_000_000
INSTALLED_BEFORE = datetime.timedelta(days=1)
"""How long before a cell begins its services were: Cinder takes a new one for up, whatever it is heard of."""
_SERVERS = uuid.UUID("5e12e125-0000-4000-8000-000000000000")
"""Name space of the uuids that Cinder knows servers by."""


class CinderCloud:
    """Everything that runs in one cell, joined."""

    def __init__(
        self,
        process: Process,
        deployment: Deployment,
        simulation: Simulation,
        *,
        nova: NovaProfile,
        seed: int = 0,
        backends: Sequence[str] | None = None,
        home: Directory | None = None,
        setup_max_us: int | None = None,
        backups: bool = False,
    ) -> None:
        """Start the scheduler and the services of `backends` (all by default).

        `setup_max_us` is the virtual time that a driver may take to be set up. With `backups` there is a backup
        service, too, which no cell of the matrix needs.
        """
        self._setup_max_us = setup_max_us
        self._process = process
        self.deployment = deployment
        self.simulation = simulation
        self.ids = Ids(seed, "cinder")
        self.chance = stream(seed, "cinder", "secrets")
        process.restore_database()
        process.stage.cloud = self
        self.mask = process.stage.mask
        self.mask.forget()
        self.world: World = build_world(
            deployment, simulation, home, seed=seed, now_us=lambda: simulation.kernel.now_us
        )
        self.messaging = Messaging(simulation)
        self.key_manager = KeyManager(seed, self.world)
        self.images = ImageService(seed, simulation)
        self._server_names: dict[str, str] = {}
        self.database = Database(process.connection, self.server_name)
        self.quotas = Quotas(process.connection)
        rest = Rest(process.application, self.report)
        self.api = VolumeApi(self, rest)
        self.attachments = AttachmentApi(self, rest)
        self.backups = BackupApi(self, rest)
        self.transfers = TransferApi(rest)
        self.groups = GroupApi(self, rest)
        self.nova = Nova(self, nova)
        self.world.compute = self.nova
        self.managers: dict[str, VolumeService] = {}
        self.service_ids: dict[str, int] = {}
        self._machines: dict[str, Node] = {}
        self._tasks: dict[str, list[Task]] = {}
        self._stopped: set[str] = set()
        self._reported_us: int | None = None
        self._locks: dict[str, Lock] = {}
        self.places: dict[str, str] = {}
        """Where volumes go whose pool is fixed beforehand, until the scheduler hears of them."""
        self.messaging.on_task = lambda address, task: self._tasks.setdefault(address, []).append(task)
        simulation.crash = self._crash
        self.before_start()
        self._start_scheduler()
        for plan in deployment.backends:
            if backends is None or plan.name in backends:
                self.start(plan.name)
        if backups:
            from harness.cinder_engine.backups import BackupService

            self.backup_manager = BackupService(self, deployment.nodes[0].options["storage_availability_zone"])

    def close(self) -> None:
        """Off the stage: nothing of Cinder runs any more."""
        self._process.stage.cloud = None
        self.world.close()

    # ------------------------------------------------------------------------------------------- services

    def _start_scheduler(self) -> None:
        manager = scheduler_manager.SchedulerManager(host="controller")
        manager._startup_delay = False
        manager.additional_endpoints = []
        self.scheduler = Placing(manager, self)
        self.messaging.register(TOPIC, "scheduler", Endpoint(self.scheduler, self))

    def start(self, name: str) -> None:
        """The service's row, then its process: driver set up, messages read, stats told to the scheduler."""
        plan = self.deployment.backend(name)
        if plan.seen is not None and plan.seen.failure:
            raise NeverInitialised(
                f"the driver of [{plan.section}], {plan.seen.driver}, does not initialise: {plan.seen.failure}"
            )
        if plan.service not in self.service_ids:
            version = rpcapi.VolumeAPI.RPC_API_VERSION
            self.install(plan.service, VOLUME_TOPIC, plan.availability_zone, version)
        service = VolumeService(self, plan, self.service_ids[plan.service])
        self.managers[plan.service] = service
        self.act(service.actor, service.create, within_us=self._setup_max_us)
        self.messaging.register(plan.service, service.actor, Endpoint(service.manager, self))
        self.act(service.actor, service.set_up, within_us=self._setup_max_us)
        if plan.foreign and service.setup_error is not None:
            raise service.setup_error

    def install(self, host: str, topic: str, availability_zone: str, rpc_version: str) -> None:
        """The row of a service, which is heard of from now on."""
        row = objects.Service(
            cinder_context.get_admin_context(),
            host=host,
            binary=topic,
            topic=topic,
            report_count=0,
            availability_zone=availability_zone,
            rpc_current_version=rpc_version,
            object_current_version=objects.base.OBJ_VERSIONS.get_current(),
        )
        row.create()
        self.service_ids[host] = row.id
        self.database.installed(host, clock.EPOCH - INSTALLED_BEFORE)
        self._reported_us = None

    def calls_of(self, plan: BackendPlan) -> driver_calls.Call:
        """Who makes the calls of the manager to the driver of a back-end."""
        return driver_calls.plainly

    def before_start(self) -> None:
        """Everything is there but the services."""

    def act(self, actor: str, function: Callable[[], Any], within_us: int | None = None) -> Any:
        """Let an actor do something, from outside of any task; returns or raises its outcome.

        KernelError if it is not done `within_us`.
        """
        kernel = self.simulation.kernel
        task = kernel.spawn(actor, function)
        kernel.run(horizon_us=None if within_us is None else kernel.now_us + within_us)
        if not task.done:
            raise KernelError(f"it had not come back after {(within_us or 0) // 1_000_000} s of virtual time")
        if task.error is not None:
            self.simulation.kernel.failures[:] = [
                failure for failure in self.simulation.kernel.failures if failure[0] is not task
            ]
            raise task.error
        return task.result

    def told(self, method: str, error: BaseException) -> None:
        """A service failed on a message: that is what the cell's reason is taken from."""
        failure = translated(error)
        self.simulation.record(f"{method} raised", f"{type(error).__name__}: {failure}")
        task = self.simulation.kernel.current
        assert task is not None
        self.simulation.kernel.failures.append((task, failure))

    def manager(self, name: str) -> VolumeService:
        """The volume service of a back-end, by the back-end's name."""
        return self.managers[self.deployment.backend(name).service]

    def stop(self, name: str, *, seconds_ago: int = 0) -> None:
        """The process ends: its tasks die, its records stay. It was last heard of `seconds_ago`."""
        address = self.deployment.backend(name).service
        self.messaging.unregister(address)
        self._stopped.add(address)
        self.database.heard_of(address, clock.at(self.simulation.kernel.now_us - seconds_ago * 1_000_000))
        self.simulation.kernel.kill(*self._tasks.pop(address, ()))

    def start_again(self, name: str) -> None:
        """The process of a stopped service starts anew, and sets its driver up again."""
        self._stopped.discard(self.deployment.backend(name).service)
        self.start(name)
        self._reported_us = None

    def _crash(self, actor: str) -> None:
        """A planned crash strikes the service that the running task belongs to."""
        for service in self.managers.values():
            if service.actor == actor:
                self.stop(service.plan.name)

    def report(self) -> None:
        """The heartbeats of all running services, at most every ten seconds (`report_interval`).

        They come when somebody may ask for them: before a request, and before a service handles a message.
        """
        now_us = self.simulation.kernel.now_us
        if self._reported_us is not None and now_us - self._reported_us < REPORT_INTERVAL_US:
            return
        self._reported_us = now_us
        for address in self.service_ids:
            if address not in self._stopped:
                self.database.heard_of(address, clock.at(now_us))

    def lock(self, name: str) -> Lock:
        """The lock of that name, for the services of all nodes."""
        if name not in self._locks:
            self._locks[name] = Lock(self.simulation.kernel, name)
        return self._locks[name]

    # ---------------------------------------------------------------------------------- types and placement

    def create_type(self, name: str, **fields: Any) -> VolumeType:
        """A volume type as an operator would create it; fields as in `harness.model.VolumeType`."""
        admin = cinder_context.get_admin_context()
        made = volume_types.create(admin, name, fields.get("extra_specs") or {})
        encryption, qos = fields.get("encryption"), fields.get("qos_specs")
        if encryption is not None:
            cinder_db.volume_type_encryption_create(admin, made["id"], encryption._asdict())
        if qos is not None:
            specs = qos_specs.create(admin, qos.name, {"consumer": qos.consumer, **dict(qos.specs)})
            qos_specs.associate_qos_with_type(admin, specs.id, made["id"])
        return self.database.get_volume_type(made["id"])

    # ------------------------------------------------------------------------------- servers and machines

    def server_uuid(self, name: str) -> str:
        """What Cinder knows a server by."""
        made = str(uuid.uuid5(_SERVERS, name))
        self._server_names[made] = name
        return made

    def server_name(self, server_uuid: str) -> str:
        """What Nova's simulation calls it."""
        return self._server_names.get(server_uuid, server_uuid)

    def machine(self, hostname: str) -> Node:
        """The machine of that name, with Ceph's programs, and the directory in which Cinder converts images."""
        if hostname not in self._machines:
            node = self._machines[hostname] = self.world.node(hostname)
            node.install_ceph(self._process.ceph)
            scratch = self._process.home / "conversion"
            node.mount(str(scratch), DirectoryFiles(RealDirectory(scratch)))
            for array in self.world.arrays.values():
                for name, program in array.programs(node).items():
                    node.install(name, program)
        return self._machines[hostname]


class Placing:
    """The scheduler's manager; only where a new volume goes may be fixed beforehand."""

    def __init__(self, manager: Any, cloud: CinderCloud) -> None:
        self._manager = manager
        self._cloud = cloud

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def create_volume(self, context: Any, volume: Any, **keywords: Any) -> None:
        """As the filter scheduler does once it has chosen (`FilterScheduler.schedule_create_volume`)."""
        host = self._cloud.places.pop(volume.id, None)
        if host is None:
            self._manager.create_volume(context, volume, **keywords)
            return
        zone = self._cloud.database.services[service_host(host)]["availability_zone"]
        placed = releases.place(context, volume, host, zone)
        rpcapi.VolumeAPI().create_volume(
            context, placed, keywords.get("request_spec"), keywords.get("filter_properties"),
            allow_reschedule=False,
        )  # fmt: skip
