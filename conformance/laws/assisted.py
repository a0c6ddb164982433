"""migrate_volume: the driver moves a volume by the means of its back-end, or says that it cannot.

The bench asks the source's driver as the manager does, with the capabilities that the destination's driver
reports, and looks at both back-ends afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from conformance.attached import must_show_nothing_of
from conformance.bench import ADMIN, Bench, Lacking, TwoBenches
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.foreign.guard import shortened
from conformance.law import Broken, Chapter, holds, same
from conformance.laws.used_storage import contents_of, litter
from conformance.properties import properties
from harness.control_plane.deployment import BackendPlan
from harness.model import QosSpecs, Volume, VolumeType

law = Chapter("assisted", level="assisted", stage=TwoBenches, needs=["assisted migration"])
MIGRATE = "cinder.volume.manager:VolumeManager.migrate_volume"
INTERFACE = "cinder.interface.volume_driver:VolumeDriverCore.migrate_volume"
MANAGERS_OWN = {"id", "host", "cluster_name", "status", "previous_status", "migration_status", "size"}
"""What `VolumeManager.migrate_volume` writes, and the answer of the driver over it."""
FOREIGN_LOCATIONS = (
    None,
    "",
    "x",
    ":",
    "LVMVolumeDriver:a:b",
    "ceph:/etc/ceph/ceph.conf:00000000-0000-0000-0000-000000000000:cinder:volumes",
    "SomeArray:192.0.2.7:pool",
)
UNREACHABLE_LOCATIONS = (
    "::::",
    "LVMVolumeDriver:elsewhere:vg:default:0",
    "LVMVolumeDriver:h:v:thin:x",
    "a:b:c:d:e",
    "a:0:c:thin:0",
)
"""Of the form that some driver's own have, on storage that there is not."""
SYSTEM = {"lvm": (1, 2), "rbd": (2,)}
"""Which parts of a reference driver's location say where it is: the node and the group, the cluster's fsid."""


def host_of(there: Bench) -> dict[str, Any]:
    """What the manager passes as `host`: address, cluster, and what the destination last reported."""
    stats = there.driver.get_volume_stats(refresh=True)
    pools = stats.get("pools") or [{}]
    capabilities = {**{key: value for key, value in stats.items() if key != "pools"}, **pools[0]}
    return {"host": there.plan.address, "cluster_name": None, "capabilities": capabilities}


def move(bench: Bench, volume: Volume, host: Mapping[str, Any]) -> bool:
    """Ask the driver, and store what it says. Broken unless the answer is (bool, dict or None)."""
    before = copy.deepcopy(dict(host))
    answer = bench.driver.migrate_volume(ADMIN, bench.fresh(volume), host)
    same("the destination after migrate_volume, which the manager goes on with,", dict(host), before)
    well_formed = (
        isinstance(answer, tuple | list)
        and len(answer) == 2
        and isinstance(answer[0], bool)
        and (answer[1] is None or isinstance(answer[1], dict))
    )
    holds(
        well_formed,
        f"migrate_volume returned {shortened(answer)}, but should return (True or False, dict or None)",
    )
    moved, update = answer
    if moved:
        unknown = sorted(key for key in update or {} if key not in Volume.DEFAULTS)
        holds(not unknown, f"migrate_volume returned the fields {unknown}, which no volume has")
        foreign = sorted(set(update or {}) & MANAGERS_OWN)
        holds(not foreign, f"migrate_volume returned {foreign}, which overrides what the manager sets itself")
        row = bench.fresh(volume)
        row.update({**(update or {}), "host": host["host"]})
        row.save()
    return bool(moved)


def tried(bench: Bench, volume: Volume, host: Mapping[str, Any]) -> bool:
    """The same, for laws that let the driver raise: the volume then has to be where it was."""
    try:
        return move(bench, volume, host)
    except Broken:
        raise
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return False


def other(bench: Bench) -> Bench:
    return bench.beside(bench.subject.twin)


@law(source=INTERFACE, needs=["data path"], size=sizes(3), written=contents())
def a_moved_volume_is_whole(bench: Bench, size: int, written: Contents) -> None:
    """If the driver says that it has moved a volume, all of it is at the destination, to the last page."""
    there = other(bench)
    volume = bench.create(size)
    bench.write(volume, written)
    home = there if move(bench, volume, host_of(there)) else bench
    home.must_have_size(volume, size, "the volume")
    home.must_hold(volume, written, "the volume")


