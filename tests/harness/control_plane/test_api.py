"""The volume API: who may ask, what is checked and in which order, and what is written at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harness import errors
from harness.model import Encryption, QosSpecs, Service, Snapshot, Volume

if TYPE_CHECKING:
    from tests.harness.control_plane.conftest import Lab


def _code(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> int:
    """The HTTP code of the refusal; 0 if there was none."""
    try:
        function(*arguments, **keywords)
    except errors.ServiceError as error:
        return error.code
    return 0


def _service(lab: Lab, backend: str, **values: object) -> None:
    lab.database.update(Service, lab.deployment.backend(backend).service, values)


# -------------------------------------------------------------------------------------------------- migrate


def test_migrate_answers_at_once_and_writes_in_one_step(lab: Lab) -> None:
    """migration_status and previous_status; nothing else has happened when the 202 goes out."""
    volume = lab.volume()
    lab.api.migrate_volume(lab.admin, volume.id, lab.address("rbd-a"))
    now = lab.now(volume)
    assert (now.status, now.migration_status, now.previous_status) == ("available", "starting", "available")
    assert len(lab.database.volumes) == 1


@pytest.mark.parametrize(("status", "locked"), [("available", "maintenance"), ("in-use", "in-use")])
def test_only_an_available_volume_is_locked(lab: Lab, status: str, locked: str) -> None:
    """`lock_volume` makes it maintenance; a volume in use stays as it is."""
    volume = lab.volume()
    lab.write(volume, status=status)
    lab.api.migrate_volume(lab.admin, volume.id, lab.address("rbd-a"), lock_volume=True)
    assert (lab.now(volume).status, lab.now(volume).previous_status) == (locked, status)


@pytest.mark.parametrize("status", ["error", "maintenance", "retyping", "reserved", "extending", "deleting"])
def test_migrate_refuses_other_statuses(lab: Lab, status: str) -> None:
    """400, and the row is untouched."""
    volume = lab.volume()
    lab.write(volume, status=status)
    with pytest.raises(errors.InvalidVolume):
        lab.api.migrate_volume(lab.admin, volume.id, lab.address("rbd-a"))
    assert (lab.now(volume).status, lab.now(volume).migration_status) == (status, None)


@pytest.mark.parametrize(
    ("migration_status", "code"),
    [(None, 0), ("success", 0), ("error", 0), ("deleting", 0),
     ("starting", 400), ("migrating", 400), ("completing", 400), ("target:x", 400)],
)  # fmt: skip
def test_migrate_wants_an_idle_volume(lab: Lab, migration_status: str | None, code: int) -> None:
    """`AVAILABLE_MIGRATION_STATUS`."""
    volume = lab.volume()
    lab.write(volume, migration_status=migration_status)
    assert _code(lab.api.migrate_volume, lab.admin, volume.id, lab.address("rbd-a")) == code


@pytest.mark.parametrize(
    ("values", "code"),
    [({"replication_status": "enabled"}, 400), ({"replication_status": "error"}, 400),
     ({"replication_status": "disabled"}, 0), ({"replication_status": "not-capable"}, 0),
     ({"group_id": "g"}, 400), ({"group_id": ""}, 0), ({"consistencygroup_id": "c"}, 400)],
)  # fmt: skip
def test_migrate_refuses_replicas_and_members_of_groups(lab: Lab, values: dict[str, Any], code: int) -> None:
    """One combined message, 400."""
    volume = lab.volume()
    lab.write(volume, **values)
    assert _code(lab.api.migrate_volume, lab.admin, volume.id, lab.address("rbd-a")) == code


def test_migrate_refuses_a_volume_with_snapshots_in_any_state(lab: Lab) -> None:
    """One in error counts, too."""
    volume = lab.volume()
    lab.database.create(Snapshot, {"volume_id": volume.id, "status": "error"})
    assert _code(lab.api.migrate_volume, lab.admin, volume.id, lab.address("rbd-a")) == 400


def test_the_same_host_is_refused_as_a_string_only(lab: Lab) -> None:
    """Without its pool the address differs, and the scheduler may well pick the very same pool."""
    volume = lab.volume()
    assert _code(lab.api.migrate_volume, lab.admin, volume.id, lab.address("lvm-a")) == 400
    assert _code(lab.api.migrate_volume, lab.admin, volume.id, lab.deployment.backend("lvm-a").service) == 0


def test_migrate_wants_one_of_host_and_cluster(lab: Lab) -> None:
    """400 for both, for neither, and for a cluster that is not there."""
    volume, host = lab.volume(), lab.address("rbd-a")
    with pytest.raises(errors.InvalidInput):
        lab.api.migrate_volume(lab.admin, volume.id, host, cluster="c")
    with pytest.raises(errors.InvalidInput):
        lab.api.migrate_volume(lab.admin, volume.id, None)
    with pytest.raises(errors.InvalidHost):
        lab.api.migrate_volume(lab.admin, volume.id, None, cluster="c")


def test_migrate_wants_a_service_that_is_enabled_and_up(lab: Lab) -> None:
    """InvalidHost, 400; a frozen one passes here and is refused by the scheduler."""
    volume, host = lab.volume(), lab.address("rbd-a")
    with pytest.raises(errors.InvalidHost):
        lab.api.migrate_volume(lab.admin, volume.id, "nowhere@x#y")
    _service(lab, "rbd-a", disabled=True)
    with pytest.raises(errors.InvalidHost):
        lab.api.migrate_volume(lab.admin, volume.id, host)
    _service(lab, "rbd-a", disabled=False, frozen=True)
    lab.cloud.stop("rbd-a", seconds_ago=61)
    with pytest.raises(errors.InvalidHost):
        lab.api.migrate_volume(lab.admin, volume.id, host)
    lab.cloud.start_again("rbd-a")
    lab.migrate(volume, "rbd-a")
    assert lab.states(volume) == ("available", "detached", "error")


def test_migrate_checks_in_cinders_order(lab: Lab) -> None:
    """Existence, policy, arguments, service, and the state of the volume last."""
    volume = lab.volume()
    lab.write(volume, status="error")
    migrate = lab.api.migrate_volume
    assert _code(migrate, lab.stranger, volume.id, None) == 404
    assert _code(migrate, lab.admin, "no such volume", None) == 404
    assert _code(migrate, lab.owner, volume.id, None) == 403
    with pytest.raises(errors.InvalidInput):
        migrate(lab.admin, volume.id, None)
    with pytest.raises(errors.InvalidHost):
        migrate(lab.admin, volume.id, "nowhere@x")
    with pytest.raises(errors.InvalidVolume):
        migrate(lab.admin, volume.id, lab.address("rbd-a"))


# --------------------------------------------------------------------------------------------------- retype


def _retype(lab: Lab, volume: Volume, **fields: Any) -> int:
    """Ask for a new type made of these fields; the code of the refusal, or 0."""
    kind = lab.cloud.create_type("new", **fields)
    return _code(lab.api.retype, lab.owner, volume.id, kind.name, "on-demand")


def test_retype_answers_at_once_and_sets_no_migration_status(lab: Lab) -> None:
    """retyping, and the status that it had."""
    volume = lab.volume()
    assert _retype(lab, volume) == 0
    now = lab.now(volume)
    assert (now.status, now.previous_status, now.migration_status) == ("retyping", "available", None)


def test_retype_wants_a_member_a_type_and_another_one(lab: Lab) -> None:
    """404 for strangers and unknown types, 400 for the type that it has."""
    kind = lab.cloud.create_type("old")
    volume = lab.volume(volume_type="old")
    assert _code(lab.api.retype, lab.stranger, volume.id, "old") == 404
    assert _code(lab.api.retype, lab.owner, volume.id, "no such type") == 404
    assert _code(lab.api.retype, lab.owner, volume.id, kind.id) == 400
    assert lab.cloud.quotas.open_reservations() == [], "both reservations are rolled back"


@pytest.mark.parametrize(
    ("values", "code"),
    [({"status": "error"}, 400), ({"status": "in-use"}, 0), ({"migration_status": "migrating"}, 400),
     ({"migration_status": "success"}, 0), ({"group_id": "g"}, 400), ({"consistencygroup_id": "c"}, 400),
     ({"replication_status": "enabled"}, 0)],
)  # fmt: skip
def test_retype_looks_at_status_migration_and_group(lab: Lab, values: dict[str, Any], code: int) -> None:
    """Snapshots and replication are not looked at here."""
    volume = lab.volume()
    lab.database.create(Snapshot, {"volume_id": volume.id, "status": "available"})
    lab.write(volume, **values)
    assert _retype(lab, volume) == code


@pytest.mark.parametrize(
    ("specs", "code"),
    [({"provisioning:min_vol_size": "2"}, 0), ({"provisioning:min_vol_size": "3"}, 400),
     ({"provisioning:max_vol_size": "2"}, 0), ({"provisioning:max_vol_size": "1"}, 400)],
)  # fmt: skip
def test_a_type_may_limit_the_size_of_its_volumes(lab: Lab, specs: dict[str, str], code: int) -> None:
    """On retype, on creation, and on extension."""
    volume = lab.volume(size=2)
    assert _retype(lab, volume, extra_specs=specs) == code
    create = lab.api.create_volume
    assert _code(create, lab.owner, 2, volume_type="new", host=lab.address("lvm-a")) == code


def test_a_volume_cannot_be_extended_beyond_what_its_type_allows(lab: Lab) -> None:
    """InvalidInput, and the status is as it was."""
    lab.cloud.create_type("small", extra_specs={"provisioning:max_vol_size": "2"})
    volume = lab.volume(volume_type="small")
    assert _code(lab.api.extend_volume, lab.owner, volume.id, 3) == 400
    assert lab.now(volume).status == "available"
    assert _code(lab.api.extend_volume, lab.owner, volume.id, 2) == 0


MULTIATTACH = {"multiattach": "<is> True"}


@pytest.mark.parametrize(("status", "code"), [("available", 0), ("in-use", 400)])
def test_multiattach_changes_on_available_volumes_only(lab: Lab, status: str, code: int) -> None:
    """And the flag is written as soon as the message has left, whatever becomes of the retype."""
    volume = lab.volume()
    lab.write(volume, status=status)
    assert _retype(lab, volume, extra_specs=MULTIATTACH) == code
    assert lab.now(volume).multiattach is (code == 0)


def test_the_multiattach_flag_survives_a_retype_that_failed(lab: Lab) -> None:
    """Nobody reverts it: the record says what no type of it says."""
    volume = lab.volume()
    lab.cloud.create_type("new", extra_specs={**MULTIATTACH, "volume_backend_name": "nowhere"})
    lab.act(lab.api.retype, lab.owner, volume.id, "new", "on-demand")
    now = lab.now(volume)
    assert (now.status, now.volume_type_id, now.multiattach) == ("available", volume.volume_type_id, True)


def test_multiattach_and_encryption_are_told_apart_by_an_extra_spec(lab: Lab) -> None:
    """The check reads an extra spec named encryption; the encryption of the type it does not see."""
    volume = lab.volume()
    assert _retype(lab, volume, extra_specs={**MULTIATTACH, "encryption": "x"}) == 400
    kind = lab.cloud.create_type("real", extra_specs=MULTIATTACH, encryption=Encryption("luks"))
    assert _code(lab.api.retype, lab.owner, volume.id, kind.id) == 0


FRONT = QosSpecs("q1", "front", "front-end", (("read_iops_sec", "1"),))
BOTH = QosSpecs("q2", "both", "both", ())
BACK = QosSpecs("q3", "back", "back-end", ())


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [(None, None, 0), (FRONT, FRONT, 0), (None, FRONT, 400), (FRONT, None, 400), (BACK, BOTH, 400),
     (None, BACK, 0), (BACK, None, 0)],
)  # fmt: skip
def test_the_front_end_qos_of_a_volume_in_use_cannot_change(
    lab: Lab, old: QosSpecs | None, new: QosSpecs | None, code: int
) -> None:
    """`volume_qos_allows_retype`; an available volume does not care."""
    lab.cloud.create_type("old", qos_specs=old)
    volume = lab.volume(volume_type="old")
    lab.write(volume, status="in-use")
    assert _retype(lab, volume, qos_specs=new) == code
    lab.write(volume, status="available", migration_status=None)
    assert _code(lab.api.retype, lab.owner, volume.id, "new") == 0


def test_retype_reserves_per_type_quota_for_volume_and_snapshots(lab: Lab) -> None:
    """More of the new type, less of the old, nothing of the totals; 413 if there is no room."""
    lab.cloud.create_type("old")
    kind = lab.cloud.create_type("new")
    volume = lab.volume(size=2, volume_type="old")
    lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    for resource, error in (("volumes", errors.VolumeLimitExceeded),
                            ("gigabytes", errors.VolumeSizeExceedsAvailableQuota)):  # fmt: skip
        lab.cloud.quotas.set_limit("project", f"{resource}_new", 0)
        with pytest.raises(error) as refusal:
            lab.api.retype(lab.owner, volume.id, kind.id)
        assert refusal.value.code == 413
        lab.cloud.quotas.set_limit("project", f"{resource}_new", -1)
    lab.api.retype(lab.owner, volume.id, kind.id)
    open_now = {each.resource: each.delta for each in lab.cloud.quotas.open_reservations()}
    assert open_now == {
        "volumes_new": 1, "gigabytes_new": 4, "snapshots_new": 1,
        "volumes_old": -1, "gigabytes_old": -4, "snapshots_old": -1,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------- life of volumes


def test_no_volume_is_without_a_type(lab: Lab) -> None:
    """The type asked for, the origin's, or the default one, which counts like any other; 500 without it."""
    gold = lab.cloud.create_type("gold")
    volume = lab.volume()
    assert volume.volume_type is not None
    assert volume.volume_type.name == "__DEFAULT__"
    assert lab.cloud.quotas.usage("project", "gigabytes___DEFAULT__") == (1, 0)
    origin = lab.volume(volume_type="gold")
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, origin.id)
    for origins in ({"source_volid": origin.id}, {"snapshot_id": snapshot.id}):
        assert lab.volume(**origins).volume_type_id == gold.id
    lab.cloud.options = {**lab.cloud.options, "default_volume_type": "absent"}
    assert _code(lab.api.create_volume, lab.owner, 1) == 500


