"""The life of a volume: list, delete, extend, rename. Source: `cinder.volume.api:API`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness import errors
from harness.control_plane.api.chapter import check_metadata, check_size_limits
from harness.control_plane.api.conditions import ACTIONS, NEWEST, Microversion
from harness.control_plane.api.creation import Creation
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import Context, Snapshot, Volume


class Volumes(Creation):
    """Actions on the volume itself."""

    def list_volumes(self, context: Context, *, all_tenants: bool = False) -> list[Volume]:
        """Those of the caller's project; an admin may ask for all.

        The temporary volume of a migration is left out for those who are no admins, as long as it is a target.
        """
        authorize(context, "volume:get_all")
        return [
            Volume.from_row(row, self.cloud.database)
            for row in self.cloud.database.volumes.values()
            if (context.is_admin and all_tenants)
            or (
                row["project_id"] == context.project_id
                and (context.is_admin or not (row["migration_status"] or "").startswith("target:"))
            )
        ]

    # --------------------------------------------------------------------------------------------- delete

    def delete_volume(
        self, context: Context, volume_id: str, *, force: bool = False, cascade: bool = False
    ) -> None:
        """InvalidVolume unless idle, detached, ungrouped and without snapshots.

        `force` ignores the status (microversion 3.23, or os-force_delete), `cascade` takes snapshots along.
        """
        volume = self.get(context, volume_id)
        self.remove_volume(context, volume, force=force, cascade=cascade)

    def remove_volume(
        self,
        context: Context,
        volume: Volume,
        *,
        force: bool = False,
        cascade: bool = False,
        unmanage_only: bool = False,
    ) -> None:
        """Delete or let go of a volume whose record is in hand (`API.delete`)."""
        action = ACTIONS["force_delete" if force else "delete"]
        authorize(context, action.rule, volume)
        if not volume.host:
            return self._delete_unscheduled(volume)
        if not unmanage_only:
            self.require_thawed(volume)
        elif volume.encryption_key_id is not None:
            raise errors.Invalid("Unmanaging encrypted volumes is not supported.")
        snapshots = volume.snapshots
        if cascade:
            snapshots_allow = force or _deletable_by(context, snapshots)
        else:
            snapshots_allow = not snapshots
        status = "unmanaging" if unmanage_only else "deleting"
        if volume.status == "error_managing":
            status = "error_managing_deleting"
        nothing_of_a_group = {"consistencygroup_id": None, "group_id": None}
        self.claim(volume, action, {"status": status}, nothing_of_a_group, snapshots_allow)
        if cascade:
            self._delete_snapshots(volume, snapshots, force)
        if volume.encryption_key_id is not None:
            # At once: should the deletion fail, nobody can read the volume any more.
            self.cloud.key_manager.delete_key(volume.encryption_key_id)
        self.note("unmanage_volume" if unmanage_only else "delete_volume", volume.name)
        self.cloud.messaging.cast(volume.service_topic_queue, "delete_volume", volume, unmanage_only, cascade)

    def _delete_snapshots(self, volume: Volume, snapshots: Sequence[Snapshot], force: bool) -> None:
        """Mark them; their volume's service deletes them before the volume."""
        expected: dict[str, Any] = {"group_snapshot_id": None}
        if not force:
            expected["status"] = ("available", "error", "deleting")
        for snapshot in snapshots:
            if not self.cloud.database.conditional_update(snapshot, {"status": "deleting"}, expected):
                volume.status = "error_deleting"
                volume.save()
                raise errors.InvalidVolume(reason="Failed to update snapshot.")

    def _delete_unscheduled(self, volume: Volume) -> None:
        """A volume that never got a host has a record and a share of the quota only."""
        self.notify(volume, "delete.start")
        if volume.use_quota and volume.status != "error_managing":
            reservations = self.cloud.reserve(
                volume.project_id, volume.volume_type_id, {"volumes": -1, "gigabytes": -volume.size}
            )
            self.cloud.quotas.commit(reservations)
        self.cloud.database.destroy_volume(volume.id)
        self.notify(volume, "delete.end")
        self.note("delete_volume", volume.name)

    # --------------------------------------------------------------------------------------------- change

    def extend_volume(
        self, context: Context, volume_id: str, new_size: int, *, microversion: Microversion = NEWEST
    ) -> None:
        """Grow an available volume, or an in-use one (microversion 3.42)."""
        volume = self.get(context, volume_id)
        online = volume.status == "in-use" and microversion >= ACTIONS["extend_attached"].since
        action = ACTIONS["extend_attached" if online else "extend"]
        authorize(context, action.rule, volume)
        if new_size <= volume.size:
            raise errors.InvalidInput(
                reason="New size for extend must be greater than current size. "
                f"(current: {volume.size}, extended: {new_size})."
            )
        if volume.volume_type:
            check_size_limits(volume.volume_type, new_size)
        original = volume.status
        values = {"status": "extending", "previous_status": original}
        self.claim(volume, action, values)
        try:
            self.cloud.quotas.check_size(context.project_id, new_size)
            reservations = self.cloud.reserve(
                volume.project_id, volume.volume_type_id, {"gigabytes": new_size - volume.size}
            )
        except errors.OverQuota:
            self.cloud.database.conditional_update(volume, {"status": original}, values)
            raise
        self.note("extend_volume", f"{volume.name} to {new_size} GiB")
        self.cloud.messaging.cast(TOPIC, "extend_volume", volume, new_size, reservations)

    def extend_volume_completion(self, context: Context, volume_id: str, *, error: bool = False) -> None:
        """Nova's callback after it has grown what a driver cannot (microversion 3.71).

        InvalidVolume unless the driver has left size and reservations in the admin metadata.
        """
        volume = self.get(context, volume_id)
        action = ACTIONS["extend_completion"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        pairs = volume.admin_metadata
        try:
            new_size = int(pairs["extend_new_size"])
            reservations = json.loads(pairs["extend_reservations"])
        except (KeyError, ValueError):
            raise errors.InvalidVolume(
                reason="Required volume admin metadata is malformed or missing."
            ) from None
        if new_size <= volume.size:
            raise errors.InvalidVolume(
                reason=f"The target volume size provided in volume admin metadata {new_size} is smaller or "
                "equal to the current volume size."
            )
        if not isinstance(reservations, list):
            raise errors.InvalidVolume(
                reason="The stored quota reservations for extending the volume must be in a list format."
            )
        left = ("extend_new_size", "extend_reservations")
        volume.admin_metadata = {name: value for name, value in pairs.items() if name not in left}
        volume.save()
        self.cloud.messaging.cast(
            volume.service_topic_queue, "extend_volume_completion", volume, new_size, reservations, error
        )

    def update_volume(
        self,
        context: Context,
        volume_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Volume:
        """Change what is given, which is possible in every status but maintenance."""
        volume = self.get(context, volume_id)
        action = ACTIONS["update"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        check_metadata(metadata)
        given = {"display_name": name, "display_description": description, "metadata": metadata}
        volume.update({field: value for field, value in given.items() if value is not None})
        volume.save()
        self.note("update volume", f"display_name {name}")
        return volume

    def rename_volume(self, context: Context, volume_id: str, name: str) -> None:
        """Change the display name."""
        self.update_volume(context, volume_id, name=name)


def _deletable_by(context: Context, snapshots: Sequence[Snapshot]) -> bool:
    """Whether a cascade may take them all (`volume_has_undeletable_snapshots_filter`)."""
    return all(
        snapshot.status in ("available", "error")
        and (context.is_admin or snapshot.project_id == context.project_id)
        for snapshot in snapshots
    )
