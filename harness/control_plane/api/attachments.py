"""The attachment API (microversion 3.27 and later), the only way in which Nova attaches volumes today.

Source: `cinder.volume.api:API.attachment_create` and its siblings, `cinder.api.v3.attachments`.
"""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import ACTIONS
from harness.control_plane.policy import authorize, visible
from harness.model import Attachment, Connector, Context, Volume


class AttachmentApi(Chapter):
    """reserved -> (update) attaching -> (complete) attached -> deleted."""

    def get_attachment(self, context: Context, attachment_id: str) -> Attachment:
        """AttachmentNotFound also for what is attached of another project's."""
        attachment = self.cloud.database.get_attachment(attachment_id)
        if not visible(context, self.cloud.database.get_volume(attachment.volume_id)):
            raise errors.AttachmentNotFound(attachment_id=attachment_id)
        return attachment

    def list_attachments(self, context: Context, *, all_tenants: bool = False) -> list[Attachment]:
        """Those of the caller's project; an admin may ask for all."""
        database = self.cloud.database
        everything = context.is_admin and all_tenants
        return [
            Attachment.from_row(row, database)
            for row in database.attachments.values()
            if everything or database.volumes[row["volume_id"]]["project_id"] == context.project_id
        ]

    def create(
        self,
        context: Context,
        volume_id: str,
        server_id: str | None,
        mode: str | None = None,
        connector: Connector | None = None,
    ) -> Attachment:
        """Reserve the volume for a server, and connect at once with a `connector`.

        InvalidVolume if the volume's status does not allow that. `mode` is rw or ro (microversion 3.54).
        """
        volume = self.get(context, volume_id)
        action = ACTIONS["attachment_create"]
        authorize(context, action.rule, volume)
        if "error" in volume.status:
            raise errors.InvalidVolume(
                reason="Volume attachments can not be created if the volume is in an error state. The Volume "
                f"{volume.id} currently has a status of: {volume.status} "
            )
        self._reserve(context, volume, server_id)
        database = self.cloud.database
        attachment_id = database.create(Attachment, {"volume_id": volume.id, "instance_uuid": server_id})
        info = None
        if connector:
            info = self.cloud.messaging.call(
                volume.service_topic_queue, "attachment_update", volume, connector, attachment_id
            )
        attachment = database.get_attachment(attachment_id)
        attachment.connection_info = info
        # Whatever the flag says: "False" makes the attachment read-only, too.
        attachment.attach_mode = "ro" if volume.admin_metadata.get("readonly") else mode
        attachment.save()
        self.note("attachment-create", f"{volume.name} for {server_id}")
        return database.get_attachment(attachment_id)

    def _reserve(self, context: Context, volume: Volume, server_id: str | None) -> None:
        action = ACTIONS["attachment_create"]
        if volume.multiattach:
            if volume.status == "in-use" and volume.bootable:
                authorize(context, "volume:multiattach_bootable_volume", volume)
            action = action._replace(statuses=("available", "in-use", "downloading"))
        try:
            self.claim(volume, action, {"status": "reserved"}, {"multiattach": volume.multiattach})
        except errors.InvalidVolume:
            if not self._same_server(volume, server_id):
                raise

    def _same_server(self, volume: Volume, server_id: str | None) -> bool:
        """A second attachment for the same server: it is being moved between hosts."""
        return volume.status in ("in-use", "reserved") and any(
            server_id and attachment.instance_uuid == server_id
            for attachment in self.cloud.database.attachments_of(volume.id)
        )

    def update(self, context: Context, attachment_id: str, connector: Connector) -> Attachment:
        """Connect the server's host; the answer carries the connection info."""
        attachment = self.get_attachment(context, attachment_id)
        with self.cloud.lock(f"attachment_update-{attachment.volume_id}-{connector['host']}"):
            authorize(context, "volume:attachment_update")
            volume = self.get(context, attachment.volume_id)
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
                volume.service_topic_queue, "attachment_update", volume, connector, attachment_id
            )
            attachment.save()
        self.note("attachment-update", f"{volume.name} to {connector['host']}")
        return self.cloud.database.get_attachment(attachment_id)

    def complete(self, context: Context, attachment_id: str) -> None:
        """os-complete (microversion 3.44): the server uses the device."""
        attachment = self.get_attachment(context, attachment_id)
        volume = self.get(context, attachment.volume_id)
        authorize(context, "volume:attachment_complete")
        attachment.attach_status = "attached"
        attachment.save()
        volume.update({"status": "in-use", "attach_status": "attached"})
        volume.save()
        self.note("attachment-complete", volume.name)

    def delete(self, context: Context, attachment_id: str) -> list[Attachment]:
        """Disconnect and forget; the volume's statuses follow unless it migrates. Returns those that remain.

        ConflictNovaUsingAttachment (409) unless Nova asks, or no server uses the attachment.
        """
        attachment = self.get_attachment(context, attachment_id)
        authorize(context, "volume:attachment_delete")
        volume = self.get(context, attachment.volume_id)
        self.require_deletion_allowed(context, volume, attachment)
        if attachment.attach_status == "reserved":
            self.notify(volume, "detach.start")
        else:
            self.cloud.messaging.call(volume.service_topic_queue, "attachment_delete", attachment_id, volume)
        self.cloud.database.volume_detached(volume.id, attachment_id)
        volume.refresh()
        self.notify(volume, "detach.end")
        self.note("attachment-delete", volume.name)
        return self.cloud.database.attachments_of(volume.id)
