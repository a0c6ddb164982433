"""Volume types, their extra specs, encryption, access, and QoS specs."""

from __future__ import annotations

import pytest

from harness import errors
from harness.control_plane.cloud import Cloud
from harness.model import Context

ADMIN = Context("admin", "admin", is_admin=True)
MEMBER = Context("alice", "demo", is_admin=False)


def test_only_an_admin_makes_types(cloud: Cloud) -> None:
    """`volume_extension:type_create` is for admins."""
    with pytest.raises(errors.PolicyNotAuthorized, match="type_create"):
        cloud.types.create_type(MEMBER, "gold")


def test_a_name_is_taken_once(cloud: Cloud) -> None:
    """VolumeTypeExists, 409."""
    cloud.types.create_type(ADMIN, "gold")
    with pytest.raises(errors.VolumeTypeExists, match="Volume Type gold already exists"):
        cloud.types.create_type(ADMIN, "gold")


def test_a_private_type_is_there_for_its_projects(cloud: Cloud) -> None:
    """Others cannot see it; access is given and taken project by project."""
    kind = cloud.types.create_type(ADMIN, "secret", is_public=False)
    with pytest.raises(errors.VolumeTypeNotFound):
        cloud.types.get_type(MEMBER, kind.id)
    cloud.types.add_access(ADMIN, kind.id, "demo")
    assert cloud.types.get_type(MEMBER, kind.id).name == "secret"
    with pytest.raises(errors.VolumeTypeAccessExists):
        cloud.types.add_access(ADMIN, kind.id, "demo")
    cloud.types.remove_access(ADMIN, kind.id, "demo")
    assert kind.id not in [each.id for each in cloud.types.list_types(MEMBER)]
    with pytest.raises(errors.VolumeTypeAccessNotFound):
        cloud.types.remove_access(ADMIN, kind.id, "demo")


def test_access_to_a_public_type_is_not_given(cloud: Cloud) -> None:
    """InvalidVolumeType, 400."""
    kind = cloud.types.create_type(ADMIN, "open")
    with pytest.raises(errors.InvalidVolumeType, match="not applicable"):
        cloud.types.add_access(ADMIN, kind.id, "demo")


def test_a_type_in_use_stays_as_it_is(cloud: Cloud) -> None:
    """Neither extra specs nor encryption change, and it is not deleted."""
    kind = cloud.types.create_type(ADMIN, "busy", extra_specs={"tier": "gold"})
    cloud.api.create_volume(ADMIN, 1, volume_type="busy")
    with pytest.raises(errors.Invalid, match="currently in use"):
        cloud.types.set_extra_specs(ADMIN, kind.id, {"tier": "iron"})
    with pytest.raises(errors.Invalid, match="currently in use"):
        cloud.types.delete_extra_spec(ADMIN, kind.id, "tier")
    with pytest.raises(errors.Invalid, match="Cannot create encryption specs"):
        cloud.types.create_encryption(ADMIN, kind.id, provider="luks")
    with pytest.raises(errors.Invalid, match="still in use"):
        cloud.types.delete_type(ADMIN, kind.id)
    assert cloud.types.get_type(ADMIN, kind.id).extra_specs == {"tier": "gold"}


def test_extra_specs_are_added_and_removed(cloud: Cloud) -> None:
    """Key by key."""
    kind = cloud.types.create_type(ADMIN, "gold", extra_specs={"a": "1"})
    cloud.types.set_extra_specs(ADMIN, kind.id, {"b": "2"})
    cloud.types.delete_extra_spec(ADMIN, kind.id, "a")
    assert cloud.types.get_type(ADMIN, kind.id).extra_specs == {"b": "2"}
    with pytest.raises(errors.VolumeTypeExtraSpecsNotFound):
        cloud.types.delete_extra_spec(ADMIN, kind.id, "a")


