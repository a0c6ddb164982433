"""Reserving, attaching and connecting a volume as Nova did before the attachment API."""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.policy import authorize
from harness.model import Context, is_migrating


class Connections(Chapter):
    """Actions on the volume itself, some of which Nova still uses next to attachments."""

    def begin_detaching(self, context: Context, volume_id: str) -> None:
        """in-use -> detaching. While the volume migrates: accepted, and nothing happens."""
        volume = self.get(context, volume_id)
        authorize(context, volume, "volume_extension:volume_actions:begin_detaching")
        if is_migrating(volume.migration_status):
            return
        if not self.cloud.database.conditional_update(
            volume, {"status": "detaching"}, {"status": "in-use", "attach_status": "attached"}
        ):
            raise errors.InvalidVolume(
                reason="Unable to detach volume. Volume status must be 'in-use' and attach_status must be "
                "'attached' to detach."
            )

    def roll_detaching(self, context: Context, volume_id: str) -> None:
        """detaching -> in-use; in any other status nothing happens."""
        volume = self.get(context, volume_id)
        authorize(context, volume, "volume_extension:volume_actions:roll_detaching")
        self.cloud.database.conditional_update(volume, {"status": "in-use"}, {"status": "detaching"})
