"""Snapshots of groups, groups made of them or of other groups, and groups that replicate."""

from __future__ import annotations

from typing import Any

import pytest

from harness import errors
from harness.model import Group, GroupSnapshot, Volume
from harness.sim.faults import FaultPlan
from tests.harness.control_plane.conftest import Lab

CONSISTENT = {"consistent_group_snapshot_enabled": "<is> True"}
REPLICATED = "<is> True"


@pytest.fixture
def group(lab: Lab) -> Group:
    """A group on lvm-a with two volumes of 1 and 2 GiB."""
    lab.cloud.create_type("local", extra_specs={"volume_backend_name": "lvm-a"})
    lab.cloud.groups.create_type(lab.admin, "consistent", group_specs=CONSISTENT)
    made: Group = lab.act(lab.cloud.groups.create, lab.owner, "consistent", ["local"])
    for size in (1, 2):
        lab.act(lab.api.create_volume, lab.owner, size, volume_type="local", group_id=made.id)
    return lab.database.get_group(made.id)


def snapshot(lab: Lab, group: Group) -> GroupSnapshot:
    made: GroupSnapshot = lab.act(lab.cloud.groups.create_group_snapshot, lab.owner, group.id, name="s")
    return lab.database.get_group_snapshot(made.id)


def members(lab: Lab, group: Group) -> list[Volume]:
    return lab.database.volumes_of_group(group.id)


def in_use(lab: Lab) -> dict[str, int]:
    names = ("volumes", "snapshots", "gigabytes", "groups")
    return {name: lab.cloud.quotas.usage("project", name).in_use for name in names}


def test_members_are_made_where_their_group_is(lab: Lab, group: Group) -> None:
    """Whichever back-end has more room (`VolumeCastTask`)."""
    lab.act(lab.api.create_volume, lab.owner, 50, volume_type="local")
    assert [volume.host for volume in members(lab, group)] == [group.host, group.host]
    lab.database.update(Group, group.id, {"status": "updating"})
    with pytest.raises(errors.InvalidGroup, match="'available, creating' values"):
        lab.api.create_volume(lab.owner, 1, volume_type="local", group_id=group.id)


def test_a_snapshot_of_a_group_is_one_of_each_volume(lab: Lab, group: Group) -> None:
    """With its share of the quota, which comes back."""
    before = in_use(lab)
    made = snapshot(lab, group)
    snapshots = lab.database.snapshots_of_group_snapshot(made.id)
    assert (made.status, made.group_type_id) == ("available", group.group_type_id)
    assert [(each.status, each.progress, each.display_name) for each in snapshots] == [
        ("available", "100%", "s")
    ] * 2
    assert in_use(lab) == {**before, "snapshots": 2, "gigabytes": 6}
    with pytest.raises(errors.InvalidSnapshot, match="part of a group"):
        lab.api.delete_snapshot(lab.owner, snapshots[0].id)
    with pytest.raises(errors.InvalidGroup, match="existing snapshots"):
        lab.cloud.groups.delete(lab.owner, group.id, delete_volumes=True)
    lab.act(lab.cloud.groups.delete_group_snapshot, lab.owner, made.id)
    assert (lab.database.group_snapshots, lab.database.snapshots, in_use(lab)) == ({}, {}, before)


def test_without_a_driver_that_knows_groups_snapshots_fail_one_by_one(lab: Lab, group: Group) -> None:
    """That one and the group's snapshot are in error, the other is not (`_create_group_snapshot_generic`)."""
    lab.fail("driver.create_snapshot", nth=2)
    made: GroupSnapshot = lab.cloud.groups.create_group_snapshot(lab.owner, group.id)
    lab.kernel.run()
    made = lab.database.get_group_snapshot(made.id)
    assert made.status == "error"
    snapshots = lab.database.snapshots_of_group_snapshot(made.id)
    assert [each.status for each in snapshots] == ["available", "error"]
    lab.simulation.faults = FaultPlan()
    lab.act(lab.cloud.groups.delete_group_snapshot, lab.owner, made.id)
    assert not lab.database.snapshots