@law(
    source=f"{INTERFACE}; LP 1816468",
    needs=["twin on one system"],
    status=st.sampled_from(["available", "retyping"]),
    size=st.sampled_from([1, 2, 100]),
)
def volumes_move_within_the_storage_system(bench: Bench, status: str, size: int) -> None:
    """A driver that moves volumes by itself does so between two back-ends of one storage system."""
    there = other(bench)
    volume = bench.create(size)
    bench.database.update(Volume, volume.id, {"status": status})
    same("whether the volume was moved by the driver", move(bench, volume, host_of(there)), True)


@law(source=INTERFACE, needs=["inventory"])
def a_moved_volume_is_gone_from_its_source(bench: Bench) -> None:
    """If the driver says that it has moved a volume, the source has it no more; if it refuses, nothing has
    changed."""
    there = other(bench)
    here_before, there_before = bench.objects(), there.objects()
    volume = bench.create()
    moved = move(bench, volume, host_of(there))
    same("the number of objects at the source", len(bench.objects()), len(here_before) + (not moved))
    same("the number of objects at the destination", len(there.objects()), len(there_before) + moved)


@law(source=INTERFACE, needs=["inventory", "data path"], written=contents(), after=contents("after"))
def a_moved_volume_can_be_lived_with(bench: Bench, written: Contents, after: Contents) -> None:
    """A moved volume can be extended, written, moved back and deleted, and leaves nothing anywhere."""
    there = other(bench)
    here_before, there_before = bench.objects(), there.objects()
    volume = bench.create()
    bench.write(volume, written)
    home, away = (there, bench) if move(bench, volume, host_of(there)) else (bench, there)
    home.extend(volume, 2)
    home.write(volume, after)
    if move(home, volume, host_of(away)):
        home = away
    home.must_have_size(volume, 2, "the volume")
    home.must_hold(volume, after, "the volume")
    home.delete(volume)
    same("the objects at the source in the end", bench.objects(), here_before)
    same("the objects at the destination in the end", there.objects(), there_before)


@law(
    source=f"{MIGRATE}: status is available, maintenance when locked, retyping for a retype; LP 2104334",
    status=st.sampled_from(["maintenance", "retyping"]),
)
def a_locked_volume_is_moved_like_an_available_one(bench: Bench, status: str) -> None:
    """What the driver moves while it is available, it moves while it is locked (maintenance) or retyping."""
    there = other(bench)
    host = host_of(there)
    if move(bench, bench.create(), host):
        volume = bench.create()
        bench.database.update(Volume, volume.id, {"status": status, "previous_status": "available"})
        moved = move(bench, volume, host)
        same(f"whether a volume in {status} was moved by the driver", moved, True)


@law(
    source=f"{MIGRATE}: an exception is final, (False, None) leads to a generic migration; LP 1848689",
    needs=["data path"],
    location=st.sampled_from(FOREIGN_LOCATIONS),
    written=contents(),
    protocol=st.sampled_from(["iSCSI", "ceph", "nfs", "FC", "unknown"]),
    address=st.sampled_from(["node9@other#pool", "node9@other"]),
)
def a_foreign_destination_is_refused(
    bench: Bench, location: str | None, protocol: str, address: str, written: Contents
) -> None:
    """A destination that is not the driver's own, or does not say where it is, gets (False, None)."""
    volume = bench.create()
    bench.write(volume, written)
    capabilities = {"location_info": location, "storage_protocol": protocol, "vendor_name": "Other"}
    host = {"host": address, "cluster_name": None, "capabilities": capabilities}
    same("whether the volume was moved", move(bench, volume, host), False)
    bench.must_hold(volume, written, "the volume that was not moved")


@law(
    source=f"{MIGRATE}: an exception is final, (False, None) leads to a generic migration",
    location=st.sampled_from(UNREACHABLE_LOCATIONS),
    protocol=st.sampled_from(["iSCSI", "ceph", "nfs", "FC"]),
)
def a_destination_out_of_reach_is_refused(bench: Bench, location: str, protocol: str) -> None:
    """A destination on storage that the driver cannot reach gets (False, None)."""
    capabilities = {"location_info": location, "storage_protocol": protocol, "vendor_name": "Other"}
    host = {"host": "node9@other#pool", "cluster_name": None, "capabilities": capabilities}
    same("whether the volume was moved", move(bench, bench.create(), host), False)


