"""Messages between services: casts, which nobody waits for, and calls.

A message carries copies of records, and every message is handled by a task of its own, as in oslo.messaging
with its thread pool. The queue of a service that is not running keeps casts until it runs again; a call does
not wait that long.

Nothing says when a cast is handled, and code that works with one order may fail with another
(`Simulation.casts`):

- *ordered*: soon, one to a service after another, and before a later call.
- *immediate*: the sender is slow, and goes on when the receiver is done, or has not got on for a while.
- *lazy*: the receiver is busy, and begins with it seconds later. Calls overtake it, casts do not.

The fault plan may delay, lose or duplicate a message (`harness.sim.faults`). A duplicate is handled twice, as
it is when a broker fails over before it has heard that the first was received: within one process
oslo.messaging would have known it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from harness import errors
from harness.record import Record
from harness.sim.kernel import Task
from harness.sim.simulation import Simulation

LATENCY_US = 1_000
CALL_TIMEOUT_US = 60_000_000
"""`rpc_response_timeout`."""
BUSY_US = 5_000_000
"""How late a busy service begins with a cast: in the middle of a copy of 1 GiB."""
SLOW_US, STEP_US = 30_000_000, 100_000
"""How long a slow sender stands still at most, and how often it looks."""

Message = tuple[str, tuple[Any, ...]]


class Messaging:
    """The bus. A service registers under its topic and host; handlers are its methods."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._services: dict[str, deque[tuple[str, object]]] = {}
        self._waiting: dict[str, list[Message]] = {}
        self._held_until_us: dict[tuple[str, str], int] = {}
        self.on_task: Callable[[str, Task], None] = lambda address, task: None

    def register(self, address: str, actor: str, service: object) -> None:
        """`address` is ``host@backend`` or a topic such as ``cinder-scheduler``; `actor` names its tasks.

        Where several services read one queue, as those of a cluster do, they take turns. Casts that came while
        nobody did are handled now.
        """
        readers = self._services.setdefault(address, deque())
        for known in [each for each in readers if each[0] == actor]:
            readers.remove(known)
        readers.append((actor, service))
        for method, arguments in self._waiting.pop(address, ()):
            self._deliver(address, method, arguments)

    def unregister(self, address: str, actor: str | None = None) -> None:
        """The service of that actor is gone, or all that read the queue; the queue stays."""
        readers = self._services.get(address, deque())
        left = deque(each for each in readers if actor is not None and each[0] != actor)
        if left:
            self._services[address] = left
        elif self._services.pop(address, None) is not None:
            self._waiting[address] = []

    def cast(self, address: str, method: str, *arguments: Any) -> None:
        """Send and forget. What nobody ever read from, has no queue: the message is lost."""
        message = (method, _copies(arguments))
        copies, delay_us = self._fate(address, method)
        order = self._simulation.cast_order()
        if order == "lazy":
            delay_us = (delay_us or 0) + BUSY_US
        for _ in range(copies):
            if delay_us is not None:
                self._simulation.kernel.spawn("bus", self._arrive, address, message, delay_us=delay_us)
            else:
                task = self._arrive(address, message)
                if task is not None and order == "immediate":
                    self._stand_still(task)

    def _stand_still(self, task: Task) -> None:
        """The running task gets no turn until the other one is done, or can do no more without it."""
        kernel = self._simulation.kernel
        until_us = kernel.now_us + SLOW_US
        while kernel.current is not None and not task.done and kernel.now_us < until_us:
            kernel.sleep(STEP_US)

    def _arrive(self, address: str, message: Message) -> Task | None:
        """The message is in its receiver's queue; the task that handles it, if the receiver is there."""
        if address in self._services:
            return self._deliver(address, *message)
        if address in self._waiting:
            self._waiting[address].append(message)
            self._simulation.record("message waits", f"{message[0]} to {address}")
        else:
            self._simulation.record("message lost", f"{message[0]} to {address}")
        return None

    def call(self, address: str, method: str, *arguments: Any) -> Any:
        """Send and wait for the answer; what the other side raises is raised here.

        MessagingTimeout a minute after the call if nobody is there, whoever is dies over it, a message is lost,
        or the other side is not done; what it does goes on.
        """
        kernel = self._simulation.kernel
        deadline_us = kernel.now_us + CALL_TIMEOUT_US
        copies, delay_us = self._fate(address, method)
        if delay_us is not None:
            kernel.sleep(min(delay_us, CALL_TIMEOUT_US))
        tasks: list[Task] = []
        if address in self._services and (delay_us or 0) < CALL_TIMEOUT_US:  # the broker drops what has expired
            tasks = [self._deliver(address, method, _copies(arguments)) for _ in range(copies)]
        elif copies:
            self._simulation.record("message lost", f"{method} to {address}")
        if tasks:
            try:
                answer = kernel.wait(tasks[0], until_us=deadline_us)
            except errors.Overdue:
                self._simulation.record("no answer in time", f"{method} from {tasks[0].actor}")
            except Exception as error:
                died = isinstance(error, errors.KernelError) and tasks[0].dead
                if not died and self._answers(tasks[0].actor, method, deadline_us):
                    raise
            else:
                if self._answers(tasks[0].actor, method, deadline_us):
                    return answer
        kernel.sleep(max(0, deadline_us - kernel.now_us))
        raise errors.MessagingTimeout(service=address)

    def _answers(self, actor: str, method: str, deadline_us: int) -> bool:
        """False if the answer is lost on its way, or too late."""
        kernel = self._simulation.kernel
        fault = self._simulation.strike(f"reply.{method}", actor=actor) if self._simulation.faults else None
        if fault is None or fault.kind == "duplicated":
            return True
        if fault.kind != "delay":
            return False
        kernel.sleep(min(fault.delay_us, max(0, deadline_us - kernel.now_us)))
        return kernel.now_us < deadline_us

    def _fate(self, address: str, method: str) -> tuple[int, int | None]:
        """(How often a message arrives, and how much later than usual): once and not late, without a fault.

        Between two actors messages stay in order, so one that is held up holds up those behind it. What is sent
        in the very moment in which that ends is 0 us late: it goes when those before it have gone.
        """
        now_us = self._simulation.kernel.now_us
        task = self._simulation.kernel.current
        pair = (task.actor if task is not None else "operator", address)
        fault = (
            self._simulation.strike(f"message.{method}", f"to {address}") if self._simulation.faults else None
        )
        held_until_us = self._held_until_us.get(pair, -1)
        delay_us = held_until_us - now_us if held_until_us >= now_us else None
        if fault is None:
            return 1, delay_us
        if fault.kind == "delay":
            delay_us = max(delay_us or 0, fault.delay_us)
            self._held_until_us[pair] = now_us + delay_us
        return {"lost": 0, "duplicated": 2}.get(fault.kind, 1), delay_us

    def _deliver(self, address: str, method: str, arguments: tuple[Any, ...]) -> Task:
        readers = self._services[address]
        actor, service = readers[0]
        readers.rotate(-1)
        task = self._simulation.kernel.spawn(actor, getattr(service, method), *arguments, delay_us=LATENCY_US)
        self.on_task(address, task)
        return task


def _copies(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.copy() if isinstance(value, Record) else value for value in arguments)
