"""The processes of the volume services: how they start, die and start again, and when they were last heard of.

Sources: `cinder.service:Service`, `cinder.cmd.volume`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from harness.control_plane.deployment import make_driver
from harness.control_plane.scheduler import ACTOR, TOPIC
from harness.control_plane.volume_manager import VolumeManager
from harness.model import Cluster, Service
from harness.record import service_host
from harness.sim.kernel import Task

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud
    from harness.control_plane.deployment import BackendPlan

SECOND_US = 1_000_000


class Services:
    """One process for each back-end. `managers` has that of every address, ``host@backend``, dead or alive."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._kernel = cloud.simulation.kernel
        self._running: dict[str, None] = {}
        self._quiet_until_us = 0
        self._tasks: dict[str, list[Task]] = {}
        self.managers: dict[str, VolumeManager] = {}
        cloud.messaging.on_task = lambda address, task: self._tasks.setdefault(task.actor, []).append(task)
        cloud.simulation.crash = self._crash
        cloud.simulation.start = self._start_actor

    # --------------------------------------------------------------------------------------- start and end

    def start_all(self, plans: Collection[BackendPlan], uninitialised: Collection[str]) -> None:
        """Register and start the services, in this order; the drivers of `uninitialised` fail to set up."""
        database = self._cloud.database
        for plan in plans:
            if plan.service not in database.services:
                fields = {"id": plan.service, "uuid": database.new_id(), "host": plan.service}
                database.create(Service, {**fields, "availability_zone": plan.availability_zone})
            self._join_cluster(plan)
            self._run(self._process(plan), set_up=plan.name not in uninitialised)

    def _join_cluster(self, plan: BackendPlan) -> None:
        """A service that was in no cluster takes its volumes along (`_include_resources_in_cluster`)."""
        row = self._cloud.database.services[plan.service]
        if plan.service_cluster is None or row["cluster_name"]:
            return
        if plan.service_cluster not in self._cloud.database.clusters:
            names = {"id": plan.service_cluster, "name": plan.service_cluster}
            self._cloud.database.create(Cluster, {**names, "created_at": self._kernel.now_us})
        row["cluster_name"] = plan.service_cluster
        for volume in self._cloud.database.volumes.values():
            if service_host(volume["host"] or "") == plan.service:
                volume["cluster_name"] = self.cluster_of(volume["host"])

    def start_again(self, plan: BackendPlan) -> None:
        """A process in place of the one that ended. Returns when its driver is set up, or has failed to be."""
        manager = self._process(plan)
        task = self._kernel.spawn(manager.actor, self._run, manager)
        self._tasks.setdefault(manager.actor, []).append(task)
        self._kernel.wait(task)

    def _process(self, plan: BackendPlan) -> VolumeManager:
        manager = VolumeManager(self._cloud, plan, make_driver(plan, self._cloud.world))
        self.managers[plan.service] = manager
        self._running[plan.service] = None
        self._quiet_until_us = 0
        return manager

    def _run(self, manager: VolumeManager, *, set_up: bool = True) -> None:
        """The service reads its messages when its driver is set up, or has failed to be."""
        if set_up:
            manager.init_host()
        for queue in dict.fromkeys((manager.host, manager.topic_queue)):
            self._cloud.messaging.register(queue, manager.actor, manager)

    def stop(self, address: str, *, seconds_ago: int = 0) -> None:
        """The process ends: its tasks die, its records stay. It was last heard of at least `seconds_ago`."""
        now_us = self._kernel.now_us
        self.catch_up()
        heard_us = now_us - seconds_ago * SECOND_US if seconds_ago else None
        manager = self.managers[address]
        manager.end(heard_us)
        self._running.pop(address, None)
        for queue in dict.fromkeys((address, manager.topic_queue)):
            self._cloud.messaging.unregister(queue, manager.actor)
        self._kernel.kill(*self._tasks.pop(manager.actor, ()))

    def stop_scheduler(self) -> None:
        """The scheduler's process ends: its tasks die, and it forgets what it knew of pools."""
        self._cloud.scheduler.end()
        self._cloud.messaging.unregister(TOPIC, ACTOR)
        self._kernel.kill(*self._tasks.pop(ACTOR, ()))

    def start_scheduler(self) -> None:
        """The scheduler starts again. Returns when it knows of all pools, or has waited long enough."""
        self._quiet_until_us = 0
        task = self._kernel.spawn(ACTOR, self._cloud.scheduler.start)
        self._tasks.setdefault(ACTOR, []).append(task)
        self._kernel.wait(task)

    def _crash(self, actor: str) -> None:
        """A planned crash strikes the service that the running task belongs to.

        Whoever is no service of Cinder's, such as an API process or Nova's, loses what it was just doing.
        """
        if actor == ACTOR:
            self.stop_scheduler()
        elif (manager := self._manager_of(actor)) is not None:
            self.stop(manager.host)
        elif self._kernel.current is not None and self._kernel.current.actor == actor:
            self._kernel.kill(self._kernel.current)

    def _start_actor(self, actor: str) -> None:
        """A service that a planned fault has killed starts again."""
        if actor == ACTOR:
            self.start_scheduler()
        if (manager := self._manager_of(actor)) is not None:
            self.start_again(manager.plan)

    def _manager_of(self, actor: str) -> VolumeManager | None:
        return next((manager for manager in self.managers.values() if manager.actor == actor), None)

    # ------------------------------------------------------------------------------------- what is known

    def is_running(self, address: str) -> bool:
        """True unless the process at ``host@backend`` was stopped."""
        return address in self._running

    def heard_us(self, address: str) -> int:
        """When the service last reported to the database."""
        return self.managers[address].heartbeat.heard_us(self._kernel.now_us)

    def is_up(self, address: str) -> bool:
        """Heard of within `service_down_time` (`cinder.objects.service:Service.is_up`)."""
        down_us: int = self._cloud.options["service_down_time"] * SECOND_US
        return self._kernel.now_us - self.heard_us(address) <= down_us

    def cluster_of(self, host: str) -> str | None:
        """``cluster@backend#pool`` for ``host@backend#pool``, if the service there is one of a cluster."""
        address = service_host(host)
        cluster: str | None = self._cloud.database.services[address]["cluster_name"]
        return cluster + host.removeprefix(address) if cluster else None

    def of_queue(self, queue: str) -> list[str]:
        """The services, dead or alive, that read ``host@backend`` or ``cluster@backend``."""
        return [host for host, manager in self.managers.items() if queue in (host, manager.topic_queue)]

    def catch_up(self) -> None:
        """Let everything periodic have happened that would have by now, before something changes."""
        now_us = self._kernel.now_us
        if now_us < self._quiet_until_us:
            return
        due = [self._cloud.scheduler.catch_up()]
        due += [self.managers[address].catch_up() for address in self._running]
        self._quiet_until_us = min(due)
