"""Which way a retype or migration takes: the driver is asked, or nobody is, or the volume is copied.

These are laws on the whole, like those on records; clusters of volume services are among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import strategies as st

from conformance.bench import Lacking
from conformance.contents import Contents
from conformance.law import Chapter, holds, same
from conformance.laws.bookkeeping import counters_must_be_true, everything
from conformance.laws.records import quota_must_be_true
from conformance.laws.refusals import nothing_is_reserved
from conformance.laws.retype_moves import encrypted, kinds
from conformance.move import ADMIN, OWNER, Move
from harness.model import Encryption, QosSpecs, Volume

law = Chapter("ways", level="retype", stage=Move, needs=["data path"], weight=0.4)
MANAGER = "cinder.volume.manager:VolumeManager"
API = "cinder.volume.api:API"
TYPES = "cinder.volume.volume_types:volume_types_diff"
Half = tuple[dict[str, str], tuple[str, str] | None]
"""What is in a type besides its back-end: extra specs, and who limits reading to what."""
PLACES: Mapping[str, tuple[Half, Half]] = MappingProxyType({
    "the back-end alone": (({}, None), ({}, None)),
    "the zones": (({}, None), ({"RESKEY:availability_zones": "nova"}, None)),
})  # fmt: skip
DIFFERENCES: Mapping[str, tuple[Half, Half]] = MappingProxyType({
    "nothing": (({}, ("back-end", "1000")), ({}, ("back-end", "1000"))),
    "an extra spec": (({}, None), ({"vendor:tier": "gold"}, None)),
    "an extra spec less": (({"vendor:tier": "gold"}, None), ({}, None)),
    "limits": (({}, None), ({}, ("back-end", "1000"))),
    "the value of a limit": (({}, ("back-end", "1000")), ({}, ("back-end", "2000"))),
    "who limits": (({}, ("back-end", "1000")), ({}, ("front-end", "1000"))),
})  # fmt: skip
"""How two types may differ, the old one and the new one, besides being of different back-ends."""


def differing(move: Move, here: str, there: str, what: str) -> tuple[str, str]:
    """The names of two types of these back-ends, which differ in `what` besides."""
    names = (f"old for {what}", f"new for {what}")
    halves = {**PLACES, **DIFFERENCES}[what]
    for name, backend, (specs, limit) in zip(names, (here, there), halves, strict=True):
        qos = QosSpecs(name, name, limit[0], (("read_iops_sec", limit[1]),)) if limit else None
        place = {"volume_backend_name": move.plan(backend).volume_backend_name}
        move.cloud.create_type(name, extra_specs={**place, **specs}, qos_specs=qos)
    return names


def asked(move: Move, begun: int, method: str) -> int:
    """How often the driver under test was asked to do something since then."""
    return sum(step.startswith(f"subject.{method}(") for step in move.watch.steps[begun:])


@law(
    source=f"{TYPES}; {MANAGER}.retype: types that are equal; LP 1901188",
    policy=st.sampled_from(["never", "on-demand"]),
)
def only_what_differs_is_the_drivers_business(move: Move, policy: str) -> None:
    """The driver is asked to retype a volume whose types differ, be it in an extra spec or a limit; it
    hears nothing of types that are called differently and say the same."""
    move.open("subject")
    for what in DIFFERENCES:
        old, new = differing(move, "subject", "subject", what)
        volume, begun = move.create("subject", volume_type=old), len(move.watch.steps)
        move.retype(volume, new, policy)
        times = asked(move, begun, "retype")
        same(f"how often the driver is asked about types that differ in {what}", times, int(what != "nothing"))
        if what == "nothing":
            row = move.volume(volume)
            got = (row.volume_type_id, row.status, row.host)
            wanted = (move.cloud.database.get_volume_type(new).id, "available", move.plan("subject").address)
            same("(type, status, host)", got, wanted)
            same("whether no temporary volume was made", move.assisted(), True)
            nothing_is_reserved(move)
    quota_must_be_true(move)


@law(
    source=f"{MANAGER}._can_use_driver_migration; LP 1886543, LP 1906291",
    level="assisted",
    what=st.sampled_from([*PLACES, *DIFFERENCES]),
    weight=1,
)
def a_retype_of_more_than_the_place_is_a_copy(move: Move, what: str) -> None:
    """For a retype to another back-end the driver is asked to move the volume only if the types have
    nothing but back-end and zones; with limits or other extra specs, old or new, Cinder makes a volume of
    the new type."""
    move.open("subject", "twin")
    old, new = differing(move, "subject", "twin", what)
    volume, begun = move.create("subject", volume_type=old), len(move.watch.steps)
    move.retype(volume, new, "on-demand")
    move.must_have_moved(volume, "twin")
    same("the type", move.volume(volume).volume_type_id, move.cloud.database.get_volume_type(new).id)
    times = asked(move, begun, "migrate_volume")
    same(
        f"how often the driver is asked to move a volume whose types differ in {what}",
        times,
        int(what in PLACES),
    )
    quota_must_be_true(move)


@law(
    source=f"{MANAGER}.retype: diff.encryption; volume_types: ENCRYPTION_IGNORED_FIELDS; LP 1700741",
    level="encryption",
    alike=st.booleans(),
    provider=st.sampled_from(["luks", "luks2"]),
)
def encryption_is_no_drivers_business(move: Move, alike: bool, provider: str) -> None:
    """A driver is not asked to retype a volume to another encryption: that takes a copy. Types that are
    encrypted alike are exchanged without either, and the volume keeps its key."""
    move.open("subject")
    specs = {"volume_backend_name": move.plan("subject").volume_backend_name}
    ciphers = (Encryption(provider), Encryption(provider, key_size=256 if alike else 512))
    for name, encryption in zip(("old", "new"), ciphers, strict=True):
        move.cloud.create_type(name, extra_specs=specs, encryption=encryption)
    host = move.plan("subject").address
    volume = move.act(move.cloud.api.create_volume, OWNER, 1, volume_type="old", host=host).id
    if move.volume(volume).status != "available":
        raise Lacking(f"the driver does not create volumes of a type that is encrypted with {provider}")
    key, begun = move.volume(volume).encryption_key_id, len(move.watch.steps)
    move.retype(volume, "new", "never")
    row = move.volume(volume)
    same("how often the driver is asked to retype", asked(move, begun, "retype"), 0)
    kind = move.cloud.database.get_volume_type("new" if alike else "old").id
    same(
        "(type, status, key)", (row.volume_type_id, row.status, row.encryption_key_id), (kind, "available", key)
    )
    same("whether no temporary volume was made", move.assisted(), True)
    holds(key in move.cloud.key_manager.keys, "the key of the volume is gone")
    quota_must_be_true(move)


@law(
    source=f"{MANAGER}._migrate_volume_generic: encryption_key_id; {MANAGER}._copy_volume_data: ciphertext",
    level="encryption",
    needs=["simulated Cinder"],
    provider=st.sampled_from(["luks", "luks2"]),
    fails=st.booleans(),
)
def a_migrated_volume_keeps_its_key(move: Move, provider: str, fails: bool) -> None:
    """An encrypted volume is copied as it is: it keeps its key, whether the copy succeeds or not, no other
    is made, and nobody decrypts it on the way. When it is deleted no key is left."""
    volume = encrypted(move, "subject", "lvm", provider, provider, bound=False)
    key, keys = move.volume(volume).encryption_key_id, sorted(move.cloud.key_manager.keys)
    if fails:
        move.fail_at("os-brick.connect_volume", 2, "eio")
    begun = len(move.simulation.history)
    move.migrate(volume, "lvm", force_host_copy=True)
    move.heal()
    row = move.volume(volume)
    there, how = ("subject", "error") if fails else ("lvm", "success")
    got = (row.host, row.migration_status, row.encryption_key_id)
    same("(host, migration_status, key)", got, (move.plan(there).address, how, key))
    same("the keys", sorted(move.cloud.key_manager.keys), keys)
    steps = [event.step for event in move.simulation.history[begun:]]
    holds("os-brick.attach_encryptor" not in steps, "the volume was decrypted on the way")
    move.delete(volume)
    same("the keys in the end", sorted(move.cloud.key_manager.keys), [])


@law(source=f"{MANAGER}.retype: an exception of the driver", policy=st.sampled_from(["never", "on-demand"]))
def a_driver_that_fails_to_retype_is_copied_from(move: Move, policy: str) -> None:
    """When the driver raises, that is a no: the volume is copied, if it may be, onto the same back-end; or
    it is as it was."""
    written = Contents("owner", ("first", "last"))
    move.open("subject")
    kinds(move, "subject", "subject", **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    move.write(volume, written)
    before = everything(move.volume(volume))
    move.fail_at("driver.retype", 1, "eio")
    move.retype(volume, "new", policy)
    move.heal()
    same("whether no temporary volume was made", move.assisted(), policy == "never")
    if policy == "never":
        row = everything(move.volume(volume))
        same("the record", {**row, "previous_status": None}, {**before, "previous_status": None})
        move.must_hold(volume, written)
    else:
        move.must_have_moved(volume, "subject")
        kind = move.cloud.database.get_volume_type("new").id
        same("the type", move.volume(volume).volume_type_id, kind)
    nothing_is_reserved(move)
    quota_must_be_true(move)


@law(
    source=f"{API}.retype: retyping; {MANAGER}.migrate_volume: starting, migrating, completing",
    there=st.sampled_from(["twin", "lvm", "rbd", "nfs"]),
    attached=st.booleans(),
)
def a_volume_is_retyping_until_it_is_retyped(move: Move, there: str, attached: bool) -> None:
    """While a volume is copied for its new type it is retyping and migrating, and nobody can ask anything of
    it; then it stands as before."""
    move.open("subject", there)
    kinds(move, "subject", there, **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    if attached:
        move.attach(volume)
    status, old = move.volume(volume).status, move.volume(volume).volume_type_id
    seen: set[tuple[str, str | None]] = set()

    def look() -> None:
        row = move.volume(volume)
        if row.volume_type_id == old:
            seen.add((row.status, row.migration_status))

    move.observe(look)
    move.retype(volume, "new", "on-demand")
    move.must_have_moved(volume, there, status)
    seen -= {(status, None), ("retyping", "completing")}  # the type is exchanged while it is completing
    same("the statuses meanwhile", seen, {("retyping", "migrating")})


@law(source=f"{MANAGER}.retype: is_replicated", status=st.sampled_from(["enabled", "error", "failed-over"]))
def what_is_replicated_is_not_copied_for_a_retype(move: Move, status: str) -> None:
    """A replicated volume whose retype would need a copy keeps its type; no migration begins."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    volume = move.create("subject", volume_type="old")
    move.cloud.database.update(Volume, volume, {"replication_status": status})
    before = everything(move.volume(volume))
    move.retype(volume, "new", "on-demand")
    row = everything(move.volume(volume))
    same("the record", {**row, "previous_status": None}, {**before, "previous_status": None})
    nothing_is_reserved(move)
    quota_must_be_true(move)


