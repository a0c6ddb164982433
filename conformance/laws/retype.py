"""retype: changing the type of a volume in place, as far as the driver is asked."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from conformance.bench import ADMIN, Bench, Lacking, TwoBenches
from conformance.contents import Contents, contents, pages_of
from conformance.foreign.guard import shortened
from conformance.law import Broken, Chapter, holds, same
from conformance.laws.assisted import MANAGERS_OWN, host_of
from conformance.properties import properties
from harness.control_plane.volume_types import volume_types_diff
from harness.model import QosSpecs, Volume, VolumeType

law = Chapter("retype", level="retype", stage=Bench)
RETYPE = "cinder.volume.manager:VolumeManager.retype"
INTERFACE = "cinder.interface.volume_driver:VolumeDriverCore.retype"
specs = st.dictionaries(
    st.sampled_from(["vendor:tier", "vendor:x", "tier", "capabilities:colour"]),
    st.sampled_from("abc"),
    max_size=3,
)
some_limit = st.builds(
    lambda consumer, value: QosSpecs("q", "limits", consumer, (("read_iops_sec", str(value)),)),
    st.sampled_from(["back-end", "front-end", "both"]),
    st.integers(1, 999),
)
qualities = st.none() | some_limit
limits = st.none() | st.builds(
    lambda consumer, key, value: QosSpecs("q", "limits", consumer, ((key, str(value)),)),
    st.sampled_from(["back-end", "both"]),
    st.sampled_from(["read_iops_sec", "total_bytes_sec"]),
    st.integers(1, 999),
)


def kind(bench: Bench, name: str, extra_specs: dict[str, str], qos: QosSpecs | None = None) -> VolumeType:
    fields = {"id": f"type-{name}", "name": name, "extra_specs": extra_specs, "qos_specs": qos}
    bench.database.create(VolumeType, fields)
    return bench.database.get_volume_type(f"type-{name}")


def change(bench: Bench, volume: Volume, new: VolumeType, host: dict[str, Any]) -> bool:
    """Ask the driver, and store what it says. Broken unless the answer is a bool, or (bool, dict or None)."""
    record = bench.fresh(volume)
    diff, _ = volume_types_diff(record.volume_type, new)
    before = copy.deepcopy((diff, host))
    answer = bench.driver.retype(ADMIN, record, new, diff, host)
    same("(diff, host) after retype, which the manager goes on with,", (diff, host), before)
    done, update = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    holds(
        isinstance(done, bool) and (update is None or isinstance(update, dict)),
        f"retype returned {shortened(answer)}, but should return a bool, or (bool, dict or None)",
    )
    if done:
        unknown = sorted(key for key in update or {} if key not in Volume.DEFAULTS)
        holds(not unknown, f"retype returned the fields {unknown}, which no volume has")
        foreign = sorted(set(update or {}) & (MANAGERS_OWN | {"volume_type_id"}))
        holds(not foreign, f"retype returned {foreign}, which overrides what the manager sets itself")
        record.update({"volume_type_id": new.id, **(update or {})})
        record.save()
    return bool(done)


@law(
    source=f"{INTERFACE}; LP 1515840",
    needs=["retype"],
    old=specs,
    new=specs,
    qos=st.none() | st.tuples(st.integers(1, 999), st.integers(1, 999)),
    attached=st.booleans(),
)
def specs_that_mean_nothing_are_changed_in_place(
    bench: Bench, old: dict[str, str], new: dict[str, str], qos: tuple[int, int] | None, attached: bool
) -> None:
    """Extra specs that the driver knows nothing of, and limits that the hypervisor sets, are no reason to
    refuse, in use or not: the volume would be copied for nothing."""
    one, two = (
        QosSpecs(f"q{value}", "limits", "front-end", (("read_iops_sec", str(value)),)) if value else None
        for value in qos or (0, 0)
    )
    volume = bench.create(volume_type_id=kind(bench, "old", old, one).id)
    if attached:
        bench.attach(volume)
    done = change(bench, volume, kind(bench, "new", new, two), host_of(bench))
    same("whether the type was changed in place", done, True)


@law(
    source=INTERFACE,
    needs=["data path"],
    old=specs,
    new=specs,
    one=qualities,
    two=qualities,
    written=contents(),
    attached=st.booleans(),
)
def a_retype_keeps_the_data(
    bench: Bench, old: dict[str, str], new: dict[str, str], one: QosSpecs | None, two: QosSpecs | None,
    written: Contents, attached: bool,
) -> None:  # fmt: skip
    """Whatever differs between the types, and whatever the driver answers, the data stay, also for a guest."""
    volume = bench.create(volume_type_id=kind(bench, "old", old, one).id)
    bench.write(volume, written)
    guest = bench.attach(volume) if attached else None
    try:
        change(bench, volume, kind(bench, "new", new, two), host_of(bench))
    except Broken:
        raise
    except Exception as error:
        if not bench.is_foreign(error):
            raise
    if guest is not None:
        pages = pages_of(written, guest.size)
        same("what the guest reads", guest.read(pages), dict(pages))
        bench.detach(guest)
    bench.must_hold(volume, written, "the volume of another type")


@law(source=f"{INTERFACE}; LP 1368595", needs=["retype"], one=limits, two=limits)
def a_retyped_volume_has_the_limits_of_its_type(
    bench: Bench, one: QosSpecs | None, two: QosSpecs | None
) -> None:
    """A volume that was retyped in place has the limits of its new type, and none that only the old one had."""
    must_be_as_created(bench, one, two)


@law(source=INTERFACE, needs=["retype"], one=qualities, two=qualities)
def a_retyped_volume_is_what_its_type_says(bench: Bench, one: QosSpecs | None, two: QosSpecs | None) -> None:
    """A volume that was retyped is like one created with the new type, whoever it is that limits it."""
    must_be_as_created(bench, one, two)


@law(
    source=f"{RETYPE}; cinder.objects.volume:Volume.name_id",
    needs=["retype"],
    one=limits,
    two=limits,
)
def a_migrated_volume_is_retyped(bench: Bench, one: QosSpecs | None, two: QosSpecs | None) -> None:
    """retype changes the object that the name says, also where that is not the volume's id."""
    must_be_as_created(bench, one, two, migrated=True)


