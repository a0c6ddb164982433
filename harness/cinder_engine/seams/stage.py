"""What all replacements of real code ask: whose cell is running, and which service of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fake_backends.array import Array
from harness.cinder_engine.masking import Mask

if TYPE_CHECKING:
    from harness.cinder_engine.cloud import CinderCloud
    from harness.control_plane.deployment import BackendPlan
    from harness.sim.tasks import Task


class Stage:
    """The one cell that this process runs at the moment. `cloud` is None between cells.

    `mask` knows the secrets of the configuration and of the cell; `unanswered` are the places (``host:port``)
    that a driver wanted to talk to, and where nobody was.
    """

    def __init__(self) -> None:
        self.cloud: CinderCloud | None = None
        self.mask = Mask()
        self.unanswered: list[str] = []
        self._inside: dict[Task | None, BackendPlan] = {}

    @property
    def playing(self) -> CinderCloud:
        """The cloud of the running cell. RuntimeError between cells: nothing of Cinder may run then."""
        if self.cloud is None:
            raise RuntimeError("Cinder's code ran between two cells")
        return self.cloud

    @contextmanager
    def inside(self, plan: BackendPlan) -> Iterator[None]:
        """While this lasts, the running task is the volume service of `plan`, whatever its name."""
        task = self.playing.simulation.kernel.current
        before = self._inside.get(task)
        self._inside[task] = plan
        try:
            yield
        finally:
            if before is None:
                del self._inside[task]
            else:
                self._inside[task] = before

    @property
    def actor(self) -> str:
        """Who runs: the name of a service, or of the running task."""
        task = self.playing.simulation.kernel.current
        if (plan := self._inside.get(task)) is not None:
            return f"c-vol@{plan.name}"
        return task.actor if task is not None else "operator"

    @property
    def plan(self) -> BackendPlan | None:
        """The back-end whose service is running; None for the API, the scheduler and everybody else."""
        cloud = self.playing
        if (plan := self._inside.get(cloud.simulation.kernel.current)) is not None:
            return plan
        actor = self.actor
        for service in cloud.managers.values():
            if service.actor == actor:
                return service.plan
        return None

    @property
    def array(self) -> Array | None:
        """The fake of the array that the running service's driver talks to; None if it has none."""
        plan = self.plan if self.cloud is not None else None
        return self.playing.world.arrays[plan.array_name] if plan is not None and plan.array else None

    @property
    def hostname(self) -> str:
        """The name of the machine that the running code is on."""
        plan = self.plan if self.cloud is not None else None
        return plan.host if plan is not None else "controller"
