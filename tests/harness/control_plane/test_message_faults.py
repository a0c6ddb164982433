"""Messages that are late, lost or come twice, and services that die over one and start again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import errors
from harness.control_plane.messaging import CALL_TIMEOUT_US, LATENCY_US, Messaging
from harness.sim.faults import Fault, FaultPlan
from harness.sim.simulation import Simulation

SECOND_US = 1_000_000


class Listener:
    """Remembers what it heard, and when."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.heard: list[tuple[int, Any]] = []

    def hear(self, value: Any) -> str:
        self.heard.append((self.simulation.kernel.now_us, value))
        return "heard"

    def refuse(self) -> None:
        raise errors.InvalidVolume(reason="no")

    @property
    def values(self) -> list[Any]:
        return [value for _, value in self.heard]


class Bus:
    """A bus with listeners at ``a`` and ``b``."""

    def __init__(self, *faults: Fault) -> None:
        self.simulation = Simulation(faults=faults)
        self.kernel = self.simulation.kernel
        self.messaging = Messaging(self.simulation)
        self.at = {address: Listener(self.simulation) for address in ("a", "b")}
        for address, listener in self.at.items():
            self.messaging.register(address, f"service-{address}", listener)

    def send(self, sender: str, *messages: tuple[str, Any]) -> None:
        """A sender casts values to addresses, one after another."""

        def speak() -> None:
            for address, value in messages:
                self.messaging.cast(address, "hear", value)

        self.kernel.spawn(sender, speak)

    def call(self, method: str, *arguments: Any) -> Any:
        task = self.kernel.spawn("caller", self.messaging.call, "a", method, *arguments)
        self.kernel.run()
        return self.kernel.wait(task)


@pytest.fixture
def make_bus() -> Iterator[Callable[..., Bus]]:
    """Makes buses, and closes them in the end."""
    made: list[Bus] = []

    def make(*faults: Fault) -> Bus:
        made.append(Bus(*faults))
        return made[-1]

    yield make
    for bus in made:
        bus.simulation.close()


def test_a_lost_cast_never_arrives(make_bus: Callable[..., Bus]) -> None:
    """Those before and after it do."""
    bus = make_bus(Fault(point="message.hear", kind="lost", nth=2))
    bus.send("s", ("a", 1), ("a", 2), ("a", 3))
    bus.kernel.run()
    assert bus.at["a"].values == [1, 3]


def test_a_duplicated_cast_is_handled_twice(make_bus: Callable[..., Bus]) -> None:
    """Each time with a copy of its own."""
    bus = make_bus(Fault(point="message.hear", kind="duplicated"))
    bus.send("s", ("a", 1), ("a", 2))
    bus.kernel.run()
    assert bus.at["a"].values == [1, 1, 2]


def test_a_delayed_cast_holds_up_its_own_way_only(make_bus: Callable[..., Bus]) -> None:
    """Messages of another sender, or to another receiver, overtake it."""
    bus = make_bus(Fault(point="message.hear", kind="delay", actor="s", delay_us=5 * SECOND_US))
    bus.send("s", ("a", "first"), ("a", "second"), ("b", "elsewhere"))
    bus.send("t", ("a", "overtakes"))
    bus.kernel.run()
    late_us = 5 * SECOND_US + LATENCY_US
    assert bus.at["a"].heard == [(LATENCY_US, "overtakes"), (late_us, "first"), (late_us, "second")]
    assert bus.at["b"].heard == [(LATENCY_US, "elsewhere")]


