"""The metadata of a pool, and the options that it overrides for its images."""

from __future__ import annotations

from fake_backends.rbd.bindings import constants
from fake_backends.rbd.bindings.arguments import quoted, text
from fake_backends.rbd.bindings.client import Ioctx
from fake_backends.rbd.bindings.image_options import IMAGE_OPTIONS, fits, in_force
from fake_backends.rbd.bindings.iterators import ConfigPoolIterator, PoolMetadataIterator
from fake_backends.rbd.bindings.refusals import told
from harness.errors import InvalidArgument


class PoolSettings:
    """What `rbd.RBD` does to the settings of a pool."""

    def pool_metadata_get(self, ioctx: Ioctx, key: str) -> str:
        """KeyError."""
        key = text(key, "key")
        with told(f"error getting metadata {quoted(key)}"):
            value = ioctx.readable().metadata.get(key)
        if value is None:
            raise KeyError(f"no metadata {quoted(key)}")
        return value

    def pool_metadata_set(self, ioctx: Ioctx, key: str, value: str) -> None:
        """A key beginning with ``conf_`` overrides an option."""
        key, value = text(key, "key"), text(value, "value")
        with told(f"error setting metadata {quoted(key)}"):
            pool = ioctx.writable()
            pool.metadata[key] = value
            pool.save()

    def pool_metadata_remove(self, ioctx: Ioctx, key: str) -> None:
        """KeyError."""
        key = text(key, "key")
        with told(f"error removing metadata {quoted(key)}"):
            pool = ioctx.writable()
            if pool.metadata.pop(key, None) is None:
                raise KeyError(f"no metadata {quoted(key)}")
            pool.save()

    def pool_metadata_list(self, ioctx: Ioctx) -> PoolMetadataIterator:
        """(key, value), in the order of the keys."""
        with told("error listing metadata"):
            return PoolMetadataIterator(sorted(ioctx.readable().metadata.items()))

    def config_get(self, ioctx: Ioctx, key: str) -> str:
        """The pool's own value. KeyError if it overrides nothing."""
        key = text(key, "key")
        with told(f"error getting config {key} for pool {ioctx.name}"):
            value = ioctx.readable().metadata.get(f"conf_{key}")
        if value is None:
            raise KeyError(f"no config {key} for pool {ioctx.name}")
        return value

    def config_set(self, ioctx: Ioctx, key: str, value: str) -> None:
        """InvalidArgument for an option that images do not have, or a value that does not fit."""
        key, value = text(key, "key"), text(value, "value")
        with told(f"error setting config {key} for pool {ioctx.name}"):
            if not fits(key, value):
                raise InvalidArgument("RBD invalid argument")
            pool = ioctx.writable()
            pool.metadata[f"conf_{key}"] = value
            pool.save()

    def config_remove(self, ioctx: Ioctx, key: str) -> None:
        """KeyError if the pool overrides nothing."""
        key = text(key, "key")
        with told(f"error removing config {key} for pool {ioctx.name}"):
            pool = ioctx.writable()
            if pool.metadata.pop(f"conf_{key}", None) is None:
                raise KeyError(f"no config {key} for pool {ioctx.name}")
            pool.save()

    def config_list(self, ioctx: Ioctx) -> ConfigPoolIterator:
        """Option, value and whether the pool overrides it."""
        with told("error listing config options"):
            own = constants.RBD_CONFIG_SOURCE_POOL, ioctx.readable().metadata
            return ConfigPoolIterator(in_force(IMAGE_OPTIONS, own))
