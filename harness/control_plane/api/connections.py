"""Reserving, attaching and connecting a volume as Nova did before the attachment API.

Source: `cinder.volume.api:API`, the methods of the same names, and `cinder.api.contrib.admin_actions`.
"""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import ACTIONS, ADMIN_ACTIONS, AVAILABLE_OR_IN_USE
from harness.control_plane.policy import authorize
from harness.model import Attachment, ConnectionInfo, Connector, Context, Volume, is_migrating


class Connections(Chapter):
    """Actions on the volume itself, some of which Nova still uses next to attachments."""

    def reserve(self, context: Context, volume_id: str) -> None:
        """available -> attaching; a volume that may have several attachments also from in-use."""
        volume = self.get(context, volume_id)
        action = ACTIONS["reserve"]
        authorize(context, action.rule, volume)
        if volume.multiattach:
            action = action._replace(statuses=AVAILABLE_OR_IN_USE)
        self.claim(volume, action, {"status": "attaching"}, {"multiattach": volume.multiattach})

    def unreserve(self, context: Context, volume_id: str) -> None:
        """attaching -> available, or in-use if it is attached; in any other status nothing happens."""
        self._unreserve(context, self.get(context, volume_id))

    def _unreserve(self, context: Context, volume: Volume) -> None:
        authorize(context, ACTIONS["unreserve"].rule, volume)
        attached = bool(self.cloud.database.attachments_of(volume.id))
        self.cloud.database.conditional_update(
            volume, {"status": "in-use" if attached else "available"}, {"status": "attaching"}
        )

    def begin_detaching(self, context: Context, volume_id: str) -> None:
        """in-use -> detaching. While the volume migrates: accepted, and nothing happens."""
        volume = self.get(context, volume_id)
        action = ACTIONS["begin_detaching"]
        authorize(context, action.rule, volume)
        if not is_migrating(volume.migration_status):
            self.claim(volume, action, {"status": "detaching"}, {"attach_status": "attached"})

    def roll_detaching(self, context: Context, volume_id: str) -> None:
        """detaching -> in-use; in any other status nothing happens."""
        volume = self.get(context, volume_id)
        authorize(context, ACTIONS["roll_detaching"].rule, volume)
        self.cloud.database.conditional_update(volume, {"status": "in-use"}, {"status": "detaching"})

    def attach(
        self,
        context: Context,
        volume_id: str,
        *,
        instance_uuid: str | None = None,
        host_name: str | None = None,
        mountpoint: str | None = None,
        mode: str = "rw",
    ) -> str:
        """Mark the volume as attached to a server or a host; returns the attachment's id."""
        volume = self.get(context, volume_id)
        return self.attach_record(context, volume, instance_uuid, host_name, mountpoint, mode)

    def attach_record(
        self, context: Context, volume: Volume, instance_uuid: str | None, host_name: str | None,
        mountpoint: str | None, mode: str,
    ) -> str:  # fmt: skip
        """The same with the record in hand, which a migration of Nova's own has."""
        action = ACTIONS["attach"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        volume.admin_metadata.setdefault("readonly", "False")
        volume.save()
        if volume.admin_metadata["readonly"] == "True" and mode != "ro":
            raise errors.InvalidVolumeAttachMode(mode=mode, volume_id=volume.id)
        attachment_id: str = self.cloud.messaging.call(
            volume.service_topic_queue, "attach_volume", volume, instance_uuid, host_name, mountpoint, mode
        )
        return attachment_id

    def detach(self, context: Context, volume_id: str, attachment_id: str | None = None) -> None:
        """Mark one attachment as gone; without an id the volume must not have two."""
        self.detach_record(context, self.get(context, volume_id), attachment_id)

    def detach_record(self, context: Context, volume: Volume, attachment_id: str | None) -> None:
        """The same with the record in hand."""
        action = ACTIONS["detach"]
        authorize(context, action.rule, volume)
        self.require_deletion_allowed(context, volume, self._attachment(attachment_id))
        self.require(volume, action)
        self.cloud.messaging.call(volume.service_topic_queue, "detach_volume", volume.id, attachment_id)

    def _attachment(self, attachment_id: str | None) -> Attachment | None:
        if attachment_id is None or attachment_id not in self.cloud.database.attachments:
            return None
        return self.cloud.database.get_attachment(attachment_id)

    def initialize_connection(self, context: Context, volume_id: str, connector: Connector) -> ConnectionInfo:
        """Export and connect; the answer carries the connection info. 500 if the back-end fails."""
        volume = self.get(context, volume_id)
        action = ACTIONS["initialize_connection"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        try:
            info: ConnectionInfo = self.cloud.messaging.call(
                volume.service_topic_queue, "initialize_connection", volume, connector
            )
        except errors.VolumeBackendAPIException:
            raise errors.ServiceError("Unable to fetch connection information from backend.") from None
        return {**info, "enforce_multipath": connector.get("enforce_multipath", False)}

    def terminate_connection(self, context: Context, volume_id: str, connector: Connector | None) -> None:
        """Withdraw access, and undo a reservation. 500 if the back-end fails."""
        volume = self.get(context, volume_id)
        authorize(context, ACTIONS["terminate_connection"].rule, volume)
        self.require_deletion_allowed(context, volume, None)
        try:
            self.cloud.messaging.call(
                volume.service_topic_queue, "terminate_connection", volume.id, connector, False
            )
        except errors.VolumeBackendAPIException:
            raise errors.ServiceError("Unable to terminate volume connection from backend.") from None
        self._unreserve(context, volume)

    def force_detach(
        self,
        context: Context,
        volume_id: str,
        attachment_id: str | None = None,
        connector: Connector | None = None,
    ) -> None:
        """An operator ends a connection that nobody else ends: terminate, then detach."""
        volume = self.get(context, volume_id)
        authorize(context, f"{ADMIN_ACTIONS}:force_detach", volume)
        self.terminate_connection(context, volume_id, connector)
        self.detach_record(context, volume, attachment_id)
