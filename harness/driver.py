"""The volume-driver interface: Cinder's method names, positions and return shapes, contracts in words.

A back-end driver subclasses `VolumeDriver`. The control plane calls nothing but these methods, and treats
whatever they return or raise as foreign. Sources: `cinder.interface.volume_driver`, `cinder.volume.driver`
and what `cinder.volume.manager` really does with the results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from harness.errors import InvalidConnectorException
from harness.model import (
    ConnectionInfo,
    Connector,
    Context,
    Group,
    GroupSnapshot,
    Manageable,
    ModelUpdate,
    Snapshot,
    TypesDiff,
    Volume,
    VolumeType,
)


class Images(Protocol):
    """What a driver sees of the image service. Disks are block devices."""

    def upload(self, image_id: str, disk: Any, size_gb: int) -> object:
        """Copy the first GiB of a disk into the image."""

    def download(self, image_id: str, destination: Any) -> None:
        """Write the image over a disk."""


class Configuration(Mapping[str, Any]):
    """The options of one back-end section of cinder.conf, by Cinder's option names.

    ``configuration.volume_group`` raises AttributeError for an option that nobody registered;
    `safe_get` returns None instead (`cinder.volume.configuration:Configuration`).
    """

    def __init__(self, section: str, options: Mapping[str, Any]) -> None:
        self.section = section
        self._options = dict(options)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_options"][name]
        except KeyError:
            raise AttributeError(f"back-end section has no option {name!r}") from None

    def __getitem__(self, name: str) -> Any:
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def safe_get(self, name: str) -> Any:
        """The option's value, or None where there is no such option."""
        return self._options.get(name)


