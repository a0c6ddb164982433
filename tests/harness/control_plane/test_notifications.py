"""What services tell whoever listens."""

from __future__ import annotations

from typing import Any

import pytest

from harness import errors
from harness.control_plane.notifications import Notification
from tests.harness.control_plane.conftest import SECOND_US, Lab


def sent(lab: Lab) -> list[Notification]:
    """What was sent so far, but for the capacity of pools."""
    return [each for each in lab.cloud.notifications.sent if not each.event_type.startswith("capacity.")]


def told(lab: Lab) -> list[str]:
    """The types of events so far."""
    return [each.event_type for each in sent(lab)]


def last(lab: Lab) -> Any:
    return sent(lab)[-1]


def test_the_life_of_a_volume(lab: Lab) -> None:
    """start and end of creation, extension and deletion, from the service that does it."""
    volume = lab.volume()
    lab.act(lab.api.extend_volume, lab.owner, volume.id, 3)
    lab.act(lab.api.delete_volume, lab.owner, volume.id)
    assert told(lab) == [
        f"volume.{what}.{when}" for what in ("create", "resize", "delete") for when in ("start", "end")
    ]
    publishers = {each.publisher for each in sent(lab)}
    assert publishers == {"volume.node1@lvm-a#lvm-a", "volume.node1@lvm-a"}, "creation names the pool"
    assert {each.priority for each in sent(lab)} == {"INFO"}


def test_the_payload_is_the_usage(lab: Lab) -> None:
    """`cinder.volume.volume_utils:_usage_from_volume`."""
    volume = lab.volume(size=2, name="data")
    payload = last(lab).payload
    assert payload["volume_id"] == volume.id
    assert {key: payload[key] for key in ("tenant_id", "size", "status", "display_name", "host")} == {
        "tenant_id": "project", "size": 2, "status": "available", "display_name": "data",
        "host": "node1@lvm-a#lvm-a",
    }  # fmt: skip
    assert payload["created_at"].startswith("1970-01-01T00:00:0")
    lab.act(lab.api.extend_volume, lab.owner, volume.id, 3)
    assert last(lab).payload["size"] == 3


def test_attaching_and_detaching(lab: Lab) -> None:
    """The attachment API has no attach.end, and detach.end comes from the API."""
    volume = lab.volume()
    server = lab.server_with(volume)
    before = len(told(lab))
    assert told(lab)[-1] == "volume.attach.start"
    lab.act(lab.cloud.nova.detach_volume, server, volume.id)
    assert told(lab)[before:] == ["volume.detach.start", "volume.detach.end"]
    assert last(lab).publisher == "volume.node1"
    assert (last(lab).payload["status"], last(lab).payload["volume_attachment"]) == ("available", [])


def test_a_migration_is_not_told_of(lab: Lab) -> None:
    """Temporary volumes have no quota, and nobody hears of them."""
    volume = lab.volume()
    before = told(lab)
    lab.migrate(volume, "rbd-a")
    assert lab.states(volume)[2] == "success"
    assert told(lab) == before


def test_a_migration_that_the_scheduler_refuses_is(lab: Lab) -> None:
    """An error of the scheduler's, with the reason."""
    volume = lab.volume()
    lab.database.services[lab.manager("rbd-a").host]["frozen"] = True
    lab.migrate(volume, "rbd-a")
    assert (last(lab).publisher, last(lab).priority) == ("scheduler", "ERROR")
    assert last(lab).event_type == "scheduler.migrate_volume_to_host"
    assert last(lab).payload["state"] == {"migration_status": "error"}
    assert "Cannot place volume" in last(lab).payload["reason"]


def test_a_retype_ends_with_the_new_type(lab: Lab) -> None:
    """One event, when it is over."""
    old = lab.cloud.create_type("old", extra_specs={"volume_backend_name": "lvm-a"})
    new = lab.cloud.create_type("new", extra_specs={"volume_backend_name": "lvm-a", "tier": "x"})
    new.extra_specs = {"volume_backend_name": "lvm-a", "vendor:tier": "x"}
    new.save()
    volume = lab.volume(volume_type=old.name)
    lab.act(lab.api.retype, lab.owner, volume.id, new.name)
    assert (last(lab).event_type, last(lab).payload["volume_type"]) == ("volume.retype", new.id)


def test_a_creation_without_a_back_end(lab: Lab) -> None:
    """scheduler.create_volume, and a message for the user."""
    lab.cloud.create_type("nowhere", extra_specs={"volume_backend_name": "nowhere"})
    lab.act(lab.api.create_volume, lab.owner, 1, volume_type="nowhere")
    assert (last(lab).event_type, last(lab).payload["state"]) == ("scheduler.create_volume", "error")
    assert [each.user_message for each in lab.cloud.user_messages.all(lab.owner)] == [
        "schedule allocate volume:Could not find any available weighted backend."
    ]


def test_a_volume_that_never_got_a_host_is_deleted_by_the_api(lab: Lab) -> None:
    """Both events, in the name of the API's host."""
    lab.cloud.create_type("nowhere", extra_specs={"volume_backend_name": "nowhere"})
    volume = lab.act(lab.api.create_volume, lab.owner, 1, volume_type="nowhere")
    lab.act(lab.api.delete_volume, lab.owner, volume.id)
    assert told(lab)[-2:] == ["volume.delete.start", "volume.delete.end"]
    assert last(lab).publisher == "volume.node1"


def test_snapshots(lab: Lab) -> None:
    """start and end; what fails has no end."""
    volume = lab.volume()
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    lab.fail("driver.delete_snapshot")
    lab.act(lab.api.delete_snapshot, lab.owner, snapshot.id)
    assert told(lab)[-3:] == ["snapshot.create.start", "snapshot.create.end", "snapshot.delete.start"]
    assert last(lab).payload["snapshot_id"] == snapshot.id
    with pytest.raises(errors.InvalidSnapshot):
        lab.act(lab.api.delete_snapshot, lab.owner, snapshot.id)


def capacities(lab: Lab) -> list[tuple[str, str, float]]:
    """(event, name, provisioned GiB) of what was told of capacity so far; then it is forgotten."""
    found = [
        (each.event_type, each.payload["name_to_id"], each.payload["provisioned"])
        for each in lab.cloud.notifications.sent
        if each.event_type.startswith("capacity.")
    ]
    lab.cloud.notifications.sent.clear()
    return found


def test_the_capacity_of_a_pool_is_told_when_it_has_changed(lab: Lab) -> None:
    """By the scheduler, of back-ends that report a list of pools: LVM, not RBD."""
    pool, backend = "node1@lvm-a#lvm-a", "node1@lvm-a"
    assert [each for each in capacities(lab) if "lvm-a" in each[1]] == [
        ("capacity.pool", pool, 0.0), ("capacity.backend", backend, 0.0)
    ]  # fmt: skip
    volume = lab.volume(size=3)
    lab.act(lab.kernel.sleep, 61 * SECOND_US)
    lab.cloud.services.catch_up()
    assert capacities(lab) == [("capacity.pool", pool, 3.0), ("capacity.backend", backend, 3.0)]
    lab.act(lab.kernel.sleep, 61 * SECOND_US)
    lab.cloud.services.catch_up()
    assert capacities(lab) == [], "nothing has changed"
    lab.act(lab.api.delete_volume, lab.owner, volume.id)
    assert capacities(lab)[-1] == ("capacity.backend", backend, 0.0)
