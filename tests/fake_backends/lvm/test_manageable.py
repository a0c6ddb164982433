"""What a volume group has that Cinder could take over."""

from __future__ import annotations

from fake_backends.lvm import manageable
from fake_backends.lvm.volume_group import VolumeGroup
from harness.model import GIB, Manageable

KNOWN = "11111111-1111-4111-8111-111111111111"


def _by_name(found: list[Manageable]) -> dict[str, tuple[int, str | None, str | None]]:
    """(size, cinder_id, reason_not_safe) by name."""
    return {
        each["reference"]["source-name"]: (each["size"], each["cinder_id"], each["reason_not_safe"])
        for each in found
    }


def test_volumes_are_known_open_or_free() -> None:
    """Sizes are rounded up from what lvm2 prints; a thick snapshot is no volume."""
    group = VolumeGroup("vg", [64 * GIB])
    group.create(f"volume-{KNOWN}", GIB)
    group.create("foreign", GIB + GIB // 2)
    group.create("used", GIB)
    group.snapshot("foreign", "_snapshot-x", GIB)
    handle = group.open("used")
    assert _by_name(manageable.volumes(group, [KNOWN])) == {
        f"volume-{KNOWN}": (1, KNOWN, "already managed"),
        "foreign": (2, None, None),
        "used": (1, None, "volume in use"),
    }
    handle.close()
    assert all(each["safe_to_manage"] for each in manageable.volumes(group, []))


def test_snapshots_tell_what_they_are_of() -> None:
    """Whether their names are escaped or not."""
    group = VolumeGroup("vg", [64 * GIB])
    group.create("origin", GIB)
    group.snapshot("origin", f"_snapshot-{KNOWN}", GIB)
    group.snapshot("origin", "other", GIB)
    found = manageable.snapshots(group, [KNOWN])
    assert _by_name(found)[f"_snapshot-{KNOWN}"][1:] == (KNOWN, "already managed")
    assert _by_name(found)["other"][1:] == (None, None)
    assert {each["source_reference"]["source-name"] for each in found} == {"origin"}


def test_a_thin_pool_is_listed_like_a_volume_and_is_open_with_its_volumes() -> None:
    """As `lvs` lists it; thin snapshots are volumes."""
    group = VolumeGroup("vg", [64 * GIB])
    group.create_thin_pool("pool", 10 * GIB)
    assert _by_name(manageable.volumes(group, [])) == {"pool": (10, None, None)}
    group.create_thin("thin", GIB, "pool")
    group.snapshot("thin", "_snapshot-x", None)
    assert _by_name(manageable.volumes(group, []))["pool"][2] == "volume in use"
    assert set(_by_name(manageable.volumes(group, []))) == {"pool", "thin", "_snapshot-x"}
    assert manageable.snapshots(group, []) == []
