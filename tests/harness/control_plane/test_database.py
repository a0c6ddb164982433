"""Rows and copies of rows: what is stale where, what is lost, and what is atomic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import errors
from harness.control_plane.database import Database, Not
from harness.control_plane.tables import UPDATED
from harness.model import Attachment, Service, Snapshot, Volume, VolumeType


@pytest.fixture
def database() -> Database:
    return Database(seed=0)


def _volume(database: Database, **values: object) -> Volume:
    return database.get_volume(database.create(Volume, values))


def _attachment(database: Database, volume: Volume, status: str = "attached", **values: object) -> str:
    row = {"volume_id": volume.id, "attach_status": status, **values}
    return database.create(Attachment, row)


# ------------------------------------------------------------------------------- stale copies, lost updates


def test_two_copies_that_write_different_fields_do_not_undo_one_another(database: Database) -> None:
    """`save` writes what was assigned, and nothing else (`CinderPersistentObject`)."""
    volume = _volume(database, status="available")
    one, other = database.get_volume(volume.id), database.get_volume(volume.id)
    one.display_name = "renamed"
    other.migration_status = "migrating"
    one.save()
    other.save()
    row = database.volumes[volume.id]
    assert (row["display_name"], row["migration_status"]) == ("renamed", "migrating")
    assert other.display_name is None, "the other copy is stale until it is refreshed"


def test_the_last_writer_of_a_field_wins(database: Database) -> None:
    """There is no version: a stale copy overwrites, and the first update is lost."""
    volume = _volume(database, status="available")
    stale = database.get_volume(volume.id)
    volume.status = "extending"
    volume.save()
    stale.status = "available"
    stale.save()
    assert database.volumes[volume.id]["status"] == "available"


def test_a_message_carries_unsaved_changes(database: Database) -> None:
    """The copy at the other side writes them when it saves."""
    volume = _volume(database)
    volume.status = "error"
    received = volume.copy()
    assert database.volumes[volume.id]["status"] == "creating"
    received.save()
    assert database.volumes[volume.id]["status"] == "error"


def test_attachments_are_those_of_the_time_of_loading(database: Database) -> None:
    """Messages carry them along and saves keep them; only `refresh` renews them."""
    volume = _volume(database)
    _attachment(database, volume)
    received = volume.copy()
    received.status = "in-use"
    received.save()
    assert (volume.volume_attachment, received.volume_attachment) == ([], [])
    received.refresh()
    assert len(received.volume_attachment) == 1


def test_what_is_gone_is_not_found(database: Database) -> None:
    """Each table has its own error, and a copy outlives its row."""
    volume = _volume(database)
    snapshot = database.get_snapshot(database.create(Snapshot, {"volume_id": volume.id}))
    attachment = database.get_attachment(_attachment(database, volume))
    kind = database.get_volume_type(database.create(VolumeType, {"name": "gold"}))
    service = Service.from_row({**Service.DEFAULTS, "id": "node@b"}, database)
    for table in (database.volumes, database.snapshots, database.attachments, database.volume_types):
        table.clear()
    for record, error in (
        (volume, errors.VolumeNotFound), (snapshot, errors.SnapshotNotFound), (service, errors.NotFoundError),
        (attachment, errors.AttachmentNotFound), (kind, errors.NotFoundError),
    ):  # fmt: skip
        with pytest.raises(error):
            record.refresh()
        with pytest.raises(error):
            record.save()
    with pytest.raises(errors.VolumeNotFound):
        database.destroy_volume(volume.id)
    with pytest.raises(errors.VolumeNotFound):
        database.volume_detached(volume.id, attachment.id)
    for get, record_id, error in (
        (database.get_volume, volume.id, errors.VolumeNotFound),
        (database.get_snapshot, snapshot.id, errors.SnapshotNotFound),
        (database.get_attachment, attachment.id, errors.AttachmentNotFound),
        (database.get_volume_type, kind.id, errors.VolumeTypeNotFound),
        (database.service, "node@b", errors.NotFoundError),
    ):
        with pytest.raises(error):
            get(record_id)
    database.update(Volume, volume.id, {"status": "error"})
    assert database.volumes == {}, "an update of no row has no effect"


def test_a_type_is_found_by_id_and_by_name(database: Database) -> None:
    """`VolumeType.get_by_name_or_id`."""
    type_id = database.create(VolumeType, {"name": "gold"})
    database.create(VolumeType, {"name": "silver"})
    assert database.get_volume_type("gold").id == database.get_volume_type(type_id).id == type_id


# ------------------------------------------------------------------------------------------ compare and swap


def test_a_conditional_update_is_all_or_nothing(database: Database) -> None:
    """Value, tuple, `Not` and the caller's filters must all hold."""
    volume = _volume(database, status="available", host="a")
    conditions = {"status": ("available", "in-use"), "host": Not("b"), "group_id": None}
    values = {"status": "maintenance", "previous_status": lambda row: row["status"]}
    for wrong in ({"status": ("error",)}, {"host": Not("a")}, {"group_id": "g"}):
        assert not database.conditional_update(volume, values, {**conditions, **wrong})
    assert not database.conditional_update(volume, values, conditions, True, False)
    assert database.volumes[volume.id]["status"] == "available"
    assert database.conditional_update(volume, values, conditions, True)
    row = database.volumes[volume.id]
    assert (row["status"], row["previous_status"]) == ("maintenance", "available")
    assert (volume.status, volume.previous_status, volume.changes()) == ("maintenance", "available", {})


