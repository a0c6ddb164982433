"""Trouble with drivers, and what Cinder makes of it: busy, slow, not set up, or unable to tell others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from conformance.altered import Altered, Change, raising
from conformance.bench import Lacking
from conformance.contents import Contents, contents
from conformance.law import Chapter, holds, same
from conformance.laws.bookkeeping import counters_must_be_true, restarted
from conformance.laws.records import quota_must_be_true
from conformance.laws.retype_moves import kinds
from conformance.move import ADMIN, OWNER, Move
from harness import errors
from harness.model import QosSpecs, Volume

law = Chapter("trouble", level="core", stage=Move, needs=["data path", "simulated Cinder"], weight=0.3)
MANAGER = "cinder.volume.manager:VolumeManager"
SECOND_US = 1_000_000


def alter(move: Move, backend: str, method: str, change: Change) -> None:
    """From now on the driver of a back-end does one thing in another way."""
    manager = move.cloud.managers[move.plan(backend).service]
    manager.driver = Altered(manager.driver, method, change)


@law(source=f"{MANAGER}.delete_volume: VolumeIsBusy; delete_snapshot: SnapshotIsBusy", needs=["snapshots"])
def what_is_busy_is_available_again(move: Move) -> None:
    """What cannot be deleted because it is busy is available again, still there, and still charged."""
    move.open("subject")
    api, database = move.cloud.api, move.cloud.database
    volume, owner = move.create("subject"), move.create("subject")
    snapshot = move.act(api.create_snapshot, OWNER, owner).id
    alter(move, "subject", "delete_volume", raising(errors.VolumeIsBusy(volume_name=volume)))
    alter(move, "subject", "delete_snapshot", raising(errors.SnapshotIsBusy(snapshot_name=snapshot)))
    move.act(api.delete_volume, OWNER, volume)
    move.act(api.delete_snapshot, OWNER, snapshot)
    same("the status of the busy volume", move.volume(volume).status, "available")
    rows = database.snapshots
    same("the status of the busy snapshot", rows.get(snapshot, {"status": "gone"})["status"], "available")
    quota_must_be_true(move)
    counters_must_be_true(move)


@law(source="cinder.volume.volume_utils:require_driver_initialized", needs=["snapshots"])
def a_service_without_its_driver_does_nothing(move: Move) -> None:
    """A service whose driver is not set up asks it nothing: what is asked for is in error, and is told so; a
    migration or retype ends."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    api, host = move.cloud.api, move.plan("subject").address
    volumes = [move.create("subject", volume_type="old") for _ in range(4)]
    deleted, extended, retyped, kept = volumes
    moved = move.create("subject")
    snapshot = move.act(api.create_snapshot, OWNER, kept).id
    manager = move.cloud.managers[move.plan("subject").service]
    manager.initialized = False
    begun = len(move.watch.steps)
    requests: dict[str, tuple[str, Callable[[], Any]]] = {
        "create": ("error", lambda: move.act(api.create_volume, OWNER, 1, host=host).id),
        "delete": ("error_deleting", lambda: move.act(api.delete_volume, OWNER, deleted)),
        "extend": ("error_extending", lambda: move.act(api.extend_volume, OWNER, extended, 2)),
        "delete snapshot": ("error_deleting", lambda: move.act(api.delete_snapshot, OWNER, snapshot)),
        "migrate": ("available", lambda: move.migrate(moved, "twin")),
        "retype": ("available", lambda: move.retype(retyped, "new", "on-demand")),
    }
    about = {
        "delete": deleted, "extend": extended, "delete snapshot": snapshot, "migrate": moved, "retype": retyped,
    }  # fmt: skip
    for name, (wanted, request) in requests.items():
        made = request() or about[name]
        row = {**move.cloud.database.volumes, **move.cloud.database.snapshots}.get(made, {"status": "gone"})
        same(f"the status after a request to {name}", row["status"], wanted)
    statuses = (move.volume(moved).migration_status, move.volume(retyped).migration_status)
    same("migration_status of what was to migrate, and to be retyped", statuses, ("error", None))
    asked = [step for step in move.watch.steps[begun:] if step.startswith("subject.")]
    same("what the driver was asked", asked, [])


