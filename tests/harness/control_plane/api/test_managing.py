"""Objects that Cinder did not make, volumes that change hands, and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import errors
from harness.model import Encryption, Group, Service, Volume

if TYPE_CHECKING:
    from tests.harness.control_plane.conftest import Lab

TO = "other-project"
LVM_AND_RBD = pytest.mark.parametrize("backend", ["lvm-a", "rbd-a"])


def _foreign(lab: Lab, backend: str, name: str) -> None:
    """An object of a GiB and a half that somebody else made."""
    plan = lab.deployment.backend(backend)
    size = (1 << 30) + (1 << 29)
    if plan.kind == "lvm":
        group = lab.cloud.world.node(plan.node).volume_groups[plan.configuration.volume_group]
        group.create(name, size)
    else:
        lab.cloud.world.cluster("ceph").pool(plan.configuration.rbd_pool).create(name, size)


def _usage(lab: Lab, project: str = "project") -> dict[str, int]:
    return {name: usage.in_use for name, usage in lab.cloud.quotas.usages(project).items() if "__" not in name}


# ---------------------------------------------------------------------------------------- manage, unmanage


@LVM_AND_RBD
def test_a_foreign_object_is_listed_taken_over_and_let_go(lab: Lab, backend: str) -> None:
    """Its size is rounded up; after it was let go it is there under Cinder's name, and can be taken again."""
    _foreign(lab, backend, "legacy")
    ref = {"source-name": "legacy"}

    def listed() -> dict[str, dict[str, Any]]:
        found = lab.act(lab.api.get_manageable_volumes, lab.admin, lab.address(backend))
        return {each["reference"]["source-name"]: each for each in found}

    assert (listed()["legacy"]["size"], listed()["legacy"]["safe_to_manage"]) == (2, True)
    volume = lab.act(lab.api.manage_volume, lab.admin, lab.address(backend), ref, name="old friend")
    now = lab.now(volume)
    assert (now.status, now.size, now.display_name) == ("available", 2, "old friend")
    assert _usage(lab, "admin-project") == {"volumes": 1, "gigabytes": 2}
    assert listed()[now.name]["reason_not_safe"] == "already managed"
    lab.act(lab.api.unmanage_volume, lab.admin, volume.id)
    assert volume.id not in lab.database.volumes
    assert _usage(lab, "admin-project") == {"volumes": 0, "gigabytes": 0}
    assert listed()[now.name]["safe_to_manage"]
    again = lab.act(lab.api.manage_volume, lab.admin, lab.address(backend), {"source-name": now.name})
    assert lab.states(again)[0] == "available"


@LVM_AND_RBD
def test_what_is_not_there_leaves_a_record_in_error_managing(lab: Lab, backend: str) -> None:
    """It can be deleted, and the quota is as before."""
    ref = {"source-name": "nothing"}
    volume = lab.act(lab.api.manage_volume, lab.admin, lab.address(backend), ref)
    assert lab.states(volume)[0] == "error_managing"
    assert lab.cloud.quotas.open_reservations() == []
    lab.act(lab.api.delete_volume, lab.admin, volume.id)
    assert not lab.database.volumes


def test_manage_refuses_what_is_managed_and_services_that_are_not_there(lab: Lab) -> None:
    """400, 404 and 503."""
    volume = lab.volume()
    manage, host = lab.api.manage_volume, lab.address("lvm-a")
    with pytest.raises(errors.InvalidVolume):
        manage(lab.admin, host, {"source-name": volume.name})
    with pytest.raises(errors.NotFoundError):
        manage(lab.admin, "nowhere@lvm", {"source-name": "legacy"})
    lab.database.update(Service, lab.deployment.backend("lvm-a").service, {"disabled": True})
    with pytest.raises(errors.ServiceUnavailable):
        manage(lab.admin, host, {"source-name": "legacy"})
    with pytest.raises(errors.PolicyNotAuthorized):
        manage(lab.owner, host, {"source-name": "legacy"})


