"""What is counted agrees with what is there: quota always, capacity until something migrates."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from harness import errors
from harness.sim.faults import Fault, FaultPlan
from tests.harness.control_plane.conftest import Lab

BACKENDS = ("lvm-a", "lvm-b", "rbd-a")
POINTS = (
    "driver.create_volume",
    "driver.delete_volume",
    "driver.extend_volume",
    "driver.create_snapshot",
    "copy.*",
)

ACTION = st.tuples(
    st.sampled_from(["create", "delete", "extend", "snapshot", "migrate"]), st.integers(0, 3), st.integers(0, 2)
)
FAULT = st.builds(Fault, point=st.sampled_from(POINTS), kind=st.just("eio"), nth=st.integers(1, 3))


def act(lab: Lab, what: str, which: int, number: int) -> None:
    """Somebody does something with one of the volumes; refusals do not matter."""
    volumes = [row["id"] for row in lab.database.volumes.values()]
    volume = volumes[which % len(volumes)] if volumes else ""
    with contextlib.suppress(errors.ServiceError):
        if what == "create":
            lab.act(
                lab.api.create_volume, lab.owner, number + 1, host=lab.address(BACKENDS[which % 3]),
                volume_type="gold" if number else None,
            )  # fmt: skip
        elif what == "delete":
            lab.act(lab.api.delete_volume, lab.owner, volume)
        elif what == "extend":
            lab.act(lab.api.extend_volume, lab.owner, volume, number + 2)
        elif what == "snapshot":
            lab.act(lab.api.create_snapshot, lab.owner, volume)
        else:
            lab.migrate(lab.database.get_volume(volume), BACKENDS[number])


def live(lab: Lab, actions: list[tuple[str, int, int]], faults: list[Fault]) -> None:
    """Everything that is done, one after another."""
    lab.cloud.create_type("gold")
    lab.simulation.faults = FaultPlan(faults)
    for what, which, number in actions:
        act(lab, what, which, number)


def recount(lab: Lab) -> Counter[str]:
    """The project's usage, from its records."""
    found: Counter[str] = Counter()
    records = [("volumes", row["size"], row) for row in lab.database.volumes.values()]
    records += [("snapshots", row["volume_size"], row) for row in lab.database.snapshots.values()]
    for resource, size, row in records:
        if row["use_quota"]:
            name = lab.database.get_volume_type(row["volume_type_id"]).name
            for each in ("", f"_{name}"):
                found[f"{resource}{each}"] += 1
                found[f"gigabytes{each}"] += size
    return found


@settings(max_examples=30)
@given(st.lists(ACTION, min_size=1, max_size=8), st.lists(FAULT, max_size=2))
def test_usage_is_the_recount(
    make_lab: Callable[..., Lab], actions: list[tuple[str, int, int]], faults: list[Fault]
) -> None:
    """Whatever succeeds or fails; nothing stays reserved."""
    with make_lab() as lab:
        live(lab, actions, faults)
        usages = {name: each.in_use for name, each in lab.cloud.quotas.usages("project").items() if each.in_use}
        assert usages == dict(recount(lab))
        assert lab.cloud.quotas.open_reservations() == []


def counted(lab: Lab) -> dict[str, int]:
    """allocated_capacity_gb by back-end."""
    return {name: sum(lab.manager(name).allocated_capacity_gb.values()) for name in BACKENDS}


def on(lab: Lab, backend: str) -> int:
    """GiB of the records that are there."""
    address = lab.address(backend)
    return sum(row["size"] for row in lab.database.volumes.values() if row["host"] == address)


@settings(max_examples=30)
@given(st.lists(ACTION, min_size=1, max_size=8), st.lists(FAULT, max_size=2))
def test_counters_drift_with_migrations_only_and_a_restart_heals_them(
    make_lab: Callable[..., Lab], actions: list[tuple[str, int, int]], faults: list[Fault]
) -> None:
    """Nobody counts a temporary volume down, nor what a driver moved (`OPEN-ALLOC`)."""
    with make_lab() as lab:
        live(lab, actions, faults)
        there = {name: on(lab, name) for name in BACKENDS}
        if "migrate" not in [what for what, _, _ in actions]:
            assert counted(lab) == there
        lab.simulation.faults.heal()
        for name in BACKENDS:
            lab.cloud.stop(name)
            lab.cloud.start_again(name)
        lab.kernel.run()
        assert counted(lab) == {name: on(lab, name) for name in BACKENDS}


@settings(max_examples=15)
@given(st.lists(ACTION, min_size=1, max_size=6), st.lists(FAULT, max_size=2))
def test_the_same_actions_leave_the_same_trace(
    make_lab: Callable[..., Lab], actions: list[tuple[str, int, int]], faults: list[Fault]
) -> None:
    """Events, notifications and messages, to the microsecond."""
    traces = []
    for _ in range(2):
        with make_lab() as lab:
            live(lab, actions, faults)
            traces.append(
                (
                    lab.simulation.history,
                    list(lab.cloud.notifications.sent),
                    lab.cloud.user_messages.all(lab.admin),
                )
            )
    assert traces[0] == traces[1]