class VolumeDriver:
    """Base class of back-end drivers; the defaults are those of `cinder.volume.driver:BaseVD`.

    `configuration` holds the back-end's section, `world` the storage that the driver's commands reach
    (a `fake_backends.world.World`), `host` is ``hostname@backend``.
    """

    VERSION: ClassVar[str] = "0"
    VENDOR: ClassVar[str] = "Crucible"
    REQUIRED_CONNECTOR_KEYS: ClassVar[tuple[str, ...]] = ()
    SUPPORTS_ACTIVE_ACTIVE: ClassVar[bool] = False
    """Services of several nodes may drive one back-end at a time (`[DEFAULT] cluster`)."""

    def __init__(self, *, configuration: Configuration, world: Any, host: str) -> None:
        self.configuration = configuration
        self.world = world
        self.host = host

    # ------------------------------------------------------------------------------------------ start-up

    def do_setup(self, context: Context) -> None:
        """Prepare. An exception leaves the driver uninitialised; every operation then refuses."""

    def check_for_setup_error(self) -> None:
        """Raise if the back-end cannot be used as configured."""

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """Capabilities and capacity, in GiB.

        Back-end level: volume_backend_name, vendor_name, driver_version, storage_protocol,
        sparse_copy_volume, ...; pool level, in `pools` or at the top when there is but one pool:
        pool_name, total_capacity_gb, free_capacity_gb, provisioned_capacity_gb, reserved_percentage,
        max_over_subscription_ratio, thin_provisioning_support, thick_provisioning_support, location_info.
        """
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------- volumes

    def create_volume(self, volume: Volume) -> ModelUpdate | None:
        """Allocate `volume.size` GiB under `volume.name`; no export. May return fields to store."""
        raise NotImplementedError

    def delete_volume(self, volume: Volume) -> None:
        """Remove the object; an absent one is success. VolumeIsBusy if something depends on it."""
        raise NotImplementedError

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """Grow to `new_size` GiB in total; data stays."""
        raise NotImplementedError

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> ModelUpdate | None:
        """An independent copy of the snapshot; `volume.size` may be larger and must be reached."""
        raise NotImplementedError

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> ModelUpdate | None:
        """An independent copy of another volume; `volume.size` may be larger and must be reached."""
        raise NotImplementedError

    # ----------------------------------------------------------------------------------------- snapshots

    def create_snapshot(self, snapshot: Snapshot) -> ModelUpdate | None:
        """Freeze `snapshot.volume_name` as it is now, under `snapshot.name`."""
        raise NotImplementedError

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Remove it; an absent one is success. SnapshotIsBusy if something depends on it."""
        raise NotImplementedError

    def snapshot_revert_use_temp_snapshot(self) -> bool:
        """Whether the manager takes a snapshot first, in case the way back fails."""
        return True

    def revert_to_snapshot(self, context: Context, volume: Volume, snapshot: Snapshot) -> None:
        """Put the volume back; NotImplementedError makes the manager copy instead."""
        raise NotImplementedError

    # --------------------------------------------------------------------------- exports and connections

    def ensure_export(self, context: Context, volume: Volume) -> ModelUpdate | None:
        """Called at service start for each in-use volume."""
        return None

    def create_export(self, context: Context, volume: Volume, connector: Connector) -> ModelUpdate | None:
        """Make the volume reachable; idempotent, because it is called before every connection."""
        return None

    def remove_export(self, context: Context, volume: Volume) -> None:
        """Undo `create_export`; idempotent."""

    def validate_connector(self, connector: Connector) -> None:
        """Raise InvalidConnectorException if a key of `REQUIRED_CONNECTOR_KEYS` is missing."""
        for key in self.REQUIRED_CONNECTOR_KEYS:
            if not connector.get(key):
                raise InvalidConnectorException(missing=key)

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """``{"driver_volume_type": str, "data": {...}}``, JSON-safe; repeatable."""
        raise NotImplementedError

    def terminate_connection(self, volume: Volume, connector: Connector | None, **kwargs: Any) -> bool | None:
        """Withdraw access; `connector` None means everybody's. True: the export is still shared."""
        return None

    # ----------------------------------------------------------------------------- migration and retype

    def migrate_volume(
        self, context: Context, volume: Volume, host: Mapping[str, Any]
    ) -> tuple[bool, ModelUpdate | None]:
        """Move the object to `host` (keys host, cluster_name, capabilities) by the back-end's own means.

        (False, None) means "cannot": the generic path follows. On (True, fields) the object must be on
        the destination and gone from the source. An exception fails the migration.
        """
        return False, None

    def update_migrated_volume(
        self, ctxt: Context, volume: Volume, new_volume: Volume, original_volume_status: str
    ) -> ModelUpdate | None:
        """On the destination's driver, after a generic copy: give the object its final name.

        Returns `_name_id` and `provider_location` as they should be from now on: both None where the object
        now bears the name of `volume.id`, else those of `new_volume`. NotImplementedError means the latter.
        """
        raise NotImplementedError

    def before_volume_copy(
        self, context: Context, src_vol: Volume, dest_vol: Volume, remote: str | None = None
    ) -> None:
        """On the source's driver, before an offline generic copy attaches anything."""

    def after_volume_copy(
        self, context: Context, src_vol: Volume, dest_vol: Volume, remote: str | None = None
    ) -> None:
        """On the source's driver, after an offline generic copy succeeded."""

    def retype(
        self, context: Context, volume: Volume, new_type: VolumeType, diff: TypesDiff, host: Mapping[str, Any]
    ) -> bool | tuple[bool, ModelUpdate | None]:
        """Change the type in place. False means "cannot"; an exception counts as False."""
        return False, None

    # -------------------------------------------------------------------------------- manage, unmanage

    def manage_existing(self, volume: Volume, existing_ref: Mapping[str, str]) -> ModelUpdate | None:
        """Take over an object that Cinder did not make; `existing_ref` has source-name or source-id."""
        raise NotImplementedError

    def manage_existing_get_size(self, volume: Volume, existing_ref: Mapping[str, str]) -> int:
        """Size of that object, rounded up to GiB."""
        raise NotImplementedError

    def unmanage(self, volume: Volume) -> None:
        """Forget the object without touching it."""

    def get_manageable_volumes(self, cinder_volumes: Sequence[Volume]) -> list[Manageable]:
        """Every object of the back-end, and whether it could be taken over; `cinder_volumes` are known."""
        raise NotImplementedError

    def get_manageable_snapshots(self, cinder_snapshots: Sequence[Snapshot]) -> list[Manageable]:
        """The same of snapshots."""
        raise NotImplementedError

    def manage_existing_snapshot(
        self, snapshot: Snapshot, existing_ref: Mapping[str, str]
    ) -> ModelUpdate | None:
        """Take over a snapshot of a volume that is managed already."""
        raise NotImplementedError

    def manage_existing_snapshot_get_size(self, snapshot: Snapshot, existing_ref: Mapping[str, str]) -> int:
        """Size of that snapshot, rounded up to GiB."""
        raise NotImplementedError

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Forget the snapshot without touching it."""

    # ---------------------------------------------------------------------------------------- groups
    #
    # NotImplementedError, all along: the manager does it volume by volume.

    def create_group(self, context: Context, group: Group) -> ModelUpdate | None:
        """An empty group."""
        raise NotImplementedError

    def update_group(
        self,
        context: Context,
        group: Group,
        add_volumes: Sequence[Volume] = (),
        remove_volumes: Sequence[Volume] = (),
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None, list[ModelUpdate] | None]:
        """Members come and go. Returns fields of the group, of those that come and of those that go."""
        raise NotImplementedError

    def delete_group(
        self, context: Context, group: Group, volumes: Sequence[Volume]
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None]:
        """With its volumes. Returns fields of the group and, with their ids, of the volumes."""
        raise NotImplementedError

    def create_group_snapshot(
        self, context: Context, group_snapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None]:
        """Snapshots of all volumes at one moment."""
        raise NotImplementedError

    def delete_group_snapshot(
        self, context: Context, group_snapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None]:
        """All of them."""
        raise NotImplementedError

    def create_group_from_src(
        self,
        context: Context,
        group: Group,
        volumes: Sequence[Volume],
        group_snapshot: GroupSnapshot | None = None,
        snapshots: Sequence[Snapshot] | None = None,
        source_group: Group | None = None,
        source_vols: Sequence[Volume] | None = None,
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None]:
        """`volumes` as copies of `snapshots`, or of `source_vols`, in this order."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------ the back-end as a whole

    def freeze_backend(self, context: Context) -> bool:
        """Nothing is to be changed from now on. VolumeDriverException is logged."""
        return True

    def thaw_backend(self, context: Context) -> bool:
        """It may be changed again. VolumeDriverException keeps the service disabled."""
        return True

    def failover_host(
        self,
        context: Context,
        volumes: Sequence[Volume],
        secondary_id: str | None = None,
        groups: Sequence[Group] | None = None,
    ) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
        """Go over to a replica. Returns its id, ``{"volume_id": ..., "updates": {...}}``, and such of groups.

        InvalidReplicationTarget if there is no such replica.
        """
        raise NotImplementedError

    def failover(
        self,
        context: Context,
        volumes: Sequence[Volume],
        secondary_id: str | None = None,
        groups: Sequence[Group] | None = None,
    ) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
        """The same where the service is one of a cluster; the others hear of it by `failover_completed`."""
        return self.failover_host(context, volumes, secondary_id, groups)

    def failover_completed(self, context: Context, active_backend_id: str | None = None) -> None:
        """Another service of the cluster has failed the back-end over."""
        raise NotImplementedError

    def enable_replication(
        self, context: Context, group: Group, volumes: Sequence[Volume]
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None]:
        """Of a group and its volumes."""
        raise NotImplementedError

    def disable_replication(
        self, context: Context, group: Group, volumes: Sequence[Volume]
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None]:
        """Of a group and its volumes."""
        raise NotImplementedError

    def failover_replication(
        self,
        context: Context,
        group: Group,
        volumes: Sequence[Volume],
        secondary_backend_id: str | None = None,
    ) -> tuple[ModelUpdate | None, list[ModelUpdate] | None]:
        """Of a group and its volumes."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------------------- images

    def copy_volume_to_image(
        self, context: Context, volume: Volume, image_service: Images, image_meta: Mapping[str, Any]
    ) -> None:
        """``image_service.upload(image_meta["id"], device, volume.size)`` of the volume's own device.

        NotImplementedError makes the manager attach the volume to its host for that, as for all three.
        """
        raise NotImplementedError

    def copy_image_to_volume(
        self, context: Context, volume: Volume, image_service: Images, image_id: str,
        disable_sparse: bool = False,
    ) -> None:  # fmt: skip
        """``image_service.download(image_id, device)``, over what the volume holds."""
        raise NotImplementedError

    def copy_image_to_encrypted_volume(
        self, context: Context, volume: Volume, image_service: Images, image_id: str,
        disable_sparse: bool = False,
    ) -> None:  # fmt: skip
        """The same, encrypted with the volume's key."""
        raise NotImplementedError

    def clone_image(
        self, context: Context, volume: Volume, image_location: tuple[str | None, Any], image_meta: Any,
        image_service: Images,
    ) -> tuple[ModelUpdate | None, bool]:  # fmt: skip
        """The volume from where the image is kept, without a copy; `volume.size` must be reached.

        `image_location` is the image's direct URL, or None, and a list of ``{"url": ...}``, or None. False
        means "cannot": nothing was made, and the manager copies the image. An exception fails the creation.
        """
        return None, False

    # ------------------------------------------------------------------------------------- transfers

    def accept_transfer(
        self, context: Context, volume: Volume, new_user: str, new_project: str
    ) -> ModelUpdate | None:
        """The volume gets another owner. May return fields to store."""
        return None
