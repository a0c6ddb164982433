"""The manager's chapter on snapshots of groups, and groups made of them or of others.

A driver that does not know of groups is asked for each snapshot or volume by itself, one after another: that is
not consistent, whatever the group's type says. Sources: `cinder.volume.manager:VolumeManager`, the methods of
the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness import errors
from harness.control_plane.groups import ADDABLE, Groups, one_by_one
from harness.model import Group, GroupSnapshot, ModelUpdate, Snapshot, Volume


class GroupSnapshots(Groups):
    """Runs on the service that the group is on."""

    def create_group_snapshot(self, group_snapshot: GroupSnapshot) -> None:
        """One that fails leaves itself and the group's snapshot in error, the others available."""
        snapshots = self.db.snapshots_of_group_snapshot(group_snapshot.id)
        self._notify_group_snapshot(group_snapshot, "create.start", snapshots)
        self._ask_for_snapshots(
            "create_group_snapshot", group_snapshot, snapshots, self._create_each, "available", "creating"
        )
        for snapshot in snapshots:
            snapshot.update({"status": "available", "progress": "100%"})
            snapshot.save()
        group_snapshot.status = "available"
        group_snapshot.save()
        self._notify_group_snapshot(group_snapshot, "create.end", snapshots)
        self.note("group snapshot created", group_snapshot.id)

    def _create_each(self, snapshot: Snapshot) -> ModelUpdate:
        return {"status": "available", **(self.drive("create_snapshot", snapshot) or {})}

    def delete_group_snapshot(self, group_snapshot: GroupSnapshot) -> None:
        """A busy one loses its record, too; after any other failure all records stay, in error."""
        snapshots = self.db.snapshots_of_group_snapshot(group_snapshot.id)
        self._notify_group_snapshot(group_snapshot, "delete.start", snapshots)
        self._ask_for_snapshots(
            "delete_group_snapshot",
            group_snapshot,
            snapshots,
            self._delete_each,
            group_snapshot.status,
            "deleting",
        )
        for snapshot in snapshots:
            type_id = self.db.get_volume(snapshot.volume_id).volume_type_id
            deltas = {"snapshots": -1, "gigabytes": -snapshot.volume_size}
            self.cloud.quotas.commit(self.give_back(group_snapshot.project_id, type_id, deltas))
            self.db.snapshots.pop(snapshot.id, None)
        self.db.group_snapshots.pop(group_snapshot.id, None)
        self._notify_group_snapshot(group_snapshot, "delete.end", snapshots)
        self.note("group snapshot deleted", group_snapshot.id)

    def _delete_each(self, snapshot: Snapshot) -> ModelUpdate:
        try:
            self.drive("delete_snapshot", snapshot)
        except errors.SnapshotIsBusy:
            return {"status": "available"}
        return {"status": "deleted"}

    def _ask_for_snapshots(
        self,
        method: str,
        group_snapshot: GroupSnapshot,
        snapshots: Sequence[Snapshot],
        each: Callable[[Snapshot], ModelUpdate],
        status: str,
        verb: str,
    ) -> None:
        """Let the driver do it for all at once, or `each` by itself. VolumeDriverException if one failed."""
        updates: list[ModelUpdate] | None = None
        try:
            self.require_driver_initialized()
            try:
                update, updates = self.drive(method, self.admin, group_snapshot, snapshots)
            except NotImplementedError:
                update, updates = one_by_one(status, snapshots, each)
            failed = self.write_updates(Snapshot, updates) or (update or {}).get("status")
            if failed in ("error", "error_deleting"):
                raise errors.VolumeDriverException(
                    message=f"Error occurred when {verb} group_snapshot {group_snapshot.id}."
                )
        except errors.ServiceError as error:
            self.note(f"{method} failed", str(error))
            group_snapshot.status = "error"
            group_snapshot.save()
            for snapshot in snapshots if not updates else ():
                snapshot.status = "error"
                snapshot.save()
            raise

    def _notify_group_snapshot(
        self, group_snapshot: GroupSnapshot, suffix: str, snapshots: Sequence[Snapshot]
    ) -> None:
        self.cloud.notifications.group_snapshot(group_snapshot, suffix, self.host)
        for snapshot in snapshots:
            self.cloud.notifications.snapshot(snapshot, snapshot.volume, suffix, self.host)

    # --------------------------------------------------------------------------------------------- source

    def create_group_from_src(self, group: Group) -> None:
        """Make all volumes of the group, whose records are there already.

        A driver that raises for one of them is not heard: all volumes become available, as in Cinder.
        """
        volumes = self.db.volumes_of_group(group.id)
        try:
            originals = self._originals(group, volumes)
            self.notify_group(group, "create.start")
            self.require_driver_initialized()
            try:
                self._make_by_driver(group, volumes, originals)
            except NotImplementedError:
                _, updates = one_by_one("available", volumes, lambda volume: self._copy(volume, originals))
                self.write_updates(Volume, updates)
        except Exception as error:
            self.note("create_group_from_src failed", str(error))
            for record in (group, *volumes):
                record.status = "error"
                record.save()
            raise
        for volume in volumes:
            fields: ModelUpdate = {"status": "available", "created_at": self.simulation.kernel.now_us}
            if volume.source_volid and self.db.get_volume(volume.source_volid).multiattach:
                fields["multiattach"] = True
            self.db.update(Volume, volume.id, fields)
            self.update_allocated_capacity(volume)
        group.update({"status": "available", "created_at": self.simulation.kernel.now_us})
        group.save()
        self.notify_group(group, "create.end")
        self.note("group created", group.id)

    def _originals(self, group: Group, volumes: Sequence[Volume]) -> dict[str, Snapshot | Volume]:
        """What each of the volumes is made of, by its id. InvalidGroup for what cannot be copied now."""
        originals: dict[str, Snapshot | Volume] = {}
        found: Sequence[Snapshot | Volume]
        valid: tuple[str, ...]
        if group.group_snapshot_id:
            self.db.get_group_snapshot(group.group_snapshot_id)
            found = self.db.snapshots_of_group_snapshot(group.group_snapshot_id)
            kind, valid = "snapshot", ("available",)
        else:
            source = self.db.get_group(group.source_group_id or "")
            found = self.db.volumes_of_group(source.id)
            kind, valid = "source volume", ADDABLE
        for each in found:
            if each.status not in valid:
                raise errors.InvalidGroup(
                    reason=f"Cannot create group {group.id} because {kind} {each.id} is not in a valid state. "
                    f"Valid states are: {valid}."
                )
            originals[each.id] = each
        if len(volumes) != len(originals):
            raise errors.InvalidInput(reason=f"Input volumes or {kind}s are invalid.")
        return originals

    def _make_by_driver(
        self, group: Group, volumes: Sequence[Volume], originals: dict[str, Snapshot | Volume]
    ) -> None:
        """NotImplementedError if the driver knows nothing of groups."""
        in_order = [originals[volume.snapshot_id or volume.source_volid or ""] for volume in volumes]
        of_snapshot = group.group_snapshot_id is not None
        update, updates = self.drive(
            "create_group_from_src",
            self.admin,
            group,
            volumes,
            self.db.get_group_snapshot(group.group_snapshot_id or "") if of_snapshot else None,
            in_order if of_snapshot else None,
            None if of_snapshot else self.db.get_group(group.source_group_id or ""),
            None if of_snapshot else in_order,
        )
        self.write_updates(Volume, updates)
        group.update(update or {})

    def _copy(self, volume: Volume, originals: dict[str, Snapshot | Volume]) -> ModelUpdate:
        original = originals[volume.snapshot_id or volume.source_volid or ""]
        method = "create_volume_from_snapshot" if volume.snapshot_id else "create_cloned_volume"
        return {"status": "available", **(self.drive(method, volume, original) or {})}
