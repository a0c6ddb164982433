"""Casts and calls: who waits for whom, what is copied, and what becomes of messages to the dead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness import errors
from harness.control_plane.database import Database
from harness.control_plane.messaging import (
    BUSY_US,
    CALL_TIMEOUT_US,
    LATENCY_US,
    SLOW_US,
    STEP_US,
    Messaging,
)
from harness.model import Volume
from harness.sim.kernel import Lock, Task
from harness.sim.schedules import Replay, Seeded
from harness.sim.seeds import stream
from harness.sim.simulation import Simulation


class Service:
    """Remembers what it was told, and when."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.heard: list[tuple[int, Any]] = []

    def hear(self, value: Any) -> str:
        self.heard.append((self.simulation.kernel.now_us, value))
        return "heard"

    def change(self, volume: Volume) -> None:
        volume.status = "changed"

    def fail(self) -> None:
        raise errors.InvalidVolume(reason="no")

    def take(self, duration_us: int) -> None:
        self.simulation.kernel.sleep(duration_us)


class Bus:
    """A bus with one service at ``s``."""

    def __init__(self) -> None:
        self.simulation = Simulation()
        self.kernel = self.simulation.kernel
        self.messaging = Messaging(self.simulation)
        self.service = Service(self.simulation)
        self.tasks: list[Task] = []
        self.messaging.on_task = lambda address, task: self.tasks.append(task)
        self.messaging.register("s", "service", self.service)

    def call(self, method: str, *arguments: Any) -> Any:
        task = self.kernel.spawn("caller", self.messaging.call, "s", method, *arguments)
        self.kernel.run()
        if task.error is not None:
            raise task.error
        return task.result


@pytest.fixture
def bus() -> Iterator[Bus]:
    made = Bus()
    yield made
    made.simulation.close()


def test_nobody_waits_for_a_cast(bus: Bus) -> None:
    """Casts are handled in the order in which they were sent."""
    for number in range(3):
        bus.messaging.cast("s", "hear", number)
    assert bus.service.heard == []
    bus.kernel.run()
    assert bus.service.heard == [(LATENCY_US, number) for number in range(3)]
    assert {task.actor for task in bus.tasks} == {"service"}


def test_a_call_brings_back_what_the_other_side_returns_or_raises(bus: Bus) -> None:
    """As it is."""
    assert bus.call("hear", "x") == "heard"
    with pytest.raises(errors.InvalidVolume):
        bus.call("fail")


@pytest.mark.parametrize(("order", "begun_us"), [("ordered", LATENCY_US), ("lazy", LATENCY_US + BUSY_US)])
def test_a_later_call_overtakes_a_cast_to_a_busy_service_only(bus: Bus, order: str, begun_us: int) -> None:
    """*ordered* starts it before the call, *lazy* seconds later."""
    bus.simulation.casts = order

    def speak() -> None:
        bus.messaging.cast("s", "hear", "cast")
        bus.messaging.call("s", "hear", "call")

    bus.kernel.spawn("sender", speak)
    bus.kernel.run()
    assert bus.service.heard[order == "lazy"] == (begun_us, "cast")


def test_a_slow_sender_goes_on_when_the_receiver_is_done(bus: Bus) -> None:
    """*immediate*: the cast is over before the next line."""
    bus.simulation.casts = "immediate"
    done_us: list[int] = []

    def speak() -> None:
        bus.messaging.cast("s", "take", 3_000_000)
        done_us.append(bus.kernel.now_us)

    bus.kernel.spawn("sender", speak)
    bus.kernel.run()
    assert 3_000_000 <= done_us[0] < 3_000_000 + LATENCY_US + STEP_US + 1


def test_a_slow_sender_does_not_stand_still_for_ever(bus: Bus) -> None:
    """The receiver may wait for the sender."""
    bus.simulation.casts = "immediate"
    bus.kernel.spawn("sender", bus.messaging.cast, "s", "take", 2 * SLOW_US)
    bus.kernel.run()
    assert bus.kernel.now_us == LATENCY_US + 2 * SLOW_US


