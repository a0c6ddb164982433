"""One volume on several hosts at once."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.bench import ADMIN, Bench, Lacking
from conformance.contents import Contents, contents, pages_of
from conformance.law import Chapter, same
from harness.control_plane.manager_base import host_connector
from harness.errors import CrucibleError
from harness.model import ConnectionInfo

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


@law(source=f"{TERMINATE}: access", first=st.booleans())
def a_host_that_is_gone_is_out(bench: Bench, first: bool) -> None:
    """Where hosts are admitted one by one, one that was disconnected cannot connect any more by what it knows,
    while another one goes on."""
    volume = bench.create(1, multiattach=True)
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


@law(source=f"{TERMINATE}: two servers on one host", written=contents())
def two_attachments_on_one_host_share_a_connection(bench: Bench, written: Contents) -> None:
    """With two attachments on one host, the host keeps its access when the first one goes."""
    volume = bench.create(1, multiattach=True)
    one, two = bench.attach(volume), bench.attach(volume)
    bench.detach(one)
    pages = pages_of(written, two.size)
    two.write(pages)
    same("what the host reads", two.read(pages), dict(pages))


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