@law(source=f"{MIGRATE}: location_info", needs=["inventory"], of_its_own=st.booleans(), which=st.integers(0, 1))
def a_destination_on_another_system_is_refused(bench: Bench, of_its_own: bool, which: int) -> None:
    """A volume group on another node, or a pool of another cluster, is not taken for one of its name here; a
    group that there is not is refused, too."""
    if bench.plan.kind not in SYSTEM:
        raise Lacking("nobody says what of the driver's location names the storage system")
    there = bench if of_its_own else other(bench)
    host = host_of(there)
    parts = host["capabilities"]["location_info"].split(":")
    system = SYSTEM[bench.plan.kind]
    parts[system[which % len(system)]] = "elsewhere"
    host["capabilities"]["location_info"] = ":".join(parts)
    volume = bench.create()
    before = bench.objects()
    same("whether the volume was moved", move(bench, volume, {**host, "host": "node9@other#pool"}), False)
    same("the objects at the source", bench.objects(), before)


@law(source=f"{MIGRATE}: an exception is final", missing=st.booleans())
def a_destination_without_location_is_refused(bench: Bench, missing: bool) -> None:
    """A destination that reports no location_info at all is refused with (False, None)."""
    protocol = bench.driver.get_volume_stats(refresh=True).get("storage_protocol")
    capabilities = {"storage_protocol": protocol, **({} if missing else {"location_info": None})}
    host = {"host": "node9@other#pool", "cluster_name": None, "capabilities": capabilities}
    same("whether the volume was moved", move(bench, bench.create(), host), False)


@law(
    source=f"{MIGRATE}: attached volumes; LP 2019190",
    needs=["data path"],
    written=contents(),
    after=contents("guest"),
    status=st.sampled_from(["in-use", "retyping", "maintenance"]),
)
def an_attached_volume_keeps_its_guest(bench: Bench, written: Contents, after: Contents, status: str) -> None:
    """A volume with attachments, whatever its status, is not taken from its guest, and loses nothing.

    The manager of 25.3.1 and later does not offer such volumes; earlier ones do.
    """
    there = other(bench)
    volume = bench.create()
    attached = bench.attach(volume)
    attached.write(pages_of(written, attached.size))
    bench.database.update(Volume, volume.id, {"status": status, "previous_status": "in-use"})
    home = there if tried(bench, volume, host_of(there)) else bench
    pages = pages_of(after, attached.size)
    attached.write(pages)
    same("what the guest reads", attached.read(pages), dict(pages))
    attached.close()
    bench.attached.clear()
    home.must_hold(volume, after, "what the guest wrote, read through the record,")


@law(
    source=f"{MIGRATE}; LP 1404013",
    needs=["data path", "neighbour"],
    size=sizes(2),
    written=contents(),
    status=st.sampled_from(["available", "retyping", "maintenance"]),
)
def moving_within_the_storage_keeps_the_volume(bench: Bench, size: int, written: Contents, status: str) -> None:
    """A destination on the same storage loses nothing: the volume stays, or is refused, whole in any case."""
    neighbour = bench.subject.neighbour
    assert neighbour is not None
    there = bench.beside(neighbour)
    volume = bench.create(size)
    bench.write(volume, written)
    bench.database.update(Volume, volume.id, {"status": status})
    moved = tried(bench, volume, host_of(there))
    home = there if moved else bench
    home.must_have_size(volume, size, "the volume")
    home.must_hold(volume, written, "the volume")


@law(source=f"{MIGRATE}: an exception is final; LP 1404013", needs=["neighbour"])
def moving_within_the_storage_does_not_raise(bench: Bench) -> None:
    """A destination on the same storage is taken or refused; an exception would fail a migration that can
    succeed."""
    neighbour = bench.subject.neighbour
    assert neighbour is not None
    move(bench, bench.create(), host_of(bench.beside(neighbour)))


@law(source=INTERFACE, needs=["data path", "inventory"], written=contents(), kept=contents("kept"))
def a_taken_name_at_the_destination_is_not_touched(bench: Bench, written: Contents, kept: Contents) -> None:
    """An object at the destination that has the volume's name is whole afterwards, and so is the volume."""
    there = other(bench)
    volume = bench.create()
    bench.write(volume, written)
    stranger = there.create(_name_id=volume.id)
    there.write(stranger, kept)
    moved = tried(bench, volume, host_of(there))
    there.must_hold(stranger, kept, "the object that had the name")
    holds(not moved, "the volume was moved onto the object that had its name")
    bench.must_hold(volume, written, "the volume")


