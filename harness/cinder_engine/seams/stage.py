"""What all replacements of real code ask: whose cell is running, and which service of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.cinder_engine.cloud import CinderCloud
    from harness.control_plane.deployment import BackendPlan


class Stage:
    """The one cell that this process runs at the moment. `cloud` is None between cells."""

    def __init__(self) -> None:
        self.cloud: CinderCloud | None = None

    @property
    def playing(self) -> CinderCloud:
        """The cloud of the running cell. RuntimeError between cells: nothing of Cinder may run then."""
        if self.cloud is None:
            raise RuntimeError("Cinder's code ran between two cells")
        return self.cloud

    @property
    def actor(self) -> str:
        """The name of the running task."""
        task = self.playing.simulation.kernel.current
        return task.actor if task is not None else "operator"

    @property
    def plan(self) -> BackendPlan | None:
        """The back-end whose service is running; None for the API, the scheduler and everybody else."""
        cloud, actor = self.playing, self.actor
        for service in cloud.managers.values():
            if service.actor == actor:
                return service.plan
        return None

    @property
    def hostname(self) -> str:
        """The name of the machine that the running code is on."""
        plan = self.plan if self.cloud is not None else None
        return plan.host if plan is not None else "controller"
