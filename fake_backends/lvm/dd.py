"""What Cinder runs dd for on logical volumes: copying one to another, and clearing one."""

from __future__ import annotations

from fake_backends.block_store import CHUNK, BlockDevice, MemoryDevice, copy_range
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import NoSpace
from harness.sim.points import Points

BYTES_PER_SECOND = 100 << 20
SLICES = 8
"""A copy lets others run this many times, however large it is, so its cost follows the bytes written."""


def copy(
    source: tuple[VolumeGroup, str],
    destination: tuple[VolumeGroup, str],
    size: int,
    *,
    sparse: bool,
    points: Points,
) -> None:
    """Copy the first `size` bytes of one volume, or up to its end, to another; both are open meanwhile.

    `sparse` leaves out 1 MiB blocks that are all zero (``conv=sparse``). NoSpace when the destination is too
    small. Passes the point ``lvm.dd`` before each of up to 8 slices.
    Source: `cinder.volume.volume_utils:copy_volume`.
    """
    (source_group, source_name), (destination_group, destination_name) = source, destination
    option = " conv=sparse" if sparse else ""
    line = f"dd if={source_group.name}/{source_name} of={destination_group.name}/{destination_name}{option}"
    reader = source_group.open(source_name)
    try:
        writer = destination_group.open(destination_name)
        try:
            _slices(reader, writer, size, line, sparse=sparse, points=points)
        finally:
            writer.close()
    finally:
        reader.close()


def _slices(
    reader: BlockDevice, writer: BlockDevice, size: int, line: str, *, sparse: bool, points: Points
) -> None:
    chunks = size // CHUNK
    parts = max(1, min(SLICES, chunks))
    slice_us = size * 1_000_000 // BYTES_PER_SECOND // parts
    for part in range(parts):
        points.visit("lvm.dd", f"{line}, {part * 100 // parts} %", cost_us=slice_us)
        copy_range(reader, writer, chunks * part // parts, chunks * (part + 1) // parts, sparse=sparse)


def clear(group: VolumeGroup, name: str, size: int, *, points: Points) -> None:
    """Overwrite the first `size` bytes of a volume with zeros; what lies behind them stays.

    NoSpace when the volume is smaller than that, with all of it cleared. Passes the point ``lvm.clear`` once.
    Source: `cinder.volume.volume_utils:clear_volume`.
    """
    _visit_clear(f"{group.name}/{name}", size, points)
    device = group.open(name)
    try:
        copy_range(MemoryDevice(size), device, 0, size // CHUNK)
    finally:
        device.close()


def clear_store(group: VolumeGroup, name: str, size: int, *, points: Points) -> None:
    """Overwrite the store of a thick snapshot with zeros. NoSpace when it is smaller than `size` bytes."""
    _visit_clear(f"{group.name}/{name}-cow", size, points)
    group.clear_store(name)
    room = group.volume(name).listed_size
    if room < size:
        raise NoSpace(written=room)


def _visit_clear(path: str, size: int, points: Points) -> None:
    points.visit("lvm.clear", f"dd if=/dev/zero of={path}", cost_us=size * 1_000_000 // BYTES_PER_SECOND)