@law(source=f"{MANAGER}.init_host: ensure_export", fails=st.booleans())
def a_start_exports_what_is_in_use(move: Move, fails: bool) -> None:
    """A service that starts lets its driver export again what servers use, and nothing else; what cannot be
    exported is in error."""
    move.open("subject")
    used, idle = move.create("subject"), move.create("subject")
    move.attach(used)
    if fails:
        move.fail_at("driver.ensure_export", 1, "eio")
    begun = len(move.watch.steps)
    restarted(move, "subject")
    move.heal()
    asked = [step for step in move.watch.steps[begun:] if step.startswith("subject.ensure_export(")]
    same("how many volumes were exported again", len(asked), 0 if fails else 1)
    statuses = (move.volume(used).status, move.volume(idle).status)
    same("the statuses", statuses, ("error" if fails else "in-use", "available"))


@law(source=f"{MANAGER}.init_host: reinit_driver_count", written=contents())
def a_failed_start_is_tried_again(move: Move, written: Contents) -> None:
    """A driver that fails to set up at first gets another chance; then the service works as before."""
    move.open("subject")
    volume = move.create("subject")
    move.write(volume, written)
    move.fail_at("driver.do_setup", 1, "eio")
    restarted(move, "subject")
    move.heal()
    holds(move.cloud.managers[move.plan("subject").service].initialized, "the driver was not set up again")
    move.must_hold(volume, written)
    move.delete(volume)
    made = move.act(move.cloud.api.create_volume, OWNER, 1).id
    same("the status of a volume that the scheduler places", move.volume(made).status, "available")


@law(source=f"{MANAGER}.extend_volume: TargetUpdateFailed")
def a_target_that_was_not_told_fails_no_extension(move: Move) -> None:
    """A volume that has grown is extended, also if its target could not be told."""
    move.open("subject")
    volume = move.create("subject")
    failure = errors.TargetUpdateFailed(volume_id=volume)
    alter(move, "subject", "extend_volume", raising(failure, after=True))
    move.extend(volume, 2)
    quota_must_be_true(move)
    counters_must_be_true(move)


@law(
    source=f"{MANAGER}._migrate_volume_generic: migration_create_volume_timeout_secs",
    level="migration-destination",
    seconds=st.sampled_from([384, 386]),
)
def a_creation_that_takes_too_long_ends_the_migration(move: Move, seconds: int) -> None:
    """Cinder looks after 0, 1, 5, 14, ... 285 and 385 seconds whether the temporary volume is there, and then
    gives up: the volume stays where it is, with an error."""
    move.open("lvm", "subject")
    volume = move.create("lvm")

    def slow(own: Callable[..., Any]) -> Callable[..., Any]:
        def method(*arguments: Any, **keywords: Any) -> Any:
            move.simulation.kernel.sleep(seconds * SECOND_US)
            return own(*arguments, **keywords)

        return method

    alter(move, "subject", "create_volume", slow)
    move.migrate(volume, "subject", force_host_copy=True)
    row = move.volume(volume)
    there, status = ("subject", "success") if seconds < 385 else ("lvm", "error")
    got, wanted = (row.host, row.status, row.migration_status), (move.plan(there).address, "available", status)
    same("(host, status, migration_status)", got, wanted)
    quota_must_be_true(move)


@law(source="cinder.volume.api:API.retype: multiattach", level="retype", needs=["retype", "multiattach"])
def a_retype_makes_a_volume_multiattach_or_not(move: Move) -> None:
    """A volume is multiattach as long as its type is; a volume in use cannot become so, or cease to be."""
    move.open("subject")
    name = move.plan("subject").volume_backend_name
    for kind, specs in (("alone", {}), ("shared", {"multiattach": "<is> True"})):
        move.cloud.create_type(kind, extra_specs={"volume_backend_name": name, **specs})
    volume = move.create("subject", volume_type="alone")
    for kind in ("shared", "alone"):
        move.retype(volume, kind, "never")
        same(f"multiattach of the type {kind}", move.volume(volume).multiattach, kind == "shared")
    server = move.attach(volume)
    refused(move, volume, "shared")
    move.detach(server, volume)


@law(
    source="cinder.db.api:volume_qos_allows_retype",
    level="retype",
    old=st.booleans(),
    consumer=st.sampled_from(["front-end", "both"]),
)
def limits_of_a_hypervisor_stay_with_what_it_uses(move: Move, old: bool, consumer: str) -> None:
    """A volume in use is not retyped from or to limits that its hypervisor has set or would have to."""
    move.open("subject")
    name = move.plan("subject").volume_backend_name
    limits = QosSpecs("qos", "limits", consumer, (("read_iops_sec", "1000"),))
    for kind, limited in (("old", old), ("new", not old)):
        specs = {"volume_backend_name": name}
        move.cloud.create_type(kind, extra_specs=specs, qos_specs=limits if limited else None)
    volume = move.create("subject", volume_type="old")
    move.attach(volume)
    refused(move, volume, "new")


