"""The storage fails at some step; what Cinder then does must put everything right again.

Each law lets an operation fail at its first step, then at its second, and so on until it goes through: a step
is whatever the storage does. The law is never that an operation survives, but that a failure is reported and
can be cleaned up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from hypothesis import strategies as st

from conformance.bench import ADMIN, HOST, Bench
from conformance.contents import Contents, contents
from conformance.law import Broken, Chapter, holds, same
from harness.control_plane.manager_base import host_connector
from harness.errors import KernelError
from harness.model import Snapshot, Volume
from harness.sim.faults import Fault, FaultPlan

law = Chapter("faults", level="core", stage=Bench, weight=0.25)
MANAGER = "cinder.volume.manager:VolumeManager"
STEPS_MAX = 60
"""After so many steps an operation has failed often enough."""
kinds = st.sampled_from(["eio", "enospc", "ebusy"])


class Step:
    """One attempt. `failed` tells whether the operation raised, `struck` whether the fault was met at all."""

    def __init__(self, bench: Bench, nth: int, kind: str) -> None:
        self._bench = bench
        self._nth = nth
        self._kind = kind
        self.failed = False
        self.struck = False

    def attempt(self, action: Callable[[], Any]) -> None:
        """Run the operation while the fault is planned; what it raises must be because of that."""
        bench = self._bench
        bench.watch.steps.append(f"(step {self._nth} fails with {self._kind})")
        bench.fail_at("*", nth=self._nth, kind=self._kind)
        try:
            action()
        except Exception as error:
            self.struck, self.failed = bench.heal(), True
            if not (self.struck and bench.is_foreign(error)):
                raise
        else:
            self.struck = bench.heal()


def every_step(bench: Bench, kind: str) -> Iterator[Step]:
    """One attempt for each step of an operation, until it has no step left that could fail."""
    for nth in count(1):
        step = Step(bench, nth, kind)
        yield step
        if not step.struck or nth == STEPS_MAX:
            return


@law(source=f"{MANAGER}.create_volume: error, then delete", needs=["inventory"], kind=kinds)
def a_failed_creation_can_be_cleaned_up(bench: Bench, kind: str) -> None:
    """A creation that failed at any step leaves nothing that deleting the volume does not remove; one that
    succeeded is done."""
    before = bench.objects()
    for step in every_step(bench, kind):
        volume = bench.record(1)
        step.attempt(lambda volume=volume: bench.fill_in(volume))  # type: ignore[misc]
        if not step.failed and bench.subject.path is not None:
            bench.must_have_size(volume, 1, "the volume whose creation succeeded")
        bench.delete(volume)
        same("the objects when the volume is deleted", bench.objects(), before)


@law(source=f"{MANAGER}.delete_volume: error_deleting, then delete again", needs=["inventory"], kind=kinds)
def a_failed_deletion_can_be_repeated(bench: Bench, kind: str) -> None:
    """A deletion that failed at any step succeeds when it is repeated; one that succeeded is done."""
    before = bench.objects()
    for step in every_step(bench, kind):
        volume = bench.create()
        step.attempt(lambda volume=volume: bench.delete_object(volume))  # type: ignore[misc]
        if not step.failed:
            same("the objects after a deletion that succeeded", bench.objects(), before)
        bench.delete(volume)
        same("the objects when the volume is deleted again", bench.objects(), before)


@law(source=f"{MANAGER}.extend_volume: error_extending", needs=["data path"], kind=kinds, written=contents())
def a_failed_extension_keeps_the_data(bench: Bench, kind: str, written: Contents) -> None:
    """An extension that failed at any step loses no data, and can be repeated; one that succeeded is done."""
    for step in every_step(bench, kind):
        volume = bench.create()
        bench.write(volume, written)
        step.attempt(lambda volume=volume: bench.extend(volume, 3))  # type: ignore[misc]
        if not step.failed:
            bench.must_have_size(volume, 3, "the volume whose extension succeeded")
        bench.must_hold(volume, written, "the volume", 1)
        bench.extend(volume, 4)
        bench.must_have_size(volume, 4, "the volume that was extended again")
        bench.delete(volume)


@law(
    source=f"{MANAGER}.create_snapshot: error, then delete",
    needs=["data path", "inventory", "snapshots"],
    kind=kinds,
    written=contents(),
)
def a_failed_snapshot_can_be_cleaned_up(bench: Bench, kind: str, written: Contents) -> None:
    """A snapshot that failed at any step can be deleted, one that succeeded is done; the volume keeps its data
    and can be deleted, too."""
    before = bench.objects()
    for step in every_step(bench, kind):
        volume = bench.create()
        bench.write(volume, written)
        snapshot = bench.snapshot_record(volume)
        step.attempt(lambda snapshot=snapshot: bench.fill_in_snapshot(snapshot))  # type: ignore[misc]
        if not step.failed:
            made = bench.from_snapshot(snapshot)
            bench.must_hold(made, written, "the volume from a snapshot that succeeded")
            bench.delete(made)
        bench.delete_snapshot(snapshot)
        bench.must_hold(volume, written, "the volume")
        bench.delete(volume)
        same("the objects when everything is deleted", bench.objects(), before)


@law(
    source=f"{MANAGER}.delete_snapshot: error_deleting, then delete again",
    needs=["data path", "snapshots"],
    kind=kinds,
    written=contents(),
)
def a_failed_snapshot_deletion_can_be_repeated(bench: Bench, kind: str, written: Contents) -> None:
    """Deleting a snapshot that failed at any step succeeds when it is repeated, and one that succeeded is done;
    the volume keeps its data."""
    volume = bench.create()
    bench.write(volume, written)
    before = bench.objects()
    for step in every_step(bench, kind):
        snapshot = bench.snapshot(volume)
        step.attempt(lambda snapshot=snapshot: bench.driver.delete_snapshot(bench.fresh(snapshot)))  # type: ignore[misc]
        if not step.failed:
            same("the objects after a deletion that succeeded", bench.objects(), before)
            bench.fill_in_snapshot(snapshot)  # which needs the name
        bench.delete_snapshot(snapshot)
        bench.must_hold(volume, written, "the volume")


@law(
    source=f"{MANAGER}.create_volume: error, then delete",
    needs=["data path", "inventory", "clones"],
    kind=kinds,
    written=contents(),
)
def a_failed_clone_can_be_cleaned_up(bench: Bench, kind: str, written: Contents) -> None:
    """A clone that failed at any step can be deleted, and one that succeeded is whole; its source keeps its
    data."""
    volume = bench.create()
    bench.write(volume, written)
    before = bench.objects()
    for step in every_step(bench, kind):
        clone = bench.record(1, source_volid=volume.id)
        step.attempt(lambda clone=clone: bench.fill_in_clone(clone, volume))  # type: ignore[misc]
        bench.must_hold(volume, written, "the source")
        if not step.failed:
            bench.must_hold(clone, written, "the clone that succeeded")
        if not step.struck:
            return
        bench.delete(clone)
        same("the objects when the clone is deleted", bench.objects(), before)


@law(
    source=f"{MANAGER}.create_volume: error, then delete",
    needs=["data path", "inventory", "snapshots"],
    kind=kinds,
    written=contents(),
)
def a_failed_volume_from_a_snapshot_can_be_cleaned_up(bench: Bench, kind: str, written: Contents) -> None:
    """A volume from a snapshot that failed at any step can be deleted, and one that succeeded is whole; the
    snapshot keeps its data."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    before = bench.objects()
    for step in every_step(bench, kind):
        made = bench.record(1, snapshot_id=snapshot.id)
        step.attempt(lambda made=made: bench.fill_in_from(made, snapshot))  # type: ignore[misc]
        if not step.failed:
            bench.must_hold(made, written, "the volume from a snapshot that succeeded")
        bench.delete(made)
        same("the objects when the volume is deleted", bench.objects(), before)