def test_a_delayed_cast_is_queued_where_its_receiver_has_gone(make_bus: Callable[..., Bus]) -> None:
    """What is on its way does not die with the receiver."""
    bus = make_bus(Fault(point="message.hear", kind="delay", delay_us=SECOND_US))
    bus.send("s", ("a", 1))
    bus.kernel.run(horizon_us=SECOND_US // 2)
    bus.messaging.unregister("a")
    bus.kernel.run()
    assert bus.at["a"].heard == []
    bus.messaging.register("a", "service-a", bus.at["a"])
    bus.kernel.run()
    assert bus.at["a"].values == [1]


@pytest.mark.parametrize("point", ["message.hear", "reply.hear"])
def test_a_call_that_is_lost_or_not_answered_times_out(make_bus: Callable[..., Bus], point: str) -> None:
    """Whether the other side has done what it was asked for, the caller cannot tell."""
    bus = make_bus(Fault(point=point, kind="lost"))
    with pytest.raises(errors.MessagingTimeout):
        bus.call("hear", 1)
    assert bus.kernel.now_us == CALL_TIMEOUT_US
    assert bus.at["a"].values == ([1] if point == "reply.hear" else [])


def test_a_refusal_can_be_lost_too(make_bus: Callable[..., Bus]) -> None:
    """Then it is a timeout like any other."""
    bus = make_bus(Fault(point="reply.refuse", kind="lost"))
    with pytest.raises(errors.MessagingTimeout):
        bus.call("refuse")
    with pytest.raises(errors.InvalidVolume):
        bus.call("refuse")


@pytest.mark.parametrize("point", ["message.hear", "reply.hear"])
def test_a_call_may_be_late_by_less_than_a_minute(make_bus: Callable[..., Bus], point: str) -> None:
    """The caller waits that much longer; what comes later, the broker drops."""
    bus = make_bus(Fault(point=point, kind="delay", delay_us=10 * SECOND_US))
    assert bus.call("hear", 1) == "heard"
    assert bus.kernel.now_us == 10 * SECOND_US + LATENCY_US
    bus = make_bus(Fault(point=point, kind="delay", delay_us=600 * SECOND_US))
    with pytest.raises(errors.MessagingTimeout):
        bus.call("hear", 1)
    assert bus.kernel.now_us == CALL_TIMEOUT_US
    assert bus.at["a"].values == ([1] if point == "reply.hear" else [])


def test_a_duplicated_call_is_answered_once(make_bus: Callable[..., Bus]) -> None:
    """And carried out twice."""
    bus = make_bus(Fault(point="message.hear", kind="duplicated"))
    assert bus.call("hear", 1) == "heard"
    assert bus.at["a"].values == [1, 1]


def test_a_sender_may_fail_to_send(make_bus: Callable[..., Bus]) -> None:
    """The broker is out of reach: an error at the sender, nothing at the receiver."""
    bus = make_bus(Fault(point="message.hear", kind="timeout"))
    bus.send("s", ("a", 1))
    bus.kernel.run()
    assert [type(error) for _, error in bus.kernel.failures] == [errors.MessagingTimeout]
    assert bus.at["a"].heard == []


MESSAGES = st.lists(st.tuples(st.sampled_from("st"), st.sampled_from("ab"), st.integers(0, 3)), max_size=12)
FAULTS = st.lists(
    st.builds(
        Fault,
        point=st.just("message.hear"),
        kind=st.just("delay"),
        nth=st.integers(1, 4),
        delay_us=st.integers(0, 5 * SECOND_US),
    ),
    max_size=3,
)


@given(MESSAGES, FAULTS)
@example([("s", "a", 0)] * 6, [Fault(point="message.hear", kind="delay", nth=1, delay_us=5 * SECOND_US)])
def test_messages_between_two_stay_in_order(messages: list[tuple[str, str, int]], faults: list[Fault]) -> None:
    """However they are delayed; none is lost, none comes twice, and the same plan gives the same trace."""
    traces = []
    for _ in range(2):
        bus = Bus(*faults)
        for number, (sender, address, pause_s) in enumerate(messages):

            def speak(address: str = address, word: tuple[str, int] = (sender, number), bus: Bus = bus) -> None:
                bus.messaging.cast(address, "hear", word)

            bus.kernel.spawn(sender, speak, delay_us=(number + pause_s) * SECOND_US)
        sent = sorted(
            (number + pause_s, number, sender, address)
            for number, (sender, address, pause_s) in enumerate(messages)
        )
        bus.kernel.run()
        for address, listener in bus.at.items():
            for sender in "st":
                heard = [word for word in listener.values if word[0] == sender]
                assert heard == [(who, number) for _, number, who, to in sent if (who, to) == (sender, address)]
        traces.append([listener.heard for listener in bus.at.values()])
        bus.simulation.close()
    assert traces[0] == traces[1]


def test_only_messages_can_be_lost() -> None:
    """Whoever plans otherwise is told so at once."""
    with pytest.raises(ValueError, match=r"must be message\.METHOD or reply\.METHOD"):
        Fault(point="lvm.lvcreate", kind="lost")


# ---------------------------------------------------------------------------------- in a whole control plane


def test_a_migration_whose_cast_is_lost_is_stuck(make_lab: Callable[..., Any]) -> None:
    """starting has no timeout: only reset-status helps."""
    with make_lab() as lab:
        volume = lab.volume()
        lab.simulation.faults = FaultPlan([Fault(point="message.migrate_volume", kind="lost", actor="user")])
        lab.migrate(volume, "rbd-a")
        assert lab.states(volume) == ("available", "detached", "starting")


def test_a_deletion_that_comes_twice_is_one(make_lab: Callable[..., Any]) -> None:
    """The second one waits for the lock, and finds no record (`VolumeManager.delete_volume`)."""
    with make_lab() as lab:
        volume = lab.volume()
        lab.simulation.faults = FaultPlan(
            [Fault(point="message.delete_volume", kind="duplicated", actor="c-vol@*")]
        )
        lab.migrate(volume, "rbd-a")
        assert lab.states(volume) == ("available", "detached", "success")
        assert lab.objects("lvm-a") == set()


def test_a_service_that_dies_in_a_migration_comes_back_without_it(make_lab: Callable[..., Any]) -> None:
    """Its tasks are dead, the records stay, and nobody takes the migration up (`VolumeManager._do_cleanup`)."""
    with make_lab() as lab:
        volume = lab.volume()
        lab.simulation.faults = FaultPlan(
            [Fault(point="copy.file", kind="restart", nth=3, delay_us=30 * SECOND_US)]
        )
        lab.migrate(volume, "rbd-a")
        assert lab.states(volume) == ("available", "detached", "migrating")
        assert len(lab.database.volumes) == 2, "the temporary record stays"
        assert lab.cloud.services.is_running(lab.manager("lvm-a").host)
        lab.act(lab.api.reset_status, lab.admin, volume.id, migration_status="none")
        other = lab.volume("lvm-a")
        assert lab.states(other) == ("available", "detached", None), "the service works again"


def test_an_api_process_that_dies_has_written_but_not_sent(make_lab: Callable[..., Any]) -> None:
    """The row says deleting, and no service has heard of it."""
    with make_lab() as lab:
        volume = lab.volume()
        lab.simulation.faults = FaultPlan([Fault(point="message.delete_volume", kind="crash", actor="user")])
        lab.begin(lab.api.delete_volume, lab.owner, volume.id)
        lab.kernel.run()
        assert lab.states(volume) == ("deleting", "detached", None)
        assert volume.name in lab.objects("lvm-a")
