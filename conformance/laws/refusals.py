"""What may not move, and who may not move it: the API refuses, or the scheduler does, and nothing has changed.

These are laws on the whole, like those on records.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from conformance.law import Chapter, holds, same
from conformance.laws.bookkeeping import everything
from conformance.laws.records import quota_must_be_true
from conformance.laws.retype_moves import kinds
from conformance.move import ADMIN, OWNER, Move
from harness import errors
from harness.model import Context, Service, Volume

law = Chapter("refusals", level="migration-source", stage=Move, needs=["data path"], weight=0.2)
API = "cinder.volume.api:API"
SCHEDULER = "cinder.scheduler.manager:SchedulerManager"
STRANGER = Context("stranger", "another-project", is_admin=False)
READER = OWNER._replace(roles=("reader",))
NOBODY = "00000000-0000-4000-8000-000000000000"
"""The id of nothing."""
IDLE: tuple[str | None, ...] = (None, "error", "success", "deleting")
"""The migration statuses of a volume that does not migrate."""
AT_WORK = MappingProxyType({
    **{
        status: {"status": status}
        for status in (
            "attaching", "awaiting-transfer", "backing-up", "creating", "deleting", "detaching", "downloading",
            "error", "extending", "maintenance", "reserved", "restoring-backup", "retyping", "uploading",
        )
    },
    **{status: {"migration_status": status} for status in ("starting", "migrating", "completing")},
    "target": {"migration_status": f"target:{NOBODY}"},
    "in a group": {"group_id": NOBODY},
    "in a consistency group": {"consistencygroup_id": NOBODY},
})  # fmt: skip
"""What keeps a volume where it is, and of the type that it has: fields of its record."""
REPLICATED = MappingProxyType({
    status: {"replication_status": status} for status in ("enabled", "error", "enabling", "failed-over")
})  # fmt: skip
"""What keeps it where it is."""


def must_be_refused(move: Move, what: str, volume: str, code: int, request: Callable[[], Any]) -> None:
    """Broken unless a request is refused with this code, and leaves the volume's record as it was."""
    before = everything(move.volume(volume))
    try:
        request()
    except errors.ServiceError as error:
        same(f"the code of the refusal to {what}", error.code, code)
    else:
        holds(False, f"a request to {what} was accepted, but should be refused")
    same(f"the record after the refusal to {what}", everything(move.volume(volume)), before)


def each_must_be_refused(
    move: Move, what: str, volume: str, obstacles: dict[str, dict[str, str]], request: Callable[[], Any]
) -> None:
    """Broken unless what is asked of a volume is refused with 400 in each of these states."""
    rested = move.volume(volume)
    for name, fields in obstacles.items():
        move.cloud.database.update(Volume, volume, fields)
        must_be_refused(move, f"{what} what is {name}", volume, 400, request)
        move.cloud.database.update(Volume, volume, {field: getattr(rested, field) for field in fields})


@law(source=f"{API}.migrate_volume: expected", lock=st.booleans(), force=st.booleans())
def what_is_at_work_does_not_migrate(move: Move, lock: bool, force: bool) -> None:
    """A volume that is at work, migrating, replicated, in a group, or there already is not migrated: the
    API says 400, and the volume can be migrated afterwards."""
    move.open("subject", "twin")
    volume = move.create("subject")
    options = {"lock_volume": lock, "force_host_copy": force}
    obstacles = {**AT_WORK, **REPLICATED}
    each_must_be_refused(move, "migrate", volume, obstacles, lambda: move.migrate(volume, "twin", **options))
    must_be_refused(
        move, "migrate to where it is", volume, 400, lambda: move.migrate(volume, "subject", **options)
    )
    move.migrate(volume, "twin", **options)
    move.must_have_moved(volume, "twin")


