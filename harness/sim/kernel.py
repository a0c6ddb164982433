"""A deterministic event kernel over greenlets.

Volume drivers are plain synchronous code. A greenlet can be suspended in the middle of such code, so two
operations interleave inside driver calls, and a service can crash in the middle of one. The kernel owns
the tasks and the virtual clock (integer microseconds). A task runs until it pauses, sleeps or waits; then
the *schedule* picks the next among the runnable ones. Nothing else decides anything: same inputs, same
order, on every machine.

    with Kernel() as kernel:
        kernel.spawn("c-vol", volume_service.create_volume, volume)
        kernel.run()

The heap of (time, tie, task), the deque of what is runnable now and the loop over both are those of SimPy's
`core.py`; a schedule whose choices can be written down and repeated is TigerBeetle's and Coyote's idea.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from greenlet import getcurrent, greenlet

from harness.errors import KernelError, Overdue, Stuck, TaskKilled
from harness.sim.schedules import Fifo, Schedule
from harness.sim.tasks import Lock, Task, carry, is_stuck

__all__ = ["Kernel", "Lock", "Task"]


class Kernel:
    """Tasks, virtual time and choices. One kernel is one simulated world; two share nothing.

    `current` is the running task, or None outside of `run`. `choices` are the indices that the schedule chose,
    `failures` the tasks that ended in an exception which nobody has been given yet by `wait`, both in order.
    Close a kernel when its world has been judged.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        self.now_us = 0
        self.current: Task | None = None
        self.choices: list[int] = []
        self.failures: list[tuple[Task, BaseException]] = []
        self._schedule = schedule or Fifo()
        self._fifo = type(self._schedule) is Fifo
        self._ready: deque[Task] = deque()
        self._sleeping: list[tuple[int, int, Task]] = []
        self._count = 0
        self._hub: greenlet | None = None
        self._horizon_us: int | None = None
        self._unfinished: dict[Task, None] = {}
        self._awaited = 0
        self._idle: list[greenlet] = []
        self._deadlock = False
        self._closed = False

    # ------------------------------------------------------------------------------- from inside a task

    @property
    def busy(self) -> bool:
        """Whether anybody but a daemon has something to finish."""
        return self._awaited > 0

    def pause(self) -> None:
        """Let the schedule decide who goes on. Outside of a task, or when nobody else can run, no-op.

        Virtual time does not pass: whoever polls must `sleep`.
        """
        task = self.current
        if task is None:
            return
        if task.dead:
            raise TaskKilled(task.actor)
        if self._ready:
            self._ready.append(task)
            self._switch()

    def sleep(self, duration_us: int) -> None:
        """Let `duration_us` of virtual time pass; none is a pause.

        Outside of a task the clock simply advances, and who should have woken meanwhile wakes late.
        """
        if duration_us <= 0:
            if duration_us < 0:
                raise KernelError(f"sleep({duration_us}): time does not run backwards")
            return self.pause()
        task = self.current
        wake_us = self.now_us + duration_us
        if task is None:
            self.now_us = wake_us
        elif task.dead:
            raise TaskKilled(task.actor)
        elif self._nobody_before(wake_us):
            self.now_us = wake_us
        else:
            self._push(wake_us, task)
            self._switch()

    def wait(self, other: Task, *, until_us: int | None = None) -> Any:
        """Wait until a task is done; its result is returned, its exception raised as it is.

        KernelError if the task was killed; Overdue if it is not done at `until_us`, and goes on without the one
        that waited. Outside of a task, this runs the world until then.
        """
        task = self.current
        if task is not None and task.dead:
            raise TaskKilled(task.actor)
        if not other.done:
            if task is None:
                self.run(until=other, horizon_us=until_us)
            elif until_us is None:
                self._block(task, other)
            else:
                self._block_until(task, other, until_us)
            if not other.done:
                raise Overdue(f"{other.actor} has not finished")
        if other.error is not None:
            self.failures = [failure for failure in self.failures if failure[0] is not other]
            raise other.error
        return other.result

    def choose(self, labels: Sequence[str]) -> int:
        """Let the schedule decide something else than who goes on: an index into `labels`, two or more.

        The choice is written down and repeated like all others.
        """
        choice = self._schedule.choose(labels)
        if not 0 <= choice < len(labels):
            raise KernelError(f"the schedule chose {choice} among {len(labels)}: {', '.join(labels)}")
        self.choices.append(choice)
        return choice

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
        if self.current is not None and self.current.dead:
            raise TaskKilled(self.current.actor)
        if self._closed or delay_us < 0:
            raise KernelError(f"spawn({actor!r}, delay_us={delay_us}): in the past, or after close()")
        task = Task(actor, daemon=daemon)
        if self.current is not None:
            task.asking = self.current.asking

        def body() -> None:
            try:
                task.result = function(*args, **kwargs)
            except KeyboardInterrupt:
                self._finish(task)
                raise
            except TaskKilled:
                task.dead = True
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever waits
                if not task.dead:
                    task.error = error
                    self.failures.append((task, error))
            self._finish(task)

        task._body = body
        self._unfinished[task] = None
        self._awaited += not daemon
        if delay_us:
            self._push(self.now_us + delay_us, task)
        else:
            self._ready.append(task)
        return task

    def kill(self, *tasks: Task) -> None:
        """The process of these tasks died: they lose their locks and never run again; who waits is told.

        Done tasks stay as they are. The killed ones are unwound: what they hold open is closed, as it is when
        a process dies, but their clean-up reaches no operation of the kernel. Raises TaskKilled when the
        running task is among them, after the others are dead.
        """
        current = self.current
        if current is not None and current.dead:
            raise TaskKilled(current.actor)
        for task in tasks:
            if task.done:
                continue
            task.dead = True
            if task._awaits is not None:
                task._awaits._waiters.remove(task)
                task._awaits = None
            elif task in self._ready:
                self._ready.remove(task)
            else:
                self._sleeping = [entry for entry in self._sleeping if entry[2] is not task]
                heapq.heapify(self._sleeping)
            self._finish(task)
            if task is not current:
                self._unwind(task)
        if current is not None and current.dead:
            raise TaskKilled(current.actor)

    def run(self, until: Task | None = None, *, horizon_us: int | None = None) -> None:
        """Run until `until` is done or, without it, until only daemons are left.

        `horizon_us` is a virtual time that is not passed. Raises Stuck when what it runs for can never be
        done, because it waits in a circle; KernelError when called from inside a run.
        """
        if self._closed:
            raise KernelError("run() was called after close()")
        if self._hub is not None:
            raise KernelError("run() was called from inside a task; use wait()")
        self._hub = getcurrent()
        self._horizon_us = horizon_us
        try:
            while self._awaited if until is None else not until.done:
                if self._deadlock and self._nobody_gets_on(until):
                    raise Stuck("nothing more can happen: " + "; ".join(self.pending()))
                task = self._next()
                if task is not None:
                    self._resume(task)
                elif self._sleeping:
                    return
                else:
                    raise Stuck(f"{until} does not run here")
        finally:
            self._hub = self._horizon_us = None

    def pending(self) -> list[str]:
        """Who has not finished, and what each of them waits for; daemons only when they wait for a task."""
        asleep = {task: wake_us for wake_us, _, task in self._sleeping}
        return [
            f"{task.actor} waits for "
            + (task.waiting_for or (f"{asleep[task]} us" if task in asleep else "its turn"))
            for task in self._unfinished
            if task._awaits is not None or not task.daemon
        ]

    def close(self) -> None:
        """The end of this world: unwind what never finished, so that its memory can be freed.

        Python's collector does not free a suspended greenlet, nor what its frames can reach: all of the
        world. Clean-up code of the tasks runs here, but the kernel's operations only raise TaskKilled.
        """
        if self._hub is not None:
            raise KernelError("close() was called from inside a task")
        tasks = tuple(self._unfinished)
        self._closed = True
        self._ready.clear()
        self._sleeping.clear()
        self._unfinished.clear()
        self._idle.clear()
        for task in tasks:
            task.dead = task.done = True
            self._unwind(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------ insides

    def _push(self, wake_us: int, task: Task) -> None:
        self._count += 1
        heapq.heappush(self._sleeping, (wake_us, self._count, task))

    def _nobody_before(self, wake_us: int) -> bool:
        if self._ready or (self._sleeping and self._sleeping[0][0] <= wake_us):
            return False
        return self._horizon_us is None or wake_us <= self._horizon_us

    def _next(self) -> Task | None:
        """Take the next task off the queues, advancing the clock when nobody can run now."""
        ready, sleeping = self._ready, self._sleeping
        if not ready:
            if not sleeping:
                return None
            wake_us = sleeping[0][0]
            if self._horizon_us is not None and wake_us > self._horizon_us:
                self.now_us = max(self.now_us, self._horizon_us)
                return None
            self.now_us = max(self.now_us, wake_us)
            while sleeping and sleeping[0][0] <= self.now_us:
                ready.append(heapq.heappop(sleeping)[2])
        if len(ready) == 1:
            return ready.popleft()
        if self._fifo:
            self.choices.append(0)
            return ready.popleft()
        choice = self.choose([task.actor for task in ready])
        task = ready[choice]
        del ready[choice]
        return task

    def _resume(self, task: Task) -> None:
        """Let a task run until it gives way. A finished one leaves its greenlet to the next."""
        hub, body, carrier = self._hub, task._body, task._greenlet
        assert hub is not None
        if carrier is None:
            if not self._idle:
                self._idle.append(greenlet(carry, hub))
                self._idle[-1].switch()
            carrier = task._greenlet = self._idle.pop()
        if carrier.parent is not hub:
            # Where a greenlet goes when it gives way for good; by default, that is who made it.
            carrier.parent = hub
        self.current = task
        try:
            if body is not None:
                task._body = None
                carrier.switch(body)
            else:
                carrier.switch()
        finally:
            self.current = None
        if task.done:
            task._greenlet = None
            self._idle.append(carrier)

    def _unwind(self, task: Task) -> None:
        """Let TaskKilled go through the frames of a task that was suspended, and come back."""
        carrier, task._greenlet = task._greenlet, None
        if carrier is None:
            return
        current, self.current = self.current, task
        carrier.parent = getcurrent()
        try:
            carrier.throw(TaskKilled(task.actor))
        finally:
            self.current = current

    def _switch(self) -> None:
        """From inside a task: go back to the hub, and return when the task's turn comes again."""
        assert self._hub is not None
        self._hub.switch()

    def _block(self, task: Task, other: Task | Lock) -> None:
        """Suspend the running task until `other` hands it back to the ready ones."""
        other._waiters.append(task)
        task._awaits = other
        # Who waits, waits for a task. Nobody is stuck but in a circle, and a circle closes only here.
        self._deadlock = self._deadlock or is_stuck(task)
        self._switch()

    def _block_until(self, task: Task, other: Task, until_us: int) -> None:
        """The same, but not for ever; who waits like that is never stuck."""
        task._timer = self.spawn(
            task.actor, self._give_up, task, other, delay_us=max(0, until_us - self.now_us), daemon=True
        )
        other._waiters.append(task)
        task._awaits = other
        self._switch()
        timer, task._timer = task._timer, None
        self.kill(timer)

    def _give_up(self, task: Task, other: Task) -> None:
        if task in other._waiters:
            other._waiters.remove(task)
            task._awaits = None
            self._ready.append(task)

    def _nobody_gets_on(self, until: Task | None) -> bool:
        """Whether the run has no future: daemons may still tick, but what it waits for cannot happen."""
        if until is not None:
            return is_stuck(until)
        return all(is_stuck(task) for task in self._unfinished if not task.daemon)

    def _finish(self, task: Task) -> None:
        if task.done:
            return
        task.done = True
        task._body = None
        if task.dead:
            task.error = KernelError(f"{task.actor} died")
        del self._unfinished[task]
        self._awaited -= not task.daemon
        for lock in tuple(task._locks):
            lock._pass_on()
        for waiter in task._waiters:
            waiter._awaits = None
        self._ready.extend(task._waiters)
        task._waiters.clear()