@law(source=f"{MANAGER}._set_replication_status", level="retype", needs=["retype"])
def a_retype_says_whether_a_volume_is_replicated(move: Move) -> None:
    """Where the driver says nothing of it, replication_status follows the extra spec replication_enabled."""
    move.open("subject")
    name = move.plan("subject").volume_backend_name
    move.cloud.create_type("plain", extra_specs={"volume_backend_name": name})
    move.cloud.create_type(
        "replicated", extra_specs={"volume_backend_name": name, "replication_enabled": "<is> True"}
    )
    alter(move, "subject", "get_volume_stats", replicating)
    alter(move, "subject", "retype", lambda own: lambda *arguments: True)
    move.cloud.managers[move.plan("subject").service].publish_service_capabilities()
    volume = move.create("subject", volume_type="plain")
    for kind, wanted in (("replicated", "enabled"), ("plain", "disabled")):
        move.retype(volume, kind, "never")
        row = move.volume(volume)
        same("(status, replication_status)", (row.status, row.replication_status), ("available", wanted))


def replicating(own: Callable[..., Any]) -> Callable[..., Any]:
    """The driver reports that it replicates, if somebody wants that."""

    def method(*arguments: Any, **keywords: Any) -> dict[str, Any]:
        stats = {**own(*arguments, **keywords), "replication_enabled": True}
        if "pools" in stats:
            stats["pools"] = [{**pool, "replication_enabled": True} for pool in stats["pools"]]
        return stats

    return method


def refused(move: Move, volume: str, kind: str) -> None:
    """Broken unless a retype is refused with 400, and neither type nor quota are touched."""
    before = move.volume(volume)
    try:
        move.retype(volume, kind, "on-demand")
    except errors.ServiceError as error:
        same("the code of the refusal", error.code, 400)
    else:
        holds(False, f"a retype to {kind} was accepted, but should be refused")
    row = move.volume(volume)
    got, wanted = ((each.volume_type_id, each.multiattach, each.status) for each in (row, before))
    same("(type, multiattach, status)", got, wanted)
    same("the reservations that are left", move.cloud.quotas.open_reservations(), [])
    quota_must_be_true(move)


@law(
    source="cinder.volume.api:API.manage_existing; VolumeManager.delete_volume",
    level="manage",
    needs=["manage"],
)
def what_is_let_go_is_charged_no_more(move: Move) -> None:
    """A volume that is let go keeps its object, and costs no quota; what cannot be taken over is in error, and
    goes without a trace."""
    move.open("subject")
    api = move.cloud.api
    volume = move.create("subject")
    objects = move.objects()
    move.act(api.unmanage_volume, ADMIN, volume)
    same("the objects", move.objects(), objects)
    same("the volumes on record", list(move.cloud.database.volumes), [])
    quota_must_be_true(move)
    counters_must_be_true(move)
    owned = move.create("subject")
    move.fail_at("driver.unmanage", 1, "eio")
    move.act(api.unmanage_volume, ADMIN, owned)
    move.heal()
    same("the status of what could not be let go", move.volume(owned).status, "error_unmanaging")
    move.cloud.database.update(Volume, owned, {"status": "available"})  # by an operator
    move.delete(owned)
    lost = move.act(api.manage_volume, ADMIN, move.plan("subject").address, {"source-name": "nothing"}).id
    same("the status of what is not there", move.volume(lost).status, "error_managing")
    move.act(api.delete_volume, ADMIN, lost)
    same("the volumes on record", list(move.cloud.database.volumes), [])


@law(source=f"{MANAGER}.extend_volume: Nova", level="in-use", needs=["online extend"])
def a_server_hears_of_an_extension(move: Move) -> None:
    """When a volume in use has grown, each server that has it is told; if none can be, the user is."""
    move.open("subject")
    volume = move.create("subject")
    server = move.attach(volume)
    told: list[tuple[str, ...]] = []

    def not_known(servers: Sequence[str], which: str) -> bool:
        told.append((*servers, which))
        return False

    move.cloud.nova.extend_volume = not_known
    move.act(move.cloud.api.extend_volume, OWNER, volume, 2)
    row = move.volume(volume)
    if row.status == "error_extending":
        raise Lacking("the driver does not extend volumes in use")
    same("(size, status)", (row.size, row.status), (2, "in-use"))
    same("what Nova is told", told, [(server.id, volume)])
    same(
        "what the user is told of",
        [each.resource_uuid for each in move.cloud.user_messages.all(OWNER)],
        [volume],
    )


