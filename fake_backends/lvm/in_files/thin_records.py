"""What the journal of a thin pool consists of, in msgpack: a checkpoint of all devices, and changes.

A block of a device is known by its number and its epoch, and lies `shift` blocks behind its number in the
pool (see `in_files.thin_pool`).
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from fake_backends.lvm.extents import Runs


class DeviceMap(msgspec.Struct, array_like=True):
    """A device in a checkpoint, and the blocks that it holds as (first, last, epoch, shift)."""

    device: int
    epoch: int
    tree: int
    runs: list[tuple[int, int, int, int]]


class Created(msgspec.Struct, array_like=True, tag="created"):
    """A new device: empty, or with the map of an origin, which writes under a new epoch from then on."""

    device: int
    epoch: int
    origin: int | None
    origin_epoch: int


class Deleted(msgspec.Struct, array_like=True, tag="deleted"):
    """A device is gone."""

    device: int


class NewEpoch(msgspec.Struct, array_like=True, tag="epoch"):
    """A device writes under a new epoch: others may share all of its blocks."""

    device: int
    epoch: int


class Claimed(msgspec.Struct, array_like=True, tag="claimed"):
    """A device has blocks of its own."""

    device: int
    first: int
    last: int
    epoch: int
    shift: int


Record: TypeAlias = Created | Deleted | NewEpoch | Claimed


class Device:
    """A device as it is after some changes. The tags of `blocks` are epochs."""

    def __init__(self, epoch: int, tree: int, blocks: Runs) -> None:
        self.epoch = epoch
        self.tree = tree
        self.blocks = blocks


class Devices:
    """All devices by number, and where blocks are: per epoch, tagged with their shift."""

    def __init__(self, checkpoint: list[DeviceMap]) -> None:
        self.devices: dict[int, Device] = {}
        self.places: dict[int, Runs] = {}
        self.epoch_max = 0
        for one in checkpoint:
            device = self.devices[one.device] = Device(one.epoch, one.tree, Runs())
            self._seen(one.epoch)
            for first, last, epoch, shift in one.runs:
                self._place(device, first, last, epoch, shift)

    def apply(self, record: Record) -> None:
        """Make a change. KeyError if it is about a device that there is not."""
        match record:
            case Created(origin=None):
                self.devices[record.device] = Device(record.epoch, record.epoch, Runs())
                self._seen(record.epoch)
            case Created(origin=int(origin)):
                parent = self.devices[origin]
                parent.epoch = record.origin_epoch
                self.devices[record.device] = Device(record.epoch, parent.tree, parent.blocks.copy())
                self._seen(max(record.epoch, record.origin_epoch))
            case Deleted():
                del self.devices[record.device]
            case NewEpoch():
                self.devices[record.device].epoch = record.epoch
                self._seen(record.epoch)
            case Claimed():
                device = self.devices[record.device]
                device.tree = record.epoch
                self._place(device, record.first, record.last, record.epoch, record.shift)

    def _place(self, device: Device, first: int, last: int, epoch: int, shift: int) -> None:
        device.blocks.assign(first, last, epoch)
        self.places.setdefault(epoch, Runs()).assign(first, last, shift)
        self._seen(epoch)

    def _seen(self, epoch: int) -> None:
        self.epoch_max = max(self.epoch_max, epoch)
