"""Cinder's LVM driver with mistakes: what the laws must find on the real Cinder, too.

Named in `test_certified`. Not a test itself.
"""

from __future__ import annotations

import os
from typing import Any

from cinder.volume.drivers.lvm import LVMVolumeDriver


class Careless(LVMVolumeDriver):
    """A driver with three mistakes, one in each method."""

    def _clear_volume(self, volume: Any, is_snapshot: bool = False) -> None:
        """The bytes of a deleted volume are left to whoever gets its extents next."""

    def delete_volume(self, volume: Any) -> None:
        """A volume is gone if there is none of its record's id, whatever its name_id is."""
        if self.vg.get_volume(f"volume-{volume.id}") is not None:
            super().delete_volume(volume)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """The process ends."""
        os._exit(9)
