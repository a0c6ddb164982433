"""Metadata of a volume, its readonly flag and whether it can be booted from."""

from __future__ import annotations

from collections.abc import Mapping

from harness import errors
from harness.control_plane.api.chapter import Chapter, check_metadata
from harness.control_plane.api.conditions import ACTIONS
from harness.control_plane.policy import authorize
from harness.model import Context, Volume

IMAGE_METADATA = "volume_extension:volume_image_metadata"


class Metadata(Chapter):
    """Key and value pairs (`cinder.volume.api:API.update_volume_metadata` and its siblings)."""

    def create_metadata(self, context: Context, volume_id: str, metadata: Mapping[str, str]) -> dict[str, str]:
        """Add pairs; returns all."""
        volume = self.get(context, volume_id)
        authorize(context, "volume:create_volume_metadata", volume)
        return self._write(volume, "metadata", metadata, delete=False)

    def update_metadata(
        self, context: Context, volume_id: str, metadata: Mapping[str, str], *, delete: bool = False
    ) -> dict[str, str]:
        """Add pairs, with `delete` in place of all others; returns all."""
        volume = self.get(context, volume_id)
        authorize(context, "volume:update_volume_metadata", volume)
        return self._write(volume, "metadata", metadata, delete=delete)

    def delete_metadata(self, context: Context, volume_id: str, key: str) -> None:
        """VolumeMetadataNotFound (404) if there is no such key."""
        volume = self.get(context, volume_id)
        authorize(context, "volume:get_volume_metadata", volume)
        if key not in volume.metadata:
            raise errors.VolumeMetadataNotFound(volume_id=volume.id, metadata_key=key)
        self._remove(context, volume, "metadata", key)

    def set_image_metadata(
        self, context: Context, volume_id: str, metadata: Mapping[str, str]
    ) -> dict[str, str]:
        """Properties of the image that the volume was made of; returns all."""
        volume = self.get(context, volume_id)
        authorize(context, f"{IMAGE_METADATA}:set", volume)
        authorize(context, "volume:update_volume_metadata", volume)
        return self._write(volume, "glance_metadata", metadata, delete=False)

    def delete_image_metadata(self, context: Context, volume_id: str, key: str) -> None:
        """GlanceMetadataNotFound (404) if there is no such key."""
        volume = self.get(context, volume_id)
        authorize(context, f"{IMAGE_METADATA}:remove", volume)
        if key not in volume.glance_metadata:
            raise errors.GlanceMetadataNotFound(id=volume.id)
        self._remove(context, volume, "glance_metadata", key)

    def update_readonly_flag(self, context: Context, volume_id: str, readonly: bool) -> None:
        """Whether it may be attached to write; the volume must be available."""
        volume = self.get(context, volume_id)
        action = ACTIONS["update_readonly_flag"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        volume.admin_metadata["readonly"] = str(readonly)
        volume.save()

    def set_bootable(self, context: Context, volume_id: str, bootable: bool) -> None:
        """Possible in every status but maintenance."""
        volume = self.get(context, volume_id)
        action = ACTIONS["update"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        volume.bootable = bootable
        volume.save()

    def _write(
        self, volume: Volume, field: str, metadata: Mapping[str, str], *, delete: bool
    ) -> dict[str, str]:
        self.require(volume, ACTIONS["update_metadata"])
        check_metadata(metadata)
        pairs: dict[str, str] = {**({} if delete else getattr(volume, field)), **metadata}
        setattr(volume, field, pairs)
        volume.save()
        return pairs

    def _remove(self, context: Context, volume: Volume, field: str, key: str) -> None:
        action = ACTIONS["delete_metadata"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        pairs = getattr(volume, field)
        setattr(volume, field, {name: value for name, value in pairs.items() if name != key})
        volume.save()