def test_a_volume_without_a_host_is_scheduled(lab: Lab) -> None:
    """The scheduler chooses host and zone; clones and copies of snapshots stay where their origin is."""
    volume = lab.now(lab.act(lab.api.create_volume, lab.owner, 1, name="mine"))
    assert (volume.status, volume.display_name, volume.availability_zone) == ("available", "mine", "nova")
    origin = lab.volume("rbd-a")
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, origin.id)
    for origins in ({"source_volid": origin.id}, {"snapshot_id": snapshot.id}):
        copy = lab.now(lab.act(lab.api.create_volume, lab.owner, 1, **origins))
        assert (copy.status, copy.host) == ("available", origin.host)


def test_a_volume_that_fits_nowhere_has_no_host_and_can_be_deleted(lab: Lab) -> None:
    """Its quota is given back; no service is asked."""
    lab.cloud.create_type("nowhere", extra_specs={"volume_backend_name": "nowhere"})
    volume = lab.now(lab.act(lab.api.create_volume, lab.owner, 1, volume_type="nowhere"))
    assert (volume.status, volume.host) == ("error", None)
    lab.act(lab.api.delete_volume, lab.owner, volume.id)
    assert lab.database.volumes == {}
    assert lab.cloud.quotas.usage("project", "volumes_nowhere") == (0, 0)
    lab.write(temporary := lab.now(lab.act(lab.api.create_volume, lab.owner, 1, volume_type="nowhere")),
              use_quota=False)  # fmt: skip
    lab.act(lab.api.delete_volume, lab.owner, temporary.id)
    assert lab.cloud.quotas.usage("project", "volumes") == (1, 0), "what has no quota gives none back"


