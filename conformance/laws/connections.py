"""Connecting volumes to hosts."""

from __future__ import annotations

import copy
import json

from hypothesis import strategies as st

from conformance.bench import ADMIN, HOST, Bench
from conformance.contents import Contents, contents, pages_of
from conformance.foreign.guard import shortened
from conformance.law import Broken, Chapter, holds, same
from conformance.protocols import missing_from
from harness.control_plane.manager_base import host_connector
from harness.errors import InvalidConnectorException

law = Chapter("connections", level="core", stage=Bench)
INITIALIZE = "cinder.interface.volume_connector:VolumeConnector.initialize_connection"
TERMINATE = "cinder.interface.volume_connector:VolumeConnector.terminate_connection"
MANAGER = "cinder.volume.manager:VolumeManager.initialize_connection"
PATHS = ("target_portals", "target_iqns", "target_luns")
"""Where iSCSI connection info tells several paths, they are in these; the last one may be left out."""
CHECKLIST = "Cinder's new-driver checklist, common gotchas"


@law(source=INITIALIZE, size=st.integers(1, 4))
def connection_info_has_what_its_protocol_needs(bench: Bench, size: int) -> None:
    """Connection info names a protocol and has what os-brick needs to connect by it."""
    info = bench.connect(bench.create(size), host_connector(HOST))
    kind = info.get("driver_volume_type")
    holds(isinstance(kind, str) and kind, f"driver_volume_type is {kind!r}, but should name a protocol")
    missing = missing_from(str(kind), info["data"])
    holds(
        not missing,
        f"connection data of {kind} are {shortened(info['data'])}, but should have {', '.join(missing)}",
    )


@law(source=f"{MANAGER}: the answer travels as JSON")
def connection_info_is_json(bench: Bench) -> None:
    """Connection info can be sent as JSON and comes back the same."""
    info = bench.connect(bench.create(), host_connector(HOST))
    try:
        again = json.loads(json.dumps(info))
    except (TypeError, ValueError) as error:
        raise Broken(f"connection info {shortened(info)} is no JSON: {error}") from error
    same("connection info that was sent as JSON", again, info)


@law(
    source=f"{MANAGER}: _parse_connection_options fills in what the driver leaves out",
    migrated=st.booleans(),
    encrypted=st.booleans(),
)
def connection_info_speaks_of_its_volume(bench: Bench, migrated: bool, encrypted: bool) -> None:
    """Where connection info says volume_id, encrypted or access_mode, it says the id of the record, whether
    there is a key, and rw: read-only attachments are Cinder's affair."""
    volume = bench.create()
    if migrated:
        volume = bench.another_name_for(volume)
    if encrypted:
        volume.encryption_key_id = volume.id
        volume.save()
    data = bench.connect(bench.fresh(volume), host_connector(HOST))["data"]
    wanted = {"volume_id": volume.id, "encrypted": encrypted, "access_mode": "rw"}
    told = {key: data[key] for key in wanted if data.get(key) is not None}
    same("what connection info says", told, {key: wanted[key] for key in told})


@law(
    source=f"{MANAGER}: use_multipath_for_image_xfer; Nova: volume_use_multipath; "
    "os_brick.initiator.connectors.iscsi:ISCSIConnector._get_ips_iqns_luns",
    needs=["data path"],
    written=contents(),
)
def a_host_with_multipath_is_connected(bench: Bench, written: Contents) -> None:
    """A host that takes several paths gets to the same volume as one that takes a single one; portals, targets
    and units that are told as lists are so together, one of each for a path."""
    volume = bench.create()
    bench.write(volume, written)
    connector = {**host_connector(HOST), "multipath": True}
    info = bench.connect(bench.fresh(volume), connector)
    missing = missing_from(str(info.get("driver_volume_type")), info["data"])
    holds(not missing, f"connection data are {shortened(info['data'])}, but should have {', '.join(missing)}")
    paths = {key: len(info["data"][key]) for key in PATHS if key in info["data"]}
    holds(
        not paths or (paths.keys() >= set(PATHS[:2]) and len(set(paths.values())) == 1),
        f"connection data are {shortened(info['data'])}, but should have as many target_portals as target_iqns",
    )
    assert bench.subject.path is not None
    opened = bench.subject.path(bench.world, info, connector)
    pages = pages_of(written, opened.device.size)
    read = {page: opened.device.read(page * 4096, 4096) for page in pages}
    same("what the host reads", read, dict(pages))
    opened.close()
    bench.driver.terminate_connection(bench.fresh(volume), connector, force=False)


@law(source=f"{MANAGER}: retried after a lost answer")
def connecting_twice_gives_the_same(bench: Bench) -> None:
    """Asked again for the same host, initialize_connection gives the same answer."""
    volume = bench.create()
    connector = host_connector(HOST)
    first = bench.connect(volume, connector)
    again = bench.driver.initialize_connection(bench.fresh(volume), connector)
    same("the second connection info", again, first)


@law(source=INITIALIZE)
def the_connector_is_not_changed(bench: Bench) -> None:
    """A driver leaves the connector as it was given: the manager stores it in the attachment."""
    volume, connector = bench.create(), host_connector(HOST)
    before = copy.deepcopy(connector)
    bench.connect(volume, connector)
    same("the connector after initialize_connection", connector, before)
    bench.driver.terminate_connection(bench.fresh(volume), connector, force=False)
    same("the connector after terminate_connection", connector, before)


@law(source=f"{TERMINATE}; {CHECKLIST}")
def terminating_without_connector_succeeds(bench: Bench) -> None:
    """terminate_connection with connector None ends the connections of all hosts (force detach)."""
    volume = bench.create()
    bench.connect(volume, host_connector(HOST))
    bench.driver.terminate_connection(bench.fresh(volume), None, force=True)


