"""Exports: create_export, ensure_export, remove_export."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.bench import ADMIN, HOST, Bench, Lacking
from conformance.contents import Contents, contents, pages_of
from conformance.law import Chapter, same
from conformance.laws.restart import must_outlive_their_node
from harness.control_plane.manager_base import host_connector

law = Chapter("exports", level="core", stage=Bench)
CREATE = "cinder.interface.volume_driver:VolumeDriverCore.create_export"
REMOVE = "cinder.interface.volume_driver:VolumeDriverCore.remove_export"
ENSURE = "cinder.interface.volume_driver:VolumeDriverCore.ensure_export"
MANAGER = "cinder.volume.manager:VolumeManager"
PLACE = (
    "target_portal",
    "target_iqn",
    "target_lun",
    "target_wwn",
    "target_nqn",
    "name",
    "export",
    "device_path",
)
"""What says where a volume is, in the connection data of the protocols."""
PATHS = ("target_portals", "target_iqns", "target_luns")
PROVIDER = ("provider_location", "provider_auth", "provider_id")


@law(source=f"{CREATE}: called before every connection", times=st.integers(2, 4))
def exporting_again_changes_nothing(bench: Bench, times: int) -> None:
    """create_export is called before every connection; each time it says the same."""
    volume = bench.create()
    bench.export(volume)
    first = {name: getattr(bench.fresh(volume), name) for name in PROVIDER}
    exports = bench.exports()
    for _ in range(times):
        bench.export(bench.fresh(volume))
    same("what is on record", {name: getattr(bench.fresh(volume), name) for name in PROVIDER}, first)
    same("the targets", bench.exports(), exports)


@law(source=f"{CREATE}: called before every connection", needs=["data path"], written=contents())
def exporting_again_keeps_connections(bench: Bench, written: Contents) -> None:
    """A host that is connected stays so when the volume is exported once more."""
    volume = bench.create()
    attached = bench.attach(volume)
    bench.export(bench.fresh(volume), host_connector("host2"))
    pages = pages_of(written, attached.size)
    attached.write(pages)
    same("what the connected host reads", attached.read(pages), dict(pages))


@law(source=REMOVE)
def removing_an_absent_export_succeeds(bench: Bench) -> None:
    """remove_export of a volume that was never exported succeeds: it is called before each deletion."""
    volume = bench.create()
    bench.driver.remove_export(ADMIN, volume)


@law(source=REMOVE)
def removing_an_export_twice_succeeds(bench: Bench) -> None:
    """remove_export of what is not exported any more succeeds."""
    volume = bench.create()
    bench.export(volume)
    for _ in range(2):
        bench.driver.remove_export(ADMIN, bench.fresh(volume))


@law(source=REMOVE, migrated=st.booleans())
def removing_takes_the_target_away(bench: Bench, migrated: bool) -> None:
    """After remove_export there are the targets that there were before create_export, also where the volume has
    a _name_id."""
    before = bench.exports()
    volume = bench.create()
    if migrated:
        volume = bench.another_name_for(volume)
    bench.export(volume)
    bench.driver.remove_export(ADMIN, bench.fresh(volume))
    same("the targets", bench.exports(), before)


@law(source=REMOVE, needs=["data path"], written=contents())
def a_volume_can_be_exported_again(bench: Bench, written: Contents) -> None:
    """After remove_export a volume can be exported and connected as if for the first time."""
    volume = bench.create()
    bench.write(volume, written)
    bench.driver.remove_export(ADMIN, bench.fresh(volume))
    bench.must_hold(volume, written, "the volume that was exported again")


@law(source=REMOVE, needs=["data path"], written=contents())
def removing_leaves_other_exports(bench: Bench, written: Contents) -> None:
    """The export of one volume goes, and that of another stays."""
    one, two = bench.create(), bench.create()
    bench.export(one)
    attached = bench.attach(two)
    bench.driver.remove_export(ADMIN, bench.fresh(one))
    pages = pages_of(written, attached.size)
    attached.write(pages)
    same("what the other host reads", attached.read(pages), dict(pages))


@law(source=f"{ENSURE}; {MANAGER}.init_host", needs=["data path"], written=contents(), times=st.integers(1, 2))
def ensuring_keeps_connections(bench: Bench, written: Contents, times: int) -> None:
    """ensure_export at the start of the service leaves connected hosts connected, and lets them in again."""
    volume = bench.create()
    attached = bench.attach(volume)
    pages = pages_of(written, attached.size)
    attached.write(pages)
    for _ in range(times):
        bench.restart()
    same("what the connected host reads", attached.read(pages), dict(pages))
    attached = bench.reconnect(attached)
    same("what the host reads that has connected anew", attached.read(pages), dict(pages))
    bench.detach(attached)
    bench.must_hold(volume, written, "the volume")


@law(source=f"{MANAGER}.create_volume: provider fields", needs=["data path"], written=contents())
def the_record_is_all_that_a_driver_keeps(bench: Bench, written: Contents) -> None:
    """Another process, which knows nothing but the record, connects and deletes a volume."""
    volume = bench.create()
    bench.write(volume, written)
    bench.restart()
    bench.must_hold(volume, written, "the volume after a restart")
    bench.restart()
    bench.delete(volume)


@law(source=REMOVE)
def remove_export_takes_any_record(bench: Bench) -> None:
    """remove_export works on a record that was read anew, and one whose provider fields are empty."""
    volume = bench.create()
    bench.driver.remove_export(ADMIN, bench.fresh(volume))
    bare = bench.record(1, status="error")
    bench.driver.remove_export(ADMIN, bare)


@law(source=f"{CREATE}; {HOST}")
def exports_of_two_volumes_differ(bench: Bench) -> None:
    """Two volumes are never exported under one name."""
    infos = [bench.connect(bench.create(), host_connector(HOST))["data"] for _ in range(2)]
    places = [{key: value for key, value in info.items() if key in PLACE} for info in infos]
    if places[0]:
        same("whether both lead to one place", places[0] == places[1], False)


@law(
    source="cinder.volume.driver:volume_opts: target_helper, target_secondary_ip_addresses",
    needs=["data path", "simulated Cinder"],
    helper=st.sampled_from(["tgtadm", "lioadm"]),
    written=contents(),
)
def an_export_is_as_it_is_configured(bench: Bench, helper: str, written: Contents) -> None:
    """Whichever helper exports, and by however many portals, hosts get to their volumes, also when the node
    that exports them was started anew, and the exports go with them."""
    if bench.plan.kind != "lvm":
        raise Lacking("nobody says how else the driver could export")
    bench.use(target_helper=helper, target_secondary_ip_addresses=["192.0.2.200"])
    before = bench.exports()
    attached = [bench.attach(bench.create(), f"host{number}") for number in range(2)]
    for each in attached:
        each.write(pages_of(written, each.size))
        paths = {key: len(each.info["data"].get(key, ())) for key in PATHS}
        same("how many paths connection info tells", paths, dict.fromkeys(PATHS, 2))
    must_outlive_their_node(bench, attached, written)
    same("the targets in the end", bench.exports(), before)
