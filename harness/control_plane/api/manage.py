"""Taking over what is on a back-end already, and letting go of it (`cinder.volume.api:API.manage_existing`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness import errors
from harness.control_plane.api.chapter import check_metadata
from harness.control_plane.api.snapshots import Snapshots
from harness.control_plane.api.volumes import Volumes
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import Context, Manageable, Service, Snapshot, Volume
from harness.record import service_host, split_host

_VOLUME_NAME = re.compile(r"volume-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Manage(Volumes, Snapshots):
    """For operators."""

    def manage_volume(
        self,
        context: Context,
        host: str,
        ref: Mapping[str, str],
        *,
        name: str | None = None,
        description: str | None = None,
        volume_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        availability_zone: str | None = None,
        bootable: bool = False,
    ) -> Volume:
        """A record in `managing`; scheduler, driver and quota come later, and may leave it in error_managing.

        `ref` has source-name or source-id; `host` is ``host@backend`` with or without a pool.
        """
        authorize(context, "volume_extension:volume_manage")
        database = self.cloud.database
        kind = None
        if volume_type:
            try:
                kind = database.get_volume_type(volume_type)
            except errors.VolumeTypeNotFound:
                reason = f"Cannot find requested '{volume_type}' volume type"
                raise errors.InvalidVolumeType(reason=reason) from None
        known = _VOLUME_NAME.fullmatch(ref.get("source-name", ""))
        if known and known[1] in database.volumes:
            raise errors.InvalidVolume("Unable to manage existing volume. The volume is already managed")
        kind = kind or self.cloud.default_types.default_for(context.project_id)
        service = self._usable_service(host)
        check_metadata(metadata)
        reservations = self.cloud.reserve(context.project_id, kind.id, {"volumes": 1, "gigabytes": 0})
        volume = database.get_volume(
            database.create(
                Volume,
                {
                    "size": 0,
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "status": "managing",
                    "display_name": name,
                    "display_description": description,
                    "host": host if split_host(host).pool else service.host,
                    "availability_zone": availability_zone or service.availability_zone,
                    "volume_type_id": kind.id,
                    "multiattach": kind.multiattach,
                    "metadata": dict(metadata or {}),
                    "bootable": bootable,
                    "created_at": self.cloud.simulation.kernel.now_us,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self.note("manage_volume", f"{ref} on {host}")
        self.cloud.messaging.cast(TOPIC, "manage_existing", volume, dict(ref))
        return volume

    def unmanage_volume(self, context: Context, volume_id: str) -> None:
        """Forget the record and leave the object; conditions as for a deletion, and not encrypted."""
        volume = self.get(context, volume_id)
        authorize(context, "volume_extension:volume_unmanage", volume)
        self.remove_volume(context, volume, unmanage_only=True)

    def get_manageable_volumes(self, context: Context, host: str) -> list[Manageable]:
        """What the back-end has, and whether it could be taken over (microversion 3.8)."""
        authorize(context, "volume_extension:list_manageable")
        return self._found(host, "get_manageable_volumes")

    def manage_snapshot(
        self,
        context: Context,
        volume_id: str,
        ref: Mapping[str, str],
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Snapshot:
        """A snapshot of a volume that is managed already."""
        authorize(context, "snapshot_extension:snapshot_manage")
        volume = self.get(context, volume_id)
        self._usable_service(volume.host or "")
        snapshot = self.record_snapshot(context, volume, name, description, metadata, in_use=True)
        self.note("manage_snapshot", f"{ref} of {volume.name}")
        self.cloud.messaging.cast(
            TOPIC, "manage_existing_snapshot", snapshot, volume.resource_backend, dict(ref)
        )
        return snapshot

    def unmanage_snapshot(self, context: Context, snapshot_id: str) -> None:
        """Forget the record and leave the snapshot."""
        snapshot = self.get_snapshot(context, snapshot_id)
        authorize(context, "snapshot_extension:snapshot_unmanage", snapshot)
        self.drop_snapshot(context, snapshot, unmanage_only=True)

    def get_manageable_snapshots(self, context: Context, host: str) -> list[Manageable]:
        """What snapshots the back-end has, and whether they could be taken over."""
        authorize(context, "snapshot_extension:list_manageable")
        return self._found(host, "get_manageable_snapshots")

    def _found(self, host: str, method: str) -> list[Manageable]:
        """By reference, descending, as a list that nobody sorted otherwise."""
        found = self.cloud.messaging.call(self._usable_service(host).host, method)
        return sorted(found, key=lambda each: str(each["reference"]["source-name"]), reverse=True)

    def _usable_service(self, host: str) -> Service:
        """ServiceNotFound (404); ServiceUnavailable (503) for one that is disabled or down."""
        service = self.cloud.database.service(service_host(host))
        if service.disabled or not self.cloud.is_up(service.host):
            raise errors.ServiceUnavailable
        return service