def test_encrypted_volumes_are_not_let_go(lab: Lab) -> None:
    """Nobody would have the key."""
    lab.cloud.create_type("secret", encryption=Encryption("luks2"))
    volume = lab.volume(volume_type="secret")
    with pytest.raises(errors.Invalid, match="Unmanaging encrypted volumes"):
        lab.api.unmanage_volume(lab.admin, volume.id)


def test_a_snapshot_is_let_go_and_taken_over_again(lab: Lab) -> None:
    """Of an RBD image; it is protected while it is Cinder's."""
    volume = lab.volume("rbd-a")
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    name = snapshot.name
    lab.act(lab.api.unmanage_snapshot, lab.admin, snapshot.id)
    assert not lab.database.snapshots
    [found] = lab.act(lab.api.get_manageable_snapshots, lab.admin, lab.address("rbd-a"))
    assert (found["reference"], found["safe_to_manage"]) == ({"source-name": name}, True)
    ref = {"source-name": name}
    again = lab.act(lab.api.manage_snapshot, lab.admin, volume.id, ref)
    assert lab.database.get_snapshot(again.id).status == "available"
    lab.act(lab.api.delete_snapshot, lab.admin, again.id)
    lab.act(lab.api.delete_volume, lab.owner, volume.id)
    assert lab.objects("rbd-a") == set()


# ------------------------------------------------------------------------------------------------ transfers


def test_a_volume_goes_to_another_project_with_snapshots_and_quota(lab: Lab) -> None:
    """Who has the key gets it all, once."""
    volume = lab.volume(size=2)
    lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    offer = lab.cloud.transfers.create(lab.owner, volume.id, "present")
    assert lab.states(volume)[0] == "awaiting-transfer"
    with pytest.raises(errors.InvalidAuthKey):
        lab.cloud.transfers.accept(lab.stranger, offer.transfer.id, "wrong")
    lab.act(lab.cloud.transfers.accept, lab.stranger, offer.transfer.id, offer.auth_key)
    assert (lab.now(volume).project_id, lab.now(volume).status) == (TO, "available")
    assert {row["project_id"] for row in lab.database.snapshots.values()} == {TO}
    assert _usage(lab) == {"volumes": 0, "gigabytes": 0, "snapshots": 0}
    assert _usage(lab, TO) == {"volumes": 1, "gigabytes": 4, "snapshots": 1}
    assert lab.cloud.quotas.open_reservations() == []
    with pytest.raises(errors.TransferNotFound):
        lab.cloud.transfers.accept(lab.stranger, offer.transfer.id, offer.auth_key)


def test_a_transfer_beyond_the_quota_changes_nothing(lab: Lab) -> None:
    """413, and the offer stands."""
    volume = lab.volume(size=2)
    offer = lab.cloud.transfers.create(lab.owner, volume.id)
    lab.cloud.quotas.set_limit(TO, "gigabytes", 1)
    with pytest.raises(errors.VolumeSizeExceedsAvailableQuota):
        lab.act(lab.cloud.transfers.accept, lab.stranger, offer.transfer.id, offer.auth_key)
    assert lab.cloud.quotas.open_reservations() == []
    assert lab.states(volume)[0] == "awaiting-transfer"
    lab.cloud.transfers.delete(lab.owner, offer.transfer.id)
    assert (lab.states(volume)[0], lab.database.transfers) == ("available", {})


def test_encrypted_volumes_go_with_their_snapshots_only(lab: Lab) -> None:
    """And only since microversion 3.70."""
    lab.cloud.create_type("secret", encryption=Encryption("luks2"))
    volume = lab.volume(volume_type="secret")
    with pytest.raises(errors.InvalidVolume):
        lab.cloud.transfers.create(lab.owner, volume.id, no_snapshots=True)
    with pytest.raises(errors.InvalidVolume):
        lab.cloud.transfers.create(lab.owner, volume.id, allow_encrypted=False)
    assert lab.states(volume)[0] == "available"


# --------------------------------------------------------------------------------------------------- groups