@law(source=f"{MANAGER}.unmanage_snapshot", level="manage", needs=["manage snapshots", "manageable"])
def a_snapshot_that_is_let_go_stays(move: Move) -> None:
    """A snapshot that Cinder forgets costs no quota, and can be taken over again."""
    move.open("subject")
    api, database = move.cloud.api, move.cloud.database
    volume = move.create("subject")
    snapshot = move.act(api.create_snapshot, OWNER, volume).id
    host = move.plan("subject").address
    if not move.act(api.get_manageable_snapshots, ADMIN, host):
        raise Lacking("the driver does not list its snapshots: thin ones of LVM are no snapshots to lvs")
    move.act(api.unmanage_snapshot, ADMIN, snapshot)
    same("the snapshots on record", list(database.snapshots), [])
    quota_must_be_true(move)
    found = move.act(api.get_manageable_snapshots, ADMIN, host)
    same("how many snapshots could be taken over", len(found), 1)
    again = move.act(api.manage_snapshot, ADMIN, volume, found[0]["reference"]).id
    same("the status of the snapshot", database.get_snapshot(again).status, "available")


@law(source="cinder.volume.flows.manager.create_volume:OnFailureRescheduleTask", needs=["inventory"])
def what_one_back_end_cannot_make_another_makes(move: Move) -> None:
    """A creation that fails goes back to the scheduler, and leaves nothing where it failed; pools count what
    they have, and nobody is charged twice."""
    move.open("subject", "twin")
    objects = move.objects()
    move.fail_at("driver.create_volume", 1, "eio")
    made = move.act(move.cloud.api.create_volume, OWNER, 1).id
    move.heal()
    same("the status", move.volume(made).status, "available")
    move.must_be_tidy(objects)
    counters_must_be_true(move)
    quota_must_be_true(move)
    move.delete(made)
    counters_must_be_true(move)


@law(source="cinder.volume.flows.manager.create_volume:OnFailureRescheduleTask", needs=["inventory"])
def what_was_half_made_is_deleted(move: Move) -> None:
    """When a driver has made an object and then fails, however often the scheduler tries, the volume is in
    error in the end, and no object stays."""
    move.open("subject")
    objects = move.objects()
    failure = errors.VolumeBackendAPIException(data="too late")
    alter(move, "subject", "create_volume", raising(failure, after=True))
    made = move.act(move.cloud.api.create_volume, OWNER, 1).id
    same("the status", move.volume(made).status, "error")
    same("the objects", move.objects(), objects)
    move.delete(made)
    quota_must_be_true(move)


@law(source="cinder.volume.flows.manager.create_volume: ImageCopyFailure", needs=["inventory"])
def an_image_that_cannot_be_copied_is_no_back_ends_fault(move: Move) -> None:
    """When a volume was made, and only the image could not be written to it, it is in error where it was
    made: no other back-end tries, and it can be deleted."""
    move.open("subject", "twin")
    api = move.cloud.api
    image = move.act(api.upload_image, OWNER, move.create("subject"), "image")
    objects, begun = move.objects(), len(move.watch.steps)
    move.fail_at("driver.copy_image_to_volume", 1, "eio")
    made = move.act(api.create_volume, OWNER, 1, image_id=image.id).id
    move.heal()
    same("the status", move.volume(made).status, "error")
    tried = [step for step in move.watch.steps[begun:] if ".create_volume(" in step]
    same("how many back-ends made it", len(tried), 1)
    counters_must_be_true(move)
    move.delete(made)
    same("the objects in the end", move.objects(), objects)
    quota_must_be_true(move)


@law(source=f"{MANAGER}.delete_volume: VolumeAttached", written=contents())
def what_a_server_has_is_not_deleted(move: Move, written: Contents) -> None:
    """A service that is told to delete a volume which has been attached meanwhile leaves it alone."""
    move.open("subject")
    volume = move.create("subject")
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    manager = move.cloud.managers[move.plan("subject").service]
    try:
        move.act(manager.delete_volume, move.volume(volume))
    except errors.VolumeAttached as error:
        move.note(f"refused: {error}")
    same("the status", move.volume(volume).status, "in-use")
    move.guest_reads(server, volume, written, "the guest's disk")
    move.detach(server, volume)
    move.must_hold(volume, written)
