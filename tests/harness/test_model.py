"""Records: copies of rows that go stale, and write what they changed."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model import (
    AVAILABLE_MIGRATION_STATUSES,
    Attachment,
    Service,
    Snapshot,
    Volume,
    VolumeType,
    is_migrating,
)
from harness.record import HostParts, Record, service_host, split_host

KINDS = (Volume, Snapshot, Attachment, VolumeType, Service)


class FakeStore:
    """Rows by id, as a database has them; `saved` has what each save wrote."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = {row["id"]: row for row in rows}
        self.saved: list[dict[str, Any]] = []

    def save(self, record: Record) -> None:
        self.saved.append(record.changes())
        self.rows[record.id].update(record.changes())

    def refresh(self, record: Record) -> None:
        record.__dict__.update(self.rows[record.id])

    def get_volume(self, volume_id: str) -> Volume:
        return Volume.from_row(self.rows[volume_id], self)

    def get_volume_type(self, type_id: str) -> VolumeType:
        return VolumeType.from_row(self.rows[type_id], self)

    def attachments_of(self, volume_id: str) -> list[Attachment]:
        return []

    def snapshots_of(self, volume_id: str) -> list[Snapshot]:
        return []


@pytest.fixture
def store() -> FakeStore:
    return FakeStore({**Volume.DEFAULTS, "id": "v1"}, {**VolumeType.DEFAULTS, "id": "t1", "name": "gold"})


def test_save_writes_only_what_was_assigned(store: FakeStore) -> None:
    """Two copies of a row that write different fields do not undo one another (`CinderPersistentObject`)."""
    one, other = store.get_volume("v1"), store.get_volume("v1")
    one.status = "available"
    other.migration_status = "migrating"
    one.save()
    other.save()
    other.save()
    assert store.saved == [{"status": "available"}, {"migration_status": "migrating"}, {}]
    assert store.rows["v1"]["status"] == "available"
    assert other.status == "creating", "stale until it is refreshed"


def test_an_equal_value_is_a_change(store: FakeStore) -> None:
    """Assigning what is there already still overwrites what others wrote meanwhile, as in Cinder."""
    volume = store.get_volume("v1")
    store.rows["v1"]["status"] = "in-use"
    volume.status = "creating"
    volume.save()
    assert store.rows["v1"]["status"] == "creating"


def test_changes_have_an_order(store: FakeStore) -> None:
    """Not that of a set, which differs from process to process."""
    volume = store.get_volume("v1")
    for field in ("status", "host", "attach_status", "_name_id", "size"):
        setattr(volume, field, None)
    assert list(volume.changes()) == ["_name_id", "attach_status", "host", "size", "status"]


def test_update_ignores_what_is_no_field(store: FakeStore) -> None:
    """A driver's model update may hold anything."""
    volume = store.get_volume("v1")
    volume.update({"provider_location": "here", "nonsense": 1})
    assert volume.changes() == {"provider_location": "here"}


def test_an_attribute_that_is_no_field_is_not_saved(store: FakeStore) -> None:
    """Drivers stick things to records; columns do not come of it. A property is not overwritten."""
    volume = store.get_volume("v1")
    setattr(volume, "note", "mine")  # noqa: B010 - mypy knows that there is no such field
    assert vars(volume)["note"] == "mine"
    assert volume.changes() == {}
    with pytest.raises(AttributeError):
        volume.name = "mine"  # type: ignore[misc]  # the point of the test


def test_refresh_drops_unsaved_changes(store: FakeStore) -> None:
    """What the row has now, all of it."""
    volume = store.get_volume("v1")
    volume.status = "error"
    volume.metadata["key"] = "unsaved"
    store.rows["v1"]["host"] = "elsewhere"
    volume.refresh()
    assert (volume.status, volume.host, volume.metadata) == ("creating", "elsewhere", {})
    assert volume.changes() == {}
    volume.metadata["key"] = "value"
    assert store.rows["v1"]["metadata"] == {}, "after a refresh, the row's dict is still the row's"


def test_a_copy_carries_unsaved_changes(store: FakeStore) -> None:
    """What the other side of a message sees and may save (`oslo.versionedobjects`)."""
    volume = store.get_volume("v1")
    volume.status = "maintenance"
    volume.metadata["key"] = "value"
    copy = volume.copy()
    assert copy.changes() == {"metadata": {"key": "value"}, "status": "maintenance"}
    copy.status = "error"
    copy.metadata["key"] = "other"
    assert (volume.status, volume.metadata) == ("maintenance", {"key": "value"})
    copy.save()
    assert volume.changes() == {"metadata": {"key": "value"}, "status": "maintenance"}


