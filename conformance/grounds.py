"""What laws are played on: a ground under a bench, and a cloud around a move.

Those of the simulation are here; those of the installed Cinder are in `harness.cinder_engine.ground`, in an
interpreter of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from conformance.foreign.guard import Guarded, Watch
from conformance.naming import Names
from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.world import World
from harness.control_plane.cloud import Cloud
from harness.control_plane.database import Database
from harness.control_plane.deployment import BackendPlan, Deployment, build_world, make_driver
from harness.control_plane.nova_profiles import NovaProfile
from harness.control_plane.services import Services
from harness.control_plane.volume_manager import VolumeManager
from harness.driver import VolumeDriver
from harness.sim.simulation import Simulation
from harness.sim.tasks import Lock


class Ground(Protocol):
    """One world. `world` has its storage, `database` its records.

    A database is one as `harness.control_plane.database.Database` is, as far as the tables of volumes,
    snapshots, attachments and volume types go.
    """

    world: World
    database: Any

    def driver(self, plan: BackendPlan) -> Any:
        """The driver of a back-end as its service makes it, not yet set up."""

    def close(self) -> None:
        """The end of this world."""


class Simulated:
    """Crucible's own records, and drivers that are subclasses of `harness.driver.VolumeDriver`."""

    def __init__(
        self, deployment: Deployment, simulation: Simulation, seed: int, home: Directory | None = None
    ) -> None:
        """With a `home` storage is kept there."""
        self.database = Database(seed)
        self.world: World = build_world(deployment, simulation, home)
        locks: dict[str, Lock] = {}
        self.world.lock = lambda name: locks.setdefault(name, Lock(simulation.kernel, name))

    def driver(self, plan: BackendPlan) -> Any:
        """Made as `harness.control_plane.services` makes it."""
        return make_driver(plan, self.world)

    def close(self) -> None:
        """Let go of the files of the storage."""
        self.world.close()


class GuardedServices(Services):
    """Volume services whose drivers are watched."""

    def __init__(self, cloud: Cloud, watch: Watch) -> None:
        super().__init__(cloud)
        self._watch = watch

    def _process(self, plan: BackendPlan) -> VolumeManager:
        manager = super()._process(plan)
        manager.driver = cast("VolumeDriver", Guarded(manager.driver, self._watch, f"{plan.name}."))
        return manager


def simulated_cloud(
    deployment: Deployment,
    simulation: Simulation,
    nova: NovaProfile,
    watch: Watch,
    before_start: Callable[[Any], None],
    home: Directory | None = None,
    *,
    backups: bool = False,
) -> Cloud:
    """The simulated control plane, whose drivers `watch` looks at. `before_start` is given it first.

    There is always a backup service, with `backups` and without.
    """

    def prepare(cloud: Cloud) -> None:
        watch.name = Names(cloud.database).of
        cloud.services = GuardedServices(cloud, watch)
        before_start(cloud)

    return Cloud(deployment, simulation, nova=nova, home=home, before_start=prepare)


def in_files(deployment: Deployment, simulation: Simulation, seed: int) -> Simulated:
    """`Simulated` over storage in files, which touch no disk."""
    return Simulated(deployment, simulation, seed, fake_directory())


def cloud_in_files(
    deployment: Deployment,
    simulation: Simulation,
    nova: NovaProfile,
    watch: Watch,
    before_start: Callable[[Any], None],
    *,
    backups: bool = False,
) -> Cloud:
    """`simulated_cloud` over storage in files."""
    home = fake_directory()
    return simulated_cloud(deployment, simulation, nova, watch, before_start, home, backups=backups)
