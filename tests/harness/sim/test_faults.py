"""Fault plans: which fault strikes at which visit."""

from __future__ import annotations

import msgspec
import pytest

from harness.errors import Busy, MessagingTimeout, NoSpace, StorageError
from harness.sim.faults import ERRORS, Fault, FaultPlan


def visits(plan: FaultPlan, point: str, count: int, actor: str = "c-vol") -> list[str | None]:
    """The kinds that strike at `count` visits of a point."""
    found = (plan.due(point, actor) for _ in range(count))
    return [fault.kind if fault is not None else None for fault in found]


def test_a_fault_strikes_once_at_its_visit() -> None:
    """The n-th visit, not before, not after, and nowhere else."""
    plan = FaultPlan([Fault(point="lvm.lvcreate", kind="eio", nth=3)])
    assert visits(plan, "lvm.lvremove", 3) == [None] * 3
    assert visits(plan, "lvm.lvcreate", 5) == [None, None, "eio", None, None]
    assert [fault.nth for fault in plan.struck] == [3]


def test_points_and_actors_are_patterns() -> None:
    """A pattern counts visits of all points and actors that it matches; case matters."""
    plan = FaultPlan([Fault(point="lvm.*", kind="eio", nth=2, actor="c-vol@*")])
    assert plan.due("lvm.a", "c-vol@x") is None
    assert plan.due("lvm.a", "nova") is None
    assert plan.due("LVM.a", "c-vol@x") is None
    assert plan.due("lvm.b", "c-vol@y") is not None


@pytest.mark.parametrize("kind", ["eio", "enospc", "ebusy"])
def test_a_fault_of_storage_passes_messages_by(kind: str) -> None:
    """An answer that is not understood is no I/O error; unless the point is one of a message."""
    anywhere = msgspec.convert({"point": "*", "kind": kind}, Fault)
    assert not anywhere.passes("reply.create_volume", "c-vol")
    assert anywhere.passes("driver.create_volume", "c-vol")
    assert msgspec.structs.replace(anywhere, point="reply.*").passes("reply.create_volume", "c-vol")
    assert msgspec.structs.replace(anywhere, kind="crash").passes("reply.create_volume", "c-vol")


def test_several_faults_strike_one_after_another() -> None:
    """The first of the plan first; equal ones make an operation fail twice in a row."""
    plan = FaultPlan(
        [Fault(point="p", kind="ebusy"), Fault(point="p", kind="ebusy"), Fault(point="*", kind="eio")]
    )
    assert visits(plan, "p", 4) == ["ebusy", "ebusy", "eio", None]
    assert not plan


def test_healing_lifts_what_has_not_struck() -> None:
    """The past stays: `struck` tells what happened."""
    plan = FaultPlan([Fault(point="p", kind="eio"), Fault(point="p", kind="eio", nth=2)])
    assert visits(plan, "p", 1) == ["eio"]
    plan.heal()
    assert not plan
    assert visits(plan, "p", 3) == [None] * 3
    assert len(plan.struck) == 1


def test_a_fault_is_data() -> None:
    """JSON and back; the file of a replay may hold them."""
    fault = Fault(point="lvm.*", kind="delay", nth=2, actor="c-vol", delay_us=5)
    assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault


@pytest.mark.parametrize(
    "text",
    [
        '{"point": "p", "kind": "fire"}',
        '{"point": "p", "kind": "eio", "nth": 0}',
        '{"point": "p", "kind": "delay", "delay_us": -1}',
        '{"kind": "eio"}',
    ],
)
def test_a_fault_that_could_never_strike_is_refused(text: str) -> None:
    """Checked where it is read."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Fault)


def test_errors_are_those_of_the_real_thing() -> None:
    """Each kind that raises has the class that a service expects, and the text names the point."""
    kinds = {kind: type(make("p")) for kind, make in ERRORS.items()}
    assert kinds == {"enospc": NoSpace, "eio": StorageError, "ebusy": Busy, "timeout": MessagingTimeout}
    assert all("planned fault" in str(make("p")) for make in ERRORS.values())