def test_the_schedule_may_choose_an_order_for_each_cast() -> None:
    """And the choices repeat the run."""
    heard: list[list[tuple[int, Any]]] = []
    choices: list[int] = []
    for schedule in (Seeded(stream(3, "schedule")), None):
        with Simulation(schedule or Replay(choices)) as simulation:
            simulation.casts = "any"
            messaging, service = Messaging(simulation), Service(simulation)
            messaging.register("s", "service", service)

            def speak(messaging: Messaging = messaging) -> None:
                for number in range(9):
                    messaging.cast("s", "hear", number)

            simulation.kernel.spawn("sender", speak)
            simulation.kernel.run()
            choices = simulation.kernel.choices
            heard.append(service.heard)
    assert heard[0] == heard[1]
    assert set(choices) == {0, 1, 2}


def test_a_message_carries_a_copy(bus: Bus) -> None:
    """What the service assigns to a record, the sender does not see."""
    database = Database(seed=0)
    volume = database.get_volume(database.create(Volume, {}))
    bus.call("change", volume)
    assert volume.status == "creating"
    bus.messaging.cast("s", "hear", volume)
    volume.status = "sent before"
    bus.kernel.run()
    assert bus.service.heard[0][1].status == "creating", "the copy is made when the message is sent"


def test_a_cast_to_a_service_that_is_away_waits_in_its_queue(bus: Bus) -> None:
    """It is handled, in order, when the service runs again."""
    bus.messaging.unregister("s")
    for number in range(2):
        bus.messaging.cast("s", "hear", number)
    bus.kernel.run()
    assert bus.service.heard == []
    bus.messaging.register("s", "service", bus.service)
    bus.kernel.run()
    assert [value for _, value in bus.service.heard] == [0, 1]
    bus.messaging.register("s", "service", bus.service)
    bus.kernel.run()
    assert len(bus.service.heard) == 2, "and it is handled once"


def test_a_cast_to_nowhere_is_lost(bus: Bus) -> None:
    """Nobody ever read from such a queue."""
    bus.messaging.unregister("nowhere")
    bus.messaging.cast("nowhere", "hear", 1)
    assert [event.step for event in bus.simulation.history] == ["message lost"]


def test_a_call_to_a_service_that_is_away_times_out(bus: Bus) -> None:
    """After `rpc_response_timeout`, and the message is gone."""
    bus.messaging.unregister("s")
    with pytest.raises(errors.MessagingTimeout, match="s"):
        bus.call("hear", 1)
    assert bus.kernel.now_us == CALL_TIMEOUT_US
    bus.messaging.register("s", "service", bus.service)
    bus.kernel.run()
    assert bus.service.heard == []


def test_a_call_to_a_service_that_dies_over_it_times_out(bus: Bus) -> None:
    """The caller waits for a minute from its call on, and learns nothing else."""
    bus.kernel.spawn("fate", lambda: bus.kernel.kill(*bus.tasks), delay_us=10_000_000)
    with pytest.raises(errors.MessagingTimeout):
        bus.call("take", 20_000_000)
    assert bus.kernel.now_us == CALL_TIMEOUT_US


def test_a_fault_inside_of_a_handler_is_no_timeout(bus: Bus) -> None:
    """A KernelError that the handler itself raises goes through."""

    def misuse() -> None:
        raise errors.KernelError("run() was called from inside a task")

    bus.service.fail = misuse  # type: ignore[method-assign]
    with pytest.raises(errors.KernelError, match="inside a task"):
        bus.call("fail")


def test_a_call_ends_after_a_minute_and_what_it_asked_for_goes_on(bus: Bus) -> None:
    """`rpc_response_timeout`: who is slower than that is heard by nobody."""
    with pytest.raises(errors.MessagingTimeout):
        bus.call("take", 2 * CALL_TIMEOUT_US)
    assert bus.tasks[0].done
    assert bus.kernel.now_us == LATENCY_US + 2 * CALL_TIMEOUT_US
    bus.call("take", CALL_TIMEOUT_US - 2 * LATENCY_US)


def test_two_that_wait_for_one_another_get_on_after_a_minute(bus: Bus) -> None:
    """The caller holds the lock that the other side wants: no deadlock, for a call does not wait for ever."""
    lock = Lock(bus.kernel, "volume")

    def take_lock() -> str:
        with lock:
            return "taken"

    bus.service.take_lock = take_lock  # type: ignore[attr-defined]

    def ask() -> None:
        with lock:
            bus.messaging.call("s", "take_lock")

    task = bus.kernel.spawn("caller", ask)
    bus.kernel.run()
    assert isinstance(task.error, errors.MessagingTimeout)
    assert bus.tasks[0].result == "taken"