@pytest.fixture
def group(lab: Lab) -> Group:
    """A group for volumes of a type that only lvm-a has."""
    lab.cloud.create_type("local", extra_specs={"volume_backend_name": "lvm-a"})
    lab.cloud.groups.create_type(lab.admin, "generic")
    made: Group = lab.act(lab.cloud.groups.create, lab.owner, "generic", ["local"], name="set")
    return lab.database.get_group(made.id)


def test_a_group_is_placed_where_its_types_are(lab: Lab, group: Group) -> None:
    """And counts in the quota; without such a pool it is in error."""
    assert (group.status, group.host) == ("available", lab.address("lvm-a"))
    assert lab.cloud.quotas.usage("project", "groups").in_use == 1
    lab.cloud.create_type("nowhere", extra_specs={"volume_backend_name": "none"})
    bad = lab.act(lab.cloud.groups.create, lab.owner, "generic", ["local", "nowhere"])
    assert lab.database.get_group(bad.id).status == "error"
    lab.act(lab.cloud.groups.delete, lab.owner, bad.id)
    assert lab.cloud.quotas.usage("project", "groups").in_use == 1


def test_members_come_and_go(lab: Lab, group: Group) -> None:
    """A member can be neither migrated nor deleted."""
    volume = lab.volume(volume_type="local")
    lab.act(lab.cloud.groups.update, lab.owner, group.id, add_volumes=[volume.id])
    assert (lab.now(volume).group_id, lab.database.get_group(group.id).status) == (group.id, "available")
    with pytest.raises(errors.InvalidVolume):
        lab.api.delete_volume(lab.owner, volume.id)
    with pytest.raises(errors.InvalidVolume):
        lab.api.migrate_volume(lab.admin, volume.id, lab.address("rbd-a"))
    lab.act(lab.cloud.groups.update, lab.owner, group.id, remove_volumes=[volume.id])
    assert lab.now(volume).group_id is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"host": "node1@rbd-a#rbd-a"}, "not local"), ({"group_id": "g"}, "already in group g"),
     ({"project_id": "p"}, "different projects"), ({"status": "error"}, "invalid state: error"),
     ({"volume_type_id": None}, "no volume type")],
)  # fmt: skip
def test_a_group_takes_only_what_fits(lab: Lab, group: Group, values: dict[str, Any], reason: str) -> None:
    """InvalidVolume, 400, and the group stays available."""
    volume = lab.volume(volume_type="local")
    lab.write(volume, **values)
    with pytest.raises(errors.InvalidVolume, match=reason):
        lab.cloud.groups.update(lab.owner, group.id, add_volumes=[volume.id])
    assert lab.database.get_group(group.id).status == "available"


def test_a_group_goes_with_its_volumes_if_that_is_asked_for(lab: Lab, group: Group) -> None:
    """Records, objects and quota."""
    volume = lab.volume(volume_type="local")
    lab.act(lab.cloud.groups.update, lab.owner, group.id, add_volumes=[volume.id])
    with pytest.raises(errors.InvalidGroup):
        lab.cloud.groups.delete(lab.owner, group.id)
    lab.act(lab.cloud.groups.delete, lab.owner, group.id, delete_volumes=True)
    assert (lab.database.groups, lab.database.volumes, lab.objects("lvm-a")) == ({}, {}, set())
    assert lab.cloud.quotas.usage("project", "groups").in_use == 0
    assert lab.cloud.quotas.usage("project", "volumes").in_use == 0
    lab.cloud.groups.delete_type(lab.admin, "generic")
    assert [row["name"] for row in lab.database.group_types.values()] == ["default_cgsnapshot_type"]


def test_a_group_whose_volume_cannot_be_deleted_is_in_error(lab: Lab, group: Group) -> None:
    """Group and volume say so."""
    volume = lab.volume(volume_type="local")
    lab.act(lab.cloud.groups.update, lab.owner, group.id, add_volumes=[volume.id])
    lab.fail("driver.delete_volume")
    lab.act(lab.cloud.groups.delete, lab.owner, group.id, delete_volumes=True)
    assert lab.database.get_group(group.id).status == "error"
    assert lab.database.get_volume(volume.id).status == "error"
    assert isinstance(lab.now(volume), Volume)
