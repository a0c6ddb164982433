"""The scheduler dies and starts again: it knows nothing, asks everybody, and lets requests wait."""

from __future__ import annotations

import pytest

from harness.control_plane.scheduler import TOPIC
from harness.sim.faults import Fault, FaultPlan
from tests.harness.control_plane.conftest import SECOND_US, Lab


@pytest.fixture
def without(lab: Lab) -> Lab:
    """A cloud whose scheduler is dead."""
    lab.cloud.services.stop_scheduler()
    return lab


def test_messages_wait_for_it(without: Lab) -> None:
    """Nobody is refused; the queue is there."""
    lab = without
    assert lab.cloud.scheduler.pools() == []
    volume = lab.act(lab.api.create_volume, lab.owner, 1)
    lab.run_for(3600)
    assert lab.states(volume)[0] == "creating"
    lab.act(lab.cloud.services.start_scheduler)
    assert lab.states(volume)[0] == "available"


def test_requests_wait_until_all_have_reported(without: Lab) -> None:
    """`_wait_for_scheduler`: a service that is up and silent delays everybody."""
    lab = without
    began_us = lab.kernel.now_us
    lab.simulation.faults = FaultPlan(
        [Fault(point="message.publish_service_capabilities", kind="delay", delay_us=20 * SECOND_US)]
    )
    lab.begin(lab.cloud.services.start_scheduler)
    volume = lab.act(lab.api.create_volume, lab.owner, 1)
    created = next(event for event in lab.simulation.history if event.step == "volume created")
    assert lab.states(volume)[0] == "available"
    assert 20 * SECOND_US <= created.time_us - began_us < 22 * SECOND_US


def test_it_waits_a_minute_for_who_never_reports(without: Lab) -> None:
    """Then it goes on with what it knows, which may be nothing (`scheduler_driver_init_wait_time`)."""
    lab = without
    for name in ("lvm-a", "lvm-b", "rbd-a"):
        lab.manager(name).initialized = False
    began_us = lab.kernel.now_us
    lab.act(lab.cloud.services.start_scheduler)
    assert lab.kernel.now_us - began_us >= 60 * SECOND_US
    volume = lab.act(lab.api.create_volume, lab.owner, 1)
    assert lab.states(volume)[0] == "error"


def test_a_volume_that_it_was_placing_is_in_error(lab: Lab) -> None:
    """The worker row says whose work it was (`SchedulerManager._do_cleanup`)."""
    lab.simulation.faults = FaultPlan([Fault(point="message.create_volume", kind="crash", actor="scheduler")])
    volume = lab.act(lab.api.create_volume, lab.owner, 1)
    assert (lab.states(volume)[0], lab.database.workers[volume.id].service) == ("creating", TOPIC)
    lab.act(lab.cloud.services.start_scheduler)
    assert lab.states(volume)[0] == "error"
    assert not lab.database.workers


def test_a_migration_that_it_was_placing_starts_for_ever(lab: Lab) -> None:
    """Nothing of a migration is cleaned up."""
    volume = lab.volume()
    lab.simulation.faults = FaultPlan(
        [Fault(point="message.migrate_volume", kind="restart", actor="scheduler")]
    )
    lab.migrate(volume, "lvm-b")
    lab.run_for(3600)
    assert lab.states(volume)[2] == "starting"
    assert lab.cloud.scheduler.is_running
