"""New volumes: empty, or with what a snapshot, another volume, an image or a backup holds.

Sources: `cinder.volume.api:API.create`, `cinder.volume.flows.api.create_volume`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from harness import errors
from harness.control_plane.api.chapter import Chapter, check_metadata, check_size_limits
from harness.control_plane.api.conditions import AVAILABLE_OR_IN_USE
from harness.control_plane.availability_zones import zones_for
from harness.control_plane.images import Image, check_image
from harness.control_plane.policy import authorize
from harness.control_plane.request_spec import RequestSpec
from harness.control_plane.scheduler import TOPIC
from harness.control_plane.volume_types import encryption_changed
from harness.model import Backup, Context, Group, Snapshot, Volume, VolumeType
from harness.record import service_host

IMAGE_KEY = "cinder_encryption_key_id"
"""The property of an image of an encrypted volume: the key of its ciphertext."""


class Origin(NamedTuple):
    """Where the bytes of a new volume come from: one of these at most."""

    snapshot: Snapshot | None = None
    source: Volume | None = None
    image: Image | None = None
    backup: Backup | None = None

    @property
    def volume(self) -> Volume | None:
        """The volume that is cloned, or was snapshotted."""
        return self.snapshot.volume if self.snapshot else self.source

    @property
    def type_id(self) -> str | None:
        """The type that a copy has, if nobody asks for another one."""
        copied = self.source or self.snapshot
        if copied is not None:
            return copied.volume_type_id
        return self.image.properties.get("cinder_img_volume_type") if self.image else None

    @property
    def key_id(self) -> str | None:
        """The key of its ciphertext."""
        copied = self.snapshot or self.source
        if copied is not None:
            return copied.encryption_key_id
        return self.image.properties.get(IMAGE_KEY) if self.image else None


class Creation(Chapter):
    """The record, quota and key of a volume that does not exist yet."""

    def create_volume(
        self,
        context: Context,
        size: int,
        *,
        name: str | None = None,
        description: str | None = None,
        volume_type: str | None = None,
        snapshot_id: str | None = None,
        source_volid: str | None = None,
        image_id: str | None = None,
        backup_id: str | None = None,
        group_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        availability_zone: str | None = None,
        scheduler_hints: Mapping[str, Any] | None = None,
        host: str | None = None,
        member_of: Group | None = None,
    ) -> Volume:
        """Record, quota, key; then the scheduler. `host` names the pool and skips the scheduler.

        Of `snapshot_id`, `source_volid`, `image_id` and `backup_id` one may be given (InvalidInput).
        `member_of` is a group that is made of another one: its service makes the volume, when it is told to.
        """
        authorize(context, "volume:create_from_image" if image_id else "volume:create")
        database = self.cloud.database
        origin = self._origin(context, snapshot_id, source_volid, image_id, backup_id)
        kind = self._type_for(context, volume_type, origin)
        check_size_limits(kind, size)
        group = member_of
        if group_id is not None:
            group = database.get_group(group_id)
            _check_member(group, kind if volume_type else None)
        if volume_type is not None and kind.id != origin.type_id:
            self._check_compatible(kind, origin)
        check_metadata(metadata)
        _check_origin(origin, size)
        if group is not None and group.status not in ("available", "creating"):
            raise errors.InvalidGroup(
                reason="Originating group status must be one of 'available, creating' values"
            )
        zones = self._zones(availability_zone, kind, origin, group) if host is None else ()
        # The key is made before anything else is asked: it stays behind when that refuses.
        key_id = self._key_for(kind, origin)
        if kind.multiattach and key_id:
            raise errors.InvalidVolume(reason="Multiattach cannot be used with encrypted volumes.")
        if kind.multiattach:
            authorize(context, "volume:multiattach")
        self.cloud.quotas.check_size(context.project_id, size)
        deltas = {"volumes": 1, "gigabytes": size}
        if member_of is not None and origin.snapshot is not None:
            # The gigabytes of a group that is made of a group's snapshot are not counted, though they will be
            # given back (`QuotaReserveTask`).
            deltas = {"volumes": 1}
        reservations = self.cloud.reserve(context.project_id, kind.id, deltas)
        # Where there is a choice, the scheduler writes what it has chosen.
        zone = zones[0] if len(zones) == 1 else None
        if host:
            zone = database.service(service_host(host)).availability_zone
        volume = database.get_volume(
            database.create(
                Volume,
                {
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "size": size,
                    "display_name": name,
                    "display_description": description,
                    "volume_type_id": kind.id,
                    "multiattach": kind.multiattach,
                    "encryption_key_id": key_id,
                    "bootable": bool(origin.volume and origin.volume.bootable),
                    "snapshot_id": snapshot_id,
                    "source_volid": source_volid,
                    "group_id": group.id if group else None,
                    "metadata": dict(metadata or {}),
                    "host": host,
                    "cluster_name": self.cloud.services.cluster_of(host) if host else None,
                    "availability_zone": zone,
                    "created_at": self.cloud.simulation.kernel.now_us,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self.note("create_volume", f"{size} GiB {volume.name}")
        spec = RequestSpec(image_id=image_id, backup_id=backup_id, hints=scheduler_hints or {})
        if host:
            self.cloud.messaging.cast(volume.service_topic_queue, "create_volume", volume, spec)
        elif member_of is None:
            spec = spec._replace(zones=zones, backend=_where(group, origin), tried=())
            self.cloud.messaging.cast(TOPIC, "create_volume", volume, spec)
        return volume

    # --------------------------------------------------------------------------------------------- origin

    def _origin(
        self,
        context: Context,
        snapshot_id: str | None,
        source_volid: str | None,
        image_id: str | None,
        backup_id: str | None,
    ) -> Origin:
        """What is to be copied. InvalidInput for several, NotFound for what is not there."""
        if sum(each is not None for each in (snapshot_id, source_volid, image_id, backup_id)) > 1:
            raise errors.InvalidInput(
                reason="May specify only one of backup, imageRef, snapshot, source volume"
            )
        if snapshot_id:
            return Origin(snapshot=self.get_snapshot(context, snapshot_id))
        if source_volid:
            return Origin(source=self.get(context, source_volid))
        if image_id:
            return Origin(image=self.cloud.images.show(image_id))
        if backup_id:
            return Origin(backup=self.cloud.backups.get_backup(context, backup_id))
        return Origin()

    def _type_for(self, context: Context, wanted: str | None, origin: Origin) -> VolumeType:
        """No volume is without a type: it is the one asked for, the origin's, or the default one.

        Source: `cinder.volume.flows.api.create_volume:ExtractVolumeRequestTask._get_volume_type`.
        """
        wanted = wanted or origin.type_id
        if wanted:
            return self.cloud.database.get_volume_type(wanted)
        return self.cloud.default_types.default_for(context.project_id)

    def _check_compatible(self, kind: VolumeType, origin: Origin) -> None:
        """InvalidInput for a copy of another type, unless that has the same encryption and leads to one place.

        With exactly one *disabled* service the place does not matter: the code means to count all of them.
        Source: `cinder.volume.api:API._retype_is_possible`.
        """
        database = self.cloud.database
        copied = origin.volume
        if copied is None:
            return
        before = copied.volume_type
        changed = encryption_changed(database, copied.volume_type_id, kind.id)
        names = {each.extra_specs.get("volume_backend_name") for each in (before, kind) if each}
        one_place = len(names) == 1 and None not in names
        disabled = [row for row in database.services.values() if database.disabled(row)]
        if changed or not (one_place or len(disabled) == 1):
            advice = (
                "recommend omitting the type argument"
                if origin.snapshot
                else "either match source volume, or omit type argument"
            )
            raise errors.InvalidInput(
                reason=f"Invalid volume_type provided: {kind.id} (requested type is not compatible; {advice})."
            )

    def _zones(
        self, wanted: str | None, kind: VolumeType, origin: Origin, group: Group | None
    ) -> tuple[str, ...]:
        """The availability zones in which the volume may be."""
        return zones_for(
            wanted,
            kind,
            {row["availability_zone"] for row in self.cloud.database.services.values()},
            self.cloud.options,
            origin=origin.volume.availability_zone if origin.volume else None,
            group=group.availability_zone if group else None,
        )

    def _key_for(self, kind: VolumeType, origin: Origin) -> str | None:
        """A new key for an encrypted volume; for a copy, a key of its own with the same secret."""
        if kind.encryption is None:
            return None
        keys = self.cloud.key_manager
        return keys.create_key() if origin.key_id is None else keys.clone_key(origin.key_id)


def _check_member(group: Group, kind: VolumeType | None) -> None:
    """A volume of a group has one of the group's types, and it must be asked for."""
    if kind is None:
        raise errors.InvalidInput(reason="volume_type must be provided when creating a volume in a group.")
    if kind.id not in group.volume_type_ids:
        raise errors.InvalidInput(
            reason=f"Invalid volume_type provided: {kind.name} (requested type must be supported by this "
            "group)."
        )


