"""Cinder's LVM driver with one mistake each: what the laws must find on the real Cinder, too.

Named in `test_certified`. Not a test itself.
"""

from __future__ import annotations

import os
from typing import Any

from cinder.volume.drivers.lvm import LVMVolumeDriver


class ClearsNothing(LVMVolumeDriver):
    """Leaves the bytes of a deleted volume to whoever gets its extents next."""

    def _clear_volume(self, volume: Any, is_snapshot: bool = False) -> None:
        """The next one will write over them."""


class KnowsNoOtherName(LVMVolumeDriver):
    """Takes a volume for gone if there is none of its record's id, whatever its name_id is."""

    def delete_volume(self, volume: Any) -> None:
        if self.vg.get_volume(f"volume-{volume.id}") is not None:
            super().delete_volume(volume)


class Dies(LVMVolumeDriver):
    """Ends its process."""

    def extend_volume(self, volume: Any, new_size: int) -> None:
        os._exit(9)