def test_a_copy_of_an_encrypted_volume_has_a_key_of_its_own_with_the_same_secret(lab: Lab) -> None:
    """`clone_encryption_key`; and each key goes with its volume."""
    lab.cloud.create_type("secret", encryption=Encryption("luks"))
    origin = lab.volume(volume_type="secret")
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, origin.id)
    keys = lab.cloud.key_manager.keys
    for origins in ({"source_volid": origin.id}, {"snapshot_id": snapshot.id}):
        copy = lab.now(lab.act(lab.api.create_volume, lab.owner, 1, volume_type="secret", **origins))
        assert copy.encryption_key_id != origin.encryption_key_id
        assert keys[copy.encryption_key_id or ""] == keys[origin.encryption_key_id or ""]
        lab.act(lab.api.delete_volume, lab.owner, copy.id)
    assert list(keys) == [origin.encryption_key_id]


def test_a_key_stays_behind_when_the_quota_refuses_its_volume(lab: Lab) -> None:
    """The key is made first (`ExtractVolumeRequestTask`), the quota is asked next."""
    lab.cloud.create_type("secret", encryption=Encryption("luks"))
    lab.cloud.quotas.set_limit("project", "volumes", 0)
    with pytest.raises(errors.VolumeLimitExceeded):
        lab.api.create_volume(lab.owner, 1, volume_type="secret", host=lab.address("lvm-a"))
    assert (len(lab.cloud.key_manager.keys), lab.database.volumes) == (1, {})


