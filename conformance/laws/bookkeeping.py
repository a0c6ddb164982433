"""What Cinder writes down besides the move itself: counters, lineage, work in progress, and who is told.

These are laws on the whole, like those on records: a driver breaks them by what it answers, Cinder by what it
makes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from conformance.law import Chapter, holds, same
from conformance.laws.records import quota_must_be_true
from conformance.laws.retype_moves import kinds
from conformance.move import ADMIN, OWNER, Move
from harness import errors
from harness.model import Volume
from harness.record import service_host

law = Chapter("bookkeeping", level="core", stage=Move, needs=["data path", "simulated Cinder"], weight=0.3)
MANAGER = "cinder.volume.manager:VolumeManager"
API = "cinder.volume.api:API"
others = st.sampled_from(["twin", "lvm", "rbd", "nfs"])
A_LOT_GB = 10**9
"""More than any storage has."""


# -------------------------------------------------------------------------------------------- what has moved

PLACE = frozenset(
    {"host", "cluster_name", "availability_zone", "service_uuid", "_name_id", "provider_location",
     "provider_id", "provider_auth", "provider_geometry", "migration_status", "previous_status", "launched_at"}
)  # fmt: skip
"""The fields that say where a volume is and how it came there. A copy is launched anew."""
UNUSUAL = MappingProxyType({
    "multiattach": True, "bootable": True, "replication_status": "disabled", "metadata": {"a": "b"},
    "user_id": "tenant", "project_id": "tenant-project",
})  # fmt: skip
"""What is not as in every other record."""


def all_but_the_place(volume: Volume) -> dict[str, Any]:
    """What a migration does not change. A driver may note the format of its file."""
    fields = {name: getattr(volume, name) for name in Volume.DEFAULTS if name not in PLACE}
    fields["admin_metadata"] = {key: value for key, value in volume.admin_metadata.items() if key != "format"}
    return fields


@law(
    source="cinder.objects.volume:Volume.finish_volume_migration; VolumeManager._migrate_volume_generic",
    level="migration-source",
    needs=["clones"],
    weight=0.6,
    there=others,
    force=st.booleans(),
    attached=st.booleans(),
)
def only_the_place_of_a_volume_changes(move: Move, there: str, force: bool, attached: bool) -> None:
    """Of the record of a volume a migration changes where it is, and nothing else; zone and service are those
    of its new host."""
    move.open("subject", there)
    api, database = move.cloud.api, move.cloud.database
    origin = move.create("subject")
    volume = move.act(api.create_volume, OWNER, 1, source_volid=origin).id
    move.act(api.update_readonly_flag, OWNER, volume, True)
    if attached:
        move.attach(volume)
    database.update(Volume, volume, UNUSUAL)
    before = all_but_the_place(move.volume(volume))
    move.migrate(volume, there, force_host_copy=force)
    move.must_have_moved(volume, there, before["status"])
    after = move.volume(volume)
    same("what is on record besides the place", all_but_the_place(after), before)
    service = database.service(service_host(move.plan(there).address))
    got, wanted = (after.availability_zone, after.service_uuid), (service.availability_zone, service.uuid)
    same("(availability_zone, service_uuid)", got, wanted)


@law(
    source=f"{MANAGER}._migrate_volume_generic: before_volume_copy, after_volume_copy",
    level="migration-source",
    there=others,
)
def the_source_hears_of_the_copy(move: Move, there: str) -> None:
    """The driver that a volume is copied away from is told before it is connected, and after the copy."""
    move.open("subject", there)
    volume = move.create("subject")
    begun = len(move.watch.steps)
    move.migrate(volume, there, force_host_copy=True)
    move.must_have_moved(volume, there)
    hooks = ("before_volume_copy", "initialize_connection", "after_volume_copy")
    asked = [step for step in move.watch.steps[begun:] if step.startswith("subject.")]
    told = [each for step in asked for each in hooks if step.startswith(f"subject.{each}(")]
    same("what the source was asked, in order", told, list(hooks))
    copies = [step for step in asked if "_volume_copy(" in step]
    holds(all("remote='dest'" in step for step in copies), "the remote side of the copy is not 'dest'")
    holds(all("(context, v1 of" in step for step in copies), "the source of the copy is not the volume")


@law(
    source="cinder.db.api: no_migration_targets",
    level="migration-source",
    there=others,
    attached=st.booleans(),
)
def an_owner_sees_a_volume_once(move: Move, there: str, attached: bool) -> None:
    """While a volume is copied its owner's list has it once; an operator's has the temporary one, too."""
    move.open("subject", there)
    volume = move.create("subject")
    if attached:
        move.attach(volume)
    seen: set[int] = set()

    def look() -> None:
        listed = [each.id for each in move.cloud.api.list_volumes(OWNER)]
        if move.volume(volume).migration_status == "migrating":
            same("the volumes that the owner sees", listed, [volume])
            seen.add(len(move.cloud.api.list_volumes(ADMIN, all_tenants=True)))

    move.observe(look)
    move.migrate(volume, there, force_host_copy=True)
    move.must_have_moved(volume, there, "in-use" if attached else "available")
    holds(2 in seen, "an operator did not see the temporary volume")


@law(
    source=f"{API}: AVAILABLE_MIGRATION_STATUS",
    level="migration-source",
    there=others,
    lock=st.booleans(),
)
def a_volume_that_migrates_is_left_alone(move: Move, there: str, lock: bool) -> None:
    """While a volume is copied it is neither deleted nor snapshotted, retyped or migrated once more; if it is
    locked, it is not attached, extended, offered or renamed either. Each is refused with 400."""
    move.open("subject", there)
    kinds(move, "subject", there)
    api, address = move.cloud.api, move.plan("subject").address
    volume = move.create("subject")
    kind = move.cloud.database.get_volume_type("new").id
    requests: dict[str, Callable[[], object]] = {
        "delete": lambda: api.delete_volume(OWNER, volume),
        "force-delete": lambda: api.delete_volume(ADMIN, volume, force=True),
        "snapshot": lambda: api.create_snapshot(OWNER, volume),
        "retype": lambda: api.retype(OWNER, volume, kind, "on-demand"),
        "migrate": lambda: api.migrate_volume(ADMIN, volume, address),
    }
    if lock:
        requests |= {
            "extend": lambda: api.extend_volume(OWNER, volume, 2),
            "reserve": lambda: api.reserve(OWNER, volume),
            "transfer": lambda: move.cloud.transfers.create(OWNER, volume),
            "rename": lambda: api.rename_volume(OWNER, volume, "another name"),
        }
    refused: set[str] = set()

    def look() -> None:
        before = move.volume(volume)
        if before.migration_status != "migrating":
            return
        for name in requests:
            try:
                requests[name]()
            except errors.ServiceError as error:
                same(f"the code of the refusal to {name}", error.code, 400)
                refused.add(name)
            else:
                holds(False, f"a request to {name} the volume was accepted, but should be refused")
        got, wanted = (everything(each) for each in (move.volume(volume), before))
        same("the record after what was refused", got, wanted)

    move.observe(look)
    move.migrate(volume, there, force_host_copy=True, lock_volume=lock)
    move.must_have_moved(volume, there)
    same("what was asked while it was copied", refused, set(requests))
    quota_must_be_true(move)


def everything(volume: Volume) -> dict[str, Any]:
    """All that is on record of a volume."""
    return {name: getattr(volume, name) for name in Volume.DEFAULTS}


# ----------------------------------------------------------------------------------------------- counters


def counters_must_be_true(move: Move) -> None:
    """Broken unless each pool's allocated_capacity_gb is what the records there add up to."""
    counted = Counter[str]()
    for row in move.cloud.database.volumes.values():
        counted[row["host"]] += row["size"]
    told = {
        f"{address}#{pool}": allocated
        for address, manager in move.cloud.managers.items()
        for pool, allocated in manager.allocated_capacity_gb.items()
        if allocated
    }
    same("allocated_capacity_gb of the pools", told, dict(+counted))