def test_encryption_is_made_changed_and_removed(cloud: Cloud) -> None:
    """Once a type, and what is not said has Cinder's usual values."""
    kind = cloud.types.create_type(ADMIN, "vault")
    cloud.types.create_encryption(ADMIN, kind.id, provider="luks", cipher=None, key_size=None)
    with pytest.raises(errors.VolumeTypeEncryptionExists):
        cloud.types.create_encryption(ADMIN, kind.id, provider="luks")
    cloud.types.update_encryption(ADMIN, kind.id, provider="luks2")
    assert cloud.types.get_type(ADMIN, kind.id).encryption == ("luks2", "aes-xts-plain64", 256, "front-end")
    cloud.types.delete_encryption(ADMIN, kind.id)
    with pytest.raises(errors.VolumeTypeEncryptionNotFound):
        cloud.types.delete_encryption(ADMIN, kind.id)


def test_a_renamed_type_keeps_its_quota(cloud: Cloud) -> None:
    """The resources are named after the type."""
    kind = cloud.types.create_type(ADMIN, "old")
    cloud.api.create_volume(ADMIN, 2, volume_type="old")
    cloud.types.update_type(ADMIN, kind.id, name="new", description="better")
    assert cloud.quotas.usage("admin", "gigabytes_new").in_use == 2
    assert cloud.quotas.usage("admin", "gigabytes_old").in_use == 0


def test_a_type_has_one_qos_specs(cloud: Cloud) -> None:
    """Another one is refused until the first is gone."""
    kind = cloud.types.create_type(ADMIN, "fast")
    first = cloud.qos.create(ADMIN, "first", {"consumer": "front-end", "read_iops_sec": "100"})
    second = cloud.qos.create(ADMIN, "second", {})
    cloud.qos.associate(ADMIN, first.id, kind.id)
    with pytest.raises(errors.InvalidVolumeType, match="already associated"):
        cloud.qos.associate(ADMIN, second.id, kind.id)
    with pytest.raises(errors.Invalid, match="still in use"):
        cloud.qos.delete(ADMIN, first.id)
    cloud.qos.disassociate(ADMIN, first.id, kind.id)
    cloud.qos.associate(ADMIN, second.id, kind.id)
    assert [each.name for each in cloud.qos.associations(ADMIN, second.id)] == ["fast"]


def test_types_follow_their_qos_specs(cloud: Cloud) -> None:
    """What a type carries is what the specs say now."""
    kind = cloud.types.create_type(ADMIN, "fast")
    specs = cloud.qos.create(ADMIN, "limits", {"read_iops_sec": "100"})
    cloud.qos.associate(ADMIN, specs.id, kind.id)
    cloud.qos.update(ADMIN, specs.id, {"consumer": "both", "write_iops_sec": "5"})
    cloud.qos.delete_keys(ADMIN, specs.id, ["read_iops_sec"])
    carried = cloud.types.get_type(ADMIN, kind.id).qos_specs
    assert carried is not None
    assert (carried.consumer, carried.specs) == ("both", (("write_iops_sec", "5"),))
    cloud.qos.delete(ADMIN, specs.id, force=True)
    assert cloud.types.get_type(ADMIN, kind.id).qos_specs is None


def test_a_wrong_consumer_and_a_missing_key_are_refused(cloud: Cloud) -> None:
    """InvalidQoSSpecs, QoSSpecsExists, QoSSpecsKeyNotFound, QoSSpecsNotFound."""
    with pytest.raises(errors.InvalidQoSSpecs):
        cloud.qos.create(ADMIN, "wrong", {"consumer": "nobody"})
    specs = cloud.qos.create(ADMIN, "limits", {})
    with pytest.raises(errors.QoSSpecsExists):
        cloud.qos.create(ADMIN, "limits", {})
    with pytest.raises(errors.QoSSpecsKeyNotFound):
        cloud.qos.delete_keys(ADMIN, specs.id, ["absent"])
    with pytest.raises(errors.QoSSpecsNotFound):
        cloud.qos.get(ADMIN, "absent")
