"""Where a volume group is kept: in memory here, in files with `fake_backends.lvm.in_files`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_backends.lvm.copy_store import CopyStore, MemoryStore
from fake_backends.lvm.extents import Area
from fake_backends.lvm.thin_pool import ThinPool

if TYPE_CHECKING:
    from fake_backends.lvm.volume_group import VolumeGroup


class Backing:
    """What volumes with more than plain extents are made of, and who keeps the metadata: here nobody."""

    def copy_store(self, area: Area) -> CopyStore:
        """An empty store for a new thick snapshot."""
        return MemoryStore(area)

    def thin_pool(self, name: str, data: Area, metadata: Area, uuid: str) -> ThinPool:
        """A new, empty thin pool."""
        return ThinPool(name, data, metadata, uuid)

    def commit(self, group: VolumeGroup) -> None:
        """The metadata of the group has changed: keep all of it, or raise with the old one kept."""


IN_MEMORY = Backing()
