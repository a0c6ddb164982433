"""Devices that a machine has connected, by path, and the programs that work on paths alone."""

from __future__ import annotations

import re

from fake_backends.block_store import BlockDevice
from fake_backends.command_line import Result
from harness.control_plane.copying import copy_volume
from harness.errors import NoSpace, StorageError
from harness.model import GIB
from harness.sim.points import Points


class Machine:
    """One machine's connected devices. `devices` maps a path to what is behind it."""

    def __init__(self, hostname: str, points: Points) -> None:
        self.hostname = hostname
        self.devices: dict[str, BlockDevice] = {}
        self._points = points

    def dd(self, arguments: list[str], given: str) -> Result:
        """``dd`` between two devices, as `cinder.volume.volume_utils:_copy_volume_with_path` calls it."""
        operands = dict(word.partition("=")[::2] for word in arguments)
        source, destination = (self.devices.get(operands[name]) for name in ("if", "of"))
        for name, device in (("if", source), ("of", destination)):
            if device is None:
                return Result("", f"dd: failed to open '{operands[name]}': No such file or directory\n", 1)
        assert source is not None
        assert destination is not None
        count = int(operands["count"])
        if count == 0:
            return Result("", "0+0 records in\n0+0 records out\n0 bytes copied, 0 s, 0 kB/s\n", 0)
        sparse = "sparse" in operands.get("conv", "").split(",")
        try:
            copy_volume(source, destination, count // GIB, paths=True, sparse=sparse, points=self._points)
        except NoSpace as error:
            return Result("", f"dd: error writing '{operands['of']}': {error}\n", 1)
        except StorageError as error:
            return Result("", f"dd: error writing '{operands['of']}': Input/output error\n{error}\n", 1)
        return Result("", f"{count} bytes ({count >> 30} GiB) copied\n", 0)


def by_path(portal: str, iqn: str, lun: int) -> str:
    """The name that udev gives an iSCSI device."""
    return f"/dev/disk/by-path/ip-{re.sub('[^0-9.:a-z]', '', portal)}-iscsi-{iqn}-lun-{lun}"