@law(source=f"{TERMINATE}: force")
def terminate_takes_force(bench: Bench) -> None:
    """terminate_connection takes the keyword force, with either value."""
    volume = bench.create()
    for force in (False, True):
        connector = host_connector(HOST)
        bench.connect(volume, connector)
        bench.driver.terminate_connection(bench.fresh(volume), connector, force=force)


@law(source=f"{TERMINATE}: retried after a lost answer")
def terminating_twice_succeeds(bench: Bench) -> None:
    """A connection that has ended can be ended again."""
    volume, connector = bench.create(), host_connector(HOST)
    bench.connect(volume, connector)
    for _ in range(2):
        bench.driver.terminate_connection(bench.fresh(volume), connector, force=False)


@law(source=TERMINATE, needs=["data path"], written=contents())
def terminating_for_a_stranger_harms_nobody(bench: Bench, written: Contents) -> None:
    """Ending the connection of a host that has none leaves that of another host alive."""
    volume = bench.create()
    attached = bench.attach(volume)
    bench.driver.terminate_connection(bench.fresh(volume), host_connector("stranger"), force=False)
    pages = pages_of(written, attached.size)
    attached.write(pages)
    same("what the connected host reads", attached.read(pages), dict(pages))


@law(source=MANAGER, needs=["data path"], written=contents(), rounds=st.integers(2, 4))
def data_outlive_connections(bench: Bench, written: Contents, rounds: int) -> None:
    """A volume that is connected and disconnected again and again, on several hosts, keeps its data."""
    volume = bench.create()
    bench.write(volume, written)
    for number in range(rounds):
        attached = bench.attach(volume, f"host{number}")
        wanted = pages_of(written, attached.size)
        same(f"what host{number} reads", attached.read(wanted), dict(wanted))
        bench.detach(attached)


@law(source=MANAGER, needs=["data path"], one=contents("one"), two=contents("two"))
def two_volumes_can_be_connected_on_one_host(bench: Bench, one: Contents, two: Contents) -> None:
    """A host that has two volumes writes to the one that it means, and keeps one when the other goes with its
    export."""
    before = len(bench.exports())
    attached = [bench.attach(bench.create()), bench.attach(bench.create())]
    attached[0].write(pages_of(one, attached[0].size))
    attached[1].write(pages_of(two, attached[1].size))
    exported = len(bench.exports()) - before
    bench.detach(attached[0])
    same("the number of targets that are left", len(bench.exports()) - before, exported // 2)
    wanted = pages_of(two, attached[1].size)
    same("what the host reads of the other volume", attached[1].read(wanted), dict(wanted))
    bench.must_hold(attached[0].volume, one, "the volume that was disconnected")


@law(source=f"{MANAGER}: validate_connector")
def a_connector_without_what_is_needed_is_refused(bench: Bench) -> None:
    """validate_connector raises InvalidConnectorException for a connector that says too little of its host;
    what it takes can be connected."""
    volume = bench.create()
    for connector in ({}, {"host": HOST, "ip": "192.0.2.77", "multipath": False}):
        try:
            bench.driver.validate_connector(connector)
        except InvalidConnectorException:
            continue
        if connector:
            bench.connect(bench.fresh(volume), connector)


@law(source=MANAGER)
def a_connector_of_os_brick_is_taken(bench: Bench) -> None:
    """validate_connector takes what os-brick says of a host; its answer is nothing, or True as Cinder's LVM."""
    answer = bench.driver.validate_connector(host_connector(HOST))
    holds(answer in (None, True), f"validate_connector returned {answer!r}, but should return None")


@law(source="cinder.volume.manager:VolumeManager.attachment_delete", needs=["data path"])
def a_disconnected_host_is_out(bench: Bench) -> None:
    """When the last connection has ended and the export is gone, no target is left."""
    before = bench.exports()
    volume = bench.create()
    bench.detach(bench.attach(volume))
    same("the targets after detaching", bench.exports(), before)


@law(source=INITIALIZE, needs=["data path"], written=contents())
def a_volume_that_is_connected_reads_the_same_elsewhere(bench: Bench, written: Contents) -> None:
    """What a host writes is in the volume at once: another connection of the same host reads it."""
    volume = bench.create()
    attached = bench.attach(volume)
    pages = pages_of(written, attached.size)
    attached.write(pages)
    info = bench.driver.initialize_connection(bench.fresh(volume), host_connector(HOST))
    assert bench.subject.path is not None
    second = bench.subject.path(bench.world, info, host_connector(HOST))
    for page, data in pages.items():
        same(
            f"page {page} by the second connection",
            second.device.read(page * 4096, 4096).hex()[:16],
            data.hex()[:16],
        )
    second.close()
    bench.detach(attached)


@law(source=INITIALIZE)
def connecting_an_absent_volume_is_an_error(bench: Bench) -> None:
    """Exporting and connecting a volume whose object is gone raises, or gives what cannot be opened."""
    volume = bench.create()
    bench.delete_object(volume)
    try:
        info = bench.connect(volume, host_connector(HOST))
        if bench.subject.path is not None:
            bench.subject.path(bench.world, info, host_connector(HOST))
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    holds(False, "a volume that is gone was connected, but initialize_connection should raise")


@law(source="cinder.volume.manager:VolumeManager.delete_volume", needs=["inventory"])
def a_volume_can_be_deleted_after_use(bench: Bench) -> None:
    """A volume that was connected and disconnected can be deleted, and leaves nothing."""
    before = bench.objects()
    volume = bench.create()
    bench.detach(bench.attach(volume))
    bench.delete(volume)
    same("the objects in the end", bench.objects(), before)
    bench.driver.remove_export(ADMIN, volume)
