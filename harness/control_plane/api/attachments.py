"""The attachment API (microversion 3.27 and later), the only way in which Nova attaches volumes today.

Source: `cinder.volume.api:API.attachment_create` and its siblings, `cinder.api.v3.attachments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import errors
from harness.control_plane.policy import authorize
from harness.model import Attachment, Connector, Context, Volume, service_host

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud


class AttachmentApi:
    """reserved -> (update) attaching -> (complete) attached -> deleted."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def create(self, context: Context, volume_id: str, server_id: str, mode: str | None = None) -> Attachment:
        """Reserve the volume for a server. InvalidVolume if its status does not allow that."""
        volume = self.cloud.api.get(context, volume_id)
        authorize(context, volume, "volume:attachment_create")
        if "error" in volume.status:
            raise errors.InvalidVolume(
                reason="Volume attachments can not be created if the volume is in an error state. The Volume "
                f"{volume.id} currently has a status of: {volume.status} "
            )
        allowed = ("available", "in-use", "downloading") if volume.multiattach else ("available", "downloading")
        database = self.cloud.database
        if not database.conditional_update(
            volume, {"status": "reserved"}, {"multiattach": volume.multiattach, "status": allowed}
        ) and not self._same_server(volume, server_id):
            raise errors.InvalidVolume(
                reason=f"Volume {volume.id} status must be {' or '.join(allowed)} to reserve, but the current "
                f"status is {volume.status}."
            )
        if volume.admin_metadata.get("readonly"):
            # Whatever it says: "False" makes the attachment read-only, too.
            mode = "ro"
        attachment_id = database.create(
            Attachment, {"volume_id": volume.id, "instance_uuid": server_id, "attach_mode": mode}
        )
        self.cloud.simulation.record("attachment-create", f"{volume.name} for {server_id}")
        return database.get_attachment(attachment_id)

    def update(self, context: Context, attachment_id: str, connector: Connector) -> Attachment:
        """Connect the server's host; the answer carries the connection info."""
        attachment = self.cloud.database.get_attachment(attachment_id)
        with self.cloud.lock(f"attachment_update-{attachment.volume_id}-{connector['host']}"):
            volume = self.cloud.api.get(context, attachment.volume_id)
            if "error" in volume.status:
                raise errors.ResourceConflict(
                    reason="Volume attachments can not be updated if the volume is in an error state. The "
                    f"Volume {volume.id} currently has a status of: {volume.status} "
                )
            others = volume.volume_attachment
            shareable = volume.multiattach or (volume.volume_type and volume.volume_type.multiattach)
            if len(others) > 1 and not shareable and any(other.connection_info for other in others):
                raise errors.ResourceConflict(reason=f"duplicate connectors detected on volume {volume.id}")
            attachment.connection_info = self.cloud.messaging.call(
                service_host(volume.host or ""), "attachment_update", volume, connector, attachment_id
            )
            attachment.save()
        self.cloud.simulation.record("attachment-update", f"{volume.name} to {connector['host']}")
        return self.cloud.database.get_attachment(attachment_id)

    def complete(self, context: Context, attachment_id: str) -> None:
        """os-complete (microversion 3.44): the server uses the device."""
        attachment = self.cloud.database.get_attachment(attachment_id)
        volume = self.cloud.api.get(context, attachment.volume_id)
        authorize(context, volume, "volume:attachment_complete")
        attachment.attach_status = "attached"
        attachment.save()
        volume.update({"status": "in-use", "attach_status": "attached"})
        volume.save()
        self.cloud.simulation.record("attachment-complete", volume.name)

    def delete(self, context: Context, attachment_id: str) -> None:
        """Disconnect and forget; the volume's statuses follow unless it migrates."""
        attachment = self.cloud.database.get_attachment(attachment_id)
        volume = self.cloud.api.get(context, attachment.volume_id)
        authorize(context, volume, "volume:attachment_delete")
        if attachment.attach_status != "reserved":
            self.cloud.messaging.call(
                service_host(volume.host or ""), "attachment_delete", attachment_id, volume
            )
        self.cloud.database.volume_detached(volume.id, attachment_id)
        self.cloud.simulation.record("attachment-delete", volume.name)

    def _same_server(self, volume: Volume, server_id: str) -> bool:
        """A second attachment for the same server: it is being moved between hosts."""
        return volume.status in ("in-use", "reserved") and any(
            attachment.instance_uuid == server_id
            for attachment in self.cloud.database.attachments_of(volume.id)
        )