def test_a_single_volume_may_be_too_large(lab: Lab) -> None:
    """`per_volume_size_limit`, 413, for new and for growing volumes; the status comes back."""
    volume = lab.volume()
    lab.cloud.quotas.set_limit("project", "per_volume_gigabytes", 2)
    assert _code(lab.api.create_volume, lab.owner, 3, host=lab.address("lvm-a")) == 413
    assert _code(lab.api.extend_volume, lab.owner, volume.id, 3) == 413
    assert lab.now(volume).status == "available"


@pytest.mark.parametrize(
    ("values", "code", "forced"),
    [({}, 0, 0), ({"status": "error"}, 0, 0), ({"status": "in-use"}, 400, 0), ({"status": "retyping"}, 400, 0),
     ({"status": "error_deleting"}, 400, 0), ({"attach_status": "attached"}, 400, 400),
     ({"migration_status": "migrating"}, 400, 400), ({"migration_status": "deleting"}, 0, 0),
     ({"group_id": "g"}, 400, 400)],
)  # fmt: skip
def test_what_may_be_deleted(lab: Lab, values: dict[str, Any], code: int, forced: int) -> None:
    """`force` is for admins and ignores the status, not the migration."""
    volume, other = lab.volume(), lab.volume()
    for each in (volume, other):
        lab.write(each, **values)
    assert _code(lab.api.delete_volume, lab.owner, volume.id) == code
    assert _code(lab.api.delete_volume, lab.owner, other.id, force=True) == 403
    assert _code(lab.api.delete_volume, lab.admin, other.id, force=True) == forced


