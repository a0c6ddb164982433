"""What a volume group has that Cinder could take over (`cinder.volume.drivers.lvm:LVMVolumeDriver.
_get_manageable_resource_info`)."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from fake_backends.lvm.logical_volume import ThickSnapshot
from fake_backends.lvm.provisioning import printed
from fake_backends.lvm.volume_group import VolumeGroup
from harness.model import Manageable

_VOLUME = re.compile(r"volume-(.+)")
_SNAPSHOT = re.compile(r"_?snapshot-(.+)")


def volumes(group: VolumeGroup, known: Collection[str]) -> list[Manageable]:
    """Every logical volume and thin pool, but no thick snapshot; `known` are the ids of Cinder's volumes."""
    found = []
    for name in group.names():
        volume = group.volume(name)
        if not isinstance(volume, ThickSnapshot):
            found.append(_entry(name, volume.listed_size, _VOLUME, known, "volume", bool(volume.openers)))
    for name in group.pools():
        pool = group.pool(name)
        found.append(_entry(name, pool.size, _VOLUME, known, "volume", bool(pool.active and pool.layered)))
    return found


def snapshots(group: VolumeGroup, known: Collection[str]) -> list[Manageable]:
    """Every thick snapshot; lvm2 shows thin ones as volumes."""
    found = []
    for name in group.names():
        volume = group.volume(name)
        if isinstance(volume, ThickSnapshot):
            entry = _entry(name, volume.listed_size, _SNAPSHOT, known, "snapshot", bool(volume.openers))
            found.append({**entry, "source_reference": {"source-name": volume.origin.name}})
    return found


def _entry(
    name: str, size: int, template: re.Pattern[str], known: Collection[str], kind: str, is_open: bool
) -> Manageable:
    match = template.fullmatch(name)
    cinder_id = match[1] if match and match[1] in known else None
    reason = "already managed" if cinder_id else f"{kind} in use" if is_open else None
    return {
        "reference": {"source-name": name},
        "size": math.ceil(printed(size)),
        "cinder_id": cinder_id,
        "extra_info": None,
        "safe_to_manage": reason is None,
        "reason_not_safe": reason,
    }
