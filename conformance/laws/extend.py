"""Extending volumes."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.attached import must_show_nothing_of
from conformance.bench import Bench, Lacking
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import Chapter, holds, same
from harness.model import GIB

law = Chapter("extend", level="core", stage=Bench)
EXTEND = "cinder.interface.volume_driver:VolumeDriverCore.extend_volume"
MANAGER = "cinder.volume.manager:VolumeManager.extend_volume"
TOO_LARGE_GB = 12 << 10
"""More than a volume group or a share of the simulated storage has; thin storage may promise it all the same.
"""
LARGE = (101, 1000, 1023, 1024, 4097, 16384)


@law(source=EXTEND, needs=["data path"], size=sizes(), more=sizes())
def an_extended_volume_has_exactly_its_new_size(bench: Bench, size: int, more: int) -> None:
    """The new size is the total in GiB, and not what is added."""
    volume = bench.create(size)
    bench.extend(volume, size + more)
    bench.must_have_size(volume, size + more, "the extended volume")


@law(source=EXTEND, needs=["data path"], size=st.sampled_from([1, 2, 100]), new_size=st.sampled_from(LARGE))
def any_size_is_reached_exactly_or_refused(bench: Bench, size: int, new_size: int) -> None:
    """Up to 16 TiB a volume is extended to exactly its new size, or not at all."""
    volume = bench.create(size)
    try:
        bench.extend(volume, new_size)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        bench.must_have_size(volume, size, "the volume that could not be extended")
    else:
        bench.must_have_size(volume, new_size, "the extended volume")
    bench.delete(volume)


@law(
    source=EXTEND,
    needs=["data path"],
    size=sizes(4),
    more=sizes(4),
    written=contents(),
    after=contents("after"),
)
def extending_keeps_the_data(bench: Bench, size: int, more: int, written: Contents, after: Contents) -> None:
    """What was written before an extension is there after it, and all of the volume takes writes."""
    volume = bench.create(size)
    bench.write(volume, written)
    bench.extend(volume, size + more)
    bench.must_hold(volume, written, "the extended volume", size)
    bench.write(volume, after)
    bench.must_hold(volume, after, "the extended volume")


@law(source=EXTEND, needs=["data path"], steps=st.lists(sizes(3), min_size=2, max_size=4), written=contents())
def a_volume_can_be_extended_again(bench: Bench, steps: list[int], written: Contents) -> None:
    """Several extensions add up."""
    volume = bench.create()
    bench.write(volume, written)
    size = 1
    for more in steps:
        size += more
        bench.extend(volume, size)
    bench.must_have_size(volume, size, "the extended volume")
    bench.must_hold(volume, written, "the extended volume", 1)


@law(source=EXTEND, needs=["data path"], kept=contents("kept"), more=sizes(4))
def extending_leaves_other_volumes_alone(bench: Bench, kept: Contents, more: int) -> None:
    """Size and data of other volumes do not change."""
    volume, other = bench.create(), bench.create(2)
    bench.write(other, kept)
    bench.extend(volume, 1 + more)
    bench.must_have_size(other, 2, "the other volume")
    bench.must_hold(other, kept, "the other volume")


@law(
    source=f"volume_clear; {EXTEND}",
    needs=["data path"],
    secret=contents("former owner"),
    more=sizes(2),
    behind=st.booleans(),
)
def an_extension_shows_nothing_of_deleted_volumes(
    bench: Bench, secret: Contents, more: int, behind: bool
) -> None:
    """No byte of a deleted volume can be read in what an extension adds."""
    # The former volume lies before or behind the one that grows.
    first, second = (bench.create(size) for size in ((1, 1 + more) if behind else (1 + more, 1)))
    volume, former = (first, second) if behind else (second, first)
    bench.write(former, secret)
    bench.delete(former)
    bench.extend(volume, 1 + more)
    attached = bench.attach(volume)
    for size in (1, 1 + more):
        must_show_nothing_of(attached, pages_of(secret, size * GIB), "the extended volume")
    bench.detach(attached)


@law(
    source=EXTEND,
    needs=["data path", "snapshots"],
    size=sizes(3),
    more=sizes(3),
    written=contents(),
    used=st.booleans(),
)
def a_volume_with_a_snapshot_can_be_extended(
    bench: Bench, size: int, more: int, written: Contents, used: bool
) -> None:
    """A snapshot is no obstacle to an extension; both keep their data, and can be deleted afterwards."""
    volume = bench.create(size)
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    bench.extend(volume, size + more)
    if used:
        bench.must_have_size(volume, size + more, "the extended volume")
        bench.must_hold(volume, written, "the extended volume", size)
        bench.must_hold(bench.from_snapshot(snapshot), written, "the volume from the snapshot", size)
    bench.delete_snapshot(snapshot)
    bench.delete(volume)


@law(source=MANAGER, needs=["data path"], written=contents(), weight=0.3)
def an_extension_without_space_changes_nothing(bench: Bench, written: Contents) -> None:
    """An extension that fails raises, and leaves size and data as they were."""
    volume = bench.create()
    bench.write(volume, written)
    try:
        bench.extend(volume, TOO_LARGE_GB)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        bench.must_have_size(volume, 1, "the volume that could not be extended")
        bench.must_hold(volume, written, "the volume that could not be extended")
    else:
        bench.must_have_size(volume, TOO_LARGE_GB, "the volume that could be extended after all")


@law(
    source=f"{MANAGER}; cinder.volume.drivers.nfs:NfsDriver.extend_volume: _is_share_eligible",
    new_size=st.sampled_from([4097, 16384, 65536]),
)
def what_is_not_made_is_not_reached(bench: Bench, new_size: int) -> None:
    """A volume is not extended to a size that the driver refuses to a new one for want of space."""
    bench.use(max_over_subscription_ratio="1.0")
    volume, other = bench.create(), bench.record(new_size)
    try:
        bench.fill_in(other)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
    else:
        return
    bench.delete(other)
    try:
        bench.extend(volume, new_size)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    holds(False, f"a volume was extended to {new_size} GiB, but a new one of that size is refused")


@law(
    source=f"{MANAGER}: online_extend_support",
    needs=["data path", "online extend"],
    level="in-use",
    size=sizes(3),
    more=sizes(3),
    written=contents(),
)
def an_attached_volume_can_be_extended(bench: Bench, size: int, more: int, written: Contents) -> None:
    """A driver that does not report online_extend_support False extends volumes that are attached, and their
    hosts go on."""
    volume = bench.create(size)
    attached = bench.attach(volume)
    pages = pages_of(written, size * GIB)
    attached.write(pages)
    bench.extend(volume, size + more)
    same("what the host reads after the extension", attached.read(pages), dict(pages))
    again = bench.reconnect(attached)
    same("what the host reads that has connected anew", again.read(pages), dict(pages))
    bench.detach(again)
    bench.must_have_size(volume, size + more, "the extended volume")
    bench.must_hold(volume, written, "the extended volume", size)


@law(source=f"{MANAGER}: online_extend_support", needs=["data path"], level="in-use", more=sizes(3))
def what_is_not_reported_is_refused(bench: Bench, more: int) -> None:
    """A driver that reports online_extend_support False refuses to extend an attached volume: what works is to
    be reported."""
    stats = bench.driver.get_volume_stats(refresh=True)
    pools = stats.get("pools") or [stats]
    if any(pool.get("online_extend_support", stats.get("online_extend_support", True)) for pool in pools):
        raise Lacking("the driver does not report online_extend_support False")
    volume = bench.create()
    bench.attach(volume)
    try:
        bench.extend(volume, 1 + more)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    holds(False, "an attached volume was extended, but the driver reports online_extend_support False")


@law(source=MANAGER, needs=["inventory"], size=sizes(3), more=sizes(3))
def an_extended_volume_is_deleted_as_a_whole(bench: Bench, size: int, more: int) -> None:
    """Deleting an extended volume leaves nothing, in objects and in free space."""
    before, free = bench.objects(), bench.free_gb()
    volume = bench.create(size)
    bench.extend(volume, size + more)
    bench.delete(volume)
    same("the objects in the end", bench.objects(), before)
    if free is not None:
        same("free_capacity_gb in the end", bench.free_gb(), free)


@law(source=EXTEND)
def extending_an_absent_volume_is_an_error(bench: Bench) -> None:
    """Extending a volume whose object is gone raises."""
    volume = bench.create()
    bench.delete_object(volume)
    try:
        bench.extend(volume, 3)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    holds(False, "extend_volume of a volume that is gone succeeded, but should raise")
