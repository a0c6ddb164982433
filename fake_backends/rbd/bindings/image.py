"""`rbd.Image`: an open image."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.bindings import constants
from fake_backends.rbd.bindings.arguments import quoted, text, unsigned
from fake_backends.rbd.bindings.content import Content
from fake_backends.rbd.bindings.encryption import Encryption
from fake_backends.rbd.bindings.image_options import IMAGE_OPTIONS, fits, in_force
from fake_backends.rbd.bindings.images import stamp
from fake_backends.rbd.bindings.iterators import ConfigImageIterator, MetadataIterator
from fake_backends.rbd.bindings.locks import Locks
from fake_backends.rbd.bindings.mirroring import Mirroring
from fake_backends.rbd.bindings.rbd_errors import InvalidArgument
from fake_backends.rbd.bindings.snapshots import Snapshots
from harness.errors import InvalidArgument as Refused

_NO_PARENT = (1 << 64) - 1


class Image(Content, Encryption, Snapshots, Locks, Mirroring):
    """What an image is, its features and its metadata; the base classes have the rest."""

    __module__ = "rbd"

    # -------------------------------------------------------------------------------------- what it is

    def size(self) -> int:
        """Bytes of what is shown; 0 once that snapshot is gone."""
        with self._told(f"error getting size for image {self._quoted}"):
            return 0 if self._handle.lost else self._shown.size

    def stat(self) -> dict[str, Any]:
        """As librbd fills it in: the parent is not told here."""
        with self._told(f"error getting info for image {self._quoted}"):
            size, order = self.size(), self._image.order
            return {
                "size": size,
                "obj_size": 1 << order,
                "num_objs": (size + (1 << order) - 1) % (1 << 64) >> order,
                "order": order,
                "block_name_prefix": self.block_name_prefix(),
                "parent_pool": _NO_PARENT,
                "parent_name": b"",
            }

    def get_name(self) -> str:
        """The name when it was opened."""
        self.require_not_closed()
        return self._name

    def id(self) -> str:
        """The image's id, which a new name does not change."""
        return self._image.id

    def block_name_prefix(self) -> str:
        """How the names of its objects begin."""
        image = self._image
        pool = "" if image.traits.data_pool is None else f"{image.pool.number}."
        return f"rbd_data.{pool}{image.id}"

    def data_pool_id(self) -> int:
        """The number of the pool that has the objects."""
        data_pool = self._image.traits.data_pool
        return self._pool.number if data_pool is None else data_pool

    def old_format(self) -> bool:
        """Images of format 1 cannot be made any more."""
        self.require_not_closed()
        return False

    def stripe_unit(self) -> int:
        """Bytes."""
        return self._image.stripe_unit

    def stripe_count(self) -> int:
        """Objects."""
        return self._image.traits.stripe_count

    def overlap(self) -> int:
        """How many bytes are seen through the parent."""
        with self._told(f"error getting overlap for image {self._quoted}"):
            return self._handle.layer.overlap

    def create_timestamp(self) -> datetime:
        """When the image was made."""
        return stamp(self._image.traits.created_s)

    def access_timestamp(self) -> datetime:
        """Not followed: when the image was made."""
        return stamp(self._image.traits.created_s)

    def modify_timestamp(self) -> datetime:
        """Not followed: when the image was made."""
        return stamp(self._image.traits.created_s)

    def group(self) -> dict[str, Any]:
        """The group that it is in; pool -1 if it is in none."""
        name = self._image.traits.group
        return {"pool": self._pool.number if name else -1, "name": name}

    # ------------------------------------------------------------------------------------------- changes

    def resize(self, size: int, allow_shrink: bool = True) -> None:
        """To `size` bytes. The size that it has is always fine."""
        size = unsigned(size)
        with self._told(f"error resizing image {self._quoted}"):
            if not allow_shrink and size < self._image.size:
                raise InvalidArgument("error allow_shrink is False but old_size > new_size")
            if size == self._image.size and self._handle.layer is self._image.head:
                return
            self._change(snapshot_too=False).resize(size)

    def features(self) -> int:
        """Bits."""
        with self._told(f"error getting features for image {self._quoted}"):
            return self._image.features

    def op_features(self) -> int:
        """Bits of the operation features in use."""
        with self._told(f"error getting op features for image {self._quoted}"):
            return self._image.op_features

    def flags(self) -> int:
        """Bits that tell of an invalid object map."""
        with self._told(f"error getting flags for image {self._quoted}"):
            return self._image.traits.flags

    def update_features(self, features: int, enabled: bool) -> None:
        """Switch features; every one of them has to change."""
        features = unsigned(features)
        with self._told(f"error updating features for image {self._quoted}"):
            self._change().set_features(features, enabled)

    def rebuild_object_map(self) -> None:
        """InvalidArgument for an image without one."""
        with self._told(f"error rebuilding object map {self._quoted}"):
            image = self._change()
            if not image.base_features & feature_bits.OBJECT_MAP:
                raise Refused("RBD invalid argument")
            image.traits.flags = 0
            image.save()

    # ------------------------------------------------------------------------------------------ metadata

    def metadata_list(self) -> MetadataIterator:
        """(key, value), in the order of the keys."""
        with self._told(f"error listing metadata for image {self._quoted}"):
            return MetadataIterator(sorted(self._image.metadata.items()))

    def metadata_get(self, key: str) -> str:
        """KeyError."""
        key = text(key, "key")
        with self._told(f"error getting metadata {quoted(key)} for image {self._quoted}"):
            value = self._image.metadata.get(key)
        if value is None:
            raise KeyError(f"no metadata {quoted(key)} for image {self._quoted}")
        return value

    def metadata_set(self, key: str, value: str) -> None:
        """A key beginning with ``conf_`` overrides an option."""
        key, value = text(key, "key"), text(value, "value")
        with self._told(f"error setting metadata {quoted(key)} for image {self._quoted}"):
            self._change().metadata_set(key, value)

    def metadata_remove(self, key: str) -> None:
        """KeyError."""
        key = text(key, "key")
        with self._told(f"error removing metadata {quoted(key)} for image {self._quoted}"):
            image = self._change()
            if key not in image.metadata:
                raise KeyError(f"no metadata {quoted(key)} for image {self._quoted}")
            del image.metadata[key]
            image.save()

    def config_get(self, key: str) -> str:
        """The image's own value. KeyError if it overrides nothing."""
        with self._told(f"error getting config {key} for image {self._quoted}"):
            value = self._image.metadata.get(f"conf_{text(key, 'key')}")
        if value is None:
            raise KeyError(f"no config {key} for image {self._quoted}")
        return value

    def config_set(self, key: str, value: str) -> None:
        """InvalidArgument for an option that images do not have, or a value that does not fit."""
        key, value = text(key, "key"), text(value, "value")
        with self._told(f"error setting config {key} for image {self._quoted}"):
            if not fits(key, value):
                raise Refused("RBD invalid argument")
            self._change().config_set(key, value)

    def config_remove(self, key: str) -> None:
        """KeyError if the image overrides nothing."""
        key = text(key, "key")
        with self._told(f"error removing config {key} for image {self._quoted}"):
            image = self._change()
            if f"conf_{key}" not in image.metadata:
                raise KeyError(f"no config {key} for image {self._quoted}")
            image.config_remove(key)

    def config_list(self) -> ConfigImageIterator:
        """Option, value and whether the image overrides it."""
        with self._told("error listing config options"):
            return ConfigImageIterator(
                in_force(
                    IMAGE_OPTIONS,
                    (constants.RBD_CONFIG_SOURCE_POOL, self._pool.metadata),
                    (constants.RBD_CONFIG_SOURCE_IMAGE, self._image.metadata),
                )
            )
