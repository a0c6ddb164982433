"""The volume service starts anew at any moment."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from conformance.attached import Attached
from conformance.bench import ADMIN, Bench
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import Chapter, holds, same
from harness.control_plane.manager_base import host_connector

law = Chapter("restart", level="core", stage=Bench)
INIT_HOST = "cinder.volume.manager:VolumeManager.init_host"


@law(source=INIT_HOST, needs=["data path"], size=sizes(3), written=contents(), restarts=st.integers(1, 3))
def volumes_outlive_the_service(bench: Bench, size: int, written: Contents, restarts: int) -> None:
    """Volumes are there, with size and data, when the service has started anew."""
    volume = bench.create(size)
    bench.write(volume, written)
    for _ in range(restarts):
        bench.restart()
    bench.must_have_size(volume, size, "the volume after a restart")
    bench.must_hold(volume, written, "the volume after a restart")


@law(source=INIT_HOST, needs=["data path", "snapshots"], before=contents("before"), after=contents("after"))
def snapshots_outlive_the_service(bench: Bench, before: Contents, after: Contents) -> None:
    """Snapshots are there, with their data, when the service has started anew."""
    volume = bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    bench.write(volume, after)
    bench.restart()
    bench.must_hold(bench.from_snapshot(snapshot), before, "the volume from the snapshot")
    bench.delete_snapshot(snapshot)
    bench.must_hold(volume, after, "the volume")


@law(source=INIT_HOST, needs=["inventory"], count=st.integers(1, 3))
def starting_changes_nothing(bench: Bench, count: int) -> None:
    """do_setup and check_for_setup_error make and remove no volumes."""
    for _ in range(count):
        bench.create()
    before = bench.objects()
    bench.restart()
    same("the objects after a restart", bench.objects(), before)


@law(source=INIT_HOST, needs=["data path"], written=contents())
def setting_up_again_does_no_harm(bench: Bench, written: Contents) -> None:
    """A failed start is tried again (reinit_driver_count): do_setup may be called twice on one driver."""
    volume = bench.create()
    bench.write(volume, written)
    bench.driver.do_setup(ADMIN)
    bench.driver.check_for_setup_error()
    bench.must_hold(volume, written, "the volume after a second do_setup")
    bench.create()


@law(source=INIT_HOST, needs=["data path"], written=contents(), count=st.integers(1, 3))
def every_attached_volume_stays_connected(bench: Bench, written: Contents, count: int) -> None:
    """With several volumes in use, each stays connected through a restart, in the same way as before, and can
    be disconnected after it."""
    attached = [bench.attach(bench.create(), f"host{number}") for number in range(count)]
    for each in attached:
        each.write(pages_of(written, each.size))
    bench.restart()
    for each in attached:
        wanted = pages_of(written, each.size)
        same(f"what {each.host} reads", each.read(wanted), dict(wanted))
        info = bench.driver.initialize_connection(bench.fresh(each.volume), host_connector(each.host))
        same("the connection info after a restart", info, each.info)
    for each in list(attached):
        bench.detach(each)


@law(source=f"{INIT_HOST}: ensure_export", needs=["data path"], written=contents(), count=st.integers(1, 3))
def exports_outlive_their_node(bench: Bench, written: Contents, count: int) -> None:
    """When the node that exports them was started anew, ensure_export has exported all volumes in use again, as
    the hosts know them."""
    attached = [bench.attach(bench.another_name_for(bench.create()), f"host{each}") for each in range(count)]
    for each in attached:
        each.write(pages_of(written, each.size))
    must_outlive_their_node(bench, attached, written)


def must_outlive_their_node(bench: Bench, attached: Sequence[Attached], written: Contents) -> None:
    """Start the node anew that exports volumes; Broken unless each host reads what was written when it has
    connected anew. Then they are detached."""
    bench.restart_node()
    for each in attached:
        again = bench.reconnect(each)
        wanted = pages_of(written, again.size)
        same(f"what {again.host} reads", again.read(wanted), dict(wanted))
        bench.detach(again)


@law(source=INIT_HOST)
def ensure_export_takes_what_is_not_exported(bench: Bench) -> None:
    """ensure_export of a volume whose export is gone makes it again, or does nothing; it does not raise."""
    volume = bench.create()
    bench.export(volume)
    bench.driver.remove_export(ADMIN, bench.fresh(volume))
    bench.driver.ensure_export(ADMIN, bench.fresh(volume))


@law(source="cinder.interface.volume_driver:VolumeDriverCore.check_for_setup_error", needs=["other storage"])
def storage_that_is_not_there_is_told(bench: Bench) -> None:
    """A back-end whose storage is not there fails to start, or reports that it has no space."""
    try:
        driver = bench.start(bench.subject.twin)
        stats = driver.get_volume_stats(refresh=True)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    totals = [pool.get("total_capacity_gb") for pool in stats.get("pools") or [stats]]
    holds(not any(totals), f"without its storage the driver starts, and reports {totals} GiB")


@law(source=INIT_HOST, needs=["data path"], written=contents(), more=sizes(2))
def a_new_process_goes_on_where_the_old_one_stopped(bench: Bench, written: Contents, more: int) -> None:
    """Create, extend, delete by three processes after one another."""
    volume = bench.create()
    bench.write(volume, written)
    bench.restart()
    bench.extend(volume, 1 + more)
    bench.restart()
    bench.must_have_size(volume, 1 + more, "the extended volume")
    bench.must_hold(volume, written, "the extended volume", 1)
    bench.restart()
    bench.delete(volume)
