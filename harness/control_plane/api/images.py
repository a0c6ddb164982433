"""Uploading a volume to the image service, and writing an image over it."""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import ACTIONS, AVAILABLE_OR_IN_USE, VOLUME_ACTIONS
from harness.control_plane.images import Image, check_image
from harness.control_plane.policy import authorize
from harness.model import Context, Volume


class Images(Chapter):
    """`cinder.volume.api:API.copy_volume_to_image` and `reimage`, `cinder.api.contrib.volume_actions`."""

    def upload_image(
        self,
        context: Context,
        volume_id: str,
        image_name: str,
        *,
        force: bool = False,
        disk_format: str = "raw",
        container_format: str = "bare",
        visibility: str = "private",
        protected: bool = False,
    ) -> Image:
        """Make an image of an available volume; of an in-use one only with `force` and enable_force_upload.

        An image of an encrypted volume holds its ciphertext, and gets a key of its own with the same secret.
        """
        volume = self.get(context, volume_id)
        action = ACTIONS["upload_image"]
        authorize(context, action.rule)
        fields: dict[str, Any] = {
            "name": image_name, "disk_format": disk_format, "container_format": container_format,
            "visibility": visibility, "protected": protected, "properties": dict(volume.glance_metadata),
        }  # fmt: skip
        if volume.encryption_key_id:
            if (disk_format, container_format) != ("raw", "bare"):
                raise errors.Invalid(
                    "An encrypted volume uploaded as an image must use 'raw' disk_format and 'bare' "
                    "container_format, which are the defaults for these options."
                )
            # Cloned before the volume's status is looked at: it stays behind when that refuses.
            fields["properties"]["cinder_encryption_key_id"] = self.cloud.key_manager.clone_key(
                volume.encryption_key_id
            )
            fields["properties"]["cinder_encryption_key_deletion_policy"] = "on_image_deletion"
        if visibility == "public":
            authorize(context, f"{VOLUME_ACTIONS}:upload_public")
        if force and self.cloud.options["enable_force_upload"]:
            action = action._replace(statuses=AVAILABLE_OR_IN_USE)
        values = {"status": "uploading", "previous_status": lambda row: row["status"]}
        self.claim(volume, action, values)
        image = self.cloud.images.create(context.project_id, **fields)
        self.note("upload_image", f"{volume.name} to {image.id}")
        self.cloud.messaging.cast(volume.service_topic_queue, "copy_volume_to_image", volume.id, image.id)
        return image

    def reimage(
        self, context: Context, volume_id: str, image_id: str, *, reimage_reserved: bool = False
    ) -> None:
        """Write an image over the volume (microversion 3.68); a reserved one only if that is asked for."""
        volume = self.get(context, volume_id)
        image = self.cloud.images.show(image_id)
        reserved = volume.status == "reserved"
        authorize(context, ACTIONS["reimage_reserved" if reserved else "reimage"].rule, volume)
        if len(volume.volume_attachment) > 1:
            raise errors.Conflict("Cannot re-image a volume which is attached to more than one server.")
        values = {"status": "downloading", "previous_status": lambda row: row["status"]}
        self.claim(volume, ACTIONS["reimage_reserved" if reimage_reserved else "reimage"], values)
        self._require_fitting(volume, image)
        self.note("reimage", f"{volume.name} with {image_id}")
        self.cloud.messaging.cast(volume.service_topic_queue, "reimage", volume, image_id)

    def _require_fitting(self, volume: Volume, image: Image) -> None:
        """The status goes back if the image is not fit."""
        try:
            check_image(image, volume.size)
        except errors.InvalidInput:
            back = {"status": volume.previous_status, "previous_status": None}
            self.cloud.database.conditional_update(volume, back, {"status": "downloading"})
            raise
