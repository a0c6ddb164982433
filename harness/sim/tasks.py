"""Tasks, and the locks that they hold: the state that the kernel moves about."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from harness.errors import KernelError, TaskKilled

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel


class Task:
    """One thread of simulated control.

    Life: spawned (runnable, or asleep until its start) -> running <-> paused, asleep or waiting -> done,
    with `result` or `error`; or killed (`dead`, and done), after which it never runs again.

    `asking` is for whom this is done, whatever stands for somebody: tasks have it from the one that made them.
    """

    __slots__ = (
        "_awaits", "_body", "_greenlet", "_locks", "_timer", "_waiters",
        "actor", "asking", "daemon", "dead", "done", "error", "result",
    )  # fmt: skip

    def __init__(self, actor: str, *, daemon: bool = False) -> None:
        self.actor = actor
        self.daemon = daemon
        self.done = False
        self.dead = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.asking: Any = None
        self._timer: Task | None = None
        self._body: Callable[[], None] | None = None
        self._greenlet: greenlet | None = None
        self._awaits: Task | Lock | None = None
        self._waiters: deque[Task] = deque()
        self._locks: list[Lock] = []

    @property
    def waiting_for(self) -> str:
        """What must end before the task can go on; empty where it only waits for its turn or the clock."""
        if isinstance(self._awaits, Lock):
            return f"lock {self._awaits.name}, held by {self._awaits.holder}"
        return f"the end of {self._awaits.actor}" if self._awaits is not None else ""

    def __repr__(self) -> str:
        return f"<Task {self.actor}>"


def carry() -> None:
    """What a greenlet of the kernel runs: one task after another, because a new one costs ten times as much.

    An idle one holds nothing of its kernel, so that it goes when the kernel goes: hence the first body comes
    by a switch too, since a greenlet keeps the arguments that it was started with.
    """
    while True:
        hub = getcurrent().parent
        assert hub is not None
        body = hub.switch()
        body()
        body = None


def is_stuck(task: Task) -> bool:
    """Whether what `task` waits for is never going to happen."""
    seen: set[Task] = set()
    while task._awaits is not None and task._timer is None:
        holder = task._awaits.owner if isinstance(task._awaits, Lock) else task._awaits
        if holder is None or task in seen:
            return True
        seen.add(task)
        task = holder
    return False


class Lock:
    """A lock of the simulated world, first come, first served (`cinder.coordination:synchronized`).

    It is handed to whoever has waited longest, so its holder cannot take it twice in a row past others. When
    its holder dies, the lock passes on, as a file lock does. Taking it twice at once is a KernelError.
    """

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.name = name
        self.owner: Task | None = None
        self._kernel = kernel
        self._held = False
        self._waiters: deque[Task] = deque()

    @property
    def holder(self) -> str:
        """The actor that holds the lock."""
        return self.owner.actor if self.owner is not None else "code outside of any task"

    def __enter__(self) -> None:
        task = self._kernel.current
        if task is not None and task.dead:
            raise TaskKilled(task.actor)
        if not self._held:
            self._give(task)
        elif task is None or self.owner is task:
            raise KernelError(f"lock {self.name} is already held by {self.holder}")
        else:
            self._kernel._block(task, self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A task that was killed has lost the lock already, and must not take it from the next owner.
        if self._held and self.owner is self._kernel.current:
            self._pass_on()

    def _give(self, task: Task | None) -> None:
        self._held = True
        self.owner = task
        if task is not None:
            task._locks.append(self)

    def _pass_on(self) -> None:
        if self.owner is not None:
            self.owner._locks.remove(self)
        self._held, self.owner = False, None
        if self._waiters:
            heir = self._waiters.popleft()
            heir._awaits = None
            self._give(heir)
            self._kernel._ready.append(heir)
