"""What a pool has that Cinder could take over."""

from __future__ import annotations

from fake_backends.rbd import manageable
from fake_backends.rbd.pool import Pool
from fake_backends.world import World
from harness.model import GIB

KNOWN = "11111111-1111-4111-8111-111111111111"


def _pool() -> Pool:
    return World().cluster("ceph").create_pool("volumes")


def test_images_are_known_open_deleted_or_free() -> None:
    """Sizes are rounded up; who has it open only to read does not count."""
    pool = _pool()
    for name in (f"volume-{KNOWN}", "used", "read", "volume-x.deleted"):
        pool.create(name, GIB + 1)
    with pool.open("used"), pool.open("read", read_only=True):
        found = {each["reference"]["source-name"]: each for each in manageable.volumes(pool, [KNOWN])}
    assert {each["size"] for each in found.values()} == {2}
    assert {name: each["reason_not_safe"] for name, each in found.items()} == {
        f"volume-{KNOWN}": "already managed",
        "used": "volume in use",
        "read": None,
        "volume-x.deleted": "volume marked as deleted",
    }
    assert found[f"volume-{KNOWN}"]["cinder_id"] == KNOWN


def test_snapshots_are_known_cinders_own_or_free() -> None:
    """Snapshots of clones and of backups are not to be touched."""
    pool = _pool()
    pool.create("image", GIB)
    names = (f"snapshot-{KNOWN}", "volume-y.clone_snap", "backup.1.snap.2", "mine")
    for name in names:
        pool.image("image").create_snapshot(name)
    found = manageable.snapshots(pool, [KNOWN])
    assert [each["reason_not_safe"] for each in found] == [
        "already managed", "used for clone snap", "used for volume backup", None,
    ]  # fmt: skip
    assert {each["source_reference"]["source-name"] for each in found} == {"image"}