@law(
    source=f"{MANAGER}._update_allocated_capacity, init_host",
    needs=["clones"],
    size=st.integers(1, 3),
    moves=st.booleans(),
)
def a_pool_counts_its_volumes(move: Move, size: int, moves: bool) -> None:
    """What the scheduler is told to be allocated follows each volume that is made, grown or deleted, also one
    that fails; a service that starts anew counts afresh, whatever has moved."""
    move.open("subject", "lvm")
    api = move.cloud.api
    volume = move.create("subject", size)
    counters_must_be_true(move)
    move.extend(volume, size + 1)
    counters_must_be_true(move)
    clone = move.act(api.create_volume, OWNER, size + 1, source_volid=volume).id
    counters_must_be_true(move)
    move.fail_at("driver.create_volume", 1, "eio")
    failed = move.act(api.create_volume, OWNER, size, host=move.plan("subject").address).id
    counters_must_be_true(move)
    move.fail_at("driver.extend_volume", 1, "eio")
    move.act(api.extend_volume, OWNER, clone, size + 5)
    move.heal()
    counters_must_be_true(move)
    for each in (failed, clone):
        move.delete(each)
        counters_must_be_true(move)
    if moves:
        move.migrate(volume, "lvm", force_host_copy=True)
        for name in ("subject", "lvm"):
            restarted(move, name)
    counters_must_be_true(move)