def test_a_frozen_back_end_is_not_to_be_changed(lab: Lab) -> None:
    """No deletion, no snapshot made or removed: InvalidInput, 400."""
    volume = lab.volume()
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    _service(lab, "lvm-a", frozen=True)
    for request, subject in ((lab.api.delete_volume, volume), (lab.api.create_snapshot, volume),
                             (lab.api.delete_snapshot, snapshot)):  # fmt: skip
        with pytest.raises(errors.InvalidInput):
            request(lab.owner, subject.id)


@pytest.mark.parametrize(
    ("status", "ends_in"), [("available", "available"), ("in-use", "available"), ("reserved", "")]
)
def test_what_may_be_extended(lab: Lab, status: str, ends_in: str) -> None:
    """available, or in-use; what it becomes depends on its attachments."""
    volume = lab.volume()
    lab.write(volume, status=status)
    assert _code(lab.api.extend_volume, lab.owner, volume.id, 1) == 400
    if not ends_in:
        assert _code(lab.api.extend_volume, lab.owner, volume.id, 2) == 400
        return
    lab.act(lab.api.extend_volume, lab.owner, volume.id, 2)
    assert (lab.now(volume).size, lab.now(volume).status) == (2, ends_in)


def test_an_extension_that_is_over_quota_leaves_the_status_as_it_was(lab: Lab) -> None:
    """413."""
    volume = lab.volume()
    lab.cloud.quotas.set_limit("project", "gigabytes", 1)
    with pytest.raises(errors.VolumeSizeExceedsAvailableQuota):
        lab.api.extend_volume(lab.owner, volume.id, 2)
    assert lab.now(volume).status == "available"