@law(source="cinder.objects.volume:Volume.name_id", needs=["data path"], written=contents())
def a_volume_moves_under_its_name_id(bench: Bench, written: Contents) -> None:
    """A volume that has a _name_id from an earlier migration is moved whole, and found afterwards."""
    there = other(bench)
    volume = bench.another_name_for(bench.create())
    bench.database.update(Volume, volume.id, {"status": "available"})
    bench.write(volume, written)
    home = there if move(bench, volume, host_of(there)) else bench
    home.must_hold(volume, written, "the volume")


@law(
    source=f"{MIGRATE}: volume_type; LP 1906291, LP 1897598",
    needs=["data path"],
    limit=st.sampled_from(["read_iops_sec", "write_iops_sec", "total_bytes_sec"]),
    value=st.integers(1, 5000),
    multiattach=st.booleans(),
)
def a_moved_volume_is_what_its_type_says(bench: Bench, limit: str, value: int, multiattach: bool) -> None:
    """Limits, features and provisioning of a moved volume are those of a volume of its type made at the
    destination."""
    qos = QosSpecs("q1", "limits", "back-end", ((limit, str(value)),))
    specs = {"multiattach": "<is> True"} if multiattach else {}
    bench.database.create(
        VolumeType, {"id": "type-1", "name": "limited", "extra_specs": specs, "qos_specs": qos}
    )
    there = other(bench)
    volume = bench.create(volume_type_id="type-1")
    if not move(bench, volume, host_of(there)):
        return
    fresh = there.create(volume_type_id="type-1", host=there.plan.address)
    wanted = look(bench, there.plan, fresh)
    if wanted is not None:
        same("what the moved volume is like", look(bench, there.plan, volume), wanted)


@law(source=f"{MIGRATE}; LP 1897598", needs=["data path"], written=contents())
def a_moved_volume_is_provisioned_as_its_destination(bench: Bench, written: Contents) -> None:
    """A volume that moves between a thick and a thin back-end is provisioned like those of its destination."""
    if bench.plan.kind != "lvm":
        raise Lacking("nobody says how to configure thick and thin back-ends")
    there = other(bench)
    there.use(lvm_type="default" if bench.plan.thin else "thin")
    volume = bench.create()
    bench.write(volume, written)
    if move(bench, volume, host_of(there)):
        there.must_hold(volume, written, "the moved volume")
        wanted = look(bench, there.plan, there.create(host=there.plan.address))
        same("what the moved volume is like", look(bench, there.plan, volume), wanted)


def look(bench: Bench, plan: BackendPlan, volume: Volume) -> dict[str, Any] | None:
    return properties(bench.world, plan, bench.fresh(volume).name)


@law(source=INTERFACE, needs=["data path"], written=contents(), kept=contents("kept"))
def a_move_leaves_other_volumes_alone(bench: Bench, written: Contents, kept: Contents) -> None:
    """Volumes at the source and at the destination keep their data when another one moves."""
    there = other(bench)
    here, far, volume = bench.create(), there.create(), bench.create()
    bench.write(here, kept)
    there.write(far, kept)
    bench.write(volume, written)
    move(bench, volume, host_of(there))
    bench.must_hold(here, kept, "another volume at the source")
    there.must_hold(far, kept, "a volume at the destination")


@law(source=INTERFACE, needs=["data path"], secret=contents("former owner"))
def a_moved_volume_shows_nothing_of_others(bench: Bench, secret: Contents) -> None:
    """What was never written shows no byte of a deleted volume at the destination."""
    there = other(bench)
    former = there.create()
    there.write(former, secret)
    there.delete(former)
    volume = bench.create()
    home = there if move(bench, volume, host_of(there)) else bench
    attached = home.attach(volume)
    must_show_nothing_of(attached, pages_of(secret, attached.size), "the moved volume")
    home.detach(attached)


@law(
    source=f"{MIGRATE}; CRU-THIN-TO-THICK-SPARSE",
    needs=["data path"],
    written=contents(),
    size=sizes(2),
)
def a_volume_moves_onto_used_storage(bench: Bench, written: Contents, size: int) -> None:
    """A moved volume reads as it did before, also where nothing was written, on storage that others have left
    uncleared."""
    there = other(bench)
    there.use(volume_clear="none")
    litter(there, size)
    volume = bench.create(size)
    bench.write(volume, written)
    before = contents_of(bench, volume)
    home = there if move(bench, volume, host_of(there)) else bench
    same("whether the moved volume reads as before", contents_of(home, volume) == before, True)
