"""lvm2 has thin_check look at a pool's metadata before the kernel takes it and after it lets it go.

Nothing is ever wrong with the metadata here, so all that can be seen is that the program is not installed. A
pool that never had a volume is not checked. Source: lib/activate/dev_manager.c of lvm2 2.03.16.
"""

from __future__ import annotations

from typing import NamedTuple

from fake_backends.lvm.host import LvmHost

THIN_CHECK = "/usr/sbin/thin_check"


class PoolState(NamedTuple):
    """Whether the kernel has a pool, and whether it has ever had a volume."""

    running: bool
    used: bool


def pool_states(host: LvmHost) -> dict[str, PoolState]:
    """All pools of a host by uuid. Nobody needs to know where the program is installed."""
    if THIN_CHECK not in host.missing_programs:
        return {}
    pools = [group.pool(name) for group in host.volume_groups.values() for name in group.pools()]
    return {pool.uuid: PoolState(pool.running, pool.layered) for pool in pools}


def complaints(before: dict[str, PoolState], after: dict[str, PoolState]) -> list[str]:
    """What a command says that changed the pools from one state to the other, without the program."""
    absent = PoolState(running=False, used=False)
    checks = 0
    for uuid in {**before, **after}:
        old, new = before.get(uuid, absent), after.get(uuid, absent)
        if old.running and new.running:
            checks += 2 * (new.used > old.used)  # mapped anew under its first volume
        elif old.running != new.running:
            checks += old.used or (new.used and uuid in before)
    return [
        f"{THIN_CHECK}: execvp failed: No such file or directory",
        f"WARNING: Check is skipped, please install recommended missing binary {THIN_CHECK}!",
    ] * checks
