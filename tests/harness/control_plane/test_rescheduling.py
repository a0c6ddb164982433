"""A volume that one back-end cannot make goes to the scheduler again."""

from __future__ import annotations

import pytest

from harness.model import Volume
from harness.sim.faults import Fault, FaultPlan
from tests.harness.control_plane.conftest import Lab


def create(lab: Lab, failures: int) -> Volume:
    """The owner creates a volume of 2 GiB somewhere; the drivers fail so often."""
    lab.simulation.faults = FaultPlan(
        [Fault(point="driver.create_volume", kind="eio") for _ in range(failures)]
    )
    made: Volume = lab.act(lab.api.create_volume, lab.owner, 2)
    return lab.now(made)


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_volume_has_three_chances(lab: Lab, failures: int) -> None:
    """`scheduler_max_attempts`."""
    volume = create(lab, failures)
    assert volume.status == "available"
    assert lab.steps().count("driver.create_volume") == failures + 1
    assert len(lab.cloud.user_messages.all(lab.owner)) == failures


def test_then_it_is_in_error_without_a_host(lab: Lab) -> None:
    """The scheduler has the last word, and no service has counted the volume."""
    volume = create(lab, 3)
    assert (volume.status, volume.host) == ("error", None)
    assert [event.detail for event in lab.simulation.history if event.step == "no valid backend"] == [
        "Exceeded max scheduling attempts 3"
    ]
    counted = {name: lab.manager(name).allocated_capacity_gb for name in ("lvm-a", "lvm-b", "rbd-a")}
    assert all(set(pools.values()) <= {0} for pools in counted.values())


def test_what_was_promised_for_the_last_attempt_stays(lab: Lab) -> None:
    """The scheduler gives up before it looks at what it has promised (`FilterScheduler._populate_retry`)."""
    before = sum(pool.allocated_capacity_gb for pool in lab.cloud.scheduler.pools())
    create(lab, 3)
    assert sum(pool.allocated_capacity_gb for pool in lab.cloud.scheduler.pools()) == before + 2


def test_what_was_promised_is_given_back(lab: Lab) -> None:
    """Of three attempts the scheduler's cache holds the last one only (`revert_volume_consumed_capacity`)."""
    before = {pool.address: pool.allocated_capacity_gb for pool in lab.cloud.scheduler.pools()}
    volume = create(lab, 2)
    after = {pool.address: pool.allocated_capacity_gb for pool in lab.cloud.scheduler.pools()}
    assert {key: after[key] - before[key] for key in after} == {
        key: 2 if key == volume.host else 0 for key in after
    }


def test_who_chose_the_pool_is_not_sent_elsewhere(lab: Lab) -> None:
    """Nor is the temporary volume of a migration (`allow_reschedule`)."""
    lab.fail("driver.create_volume")
    volume = lab.volume("lvm-a")
    assert (volume.status, volume.host) == ("error", lab.address("lvm-a"))
