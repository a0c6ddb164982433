"""Comparing volume types (`cinder.volume.volume_types`)."""

from __future__ import annotations

from typing import Any

from harness.control_plane.database import Database
from harness.model import Encryption, TypesDiff, VolumeType


def volume_types_diff(old: VolumeType | None, new: VolumeType) -> tuple[TypesDiff, bool]:
    """({section: {key: (old, new)}}, all equal).

    Keys that both have alike are in it too: whoever takes a non-empty section for a difference is misled,
    as `VolumeManager.retype` and `_can_use_driver_migration` are.
    """
    diff: TypesDiff = {
        "extra_specs": _pairs(old.extra_specs if old else {}, new.extra_specs),
        "qos_specs": _pairs(_qos(old), _qos(new)),
        "encryption": _pairs(_encryption(old), _encryption(new)),
    }
    equal = all(before == after for section in diff.values() for before, after in section.values())
    return diff, equal


def encryption_changed(database: Database, old_id: str | None, new_id: str | None) -> bool:
    """True if the encryption of the two types differs (`volume_types_encryption_changed`)."""
    return _encryption_of(database, old_id) != _encryption_of(database, new_id)


def _encryption_of(database: Database, type_id: str | None) -> Encryption | None:
    return database.get_volume_type(type_id).encryption if type_id else None


def _pairs(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (old.get(key), new.get(key)) for key in {**old, **new}}


def _qos(volume_type: VolumeType | None) -> dict[str, Any]:
    if volume_type is None or volume_type.qos_specs is None:
        return {}
    return {"consumer": volume_type.qos_specs.consumer, **dict(volume_type.qos_specs.specs)}


def _encryption(volume_type: VolumeType | None) -> dict[str, Any]:
    if volume_type is None or volume_type.encryption is None:
        return {}
    return {**volume_type.encryption._asdict(), "deleted": False}
