"""Messages between services: casts, which nobody waits for, and calls.

A message carries copies of records, and every message is handled by a task of its own, as in oslo.messaging
with its thread pool. Casts to one service are started in the order in which they were sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import errors
from harness.model import Record
from harness.sim.kernel import Task
from harness.sim.simulation import Simulation

LATENCY_US = 1_000


class Messaging:
    """The bus. A service registers under its topic and host; handlers are its methods."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._services: dict[str, tuple[str, object]] = {}
        self.on_task: Callable[[str, Task], None] = lambda address, task: None

    def register(self, address: str, actor: str, service: object) -> None:
        """`address` is ``host@backend`` or a topic such as ``cinder-scheduler``; `actor` names its tasks."""
        self._services[address] = (actor, service)

    def unregister(self, address: str) -> None:
        """The service is gone; messages to it are lost."""
        self._services.pop(address, None)

    def cast(self, address: str, method: str, *arguments: Any) -> None:
        """Send and forget. To a service that is not there: nothing happens, as with a queue nobody reads."""
        self._send(address, method, arguments)

    def call(self, address: str, method: str, *arguments: Any) -> Any:
        """Send and wait for the answer; what the other side raises is raised here.

        MessagingTimeout if nobody is there, after a minute.
        """
        task = self._send(address, method, arguments)
        if task is None:
            self._simulation.kernel.sleep(60_000_000)
            raise errors.MessagingTimeout(service=address)
        return self._simulation.kernel.wait(task)

    def _send(self, address: str, method: str, arguments: tuple[Any, ...]) -> Task | None:
        registered = self._services.get(address)
        if registered is None:
            self._simulation.record("message lost", f"{method} to {address}")
            return None
        actor, service = registered
        copies = [value.copy() if isinstance(value, Record) else value for value in arguments]
        task = self._simulation.kernel.spawn(actor, getattr(service, method), *copies, delay_us=LATENCY_US)
        self.on_task(address, task)
        return task
