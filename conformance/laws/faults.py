"""The storage fails at some step; what Cinder then does must put everything right again.

A planned fault strikes at the n-th thing that the storage does, whichever that is. The law is never that an
operation survives, but that a failure is reported and can be cleaned up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.bench import ADMIN, HOST, Bench
from conformance.contents import Contents, contents
from conformance.law import Chapter, same
from harness.control_plane.manager_base import host_connector

law = Chapter("faults", level="core", stage=Bench)
MANAGER = "cinder.volume.manager:VolumeManager"
step = st.integers(1, 12)
kinds = st.sampled_from(["eio", "enospc", "ebusy"])


def failing(bench: Bench, nth: int, kind: str, action: Callable[[], Any]) -> bool:
    """Run an action while a fault is planned. True if it raised because of that.

    A fault that the driver survives is as good as none.
    """
    bench.fail_at("*", nth=nth, kind=kind)
    try:
        action()
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        struck = bench.heal()
        if not struck:
            raise
        return True
    bench.heal()
    return False


@law(source=f"{MANAGER}.create_volume: error, then delete", needs=["inventory"], nth=step, kind=kinds)
def a_failed_creation_can_be_cleaned_up(bench: Bench, nth: int, kind: str) -> None:
    """A creation that failed at any step leaves nothing that deleting the volume does not remove."""
    before = bench.objects()
    volume = bench.record(1)
    failing(bench, nth, kind, lambda: bench.fill_in(volume))
    bench.delete(volume)
    same("the objects in the end", bench.objects(), before)


@law(
    source=f"{MANAGER}.delete_volume: error_deleting, then delete again",
    needs=["inventory"],
    nth=step,
    kind=kinds,
)
def a_failed_deletion_can_be_repeated(bench: Bench, nth: int, kind: str) -> None:
    """A deletion that failed at any step succeeds when it is repeated."""
    before = bench.objects()
    volume = bench.create()
    failing(bench, nth, kind, lambda: bench.delete_object(volume))
    bench.delete(volume)
    same("the objects in the end", bench.objects(), before)


@law(
    source=f"{MANAGER}.extend_volume: error_extending",
    needs=["data path"],
    nth=step,
    kind=kinds,
    written=contents(),
)
def a_failed_extension_keeps_the_data(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """An extension that failed at any step loses no data, and can be repeated."""
    volume = bench.create()
    bench.write(volume, written)
    failing(bench, nth, kind, lambda: bench.extend(volume, 3))
    bench.must_hold(volume, written, "the volume", 1)
    bench.extend(volume, 4)
    bench.must_have_size(volume, 4, "the volume that was extended again")


@law(
    source=f"{MANAGER}.create_snapshot: error, then delete",
    needs=["data path", "inventory", "snapshots"],
    nth=step,
    kind=kinds,
    written=contents(),
)
def a_failed_snapshot_can_be_cleaned_up(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """A snapshot that failed at any step can be deleted; the volume keeps its data and can be deleted, too."""
    before = bench.objects()
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot_record(volume)
    failing(bench, nth, kind, lambda: bench.driver.create_snapshot(snapshot))
    bench.delete_snapshot(snapshot)
    bench.must_hold(volume, written, "the volume")
    bench.delete(volume)
    same("the objects in the end", bench.objects(), before)


@law(
    source=f"{MANAGER}.delete_snapshot: error_deleting, then delete again",
    needs=["data path", "snapshots"],
    nth=step,
    kind=kinds,
    written=contents(),
)
def a_failed_snapshot_deletion_can_be_repeated(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """Deleting a snapshot that failed at any step succeeds when it is repeated; the volume keeps its data."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    failing(bench, nth, kind, lambda: bench.driver.delete_snapshot(bench.fresh(snapshot)))
    bench.delete_snapshot(snapshot)
    bench.must_hold(volume, written, "the volume")


@law(
    source=f"{MANAGER}.create_volume: error, then delete",
    needs=["data path", "inventory", "clones"],
    nth=step,
    kind=kinds,
    written=contents(),
)
def a_failed_clone_can_be_cleaned_up(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """A clone that failed at any step can be deleted; its source keeps its data."""
    volume = bench.create()
    bench.write(volume, written)
    before = bench.objects()
    clone = bench.record(1, source_volid=volume.id)
    failed = failing(bench, nth, kind, lambda: bench.driver.create_cloned_volume(clone, bench.fresh(volume)))
    bench.must_hold(volume, written, "the source")
    bench.delete(clone)
    if failed:
        same("the objects when the clone is deleted", bench.objects(), before)


@law(
    source=f"{MANAGER}.initialize_connection: remove_export after a failure",
    needs=["data path"],
    nth=step,
    kind=kinds,
    written=contents(),
)
def a_failed_connection_can_be_repeated(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """A connection that failed at any step leaves no export after remove_export, and succeeds when repeated."""
    before = bench.exports()
    volume = bench.create()
    bench.write(volume, written)
    failed = failing(bench, nth, kind, lambda: bench.connect(bench.fresh(volume), host_connector(HOST)))
    bench.driver.terminate_connection(
        bench.fresh(volume), host_connector(HOST), force=True
    ) if not failed else None
    bench.driver.remove_export(ADMIN, bench.fresh(volume))
    same("the targets after remove_export", bench.exports(), before)
    bench.must_hold(volume, written, "the volume that is connected again")


@law(source=f"{MANAGER}.terminate_connection", needs=["data path"], nth=step, kind=kinds, written=contents())
def a_failed_disconnection_can_be_repeated(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """Ending a connection that failed at any step succeeds when it is repeated, and the volume can be
    deleted."""
    before = bench.exports()
    volume = bench.create()
    bench.write(volume, written)
    connector = host_connector(HOST)
    bench.connect(bench.fresh(volume), connector)

    def disconnect() -> None:
        bench.driver.terminate_connection(bench.fresh(volume), connector, force=False)
        bench.driver.remove_export(ADMIN, bench.fresh(volume))

    failing(bench, nth, kind, disconnect)
    bench.driver.remove_export(ADMIN, bench.fresh(volume))
    same("the targets in the end", bench.exports(), before)
    bench.delete(volume)


@law(
    source=f"{MANAGER}.init_host: reinit_driver_count",
    needs=["data path"],
    nth=step,
    kind=kinds,
    written=contents(),
)
def a_failed_start_can_be_repeated(bench: Bench, nth: int, kind: str, written: Contents) -> None:
    """A start that failed at any step succeeds when it is repeated, and everything is there."""
    volume = bench.create()
    bench.write(volume, written)
    failing(bench, nth, kind, bench.restart)
    bench.restart()
    bench.must_hold(volume, written, "the volume")


@law(source=f"{MANAGER}.publish_service_capabilities", nth=step, kind=kinds)
def failed_stats_can_be_read_again(bench: Bench, nth: int, kind: str) -> None:
    """Stats that could not be read can be read the next time."""
    bench.create()
    before = dict(bench.driver.get_volume_stats(refresh=True))
    failing(bench, nth, kind, lambda: bench.driver.get_volume_stats(refresh=True))
    same("the stats after a failure", dict(bench.driver.get_volume_stats(refresh=True)), before)
