"""The pace at which virtual time passes: as the clock on the wall, faster, or as fast as possible.

The simulation runs a slice at a time. Between slices requests are answered; one that changes something is a
task of the simulation like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.sim.kernel import Task
from harness.sim.simulation import Simulation

REAL, FAST, STOPPED = 1.0, float("inf"), 0.0
ELAPSED_MAX_S = 1.0
SLICE_US = 250_000
"""How much virtual time passes at once where the clock on the wall does not say."""
SECOND_US = 1_000_000
HISTORY_MAX = 5_000
"""Events that are kept for the page."""


class Pace:
    """`speed` is virtual seconds per second: 1.0 real, 0.0 stopped, infinite as fast as possible.

    As fast as possible means that the time in which nothing happens is left out while something is going on;
    when all is quiet, time passes as on the wall. `clock` tells seconds on the wall, `after_slice` is called
    when something may have changed.
    """

    def __init__(
        self,
        simulation: Simulation,
        speed: float,
        clock: Callable[[], float],
        after_slice: Callable[[], None] = lambda: None,
    ) -> None:
        self.speed = speed
        self._simulation = simulation
        self._kernel = simulation.kernel
        self._clock = clock
        self._after_slice = after_slice
        self._owed_us = 0.0
        self._looked = clock()

    @property
    def now_us(self) -> int:
        """The virtual time."""
        return self._kernel.now_us

    def begin(self, function: Callable[[], Any]) -> Task:
        """Start `function` as a task of the API, and run it as far as it comes at once: mostly to its end."""
        self.catch_up(somebody_waits=False)
        task = self._kernel.spawn("cinder-api", function)
        self.pass_time(0)
        return task

    def result(self, task: Task) -> Any:
        """What a task that is done has returned; what it raised is raised."""
        return self._kernel.wait(task)

    def catch_up(self, *, somebody_waits: bool) -> bool:
        """Let the virtual clock follow the one on the wall; True if there is more to do at once.

        With the clock stopped, who waits for something that takes time still gets it.
        """
        now = self._clock()
        # While the machine was asleep, or too busy, time stood still.
        elapsed_us, self._looked = min(now - self._looked, ELAPSED_MAX_S) * SECOND_US, now
        if self.speed == FAST:
            busy = self._kernel.busy
            self.pass_time(SLICE_US if busy else int(elapsed_us))
            return busy
        if self.speed == STOPPED:
            if somebody_waits:
                self.pass_time(SLICE_US)
            return somebody_waits
        self._owed_us += elapsed_us * self.speed
        due_us = int(self._owed_us)
        self._owed_us -= due_us
        if due_us:
            self.pass_time(due_us)
        return False

    def pass_time(self, duration_us: int) -> None:
        """Let so much virtual time pass, and everything happen that is due in it."""
        kernel = self._kernel
        # At least a moment: everything that can run now runs before it is over.
        kernel.wait(kernel.spawn("clock", kernel.sleep, max(1, duration_us)))
        self._forget()
        self._after_slice()

    def _forget(self) -> None:
        """A server runs for weeks: what only a cell's judge needs is dropped."""
        if len(self._simulation.history) > 2 * HISTORY_MAX:
            del self._simulation.history[:-HISTORY_MAX]
        self._kernel.choices.clear()
        self._kernel.failures.clear()
