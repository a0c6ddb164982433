"""Levels: what a driver is certified for. Each law counts for one of them."""

from __future__ import annotations

LEVELS = {
    "core": "what Cinder requires of every driver",
    "migration-source": "volumes can be migrated away",
    "migration-destination": "volumes can be migrated here",
    "assisted": "the driver moves volumes itself, as far as it says so",
    "in-use": "volumes can be migrated, extended and snapshotted while servers use them",
    "retype": "types can be changed",
    "encryption": "encrypted volumes",
    "multiattach": "volumes on several hosts at once",
    "manage": "taking over what Cinder did not make",
    "revert": "putting volumes back to a snapshot",
    "consistency": "volumes that are snapshotted, copied and deleted as a group",
}
"""In the order in which they are checked and shown."""
