"""What a pool has that Cinder could take over (`cinder.volume.drivers.rbd`, the methods of like names)."""

from __future__ import annotations

import math
from collections.abc import Collection

from fake_backends.rbd.pool import Pool
from harness.model import GIB, Manageable


def volumes(pool: Pool, known: Collection[str]) -> list[Manageable]:
    """Every image; `known` are the ids of Cinder's volumes."""
    found = []
    for name in pool.names():
        image = pool.image(name)
        cinder_id = _id(name, "volume-", known)
        reason = None
        if cinder_id:
            reason = "already managed"
        elif image.watchers:
            reason = "volume in use"
        elif name.endswith(".deleted"):
            reason = "volume marked as deleted"
        found.append(_entry(name, image.size, cinder_id, reason))
    return found


def snapshots(pool: Pool, known: Collection[str]) -> list[Manageable]:
    """Every snapshot of every image; `known` are the ids of Cinder's snapshots."""
    found = []
    for image_name in pool.names():
        for snapshot in pool.image(image_name).snapshots:
            name = snapshot.name
            cinder_id = _id(name, "snapshot-", known)
            reason = None
            if cinder_id:
                reason = "already managed"
            elif name.endswith(".clone_snap"):
                reason = "used for clone snap"
            elif name.startswith("backup") and ".snap." in name:
                reason = "used for volume backup"
            entry = _entry(name, snapshot.size, cinder_id, reason)
            found.append({**entry, "source_reference": {"source-name": image_name}})
    return found


def _id(name: str, prefix: str, known: Collection[str]) -> str | None:
    return name[len(prefix) :] if name.startswith(prefix) and name[len(prefix) :] in known else None


def _entry(name: str, size: int, cinder_id: str | None, reason: str | None) -> Manageable:
    return {
        "reference": {"source-name": name},
        "size": math.ceil(size / GIB),
        "cinder_id": cinder_id,
        "extra_info": None,
        "safe_to_manage": reason is None,
        "reason_not_safe": reason,
    }
