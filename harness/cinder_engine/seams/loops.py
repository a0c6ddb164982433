"""Looping calls of oslo.service, by which drivers wait for their arrays: tasks of the kernel in place of
threads.

`oslo_service.backend._threading.loopingcall` leaves three things to its subclasses: how a loop is started, how
it sleeps, and how somebody waits for its end.
"""

from __future__ import annotations

from typing import Any

from oslo_service.backend._common import loopingcall as common
from oslo_service.backend._threading import loopingcall

from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.sim.kernel import Task


class Done:
    """The end of a loop, which can be waited for: its result, or what it raised."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._result: Any = None
        self._error: BaseException | None = None
        self.task: Task | None = None

    def send(self, result: Any) -> None:
        self._result = result

    def send_exception(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        self._error = error

    def wait(self, timeout: float | None = None) -> Any:
        assert self.task is not None
        self._stage.playing.simulation.kernel.wait(self.task)
        if self._error is not None:
            raise self._error
        return self._result


class _Chance:
    """The random numbers of a back-off."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def gauss(self, mean: float, deviation: float) -> float:
        return self._stage.playing.chance.gauss(mean, deviation)


def install(patches: Patches, stage: Stage) -> None:
    """Replace the three, and the chance in the fourth kind of loop."""

    def spawn(self: Any, loop: Any) -> Task:
        def body() -> None:
            try:
                loop()
            finally:
                self._on_done()

        task: Task = stage.playing.simulation.kernel.spawn(stage.actor, body, daemon=True)
        self.done.task = task
        if stage.plan is not None:
            stage.playing.messaging.on_task(stage.plan.service, task)  # it dies with its service
        return task

    def sleep(self: Any, seconds: float) -> None:
        stage.playing.simulation.kernel.sleep(round(max(0, seconds) * 1_000_000))

    base = loopingcall.LoopingCallBase
    patches.replace(base, "_spawn_loop", spawn)
    patches.replace(base, "_sleep", sleep)
    patches.replace(base, "_create_done_event", lambda self: Done(stage))
    patches.replace(base, "wait", lambda self: self.done.wait())
    patches.replace(common.BackOffLoopingCallBase, "_RNG", _Chance(stage))