def test_what_cannot_be_snapshotted(lab: Lab, group: Group) -> None:
    """An empty group, one that is being changed, a volume that migrates; nothing is left of the attempt."""
    lab.write(members(lab, group)[1], migration_status="migrating")
    with pytest.raises(errors.InvalidVolume, match="while volume is migrating"):
        lab.cloud.groups.create_group_snapshot(lab.owner, group.id)
    for volume in members(lab, group):
        lab.write(volume, group_id=None)
    with pytest.raises(errors.InvalidGroup, match="cannot be empty"):
        lab.cloud.groups.create_group_snapshot(lab.owner, group.id)
    lab.cloud.quotas.set_limit("project", "snapshots", 1)
    for row in list(lab.database.volumes.values()):
        row.update({"group_id": group.id, "migration_status": None})
    with pytest.raises(errors.SnapshotLimitExceeded):
        lab.cloud.groups.create_group_snapshot(lab.owner, group.id)
    assert (lab.database.group_snapshots, lab.database.snapshots) == ({}, {})
    assert not lab.cloud.quotas.open_reservations()


@pytest.mark.parametrize("of", ["snapshot", "group"])
def test_a_group_of_a_group(lab: Lab, group: Group, of: str) -> None:
    """Copies of all volumes on the same back-end; of a snapshot, gigabytes are not counted (as in Cinder)."""
    source = (
        {"group_snapshot_id": snapshot(lab, group).id} if of == "snapshot" else {"source_group_id": group.id}
    )
    before = in_use(lab)
    made = lab.act(lab.cloud.groups.create_from_source, lab.owner, name="copy", **source)
    made = lab.database.get_group(made.id)
    assert (made.status, made.host, made.volume_type_ids) == ("available", group.host, group.volume_type_ids)
    copies = members(lab, made)
    assert [(each.size, each.status, each.host) for each in copies] == [
        (1, "available", group.host), (2, "available", group.host)
    ]  # fmt: skip
    assert {each.name for each in copies} <= lab.objects("lvm-a")
    gigabytes = before["gigabytes"] + (0 if of == "snapshot" else 3)
    assert in_use(lab) == {**before, "groups": 2, "volumes": 4, "gigabytes": gigabytes}


def test_a_group_is_made_of_one_that_is_on_a_pool_with_room(lab: Lab, group: Group) -> None:
    """InvalidGroup; the record stays in `creating`, and its source cannot be deleted for ever after."""
    lab.cloud.scheduler.hosts.forget()
    with pytest.raises(errors.InvalidGroup, match="No valid host"):
        lab.act(lab.cloud.groups.create_from_source, lab.owner, source_group_id=group.id)
    assert [row["status"] for row in lab.database.groups.values()] == ["available", "creating"]
    with pytest.raises(errors.InvalidGroup, match="cannot be the source for an ongoing group"):
        lab.cloud.groups.delete(lab.owner, group.id, delete_volumes=True)


def test_an_empty_group_cannot_be_copied(lab: Lab, group: Group) -> None:
    """Its record goes, its share of the quota stays."""
    for volume in members(lab, group):
        lab.write(volume, group_id=None)
    with pytest.raises(errors.InvalidGroup, match="Source Group is empty"):
        lab.act(lab.cloud.groups.create_from_source, lab.owner, source_group_id=group.id)
    assert (len(lab.database.groups), in_use(lab)["groups"]) == (1, 2)


def test_a_copy_that_is_refused_takes_the_others_along(lab: Lab, group: Group) -> None:
    """The second volume does not fit into the quota."""
    lab.cloud.quotas.set_limit("project", "volumes", 3)
    with pytest.raises(errors.VolumeLimitExceeded):
        lab.act(lab.cloud.groups.create_from_source, lab.owner, source_group_id=group.id)
    assert (len(lab.database.groups), in_use(lab)["volumes"]) == (1, 2)


def test_the_counter_of_a_pool_forgets_no_group(lab: Lab, group: Group) -> None:
    """Cinder takes the volumes of a deleted group off another counter."""
    lab.act(lab.cloud.groups.delete, lab.owner, group.id, delete_volumes=True)
    assert (lab.database.volumes, lab.objects("lvm-a")) == ({}, set())
    assert lab.manager("lvm-a").allocated_capacity_gb == {"lvm-a": 3}


