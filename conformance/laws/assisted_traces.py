"""migrate_volume, and what it means for others: for who had the storage, gets it, or has a share in it."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.attached import must_show_nothing_of
from conformance.bench import Bench, Lacking
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import holds, same
from conformance.laws.assisted import INTERFACE, MIGRATE, host_of, law, move, other
from harness.model import GIB, Volume

FULL = ("first", "end of a chunk", "middle", "last")


def moved(bench: Bench, there: Bench, volume: Volume) -> None:
    """Lacking if the driver leaves it to Cinder."""
    if not move(bench, volume, host_of(there)):
        raise Lacking("the driver does not move volumes between its back-ends by itself")


@law(source=f"{MIGRATE}: an exception is final, (False, None) leads to a generic migration; LP 1848689")
def a_volume_in_use_is_no_error(bench: Bench) -> None:
    """A volume in use is moved, or refused with (False, None): Nova can copy what the driver cannot move."""
    there = other(bench)
    volume = bench.create()
    bench.attach(volume)
    move(bench, volume, host_of(there))


@law(source=f"{INTERFACE}; volume_clear", needs=["data path"], secret=contents("who moved away"), size=sizes(2))
def a_new_volume_shows_nothing_of_one_that_moved_away(bench: Bench, secret: Contents, size: int) -> None:
    """No byte of a volume that was moved can be read in one that is created later where it was."""
    there = other(bench)
    volume = bench.create(size)
    bench.write(volume, secret)
    moved(bench, there, volume)
    attached = bench.attach(bench.create(size))
    must_show_nothing_of(attached, pages_of(secret, size * GIB), "a new volume at the source")
    bench.detach(attached)


@law(
    source=f"{INTERFACE}; cinder.scheduler.filters.capacity_filter:CapacityFilter",
    needs=["data path"],
    size=st.sampled_from([2, 20]),
)
def a_volume_that_moved_gives_back_all_its_space(bench: Bench, size: int) -> None:
    """When a volume that has moved is deleted, as much is free at either end as before it was made."""
    there = other(bench)
    before = bench.free_gb(), there.free_gb()
    volume = bench.create(size)
    bench.write(volume, Contents("owner", FULL))
    moved(bench, there, volume)
    there.delete(volume)
    after = bench.free_gb(), there.free_gb()
    if None not in before:
        same("free_capacity_gb (source, destination)", after, before)


@law(source=f"{INTERFACE}; LP 1472486", needs=["data path", "thin"], size=st.sampled_from([10, 20]))
def what_is_empty_moves_without_taking_space(bench: Bench, size: int) -> None:
    """Between thin back-ends a volume takes at its destination the space of what was written to it."""
    there = other(bench)
    volume = bench.create(size)
    bench.write(volume, Contents("owner", FULL))
    before = there.free_gb()
    moved(bench, there, volume)
    after = there.free_gb()
    if before is not None and after is not None:
        taken = before - after
        holds(
            taken <= size / 2, f"free_capacity_gb shrank by {taken:.2f} GiB for an empty volume of {size} GiB"
        )


@law(
    source=f"{INTERFACE}; copies are independent",
    needs=["data path", "clones"],
    written=contents(),
    source_moves=st.booleans(),
)
def a_clone_and_its_source_part(bench: Bench, written: Contents, source_moves: bool) -> None:
    """Of a volume and its clone either can be moved away, and both keep their data."""
    there = other(bench)
    source = bench.create()
    bench.write(source, written)
    clone = bench.clone(source)
    going, staying = (source, clone) if source_moves else (clone, source)
    moved(bench, there, going)
    there.must_hold(going, written, "what has moved")
    bench.must_hold(staying, written, "what has stayed")