@law(
    source="cinder.quota_utils:get_volume_type_reservation; LP 1505307",
    there=st.sampled_from(["twin", "lvm", "rbd", "nfs"]),
    in_place=st.booleans(),
    needs=["simulated Cinder"],
)
def whoever_asks_the_owner_is_charged(move: Move, there: str, in_place: bool) -> None:
    """When an operator retypes a volume it is its owner's quota that follows, and the operator's own is as
    before."""
    there = "subject" if in_place else there
    move.open("subject", there)
    kinds(move, "subject", there, **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    kind = move.cloud.database.get_volume_type("new").id
    move.act(move.cloud.api.retype, ADMIN, volume, kind, "on-demand")
    same("the type", move.volume(volume).volume_type_id, kind)
    charged = {name: each.in_use for name, each in move.cloud.quotas.usages(ADMIN.project_id).items()}
    same("what the operator is charged", {name: count for name, count in charged.items() if count}, {})
    quota_must_be_true(move)
    nothing_is_reserved(move)


# ----------------------------------------------------------------------------------------------- clusters


def open_clustered(move: Move, *names: str, clustered: str) -> str:
    """A cloud in which one of the back-ends is served by a cluster; returns what the pool is called there.
    Lacking if its driver is not made for that."""
    of_subject = clustered in ("subject", "twin")
    if of_subject and not getattr(move.subject.driver, "SUPPORTS_ACTIVE_ACTIVE", False):
        raise Lacking("the driver does not say SUPPORTS_ACTIVE_ACTIVE")
    move.open(*names, clustered=clustered)
    plan = move.plan(clustered)
    return f"cluster@{plan.section}#{plan.pool}"


@law(
    source=f"{MANAGER}.migrate_volume: cluster_name; {MANAGER}._migrate_volume_generic: cluster_name",
    needs=["simulated Cinder", "inventory"],
    level="migration-source",
    assisted=st.booleans(),
    attached=st.booleans(),
)
def a_volume_that_moves_to_a_cluster_belongs_to_it(move: Move, assisted: bool, attached: bool) -> None:
    """A volume that is moved to a cluster of services, by the driver or by a copy, is the cluster's, and
    any of its services can work on it; one that moves away is nobody's but its new service's."""
    there = "twin" if assisted else "rbd"
    pool = open_clustered(move, "subject", there, clustered=there)
    before = move.objects()
    volume = move.create("subject")
    server = move.attach(volume) if attached else None
    status = "in-use" if attached else "available"
    move.migrate(volume, there)
    move.must_have_moved(volume, there, status)
    same("cluster_name", move.volume(volume).cluster_name, pool)
    if server is not None:
        move.detach(server, volume)
    move.extend(volume, 2)
    move.migrate(volume, "subject")
    move.must_have_moved(volume, "subject")
    same("cluster_name", move.volume(volume).cluster_name, None)
    move.delete(volume)
    move.must_be_tidy(before)


@law(source=f"{MANAGER}.retype: cluster_name", needs=["simulated Cinder", "retype"])
def a_volume_that_is_retyped_in_a_cluster_stays_there(move: Move) -> None:
    """A retype in place leaves host and cluster of a volume as they are."""
    pool = open_clustered(move, "subject", clustered="subject")
    kinds(move, "subject", "subject", **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    move.retype(volume, "new", "never")
    row = move.volume(volume)
    kind = move.cloud.database.get_volume_type("new").id
    got = (row.host, row.cluster_name, row.volume_type_id, row.status)
    same("(host, cluster_name, type, status)", got, (move.plan("subject").address, pool, kind, "available"))


# --------------------------------------------------------------------------------------------- taking over


@law(
    source="cinder.volume.flows.api.manage_existing; VolumeManager.delete_volume: error_managing_deleting",
    level="manage",
    needs=["manage", "simulated Cinder"],
    size=st.integers(1, 3),
    point=st.sampled_from(["driver.manage_existing_get_size", "driver.manage_existing"]),
)
def what_could_not_be_taken_over_keeps_its_charge(move: Move, size: int, point: str) -> None:
    """A volume that is taken over is charged with the size that it turns out to have. One that could not be
    is charged as a volume of no size, also when its record has been deleted: Cinder does not give that back.
    """
    move.open("subject")
    api, plan = move.cloud.api, move.plan("subject")
    volume = move.create("subject", size)
    name = move.volume(volume).name
    move.act(api.unmanage_volume, ADMIN, volume)
    found = move.act(api.get_manageable_volumes, ADMIN, plan.address)
    reference = found[0]["reference"] if found else {"source-name": name}
    move.fail_at(point, 1, "eio")
    lost = move.act(api.manage_volume, ADMIN, plan.address, reference).id
    move.heal()
    same("the status of what could not be taken over", move.volume(lost).status, "error_managing")
    operator_is_charged(move, volumes=1, gigabytes=0)
    move.act(api.delete_volume, ADMIN, lost)
    same("the volumes on record", list(move.cloud.database.volumes), [])
    operator_is_charged(move, volumes=1, gigabytes=0)
    taken = move.volume(move.act(api.manage_volume, ADMIN, plan.address, reference).id)
    same("(status, size) of what was taken over", (taken.status, taken.size), ("available", size))
    operator_is_charged(move, volumes=2, gigabytes=size)


def operator_is_charged(move: Move, **amounts: int) -> None:
    """Broken unless the operator's quota says so, nothing is reserved, and pools count what is on record."""
    usages = move.cloud.quotas.usages(ADMIN.project_id)
    same("what the operator is charged", {name: usages[name].in_use for name in amounts}, amounts)
    same("the reservations that are left", move.cloud.quotas.open_reservations(), [])
    counters_must_be_true(move)