def test_a_conditional_update_looks_at_the_row_and_not_at_the_copy(database: Database) -> None:
    """Of two requests that both saw `available`, one gets through."""
    volume = _volume(database, status="available")
    one, other = database.get_volume(volume.id), database.get_volume(volume.id)
    outcomes = [
        database.conditional_update(each, {"status": "reserved"}, {"status": "available"})
        for each in (one, other)
    ]
    assert outcomes == [True, False]
    assert other.status == "available", "whoever lost keeps what he saw"


# ------------------------------------------------------------------------------------------------ attachments


def test_attaching_marks_the_attachment_and_the_volume(database: Database) -> None:
    """`cinder.db.api:volume_attached`."""
    volume = _volume(database, status="reserved")
    attachment_id = _attachment(database, volume, "reserved")
    for mark_attached, status, attach_status in (
        (False, "attaching", "attaching"), (True, "in-use", "attached"),
    ):  # fmt: skip
        database.volume_attached(attachment_id, "host", "/dev/vdb", "rw", mark_attached=mark_attached)
        volume.refresh()
        assert (volume.status, volume.attach_status) == (status, attach_status)
        assert database.attachments[attachment_id]["attach_status"] == attach_status
    assert database.attachments[attachment_id]["attached_host"] == "host"


@pytest.mark.parametrize(
    ("others", "statuses"),
    [
        ([], ("available", "detached")),
        (["error_attaching"], ("available", "detached")),
        (["reserved"], ("reserved", "reserved")),
        (["reserved", "detaching"], ("detaching", "detaching")),
        (["detaching", "attaching"], ("attaching", "attaching")),
        (["attaching", "attached", "reserved"], ("in-use", "attached")),
    ],
)
def test_after_a_detach_the_statuses_are_those_of_what_is_left(
    database: Database, others: list[str], statuses: tuple[str, str]
) -> None:
    """attached before attaching before detaching before reserved; errors do not count."""
    volume = _volume(
        database, status="in-use", attach_status="attached", admin_metadata={"attached_mode": "rw"}
    )
    attachment_id = _attachment(database, volume)
    for status in others:
        _attachment(database, volume, status)
    database.volume_detached(volume.id, attachment_id)
    volume.refresh()
    assert ((volume.status, volume.attach_status), volume.admin_metadata) == (statuses, {})


@pytest.mark.parametrize(
    ("migration_status", "status", "shown"),
    [
        (None, "in-use", "available"), ("success", "in-use", "available"), ("error", "in-use", "available"),
        ("migrating", "in-use", "in-use"), ("migrating", "retyping", "retyping"),
        ("target:src", "attaching", "attaching"), ("deleting", "deleting", "deleting"),
        (None, "uploading", "uploading"),
    ],
)  # fmt: skip
def test_the_last_detach_hides_the_status_while_somebody_else_will_write_it(
    database: Database, migration_status: str | None, status: str, shown: str
) -> None:
    """Migrations and uploads set it themselves when they end (`volume_detached`)."""
    volume = _volume(database, status=status, attach_status="attached", migration_status=migration_status)
    database.volume_detached(volume.id, _attachment(database, volume))
    volume.refresh()
    assert (volume.status, volume.attach_status) == (shown, "detached")


def test_a_volume_takes_its_attachments_with_it(database: Database) -> None:
    """`cinder.db.api:volume_destroy` marks what depends on the row as deleted."""
    volume, other = _volume(database), _volume(database)
    _attachment(database, volume)
    kept = _attachment(database, other)
    database.destroy_volume(volume.id)
    assert (list(database.volumes), list(database.attachments)) == ([other.id], [kept])


FIELDS = st.dictionaries(
    st.sampled_from(["status", "host", "display_name", "migration_status"]), st.text(max_size=3)
)


@given(st.lists(st.tuples(st.integers(0, 2), FIELDS), max_size=8))
def test_copies_interleave_by_field(writes: list[tuple[int, dict[str, str]]]) -> None:
    """However many copies write, each field of the row is what was written to it last."""
    database = Database(seed=0)
    volume = _volume(database)
    copies = [database.get_volume(volume.id) for _ in range(3)]
    expected = dict(database.volumes[volume.id])
    for number, values in writes:
        copies[number].update({**values, "no such field": "ignored"})
        copies[number].save()
        expected.update(values)
    row = dict(database.volumes[volume.id])
    row.pop(UPDATED, None)
    assert row == expected
