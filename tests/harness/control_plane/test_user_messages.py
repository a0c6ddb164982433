"""What a project may know of a request that failed."""

from __future__ import annotations

import pytest

from harness import errors
from harness.control_plane.user_messages import Action, Detail
from tests.harness.control_plane.conftest import SECOND_US, Lab

DAY_US = 86_400 * SECOND_US


def messages(lab: Lab) -> list[tuple[Action, Detail]]:
    return [(each.action, each.detail) for each in lab.cloud.user_messages.all(lab.owner)]


def test_a_driver_that_fails_to_create(lab: Lab) -> None:
    """Its own words are not for the user."""
    lab.fail("driver.create_volume")
    volume = lab.volume()
    message = lab.cloud.user_messages.all(lab.owner)[0]
    assert (message.resource_type, message.resource_uuid, message.level) == ("VOLUME", volume.id, "ERROR")
    assert message.event_id == "VOLUME_VOLUME_008_012"
    assert message.user_message == "create volume from backend storage:Driver failed to create the volume."


def test_extending(lab: Lab) -> None:
    """A driver that fails; a driver that is not there says nothing."""
    volume = lab.volume()
    lab.fail("driver.extend_volume")
    lab.act(lab.api.extend_volume, lab.owner, volume.id, 2)
    assert messages(lab) == [(Action.EXTEND_VOLUME, Detail.DRIVER_FAILED_EXTEND)]
    other = lab.volume()
    lab.manager("lvm-a").initialized = False
    lab.act(lab.api.extend_volume, lab.owner, other.id, 2)
    assert len(messages(lab)) == 1


def test_nova_hears_of_an_extension_of_what_is_attached(lab: Lab) -> None:
    """The project hears of it if Nova knows no such server (`cinder.compute.nova:API.extend_volume`)."""
    volume = lab.volume()
    lab.server_with(volume)
    lab.act(lab.api.extend_volume, lab.owner, volume.id, 2)
    assert (lab.states(volume)[0], lab.steps().count("nova.extend_volume")) == ("in-use", 1)
    assert messages(lab) == []
    lab.cloud.nova.servers.clear()
    lab.act(lab.api.extend_volume, lab.owner, volume.id, 3)
    assert (lab.now(volume).size, lab.states(volume)[0]) == (3, "in-use")
    assert messages(lab) == [(Action.EXTEND_VOLUME, Detail.NOTIFY_COMPUTE_SERVICE_FAILED)]


def test_snapshots(lab: Lab) -> None:
    """What the exception says by itself goes before what the service says."""
    volume = lab.volume()
    lab.fail("driver.create_snapshot")
    lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    lab.manager("lvm-a").initialized = False
    lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    assert messages(lab) == [
        (Action.SNAPSHOT_CREATE, Detail.SNAPSHOT_CREATE_ERROR),
        (Action.SNAPSHOT_CREATE, Detail.DRIVER_NOT_INITIALIZED),
    ]
    assert {each.resource_type for each in lab.cloud.user_messages.all(lab.owner)} == {"VOLUME_SNAPSHOT"}


def test_a_failed_migration_leaves_no_message(lab: Lab) -> None:
    """But a temporary volume that cannot be made leaves one, about a volume that is gone."""
    volume = lab.volume()
    lab.fail("copy.*", nth=2)
    lab.migrate(volume, "rbd-a")
    assert (lab.states(volume)[2], messages(lab)) == ("error", [])
    lab.fail("driver.create_volume")
    lab.migrate(volume, "rbd-a")
    assert messages(lab) == [(Action.CREATE_VOLUME_FROM_BACKEND, Detail.DRIVER_FAILED_CREATE)]
    assert lab.cloud.user_messages.all(lab.owner)[0].resource_uuid not in lab.database.volumes


def test_messages_are_the_projects_own(lab: Lab) -> None:
    """Others see none; an admin sees all, and may delete them."""
    lab.fail("driver.create_volume")
    lab.volume()
    users = lab.cloud.user_messages
    message = users.all(lab.owner)[0]
    assert (users.all(lab.stranger), users.all(lab.admin)) == ([], [message])
    with pytest.raises(errors.MessageNotFound):
        users.get(lab.stranger, message.id)
    assert users.get(lab.owner, message.id) == message
    users.delete(lab.admin, message.id)
    with pytest.raises(errors.MessageNotFound):
        users.delete(lab.owner, message.id)


def test_messages_expire(lab: Lab) -> None:
    """After `message_ttl`, when the scheduler next looks (`message_reap_interval`)."""
    lab.kernel.sleep(10 * SECOND_US)
    lab.fail("driver.create_volume")
    lab.volume()
    lab.kernel.sleep(30 * DAY_US)
    lab.cloud.services.catch_up()
    assert len(messages(lab)) == 1, "expired, and not yet swept"
    lab.kernel.sleep(DAY_US)
    lab.cloud.services.catch_up()
    assert messages(lab) == []
