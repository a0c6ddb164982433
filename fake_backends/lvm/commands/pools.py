"""What lvm2 says when thin volumes could outgrow their pools.

Source: `pool_check_overprovisioning` in lib/metadata/thin_manip.c of lvm2 2.03.16, with the default threshold.
"""

from __future__ import annotations

from fake_backends.lvm.commands.session import Session
from fake_backends.lvm.commands.sizes import shown
from fake_backends.lvm.thin_pool import ThinPool
from fake_backends.lvm.volume_group import VolumeGroup


def warn_of_overprovisioning(session: Session, group: VolumeGroup, pool: ThinPool | None) -> None:
    """Warn if the volumes of a pool, or of all pools, together are larger than what they live in."""
    pools = [group.pool(name) for name in group.pools()]
    provisioned = sum(one.virtual_size for one in pools)
    room = sum(one.size for one in pools)
    if pool and pool.virtual_size <= pool.size and len(pools) > 1:
        return
    if provisioned <= room:
        return
    if group.size < provisioned:
        beyond, limit = " and the size of whole volume group", group.size
    elif group.free < provisioned:
        limit = group.free
        beyond = " and the amount of free space in volume group" if limit else ""
    else:
        beyond, limit = "", room
    which = f" {group.name}/{pool.name}" if pool and len(pools) == 1 else "s"
    there = shown(limit) if limit else "no free space in volume group"
    session.warn(
        f"WARNING: Sum of all thin volume sizes ({shown(provisioned)}) exceeds the size of "
        f"thin pool{which}{beyond} ({there})."
    )
    session.say("WARNING: You have not turned on protection against thin pools running out of space.")
    session.say(
        "WARNING: Set activation/thin_pool_autoextend_threshold below 100 to trigger automatic extension of "
        "thin pools before they get full."
    )
