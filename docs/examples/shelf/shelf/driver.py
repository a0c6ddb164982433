"""The driver of a disk shelf: volumes are exported over iSCSI, one target for the whole shelf."""

from __future__ import annotations

from typing import Any

from harness.driver import VolumeDriver
from harness.errors import AlreadyExists, NotFound, VolumeBackendAPIException


class ShelfDriver(VolumeDriver):
    """Objects are addressed by `volume.name`, so that they are found after a migration."""

    VERSION = "1.0.0"
    VENDOR = "Shelf"
    REQUIRED_CONNECTOR_KEYS = ("initiator",)

    def do_setup(self, context: Any) -> None:
        self.shelf = self.world.arrays[self.configuration.safe_get("crucible_array_name")]

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        option = self.configuration.safe_get
        return {
            "volume_backend_name": option("volume_backend_name"),
            "vendor_name": self.VENDOR,
            "driver_version": self.VERSION,
            "storage_protocol": "iSCSI",
            "total_capacity_gb": self.shelf.SIZE_GB,
            "free_capacity_gb": self.shelf.SIZE_GB - self.shelf.used_gb(),
            "reserved_percentage": option("reserved_percentage"),
            "max_over_subscription_ratio": option("max_over_subscription_ratio"),
            "thin_provisioning_support": False,
            "thick_provisioning_support": True,
            "sparse_copy_volume": True,
            "multiattach": True,
            "location_info": f"Shelf:{self.shelf.place.name}",
        }

    def create_volume(self, volume: Any) -> None:
        self.shelf.create(volume.name, volume.size)

    def delete_volume(self, volume: Any) -> None:
        self.shelf.delete(volume.name)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        self.shelf.grow(volume.name, new_size)

    def create_snapshot(self, snapshot: Any) -> None:
        self.shelf.copy(snapshot.volume_name, snapshot.name)

    def delete_snapshot(self, snapshot: Any) -> None:
        self.shelf.delete(snapshot.name)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        self._copy(snapshot.name, volume)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        self._copy(src_vref.name, volume)

    def _copy(self, source: str, volume: Any) -> None:
        self.shelf.copy(source, volume.name)
        self.shelf.grow(volume.name, volume.size)

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        lun = self.shelf.present(volume.name, connector["initiator"])
        portal, iqn = self.shelf.PORTAL, self.shelf.IQN
        data = {"target_portal": portal, "target_iqn": iqn, "target_lun": lun, "volume_id": volume.id}
        return {"driver_volume_type": "iscsi", "data": data}

    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        """Attachments on the same host share what was presented to it."""
        if connector is None:
            self.shelf.withdraw(volume.name, None)
            return False
        same = [
            each
            for each in volume.volume_attachment
            if each.connector and each.connector["initiator"] == connector["initiator"]
        ]
        if len(same) < 2:
            self.shelf.withdraw(volume.name, connector["initiator"])
        return len(volume.volume_attachment) > 1

    def remove_export(self, context: Any, volume: Any) -> None:
        """Nobody is to have it any more, also if the last `terminate_connection` failed.

        Not so while servers use it: an upload of a volume in use ends the service's own connection like this.
        """
        if not volume.volume_attachment:
            self.shelf.withdraw(volume.name, None)

    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> dict[str, Any]:
        """Rename what nobody uses; keep the temporary name for anything else."""
        if original_volume_status == "available":
            try:
                self.shelf.rename(new_volume.name, f"volume-{volume.id}")
                return {"_name_id": None, "provider_location": None}
            except (AlreadyExists, NotFound, VolumeBackendAPIException):
                pass
        return {"_name_id": new_volume.name_id, "provider_location": new_volume.provider_location}

    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> bool:
        """Every type is the same to a shelf, on the same shelf."""
        return bool(host["host"].partition("#")[0] == self.host)
