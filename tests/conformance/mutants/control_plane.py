"""Faults of the control plane, and the laws that find them: these see what a user sees.

A fault is planted in the text of one function, as in `tests/harness/matrix/test_planted_faults.py`, which has
many of them already.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.control_plane import migration, retype
from harness.control_plane.api import moves
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.moves import Moves
from harness.control_plane.api.volumes import Volumes
from harness.control_plane.connections import Connections
from harness.control_plane.content import Content
from harness.control_plane.managing import Managing
from harness.control_plane.migration import Migration
from harness.control_plane.quota import Quotas
from harness.control_plane.retype import Retype
from harness.control_plane.scheduler import Scheduler
from harness.control_plane.snapshots import Snapshots
from harness.control_plane.start import Start
from harness.control_plane.volume_manager import VolumeManager
from tests.harness.matrix import test_planted_faults as planted
from tests.harness.matrix.test_planted_faults import Mutation

FROM, TO, IN_USE, RECORDS, REQUESTS = "migration from/", "migration to/", "in use/", "records/", "requests/"
BOOKS = "bookkeeping/"
PLACE, COUNTERS, BEGUN = (
    BOOKS + "only_the_place_of_a_volume_changes",
    BOOKS + "a_pool_counts_its_volumes",
    BOOKS + "what_a_dead_service_had_begun_is_taken_up",
)
BOOTS, TOLD = "on record/a_copy_boots_if_its_origin_does", "on record/a_server_is_told_how_to_use_a_volume"
ANSWERS = "on record/what_a_driver_answers_is_on_record"
TROUBLE = "trouble/"
REPLICATED = TROUBLE + "a_retype_says_whether_a_volume_is_replicated"
MODE = "on record/the_mode_that_was_asked_for_counts"
ELSEWHERE = TROUBLE + "what_one_back_end_cannot_make_another_makes"
BUSY, WITHOUT, STARTS, SLOW, SHARED, LIMITS, LET_GO, HEARS = (
    TROUBLE + "what_is_busy_is_available_again",
    TROUBLE + "a_service_without_its_driver_does_nothing",
    TROUBLE + "a_start_exports_what_is_in_use",
    TROUBLE + "a_creation_that_takes_too_long_ends_the_migration",
    TROUBLE + "a_retype_makes_a_volume_multiattach_or_not",
    TROUBLE + "limits_of_a_hypervisor_stay_with_what_it_uses",
    TROUBLE + "what_is_let_go_is_charged_no_more",
    TROUBLE + "a_server_hears_of_an_extension",
)
ALONE, ROOM, QUOTA, UNDONE = (
    BOOKS + "a_volume_that_migrates_is_left_alone",
    BOOKS + "an_extension_without_room_is_undone",
    BOOKS + "what_exceeds_the_quota_is_refused_whole",
    BOOKS + "a_failed_retype_is_undone",
)
TIDY = TO + "a_forced_copy_leaves_nothing_at_the_destination"


class Fault(NamedTuple):
    """`law` must break when the driver `subject` is served by a control plane with this fault."""

    law: str
    mutations: list[Mutation]
    subject: str = "rbd"


def known(name: str, law: str, subject: str = "rbd") -> dict[str, Fault]:
    """A fault that is planted for the matrix, too."""
    return {name: Fault(law, planted.MUTANTS[name][1], subject)}


def one(law: str, owner: object, function: str, old: str, new: str, subject: str = "rbd") -> Fault:
    return Fault(law, [Mutation(owner, function, old, new)], subject)


def lost(field: str) -> Fault:
    """A field that the temporary volume does not get, and so the volume loses."""
    old = "if volume.hides_admin_metadata:"
    return one(PLACE, Migration, "_create_temporary", old, f"del values[{field!r}]\n    {old}")


CHECK_THEN_SAVE = """if volume.migration_status not in (None, "success", "error"):
        raise errors.InvalidVolume(reason="migrating")
    self.cloud.simulation.visit("db.volume_update")
    row = self.cloud.database.volumes[volume.id]
    row.update({key: value(row) if callable(value) else value for key, value in values.items()})
    volume.refresh()"""

FAULTS: dict[str, Fault] = {
    **known("M26 the manager lets the driver move a volume that is attached",
            RECORDS + "a_driver_is_not_asked_to_move_what_is_attached"),
    **known("M27 the manager never lets the driver move a volume for a retype",
            "retypes/a_retype_for_the_back_end_alone_is_the_drivers"),
    **known("M29 the status is not restored after a failure", TO + "a_failed_migration_here_keeps_the_volume"),
    **known("M31 a temporary volume that could not be created is left",
            TO + "a_failed_creation_leaves_no_record"),
    **known("M32 the temporary volume counts against the quota", RECORDS + "the_quota_counts_a_volume_once"),
    **known("M34 a retype to another encryption goes on with the old key",
            RECORDS + "a_change_of_encryption_is_done_or_undone", "lvm"),
    **known("M34 the key is deleted with the temporary volume",
            RECORDS + "a_change_of_encryption_is_done_or_undone", "lvm"),
    **known("M35 a copy that ends too early is taken for a success",
            RECORDS + "a_change_of_encryption_is_done_or_undone", "lvm"),
    **known("M38 the attachment stays with the temporary volume", RECORDS + "an_attachment_stays_as_it_was"),
    **known("M39 every attachment becomes read/write", RECORDS + "an_attachment_stays_as_it_was"),
    **known("M40 the old volume is not deleted", TIDY),
    **known("M42 after a failed swap the migration goes on for ever", IN_USE + "a_failed_swap_changes_nothing"),
    **known("M44 snapshots keep the old type", RECORDS + "snapshots_have_the_type_of_their_volume"),
    **known("M46 the old type is kept", "retypes/a_retype_moves_record_and_data_together"),
    "M47 the metadata of the image are swapped away": Fault(
        RECORDS + "what_users_wrote_moves_along",
        [
            Mutation(Migration, "_create_temporary", "use_quota=False", "use_quota=False, glance_metadata={}"),
            Mutation(migration, "finish_volume_migration", "in NOT_SWAPPED | hidden",
                     'in (NOT_SWAPPED - {"glance_metadata"}) | hidden'),
        ],
    ),
    "M50 the API looks first and writes later": one(
        RECORDS + "of_two_migrations_at_once_one_is_accepted", Moves, "migrate_volume",
        "self.claim(volume, action, values, expected, not volume.snapshots)", CHECK_THEN_SAVE,
    ),
    **known("M52 lock_volume does not lock", RECORDS + "a_lock_lasts_as_long_as_the_migration"),
    "M52 lock_volume locks what is in use": one(
        RECORDS + "a_lock_lasts_as_long_as_the_migration", Moves, "migrate_volume",
        '"maintenance" if row["status"] == "available" else row["status"]', '"maintenance"',
    ),
    **known("M54 Nova says it has swapped, and has not", IN_USE + "a_guest_goes_on_through_a_migration"),
    **known("M54 Nova cannot swap volumes", IN_USE + "a_guest_goes_on_through_a_migration"),
    "every migration locks": one(
        RECORDS + "a_lock_lasts_as_long_as_the_migration", Moves, "migrate_volume",
        "if lock_volume:", "if True:",
    ),
    "volumes with snapshots are migrated": one(
        TO + "a_volume_with_snapshots_is_refused", Moves, "migrate_volume", ", not volume.snapshots", ""
    ),
    "the metadata of a temporary volume are empty": one(
        RECORDS + "what_users_wrote_moves_along", Migration, "_create_temporary",
        "use_quota=False", "use_quota=False, metadata={}",
    ),
    "a copy is a GiB short": one(
        FROM + "a_volume_arrives_elsewhere", Migration, "_copy_volume_data",
        "            volume.size,\n", "            volume.size - 1,\n",
    ),
    "the copy goes the wrong way": one(
        FROM + "a_volume_arrives_elsewhere", Migration, "_copy_volume_data",
        "source.device,\n            destination.device,", "destination.device,\n            source.device,",
    ),
    "the source of a copy stays connected": one(
        TO + "a_failed_copy_leaves_nothing", Connections, "detach_volume_here",
        "self.remove_export(volume.id)", "pass", "lvm",
    ),
    "the destination of a copy stays exported": one(
        TIDY, Connections, "detach_volume_here",
        'self.messaging.cast(address, "remove_export", volume.id)', "pass", "lvm",
    ),
    "a failed copy leaves the temporary volume": one(
        TO + "a_failed_copy_leaves_nothing", Migration, "_migrate_generic",
        "self._clean_temporary(volume, temporary)\n        raise", "raise",
    ),
    "the host of an assisted move is not stored": one(
        FROM + "a_volume_arrives_elsewhere", Migration, "_migrate_assisted", '"host": host["host"],', ""
    ),
    "the driver's refusal is taken for a success": one(
        FROM + "a_foreign_destination_gets_a_copy", Migration, "migrate_volume", "if not moved:", "if False:"
    ),
    "the driver hears of another status": one(
        IN_USE + "a_guest_goes_on_through_a_migration", Migration, "migrate_volume_completion",
        '"update_migrated_volume", volume, temporary, original_status',
        '"update_migrated_volume", volume, temporary, "available"',
    ),
    "the old volume has no name": one(
        FROM + "a_forced_copy_leaves_nothing_at_the_source", migration, "finish_volume_migration",
        "temporary._name_id = volume.id", "pass",
    ),
    "a retype in place keeps its status": one(
        "retypes/a_retype_in_place_copies_nothing", Retype, "_retyped_in_place", ", **restored", ""
    ),
    "a volume with snapshots is migrated for a retype": one(
        RECORDS + "a_retype_that_may_not_migrate_changes_nothing", Retype, "_refuse_migration",
        "if volume.snapshots:", "if False:",
    ),
    "a retype keeps the quota of the old type": one(
        RECORDS + "a_retype_moves_the_quota_with_the_volume", Retype, "retype",
        "self.cloud.quotas.commit([*old_reservations, *reservations])",
        "self.cloud.quotas.commit(reservations)",
    ),
    "a failed creation stays creating": one(
        REQUESTS + "a_request_that_fails_is_shown", VolumeManager, "create_volume",
        'self.db.update(Volume, volume.id, {"status": "error"})', "pass",
    ),
    "a failed snapshot stays creating": one(
        REQUESTS + "a_request_that_fails_is_shown", Snapshots, "_create_snapshot",
        'snapshot.status = "error"\n        snapshot.save()', "pass",
    ),
    "a volume that could not be deleted is gone": one(
        REQUESTS + "a_request_that_fails_is_shown", VolumeManager, "_delete_volume",
        'self.note("delete_volume failed", str(error))\n        raise', "pass",
    ),
    "snapshots outlive their volume": one(
        REQUESTS + "what_is_deleted_is_charged_no_more", VolumeManager, "_delete_volume",
        "self._delete_snapshots(volume)", "pass",
    ),
    "a deleted snapshot is charged": one(
        REQUESTS + "what_is_deleted_is_charged_no_more", Snapshots, "delete_snapshot",
        "self.cloud.quotas.commit(reservations)", "pass",
    ),
    "a deleted volume is charged": one(
        RECORDS + "the_quota_counts_a_volume_once", VolumeManager, "_delete_volume",
        "self.cloud.quotas.commit(reservations)", "pass",
    ),
    "a deletion leaves the export": one(
        REQUESTS + "an_export_that_stayed_goes_with_the_volume", VolumeManager, "_delete_volume",
        'self.drive("remove_export", self.admin, volume)', "pass", "lvm",
    ),
    "a failed connection leaves the export": one(
        REQUESTS + "a_connection_that_fails_leaves_no_export", Connections, "_connection",
        'self.drive("remove_export", self.admin, volume)', "pass", "lvm",
    ),
    "a shared export goes with the first server": one(
        "requests/a_server_goes_and_the_other_stays", Connections, "attachment_delete",
        "if shared is None or shared:", "if shared is None:", "lvm",
    ),
    "a revert by copy copies nothing": one(
        "images and backups/a_volume_can_always_be_reverted", Content, "_revert_by_copy",
        "                volume.size,\n", "                0,\n", "nfs",
    ),
    "an uploaded volume stays uploading": one(
        "images and backups/an_image_of_a_volume_is_whole", Content, "_end_uploading",
        '"in-use" if attached else "available"', '"uploading"',
    ),
    "a copied volume forgets what it was cloned from": one(
        PLACE, Migration, "_migrate_generic", "if any(lineage.values()):", "if False:"
    ),
    "a copied volume is no longer multiattach": lost("multiattach"),
    "a copied volume no longer boots": lost("bootable"),
    "a copied volume loses its metadata": lost("metadata"),
    "a copied volume is no longer read-only": one(
        PLACE, Migration, "_create_temporary", "if volume.hides_admin_metadata:", "if True:"
    ),
    "a copied volume forgets its replication status": lost("replication_status"),
    "a copied volume becomes another project's": lost("project_id"),
    "a copied volume becomes another user's": lost("user_id"),
    "the zone of a moved volume is the old one": one(
        PLACE, Migration, "_migrate_assisted",
        '"availability_zone": service.availability_zone,', '"availability_zone": "elsewhere",',
    ),
    "the service of a moved volume is the old one": one(
        PLACE, Migration, "_migrate_assisted", '"service_uuid": service.uuid,', ""
    ),
    "the quota no longer counts a copied volume": one(
        PLACE, migration, "finish_volume_migration",
        "in NOT_SWAPPED | hidden", 'in (NOT_SWAPPED - {"use_quota"}) | hidden',
    ),
    "the service of a copied volume is the old one": one(
        PLACE, migration, "finish_volume_migration",
        "in NOT_SWAPPED | hidden", 'in NOT_SWAPPED | hidden | {"service_uuid"}', "lvm",
    ),
    "the source is not told before the copy": one(
        BOOKS + "the_source_hears_of_the_copy", Migration, "_migrate_generic",
        'self.drive("before_volume_copy", self.admin, volume, temporary, remote="dest")', "pass",
    ),
    "the source is not told after the copy": one(
        BOOKS + "the_source_hears_of_the_copy", Migration, "_migrate_generic",
        'self.drive("after_volume_copy", self.admin, volume, temporary, remote="dest")', "pass",
    ),
    "the source is told of another side": one(
        BOOKS + "the_source_hears_of_the_copy", Migration, "_migrate_generic",
        '"after_volume_copy", self.admin, volume, temporary, remote="dest"',
        '"after_volume_copy", self.admin, volume, temporary, remote="src"',
    ),
    "the API forgets that a copy is forced": one(
        TIDY, Moves, "migrate_volume", "volume, destination, force_host_copy)", "volume, destination, False)"
    ),
    "the scheduler forgets that a copy is forced": one(
        TIDY, Scheduler, "migrate_volume", "_host(chosen), force_host_copy", "_host(chosen), False"
    ),
    "the manager forgets that a copy is forced": one(
        TIDY, Migration, "migrate_volume", "and not force_host_copy ", ""
    ),
    "owners see temporary volumes": one(
        BOOKS + "an_owner_sees_a_volume_once", Volumes, "list_volumes",
        '(context.is_admin or not (row["migration_status"] or "").startswith("target:"))', "True",
    ),
    "operators do not see temporary volumes": one(
        BOOKS + "an_owner_sees_a_volume_once", Volumes, "list_volumes",
        "context.is_admin and all_tenants", "context.is_admin and all_tenants and not row['migration_status']",
    ),
    "what migrates may be asked anything": one(
        ALONE, Chapter, "claim", "if action.idle:", "if False:"
    ),
    "the status of a volume does not matter": one(
        ALONE, Chapter, "claim", "if action.statuses is not None:", "if False:"
    ),
    "a volume in maintenance may be renamed": one(
        ALONE, Volumes, "update_volume", "self.require(volume, action)", "pass"
    ),
    "a volume that is made is not counted": one(
        COUNTERS, VolumeManager, "create_volume", "self.update_allocated_capacity(volume)\n", "pass\n"
    ),
    "a volume that is deleted stays counted": one(
        COUNTERS, VolumeManager, "_delete_volume",
        "self.update_allocated_capacity(volume, decrement=True)", "pass",
    ),
    "an extension is not counted": one(
        COUNTERS, Managing, "extend_volume_completion",
        "self.change_allocated_capacity(volume.host, grown_gb)", "pass",
    ),
    "a service that starts goes on counting from nothing": one(
        COUNTERS, Start, "_init_host", "self.update_allocated_capacity(volume)", "pass"
    ),
    "a service that starts counts the volumes of others": one(
        COUNTERS, Start, "_init_host",
        'if self.is_our_backend(row["host"] or "", row["cluster_name"]):', "if True:",
    ),
    "a service that starts takes up nothing": one(
        BEGUN, Start, "_init_host",
        "self.do_cleanup(CleanupRequest(self.host, self.simulation.kernel.now_us))", "pass",
    ),
    "a deletion that was cut short is an error": one(
        BEGUN, Start, "_clean", 'if record.status == "deleting" and isinstance(record, Volume):', "if False:"
    ),
    "a dead service ends its upload": one(
        BEGUN, Content, "copy_volume_to_image",
        "except Exception as error:", "except BaseException as error:\n        self._end_uploading(volume_id)",
    ),
    "nobody knows what a service was at": one(
        BEGUN, Start, "worker", "self.db.workers[record.id] = mine", "pass"
    ),
    "an extension without room keeps its reservation": one(
        ROOM, Scheduler, "extend_volume", "self.cloud.quotas.rollback(reservations)", "pass"
    ),
    "an extension without room goes on for ever": one(
        ROOM, Scheduler, "extend_volume", "self._set(volume, state)", "pass"
    ),
    "nobody is told of an extension without room": one(
        ROOM, Scheduler, "extend_volume",
        "self.cloud.user_messages.create(volume, Action.EXTEND_VOLUME, failure)", "pass",
    ),
    "an extension beyond the quota goes on for ever": one(
        QUOTA, Volumes, "extend_volume",
        'self.cloud.database.conditional_update(volume, {"status": original}, values)', "pass",
    ),
    "limits of the quota are one too high": one(
        QUOTA, Quotas, "_is_over", "limit < delta", "limit + 1 < delta"
    ),
    "a failed retype keeps its reservations": one(
        UNDONE, Retype, "retype",
        "for each in (old_reservations, reservations):", "for each in ():",
    ),
    "a failed retype is charged all the same": one(
        UNDONE, Retype, "retype",
        "self.cloud.quotas.rollback(each, asking.project_id)", "self.cloud.quotas.commit(each)",
    ),
    "a failed retype stays retyping": Fault(
        UNDONE,
        [
            Mutation(
                Retype, "retype",
                "except Exception:\n            volume.update(restored)", "except Exception:\n            pass",
            ),
            Mutation(Migration, "migrate_volume", 'in ("retyping", "maintenance")', 'in ("maintenance",)'),
        ],
    ),
    "a volume from an image does not boot": one(
        BOOTS, VolumeManager, "_create_from_image", '"bootable": True, "glance_metadata"', '"glance_metadata"'
    ),
    "a volume from an image forgets what is on record of it": one(
        BOOTS, VolumeManager, "_create_from_image", '"glance_metadata": metadata_of(image)', ""
    ),
    "a clone forgets the image": one(
        BOOTS, VolumeManager, "_create_volume", "self._take_image_metadata(volume, source)", "pass"
    ),
    "a volume from a snapshot forgets the image": one(
        BOOTS, VolumeManager, "_create_volume", "self._take_image_metadata(volume, snapshot.volume)", "pass"
    ),
    "a new volume belongs to no service": one(
        BOOTS, VolumeManager, "_create_volume", "volume.service_uuid = self.db.service(self.host).uuid", "pass"
    ),
    "nobody knows when a volume was launched": one(
        BOOTS, VolumeManager, "_create_volume", ', "launched_at": self.simulation.kernel.now_us', ""
    ),
    "a snapshot is never complete": one(BOOTS, Snapshots, "_create_snapshot", ', "progress": "100%"', ""),
    "the hypervisor sets limits of the back-end": one(
        TOLD, Connections, "_with_connection_options", 'if qos.consumer in ("front-end", "both"):', "if True:"
    ),
    "the hypervisor leaves limits of both to the back-end": one(
        TOLD, Connections, "_with_connection_options", '("front-end", "both")', '("front-end",)'
    ),
    "a server is not told that a volume is read-only": one(
        TOLD, Connections, "_with_connection_options",
        '"ro" if volume.admin_metadata.get("readonly") == "True" else "rw"', '"rw"',
    ),
    "a server is told that every volume is encrypted": one(
        TOLD, Connections, "_with_connection_options", "volume.encryption_key_id is not None", "True"
    ),
    "the driver is not asked whether a connector will do": one(
        TOLD, Connections, "_connection", 'self.drive("validate_connector", connector)', "pass"
    ),
    "the connector of a server is not on record": one(
        TOLD, Connections, "attachment_update", ', "connector": connector', ""
    ),
    **{
        f"the answer to {method} is not on record": one(
            ANSWERS, VolumeManager, function,
            f'volume.update(self.drive("{method}", {arguments}) or {{}})',
            f'self.drive("{method}", {arguments})',
        )
        for method, function, arguments in (
            ("create_volume", "_create_raw", "volume"),
            ("create_cloned_volume", "_create_volume", "volume, source"),
            ("create_volume_from_snapshot", "_create_volume", "volume, snapshot"),
        )
    },
    "the answer to create_snapshot is not on record": one(
        ANSWERS, Snapshots, "_create_snapshot", "snapshot.update(update or {})", "pass"
    ),
    "the answer to create_export is not on record": one(
        ANSWERS, Connections, "_connection", "if model_update:", "if False:"
    ),
    "the answer to retype is not on record": one(
        ANSWERS, Retype, "_retype_by_driver", "bool(answer[0]), answer[1]", "bool(answer[0]), None"
    ),
    "the answer to a retype in place is not on record": one(
        ANSWERS, Retype, "_retyped_in_place", ", **(update or {})", ""
    ),
    "the answer to migrate_volume is not on record": one(
        ANSWERS, Migration, "_migrate_assisted", "**(model_update or {}),", ""
    ),
    "a busy volume is deleting for ever": one(
        BUSY, VolumeManager, "_delete_volume", 'self._clear_db(volume, "available")', "pass"
    ),
    "a busy volume is in error": one(
        BUSY, VolumeManager, "_delete_volume", "except errors.VolumeIsBusy:", "except errors.SnapshotIsBusy:"
    ),
    "a busy snapshot is in error": one(
        BUSY, Snapshots, "delete_snapshot",
        "except errors.SnapshotIsBusy as error:", "except errors.VolumeIsBusy as error:",
    ),
    "a busy snapshot is deleting for ever": one(
        BUSY, Snapshots, "delete_snapshot", 'snapshot.status = "available"', "pass"
    ),
    "nobody looks whether a driver is set up": one(
        WITHOUT, VolumeManager, "require_driver_initialized", "if not self.initialized:", "if False:"
    ),
    "an extension without a driver goes on for ever": one(
        WITHOUT, VolumeManager, "extend_volume", 'volume.status = "error_extending"', "pass"
    ),
    "a migration without a driver goes on for ever": one(
        WITHOUT, Migration, "migrate_volume",
        'stays in maintenance.\n        volume.migration_status = "error"', "stays in maintenance.",
    ),
    "a retype without a driver goes on for ever": one(
        WITHOUT, Retype, "retype",
        "except errors.DriverNotInitialized:\n        # Reservations stay open here, until they expire.\n"
        "        volume.update(restored)", "except errors.DriverNotInitialized:",
    ),
    "a start exports nothing again": one(
        STARTS, Start, "_init_host", "self._export_again(volume)", "pass"
    ),
    "a start exports what nobody uses": one(
        STARTS, Start, "_init_host", 'if volume.status == "in-use":', "if True:"
    ),
    "what cannot be exported again stays in use": one(
        STARTS, Start, "_export_again",
        'self.db.conditional_update(volume, {"status": "error"}, {"status": "in-use"})', "pass",
    ),
    "a failed start is final": one(
        TROUBLE + "a_failed_start_is_tried_again", Start, "init_host",
        'self.cloud.node_options(self.plan)["reinit_driver_count"]', "0",
    ),
    "an extension of what could not be exported fails": one(
        TROUBLE + "a_target_that_was_not_told_fails_no_extension", VolumeManager, "extend_volume",
        "except errors.TargetUpdateFailed as error:", "except errors.VolumeIsBusy as error:",
    ),
    "Cinder waits for ever for a temporary volume": one(
        SLOW, Migration, "_wait_for_temporary", "kernel.now_us > deadline_us", "False"
    ),
    "Cinder looks for a temporary volume every few seconds": one(
        SLOW, Migration, "_wait_for_temporary", "tries**2 * SECOND_US", "5 * SECOND_US"
    ),
    "a retype leaves multiattach as it was": one(
        SHARED, Moves, "retype", "volume.multiattach = kind.multiattach\n", "pass\n"
    ),
    "a volume stays multiattach": one(
        SHARED, Moves, "retype",
        "volume.multiattach = kind.multiattach\n", "volume.multiattach |= kind.multiattach\n",
    ),
    "a volume in use becomes multiattach": one(
        SHARED, Moves, "retype", 'if volume.status != "available":', "if False:"
    ),
    "a retype from limits of the hypervisor": one(
        LIMITS, moves, "_qos_allows_retype", "in (old_qos, kind.qos_specs))", "in (kind.qos_specs,))"
    ),
    "a retype to limits of the hypervisor": one(
        LIMITS, moves, "_qos_allows_retype", "in (old_qos, kind.qos_specs))", "in (old_qos,))"
    ),
    "a refused retype keeps its reservations": one(
        LIMITS, Moves, "retype", "self.cloud.quotas.rollback([*reservations, *old_reservations])", "pass"
    ),
    "what is let go is deleted": one(
        LET_GO, VolumeManager, "_delete_volume",
        'self.drive("unmanage", volume)', 'self.drive("delete_volume", volume)',
    ),
    "what cannot be taken over is available": one(
        LET_GO, Managing, "manage_existing", 'volume.status = "error_managing"', 'volume.status = "available"'
    ),
    "no server hears of an extension": one(
        HEARS, VolumeManager, "extend_volume",
        "if servers and not self.cloud.nova.extend_volume(servers, volume.id):", "if False:",
    ),
    "nobody hears that no server was told": one(
        HEARS, VolumeManager, "extend_volume", "self.cloud.user_messages.create", "str.format"
    ),
    "the connector decides how a volume is attached": one(
        MODE, Connections, "attachment_update", "if attachment.attach_mode:", "if False:"
    ),
    "the mode of an attachment is forgotten": one(
        MODE, Connections, "_with_connection_options",
        'volume.admin_metadata.get("attached_mode") or readonly', "readonly",
    ),
    "the mode of an attachment is not noted": one(
        MODE, Connections, "attach_volume", 'volume.admin_metadata["attached_mode"] = mode', "pass"
    ),
    "a server is not told that a volume is encrypted": one(
        "on record/a_server_is_told_that_a_volume_is_encrypted", Connections, "_with_connection_options",
        "volume.encryption_key_id is not None", "False",
    ),
    "what could not be let go is like what could not be deleted": one(
        LET_GO, VolumeManager, "_delete_volume",
        '"error_unmanaging" if unmanage_only else "error_deleting"', '"error_deleting"',
    ),
    "a snapshot that is let go is deleted": one(
        TROUBLE + "a_snapshot_that_is_let_go_stays", Snapshots, "delete_snapshot",
        '"unmanage_snapshot" if unmanage_only else "delete_snapshot"', '"delete_snapshot"',
    ),
    "a creation that fails is final": one(
        ELSEWHERE, VolumeManager, "create_volume", "if spec.tried and", "if False and"
    ),
    "a creation that fails stays counted": one(
        ELSEWHERE, VolumeManager, "create_volume",
        "self.update_allocated_capacity(volume, decrement=True, host=host)", "pass",
    ),
    "a creation that is tried again is forgotten": one(
        ELSEWHERE, VolumeManager, "_reschedule",
        'self.messaging.cast(TOPIC, "create_volume", volume, spec)', "pass",
    ),
    "a retype leaves the replication status as it was": one(
        REPLICATED, Retype, "_retyped_in_place", "fields.update(_replication_status(diff, fields))", "pass"
    ),
    "whatever speaks of replication enables it": one(
        REPLICATED, retype, "_replication_status", '"enabled" if enabled else "disabled"', '"enabled"'
    ),
}  # fmt: skip
"""By what is wrong. Those whose names begin with M were made of bugs of Cinder's manager."""