def test_a_driver_that_knows_groups_is_asked_once(
    lab: Lab, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of group and snapshots is written."""

    def create_group_snapshot(
        context: object, group_snapshot: object, snapshots: list[Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return {"status": "available"}, [
            {"id": each.id, "status": "available", "provider_id": f"at-once-{number}"}
            for number, each in enumerate(snapshots)
        ]

    monkeypatch.setattr(lab.manager("lvm-a").driver, "create_group_snapshot", create_group_snapshot)
    made = snapshot(lab, group)
    assert "driver.create_snapshot" not in lab.steps()
    snapshots = lab.database.snapshots_of_group_snapshot(made.id)
    assert [each.provider_id for each in snapshots] == ["at-once-0", "at-once-1"]


def test_others_do_not_see_it(lab: Lab, group: Group) -> None:
    """404; lists are empty."""
    made = snapshot(lab, group)
    with pytest.raises(errors.GroupSnapshotNotFound):
        lab.cloud.groups.get_group_snapshot(lab.stranger, made.id)
    assert lab.cloud.groups.list_group_snapshots(lab.stranger) == []
    assert [each.id for each in lab.cloud.groups.list_group_snapshots(lab.owner)] == [made.id]
    with pytest.raises(errors.PolicyNotAuthorized):
        lab.cloud.groups.reset_group_snapshot_status(lab.owner, made.id, "error")
    lab.cloud.groups.reset_group_snapshot_status(lab.admin, made.id, "error")
    assert lab.database.get_group_snapshot(made.id).status == "error"


# ----------------------------------------------------------------------------------------------- replication


def test_a_group_replicates_only_if_its_types_do(lab: Lab, group: Group) -> None:
    """InvalidGroupType, InvalidVolumeType; 400."""
    groups = lab.cloud.groups
    with pytest.raises(errors.InvalidGroupType, match="not a replication group type"):
        groups.enable_replication(lab.owner, group.id)
    groups.set_specs(lab.admin, group.group_type_id, {"group_replication_enabled": REPLICATED})
    with pytest.raises(errors.InvalidVolumeType, match="'replication_enabled'"):
        groups.enable_replication(lab.owner, group.id)


@pytest.fixture
def replicated(lab: Lab, group: Group) -> Group:
    """The same group, with types and records that say that it replicates."""
    lab.cloud.groups.set_specs(lab.admin, group.group_type_id, {"group_replication_enabled": REPLICATED})
    specs = {"volume_backend_name": "lvm-a", "replication_enabled": REPLICATED}
    lab.database.volume_types[group.volume_type_ids[0]].update({"extra_specs": specs})
    for volume in members(lab, group):
        lab.write(volume, replication_status="disabled")
    return group


def test_what_no_driver_can_replicate_stays_enabling(lab: Lab, replicated: Group) -> None:
    """NotImplementedError is none of the errors that the manager waits for."""
    lab.act(lab.cloud.groups.enable_replication, lab.owner, replicated.id)
    assert lab.database.get_group(replicated.id).replication_status == "enabling"
    with pytest.raises(errors.InvalidGroup, match="current status is: enabling"):
        lab.cloud.groups.enable_replication(lab.owner, replicated.id)
    assert lab.act(lab.cloud.groups.list_replication_targets, lab.owner, replicated.id) == []


def test_a_group_whose_driver_replicates(lab: Lab, replicated: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """On, over to the other side, back, off."""
    driver = lab.manager("lvm-a").driver
    for name in ("enable_replication", "disable_replication", "failover_replication"):
        monkeypatch.setattr(driver, name, lambda *arguments: ({}, None))
    groups = lab.cloud.groups
    steps: tuple[tuple[Any, dict[str, str], str], ...] = (
        (groups.enable_replication, {}, "enabled"),
        (groups.failover_replication, {"secondary_backend_id": "far"}, "failed-over"),
        (groups.failover_replication, {"secondary_backend_id": "default"}, "enabled"),
        (groups.disable_replication, {}, "disabled"),
    )
    for step, arguments, status in steps:
        lab.act(step, lab.owner, replicated.id, **arguments)
        found: list[Group | Volume] = [lab.database.get_group(replicated.id), *members(lab, replicated)]
        assert {each.replication_status for each in found} == {status}
