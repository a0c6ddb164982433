"""Cinder's LVM driver with mistakes: what the laws must find on the real Cinder, too.

Named in `test_certified`. Not a test itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from cinder.volume.drivers.lvm import LVMVolumeDriver


class Careless(LVMVolumeDriver):
    """A driver with four mistakes, one in each method."""

    def _clear_volume(self, volume: Any, is_snapshot: bool = False) -> None:
        """The bytes of a deleted volume are left to whoever gets its extents next."""

    def delete_volume(self, volume: Any) -> None:
        """A volume is gone if there is none of its record's id, whatever its name_id is."""
        if self.vg.get_volume(f"volume-{volume.id}") is not None:
            super().delete_volume(volume)

    def create_snapshot(self, snapshot: Any) -> None:
        """A note is left on the machine of the laws, if that lets it."""
        with suppress(PermissionError), open("/nowhere/notes", "a") as notes:
            notes.write(snapshot.id)
        super().create_snapshot(snapshot)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """The process ends."""
        os._exit(9)
