"""How Cinder provisions from a volume group, and what it reckons is left of it.

Cinder reads sizes as lvm2 prints them: GiB with two decimals. It reckons with those figures, so a volume group
of 2,559 extents has 10.0 GiB. Source: `cinder.brick.local_dev.lvm`.
"""

from __future__ import annotations

from fake_backends.block_store import CHUNK
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import InvalidArgument
from harness.model import GIB


def printed(size: int) -> float:
    """Bytes as GiB with the two decimals that lvm2 prints and Cinder reckons with."""
    return float(f"{size / GIB:.2f}")


def _mirrored_free(group: VolumeGroup, mirrors: int) -> float:
    """GiB of mirrored volumes that fit (`cinder.brick.local_dev.lvm:LVM.vg_mirror_free_space`)."""
    disks = [printed(disk.free_extents * CHUNK) for disk in group.disks]
    free = 0.0
    while len(disks := sorted((disk for disk in disks if disk > 0), reverse=True)) > mirrors:
        smallest = disks.pop()
        disks[:mirrors] = [disk - smallest for disk in disks[:mirrors]]
        free += smallest
    return free


def create(group: VolumeGroup, name: str, size_gb: int, lvm_type: str, mirrors: int) -> None:
    """Make a volume. Mirrored ones fail: current lvm2 refuses the kind of log that Cinder asks for."""
    if mirrors:
        raise InvalidArgument('Log type "mirrored" is DEPRECATED. Use RAID1 LV or disk log instead.')
    if lvm_type == "thin":
        group.create_thin(name, size_gb * GIB, pool_name(group))
    else:
        group.create(name, size_gb * GIB)


def pool_name(group: VolumeGroup) -> str:
    """The name that Cinder gives to its thin pool."""
    return f"{group.name}-pool"


def ensure_pool(group: VolumeGroup) -> None:
    """Make the thin pool of 95 % of the free space that lvm2 prints, if there is no pool yet."""
    if pool_name(group) not in group:
        group.create_thin_pool(pool_name(group), int(printed(group.free) * 0.95 * GIB))


def capacity(group: VolumeGroup, lvm_type: str, mirrors: int) -> tuple[float, float, float]:
    """Total, free and provisioned GiB, as a back-end of that type reports them."""
    if mirrors:
        total, free = printed(group.free) / (mirrors + 1), _mirrored_free(group, mirrors)
    elif lvm_type == "thin":
        pool = group.pool(pool_name(group))
        total, percent = printed(pool.size), round(100 * pool.data_used / pool.size, 2)
        free = round(total - total / 100 * percent, 2)
        sizes = (group.volume(name).listed_size for name in group.names())
        return total, free, round(sum(printed(size) for size in sizes), 2)
    else:
        total, free = printed(group.size), printed(group.free)
    return total, free, round(total - free, 2)
