"""The reference RBD driver: what `cinder.volume.drivers.rbd` of Cinder 29 does, as its manager sees it.

Its faults are kept, because they are what a migration meets: an extended encrypted volume forgets its LUKS
header; a deleted clone leaves the `.clone_snap` of its parent behind; a failed copy to another pool removes
whatever has the volume's name there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from fake_backends import luks
from fake_backends.rbd import manageable
from fake_backends.rbd.clone_chain import (
    clone_depth,
    clone_through,
    cloned_from,
    delete_parent_refs,
    flatten,
    flatten_children,
    flatten_clone,
    remove_protected,
)
from fake_backends.rbd.layers import ImageHasSnapshots
from fake_backends.rbd.pool import Pool
from fake_backends.rbd.type_settings import ReplicationError, apply_type, is_possible, remove_stale_qos
from harness.driver import Images, VolumeDriver
from harness.errors import (
    AlreadyExists,
    Busy,
    CrucibleError,
    InputError,
    Invalid,
    InvalidArgument,
    ManageExistingInvalidReference,
    NotFound,
    NotFoundError,
    SnapshotIsBusy,
    StorageError,
    VolumeBackendAPIException,
    VolumeDriverException,
    VolumeIsBusy,
    VolumeMigrationFailed,
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

DEFAULTS: dict[str, Any] = {
    "rbd_cluster_name": "ceph", "rbd_pool": "rbd", "rbd_user": None, "rbd_ceph_conf": "",
    "rbd_secret_uuid": None, "rbd_flatten_volume_from_snapshot": False, "rbd_max_clone_depth": 5,
    "rbd_exclusive_cinder_pool": True, "report_dynamic_total_capacity": True, "reserved_percentage": 0,
    "max_over_subscription_ratio": "20.0", "rados_connection_retries": 3, "rados_connection_interval": 5,
    "enable_deferred_deletion": False, "deferred_deletion_delay": 0,
}  # fmt: skip
"""Options that the section may leave out (`cinder.volume.drivers.rbd:RBD_OPTS`)."""

REFUSED: tuple[bool, None] = (False, None)


class RbdDriver(VolumeDriver):
    """Volumes are images of one pool (`rbd_pool`) of one cluster (`rbd_cluster_name`) of the world."""

    VERSION = "1.3.0"
    VENDOR = "Open Source"
    STORAGE_PROTOCOL = "ceph"
    SUPPORTS_ACTIVE_ACTIVE = True

    @property
    def container(self) -> str:
        """``cluster/pool``: back-ends with the same container share their images."""
        return f"{self._option('rbd_cluster_name')}/{self._option('rbd_pool')}"

    def objects(self) -> list[str]:
        """The images of the pool, sorted; those in the trash are left out."""
        return self._pool().names()

    # ------------------------------------------------------------------------------------------ start-up

    def check_for_setup_error(self) -> None:
        """InputError for an empty cluster or pool name; VolumeBackendAPIException for an unknown pool."""
        for option in ("rbd_cluster_name", "rbd_pool"):
            if not self._option(option):
                raise InputError(f"Value of configuration option {option} is not valid")
        self._pool()

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        free, total = self._capacity_gb()
        stats: dict[str, Any] = {
            "vendor_name": self.VENDOR,
            "driver_version": self.VERSION,
            "storage_protocol": self.STORAGE_PROTOCOL,
            "total_capacity_gb": total,
            "free_capacity_gb": free,
            "reserved_percentage": self._option("reserved_percentage"),
            "multiattach": True,
            "thin_provisioning_support": True,
            "max_over_subscription_ratio": self._option("max_over_subscription_ratio"),
            "location_info": self._location_info(),
            "backend_state": "up",
            "qos_support": True,
            "volume_backend_name": self.configuration.safe_get("volume_backend_name") or "RBD",
            "replication_enabled": False,
        }
        if not self._option("rbd_exclusive_cinder_pool"):
            provisioned = sum(image.size for image in self._pool().images.values())
            stats["provisioned_capacity_gb"] = math.ceil(provisioned / GIB)
        return stats

    def _capacity_gb(self) -> tuple[float, float]:
        """Free and total, rounded to 2 decimals."""
        total, used, free = self._pool().statistics()
        if self._option("report_dynamic_total_capacity"):
            total = free + used
        return round(free / GIB, 2), round(total / GIB, 2)

    def _location_info(self) -> str:
        cluster, conf, user, pool = (
            self._option(name) for name in ("rbd_cluster_name", "rbd_ceph_conf", "rbd_user", "rbd_pool")
        )
        return f"{cluster}:{conf}:{self._pool().cluster.fsid}:{user}:{pool}"

    # ------------------------------------------------------------------------------------------- volumes

    def create_volume(self, volume: Volume) -> ModelUpdate | None:
        """VolumeDriverException for an encryption provider other than luks; AlreadyExists."""
        pool = self._pool()
        if volume.encryption_key_id:
            self._create_encrypted(pool, volume)
            return {}
        pool.create(volume.name, volume.size * GIB)
        try:
            return apply_type(pool, volume)
        except CrucibleError:
            pool.remove(volume.name)
            raise

    def _create_encrypted(self, pool: Pool, volume: Volume) -> None:
        """A LUKS image with `size` GiB of payload, as ``qemu-img create`` and ``rbd import`` make it."""
        volume_type = volume.volume_type
        encryption = volume_type.encryption if volume_type is not None else None
        if encryption is None:
            raise VolumeDriverException("Invalid encryption spec.")
        if encryption.provider != "luks":
            raise VolumeDriverException(f"Provider {encryption.provider} not supported.")
        key = self.world.keys.get(volume.encryption_key_id)
        if key is None:
            raise NotFoundError(f"Key not found, uuid: {volume.encryption_key_id}")
        offset = luks.QEMU_IMG_OFFSET.get(encryption.key_size)
        if offset is None:
            raise InvalidArgument(f"qemu-img: Invalid parameter 'aes-{encryption.key_size}'")
        pool.create(volume.name, volume.size * GIB + offset)
        with pool.open(volume.name) as handle:
            luks.format(
                handle,
                provider=encryption.provider,
                key=key,
                key_size=2 * encryption.key_size,
                payload_offset=offset,
                salt=volume.name.encode(),
            )

    def delete_volume(self, volume: Volume) -> None:
        """VolumeIsBusy while a client has the image open."""
        pool = self._pool()
        try:
            with pool.open(volume.name) as handle:
                image = handle.image
                has_clone = any(snapshot.name.endswith(".clone_snap") for snapshot in image.snapshots)
                parent = cloned_from(image.head, image.name)
        except NotFound:
            return
        if has_clone:
            # Kept for its clones, which are supposed to remove it when they go.
            pool.rename(volume.name, f"{volume.name}.deleted")
            return
        try:
            pool.remove(volume.name)
            return
        except (ImageHasSnapshots, Busy):
            flatten_children(pool, volume.name)
        except NotFound:
            return
        try:
            self._retry((ImageHasSnapshots, Busy), lambda: pool.remove(volume.name))
            return
        except ImageHasSnapshots:
            pass
        except Busy as error:
            raise VolumeIsBusy("ImageBusy error raised while deleting RBD volume") from error
        self._move_to_trash(pool, volume.name)
        if parent is not None:
            delete_parent_refs(pool, *parent, discard=self._discard)

    def _discard(self, pool: Pool, name: str) -> None:
        if self._option("enable_deferred_deletion"):
            pool.trash_move(name, self._deletion_delay_s())
        else:
            pool.remove(name)

    def _move_to_trash(self, pool: Pool, name: str) -> None:
        """What `remove` refuses may be possible here: the image goes aside with its snapshots."""
        try:
            pool.trash_move(name, self._deletion_delay_s())
        except Busy as error:
            raise VolumeIsBusy("ImageBusy error raised while trashing RBD volume.") from error

    def _deletion_delay_s(self) -> int:
        return self._option("deferred_deletion_delay") if self._option("enable_deferred_deletion") else 0

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """To `new_size` GiB of image, of which an encrypted volume's header takes its part.

        VolumeBackendAPIException whatever goes wrong.
        """
        try:
            self._resize(self._pool(), volume.name, int(new_size) * GIB)
        except CrucibleError as error:
            raise VolumeBackendAPIException(data=f"Failed to Extend Volume {volume.name}") from error

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> ModelUpdate | None:
        """A clone, flattened if `rbd_flatten_volume_from_snapshot`. NotFound, AlreadyExists."""
        pool = self._pool()
        order = pool.image(snapshot.volume_name).order
        pool.clone(snapshot.volume_name, snapshot.name, volume.name, order=order)
        try:
            update = apply_type(pool, volume)
        except CrucibleError as error:
            pool.remove(volume.name)
            raise ReplicationError(volume_id=volume.id, reason="Failed to enable image replication") from error
        if volume.use_quota and self._option("rbd_flatten_volume_from_snapshot"):
            flatten(pool, volume.name)
        if volume.size > snapshot.volume_size:
            size = volume.size * GIB
            if volume.encryption_key_id:
                size = pool.image(volume.name).size + (volume.size - snapshot.volume_size) * GIB
            self._resize(pool, volume.name, size)
        return update

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> ModelUpdate | None:
        """A clone of a snapshot made for it; a full copy if `rbd_max_clone_depth` is 0.

        Flattened, and the snapshot removed, where the source already has that many ancestors. NotFound;
        VolumeBackendAPIException; ReplicationError.
        """
        pool = self._pool()
        max_depth = self._option("rbd_max_clone_depth")
        if max_depth <= 0:
            with pool.open(src_vref.name, read_only=True):
                pool.copy(src_vref.name, pool, volume.name)
                self._extend_if_required(pool, volume, src_vref)
            return None
        snapshot = f"{volume.name}.clone_snap"
        with pool.open(src_vref.name) as source:
            clone_through(pool, source, snapshot, volume.name)
            if volume.use_quota and clone_depth(pool, src_vref.name) >= max_depth:
                flatten_clone(pool, source, snapshot, volume.name)
            try:
                update = apply_type(pool, volume)
            except CrucibleError as error:
                pool.remove(volume.name)
                remove_protected(source, snapshot)
                raise ReplicationError(
                    volume_id=volume.id, reason="Failed to enable image replication"
                ) from error
        self._extend_if_required(pool, volume, src_vref)
        return update

    def _extend_if_required(self, pool: Pool, volume: Volume, src_vref: Volume) -> None:
        """To whole GiB: a larger clone of an encrypted volume loses the size of its header."""
        if volume.size != src_vref.size:
            self._resize(pool, volume.name, volume.size * GIB)

    # ----------------------------------------------------------------------------------------- snapshots

    def create_snapshot(self, snapshot: Snapshot) -> ModelUpdate | None:
        """NotFound, AlreadyExists."""
        with self._pool().open(snapshot.volume_name) as handle:
            handle.image.create_snapshot(snapshot.name)
            handle.image.protect_snapshot(snapshot.name)
        return None

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Clones are flattened; SnapshotIsBusy if that does not help."""
        pool, volume_name, name = self._pool(), snapshot.volume_name, snapshot.name

        def unprotect() -> None:
            try:
                with pool.open(volume_name) as handle:
                    handle.image.unprotect_snapshot(name)
            except InvalidArgument:
                pass  # It was not protected.
            except Busy:
                flatten_children(pool, volume_name, name)
                raise

        try:
            self._retry((Busy,), unprotect)
        except Busy as error:
            raise SnapshotIsBusy(snapshot_name=name) from error
        except NotFound:
            return
        try:
            with pool.open(volume_name) as handle:
                handle.image.remove_snapshot(name)
        except NotFound:
            return

    def snapshot_revert_use_temp_snapshot(self) -> bool:
        """A snapshot more would not help: going back is one step."""
        return False

    def revert_to_snapshot(self, context: Context, volume: Volume, snapshot: Snapshot) -> None:
        """NotFound; ReadOnlyImage while a client holds the exclusive lock."""
        with self._pool().open(volume.name) as handle:
            handle.image.rollback(snapshot.name, by=handle)

    # ---------------------------------------------------------------------------------------- connections

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        cluster = self._pool().cluster
        user = self._option("rbd_user")
        return {
            "driver_volume_type": "rbd",
            "data": {
                "name": f"{self._option('rbd_pool')}/{volume.name}",
                "hosts": [host for host, _ in cluster.monitors],
                "ports": [port for _, port in cluster.monitors],
                "cluster_name": cluster.name,
                "auth_enabled": user is not None,
                "auth_username": user,
                "secret_type": "ceph",
                "secret_uuid": self._option("rbd_secret_uuid") or cluster.fsid,
                "volume_id": volume.id,
                "discard": True,
            },
        }

    # ----------------------------------------------------------------------------- migration and retype

    def migrate_volume(
        self, context: Context, volume: Volume, host: Mapping[str, Any]
    ) -> tuple[bool, ModelUpdate | None]:
        """A full copy to another pool of the same cluster; in the same pool there is nothing to do.

        Refuses another protocol or cluster, and a volume in use that would have to be copied. KeyError for a
        destination that reports no storage_protocol, as in Cinder. VolumeMigrationFailed if the source
        cannot be deleted: the copy then stays.
        """
        if volume.status not in ("available", "retyping", "maintenance", "in-use"):
            return REFUSED
        capabilities = host["capabilities"]
        if capabilities["storage_protocol"] != self.STORAGE_PROTOCOL:
            return REFUSED
        location = (capabilities.get("location_info") or "").split(":")
        if len(location) != 5:
            return REFUSED
        cluster_name, _, fsid, _, pool_name = location
        pool = self._pool()
        target = self._connect(cluster_name, pool_name)
        if fsid != pool.cluster.fsid or fsid != target.cluster.fsid:
            return REFUSED
        if pool_name == self._option("rbd_pool"):
            return True, None
        if volume.status == "in-use":
            return REFUSED
        with pool.open(volume.name, read_only=True):
            try:
                pool.copy(volume.name, target, volume.name)
            except CrucibleError:
                target.remove(volume.name)
                raise
        try:
            self.delete_volume(volume)
        except CrucibleError as error:
            raise VolumeMigrationFailed(
                reason=f"Failed to delete migration source volume {volume.id}."
            ) from error
        return True, None

    def update_migrated_volume(
        self, ctxt: Context, volume: Volume, new_volume: Volume, original_volume_status: str
    ) -> ModelUpdate | None:
        """Rename unless the volume is in use; keep the temporary name where that fails."""
        kept = {"_name_id": new_volume.name_id, "provider_location": new_volume.provider_location}
        if original_volume_status == "in-use":
            return kept
        try:
            self._pool().rename(f"volume-{new_volume.id}", f"volume-{volume.id}")
        except (NotFound, AlreadyExists):
            return kept
        return {"_name_id": None, "provider_location": None}

    def retype(
        self, context: Context, volume: Volume, new_type: VolumeType, diff: TypesDiff, host: Mapping[str, Any]
    ) -> bool | tuple[bool, ModelUpdate | None]:
        """Always done in place: QoS limits, and the image features that multiattach excludes."""
        pool = self._pool()
        remove_stale_qos(pool, volume, diff)
        return True, apply_type(pool, volume, new_type)

    # -------------------------------------------------------------------------------------------- images

    def copy_volume_to_image(
        self, context: Context, volume: Volume, image_service: Images, image_meta: Mapping[str, Any]
    ) -> None:
        """Ciphertext of an encrypted volume, by os-brick's handle: it may write, so the image stays."""
        with self._pool().open(volume.name) as handle:
            image_service.upload(image_meta["id"], handle, volume.size)

    def copy_image_to_volume(
        self, context: Context, volume: Volume, image_service: Images, image_id: str,
        disable_sparse: bool = False,
    ) -> None:  # fmt: skip
        """Over the image that is there, so that its snapshots stay."""
        with self._pool().open(volume.name) as handle:
            image_service.download(image_id, handle)

    def copy_image_to_encrypted_volume(
        self, context: Context, volume: Volume, image_service: Images, image_id: str,
        disable_sparse: bool = False,
    ) -> None:  # fmt: skip
        """The same through LUKS: qemu-img does it, so no host path is needed."""
        with self._pool().open(volume.name) as handle:
            key = self.world.keys[volume.encryption_key_id or ""]
            image_service.download(image_id, luks.LuksDevice(handle, key))

    def clone_image(
        self, context: Context, volume: Volume, image_location: tuple[str | None, Any], image_meta: Any,
        image_service: Images,
    ) -> tuple[ModelUpdate | None, bool]:  # fmt: skip
        """A clone of the first location that is a snapshot in this cluster; only of raw images."""
        direct, others = image_location or (None, None)
        for url in [each["url"] for each in others] if others else [direct]:
            found = self._cloneable(url, image_meta)
            if found is not None:
                pool, name, snapshot = found
                pool.clone(name, snapshot, volume.name, self._pool(), order=pool.image(name).order)
                self._resize(self._pool(), volume.name, volume.size * GIB)
                return {"provider_location": None}, True
        return {}, False

    def _cloneable(self, url: str | None, image_meta: Any) -> tuple[Pool, str, str] | None:
        """Pool, image and snapshot of an ``rbd://fsid/pool/image/snapshot`` that this cluster has."""
        prefix, _, rest = (url or "").partition("rbd://")
        parts = [unquote(part) for part in rest.split("/")]
        cluster = self._pool().cluster
        if prefix or len(parts) != 4 or not all(parts) or parts[0] != cluster.fsid:
            return None
        if image_meta.get("disk_format") != "raw":
            return None
        try:
            pool = cluster.pool(parts[1])
            pool.image(parts[2]).snapshot(parts[3])
        except NotFound:
            return None
        return pool, parts[2], parts[3]

    # -------------------------------------------------------------------------------- manage, unmanage

    def manage_existing(self, volume: Volume, existing_ref: Mapping[str, str]) -> ModelUpdate | None:
        """NotFound, AlreadyExists; Invalid for a type that asks for replication and multiattach."""
        if not is_possible(volume.volume_type):
            raise Invalid(
                "Manage existing volume failed due to volume type mismatch: "
                "Replication and Multiattach are mutually exclusive."
            )
        pool = self._pool()
        pool.rename(existing_ref["source-name"], volume.name)
        return apply_type(pool, volume)

    def manage_existing_get_size(self, volume: Volume, existing_ref: Mapping[str, str]) -> int:
        """ManageExistingInvalidReference."""
        if "source-name" not in existing_ref:
            raise ManageExistingInvalidReference(
                existing_ref=existing_ref, reason="Reference must contain source-name element."
            )
        name = existing_ref["source-name"]
        try:
            return math.ceil(self._pool().image(name).size / GIB)
        except NotFound as error:
            raise ManageExistingInvalidReference(
                existing_ref=name, reason="Specified RBD image does not exist."
            ) from error

    def get_manageable_volumes(self, cinder_volumes: Sequence[Volume]) -> list[Manageable]:
        return manageable.volumes(self._pool(), [volume.id for volume in cinder_volumes])

    def manage_existing_snapshot(self, snapshot: Snapshot, existing_ref: Mapping[str, str]) -> None:
        """Rename and protect."""
        with self._pool().open(snapshot.volume_name) as handle:
            handle.image.rename_snapshot(existing_ref["source-name"], snapshot.name)
            if not handle.image.snapshot(snapshot.name).protected:
                handle.image.protect_snapshot(snapshot.name)

    def manage_existing_snapshot_get_size(self, snapshot: Snapshot, existing_ref: Mapping[str, str]) -> int:
        """ManageExistingInvalidReference."""
        if "source-name" not in existing_ref:
            raise ManageExistingInvalidReference(
                existing_ref=existing_ref, reason="Reference must contain source-name element."
            )
        name = existing_ref["source-name"]
        try:
            return math.ceil(self._pool().image(snapshot.volume_name).snapshot(name).size / GIB)
        except NotFound as error:
            raise ManageExistingInvalidReference(
                existing_ref=name, reason="Specified snapshot does not exist."
            ) from error

    def get_manageable_snapshots(self, cinder_snapshots: Sequence[Snapshot]) -> list[Manageable]:
        return manageable.snapshots(self._pool(), [snapshot.id for snapshot in cinder_snapshots])

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Take the protection away that Cinder gave it, unless there are clones."""
        with self._pool().open(snapshot.volume_name) as handle:
            image = handle.image
            if image.snapshot(snapshot.name).protected and not image.children(snapshot.name):
                image.unprotect_snapshot(snapshot.name)

    # ------------------------------------------------------------------------------------------- insides

    def _option(self, name: str) -> Any:
        value = self.configuration.safe_get(name)
        return DEFAULTS[name] if value is None else value

    def _pool(self) -> Pool:
        return self._connect(self._option("rbd_cluster_name"), self._option("rbd_pool"))

    def _connect(self, cluster: str, pool: str) -> Pool:
        connected: Pool
        try:
            connected = self.world.cluster(cluster).pool(pool)
        except NotFound as error:
            raise VolumeBackendAPIException(data="Error connecting to ceph cluster.") from error
        return connected

    def _resize(self, pool: Pool, name: str, size: int) -> None:
        with pool.open(name) as handle:
            handle.image.resize(size)

    def _retry(self, errors: tuple[type[StorageError], ...], action: Callable[[], None]) -> None:
        """As often as `rados_connection_retries`, with pauses that double (`cinder.utils:retry`)."""
        attempts = self._option("rados_connection_retries")
        for attempt in range(1, attempts + 1):
            try:
                return action()
            except errors as error:
                if attempt == attempts:
                    raise
                pause_s = self._option("rados_connection_interval") * 2 ** (attempt - 1)
                self.world.points.visit("rbd.retry", str(error), cost_us=pause_s * 1_000_000)
