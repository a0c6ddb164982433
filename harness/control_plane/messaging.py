"""Messages between services: casts, which nobody waits for, and calls.

A message carries copies of records, and every message is handled by a task of its own, as in oslo.messaging
with its thread pool. Casts to one service are started in the order in which they were sent. The queue of a
service that is not running keeps them until it runs again; a call does not wait that long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import errors
from harness.model import Record
from harness.sim.kernel import Task
from harness.sim.simulation import Simulation

LATENCY_US = 1_000
CALL_TIMEOUT_US = 60_000_000
"""`rpc_response_timeout`."""

Message = tuple[str, tuple[Any, ...]]


class Messaging:
    """The bus. A service registers under its topic and host; handlers are its methods."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._services: dict[str, tuple[str, object]] = {}
        self._waiting: dict[str, list[Message]] = {}
        self.on_task: Callable[[str, Task], None] = lambda address, task: None

    def register(self, address: str, actor: str, service: object) -> None:
        """`address` is ``host@backend`` or a topic such as ``cinder-scheduler``; `actor` names its tasks.

        Casts that came while the service was away are handled now.
        """
        self._services[address] = (actor, service)
        for method, arguments in self._waiting.pop(address, ()):
            self._deliver(address, method, arguments)

    def unregister(self, address: str) -> None:
        """The service is gone; its queue stays."""
        if self._services.pop(address, None) is not None:
            self._waiting[address] = []

    def cast(self, address: str, method: str, *arguments: Any) -> None:
        """Send and forget. What nobody ever read from, has no queue: the message is lost."""
        message = (method, _copies(arguments))
        if address in self._services:
            self._deliver(address, *message)
        elif address in self._waiting:
            self._waiting[address].append(message)
            self._simulation.record("message waits", f"{method} to {address}")
        else:
            self._simulation.record("message lost", f"{method} to {address}")

    def call(self, address: str, method: str, *arguments: Any) -> Any:
        """Send and wait for the answer; what the other side raises is raised here.

        MessagingTimeout a minute after the call if nobody is there, or whoever is dies over it.
        """
        kernel = self._simulation.kernel
        sent_us = kernel.now_us
        if address in self._services:
            task = self._deliver(address, method, _copies(arguments))
            try:
                return kernel.wait(task)
            except errors.KernelError:
                if not task.dead:
                    raise
        else:
            self._simulation.record("message lost", f"{method} to {address}")
        kernel.sleep(max(0, sent_us + CALL_TIMEOUT_US - kernel.now_us))
        raise errors.MessagingTimeout(service=address)

    def _deliver(self, address: str, method: str, arguments: tuple[Any, ...]) -> Task:
        actor, service = self._services[address]
        task = self._simulation.kernel.spawn(actor, getattr(service, method), *arguments, delay_us=LATENCY_US)
        self.on_task(address, task)
        return task


def _copies(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.copy() if isinstance(value, Record) else value for value in arguments)