@law(
    source=f"{API}.migrate_volume: expected, AVAILABLE_MIGRATION_STATUS; LP 1727248",
    replication_status=st.sampled_from([None, "disabled", "not-capable"]),
    migration_status=st.sampled_from(IDLE),
    force=st.booleans(),
    weight=0.5,
)
def what_is_at_rest_migrates(
    move: Move, replication_status: str | None, migration_status: str | None, force: bool
) -> None:
    """A volume that is not replicated, or cannot be, migrates, however an earlier migration ended; and then
    its type can be changed."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin", **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    state = {"replication_status": replication_status, "migration_status": migration_status}
    move.cloud.database.update(Volume, volume, state)
    move.retype(volume, "new", "on-demand")
    move.must_have_moved(volume, "twin")
    unbound = move.create("subject")
    move.cloud.database.update(Volume, unbound, state)
    move.migrate(unbound, "twin", force_host_copy=force)
    move.must_have_moved(unbound, "twin")
    same("replication_status", move.volume(unbound).replication_status, replication_status)


@law(source=f"{API}.migrate_volume: the service of the destination", heard=st.sampled_from([70, 600]))
def a_migration_needs_somebody_at_its_destination(move: Move, heard: int) -> None:
    """There is no migration to a back-end that does not exist, is disabled, or has not been heard of:
    400."""
    move.open("subject", "twin")
    api, plan = move.cloud.api, move.plan("twin")
    volume = move.create("subject")
    for host in ("node9@elsewhere#pool", plan.host, f"{plan.service}-2#{plan.pool}"):
        request = partial(move.act, api.migrate_volume, ADMIN, volume, host)
        must_be_refused(move, f"migrate to {host}", volume, 400, request)
    move.cloud.database.update(Service, plan.service, {"disabled": True})
    must_be_refused(
        move, "migrate to what is disabled", volume, 400, lambda: move.migrate(volume, "twin", lock_volume=True)
    )
    move.cloud.database.update(Service, plan.service, {"disabled": False})
    move.cloud.stop(plan.name, seconds_ago=heard)
    must_be_refused(move, "migrate to what is down", volume, 400, lambda: move.migrate(volume, "twin"))
    move.cloud.start_again(plan.name)
    move.simulation.kernel.run()
    move.migrate(volume, "twin")
    move.must_have_moved(volume, "twin")


@law(
    source="cinder.api.contrib.admin_actions:AdminController._migrate_volume; "
    "cinder.policies.volume_actions: migrate_volume, retype"
)
def who_may_move_a_volume(move: Move) -> None:
    """Only an operator migrates a volume, to a host or to a cluster, and only its project retypes it;
    others get 403, or do not see it (404)."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    api, there = move.cloud.api, move.plan("twin").address
    kind = move.cloud.database.get_volume_type("new").id
    volume = move.create("subject", volume_type="old")
    requests: dict[str, tuple[int, Callable[[], Any]]] = {
        "migrate one's own volume": (403, lambda: move.act(api.migrate_volume, OWNER, volume, there)),
        "migrate another's volume": (404, lambda: move.act(api.migrate_volume, STRANGER, volume, there)),
        "retype as a reader": (403, lambda: move.act(api.retype, READER, volume, kind, "on-demand")),
        "retype another's volume": (404, lambda: move.act(api.retype, STRANGER, volume, kind, "on-demand")),
        "migrate nowhere": (400, lambda: move.act(api.migrate_volume, ADMIN, volume, None)),
        "migrate to a host and a cluster": (
            400, lambda: move.act(api.migrate_volume, ADMIN, volume, there, cluster="cluster@twin"),
        ),
        "migrate to no cluster": (
            400, lambda: move.act(api.migrate_volume, ADMIN, volume, None, cluster="cluster@twin"),
        ),
    }  # fmt: skip
    for what, (code, request) in requests.items():
        must_be_refused(move, what, volume, code, request)