def test_nested_values_are_shared_with_nobody(store: FakeStore) -> None:
    """A change in place is seen by no other record, no row and no other world before it is saved."""
    volume, other = store.get_volume("v1"), store.get_volume("v1")
    volume.metadata["key"] = "value"
    assert other.metadata == store.rows["v1"]["metadata"] == Volume.DEFAULTS["metadata"] == {}
    volume.save()
    assert store.saved == [{"metadata": {"key": "value"}}], "as Volume.obj_what_changed finds it"
    volume.metadata["key"] = "later"
    assert store.rows["v1"]["metadata"] == {"key": "value"}
    assert volume.changes() == {"metadata": {"key": "later"}}


def test_connection_info_is_shared_with_nobody() -> None:
    """Two levels deep; Cinder does not notice a change in place, so it is not saved."""
    info = {"driver_volume_type": "iscsi", "data": {"target_lun": 0}}
    store = FakeStore({**Attachment.DEFAULTS, "id": "a1", "connection_info": info, "connector": None})
    attachment = Attachment.from_row(store.rows["a1"], store)
    assert attachment.connection_info is not None
    attachment.connection_info["data"]["target_lun"] = 5
    assert info["data"] == {"target_lun": 0}
    assert attachment.changes() == {}
    attachment.connection_info = {"data": {"target_lun": 7}}
    attachment.save()
    attachment.connection_info["data"]["target_lun"] = 8
    assert store.rows["a1"]["connection_info"] == {"data": {"target_lun": 7}}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_fields_are_declared_once(kind: type[Record]) -> None:
    """Annotations and defaults name the same fields; every dict among them is known as nested."""
    declared = [name for each in kind.__mro__ for name in vars(each).get("__annotations__", ())]
    assert sorted(name for name in declared if name in kind.DEFAULTS) == sorted(kind.DEFAULTS)
    assert set(kind.__annotations__) - {"volume_attachment"} <= set(kind.DEFAULTS)
    nested = {name for name, default in kind.DEFAULTS.items() if isinstance(default, dict)}
    assert nested <= set(kind.NESTED) <= set(kind.DEFAULTS)


def test_the_name_follows_name_id(store: FakeStore) -> None:
    """A driver that builds names from `id` addresses the wrong object after a migration."""
    volume = store.get_volume("v1")
    assert (volume.name_id, volume.name) == ("v1", "volume-v1")
    volume._name_id = "v2"
    assert (volume.name_id, volume.name) == ("v2", "volume-v2")
    volume._name_id = None
    assert volume.name == "volume-v1"


def test_a_snapshot_s_volume_name_follows_the_volume(store: FakeStore) -> None:
    """`cinder.objects.snapshot:Snapshot.volume_name`."""
    snapshot = Snapshot.from_row({**Snapshot.DEFAULTS, "id": "s1", "volume_id": "v1"}, store)
    store.rows["v1"]["_name_id"] = "v9"
    assert (snapshot.name, snapshot.volume_name) == ("snapshot-s1", "volume-v9")


def test_the_type_is_looked_up_when_asked_for(store: FakeStore) -> None:
    """None without a type; else the type as it is now."""
    volume = store.get_volume("v1")
    assert volume.volume_type is None
    volume.volume_type_id = "t1"
    assert volume.volume_type is not None
    assert volume.volume_type.name == "gold"
    assert not volume.volume_type.multiattach
    store.rows["t1"]["extra_specs"] = {"multiattach": "<is> True"}
    assert volume.volume_type.multiattach


@pytest.mark.parametrize(
    ("address", "parts", "service"),
    [
        ("node@lvm#pool", HostParts("node", "lvm", "pool"), "node@lvm"),
        ("node@lvm", HostParts("node", "lvm", ""), "node@lvm"),
        ("node", HostParts("node", "", ""), "node"),
        ("node#pool", HostParts("node", "", "pool"), "node"),
        ("node@lvm#user@pool", HostParts("node", "lvm", "user@pool"), "node@lvm"),
        ("", HostParts("", "", ""), ""),
    ],
)
def test_addresses_come_apart(address: str, parts: HostParts, service: str) -> None:
    """``host@backend#pool``; an @ behind the # belongs to the pool (`volume_utils:extract_host`)."""
    assert split_host(address) == parts
    assert service_host(address) == service


def test_what_counts_as_migrating() -> None:
    """`error`, `success` and `deleting` are ends; a target is a migration."""
    assert not any(is_migrating(status) for status in AVAILABLE_MIGRATION_STATUSES)
    assert all(is_migrating(status) for status in ("starting", "migrating", "completing", "target:v1"))
