"""The ground under a bench: the storage, records and drivers of one world, simulated or the installed Cinder's.

The simulated one is here; that of the real Cinder is `harness.cinder_engine.ground`, in an interpreter of its
own.
"""

from __future__ import annotations

from typing import Any, Protocol

from fake_backends.world import World
from harness.control_plane.database import Database
from harness.control_plane.deployment import BackendPlan, Deployment, build_world, make_driver
from harness.sim.simulation import Simulation


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

    def __init__(self, deployment: Deployment, simulation: Simulation, seed: int) -> None:
        self.database = Database(seed)
        self.world: World = build_world(deployment, simulation)

    def driver(self, plan: BackendPlan) -> Any:
        """Made as `harness.control_plane.services` makes it."""
        return make_driver(plan, self.world)

    def close(self) -> None:
        """Let go of the files of the storage."""
        self.world.close()
