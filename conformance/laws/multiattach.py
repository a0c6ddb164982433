"""One volume on several hosts at once."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.bench import ADMIN, Bench, Lacking
from conformance.contents import Contents, contents, pages_of
from conformance.law import Broken, Chapter, holds, same
from harness.control_plane.manager_base import host_connector
from harness.errors import CrucibleError
from harness.model import ConnectionInfo, Volume

law = Chapter("multiattach", level="multiattach", stage=Bench, needs=["multiattach", "data path"])
MULTIATTACH = "Cinder's contributor documentation, Reporting driver capabilities: multiattach"
TERMINATE = "cinder.volume.manager:VolumeManager._connection_terminate"


@law(source=MULTIATTACH, written=contents(), hosts=st.integers(2, 3))
def every_host_sees_what_another_writes(bench: Bench, written: Contents, hosts: int) -> None:
    """A volume that is connected on several hosts is one volume."""
    volume = bench.create(1, multiattach=True)
    attached = [bench.attach(volume, f"host{number}") for number in range(hosts)]
    pages = pages_of(written, attached[0].size)
    attached[0].write(pages)
    for each in attached[1:]:
        same(f"what {each.host} reads", each.read(pages), dict(pages))


@law(source=TERMINATE, written=contents(), hosts=st.integers(2, 3), first=st.integers(0, 2))
def one_host_goes_and_the_others_stay(bench: Bench, written: Contents, hosts: int, first: int) -> None:
    """Disconnecting one host leaves the others connected: terminate_connection says that the export is
    shared."""
    volume = bench.create(1, multiattach=True)
    attached = [bench.attach(volume, f"host{number}") for number in range(hosts)]
    bench.detach(attached.pop(first % hosts))
    pages = pages_of(written, attached[0].size)
    for each in attached:
        each.write(pages)
        same(f"what {each.host} reads", each.read(pages), dict(pages))


@law(source=TERMINATE, hosts=st.integers(2, 3))
def the_last_host_takes_the_export_along(bench: Bench, hosts: int) -> None:
    """When the last host is disconnected, no target is left."""
    before = bench.exports()
    volume = bench.create(1, multiattach=True)
    for each in [bench.attach(volume, f"host{number}") for number in range(hosts)]:
        bench.detach(each)
    same("the targets in the end", bench.exports(), before)


@law(source=f"{TERMINATE}: access", first=st.booleans(), migrated=st.booleans())
def a_host_that_is_gone_is_out(bench: Bench, first: bool, migrated: bool) -> None:
    """Where hosts are admitted one by one, one that was disconnected cannot connect any more by what it knows,
    while another one goes on; also where the volume has a _name_id."""
    volume = bench.create(1, multiattach=True)
    if migrated:
        volume = bench.another_name_for(volume)
        bench.database.update(Volume, volume.id, {"multiattach": True})
    attached = [bench.attach(volume, "host1"), bench.attach(volume, "host2")]
    if opens(bench, attached[0].info, "stranger"):
        raise Lacking("the driver lets in every host that knows the connection info")
    going = attached[0 if first else 1]
    bench.detach(going)
    same(f"whether {going.host} can still connect", opens(bench, going.info, going.host), False)
    staying = attached[1 if first else 0]
    same(f"whether {staying.host} can connect", opens(bench, staying.info, staying.host), True)


def opens(bench: Bench, info: ConnectionInfo, host: str) -> bool:
    """Whether a host gets to a device by this connection info."""
    assert bench.subject.path is not None
    try:
        opened = bench.subject.path(bench.world, info, host_connector(host))
    except CrucibleError:
        return False
    opened.close()
    return True


@law(source=f"{TERMINATE}: two servers on one host; LP 1786327, LP 1825957", written=contents())
def two_attachments_on_one_host_share_a_connection(bench: Bench, written: Contents) -> None:
    """With two attachments on one host, which differ in no more than the servers' mount points, the host keeps
    its access when the first one goes, also where it connects anew."""
    before = bench.exports()
    volume = bench.create(1, multiattach=True)
    one, two = (bench.attach(volume, mountpoint=place) for place in ("/dev/vdb", "/dev/vdc"))
    bench.detach(one)
    two = bench.reconnect(two)
    pages = pages_of(written, two.size)
    two.write(pages)
    same("what the host reads", two.read(pages), dict(pages))
    bench.detach(two)
    same("the targets in the end", bench.exports(), before)


@law(source=MULTIATTACH, written=contents())
def a_second_export_is_no_obstacle(bench: Bench, written: Contents) -> None:
    """Exports for a second host keep the first connected, through a restart of the service, too."""
    volume = bench.create(1, multiattach=True)
    attached = [bench.attach(volume, "host1"), bench.attach(volume, "host2")]
    bench.restart()
    pages = pages_of(written, attached[0].size)
    attached[0].write(pages)
    same("what host2 reads", attached[1].read(pages), dict(pages))


@law(source=f"{MULTIATTACH}; force detach")
def terminating_for_all_ends_every_connection(bench: Bench) -> None:
    """terminate_connection with connector None is for all hosts of a volume."""
    volume = bench.create(1, multiattach=True)
    for number in range(2):
        bench.connect(bench.fresh(volume), host_connector(f"host{number}"))
    bench.driver.terminate_connection(bench.fresh(volume), None, force=True)
    bench.driver.remove_export(ADMIN, bench.fresh(volume))
    bench.delete(volume)


reporting = Chapter("multiattach", level="multiattach", stage=Bench, needs=["data path"])


@reporting(source=f"{MULTIATTACH}: whether the backend can attach a volume to more than one instance")
def what_works_is_reported(bench: Bench) -> None:
    """A driver that serves two hosts with one volume, each with what the other writes, and one when the other
    is gone, reports multiattach: it would not be asked to otherwise."""
    stats = bench.driver.get_volume_stats(refresh=True)
    if any(pool.get("multiattach", stats.get("multiattach")) for pool in stats.get("pools") or [stats]):
        return
    volume = bench.create(1, multiattach=True)
    try:
        works = serves_two_hosts(bench, volume)
    except Broken:
        works = False
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        works = False
    holds(not works, "two hosts use one volume at a time, but the driver does not report multiattach True")


def serves_two_hosts(bench: Bench, volume: Volume) -> bool:
    """Whether each host reads what the other one writes, and one stays when the other goes.

    Lacking for files: QEMU locks an image, so that a second server cannot open it, whatever the driver does.
    """
    one, two = bench.attach(volume, "host1"), bench.attach(volume, "host2")
    if "export" in one.info["data"]:
        raise Lacking("hypervisors keep a file of a share to one server, and not the driver")
    for writer, reader in ((one, two), (two, one)):
        pages = pages_of(Contents(writer.host, ("first", "last")), writer.size)
        writer.write(pages)
        if reader.read(pages) != dict(pages):
            return False
    bench.detach(one)
    two = bench.reconnect(two)
    return two.read(pages) == dict(pages)