def restarted(move: Move, backend: str) -> None:
    """The process of a volume service ends, if it has not, and another one takes its place."""
    name = move.plan(backend).name
    if move.cloud.services.is_running(move.plan(backend).service):
        move.cloud.stop(name)
    move.cloud.start_again(name)
    move.simulation.kernel.run()
    move.simulation.kernel.failures.clear()


BEGUN = {"create": "error", "delete": "gone", "snapshot": "error", "upload": "uploading"}
"""What a service is at when it dies, and how the record stands when it is back."""


@law(source=f"{MANAGER}._do_cleanup; cinder.manager:CleanableManager", needs=["snapshots", "inventory"])
def what_a_dead_service_had_begun_is_taken_up(move: Move) -> None:
    """A service that dies at its work takes it up when it is back: a creation is in error, a deletion goes on;
    an upload stays as it is. Then all can be deleted, and nothing stays."""
    move.open("subject")
    objects, database = move.objects(), move.cloud.database
    for request in BEGUN:
        cut_short(move, request)
        for row in database.volumes.values():
            row["status"] = "available"  # as an operator may say of what is not
        for each in list(database.snapshots):
            move.act(move.cloud.api.delete_snapshot, OWNER, each)
        for each in list(database.volumes):
            move.delete(each)
        move.must_be_tidy(objects)
        quota_must_be_true(move)
        counters_must_be_true(move)


@law(source=f"{MANAGER}.init_host: do_cleanup; CleanableManager.do_cleanup: service_id")
def a_service_takes_up_its_own_work_only(move: Move) -> None:
    """What a service had begun when it died is left alone by others that start, and taken up when it is
    back."""
    move.open("subject", "twin")
    plan = move.plan("twin")
    move.fail_at("driver.create_volume", 1, "crash", f"c-vol@{plan.name}")
    begun = move.act(move.cloud.api.create_volume, OWNER, 1, host=plan.address).id
    move.heal()
    for backend, wanted in (("subject", "creating"), ("twin", "error")):
        restarted(move, backend)
        same(f"the status when {backend} has started", move.volume(begun).status, wanted)


def cut_short(move: Move, request: str) -> None:
    """Broken unless the record stands as it should when the service that died at a request is back."""
    api, database, host = move.cloud.api, move.cloud.database, move.plan("subject").address
    volume = move.create("subject")
    requests: dict[str, Callable[[], Any]] = {
        "create": lambda: move.act(api.create_volume, OWNER, 1, host=host),
        "delete": lambda: move.act(api.delete_volume, OWNER, volume),
        "snapshot": lambda: move.act(api.create_snapshot, OWNER, volume),
        "upload": lambda: move.act(api.upload_image, OWNER, volume, "image"),
    }
    move.fail_at("driver.*", 1, "crash", f"c-vol@{move.plan('subject').name}")
    made = requests[request]()
    holds(not move.simulation.faults, f"no driver was asked to {request}")
    restarted(move, "subject")
    rows = {**database.volumes, **database.snapshots}
    row = rows.get(made.id if request in ("create", "snapshot") else volume, {"status": "gone"})
    same(f"the status after a {request} that was cut short", row["status"], BEGUN[request])
    same("the work that is still noted as under way", list(database.workers), [])


# ------------------------------------------------------------------------------------------ what is refused


