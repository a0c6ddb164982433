"""States written by hand (`cinder.api.contrib.admin_actions`)."""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import ACTIONS
from harness.control_plane.policy import authorize
from harness.model import Context, Volume

RESETTABLE = {
    "status": (
        "creating", "available", "deleting", "error", "error_deleting", "error_managing", "managing",
        "attaching", "in-use", "detaching", "maintenance", "restoring-backup", "error_restoring", "reserved",
        "awaiting-transfer", "backing-up", "error_backing-up", "error_extending", "downloading", "uploading",
        "retyping", "extending",
    ),
    "attach_status": ("attached", "detached"),
    "migration_status": ("migrating", "error", "success", "completing", "none", "starting"),
}  # fmt: skip
"""What reset-status takes (`cinder.api.schemas.admin_actions:reset_status_volume`)."""


class States(Chapter):
    """What an operator does to records."""

    def reset_status(
        self,
        context: Context,
        volume_id: str,
        *,
        status: str | None = None,
        attach_status: str | None = None,
        migration_status: str | None = None,
    ) -> None:
        """Write states by hand. It stops nothing: a running migration overwrites them when it ends.

        Detaching by hand deletes the attachments, and the statuses then follow as after any detach.
        """
        wanted = {"status": status, "attach_status": attach_status, "migration_status": migration_status}
        values: dict[str, str | None] = {name: value.lower() for name, value in wanted.items() if value}
        if not values:
            raise errors.InvalidInput(reason="Must specify 'status', 'attach_status' or 'migration_status'.")
        for name, value in values.items():
            if value not in RESETTABLE[name]:
                raise errors.InvalidInput(reason=f"Invalid {name}: '{value}'.")
        if values.get("migration_status") == "none":
            values["migration_status"] = None
        volume = self.get(context, volume_id)
        authorize(context, ACTIONS["reset_status"].rule, volume)
        new_status = values.get("status")
        # error_deleting and detaching were to be refused as well, but a missing comma makes one word of them.
        if new_status == "deleting":
            raise errors.Invalid("Cannot reset-state to deleting")
        if new_status == "in-use" and not volume.volume_attachment:
            raise errors.Invalid("Cannot reset-state to in-use because volume does not have any attachments.")
        database = self.cloud.database
        database.update(Volume, volume.id, values)
        database.workers.pop(volume.id, None)
        if values.get("attach_status") == "detached":
            for attachment in volume.volume_attachment:
                database.volume_detached(volume.id, attachment.id)
        self.note("reset_status", f"{status or '-'}/{attach_status or '-'}/{migration_status or '-'}")
