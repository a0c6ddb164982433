"""The reference LVM driver: what `cinder.volume.drivers.lvm` of Cinder 29 does, called by a simulated Cinder.

Faults of the original are kept where the caller can see them, and named where they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from fake_backends.lvm import dd, manageable
from fake_backends.lvm.exports import STORAGE_PROTOCOL, IscsiExports
from fake_backends.lvm.logical_volume import ThickSnapshot
from fake_backends.lvm.provisioning import capacity, create, ensure_pool, printed
from fake_backends.lvm.volume_group import VolumeGroup
from harness.driver import Images, VolumeDriver
from harness.errors import (
    Invalid,
    ManageExistingAlreadyManaged,
    ManageExistingInvalidReference,
    NotFound,
    StorageError,
    VolumeBackendAPIException,
    VolumeIsBusy,
    VolumeNotFound,
)
from harness.model import (
    GIB,
    ConnectionInfo,
    Connector,
    Context,
    Manageable,
    ModelUpdate,
    Snapshot,
    TypesDiff,
    Volume,
    VolumeType,
)
from harness.record import split_host

MIB_PER_GIB = 1024
VOLUME_NAME = "volume-%s"


class LvmDriver(VolumeDriver):
    """Volumes are logical volumes of one volume group of the node that the service runs on.

    `lvm_type` is ``default`` (thick) or ``thin``; ``auto`` becomes ``thin``, because the original makes a
    thin pool while it looks for one (`cinder.brick.local_dev.lvm:LVM`).
    """

    VERSION = "3.0.0"
    VENDOR = "Open Source"
    REQUIRED_CONNECTOR_KEYS = ("initiator",)

    lvm_type: str
    _group: VolumeGroup | None = None
    _sparse_copy = False

    def do_setup(self, context: Context) -> None:
        self.lvm_type = self.configuration.safe_get("lvm_type") or "auto"
        self.hostname = split_host(self.host).host
        self.node = self.world.node(self.hostname)
        self.backend_name = self.configuration.safe_get("volume_backend_name") or "LVM"
        self.exports = IscsiExports(self.configuration, self.node.targets)
        self._stats: dict[str, Any] = {}

    def check_for_setup_error(self) -> None:
        """Find the volume group, and make its thin pool if there is none.

        VolumeBackendAPIException if there is no such group, or no space for a pool.
        """
        group = self.node.volume_groups.get(self.volume_group_name)
        if group is None:
            raise VolumeBackendAPIException(data=f"Volume Group {self.volume_group_name} does not exist")
        if self.lvm_type in ("auto", "thin"):
            try:
                ensure_pool(group)
            except StorageError as error:
                reason = f"Failed to create thin pool, error message was: {error}"
                raise VolumeBackendAPIException(data=reason) from error
            self.lvm_type = "thin"
        self._sparse_copy = self.lvm_type == "thin"
        self._group = group

    # --------------------------------------------------------------------------------- for the checkers

    @property
    def volume_group_name(self) -> str:
        """The configured volume group."""
        return self.configuration.safe_get("volume_group") or "cinder-volumes"

    @property
    def container(self) -> str:
        """``<hostname>/<volume group>``: two back-ends with the same one share one name space."""
        return f"{split_host(self.host).host}/{self.volume_group_name}"

    def objects(self) -> list[str]:
        """Names of the volumes and snapshots in the container, in the order of their creation."""
        return self.group.names()

    @property
    def group(self) -> VolumeGroup:
        """The volume group, once `check_for_setup_error` has found it."""
        if self._group is None:
            raise VolumeBackendAPIException(data=f"Volume Group {self.volume_group_name} is not initialised")
        return self._group

    # --------------------------------------------------------------------------------------------- stats

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """One pool, named as the back-end. Figures are GiB with the two decimals that lvm2 prints."""
        if refresh or not self._stats:
            self._stats = self._fresh_stats()
        return self._stats

    def _fresh_stats(self) -> dict[str, Any]:
        total, free, provisioned = capacity(self.group, self.lvm_type, self._mirrors)
        thin = self.lvm_type == "thin"
        option = self.configuration.safe_get
        reserved = option("reserved_percentage")
        ratio = option("max_over_subscription_ratio")
        pool = {
            "pool_name": self.backend_name,
            "total_capacity_gb": total,
            "free_capacity_gb": free,
            "provisioned_capacity_gb": provisioned,
            "reserved_percentage": 0 if reserved is None else reserved,
            "max_over_subscription_ratio": "20.0" if ratio is None else ratio,
            "location_info": (
                f"LVMVolumeDriver:{self.hostname}:{self.volume_group_name}:{self.lvm_type}:{self._mirrors}"
            ),
            "QoS_support": False,
            "thin_provisioning_support": thin,
            "thick_provisioning_support": not thin,
            "total_volumes": len(self.group.names()) + len(self.group.pools()),
            "filter_function": option("filter_function"),
            "goodness_function": option("goodness_function"),
            "multiattach": True,
            "backend_state": "up",
        }
        return {
            "volume_backend_name": self.backend_name,
            "vendor_name": self.VENDOR,
            "driver_version": self.VERSION,
            "storage_protocol": STORAGE_PROTOCOL,
            "pools": [pool],
            "shared_targets": bool(option("lvm_share_target")),
            "sparse_copy_volume": self._sparse_copy,
        }

    @property
    def _mirrors(self) -> int:
        return int(self.configuration.safe_get("lvm_mirrors") or 0)

    # ------------------------------------------------------------------------------------------- volumes

    def create_volume(self, volume: Volume) -> None:
        create(self.group, volume.name, volume.size, self.lvm_type, self._mirrors)

    def delete_volume(self, volume: Volume) -> None:
        """VolumeIsBusy if it has thick snapshots; thin ones do not count, as they do not need it."""
        if volume.name not in self.group:
            return
        if self.group.volume(volume.name).snapshots:
            raise VolumeIsBusy(volume_name=volume.name)
        self._delete(volume.name, volume.size)

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """A thick volume with snapshots is inactive meanwhile, and stays so if the extend fails."""
        self._extend(volume.name, new_size)

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        """Thin: a snapshot of the snapshot. Thick: a new volume, and a copy of `snapshot.volume_size` GiB."""
        source = _escaped(snapshot.name)
        if self.lvm_type == "thin":
            self._thin_clone(volume, source, snapshot.volume_size)
            return
        create(self.group, volume.name, volume.size, self.lvm_type, self._mirrors)
        self.group.activate(source)
        self._copy(source, self.group, volume.name, snapshot.volume_size)

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        """Thin: a snapshot of the source. Thick: a copy of a temporary snapshot, which goes in any case."""
        if self.lvm_type == "thin":
            self._thin_clone(volume, src_vref.name, src_vref.size)
            return
        temporary = f"clone-snap-{volume.id}"
        self._snapshot(src_vref.name, temporary)
        try:
            create(self.group, volume.name, volume.size, self.lvm_type, self._mirrors)
            self.group.activate(temporary)
            self._copy(temporary, self.group, volume.name, src_vref.size)
        finally:
            self._delete_snapshot(temporary, src_vref.size)

    # ----------------------------------------------------------------------------------------- snapshots

    def create_snapshot(self, snapshot: Snapshot) -> None:
        """Thick: the store gets the size that lvm2 prints for the origin, with two decimals of a GiB."""
        self._snapshot(snapshot.volume_name, _escaped(snapshot.name))

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        self._delete_snapshot(_escaped(snapshot.name), snapshot.volume_size)

    def revert_to_snapshot(self, context: Context, volume: Volume, snapshot: Snapshot) -> None:
        """Thick: merge the snapshot back, and make a new one. NotImplementedError for thin."""
        if self.lvm_type == "thin":
            raise NotImplementedError("Revert volume to snapshot not implemented for thin LVM.")
        self.group.merge(_escaped(snapshot.name))
        self.group.deactivate(volume.name)
        self.group.activate(volume.name)
        self.create_snapshot(snapshot)

    # --------------------------------------------------------------------------- exports and connections

    def ensure_export(self, context: Context, volume: Volume) -> None:
        self.group.activate(volume.name)
        self.exports.ensure(volume, self.group)

    def create_export(self, context: Context, volume: Volume, connector: Connector) -> ModelUpdate:
        self.group.activate(volume.name)
        return self.exports.create(volume, self.group)

    def remove_export(self, context: Context, volume: Volume) -> None:
        self.exports.remove(volume)

    def validate_connector(self, connector: Connector) -> None:
        self.exports.validate(connector)

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        return self.exports.initialize(volume, connector)

    def terminate_connection(self, volume: Volume, connector: Connector | None, **kwargs: Any) -> bool:
        """True while other attachments use the one export. An initiator that has two keeps its access.

        The original looks into a connector that is None, too, and so does this: TypeError with LIO, and
        AttributeError for a multiattach volume that is attached (docs/bugs/lio-terminate-without-connector.md).
        """
        theirs, attachments = cast(Connector, connector), volume.volume_attachment
        if volume.multiattach:
            connectors = [attachment.connector for attachment in attachments if attachment.connector]
            if sum(self.exports.same_connector(each, theirs) for each in connectors) > 1:
                return True
        self.exports.terminate(volume, theirs)
        return len(attachments) > 1

    # -------------------------------------------------------------------------------------------- images

    def copy_volume_to_image(
        self, context: Context, volume: Volume, image_service: Images, image_meta: Mapping[str, Any]
    ) -> None:
        """From the device itself: nothing is exported."""
        device = self.group.volume(volume.name).open()
        try:
            image_service.upload(image_meta["id"], device, volume.size)
        finally:
            device.close()

    def copy_image_to_volume(
        self, context: Context, volume: Volume, image_service: Images, image_id: str,
        disable_sparse: bool = False,
    ) -> None:  # fmt: skip
        """Onto the device itself."""
        device = self.group.volume(volume.name).open()
        try:
            image_service.download(image_id, device)
        finally:
            device.close()

    # ------------------------------------------------------------------------------ migration and retype

    def migrate_volume(
        self, context: Context, volume: Volume, host: Mapping[str, Any]
    ) -> tuple[bool, ModelUpdate | None]:
        """Copy to another volume group of this node, under the same name, and delete the source.

        Refuses a volume that is not available or retyping, and a destination that is not LVM on this node.
        Raises for the volume group that the volume is in. The copy is sparse if the *source* is thin, so on a
        thick destination old bytes stay where the source is empty. When the copy fails, the original tries
        to remove the copy by the record instead of its name: that fails too, with an error of its own, and
        the copy stays behind.
        """
        if volume.status not in ("available", "retyping"):
            return False, None
        location = _parsed_location(host["capabilities"].get("location_info"))
        if location is None or location[0] != self.hostname:
            return False, None
        _, group_name, lvm_type, mirrors = location
        if group_name == self.group.name:
            raise VolumeBackendAPIException(
                data=f"Refusing to migrate volume ID: {volume.id}. Please check your configuration because "
                f"source and destination are the same Volume Group: {group_name}."
            )
        destination = self.node.volume_groups.get(group_name)
        if destination is None:
            return False, None
        if lvm_type not in ("default", "thin"):
            raise Invalid('lvm_type must be "default" or "thin"')
        if lvm_type == "thin":
            ensure_pool(destination)
        create(destination, volume.name, volume.size, lvm_type, mirrors)
        try:
            self._copy(volume.name, destination, volume.name, volume.size)
        except Exception as error:
            raise NotFound(f'Failed to find logical volume "{group_name}/{volume!r}"') from error
        self._delete(volume.name, volume.size)
        return True, None

    def update_migrated_volume(
        self, ctxt: Context, volume: Volume, new_volume: Volume, original_volume_status: str
    ) -> ModelUpdate:
        """Rename for an available volume; keep the temporary name for any other, or if that fails."""
        if original_volume_status == "available":
            try:
                self.group.rename(VOLUME_NAME % new_volume.id, VOLUME_NAME % volume.id)
                return {"_name_id": None, "provider_location": None}
            except StorageError:
                pass
        return {"_name_id": new_volume.name_id, "provider_location": new_volume.provider_location}

    def retype(
        self, context: Context, volume: Volume, new_type: VolumeType, diff: TypesDiff, host: Mapping[str, Any]
    ) -> bool:
        """Nothing to do, so nothing can fail."""
        return True

    # --------------------------------------------------------------------------------- manage, unmanage

    def manage_existing(self, volume: Volume, existing_ref: Mapping[str, str]) -> None:
        """Rename. ManageExistingAlreadyManaged if a volume of the id in the old name is on record."""
        self._take_over(existing_ref, volume.name, volume)

    def _take_over(self, existing_ref: Mapping[str, str], new_name: str, record: Volume | Snapshot) -> None:
        name = existing_ref["source-name"]
        match = re.fullmatch(VOLUME_NAME.replace("%s", "(.+)"), name)
        if match and _on_record(record, match[1]):
            raise ManageExistingAlreadyManaged(volume_ref=name)
        try:
            self.group.rename(name, new_name)
        except StorageError as error:
            reason = f"Failed to rename logical volume {name}, error message was: {error}"
            raise VolumeBackendAPIException(data=reason) from error

    def manage_existing_get_size(self, volume: Volume, existing_ref: Mapping[str, str]) -> int:
        """GiB, rounded up from what lvm2 prints. ManageExistingInvalidReference without source-name."""
        return self._existing_size(existing_ref)

    def _existing_size(self, existing_ref: Mapping[str, str]) -> int:
        if "source-name" not in existing_ref:
            raise ManageExistingInvalidReference(
                existing_ref=existing_ref, reason="Reference must contain source-name element."
            )
        name = existing_ref["source-name"]
        if name in self.group.pools():
            return math.ceil(printed(self.group.pool(name).size))
        if name not in self.group.names():
            raise ManageExistingInvalidReference(
                existing_ref=name, reason="Specified logical volume does not exist."
            )
        return math.ceil(printed(self.group.volume(name).listed_size))

    def get_manageable_volumes(self, cinder_volumes: Sequence[Volume]) -> list[Manageable]:
        return manageable.volumes(self.group, [volume.id for volume in cinder_volumes])

    def manage_existing_snapshot(self, snapshot: Snapshot, existing_ref: Mapping[str, str]) -> None:
        """Rename, as for a volume: what the snapshot is of, is not looked at."""
        self._take_over(existing_ref, _escaped(snapshot.name), snapshot)

    def manage_existing_snapshot_get_size(self, snapshot: Snapshot, existing_ref: Mapping[str, str]) -> int:
        return self._existing_size(existing_ref)

    def get_manageable_snapshots(self, cinder_snapshots: Sequence[Snapshot]) -> list[Manageable]:
        return manageable.snapshots(self.group, [snapshot.id for snapshot in cinder_snapshots])

    # ------------------------------------------------------------------------------------------- insides

    def _snapshot(self, origin: str, name: str) -> None:
        if origin not in self.group:
            raise NotFound(f"Volume device not found at {origin}.")
        size = int(printed(self.group.volume(origin).listed_size) * GIB)
        self._tried(lambda: self.group.snapshot(origin, name, None if self.lvm_type == "thin" else size))

    def _thin_clone(self, volume: Volume, source: str, source_size: int) -> None:
        self._snapshot(source, volume.name)
        if volume.size > source_size:
            self._extend(volume.name, volume.size)
        self.group.activate(source)
        self.group.activate(volume.name)

    def _extend(self, name: str, size_gb: int) -> None:
        has_snapshots = bool(self.group.volume(name).snapshots)
        if has_snapshots:
            self.group.deactivate(name)
        self.group.extend(name, size_gb * GIB)
        if has_snapshots:
            self.group.activate(name)

    def _copy(self, source: str, group: VolumeGroup, name: str, size_gb: int) -> None:
        dd.copy(
            (self.group, source),
            (group, name),
            size_gb * GIB,
            sparse=self._sparse_copy,
            points=self.world.points,
        )

    def _delete_snapshot(self, name: str, size_gb: int) -> None:
        if name in self.group:
            self._delete(name, size_gb)

    def _delete(self, name: str, size_gb: int) -> None:
        """Clear by the size on record, if so configured, and remove.

        What lies behind that size is left to the next owner of the extents; a volume that is smaller than
        its record says cannot be cleared, and so not deleted.
        """
        if self.lvm_type != "thin" and self.configuration.safe_get("volume_clear") != "none":
            size = (self.configuration.safe_get("volume_clear_size") or size_gb * MIB_PER_GIB) << 20
            volume = self.group.volume(name)
            if not volume.active:
                raise VolumeBackendAPIException(data=f"Volume device file path of {name} does not exist.")
            clear = dd.clear_store if isinstance(volume, ThickSnapshot) else dd.clear
            clear(self.group, name, size, points=self.world.points)
        self._tried(lambda: self._remove(name))

    def _remove(self, name: str) -> None:
        """Once more if it fails, when udev has settled (`cinder.brick.local_dev.lvm:LVM.delete`)."""
        try:
            self.group.remove(name, cascade=True)
        except StorageError:
            self.group.remove(name, cascade=True)

    def _tried(self, action: Callable[[], object]) -> None:
        """Three times, with pauses that double (`cinder.utils:retry`)."""
        for pause_s in (1, 2):
            try:
                action()
            except StorageError as error:
                self.world.points.visit("lvm.retry", str(error), cost_us=pause_s * 1_000_000)
            else:
                return
        action()


def _escaped(snapshot_name: str) -> str:
    """lvm2 reserves names that start with "snapshot"."""
    return f"_{snapshot_name}" if snapshot_name.startswith("snapshot") else snapshot_name


def _parsed_location(location_info: str | None) -> tuple[str, str, str, int] | None:
    """Hostname, volume group, lvm_type and mirrors; None for anything that is not another LVM back-end's."""
    match (location_info or "").split(":"):
        case ["LVMVolumeDriver", hostname, group, lvm_type, mirrors] if mirrors.isdigit():
            return hostname, group, lvm_type, int(mirrors)
    return None


def _on_record(record: Volume | Snapshot, volume_id: str) -> bool:
    try:
        record._store.get_volume(volume_id)
    except VolumeNotFound:
        return False
    return True
