"""The ground under a bench where the drivers are Cinder's: its objects and database, over Crucible's storage.

No service of Cinder's runs: a law asks the driver itself, and does with its answers what the manager does. The
driver is made by Cinder's manager, from its section of cinder.conf.
"""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from harness.cinder_engine.bench_rows import BenchDatabase
from harness.cinder_engine.boot import Process
from harness.cinder_engine.cloud import CinderCloud
from harness.cinder_engine.driver_face import DriverFace
from harness.cinder_engine.service import VolumeService
from harness.control_plane.deployment import BackendPlan, Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.sim.simulation import Simulation


class BenchCloud(CinderCloud):
    """What is on stage: everything but a scheduler, which nobody asks."""

    def _start_scheduler(self) -> None:
        return None


class CinderGround:
    """What `conformance.grounds.Ground` asks for, on stage until `close`."""

    def __init__(self, process: Process, deployment: Deployment, simulation: Simulation, seed: int) -> None:
        self._process = process
        self._cloud = BenchCloud(
            process, deployment, simulation, nova=PROFILES["32"], seed=seed, backends=[]
        )
        self.world = self._cloud.world
        self.database = BenchDatabase(process.connection, seed)
        self._overridden: list[tuple[str, str]] = []

    def driver(self, plan: BackendPlan) -> Any:
        """Made by Cinder's manager. Options of `plan` that are not those of cinder.conf are set over it."""
        self._configure(plan)
        with self._process.stage.inside(plan):
            service = VolumeService(self._cloud, plan, service_id=0)
            service.make_manager()
        self._cloud.managers[plan.service] = service
        return DriverFace(service.manager.driver, plan, self._process.stage)

    def _configure(self, plan: BackendPlan) -> None:
        written = self._process.deployment.backend(plan.name).configuration
        for name, value in plan.configuration.items():
            if value != written.get(name):
                cfg.CONF.set_override(name, value, group=plan.name)
                self._overridden.append((name, plan.name))

    def close(self) -> None:
        """Off the stage, and cinder.conf as it is written."""
        for name, section in self._overridden:
            cfg.CONF.clear_override(name, group=section)
        self._cloud.close()