@law(
    source=f"{MANAGER}.initialize_connection: remove_export after a failure",
    needs=["data path"],
    kind=kinds,
    written=contents(),
)
def a_failed_connection_can_be_repeated(bench: Bench, kind: str, written: Contents) -> None:
    """A connection that failed at any step leaves no export after remove_export, and succeeds when repeated."""
    before = bench.exports()
    volume = bench.create()
    bench.write(volume, written)
    for step in every_step(bench, kind):
        step.attempt(lambda: bench.connect(bench.fresh(volume), host_connector(HOST)))
        if not step.failed:
            bench.driver.terminate_connection(bench.fresh(volume), host_connector(HOST), force=True)
        bench.driver.remove_export(ADMIN, bench.fresh(volume))
        same("the targets after remove_export", bench.exports(), before)
        bench.must_hold(volume, written, "the volume that is connected again")


@law(source=f"{MANAGER}.terminate_connection", needs=["data path"], kind=kinds, written=contents())
def a_failed_disconnection_can_be_repeated(bench: Bench, kind: str, written: Contents) -> None:
    """A connection whose end failed at any step can be ended again, and the volume be deleted."""
    before = bench.exports()
    connector = host_connector(HOST)
    for step in every_step(bench, kind):
        volume = bench.create()
        bench.write(volume, written)
        bench.connect(bench.fresh(volume), connector)

        def disconnect(volume: Any = volume) -> None:
            bench.driver.terminate_connection(bench.fresh(volume), connector, force=False)
            bench.driver.remove_export(ADMIN, bench.fresh(volume))

        step.attempt(disconnect)
        if step.failed:
            disconnect()
        bench.driver.remove_export(ADMIN, bench.fresh(volume))
        same("the targets in the end", bench.exports(), before)
        bench.delete(volume)


