"""Exports of logical volumes over iSCSI, by Cinder's target helpers tgtadm and lioadm.

Sources: `cinder.volume.targets.iscsi`, `.tgt` and `.lio`. They differ in the LUN (1 and 0), in what stands
for the target's number in `provider_location`, and in access: LIO keeps a list of initiators.
"""

from __future__ import annotations

import hashlib
from typing import Any

from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.targets import Chap, TargetPortal
from harness.driver import Configuration
from harness.errors import InvalidConnectorException, InvalidVolume, StorageError, VolumeNotFound
from harness.model import ConnectionInfo, Connector, ModelUpdate, Volume

STORAGE_PROTOCOL = "iSCSI"


class IscsiExports:
    """What a target driver does for the LVM driver. The portal's address stands for `target_ip_address`."""

    def __init__(self, configuration: Configuration, portal: TargetPortal) -> None:
        self._portal = portal
        self._lio = configuration.safe_get("target_helper") == "lioadm"
        self._lun = 0 if self._lio else 1
        self._prefix: str = configuration.safe_get("target_prefix") or "iqn.2010-10.org.openstack:"
        self._protocol: str = configuration.safe_get("target_protocol") or "iscsi"
        port = configuration.safe_get("target_port") or 3260
        addresses = [portal.address, *(configuration.safe_get("target_secondary_ip_addresses") or ())]
        self._portals = [f"{address}:{port}" for address in addresses]

    def ensure(self, volume: Volume, group: VolumeGroup) -> None:
        """Export again after a start, with the credentials on record.

        LIO restores its saved configuration, and only where it has no targets at all: they outlive the volume
        service, but not their host (`cinder.volume.targets.lio:LioAdm.ensure_export`).
        """
        if not self._lio:
            self._create(volume, group, _chap_on_record(volume))
        elif not self._portal.targets:
            self._portal.restore()

    def create(self, volume: Volume, group: VolumeGroup) -> ModelUpdate:
        """Export under the volume's name; the credentials on record are kept, else new ones are made.

        `provider_location` is ``ip:port[;ip:port],tid iqn lun``, `provider_auth` ``CHAP user secret``.
        """
        chap = _chap_on_record(volume) or _new_chap(volume.name)
        iqn, tid = self._create(volume, group, chap)
        return {
            "provider_location": f"{';'.join(self._portals)},{iqn if self._lio else tid} {iqn} {self._lun}",
            "provider_auth": f"CHAP {chap[0]} {chap[1]}",
        }

    def remove(self, volume: Volume) -> None:
        """Withdraw the export under the volume's name.

        Skipped when the target on record (`provider_location`) does not exist or there is none on record,
        even if there is one under the volume's name (`cinder.volume.targets.iscsi:remove_export`).
        """
        recorded = (volume.provider_location or "").split(" ")
        if len(recorded) > 1 and recorded[1] in self._portal.targets:
            self._portal.remove_target(self._prefix + volume.name)

    def initialize(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """Admit the connector's initiator, and say how to log in.

        InvalidVolume if nothing is on record and no target of the volume is found either.
        """
        if self._lio:
            recorded = (volume.provider_location or "").split(" ")
            if len(recorded) < 2:
                raise StorageError(f"volume {volume.id} has no target on record to admit an initiator to")
            self._portal.allow(recorded[1], connector["initiator"], _chap_of(volume.provider_auth))
        return {
            "driver_volume_type": self._protocol,
            "data": self._properties(volume, multipath=bool(connector.get("multipath"))),
        }

    def terminate(self, volume: Volume, connector: Connector) -> None:
        """LIO: withdraw the admission of the connector's initiator. tgt: nothing."""
        if self._lio and volume.provider_location is not None:
            self._portal.deny(volume.provider_location.split(" ")[1], connector["initiator"])

    @staticmethod
    def validate(connector: Connector) -> None:
        """InvalidConnectorException without an initiator's name."""
        if "initiator" not in connector:
            raise InvalidConnectorException(missing="initiator")

    @staticmethod
    def same_connector(one: Connector, other: Connector) -> bool:
        """True if both are of the same initiator."""
        return bool(one.get("initiator")) and one["initiator"] == other.get("initiator")

    def _create(self, volume: Volume, group: VolumeGroup, chap: Chap | None) -> tuple[str, int]:
        iqn = self._prefix + volume.name
        device = group.volume(volume.name)
        allowed: list[str] | None = [] if self._lio else None
        target = self._portal.create_target(
            iqn, device.open, group.close, chap=chap, allowed=allowed, lun=self._lun
        )
        return iqn, target.tid

    def _properties(self, volume: Volume, *, multipath: bool) -> dict[str, Any]:
        location = volume.provider_location
        properties: dict[str, Any] = {"target_discovered": not location}
        address, iqn, *rest = (location or self._discovered(volume)).split(" ")
        portals = address.split(",")[0].split(";")
        lun = int(rest[0]) if rest else 0
        if len(portals) > 1 or multipath:
            properties["target_portals"] = portals
            properties["target_iqns"] = [iqn] * len(portals)
            properties["target_luns"] = [lun] * len(portals)
        properties.update(target_portal=portals[0], target_iqn=iqn, target_lun=lun, volume_id=volume.id)
        if volume.provider_auth:
            method, user, secret = volume.provider_auth.split()
            properties.update(auth_method=method, auth_username=user, auth_password=secret)
        if volume.provider_geometry:
            physical, logical = volume.provider_geometry.split()
            properties.update(physical_block_size=physical, logical_block_size=logical)
        properties["encrypted"] = volume.encryption_key_id is not None
        return properties

    def _discovered(self, volume: Volume) -> str:
        for target in self._portal.targets.values():
            if volume.id in target.iqn:
                return f"{self._portals[0]},{target.tid} {target.iqn}"
        raise InvalidVolume(reason=f"Could not find iSCSI export for volume {volume.name}")


def _chap_on_record(volume: Volume) -> Chap | None:
    """What the database says now, whatever the caller's copy of the record says."""
    try:
        auth = volume._store.get_volume(volume.id).provider_auth
    except VolumeNotFound:
        return None
    return _chap_of(auth)


def _chap_of(auth: str | None) -> Chap | None:
    """User and secret of a `provider_auth`."""
    if not auth:
        return None
    _, user, secret = auth.split(" ", 2)
    return user, secret


def _new_chap(name: str) -> Chap:
    """Credentials that depend on the volume's name alone, 20 and 16 characters as Cinder makes them."""
    digits = hashlib.sha256(name.encode()).hexdigest()
    return digits[:20], digits[20:36]
