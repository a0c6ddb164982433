"""The volume service: what it does when a driver fails, and what a restart takes up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness import errors
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.model import Context, Volume
from harness.sim.faults import Fault, FaultPlan
from harness.sim.simulation import Simulation

OWNER = Context("user", "project", is_admin=False)


class Small:
    """A cloud of one LVM back-end, and somebody who uses it."""

    def __init__(self, deployment: Deployment) -> None:
        self.simulation = Simulation()
        self.cloud = Cloud(deployment, self.simulation, nova=PROFILES["32"], backends=["lvm-a"])
        self.address = deployment.backend("lvm-a").address
        self.manager = self.cloud.manager("lvm-a")

    def fail(self, point: str, kind: Any = "eio") -> None:
        self.simulation.faults = FaultPlan([Fault(point=point, kind=kind)])

    def act(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        task = self.simulation.kernel.spawn("user", function, *arguments, **keywords)
        self.simulation.kernel.run()
        if task.error is not None:
            raise task.error
        return task.result

    def volume(self) -> Volume:
        made: Volume = self.act(self.cloud.api.create_volume, OWNER, 1, host=self.address)
        return self.cloud.database.get_volume(made.id)

    def status(self, volume: Volume) -> str:
        return self.cloud.database.get_volume(volume.id).status


@pytest.fixture
def small() -> Iterator[Small]:
    """A fresh cloud, closed in the end."""
    made = Small(Deployment.default())
    yield made
    made.simulation.close()


def test_a_volume_that_cannot_be_created_is_in_error_and_counted(small: Small) -> None:
    """The counter is moved before the driver is asked, and stays (`VolumeManager.create_volume`)."""
    small.fail("driver.create_volume")
    assert small.volume().status == "error"
    assert small.manager.allocated_capacity_gb == {"lvm-a": 1}


def test_a_deletion_that_fails_keeps_record_quota_and_object(small: Small) -> None:
    """error_deleting; a second attempt may succeed."""
    volume = small.volume()
    small.fail("driver.delete_volume")
    small.act(small.cloud.api.delete_volume, OWNER, volume.id)
    assert small.status(volume) == "error_deleting"
    assert small.cloud.quotas.usage("project", "volumes").in_use == 1
    with pytest.raises(errors.InvalidVolume):
        small.act(small.cloud.api.delete_volume, OWNER, volume.id)


def test_an_extension_that_fails_gives_its_quota_back(small: Small) -> None:
    """error_extending, the old size, nothing reserved."""
    volume = small.volume()
    small.fail("driver.extend_volume")
    small.act(small.cloud.api.extend_volume, OWNER, volume.id, 3)
    assert (small.status(volume), small.cloud.database.get_volume(volume.id).size) == ("error_extending", 1)
    assert small.cloud.quotas.open_reservations() == []
    assert small.cloud.quotas.usage("project", "gigabytes").in_use == 1


def test_a_volume_with_a_snapshot_cannot_be_deleted(small: Small) -> None:
    """The API refuses, and nothing changes."""
    volume = small.volume()
    small.act(small.cloud.api.create_snapshot, OWNER, volume.id)
    with pytest.raises(errors.InvalidVolume):
        small.act(small.cloud.api.delete_volume, OWNER, volume.id)
    assert small.status(volume) == "available"


def test_a_snapshot_that_fails_is_in_error_and_can_be_deleted(small: Small) -> None:
    """An absent object is a successful deletion."""
    volume = small.volume()
    small.fail("driver.create_snapshot")
    snapshot = small.act(small.cloud.api.create_snapshot, OWNER, volume.id)
    assert small.cloud.database.get_snapshot(snapshot.id).status == "error"
    small.act(small.cloud.api.delete_snapshot, OWNER, snapshot.id)
    with pytest.raises(errors.SnapshotNotFound):
        small.cloud.database.get_snapshot(snapshot.id)


def test_a_restart_puts_an_unfinished_creation_in_error(small: Small) -> None:
    """The process dies inside the driver; the next one finds the trace (`VolumeManager._do_cleanup`)."""
    small.fail("driver.create_volume", "crash")
    volume = small.volume()
    assert small.status(volume) == "creating"
    small.cloud.start_again("lvm-a")
    assert small.status(volume) == "error"


def test_a_restart_goes_on_with_a_deletion(small: Small) -> None:
    """deleting -> gone."""
    volume = small.volume()
    small.fail("driver.delete_volume", "crash")
    small.act(small.cloud.api.delete_volume, OWNER, volume.id)
    assert small.status(volume) == "deleting"
    small.cloud.start_again("lvm-a")
    small.simulation.kernel.run()
    with pytest.raises(errors.VolumeNotFound):
        small.cloud.database.get_volume(volume.id)


def test_messages_wait_for_a_service_that_is_away(small: Small) -> None:
    """A cast is handled when the service is back; a call gives up after a minute."""
    volume = small.volume()
    small.cloud.stop("lvm-a")
    small.act(small.cloud.api.delete_volume, OWNER, volume.id)
    assert small.status(volume) == "deleting"
    with pytest.raises(errors.MessagingTimeout):
        small.act(small.cloud.messaging.call, small.manager.host, "get_capabilities", False)
    small.cloud.start_again("lvm-a")
    small.simulation.kernel.run()
    assert volume.id not in small.cloud.database.volumes


def test_a_service_is_down_a_minute_after_its_last_word(small: Small) -> None:
    """`service_down_time`."""
    small.cloud.stop("lvm-a", seconds_ago=60)
    assert small.cloud.is_up(small.manager.host)
    small.simulation.kernel.sleep(1)
    assert not small.cloud.is_up(small.manager.host)


def test_a_driver_that_does_not_set_up_refuses_everything() -> None:
    """The service runs, and every operation ends in an error of the record."""
    deployment = Deployment.default()
    cloud = Cloud(deployment, Simulation(), nova=PROFILES["32"], backends=["lvm-a"], uninitialised=["lvm-a"])
    volume = cloud.api.create_volume(OWNER, 1, host=deployment.backend("lvm-a").address)
    cloud.simulation.kernel.run()
    assert cloud.database.get_volume(volume.id).status == "error"
    cloud.simulation.close()


@pytest.mark.parametrize(("failures", "status"), [(5, None), (6, "error_deleting")])
def test_lvremove_is_tried_six_times(small: Small, failures: int, status: str | None) -> None:
    """Twice in each of three tries (`cinder.brick.local_dev.lvm:LVM.delete`)."""
    volume = small.volume()
    small.simulation.faults = FaultPlan(
        [Fault(point="lvm.lvremove", kind="eio", nth=visit) for visit in range(1, failures + 1)]
    )
    small.act(small.cloud.api.delete_volume, OWNER, volume.id)
    row = small.cloud.database.volumes.get(volume.id)
    assert (row and row["status"]) == status


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_quota_that_cannot_be_updated_stops_no_deletion(small: Small, snapshot: bool) -> None:
    """It is only logged; what was deleted stays charged (`VolumeManager.delete_volume`, `delete_snapshot`)."""
    volume, api, database = small.volume(), small.cloud.api, small.cloud.database
    taken = small.act(api.create_snapshot, OWNER, volume.id).id if snapshot else ""
    before = small.cloud.quotas.usage("project", "gigabytes")
    small.fail("quota.reserve")
    if snapshot:
        small.act(api.delete_snapshot, OWNER, taken)
    else:
        small.act(api.delete_volume, OWNER, volume.id)
    assert [fault.point for fault in small.simulation.faults.struck] == ["quota.reserve"]
    assert (taken in database.snapshots, volume.id in database.volumes) == (False, snapshot)
    assert small.cloud.quotas.usage("project", "gigabytes") == before
