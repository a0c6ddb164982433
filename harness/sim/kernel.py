"""A deterministic event kernel over greenlets.

Volume drivers are plain synchronous code. A greenlet can be suspended in the middle of such code, so two
operations interleave inside driver calls, and a service can crash in the middle of one. The kernel owns
the tasks and the virtual clock (integer microseconds). A task runs until it pauses, sleeps or waits; then
the *schedule* picks the next among the runnable ones. Nothing else decides anything: same inputs, same
order, on every machine.

    kernel = Kernel()
    kernel.spawn("c-vol", volume_service.create_volume, volume)
    kernel.run()
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from greenlet import getcurrent, greenlet

from harness.errors import KernelError, Stuck, TaskKilled
from harness.sim.schedules import Fifo, Schedule


class Task:
    """One thread of simulated control.

    Life: spawned (runnable, or asleep until its start) -> running <-> paused, asleep or waiting -> done,
    with `result` or `error`; or killed, after which it never runs again.
    """

    __slots__ = ("actor", "daemon", "dead", "done", "error", "result", "_greenlet", "_waiters", "waiting_for")

    def __init__(self, actor: str, *, daemon: bool = False) -> None:
        self.actor = actor
        self.daemon = daemon
        self.done = False
        self.dead = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.waiting_for = ""
        self._greenlet: greenlet | None = None
        self._waiters: list[Task] = []

    def __repr__(self) -> str:
        return f"<Task {self.actor}>"


class Kernel:
    """Tasks, virtual time and choices. One kernel is one simulated world; two share nothing."""

    def __init__(self, schedule: Schedule | None = None) -> None:
        self.now_us = 0
        self.choices: list[int] = []
        self._schedule = schedule or Fifo()
        self._fifo = type(self._schedule) is Fifo
        self._ready: deque[Task] = deque()
        self._sleeping: list[tuple[int, int, Task]] = []
        self._count = 0
        self._current: Task | None = None
        self._hub: greenlet | None = None
        self._horizon_us: int | None = None

    # ------------------------------------------------------------------------------- from inside a task

    @property
    def current(self) -> Task | None:
        """The running task, or None outside of `run`."""
        return self._current

    def pause(self) -> None:
        """Let the schedule decide who goes on. Outside of a task, or when nobody else can run, no-op."""
        task = self._current
        if task is None:
            return
        if task.dead:
            raise TaskKilled(task.actor)
        if self._ready:
            self._ready.append(task)
            self._switch(task)

    def sleep(self, duration_us: int) -> None:
        """Let `duration_us` of virtual time pass. Outside of a task the clock simply advances."""
        task = self._current
        if task is None:
            self.now_us += duration_us
            return
        if task.dead:
            raise TaskKilled(task.actor)
        wake_us = self.now_us + duration_us
        if self._nobody_before(wake_us):
            self.now_us = wake_us
            return
        task.waiting_for = "the clock"
        self._push(wake_us, task)
        self._switch(task)

    def wait(self, other: Task) -> Any:
        """Wait until a task is done; its result is returned, its exception raised as it is."""
        task = self._current
        if not other.done:
            if task is None:
                self.run(until=other)
            else:
                task.waiting_for = f"the end of {other.actor}"
                other._waiters.append(task)
                self._switch(task)
        if other.error is not None:
            raise other.error
        return other.result

    # ------------------------------------------------------------------------------------ from anywhere

    def spawn(
        self,
        actor: str,
        function: Callable[..., Any],
        *args: Any,
        delay_us: int = 0,
        daemon: bool = False,
        **kwargs: Any,
    ) -> Task:
        """A new task that starts `delay_us` from now.

        A daemon (a heartbeat, a guest that writes for ever) does not keep `run` from ending.
        """
        task = Task(actor, daemon=daemon)

        def body() -> None:
            try:
                task.result = function(*args, **kwargs)
            except TaskKilled:
                task.dead = True
            except BaseException as error:
                task.error = error
            self._finish(task)

        task._greenlet = greenlet(body)
        if delay_us:
            self._push(self.now_us + delay_us, task)
        else:
            self._ready.append(task)
        return task

    def kill(self, task: Task) -> None:
        """The task's process died: it never runs again, and its clean-up code reaches nothing."""
        if task.done:
            return
        task.dead = True
        if task is self._current:
            raise TaskKilled(task.actor)
        if task in self._ready:
            self._ready.remove(task)
        self._sleeping = [entry for entry in self._sleeping if entry[2] is not task]
        heapq.heapify(self._sleeping)
        task.done = True
        self._wake_waiters(task)

    def run(self, until: Task | None = None, *, horizon_us: int | None = None) -> None:
        """Run until `until` is done or, without it, until only daemons are left.

        `horizon_us` is a virtual time that is not passed. Raises Stuck when `until` can never be done.
        """
        if self._current is not None:
            raise KernelError("run() was called from inside a task; use wait()")
        self._hub = getcurrent()
        self._horizon_us = horizon_us
        try:
            while not (until.done if until is not None else self._only_daemons()):
                task = self._next()
                if task is None:
                    break
                self._resume(task)
            else:
                return
        finally:
            self._hub = None
        if until is not None and horizon_us is None:
            raise Stuck(f"{until.actor} can never finish: it waits for {until.waiting_for or 'its turn'}")

    # ------------------------------------------------------------------------------------------ insides

    def _push(self, wake_us: int, task: Task) -> None:
        self._count += 1
        heapq.heappush(self._sleeping, (wake_us, self._count, task))

    def _nobody_before(self, wake_us: int) -> bool:
        if self._ready or (self._sleeping and self._sleeping[0][0] <= wake_us):
            return False
        return self._horizon_us is None or wake_us <= self._horizon_us

    def _only_daemons(self) -> bool:
        return all(task.daemon for task in self._ready) and all(entry[2].daemon for entry in self._sleeping)

    def _next(self) -> Task | None:
        """Take the next task off the queues, advancing the clock when nobody can run now."""
        ready = self._ready
        if not ready:
            if not self._sleeping:
                return None
            wake_us = self._sleeping[0][0]
            if self._horizon_us is not None and wake_us > self._horizon_us:
                self.now_us = self._horizon_us
                return None
            self.now_us = wake_us
            while self._sleeping and self._sleeping[0][0] == wake_us:
                ready.append(heapq.heappop(self._sleeping)[2])
        if len(ready) == 1:
            return ready.popleft()
        if self._fifo:
            self.choices.append(0)
            return ready.popleft()
        choice = self._schedule.choose([task.actor for task in ready])
        self.choices.append(choice)
        task = ready[choice]
        del ready[choice]
        return task

    def _resume(self, task: Task) -> None:
        self._current = task
        task.waiting_for = ""
        assert task._greenlet is not None
        try:
            task._greenlet.switch()
        finally:
            self._current = None

    def _switch(self, task: Task) -> None:
        """From inside `task`: go back to the hub, and return when the task's turn comes again."""
        assert self._hub is not None
        self._hub.switch()
        if task.dead:
            raise TaskKilled(task.actor)

    def _finish(self, task: Task) -> None:
        task.done = True
        task._greenlet = None
        self._wake_waiters(task)

    def _wake_waiters(self, task: Task) -> None:
        if task.dead and task.error is None:
            task.error = KernelError(f"{task.actor} died")
        for waiter in task._waiters:
            if not waiter.dead:
                self._ready.append(waiter)
        task._waiters.clear()


class Lock:
    """A lock of the simulated world, first come, first served (`cinder.coordination:synchronized`)."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self._name = name
        self._owner: Task | None = None

    def __enter__(self) -> None:
        task = self._kernel.current
        while self._owner is not None and not self._owner.done:
            if task is None or self._owner is task:
                raise KernelError(f"lock {self._name} is already held here")
            task.waiting_for = f"lock {self._name}"
            self._owner._waiters.append(task)
            # Woken by whoever releases the lock, or by the owner's death.
            self._kernel._switch(task)
        self._owner = task

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            waiting = [task for task in owner._waiters if task.waiting_for == f"lock {self._name}"]
            owner._waiters[:] = [task for task in owner._waiters if task not in waiting]
            self._kernel._ready.extend(task for task in waiting if not task.dead)
