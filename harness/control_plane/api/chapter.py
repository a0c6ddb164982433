"""What every chapter of the API stands on: the cloud, the record that a request names, and its conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import errors
from harness.control_plane.api.conditions import Action
from harness.control_plane.database import Not
from harness.control_plane.policy import authorize, visible
from harness.model import AVAILABLE_MIGRATION_STATUSES, Attachment, Context, Snapshot, Volume, VolumeType
from harness.record import Clustered

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

LONGEST = 255
"""Characters of a metadata key or value."""


class Chapter:
    """Actions of one kind. Every method authorises, checks, writes, and sends a message."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get(self, context: Context, volume_id: str) -> Volume:
        """VolumeNotFound also for what belongs to another project."""
        volume = self.cloud.database.get_volume(volume_id)
        if not visible(context, volume):
            raise errors.VolumeNotFound(volume_id=volume_id)
        return volume

    def get_snapshot(self, context: Context, snapshot_id: str) -> Snapshot:
        """SnapshotNotFound also for what belongs to another project."""
        snapshot = self.cloud.database.get_snapshot(snapshot_id)
        if not context.is_admin and snapshot.project_id != context.project_id:
            raise errors.SnapshotNotFound(snapshot_id=snapshot_id)
        authorize(context, "volume:get_snapshot", snapshot)
        return snapshot

    def note(self, step: str, detail: str) -> None:
        """Something that the timeline should show."""
        self.cloud.simulation.record(step, detail)

    def notify(self, volume: Volume, suffix: str) -> None:
        """Tell who listens of ``volume.<suffix>``, in the name of the API's own host."""
        self.cloud.notifications.volume(volume, suffix, self.cloud.deployment.nodes[0].host)

    # ----------------------------------------------------------------------------------------- conditions

    def require(self, volume: Volume, action: Action) -> None:
        """InvalidVolume unless the record in hand is as the action wants it; nothing is written."""
        if not action.allows(volume):
            raise errors.InvalidVolume(reason=action.reason(volume))

    def claim(
        self,
        volume: Volume,
        action: Action,
        values: Mapping[str, Any],
        expected: Mapping[str, Any] | None = None,
        *filters: bool,
    ) -> None:
        """Write `values` in one step if the row is as the action and `expected` want it, else InvalidVolume."""
        wanted: dict[str, Any] = dict(expected or {})
        if action.statuses is not None:
            wanted["status"] = action.statuses
        if action.idle:
            wanted["migration_status"] = AVAILABLE_MIGRATION_STATUSES
        if action.detached:
            wanted["attach_status"] = Not("attached")
        if not self.cloud.database.conditional_update(volume, values, wanted, *filters):
            raise errors.InvalidVolume(reason=action.reason(volume))

    def require_thawed(self, record: Clustered) -> None:
        """InvalidInput if the record's service or cluster is frozen (`ClusteredObject.assert_not_frozen`)."""
        database = self.cloud.database
        table = database.clusters if record.cluster_name else database.services
        row = table.get(record.service_topic_queue)
        if row is not None and row["frozen"]:
            raise errors.InvalidInput(
                reason="Modification operations are not allowed on frozen storage backends."
            )

    def require_deletion_allowed(self, context: Context, volume: Volume, attachment: Attachment | None) -> None:
        """Only Nova takes a volume away from one of its servers (`attachment_deletion_allowed`, CVE-2023-2088).

        ConflictNovaUsingAttachment (409) for others, if the server that the attachment names has it.
        """
        if context.service:
            return
        if attachment is None:
            if not volume.volume_attachment:
                return
            if len(volume.volume_attachment) > 1:
                raise errors.ConflictNovaUsingAttachment(instance_id="")
            attachment = volume.volume_attachment[0]
        if volume.id != attachment.volume_id:
            raise errors.InvalidInput(reason="Mismatched volume and attachment")
        server = self.cloud.nova.servers.get(attachment.instance_uuid or "")
        if server is None or not attachment.connection_info:
            return
        disk = server.disks.get(volume.id)
        if disk is not None and disk.attachment_id == attachment.id:
            raise errors.ConflictNovaUsingAttachment(instance_id=server.id)


def check_size_limits(kind: VolumeType, size: int) -> None:
    """`cinder.volume.volume_types:provision_filter_on_size`."""
    lowest = kind.extra_specs.get("provisioning:min_vol_size")
    highest = kind.extra_specs.get("provisioning:max_vol_size")
    if lowest and size < int(lowest):
        raise errors.InvalidInput(
            reason=f"Specified volume size of {size} GB is less than the minimum required size of {lowest} GB "
            f"for volume type {kind.name}"
        )
    if highest and size > int(highest):
        raise errors.InvalidInput(
            reason=f"Specified volume size of {size} GB is greater than the maximum allowable size of "
            f"{highest} GB for volume type {kind.name}"
        )


def check_metadata(metadata: Mapping[str, str] | None) -> None:
    """InvalidVolumeMetadata (400) for an empty key, InvalidVolumeMetadataSize (413) for what is too long."""
    for key, value in (metadata or {}).items():
        if not key:
            raise errors.InvalidVolumeMetadata(reason="Metadata key: has 0 characters, less than 1.")
        if len(key) > LONGEST:
            raise errors.InvalidVolumeMetadataSize(
                reason=f"Metadata property key {key} greater than {LONGEST} characters."
            )
        if len(value) > LONGEST:
            raise errors.InvalidVolumeMetadataSize(
                reason=f"Metadata property key {key} value greater than {LONGEST} characters."
            )