@law(source=f"{SCHEDULER}.migrate_volume: NoValidBackend", lock=st.booleans(), attached=st.booleans())
def what_no_pool_takes_stays(move: Move, lock: bool, attached: bool) -> None:
    """A migration to a pool that the volume's type or size does not fit, or that is frozen, ends in error;
    the volume is as it was, nothing was made for it, and nobody was asked to move it."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    volume = move.create("subject", volume_type="old")
    if attached:
        move.attach(volume)
    before, objects, begun = move.volume(volume), move.objects(), len(move.watch.steps)
    move.migrate(volume, "twin", lock_volume=lock)
    row = move.volume(volume)
    got, wanted = ((each.host, each.status, each.attach_status) for each in (row, before))
    same("(host, status, attach_status)", got, wanted)
    same("migration_status", row.migration_status, "error")
    same("whether no temporary volume was made", move.assisted(), True)
    same("the objects", move.objects(), objects)
    asked = [step for step in move.watch.steps[begun:] if "migrate_volume(" in step]
    same("what drivers were asked to move", asked, [])
    unbound = move.create("subject")
    move.cloud.database.update(Service, move.plan("twin").service, {"frozen": True})
    move.migrate(unbound, "twin", lock_volume=lock)
    row = move.volume(unbound)
    left = (row.host, row.status, row.migration_status)
    same("(host, status, migration_status)", left, (before.host, "available", "error"))


@law(source=f"{API}.retype: expected", level="retype", policy=st.sampled_from(["never", "on-demand"]))
def what_is_at_work_is_not_retyped(move: Move, policy: str) -> None:
    """A volume that is at work, migrating or in a group, or has the type already, is not retyped: 400;
    nothing is reserved for it, and it can be retyped afterwards."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    volume = move.create("subject", volume_type="old")
    each_must_be_refused(move, "retype", volume, dict(AT_WORK), lambda: move.retype(volume, "new", policy))
    must_be_refused(
        move, "retype to the type that it has", volume, 400, lambda: move.retype(volume, "old", policy)
    )
    nothing_is_reserved(move)
    quota_must_be_true(move)
    move.retype(volume, "new", "on-demand")
    move.must_have_moved(volume, "twin")


def nothing_is_reserved(move: Move) -> None:
    """Broken if the owner is charged for what is not there yet."""
    usages = move.cloud.quotas.usages(OWNER.project_id)
    same("what is reserved", {name: each.reserved for name, each in usages.items() if each.reserved}, {})
    same("the reservations that are left", list(move.cloud.quotas.open_reservations()), [])


@law(source="cinder.volume.volume_types:provision_filter_on_size", level="retype", size=st.sampled_from([2, 5]))
def a_type_takes_volumes_of_its_sizes(move: Move, size: int) -> None:
    """A volume that is smaller or larger than its new type allows is not retyped: 400; one that is just as
    small, or as large, is."""
    move.open("subject")
    name = move.plan("subject").volume_backend_name
    limits = {
        "too small": (size + 1, 9),
        "too large": (1, size - 1),
        "smallest": (size, 9),
        "largest": (1, size),
    }
    for kind, (least, most) in limits.items():
        bounds = {"provisioning:min_vol_size": str(least), "provisioning:max_vol_size": str(most)}
        move.cloud.create_type(kind, extra_specs={"volume_backend_name": name, **bounds})
    volume = move.create("subject", size)
    for kind in limits:
        if kind.startswith("too"):
            request = partial(move.retype, volume, kind, "never")
            must_be_refused(move, f"retype what is {kind}", volume, 400, request)
        else:
            move.retype(volume, kind, "on-demand")
            row = move.volume(volume)
            wanted = (move.cloud.database.get_volume_type(kind).id, "available")
            same("(type, status)", (row.volume_type_id, row.status), wanted)


@law(
    source=f"{SCHEDULER}.retype: NoValidBackend; cinder.scheduler.filter_scheduler: find_retype_backend",
    level="retype",
    policy=st.sampled_from(["never", "on-demand"]),
)
def a_retype_that_no_pool_takes_is_undone(move: Move, policy: str) -> None:
    """A retype that no pool fits, or that would have to migrate and may not, leaves record, data and quota
    as they were: not even the migration_status tells of it."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    nowhere = {"volume_backend_name": "nowhere"}
    move.cloud.create_type("nowhere", extra_specs=nowhere)
    volume = move.create("subject", volume_type="old")
    before = move.volume(volume)
    move.retype(volume, "nowhere" if policy == "on-demand" else "new", policy)
    row = move.volume(volume)
    got, wanted = (
        (each.host, each.volume_type_id, each.status, each.migration_status) for each in (row, before)
    )
    same("(host, type, status, migration_status)", got, wanted)
    same("whether no temporary volume was made", move.assisted(), True)
    usages = move.cloud.quotas.usages(OWNER.project_id)
    same("what is reserved", {name: each.reserved for name, each in usages.items() if each.reserved}, {})
    quota_must_be_true(move)


@law(
    source=f"{SCHEDULER}._clean_expired_reservation; reservation_expire",
    level="retype",
    needs=["simulated Cinder"],
    hours=st.sampled_from([25, 49]),
)
def what_was_reserved_in_vain_expires(move: Move, hours: int) -> None:
    """What stays reserved when the scheduler refuses a retype, the place in the quota of the old type that
    was to be given back, is forgotten within two days, and not before one; the quota in use is the same."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    volume = move.create("subject", volume_type="old")
    move.retype(volume, "new", "never")
    reserved = [each.delta for each in move.cloud.quotas.open_reservations()]
    same("what stays reserved", reserved, [-1, -1])
    move.act(move.simulation.kernel.sleep, hours * 3_600 * 1_000_000)
    move.create("subject")
    left = [each.delta for each in move.cloud.quotas.open_reservations()]
    same(f"what stays reserved after {hours} hours", left, reserved if hours < 48 else [])
    quota_must_be_true(move)