@law(source=f"{MANAGER}.init_host: reinit_driver_count", needs=["data path"], kind=kinds, written=contents())
def a_failed_start_can_be_repeated(bench: Bench, kind: str, written: Contents) -> None:
    """A start that failed at any step succeeds when it is repeated, and everything is there."""
    volume = bench.create()
    bench.write(volume, written)
    for step in every_step(bench, kind):
        step.attempt(bench.restart)
        bench.restart()
        bench.must_hold(volume, written, "the volume")


@law(source=f"{MANAGER}.publish_service_capabilities", kind=kinds)
def failed_stats_can_be_read_again(bench: Bench, kind: str) -> None:
    """Stats that could not be read can be read the next time."""
    bench.create()
    before = dict(bench.driver.get_volume_stats(refresh=True))
    for step in every_step(bench, kind):
        step.attempt(lambda: bench.driver.get_volume_stats(refresh=True))
        same("the stats after a failure", dict(bench.driver.get_volume_stats(refresh=True)), before)


@law(
    source="cinder.coordination:synchronized: a lock ends with the call",
    needs=["snapshots", "clones"],
    kind=kinds,
    operation=st.sampled_from(["snapshot", "clone", "extend", "from a snapshot"]),
    weight=0.5,
)
def a_failure_holds_nobody_up(bench: Bench, kind: str, operation: str) -> None:
    """Whatever an operation has locked when it fails is free afterwards: the next one on the same volume may
    fail again, but does not wait."""
    operations: dict[str, Callable[[Volume, Snapshot], Any]] = {
        "snapshot": lambda volume, snapshot: bench.snapshot(volume),
        "clone": lambda volume, snapshot: bench.clone(volume),
        "extend": lambda volume, snapshot: bench.extend(volume, 2),
        "from a snapshot": lambda volume, snapshot: bench.from_snapshot(snapshot),
    }
    for step in every_step(bench, kind):
        volume = bench.create()
        act = partial(operations[operation], volume, bench.snapshot(volume))
        step.attempt(act)
        try:
            act()
        except KernelError as error:
            raise Broken(f"after a failure the next operation would wait for ever: {error}") from error
        except Exception as error:
            if not bench.is_foreign(error):
                raise


@law(
    source=f"{MANAGER}: error, error_deleting, error_extending",
    needs=["snapshots", "clones"],
    kind=kinds,
    operation=st.sampled_from(
        ["create", "delete", "extend", "snapshot", "delete snapshot", "clone", "from a snapshot"]
    ),
    weight=2,
)
def nothing_succeeds_while_the_storage_fails(bench: Bench, kind: str, operation: str) -> None:
    """While every step in the storage fails, however often it is tried, no operation says that it is done."""
    volume, spare = bench.create(), bench.create()
    snapshot = bench.snapshot(volume)
    operations: dict[str, Callable[[], Any]] = {
        "create": bench.create,
        "delete": lambda: bench.driver.delete_volume(bench.fresh(spare)),
        "extend": lambda: bench.extend(volume, 2),
        "snapshot": lambda: bench.snapshot(volume),
        "delete snapshot": lambda: bench.driver.delete_snapshot(bench.fresh(snapshot)),
        "clone": lambda: bench.clone(volume),
        "from a snapshot": lambda: bench.from_snapshot(snapshot),
    }
    bench.watch.steps.append(f"(from now on every step fails with {kind})")
    bench.simulation.faults = FaultPlan([Fault(point="*", kind=kind)] * STEPS_MAX)  # type: ignore[arg-type]
    try:
        operations[operation]()
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    holds(not bench.heal(), f"the driver says that it is done ({operation}), but the storage did nothing of it")
