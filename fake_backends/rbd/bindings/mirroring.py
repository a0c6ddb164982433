"""Mirroring of an open image: one side of it. There is no other cluster that would replay what happens here."""

from __future__ import annotations

import errno
import uuid
from datetime import datetime
from typing import Any

from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.bindings import constants
from fake_backends.rbd.bindings.opened import OpenImage
from fake_backends.rbd.image import Image as StoredImage
from harness.errors import InvalidArgument, NotFound, StorageError


class Mirroring(OpenImage):
    """An image that is mirrored has a global id; its primary side can be written to."""

    def mirror_image_enable(self, mode: int = constants.RBD_MIRROR_IMAGE_MODE_JOURNAL) -> None:
        """InvalidArgument unless the pool mirrors images one by one. The journal is switched on."""
        with self._told(f"error enabling mirroring for image {self._quoted}"):
            image = self._image_by_image()
            if image.traits.mirror_id:
                return
            wanted = feature_bits.EXCLUSIVE_LOCK | feature_bits.JOURNALING
            if mode == constants.RBD_MIRROR_IMAGE_MODE_JOURNAL:
                image.base_features |= wanted
            made = f"{image.pool.name}/{image.id}/{image.last_snapshot_id}"
            image.traits.mirror_id = str(uuid.uuid5(uuid.UUID(image.pool.cluster.fsid), made))
            image.traits.primary = True
            image.save()

    def mirror_image_disable(self, force: bool) -> None:
        """The journal is switched off."""
        with self._told(f"error disabling mirroring for image {self._quoted}"):
            image = self._image_by_image()
            if not image.traits.mirror_id:
                return
            if not image.traits.primary and not force:
                raise InvalidArgument("RBD invalid argument")
            image.traits.mirror_id, image.traits.primary = "", False
            image.base_features &= ~feature_bits.JOURNALING
            image.save()

    def mirror_image_promote(self, force: bool) -> None:
        """Make this side the primary one."""
        with self._told(f"error promoting image {self._quoted} to primary"):
            image = self._mirrored()
            if image.traits.primary:
                raise InvalidArgument("RBD invalid argument")
            image.traits.primary = True
            image.save()

    def mirror_image_demote(self) -> None:
        """Make this side a copy, which cannot be written to."""
        with self._told(f"error demoting image {self._quoted} to secondary"):
            image = self._image
            if not image.traits.mirror_id or not image.traits.primary:
                raise InvalidArgument("RBD invalid argument")
            image.traits.primary = False
            image.give_up_lock()
            image.save()

    def mirror_image_resync(self) -> None:
        """InvalidArgument for the primary side."""
        with self._told(f"error to resync image {self._quoted}"):
            if self._mirrored().traits.primary:
                raise InvalidArgument("RBD invalid argument")

    def mirror_image_get_info(self) -> dict[str, Any]:
        """Global id, state and side."""
        with self._told(f"error getting mirror info for image {self._quoted}"):
            traits = self._image.traits
            enabled, disabled = constants.RBD_MIRROR_IMAGE_ENABLED, constants.RBD_MIRROR_IMAGE_DISABLED
            return {
                "global_id": traits.mirror_id,
                "state": enabled if traits.mirror_id else disabled,
                "primary": traits.primary,
            }

    def mirror_image_get_status(self) -> dict[str, Any]:
        """Nobody replays the image, so nobody has reported."""
        with self._told(f"error getting mirror status for image {self._quoted}"):
            return {
                "name": self._image.name,
                "id": self._image.id,
                "info": self.mirror_image_get_info(),
                "remote_statuses": [],
                "state": constants.MIRROR_IMAGE_STATUS_STATE_UNKNOWN,
                "description": "status not found",
                "last_update": datetime(1970, 1, 1),
                "up": False,
            }

    def mirror_image_get_mode(self) -> int:
        """By journal."""
        with self._told(f"error getting mirror mode for image {self._quoted}"):
            self._reach()
            return constants.RBD_MIRROR_IMAGE_MODE_JOURNAL

    def mirror_image_get_instance_id(self) -> str:
        """No daemon has the image."""
        with self._told(f"error getting mirror instance id for image {self._quoted}"):
            raise StorageError("RBD invalid argument", errno=errno.EINVAL)

    def _image_by_image(self) -> StoredImage:
        image = self._image
        self._reach()
        if image.pool.mirror_mode != constants.RBD_MIRROR_MODE_IMAGE:
            raise InvalidArgument("RBD invalid argument")
        return image

    def _mirrored(self) -> StoredImage:
        if not self._image.traits.mirror_id:
            raise NotFound("RBD image not found")
        return self._image
