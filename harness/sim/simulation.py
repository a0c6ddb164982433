"""One simulated run: kernel, faults and history behind the single `visit` that everybody calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from harness.errors import TaskKilled
from harness.sim.faults import ERRORS, Fault, FaultPlan
from harness.sim.history import Event
from harness.sim.kernel import Kernel
from harness.sim.schedules import Schedule

CAST_ORDERS = ("ordered", "immediate", "lazy")
"""When a message is handled that nobody waits for; see `harness.control_plane.messaging`."""

States = tuple[tuple[str, str | None] | None, tuple[str, str | None] | None]


class Simulation:
    """The world's clock and memory. `watch` tells how the records of interest stand, for the timeline.

    `crash` is what a planned crash does to the actor that it strikes: it kills the tasks of that service.
    `casts` is one of `CAST_ORDERS`, or "any": then the schedule chooses one for each message.
    `start` is what happens some time after it, where the plan has the service start again.
    Close a simulation when it has been judged, or use it in a ``with`` (see `Kernel.close`).
    """

    def __init__(self, schedule: Schedule | None = None, faults: Sequence[Fault] = ()) -> None:
        self.kernel = Kernel(schedule)
        self.faults = FaultPlan(faults)
        self.history: list[Event] = []
        self.watch: Callable[[], States] = lambda: (None, None)
        self.crash: Callable[[str], None] = lambda actor: None
        self.start: Callable[[str], None] = lambda actor: None
        self.casts = "ordered"

    def cast_order(self) -> str:
        """The order for the next message."""
        return CAST_ORDERS[self.kernel.choose(CAST_ORDERS)] if self.casts == "any" else self.casts

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        """Pass a named point: let others run, take `cost_us`, suffer a planned fault, be recorded."""
        kernel = self.kernel
        kernel.pause()
        if cost_us:
            kernel.sleep(cost_us)
        if self.faults:
            fault = self.strike(name, detail)
            if fault is not None and fault.kind == "delay":
                kernel.sleep(fault.delay_us)
        self.record(name, detail)

    def record(self, step: str, detail: str = "") -> None:
        """Add an event to the history without a choice point."""
        task = self.kernel.current
        if task is not None and task.dead:
            raise TaskKilled(task.actor)
        source, temporary = self.watch()
        actor = task.actor if task is not None else "operator"
        self.history.append(Event(self.kernel.now_us, actor, step, detail, source, temporary))

    def strike(self, name: str, detail: str = "", *, actor: str | None = None) -> Fault | None:
        """The fault that strikes at this visit: errors are raised, services die, all else is up to the caller.

        `actor` is who visits, the running task's by default. Nobody else runs meanwhile, and no time passes.
        """
        task = self.kernel.current
        if actor is None:
            actor = task.actor if task is not None else "operator"
        fault = self.faults.due(name, actor)
        if fault is None:
            return None
        self.record(name, f"{detail} [fault: {fault.kind}]".strip())
        if fault.kind in ERRORS:
            raise ERRORS[fault.kind](name)
        if fault.kind == "restart":
            self.kernel.spawn("init", self.start, actor, delay_us=fault.delay_us)
        if fault.kind in ("crash", "restart"):
            self.crash(actor)
        return fault

    def close(self) -> None:
        """The end of this world; its memory can be freed."""
        self.kernel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