def _check_origin(origin: Origin, size: int) -> None:
    """What is copied must be ready and not larger (`ExtractVolumeRequestTask`)."""
    snapshot, source, image, backup = origin
    if snapshot is not None:
        if snapshot.status != "available":
            raise errors.InvalidSnapshot(reason="Originating snapshot status must be one of 'available' values")
        if size < snapshot.volume_size:
            raise errors.InvalidInput(
                reason=f"Volume size '{size}'GB cannot be smaller than the snapshot size "
                f"{snapshot.volume_size}GB. They must be >= original snapshot size."
            )
    elif source is not None:
        if source.status not in AVAILABLE_OR_IN_USE:
            raise errors.InvalidVolume(
                reason="Originating source volume status must be one of 'available, in-use' values"
            )
        if size < source.size:
            raise errors.InvalidInput(
                reason=f"Volume size '{size}'GB cannot be smaller than original volume size  "
                f"{source.size}GB. They must be >= original volume size."
            )
    elif backup is not None:
        if backup.status != "available":
            raise errors.InvalidBackup(reason="Originating backup status must be one of 'available' values")
        if size < backup.size:
            raise errors.InvalidInput(
                reason=f"Volume size {size}GB cannot be smaller than the backup size {backup.size}GB. "
                "It must be >= backup size."
            )
    elif image is not None:
        check_image(image, size)


def _where(group: Group | None, origin: Origin) -> str:
    """Members are on their group's back-end, copies in their origin's pool (`VolumeCastTask`)."""
    if group is not None:
        return service_host(group.resource_backend)
    return origin.volume.resource_backend if origin.volume else ""
