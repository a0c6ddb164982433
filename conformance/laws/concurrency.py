"""Calls that overlap: a service handles every message in a task of its own.

Each example runs a few calls as tasks of the kernel, under a schedule that the seed decides: whenever the
storage does something, another task may go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.bench import Bench
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import Chapter, holds, same
from harness.sim.schedules import Seeded
from harness.sim.seeds import stream

law = Chapter("concurrency", level="core", stage=Bench)
POOL = "oslo.messaging: a service handles messages in a thread pool"
schedules = st.integers(0, 1 << 16)


def together(bench: Bench, schedule: int, *calls: Callable[[], Any]) -> list[Any]:
    """Run calls at once; returns their results, or raises what the first of them raised."""
    kernel = bench.simulation.kernel
    kernel._schedule, kernel._fifo = Seeded(stream(schedule, "schedule")), False
    tasks = [kernel.spawn(f"task {number}", call) for number, call in enumerate(calls, start=1)]
    kernel.run()
    kernel.failures.clear()
    for task in tasks:
        if task.error is not None:
            raise task.error
    return [task.result for task in tasks]


@law(source=POOL, needs=["data path"], schedule=schedules, sizes_gb=st.lists(sizes(4), min_size=2, max_size=4))
def volumes_can_be_created_at_once(bench: Bench, schedule: int, sizes_gb: list[int]) -> None:
    """Several creations at once make several volumes, each of its size."""
    volumes = together(bench, schedule, *(lambda size=size: bench.create(size) for size in sizes_gb))
    for volume, size in zip(volumes, sizes_gb, strict=True):
        bench.must_have_size(volume, size, "a volume that was created with others")


@law(source=POOL, needs=["inventory"], schedule=schedules, count=st.integers(2, 4))
def volumes_can_be_deleted_at_once(bench: Bench, schedule: int, count: int) -> None:
    """Several deletions at once leave nothing."""
    before = bench.objects()
    volumes = [bench.create() for _ in range(count)]
    together(bench, schedule, *(lambda volume=volume: bench.delete(volume) for volume in volumes))
    same("the objects in the end", bench.objects(), before)


@law(source=f"{POOL}; cinder.volume.manager:VolumeManager.delete_volume", schedule=schedules)
def creating_and_deleting_do_not_meet(bench: Bench, schedule: int) -> None:
    """One volume is created while another is deleted."""
    old = bench.create()
    _, new = together(bench, schedule, lambda: bench.delete(old), lambda: bench.create(2))
    if bench.subject.path is not None:
        bench.must_have_size(new, 2, "the new volume")


@law(source=POOL, needs=["data path"], schedule=schedules, one=contents("one"), two=contents("two"))
def volumes_can_be_connected_at_once(bench: Bench, schedule: int, one: Contents, two: Contents) -> None:
    """Two volumes are connected, written and disconnected at once, and each keeps its own data."""
    volumes = [bench.create(), bench.create()]
    together(bench, schedule, lambda: bench.write(volumes[0], one), lambda: bench.write(volumes[1], two))
    bench.must_hold(volumes[0], one, "the first volume")
    bench.must_hold(volumes[1], two, "the second volume")
    same("the targets in the end", bench.exports(), [])


@law(
    source=f"{POOL}; several servers are started with one volume",
    needs=["data path", "multiattach"],
    level="multiattach",
    schedule=schedules,
    hosts=st.integers(2, 3),
    written=contents(),
)
def one_volume_is_connected_on_hosts_at_once(
    bench: Bench, schedule: int, hosts: int, written: Contents
) -> None:
    """Hosts that connect one volume at the same time all get to it, and when all but one go at once, that one
    stays."""
    before = bench.exports()
    volume = bench.create(1, multiattach=True)
    attached = together(
        bench, schedule, *(lambda name=f"host{each}": bench.attach(volume, name) for each in range(hosts))
    )
    pages = pages_of(written, attached[0].size)
    attached[0].write(pages)
    for each in attached:
        same(f"what {each.host} reads", each.read(pages), dict(pages))
    staying = attached.pop()
    together(bench, schedule, *(lambda each=each: bench.detach(each) for each in attached))
    staying = bench.reconnect(staying)
    same("what the last host reads", staying.read(pages), dict(pages))
    bench.detach(staying)
    same("the targets in the end", bench.exports(), before)


@law(source=POOL, needs=["data path", "snapshots", "clones"], schedule=schedules, written=contents())
def one_volume_is_snapshotted_and_cloned_at_once(bench: Bench, schedule: int, written: Contents) -> None:
    """Two volumes are made of one source while a third is created, and both have its data."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    made, other = together(
        bench,
        schedule,
        lambda: bench.from_snapshot(snapshot),
        lambda: (bench.create(), bench.snapshot(volume))[1],
    )
    bench.must_hold(made, written, "the volume from the snapshot")
    bench.must_hold(bench.from_snapshot(other), written, "the volume from the second snapshot")