@law(source="cinder.scheduler.manager:SchedulerManager.extend_volume")
def an_extension_without_room_is_undone(move: Move) -> None:
    """An extension that no pool has room for leaves the record and the quota as they were; the user is told."""
    move.open("subject")
    api, quotas = move.cloud.api, move.cloud.quotas
    for resource in ("gigabytes", "per_volume_gigabytes"):
        quotas.set_limit(OWNER.project_id, resource, -1)
    volume = move.create("subject")
    before = everything(move.volume(volume))
    move.act(api.extend_volume, OWNER, volume, A_LOT_GB)
    same("the record after the extension", everything(move.volume(volume)), before)
    same(
        "what the user is told of",
        [each.resource_uuid for each in move.cloud.user_messages.all(OWNER)],
        [volume],
    )
    same("the reservations that are left", quotas.open_reservations(), [])
    quota_must_be_true(move)


@law(source="cinder.quota:QuotaEngine.reserve; cinder.quota_utils", needs=["snapshots"])
def what_exceeds_the_quota_is_refused_whole(move: Move) -> None:
    """A request beyond the owner's quota is refused with 413, and changes neither records nor quota."""
    move.open("subject")
    api, quotas, database = move.cloud.api, move.cloud.quotas, move.cloud.database
    host, project = move.plan("subject").address, OWNER.project_id
    volume = move.create("subject")
    requests: dict[str, Callable[[], Any]] = {
        "volumes": lambda: move.act(api.create_volume, OWNER, 1, host=host),
        "gigabytes": lambda: move.act(api.extend_volume, OWNER, volume, 2),
        "per_volume_gigabytes": lambda: move.act(api.extend_volume, OWNER, volume, 2),
        "snapshots": lambda: move.act(api.create_snapshot, OWNER, volume),
    }
    before = all_but_the_place(move.volume(volume))
    for resource, request in requests.items():
        quotas.set_limit(project, resource, quotas.usage(project, resource).in_use)
        try:
            request()
        except errors.ServiceError as error:
            same("the code of the refusal", error.code, 413)
        else:
            holds(False, f"a request beyond the quota of {resource} was accepted, but should be refused")
        quotas.set_limit(project, resource, -1)
        same("the record of the volume", all_but_the_place(move.volume(volume)), before)
        same("what is on record", [*database.volumes, *database.snapshots], [volume])
        same("the reservations that are left", quotas.open_reservations(), [])
        quota_must_be_true(move)


@law(source="cinder.quota:DbQuotaDriver.reserve: negative deltas", needs=["snapshots"], size=st.integers(1, 3))
def who_is_beyond_the_quota_may_delete(move: Move, size: int) -> None:
    """When the limits have sunk below what somebody has, that can be deleted, and is charged no more."""
    move.open("subject")
    api, quotas = move.cloud.api, move.cloud.quotas
    volumes = [move.create("subject", size) for _ in range(3)]
    snapshot = move.act(api.create_snapshot, OWNER, volumes[0]).id
    for resource in ("volumes", "gigabytes", "snapshots"):
        quotas.set_limit(OWNER.project_id, resource, 0)
    move.act(api.delete_snapshot, OWNER, snapshot)
    quota_must_be_true(move)
    for volume in volumes:
        move.delete(volume)
        quota_must_be_true(move)
    same("the reservations that are left", quotas.open_reservations(), [])


@law(
    source=f"{MANAGER}.retype: rollback",
    level="retype",
    there=others,
    point=st.sampled_from(["driver.create_volume", "os-brick.connect_volume"]),
)
def a_failed_retype_is_undone(move: Move, there: str, point: str) -> None:
    """A retype whose migration fails leaves type, host, status and quota as they were."""
    move.open("subject", there)
    kinds(move, "subject", there, **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    before = all_but_the_place(move.volume(volume))
    move.fail_at(point, 1, "eio")
    move.retype(volume, "new", "on-demand")
    move.heal()
    row = move.volume(volume)
    same("what is on record", all_but_the_place(row), before)
    got = (row.host, row.migration_status)
    same("(host, migration_status)", got, (move.plan("subject").address, "error"))
    same("the reservations that are left", move.cloud.quotas.open_reservations(), [])
    quota_must_be_true(move)