@law(source="cinder.volume.qos_specs: consumer back-end", needs=["clones", "snapshots"], qos=limits)
def a_copy_has_the_limits_of_its_type(bench: Bench, qos: QosSpecs | None) -> None:
    """Clones and volumes from snapshots are limited like volumes that are created with their type."""
    created = bench.create(volume_type_id=kind(bench, "limited", {}, qos).id)
    wanted = properties(bench.world, bench.plan, created.name)
    if wanted is None:
        raise Lacking("nobody tells what the limits of a volume are")
    typed: dict[str, Any] = {"volume_type_id": created.volume_type_id}
    clone = bench.fill_in_clone(bench.record(1, source_volid=created.id, **typed), created)
    snapshot = bench.snapshot(created)
    made = bench.fill_in_from(bench.record(1, snapshot_id=snapshot.id, **typed), snapshot)
    for copied, what in ((clone, "a clone"), (made, "a volume from a snapshot")):
        same(f"what {what} is like", properties(bench.world, bench.plan, copied.name), wanted)


@law(
    source="cinder.volume.qos_specs; cinder.volume.drivers.rbd:QOS_KEY_MAP",
    operation=st.sampled_from(["read", "write", "total"]),
    unit=st.sampled_from(["iops", "bytes"]),
    value=st.integers(1, 5000),
)
def a_limit_is_the_one_that_was_meant(bench: Bench, operation: str, unit: str, value: int) -> None:
    """A limit on reads, writes or both, in operations or bytes, is set as such, with its value, and alone."""
    qos = QosSpecs("q", "limits", "back-end", ((f"{operation}_{unit}_sec", str(value)),))
    volume = bench.create(volume_type_id=kind(bench, "limited", {}, qos).id)
    told = properties(bench.world, bench.plan, volume.name)
    if told is None or "limits" not in told:
        raise Lacking("nobody tells what the limits of a volume are")
    same("the values of the limits", list(told["limits"].values()), [str(value)])
    (name,) = told["limits"]
    words = {"read": "read" in name, "write": "write" in name, "iops": "iops" in name, "bps": "bps" in name}
    wanted = {
        "read": operation == "read",
        "write": operation == "write",
        "iops": unit == "iops",
        "bps": unit == "bytes",
    }
    same(f"what {name} limits", words, wanted)


@law(source="cinder.volume.qos_specs: consumer back-end", needs=["retype"], qos=some_limit)
def a_volume_has_the_limits_of_its_type(bench: Bench, qos: QosSpecs) -> None:
    """A volume whose type has limits is limited, where volumes can be: not like one without them, or one that
    the hypervisor limits (front-end)."""
    told = [
        properties(bench.world, bench.plan, bench.create(volume_type_id=each.id).name)
        for each in (kind(bench, "limited", {}, qos), kind(bench, "free", {}))
    ]
    if told[0] is None or "limits" not in told[0]:
        raise Lacking("nobody tells what the limits of a volume are")
    limited = qos.consumer != "front-end"
    same("whether the volume is limited", told[0] != told[1], limited)


