"""What a volume type asks of an RBD image: QoS limits, multiattach, replication.

Source: `cinder.volume.drivers.rbd:RBDDriver._setup_volume` and `retype`.
"""

from __future__ import annotations

import json

from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.pool import Pool
from harness.errors import InvalidArgument, StorageError, VolumeBackendAPIException, VolumeDriverException
from harness.model import ModelUpdate, TypesDiff, Volume, VolumeType

QOS_OPTIONS = {
    "total_iops_sec": "rbd_qos_iops_limit",
    "read_iops_sec": "rbd_qos_read_iops_limit",
    "write_iops_sec": "rbd_qos_write_iops_limit",
    "total_bytes_sec": "rbd_qos_bps_limit",
    "read_bytes_sec": "rbd_qos_read_bps_limit",
    "write_bytes_sec": "rbd_qos_write_bps_limit",
    "total_iops_sec_max": "rbd_qos_bps_burst",
    "read_iops_sec_max": "rbd_qos_read_iops_burst",
    "write_iops_sec_max": "rbd_qos_write_iops_burst",
    "total_bytes_sec_max": "rbd_qos_bps_burst",
    "read_bytes_sec_max": "rbd_qos_read_bps_burst",
    "write_bytes_sec_max": "rbd_qos_write_bps_burst",
}
"""QoS spec to image option. That ``total_iops_sec_max`` sets the bytes' burst is Cinder's own slip."""

MULTIATTACH_EXCLUSIONS = (
    feature_bits.JOURNALING | feature_bits.FAST_DIFF | feature_bits.OBJECT_MAP | feature_bits.EXCLUSIVE_LOCK
)
"""What an image that several clients write to cannot have."""


class RbdDriverException(VolumeDriverException):
    template = "RBD Cinder driver failure: {reason}"


class ReplicationError(VolumeDriverException):
    template = "Volume {volume_id} replication error: {reason}"


def is_replicated(volume_type: VolumeType | None) -> bool:
    """True if the type asks for replication."""
    return volume_type is not None and volume_type.extra_specs.get("replication_enabled") == "<is> True"


def is_multiattach(volume_type: VolumeType | None) -> bool:
    """True if the type asks for multiattach."""
    return volume_type is not None and volume_type.multiattach


def is_possible(volume_type: VolumeType | None) -> bool:
    """Replication and multiattach exclude one another."""
    return not (is_replicated(volume_type) and is_multiattach(volume_type))


def apply_type(pool: Pool, volume: Volume, new_type: VolumeType | None = None) -> ModelUpdate:
    """Make the image fit the volume's type, or `new_type` at a retype; returns the fields to store.

    RbdDriverException; ReplicationError always where replication is asked for, because no cluster here
    mirrors its pools; VolumeBackendAPIException if a QoS limit cannot be set.
    """
    old_type = volume.volume_type if new_type is not None else None
    wanted = new_type if new_type is not None else volume.volume_type
    _set_qos(pool, volume, wanted)
    if not is_possible(wanted):
        raise RbdDriverException(reason="Replication and Multiattach are mutually exclusive.")
    update: ModelUpdate = {}
    if is_replicated(wanted):
        if is_multiattach(old_type):
            update.update(_disable_multiattach(pool, volume))
        if not is_replicated(old_type):
            _enable_replication(pool, volume)
    elif is_replicated(old_type):
        raise ReplicationError(volume_id=volume.id, reason="Failed to disable image replication")
    if is_multiattach(wanted):
        update.update(_enable_multiattach(pool, volume))
    elif is_multiattach(old_type):
        update.update(_disable_multiattach(pool, volume))
    return update


def remove_stale_qos(pool: Pool, volume: Volume, diff: TypesDiff) -> None:
    """At a retype: drop the limits that the new type does not have. VolumeBackendAPIException."""
    specs = diff.get("qos_specs")
    if not specs:
        return
    old_consumer, new_consumer = specs.get("consumer", (None, None))
    if new_consumer == "front-end" and old_consumer != "front-end":
        stale = [key for key in specs if key in QOS_OPTIONS]
    else:
        metadata = pool.image(volume.name).metadata
        stale = [
            key
            for key, option in QOS_OPTIONS.items()
            if metadata.get(f"conf_{option}", "0") != "0" and specs.get(key, (None, None))[1] is None
        ]
    try:
        with pool.open(volume.name) as handle:
            for key in stale:
                handle.image.config_remove(QOS_OPTIONS[key])
    except StorageError as error:
        raise VolumeBackendAPIException(
            data=f"Failed to delete qos keys for RBD image {volume.name}, due to {error}."
        ) from error


def _set_qos(pool: Pool, volume: Volume, volume_type: VolumeType | None) -> None:
    qos = volume_type.qos_specs if volume_type is not None else None
    if qos is None or qos.consumer not in ("back-end", "both"):
        return
    try:
        with pool.open(volume.name) as handle:
            for key, value in qos.specs:
                if key in QOS_OPTIONS:
                    handle.image.config_set(QOS_OPTIONS[key], str(value))
    except StorageError as error:
        raise VolumeBackendAPIException(
            data=f"Failed to set qos specs for RBD image {volume.name}, due to {error}."
        ) from error


def _enable_replication(pool: Pool, volume: Volume) -> None:
    with pool.open(volume.name) as handle:
        for bit in (feature_bits.EXCLUSIVE_LOCK, feature_bits.JOURNALING):
            if not handle.image.features & bit:
                handle.image.set_features(bit, True)
    raise ReplicationError(volume_id=volume.id, reason="Failed to enable image replication")


def _enable_multiattach(pool: Pool, volume: Volume) -> ModelUpdate:
    with pool.open(volume.name) as handle:
        bits = handle.image.features
        if bits & MULTIATTACH_EXCLUSIONS:
            handle.image.set_features(bits & MULTIATTACH_EXCLUSIONS, False)
    return {"provider_location": json.dumps({"saved_features": bits}, separators=(",", ":"))}


def _disable_multiattach(pool: Pool, volume: Volume) -> ModelUpdate:
    """A volume whose provider_location was lost raises TypeError, as in Cinder."""
    with pool.open(volume.name) as handle:
        bits = json.loads(volume.provider_location or "null")["saved_features"] & MULTIATTACH_EXCLUSIONS
        try:
            if bits:
                handle.image.set_features(bits, True)
        except InvalidArgument as error:
            raise RbdDriverException(reason="Failed to restore image features.") from error
    return {"provider_location": None}