def test_an_extension_that_does_not_fit_is_undone_by_the_scheduler(lab: Lab) -> None:
    """The quota comes back, the status too, and previous_status is gone."""
    volume = lab.volume()
    for resource in ("gigabytes",):
        lab.cloud.quotas.set_limit("project", resource, -1)
    lab.act(lab.api.extend_volume, lab.owner, volume.id, 1 << 20)
    now = lab.now(volume)
    assert (now.status, now.previous_status, now.size) == ("available", None, 1)
    assert lab.cloud.quotas.open_reservations() == []


def test_a_name_changes_in_any_status_but_maintenance(lab: Lab) -> None:
    """400 in maintenance."""
    volume = lab.volume()
    lab.write(volume, status="retyping")
    lab.api.rename_volume(lab.owner, volume.id, "new")
    assert lab.now(volume).display_name == "new"
    lab.write(volume, status="maintenance")
    assert _code(lab.api.rename_volume, lab.owner, volume.id, "newer") == 400


# ---------------------------------------------------------------------------------------------- snapshots


@pytest.mark.parametrize(
    ("values", "code"),
    [({}, 0), ({"status": "in-use"}, 0), ({"status": "maintenance"}, 400), ({"status": "error"}, 400),
     ({"status": "retyping"}, 400), ({"migration_status": "migrating"}, 400),
     ({"migration_status": "success"}, 0)],
)  # fmt: skip
def test_what_may_be_snapshotted(lab: Lab, values: dict[str, Any], code: int) -> None:
    """available or in-use, and not migrating."""
    volume = lab.volume()
    lab.write(volume, **values)
    assert _code(lab.api.create_snapshot, lab.owner, volume.id) == code


def test_a_snapshot_belongs_to_whoever_made_it(lab: Lab) -> None:
    """Its project and its quota are the caller's, and are given back to the snapshot's project."""
    volume = lab.volume()
    snapshot = lab.act(lab.api.create_snapshot, lab.admin, volume.id)
    usage = lab.cloud.quotas.usage
    assert (snapshot.project_id, usage("admin-project", "snapshots")) == ("admin-project", (1, 0))
    assert usage("project", "gigabytes") == (1, 0)
    lab.act(lab.api.delete_snapshot, lab.admin, snapshot.id)
    assert usage("admin-project", "snapshots") == (0, 0)


def test_a_snapshot_goes_through_the_scheduler(lab: Lab) -> None:
    """There must be room for the volume's size again; else it is in error."""
    volume = lab.volume()
    _service(lab, "lvm-a", disabled=True)
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    assert lab.database.get_snapshot(snapshot.id).status == "error"


