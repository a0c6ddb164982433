"""The reference NFS driver: what `cinder.volume.drivers.nfs` of Cinder 29 does, called by a simulated Cinder.

A volume is a file of one of the back-end's shares, named after the volume; `provider_location` is the share.
Its faults are kept, because they are what a migration meets: nothing converts a qcow2 file when Cinder copies
it byte by byte, the rename at the end trusts that two names of shares mean two directories, and a clone is
as large as what it was cloned from, whatever size was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import wraps
from typing import Any, TypeVar, cast

from fake_backends.block_store import MemoryDevice
from fake_backends.nfs import qemu_img, snapshots
from fake_backends.nfs.share import Share
from fake_backends.nfs.shares_config import DEFAULT_FILE, read_shares
from harness.driver import Images, VolumeDriver
from harness.errors import (
    ExtendVolumeError,
    Invalid,
    InvalidSnapshot,
    InvalidVolume,
    NfsException,
    NfsNoSharesMounted,
    NfsNoSuitableShareFound,
    StorageError,
    VolumeDriverException,
)
from harness.model import (
    GIB,
    ConnectionInfo,
    Connector,
    Context,
    ModelUpdate,
    Snapshot,
    Volume,
)

DEFAULTS: dict[str, Any] = {
    "nfs_shares_config": DEFAULT_FILE, "nfs_sparsed_volumes": True, "nfs_qcow2_volumes": False,
    "nfs_mount_point_base": "/var/lib/cinder/mnt", "nfs_snapshot_support": False, "reserved_percentage": 0,
    "max_over_subscription_ratio": "20.0", "nas_secure_file_operations": "auto",
    "nas_secure_file_permissions": "auto",
}  # fmt: skip
"""Options that the section may leave out (`cinder.volume.drivers.nfs:nfs_opts`, `remotefs:nas_opts`)."""

VOLUME_NAME = "volume-%s"
SECURE_INDICATOR = ".cinderSecureEnvIndicator"


Method = TypeVar("Method", bound=Callable[..., Any])


def one_at_a_time(method: Method) -> Method:
    """Hold the locks of the volumes that are concerned (`cinder.coordination:synchronized`).

    These are the volumes among the arguments, and of a snapshot its volume; a volume that is made from a
    snapshot is locked alone.
    """

    @wraps(method)
    def locked(self: NfsDriver, *arguments: Any, **keywords: Any) -> Any:
        ids = [each.id for each in arguments if isinstance(each, Volume)]
        ids = ids or [each.volume_id for each in arguments if isinstance(each, Snapshot)]
        with ExitStack() as held:
            for volume_id in reversed(ids):
                held.enter_context(self.world.lock(f"nfs-{volume_id}"))
            return method(self, *arguments, **keywords)

    return cast(Method, locked)


class NfsDriver(VolumeDriver):
    """Volumes are files, raw or qcow2 (`nfs_qcow2_volumes`), sparse or not (`nfs_sparsed_volumes`)."""

    VERSION = "1.4.0"
    VENDOR = "Open Source"
    STORAGE_PROTOCOL = "nfs"

    def do_setup(self, context: Context) -> None:
        """NfsException without shares; VolumeDriverException for options that exclude one another."""
        self.shares = read_shares(self.configuration)
        self._mounted: dict[str, Share] = {}
        self._ratio = self._over_subscription()
        self._ensure_shares_mounted()
        if not self._mounted:
            raise NfsNoSharesMounted
        self._secure_permissions = self._is_secure("nas_secure_file_permissions")
        if self._is_secure("nas_secure_file_operations") and self._option("nfs_snapshot_support"):
            raise VolumeDriverException(
                "Snapshots are not supported with nas_secure_file_operations enabled ('true' or 'auto'). "
                "Please set it to 'false' if you intend to have it enabled."
            )

    def _over_subscription(self) -> float:
        text = self._option("max_over_subscription_ratio")
        if text == "auto":
            raise VolumeDriverException(
                "This driver does not support automatic max_over_subscription_ratio calculation. Please use a "
                "valid float value."
            )
        if float(text) < 1:
            raise Invalid("The value of max_over_subscription_ratio must be greater than 1.")
        return float(text)

    def _is_secure(self, option: str) -> bool:
        """``auto`` means true on a new installation, which here is a share without volumes.

        A file in the share remembers it (`RemoteFSDriver._determine_nas_security_option_setting`).
        """
        value = str(self._option(option)).lower()
        if value not in ("auto", "true", "false"):
            raise Invalid(f"NAS config '{option}={value}' invalid. Must be 'auto', 'true', or 'false'")
        if value != "auto":
            return value == "true"
        share = next(iter(self._mounted.values()))
        if SECURE_INDICATOR not in share and not any(name.startswith("volume-") for name in share.names()):
            share.write_text(SECURE_INDICATOR, "Detector file for Cinder secure environment usage.\n")
            share.chmod(SECURE_INDICATOR, 0o640)
        return SECURE_INDICATOR in share

    # --------------------------------------------------------------------------------- for the checkers

    @property
    def container(self) -> str:
        """The exports: back-ends with the same ones share one name space."""
        return ",".join(self.shares)

    def objects(self) -> list[str]:
        """The volumes in the shares, by the names of their files, sorted; see `snapshots.objects`."""
        return sorted({name for share in self._mounted.values() for name in snapshots.objects(share)})

    # --------------------------------------------------------------------------------------------- stats

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """No pools: the sums over all shares, in GiB."""
        self._ensure_shares_mounted()
        statistics = [share.statistics() for share in self._mounted.values()]
        total = sum(each.total for each in statistics) / GIB
        free = sum(each.available for each in statistics) / GIB
        sparse = self._option("nfs_sparsed_volumes")
        used = sum(share.apparent_size() for share in self._mounted.values()) / GIB if sparse else total - free
        return {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name") or "Generic_NFS",
            "vendor_name": self.VENDOR,
            "driver_version": self.VERSION,
            "storage_protocol": self.STORAGE_PROTOCOL,
            "total_capacity_gb": total,
            "free_capacity_gb": free,
            "provisioned_capacity_gb": round(used, 2),
            "reserved_percentage": self._option("reserved_percentage"),
            "max_over_subscription_ratio": self._ratio,
            "QoS_support": False,
            "thin_provisioning_support": sparse,
            "thick_provisioning_support": not sparse,
            "sparse_copy_volume": True,
        }

    # ------------------------------------------------------------------------------------------- volumes

    @one_at_a_time
    def create_volume(self, volume: Volume) -> ModelUpdate:
        """NfsNoSuitableShareFound. The format is stored in `admin_metadata` at once."""
        if volume.encryption_key_id:
            raise VolumeDriverException("Encryption is not yet supported.")
        self._ensure_shares_mounted()
        volume.provider_location = self._find_share(volume.size)
        self._create_file(volume)
        return {"provider_location": volume.provider_location}

    @one_at_a_time
    def delete_volume(self, volume: Volume) -> None:
        """The active file and the ``.info``. Nothing happens without a `provider_location`."""
        if not volume.provider_location:
            return
        share = self._share(volume)
        active = snapshots.active_file(share, volume.name)
        if volume.name + snapshots.INFO in share:
            share.remove(volume.name + snapshots.INFO)
        share.remove(active)

    @one_at_a_time
    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """ExtendVolumeError while attached, without space, or if the file is not of the format on record."""
        if volume.attach_status == "attached":
            raise ExtendVolumeError(f"Cannot extend volume {volume.id} while it is attached.")
        share = self._share(volume)
        if not self._is_eligible(share, new_size - volume.size):
            raise ExtendVolumeError(reason=f"Insufficient space to extend volume {volume.id} to {new_size}G")
        active = snapshots.active_file(share, volume.name)
        qemu_img.resize(share, active, new_size * GIB, volume.admin_metadata.get("format"))

    @one_at_a_time
    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> ModelUpdate:
        """A copy, as large as the snapshot whatever `volume.size` says. InvalidSnapshot by its status."""
        if snapshot.status not in ("available", "backing-up", "restoring"):
            raise InvalidSnapshot(reason=f"Current snapshot state: {snapshot.status}.")
        self._ensure_shares_mounted()
        volume.provider_location = self._find_share(volume.size)
        self._create_file(volume)
        self._copy_from_snapshot(snapshot.volume, snapshot.id, volume)
        return {"provider_location": volume.provider_location}

    @one_at_a_time
    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> ModelUpdate:
        """A copy of a temporary snapshot, on the source's share, and as large as the source.

        The record says that the clone has the format of the source; the file has the back-end's.
        """
        if src_vref.status not in ("available", "backing-up", "downloading"):
            raise InvalidVolume(f"Invalid source volume state. Current source volume state: {src_vref.status}.")
        share = self._share(src_vref)
        source = src_vref._store.get_volume(src_vref.id)
        snapshots.create(share, source, volume.id, self.world.compute)
        volume.provider_location = source.provider_location
        try:
            self._copy_from_snapshot(source, volume.id, volume)
        finally:
            snapshots.delete(share, source, volume.id, self.world.compute)
        if "format" in src_vref.admin_metadata:
            volume.admin_metadata["format"] = src_vref.admin_metadata["format"]
            volume.save()
        return {"provider_location": volume.provider_location}

    # ----------------------------------------------------------------------------------------- snapshots

    @one_at_a_time
    def create_snapshot(self, snapshot: Snapshot) -> None:
        """VolumeDriverException without `nfs_snapshot_support`."""
        if not self._option("nfs_snapshot_support"):
            raise VolumeDriverException("NFS driver snapshot support is disabled in cinder.conf.")
        volume = snapshot.volume
        snapshots.create(self._share(volume), volume, snapshot.id, self.world.compute)

    @one_at_a_time
    def delete_snapshot(self, snapshot: Snapshot) -> None:
        volume = snapshot.volume
        snapshots.delete(self._share(volume), volume, snapshot.id, self.world.compute)

    def snapshot_revert_use_temp_snapshot(self) -> bool:
        """One more file in the chain would not help."""
        return False

    def revert_to_snapshot(self, context: Context, volume: Volume, snapshot: Snapshot) -> None:
        """NotImplementedError: the manager copies the snapshot instead."""
        raise NotImplementedError

    # --------------------------------------------------------------------------- exports and connections

    def ensure_export(self, context: Context, volume: Volume) -> None:
        self._share(volume)

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """The share, the active file, and its format: raw if the record says so, else what it looks like.

        InvalidVolume if the virtual disk has grown beyond the record's size: a guest may have done that.
        """
        share = self._share(volume)
        name = snapshots.active_file(share, volume.name)
        recorded = volume.admin_metadata.get("format")
        info = qemu_img.info(share, name, "raw" if recorded == "raw" else None)
        if math.ceil(info.virtual_size / GIB) > volume.size:
            raise InvalidVolume(
                reason="The volume virtual_size does not match the size in cinder, aborting as we suspect an "
                "exploit."
            )
        location = volume.provider_location or ""
        data: dict[str, Any] = {"export": location, "name": name, "format": info.file_format}
        if location in self.shares:
            data["options"] = self.shares[location]
        return {
            "driver_volume_type": "nfs",
            "data": data,
            "mount_point_base": self._option("nfs_mount_point_base"),
        }

    # -------------------------------------------------------------------------------------------- images

    @one_at_a_time
    def copy_volume_to_image(
        self, context: Context, volume: Volume, image_service: Images, image_meta: Mapping[str, Any]
    ) -> None:
        """The disk that is in the active file, in the format that it looks like.

        Invalid for a volume with snapshots: a file with a backing file does not pass the safety check of the
        conversion (`cinder.image.image_utils:qemu_img_info`, docs/bugs/nfs-upload-with-snapshot.md).
        """
        share = self._share(volume)
        active = snapshots.active_file(share, volume.name)
        if qemu_img.info(share, active).backing_file is not None:
            raise Invalid
        image_service.upload(image_meta["id"], qemu_img.open_image(share, active), volume.size)

    def copy_image_to_volume(
        self, context: Context, volume: Volume, image_service: Images, image_id: str,
        disable_sparse: bool = False,
    ) -> None:  # fmt: skip
        """Raw over the volume's own file, also where that is the one that snapshots keep their data in.

        The format on record stays, even where it says qcow2
        (`cinder.volume.drivers.remotefs:RemoteFSDriver.copy_image_to_volume`, `local_path`).
        """
        image = MemoryDevice(volume.size * GIB)
        image_service.download(image_id, image)
        qemu_img.overwrite(self._share(volume), volume.name, image)

    # ----------------------------------------------------------------------------------------- migration

    def update_migrated_volume(
        self, ctxt: Context, volume: Volume, new_volume: Volume, original_volume_status: str
    ) -> ModelUpdate:
        """Rename for a volume that is available and comes from another share; else keep the temporary name.

        The share's name is compared (LP 1798468), not the share: one that is mounted under two names loses
        the original file, and with it the data when the source is deleted.
        """
        name_id: str | None = new_volume.name_id
        if original_volume_status == "available" and volume.provider_location != new_volume.provider_location:
            try:
                self._share(new_volume).rename(new_volume.name, VOLUME_NAME % volume.id)
                name_id = None
            except StorageError:
                pass  # It keeps its temporary name.
        return {"_name_id": name_id, "provider_location": new_volume.provider_location}

    # ------------------------------------------------------------------------------------------- insides

    def _option(self, name: str) -> Any:
        value = self.configuration.safe_get(name)
        return DEFAULTS[name] if value is None else value

    def _ensure_shares_mounted(self) -> None:
        """Mount what can be mounted; a share that cannot is left out."""
        self._mounted = {
            export: self.world.shares[export] for export in self.shares if export in self.world.shares
        }

    def _share(self, volume: Volume) -> Share:
        """The share that a volume is on, mounted."""
        share: Share | None = self.world.shares.get(volume.provider_location or "")
        if share is None:
            raise NfsException(f"mount.nfs: mounting {volume.provider_location} failed, no such export")
        return share

    def _find_share(self, size_gb: int) -> str:
        """Of the shares that can take the volume, the one with the least in it."""
        if not self._mounted:
            raise NfsNoSharesMounted
        eligible = [export for export, share in self._mounted.items() if self._is_eligible(share, size_gb)]
        if not eligible:
            raise NfsNoSuitableShareFound(volume_size=size_gb)
        return min(eligible, key=lambda export: self._mounted[export].apparent_size())

    def _is_eligible(self, share: Share, size_gb: int) -> bool:
        """Not used beyond what is reserved, and not promised to others already."""
        total, available = share.statistics()
        promised = share.apparent_size()
        if (total - available) / total > (100 - self._option("reserved_percentage")) / 100:
            return False
        if max(0, total * self._ratio - promised) <= size_gb * GIB:
            return False
        return promised / total < self._ratio

    def _create_file(self, volume: Volume) -> None:
        share, size = self._share(volume), volume.size * GIB
        if self._option("nfs_qcow2_volumes"):
            qemu_img.create(share, volume.name, size, preallocated=True)
        elif self._option("nfs_sparsed_volumes"):
            share.truncate(volume.name, size)
        else:
            share.fill(volume.name, size)
        share.chmod(volume.name, 0o660 if self._secure_permissions else 0o666)
        volume.admin_metadata["format"] = "qcow2" if self._option("nfs_qcow2_volumes") else "raw"
        volume.save()

    def _copy_from_snapshot(self, source: Volume, snapshot_id: str, volume: Volume) -> None:
        """The snapshot is what lies below the file that was begun with it."""
        share = self._share(source)
        begun = snapshots.read_info(share, source.name)[snapshot_id]
        frozen = qemu_img.info(share, begun).backing_file or begun
        format = "qcow2" if self._option("nfs_qcow2_volumes") else "raw"
        # The clone's own record has no _name_id yet.
        qemu_img.convert(share, frozen, (self._share(volume), VOLUME_NAME % volume.id), format)
        self._share(volume).chmod(VOLUME_NAME % volume.id, 0o666)
