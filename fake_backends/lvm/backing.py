"""Where a volume group is kept: in memory here, in files with `fake_backends.lvm.in_files`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_backends.lvm.copy_store import CopyStore, MemoryStore
from fake_backends.lvm.extents import Area
from fake_backends.lvm.thin_pool import ThinPool
from harness.errors import StorageError

if TYPE_CHECKING:
    from fake_backends.lvm.volume_group import VolumeGroup


class NotCommitted(StorageError):
    """The metadata of a volume group could not be written, for the reason given; the old one is in force."""

    def __init__(self, group: str, reason: StorageError) -> None:
        super().__init__(str(reason), errno=reason.errno)
        self.group = group


class Backing:
    """What volumes with more than plain extents are made of, and who keeps the metadata: here nobody."""

    def copy_store(self, area: Area) -> CopyStore:
        """An empty store for a new thick snapshot."""
        return MemoryStore(area)

    def thin_pool(self, name: str, data: Area, metadata: Area, uuid: str) -> ThinPool:
        """A new, empty thin pool."""
        return ThinPool(name, data, metadata, uuid)

    def found(self, group: VolumeGroup) -> None:
        """The group is new: keep that, on its disks first of all. StorageError."""

    def dissolve(self, group: VolumeGroup) -> None:
        """The group is no more, once all of its disks know; they stay physical volumes."""

    def commit(self, group: VolumeGroup) -> None:
        """The metadata of the group has changed: keep all of it.

        NotCommitted if that cannot be; then the group has been put back to what was kept before.
        """


IN_MEMORY = Backing()