def test_a_snapshot_in_between_cannot_be_deleted(lab: Lab) -> None:
    """InvalidSnapshot, 400."""
    volume = lab.volume()
    snapshot = lab.api.create_snapshot(lab.owner, volume.id)
    with pytest.raises(errors.InvalidSnapshot):
        lab.api.delete_snapshot(lab.owner, snapshot.id)


# ---------------------------------------------------------------------------------------------- reset-status


def test_reset_status_writes_what_it_is_told(lab: Lab) -> None:
    """Upper case is fine, and `none` is no status at all."""
    volume = lab.volume()
    lab.write(volume, migration_status="completing")
    lab.api.reset_status(lab.admin, volume.id, status="ERROR", migration_status="None")
    assert lab.states(volume) == ("error", "detached", None)
    for status in ("error_deleting", "detaching"):
        lab.api.reset_status(lab.admin, volume.id, status=status)
        assert lab.now(volume).status == status, "meant to be refused, but a comma is missing"


@pytest.mark.parametrize(
    "values", [{"status": "reverting"}, {"status": "deleted"}, {"migration_status": "target:x"}]
)
def test_reset_status_knows_only_what_the_schema_lists(lab: Lab, values: dict[str, str]) -> None:
    """400, even before the volume is looked for."""
    assert _code(lab.api.reset_status, lab.admin, "no such volume", **values) == 400


def test_detaching_by_hand_deletes_the_attachments_and_frees_the_volume(lab: Lab) -> None:
    """The statuses follow as after any detach; the connection itself stays on the back-end."""
    volume = lab.volume()
    lab.server_with(volume)
    lab.api.reset_status(lab.admin, volume.id, status="in-use")
    lab.api.reset_status(lab.admin, volume.id, attach_status="detached")
    assert (lab.states(volume), lab.database.attachments) == (("available", "detached", None), {})
    assert _code(lab.api.reset_status, lab.admin, volume.id, status="in-use") == 400


def test_reset_status_does_not_stop_a_migration(lab: Lab) -> None:
    """It goes on, and overwrites what was set."""
    volume = lab.volume()
    lab.begin(lab.api.migrate_volume, lab.admin, volume.id, lab.address("rbd-a"))
    lab.run_for(5)
    lab.api.reset_status(lab.admin, volume.id, status="error", migration_status="none")
    lab.kernel.run()
    assert lab.states(volume) == ("available", "detached", "success")
    assert lab.now(volume).host == lab.address("rbd-a")


# ------------------------------------------------------------------------------------------------ completion


def test_completion_is_for_admins(lab: Lab) -> None:
    """403, 404."""
    volume, other = lab.volume(), lab.volume()
    completion = lab.api.migrate_volume_completion
    assert _code(completion, lab.owner, volume.id, other.id, error=False) == 403
    assert _code(completion, lab.admin, volume.id, "no such volume", error=False) == 404


@pytest.mark.parametrize(
    ("ours", "theirs"), [(None, "target:x"), ("migrating", None), ("migrating", "target:x")]
)
def test_completion_wants_a_pair(lab: Lab, ours: str | None, theirs: str | None) -> None:
    """InvalidVolume, 400, unless the new volume's migration_status names the volume."""
    volume, other = lab.volume(), lab.volume("rbd-a")
    lab.write(volume, migration_status=ours)
    lab.write(other, migration_status=theirs)
    with pytest.raises(errors.InvalidVolume):
        lab.api.migrate_volume_completion(lab.admin, volume.id, other.id, error=False)


