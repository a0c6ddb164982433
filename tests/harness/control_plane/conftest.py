"""A small cloud to act upon: two LVM back-ends and an RBD one on one node, a member and an admin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self

import pytest

from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.control_plane.servers import Server
from harness.control_plane.volume_manager import VolumeManager
from harness.model import Context, Volume
from harness.sim.faults import Fault, FaultPlan
from harness.sim.kernel import Task
from harness.sim.ledger import Ledger
from harness.sim.simulation import Simulation

SECOND_US = 1_000_000


class Lab:
    """A cloud, and somebody who uses it. Close it, or use it in a ``with``."""

    owner = Context("user", "project", is_admin=False)
    stranger = Context("other", "other-project", is_admin=False)
    admin = Context("admin", "admin-project", is_admin=True)

    def __init__(
        self,
        deployment: Deployment,
        *,
        nova: str = "32",
        backends: Sequence[str] = ("lvm-a", "lvm-b", "rbd-a"),
        uninitialised: Sequence[str] = (),
    ) -> None:
        self.deployment = deployment
        self.simulation = Simulation()
        self.kernel = self.simulation.kernel
        self.cloud = Cloud(
            deployment, self.simulation, nova=PROFILES[nova], backends=backends, uninitialised=uninitialised
        )
        self.database = self.cloud.database
        self.api = self.cloud.api
        self.attachments = self.cloud.attachments

    def address(self, backend: str) -> str:
        """``host@backend#pool``."""
        return self.deployment.backend(backend).address

    def manager(self, backend: str) -> VolumeManager:
        return self.cloud.manager(backend)

    def begin(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Task:
        """Somebody starts to do something; nothing runs before `act`, `run` or `run_for`."""
        return self.kernel.spawn("user", function, *arguments, **keywords)

    def act(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Do something, let everything come to rest, and give back what it gave, or raise what it raised."""
        task = self.begin(function, *arguments, **keywords)
        self.kernel.run()
        if task.error is not None:
            raise task.error
        return task.result

    def run_for(self, seconds: float) -> None:
        """Let everybody go on for so long."""
        self.kernel.run(horizon_us=self.kernel.now_us + int(seconds * SECOND_US))

    def volume(self, backend: str = "lvm-a", size: int = 1, **keywords: Any) -> Volume:
        """A new volume of the owner's, as it is when it is available."""
        made: Volume = self.act(
            self.api.create_volume, self.owner, size, host=self.address(backend), **keywords
        )
        return self.now(made)

    def now(self, volume: Volume) -> Volume:
        """The record as it is now."""
        return self.database.get_volume(volume.id)

    def states(self, volume: Volume) -> tuple[str, str, str | None]:
        """(status, attach_status, migration_status), as they are now."""
        now = self.now(volume)
        return now.status, now.attach_status, now.migration_status

    def write(self, volume: Volume, **values: object) -> None:
        """Write to the row behind everybody's back."""
        self.database.update(Volume, volume.id, values)

    def server_with(self, volume: Volume, name: str = "server") -> Server:
        """A server that the volume is attached to; its guest keeps a ledger."""
        server = self.cloud.nova.create_server(name)
        disk = self.act(self.cloud.nova.attach_volume, server, volume.id)
        disk.ledger = Ledger()
        return server

    def migrate(self, volume: Volume, backend: str, **keywords: Any) -> None:
        """Migrate as an operator, to the end."""
        self.act(self.api.migrate_volume, self.admin, volume.id, self.address(backend), **keywords)

    def fail(
        self,
        point: str,
        kind: Literal["enospc", "eio", "ebusy", "timeout", "crash", "delay"] = "eio",
        *,
        actor: str = "*",
        nth: int = 1,
        seconds: int = 0,
    ) -> None:
        """Plan one fault from now on."""
        fault = Fault(point=point, kind=kind, actor=actor, nth=nth, delay_us=seconds * SECOND_US)
        self.simulation.faults = FaultPlan([fault])

    def objects(self, backend: str) -> set[str]:
        """The names of the back-end objects of volumes, of all back-ends on the same storage."""
        plan = self.deployment.backend(backend)
        if plan.kind == "lvm":
            group = self.cloud.world.node(plan.node).volume_groups[plan.configuration.volume_group]
            names = group.names()
        else:
            names = self.cloud.world.cluster("ceph").pool(plan.configuration.rbd_pool).names()
        return {name for name in names if name.startswith("volume-")}

    def steps(self) -> list[str]:
        """What happened so far, in order."""
        return [event.step for event in self.simulation.history]

    def close(self) -> None:
        self.simulation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


@pytest.fixture(scope="session")
def make_lab() -> Callable[..., Lab]:
    """Makes labs; the deployment is immutable, so it is read once."""
    deployment = Deployment.default()
    return lambda **keywords: Lab(deployment, **keywords)


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Iterator[Lab]:
    """A fresh small cloud."""
    with make_lab() as made:
        yield made


@pytest.fixture
def cloud(lab: Lab) -> Cloud:
    """The cloud alone, for those who need nobody in it."""
    return lab.cloud