@law(
    source=f"{API}.retype: quotas; LP 1308819",
    level="retype",
    resource=st.sampled_from(["volumes", "gigabytes"]),
)
def a_type_without_quota_is_refused(move: Move, resource: str) -> None:
    """A retype beyond the quota of its type is refused with 413: the volume is usable, and nothing is
    reserved."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    volume = move.create("subject", volume_type="old")
    move.cloud.quotas.set_limit(OWNER.project_id, f"{resource}_new", 0)
    must_be_refused(
        move, "retype beyond the quota", volume, 413, lambda: move.retype(volume, "new", "on-demand")
    )
    nothing_is_reserved(move)
    quota_must_be_true(move)


@law(
    source=f"{API}.retype: availability_zones; cinder.scheduler.filters.availability_zone_filter; LP 1883928",
    level="retype",
    named=st.booleans(),
)
def a_retype_stays_in_its_zone(move: Move, named: bool) -> None:
    """A retype leaves the zone only if its type names another one; a migration does, and the volume is then
    of that zone."""
    move.open("subject", "twin")
    zone = {"RESKEY:availability_zones": "far"} if named else {}
    kinds(move, "subject", "twin", **zone)
    there = move.plan("twin")
    move.cloud.database.update(Service, there.service, {"availability_zone": "far"})
    move.cloud.managers[there.service].publish_service_capabilities()
    volume = move.create("subject", volume_type="old")
    before = move.volume(volume)
    move.retype(volume, "new", "on-demand")
    if named:
        move.must_have_moved(volume, "twin")
    else:
        row = move.volume(volume)
        got, wanted = ((each.host, each.status, each.availability_zone) for each in (row, before))
        same("(host, status, availability_zone)", got, wanted)
        volume = move.create("subject")
        move.migrate(volume, "twin")
        move.must_have_moved(volume, "twin")
    same("availability_zone", move.volume(volume).availability_zone, "far")


@law(source=f"{API}.migrate_volume_completion; LP 1489744", level="in-use", error=st.booleans())
def a_completion_is_of_a_migration(move: Move, error: bool) -> None:
    """Only an operator completes a migration, and only one that is under way, to its own temporary volume:
    403 or 400 otherwise. Where nothing migrates the volume that was asked for goes on."""
    move.open("subject")
    api, database = move.cloud.api, move.cloud.database
    volume, other = move.create("subject"), move.create("subject")

    def complete(context: Context = ADMIN) -> Any:
        return move.act(api.migrate_volume_completion, context, volume, other, error=error)

    cases: dict[str, tuple[str | None, str | None]] = {
        "complete a migration that has not begun": (None, f"target:{volume}"),
        "complete a migration to what is no target": ("migrating", None),
        "complete a migration to another's target": ("migrating", f"target:{NOBODY}"),
    }
    for what, (ours, theirs) in cases.items():
        for each, status in ((volume, ours), (other, theirs)):
            database.update(Volume, each, {"migration_status": status})
        must_be_refused(move, what, volume, 400, complete)
    for each, status in ((volume, "migrating"), (other, f"target:{volume}")):
        database.update(Volume, each, {"migration_status": status})
    must_be_refused(move, "complete a migration as its owner", volume, 403, lambda: complete(OWNER))
    for each in (volume, other):
        database.update(Volume, each, {"migration_status": None})
    same("the volume that goes on", complete(), other)