def test_completion_without_a_migration_moves_the_attachments_over(lab: Lab) -> None:
    """The new volume goes on; with `error` nothing is touched."""
    volume, other, nova = lab.volume(), lab.volume("rbd-a"), lab.cloud.nova.context
    lab.server_with(volume)
    done = lab.act(lab.api.migrate_volume_completion, nova, volume.id, other.id, error=True)
    assert (done, lab.states(volume)[:2]) == (other.id, ("in-use", "attached"))
    done = lab.act(lab.api.migrate_volume_completion, nova, volume.id, other.id, error=False)
    assert (done, lab.states(volume)[:2]) == (other.id, ("available", "detached"))
    assert lab.states(other)[:2] == ("in-use", "attached")
    [attachment] = lab.now(other).volume_attachment
    assert (attachment.instance_uuid, attachment.attach_mode) == ("server", "rw")
    assert lab.now(other).admin_metadata == {"readonly": "False", "attached_mode": "rw"}


def test_completion_without_a_migration_refuses_a_read_only_volume(lab: Lab) -> None:
    """InvalidVolumeAttachMode, 400, when the old one is detached already."""
    volume, other, nova = lab.volume(), lab.volume("rbd-a"), lab.cloud.nova.context
    lab.server_with(volume)
    lab.write(other, admin_metadata={"readonly": "True"})
    with pytest.raises(errors.InvalidVolumeAttachMode):
        lab.act(lab.api.migrate_volume_completion, nova, volume.id, other.id, error=False)
    assert lab.states(volume)[:2] == ("available", "detached")


def test_only_nova_takes_a_volume_from_its_server(lab: Lab) -> None:
    """409 for everybody else, an admin included (`attachment_deletion_allowed`)."""
    volume = lab.volume()
    lab.server_with(volume)
    [attachment] = lab.now(volume).volume_attachment
    for context in (lab.owner, lab.admin):
        for refused in (
            lambda context=context: lab.attachments.delete(context, attachment.id),
            lambda context=context: lab.api.detach(context, volume.id, attachment.id),
            lambda context=context: lab.api.terminate_connection(context, volume.id, None),
        ):
            with pytest.raises(errors.ConflictNovaUsingAttachment):
                lab.act(refused)
    assert lab.act(lab.attachments.delete, lab.cloud.nova.context, attachment.id) == []


def test_a_detachment_without_an_id_is_of_the_only_attachment(lab: Lab) -> None:
    """With two of them nobody knows which is meant; with none the volume becomes available."""
    service = lab.cloud.nova.context
    lab.cloud.create_type("shared", extra_specs={"multiattach": "<is> True"})
    volume = lab.volume(volume_type="shared")
    for host in ("compute1", "compute2"):
        lab.act(lab.api.attach, service, volume.id, host_name=host)
    with pytest.raises(errors.InvalidVolume, match="More than one attachment"):
        lab.act(lab.api.detach, service, volume.id)
    first, _ = lab.now(volume).volume_attachment
    lab.act(lab.api.detach, service, volume.id, first.id)
    lab.act(lab.api.detach, service, volume.id)
    assert (lab.states(volume), lab.database.attachments) == (("available", "detached", None), {})
    lab.write(volume, status="in-use", attach_status="attached")
    lab.act(lab.api.detach, service, volume.id)
    assert lab.states(volume) == ("available", "detached", None)


def test_an_admin_can_end_a_migration_in_error_under_the_copier(lab: Lab) -> None:
    """Completion with `error` looks at no more than the pair, and deletes the temporary volume.

    The image is open for the copy, so its removal is tried again and again, until the copy has ended,
    has won, and has taken the record's name away from it.
    """
    volume = lab.volume()
    lab.begin(lab.api.migrate_volume, lab.admin, volume.id, lab.address("rbd-a"))
    lab.run_for(5)
    [temporary] = [row["id"] for row in lab.database.volumes.values() if row["id"] != volume.id]
    lab.begin(lab.api.migrate_volume_completion, lab.admin, volume.id, temporary, error=True)
    lab.run_for(1)
    assert lab.states(volume) == ("available", "detached", "error")
    lab.kernel.run()
    assert lab.states(volume) == ("available", "detached", "success")
    assert list(lab.database.volumes) == [volume.id]