def must_be_as_created(
    bench: Bench, one: QosSpecs | None, two: QosSpecs | None, *, migrated: bool = False
) -> None:
    """Broken unless a volume retyped in place is like one that was created with the new type."""
    volume = bench.create(volume_type_id=kind(bench, "old", {}, one).id)
    if migrated:
        other = bench.another_name_for(volume)
        bench.database.update(Volume, other.id, {"volume_type_id": volume.volume_type_id})
        volume = bench.fresh(other)
    new = kind(bench, "new", {}, two)
    before = properties(bench.world, bench.plan, volume.name)
    if change(bench, volume, new, host_of(bench)):
        fresh = bench.create(volume_type_id=new.id)
        wanted = properties(bench.world, bench.plan, fresh.name)
        if wanted is not None:
            same("what the retyped volume is like", properties(bench.world, bench.plan, volume.name), wanted)
    else:
        after = properties(bench.world, bench.plan, volume.name)
        same("what the volume is like whose retype was refused", after, before)


@law(source=f"{RETYPE}: the host changes; LP 1452823, LP 1652802", needs=["inventory"], stage=TwoBenches)
def a_retype_to_another_back_end_is_refused(bench: Bench) -> None:
    """Asked for a host that is another back-end, the driver answers False, or has moved the volume there."""
    there = bench.beside(bench.subject.twin)
    before = len(there.objects())
    volume = bench.create(volume_type_id=kind(bench, "old", {"volume_backend_name": "subject"}).id)
    done = change(bench, volume, kind(bench, "new", {"volume_backend_name": "twin"}), host_of(there))
    same("the number of objects at the other back-end", len(there.objects()) - before, int(done))


@law(source=INTERFACE, needs=["retype", "snapshots", "data path"], new=specs, written=contents())
def a_volume_with_a_snapshot_can_be_retyped(bench: Bench, new: dict[str, str], written: Contents) -> None:
    """Snapshots of a volume that is retyped keep their data, and are no reason to refuse: a volume that has any
    cannot be copied."""
    volume = bench.create(volume_type_id=kind(bench, "old", {}).id)
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    done = change(bench, volume, kind(bench, "new", new), host_of(bench))
    same("whether the type was changed in place", done, True)
    bench.must_hold(bench.from_snapshot(snapshot), written, "the volume from the snapshot")


@law(source=INTERFACE, needs=["inventory"], new=specs)
def a_retype_makes_no_objects(bench: Bench, new: dict[str, str]) -> None:
    """A retype in place, done or refused, neither adds nor removes an object."""
    volume = bench.create(volume_type_id=kind(bench, "old", {}).id)
    before = bench.objects()
    change(bench, volume, kind(bench, "new", new), host_of(bench))
    same("the objects after the retype", bench.objects(), before)


@law(
    source=INTERFACE,
    needs=["multiattach", "retype", "data path"],
    level="multiattach",
    written=contents(),
    back=st.booleans(),
)
def multiattach_can_be_switched(bench: Bench, written: Contents, back: bool) -> None:
    """A retype to multiattach, and back, keeps the data; in between the volume is like one that was created so,
    and serves two hosts."""
    plain, shared = kind(bench, "plain", {}), kind(bench, "shared", {"multiattach": "<is> True"})
    volume = bench.create(volume_type_id=plain.id)
    bench.write(volume, written)
    if not change(bench, volume, shared, host_of(bench)):
        raise Lacking("the driver does not change multiattach in place")
    record = bench.fresh(volume)
    record.multiattach = True
    record.save()
    created = bench.create(volume_type_id=shared.id, multiattach=True)
    wanted = properties(bench.world, bench.plan, created.name)
    same("what the retyped volume is like", properties(bench.world, bench.plan, volume.name), wanted)
    one, two = bench.attach(volume, "host1"), bench.attach(volume, "host2")
    pages = pages_of(written, one.size)
    same("what host2 reads", two.read(pages), dict(pages))
    bench.detach(one)
    bench.detach(two)
    if back:
        change(bench, volume, plain, host_of(bench))
        bench.must_hold(volume, written, "the volume that is not multiattach any more")
        created = bench.create(volume_type_id=plain.id)
        wanted = properties(bench.world, bench.plan, created.name)
        found = properties(bench.world, bench.plan, volume.name)
        same("what the volume is like that is not multiattach any more", found, wanted)
