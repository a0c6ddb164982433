"""The start of a volume service: driver, retries, exports, and what the process before it had begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import errors
from harness.control_plane.start import CleanupRequest
from harness.model import Snapshot
from harness.sim.faults import Fault, FaultPlan
from tests.harness.control_plane.conftest import SECOND_US, Lab


def crash_in(lab: Lab, point: str, function: Callable[..., Any], *arguments: Any) -> None:
    """The service dies at the point that the request leads it to."""
    lab.simulation.faults = FaultPlan([Fault(point=point, kind="crash", actor="c-vol@*")])
    lab.act(function, *arguments)


def restart(lab: Lab, backend: str = "lvm-a") -> None:
    """Start the dead service, and let everything come to rest."""
    lab.cloud.start_again(backend)
    lab.kernel.run()


@pytest.mark.parametrize(
    ("failures", "seconds", "initialised"), [(0, 0, True), (1, 1, True), (3, 7, True), (4, 7, False)]
)
def test_a_driver_gets_four_chances(lab: Lab, failures: int, seconds: int, *, initialised: bool) -> None:
    """After 1, 2 and 4 seconds (`reinit_driver_count`); then the service runs without it."""
    lab.cloud.stop("lvm-a")
    lab.simulation.faults = FaultPlan(
        [Fault(point="driver.check_for_setup_error", kind="eio") for _ in range(failures)]
    )
    begun_us = lab.kernel.now_us
    lab.cloud.start_again("lvm-a")
    assert (lab.kernel.now_us - begun_us, lab.manager("lvm-a").initialized) == (
        seconds * SECOND_US,
        initialised,
    )
    if not initialised:
        assert lab.volume("lvm-a").status == "error"


def test_a_service_without_its_driver_seems_to_be_down(lab: Lab) -> None:
    """It runs and answers, but does not report (`cinder.service:Service.report_state`)."""
    lab.manager("lvm-a").initialized = False
    address = lab.manager("lvm-a").host
    lab.kernel.sleep(60 * SECOND_US)
    assert lab.cloud.is_up(address)
    lab.kernel.sleep(1)
    assert not lab.cloud.is_up(address)
    lab.manager("lvm-a").initialized = True
    assert not lab.cloud.is_up(address), "until the next report"
    lab.kernel.sleep(10 * SECOND_US)
    assert lab.cloud.is_up(address)


def test_a_process_that_died_is_up_for_a_minute(lab: Lab) -> None:
    """From its last report on, which may be ten seconds old."""
    address = lab.manager("lvm-a").host
    begun_us = lab.cloud.services.heard_us(address)
    lab.kernel.sleep(begun_us + 19 * SECOND_US - lab.kernel.now_us)
    lab.cloud.stop("lvm-a")
    assert lab.cloud.services.heard_us(address) == begun_us + 10 * SECOND_US
    lab.kernel.sleep(51 * SECOND_US)
    assert lab.cloud.is_up(address)
    lab.kernel.sleep(1)
    assert not lab.cloud.is_up(address)


def test_what_was_being_created_is_in_error(lab: Lab) -> None:
    """Volumes and snapshots alike; the objects stay where they are."""
    volume = lab.volume()
    crash_in(lab, "driver.create_volume", lab.api.create_volume, lab.owner, 1)
    dead = next(row for row in lab.database.volumes.values() if row["status"] == "creating")
    backend = dead["host"].partition("@")[2].partition("#")[0]
    restart(lab, backend)
    assert lab.database.volumes[dead["id"]]["status"] == "error"
    crash_in(lab, "driver.create_snapshot", lab.api.create_snapshot, lab.owner, volume.id)
    restart(lab)
    assert [row["status"] for row in lab.database.snapshots.values()] == ["error"]
    assert lab.database.workers == {}


def test_what_was_being_deleted_is_deleted(lab: Lab) -> None:
    """Before the service reads its first message."""
    volume = lab.volume()
    crash_in(lab, "driver.delete_volume", lab.api.delete_volume, lab.owner, volume.id)
    assert lab.states(volume)[0] == "deleting"
    restart(lab)
    with pytest.raises(errors.VolumeNotFound):
        lab.now(volume)
    assert lab.objects("lvm-a") == set()
    assert lab.cloud.quotas.usage("project", "volumes") == (0, 0)
    assert lab.database.workers == {}


def test_a_deletion_that_cannot_go_on_is_tried_at_every_start(lab: Lab) -> None:
    """The worker stays as long as the status does (`CinderCleanableObject.set_workers`)."""
    volume = lab.volume()
    lab.write(volume, status="deleting", attach_status="attached")
    deleting = lab.now(volume)
    lab.begin(lab.manager("lvm-a").delete_volume, deleting)
    lab.kernel.run()
    assert list(lab.database.workers) == [volume.id]
    lab.cloud.stop("lvm-a")
    restart(lab)
    assert "clean-up failed" in lab.steps()
    assert list(lab.database.workers) == [volume.id]
    lab.write(volume, attach_status="detached")
    lab.cloud.stop("lvm-a")
    restart(lab)
    assert volume.id not in lab.database.volumes
    assert lab.database.workers == {}


@pytest.mark.parametrize(
    "status", ["attaching", "detaching", "extending", "reserved", "retyping", "maintenance"]
)
def test_other_statuses_are_nobodys_work(lab: Lab, status: str) -> None:
    """A restart leaves them as they are (`Volume._is_cleanable`)."""
    volume = lab.volume()
    lab.write(volume, status=status, migration_status="migrating")
    lab.cloud.stop("lvm-a")
    restart(lab)
    assert lab.states(volume) == (status, "detached", "migrating")


def test_who_has_changed_meanwhile_is_left_alone(lab: Lab) -> None:
    """An admin has put the volume right by hand; the entry goes."""
    volume = lab.volume()
    crash_in(lab, "driver.delete_volume", lab.api.delete_volume, lab.owner, volume.id)
    lab.write(volume, status="error")
    restart(lab)
    assert lab.states(volume)[0] == "error"
    assert lab.database.workers == {}


def test_reset_state_ends_the_work(lab: Lab) -> None:
    """The entry of a volume whose status an admin resets is removed, so nothing is taken up."""
    volume = lab.volume()
    crash_in(lab, "driver.delete_volume", lab.api.delete_volume, lab.owner, volume.id)
    lab.act(lab.api.reset_status, lab.admin, volume.id, status="available")
    restart(lab)
    assert lab.states(volume)[0] == "available"


def test_uploading_ends_as_the_attachments_say(lab: Lab) -> None:
    """available, or in-use (`volume_update_status_based_on_attachment`)."""
    volume, attached = lab.volume(), lab.volume()
    lab.server_with(attached)
    for each in (volume, attached):
        lab.write(each, status="uploading")
        with pytest.raises(RuntimeError, match="the process dies"), lab.manager("lvm-a").worker(lab.now(each)):
            raise RuntimeError("the process dies")
    lab.cloud.stop("lvm-a")
    restart(lab)
    assert [lab.states(each)[0] for each in (volume, attached)] == ["available", "in-use"]


def test_an_upload_that_died_goes_on_for_ever(lab: Lab) -> None:
    """The dead write nothing, and no worker was noted: only `create_volume`, `delete_volume` and
    `create_snapshot` of the manager are decorated with `set_workers`."""
    volume = lab.volume()
    crash_in(lab, "driver.copy_volume_to_image", lab.api.upload_image, lab.owner, volume.id, "image")
    restart(lab)
    assert lab.states(volume)[0] == "uploading"


def test_a_request_may_be_about_one_record(lab: Lab) -> None:
    """By id, by type, and up to a time."""
    first, second = lab.volume(), lab.volume()
    manager = lab.manager("lvm-a")
    for each in (first, second):
        lab.write(each, status="creating")
        with pytest.raises(RuntimeError), manager.worker(lab.now(each)):
            raise RuntimeError
    lab.kernel.sleep(SECOND_US)
    now_us = lab.kernel.now_us
    manager.do_cleanup(CleanupRequest(manager.host, now_us, resource_type=Snapshot.__name__))
    manager.do_cleanup(CleanupRequest(manager.host, now_us - 2 * SECOND_US))
    assert [lab.states(each)[0] for each in (first, second)] == ["creating", "creating"]
    manager.do_cleanup(CleanupRequest(manager.host, now_us, resource_id=second.id))
    assert [lab.states(each)[0] for each in (first, second)] == ["creating", "error"]


def test_a_volume_that_cannot_be_exported_again_is_in_error(lab: Lab) -> None:
    """in-use ones only; the service starts all the same."""
    volume, idle = lab.volume(), lab.volume()
    lab.server_with(volume)
    lab.cloud.stop("lvm-a")
    lab.fail("driver.ensure_export")
    restart(lab)
    assert (lab.states(volume)[0], lab.states(idle)[0]) == ("error", "available")
    assert lab.manager("lvm-a").initialized


def test_counters_are_right_again_after_a_restart(lab: Lab) -> None:
    """The drift of allocated_capacity_gb that a migration leaves is gone (`_count_allocated_capacity`)."""
    volume = lab.volume()
    lab.migrate(volume, "rbd-a")
    assert lab.manager("lvm-a").allocated_capacity_gb == {"lvm-a": 1}, "nobody counts down"
    lab.cloud.stop("lvm-a")
    restart(lab)
    assert lab.manager("lvm-a").allocated_capacity_gb == {"lvm-a": 0}
    assert sum(lab.manager("rbd-a").allocated_capacity_gb.values()) == 1