@law(source=POOL, needs=["data path", "clones", "inventory"], schedule=schedules, count=st.integers(2, 3))
def one_source_is_cloned_several_times_at_once(bench: Bench, schedule: int, count: int) -> None:
    """Several clones of one source at once are whole, and what helped to make them is gone."""
    written = Contents("owner", ("first", "middle", "last"))
    volume = bench.create()
    bench.write(volume, written)
    before = bench.objects()
    for clone in together(bench, schedule, *(lambda: bench.clone(volume) for _ in range(count))):
        bench.must_hold(clone, written, "a clone that was made with others")
    same("the number of objects", len(bench.objects()), len(before) + count)


@law(source=POOL, needs=["data path", "snapshots", "inventory"], schedule=schedules, count=st.integers(2, 3))
def one_volume_is_snapshotted_several_times_at_once(bench: Bench, schedule: int, count: int) -> None:
    """Snapshots of one volume that are taken and deleted at once are those that were asked for, and leave
    nothing."""
    written = Contents("owner", ("first", "middle", "last"))
    before = bench.objects()
    volume = bench.create()
    bench.write(volume, written)
    old = bench.snapshot(volume)
    taken = together(bench, schedule, *(lambda: bench.snapshot(volume) for _ in range(count)))
    together(
        bench,
        schedule,
        *(lambda snapshot=snapshot: bench.delete_snapshot(snapshot) for snapshot in (old, *taken[1:])),
    )
    made = bench.from_snapshot(taken[0])
    bench.must_hold(made, written, "the volume from a snapshot that was taken with others")
    bench.must_hold(volume, written, "the volume")
    bench.delete(made)
    bench.delete_snapshot(taken[0])
    bench.delete(volume)
    same("the objects in the end", bench.objects(), before)


@law(source=POOL, needs=["data path"], schedule=schedules, more=sizes(3), written=contents())
def one_grows_while_another_is_used(bench: Bench, schedule: int, more: int, written: Contents) -> None:
    """One volume is extended while another is connected and written."""
    volume, other = bench.create(), bench.create()
    together(bench, schedule, lambda: bench.extend(volume, 1 + more), lambda: bench.write(other, written))
    bench.must_have_size(volume, 1 + more, "the extended volume")
    bench.must_hold(other, written, "the other volume")


@law(source=POOL, schedule=schedules, count=st.integers(1, 3))
def stats_can_be_read_at_any_time(bench: Bench, schedule: int, count: int) -> None:
    """Stats are read while volumes are created and deleted, and make sense in between."""
    old = bench.create()

    def stats() -> list[Any]:
        return [bench.driver.get_volume_stats(refresh=True) for _ in range(count)]

    answers = together(bench, schedule, stats, lambda: bench.create(2), lambda: bench.delete(old))[0]
    for answer in answers:
        holds(isinstance(answer, dict), f"get_volume_stats returned {answer!r}, but should return a dict")


@law(source=f"{POOL}; a deletion that is asked for twice", needs=["inventory"], schedule=schedules)
def one_volume_is_deleted_twice_at_once(bench: Bench, schedule: int) -> None:
    """Two deletions of the same volume, one of which may lose the race, leave nothing."""
    before = bench.objects()
    volume = bench.create()

    def delete() -> None:
        try:
            bench.delete_object(volume)
        except Exception as error:
            if not bench.is_foreign(error):
                raise

    together(bench, schedule, delete, delete)
    bench.delete_object(volume)
    same("the objects in the end", bench.objects(), before)
