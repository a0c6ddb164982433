"""Where the laws for Cinder's drivers are played: a ground under a bench, and a cloud around a move.

On a bench no service of Cinder's runs: a law asks the driver itself, and does with its answers what the manager
does. The driver is made by Cinder's manager, from its section of cinder.conf. A move has Cinder's own control
plane around the driver.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeGuard

from cinder import context as cinder_context
from cinder import objects

from harness.cinder_engine.bench_rows import BenchDatabase
from harness.cinder_engine.boot import Process
from harness.cinder_engine.cloud import CinderCloud
from harness.cinder_engine.driver_face import DriverFace
from harness.cinder_engine.seams import driver_calls
from harness.cinder_engine.service import VolumeService
from harness.control_plane.deployment import BackendPlan, Deployment
from harness.control_plane.nova_profiles import PROFILES, NovaProfile
from harness.sim.simulation import Simulation


class BenchCloud(CinderCloud):
    """What is on stage: everything but a scheduler, which nobody asks."""

    def _start_scheduler(self) -> None:
        return None


class CinderGround:
    """What `conformance.grounds.Ground` asks for, on stage until `close`."""

    def __init__(self, process: Process, deployment: Deployment, simulation: Simulation, seed: int) -> None:
        self._process = process
        self._cloud = BenchCloud(process, deployment, simulation, nova=PROFILES["32"], seed=seed, backends=[])
        self.world = self._cloud.world
        self.database = BenchDatabase(process.connection, seed)

    def driver(self, plan: BackendPlan) -> Any:
        """Made by Cinder's manager. Options of `plan` that are not those of cinder.conf are set over it."""
        written = self._process.deployment.backend(plan.name).configuration
        for name, value in plan.configuration.items():
            if value != written.get(name):
                self._process.override(plan.name, name, value)
        with self._process.stage.inside(plan):
            service = VolumeService(self._cloud, plan, service_id=0)
            service.make_manager()
        self._cloud.managers[plan.service] = service
        return DriverFace(service.manager.driver, plan, self._process.stage)

    def close(self) -> None:
        """Off the stage, and cinder.conf as it is written."""
        self._process.as_written()
        self._cloud.close()


# ------------------------------------------------------------------------------------------------------ clouds


class Watcher(Protocol):
    """Who looks on when a driver is called (`conformance.foreign.guard.Watch`). `name` shows an argument."""

    name: Callable[[object], str]

    def call(self, where: str, method: str, function: Callable[..., Any], args: Any, keywords: Any) -> Any:
        """Make one call and note it."""


class WatchedCloud(CinderCloud):
    """Cinder's control plane, with somebody who looks at the calls of its drivers."""

    def __init__(
        self,
        process: Process,
        deployment: Deployment,
        simulation: Simulation,
        nova: NovaProfile,
        watcher: Watcher,
        before_start: Callable[[Any], None],
        *,
        backups: bool,
    ) -> None:
        """`before_start` is given the cloud before any driver is made."""
        self._watcher = watcher
        self._before_start = before_start
        super().__init__(process, deployment, simulation, nova=nova, backups=backups)

    def before_start(self) -> None:
        self._watcher.name = partial(ObjectNames().of, self._watcher.name)
        self._before_start(self)

    def calls_of(self, plan: BackendPlan) -> driver_calls.Call:
        return partial(self._watcher.call, f"{plan.name}.")


def _is_volume(value: Any) -> TypeGuard[Any]:
    """An object, or the row that the manager still passes here and there."""
    return isinstance(value, objects.Volume) or getattr(value, "__tablename__", None) == "volumes"


class ObjectNames:
    """Short names for Cinder's objects, v1, v2, s1, in the order in which they are met."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts = {"v": 0, "s": 0}

    def of(self, otherwise: Callable[[object], str], value: object) -> str:
        """A volume, object or row, with its size, a snapshot, a type; all else as `otherwise` shows it."""
        if _is_volume(value):
            name_id = value.name_id
            renamed = f" alias {self._named('v', name_id)}" if name_id != value.id else ""
            return f"{self._named('v', value.id)}{renamed} of {value.size} GiB"
        if isinstance(value, objects.Snapshot):
            return self._named("s", value.id)
        if isinstance(value, objects.VolumeType):
            return f"type {value.name}"
        if isinstance(value, cinder_context.RequestContext):
            return "context"
        if isinstance(value, dict) and "initiator" in value:
            return f"connector of {value.get('host')}"
        return otherwise(value)

    def _named(self, letter: str, object_id: str) -> str:
        if object_id not in self._names:
            self._counts[letter] += 1
            self._names[object_id] = f"{letter}{self._counts[letter]}"
        return self._names[object_id]
