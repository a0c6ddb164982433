"""migrate_volume when the storage fails: at each step of the copy, and of the deletion that follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.bench import Bench, Lacking
from conformance.contents import PLACES, Contents, contents
from conformance.law import same
from conformance.laws.assisted import INTERFACE, host_of, law, move, other, tried
from conformance.laws.faults import Step, every_step
from harness.model import Volume

failures = st.sampled_from(["eio", "enospc", "ebusy"])


@law(source=f"{INTERFACE}; LP 1489335", needs=["inventory", "data path"], kind=failures, weight=0.25)
def a_copy_that_fails_leaves_nothing(bench: Bench, kind: str) -> None:
    """If the storage fails at any step before the source is deleted, the destination has no part of the
    volume."""
    fails_at_each_step(bench, kind, deleting=False)


@law(source=f"{INTERFACE}; LP 1489335", needs=["inventory", "data path"], kind=failures, weight=0.25)
def a_source_that_stays_has_no_copy(bench: Bench, kind: str) -> None:
    """If the source cannot be deleted, the destination has no part of the volume, or all of it and the source
    none."""
    fails_at_each_step(bench, kind, deleting=True)


def fails_at_each_step(bench: Bench, kind: str, *, deleting: bool) -> None:
    """Move volumes, each with a fault at another step: those at the end, which the deletion of a volume takes,
    or those before."""
    there = other(bench)
    host = host_of(there)
    moves = [False]

    def steps_of(action: Callable[[], Any]) -> int:
        before = bench.simulation.visited
        action()
        return bench.simulation.visited - before

    def written() -> Volume:
        volume = bench.create()
        bench.write(volume, Contents("owner", PLACES))
        return volume

    volume = written()
    whole = steps_of(lambda: moves.append(move(bench, volume, host)))
    if not moves[-1]:
        raise Lacking("the driver does not move volumes between its back-ends by itself")
    last = written()
    end = steps_of(lambda: bench.driver.delete_volume(bench.fresh(last)))
    for nth in range(1, whole + 1):
        if (nth > whole - end) is not deleting:
            continue
        volume = written()
        here_before, there_before = len(bench.objects()), len(there.objects())
        Step(bench, nth, kind).attempt(lambda volume=volume: move(bench, volume, host))  # type: ignore[misc]
        moved = len(bench.objects()) < here_before
        same("the number of objects at the destination", len(there.objects()), there_before + moved)
        (there if moved else bench).delete(volume)


@law(source=INTERFACE, needs=["inventory"], kind=failures, weight=0.25)
def a_move_is_done_or_not_begun(bench: Bench, kind: str) -> None:
    """Whichever step fails: if the driver says that it has moved a volume, the destination has it and the
    source has not; if it refuses, it is the other way round."""
    there = other(bench)
    host = host_of(there)
    for step in every_step(bench, kind):
        volume = bench.create()
        before = len(bench.objects()), len(there.objects())
        answers: list[bool] = []
        step.attempt(lambda volume=volume, answers=answers: answers.append(move(bench, volume, host)))  # type: ignore[misc]
        if not answers:
            continue  # It has raised: other laws look at what is left then.
        moved = answers[0]
        after = len(bench.objects()), len(there.objects())
        same("the objects (source, destination)", after, (before[0] - moved, before[1] + moved))
        (there if moved else bench).delete(volume)


@law(
    source=INTERFACE,
    needs=["data path"],
    nth=st.integers(1, 10),
    kind=st.sampled_from(["eio", "enospc", "ebusy"]),
    written=contents(),
)
def a_failed_move_keeps_the_volume(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """If the storage fails at any step, the driver raises or refuses, and the volume is whole at its source;
    or it
    has moved, and is whole at the destination."""
    there = other(bench)
    host = host_of(there)
    volume = bench.create()
    bench.write(volume, written)
    bench.fail_at("*", nth=nth, kind=kind)
    moved = tried(bench, volume, host)
    bench.heal()
    home = there if moved else bench
    home.must_hold(volume, written, "the volume")
