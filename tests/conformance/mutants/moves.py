"""Faults of the control plane in what it refuses, in temporary volumes, and in the way a move takes.

They are planted like those of `control_plane`. Names that begin with M, and numbers of bugs, say what they were
made of.
"""

from __future__ import annotations

from harness.control_plane import migration, retype, scheduler, volume_types
from harness.control_plane.api import moves
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.moves import Moves
from harness.control_plane.api.volumes import Volumes
from harness.control_plane.connections import Connections
from harness.control_plane.hypervisor import Nova
from harness.control_plane.managing import Managing
from harness.control_plane.migration import Migration
from harness.control_plane.retype import Retype
from harness.control_plane.scheduler import Scheduler
from harness.control_plane.servers import Disk
from harness.control_plane.volume_manager import VolumeManager
from tests.conformance.mutants.control_plane import FAULTS, Fault, one
from tests.conformance.mutants.telling import OF_TELLING

REFUSALS, TEMPORARY, SWAPS, WAYS = "refusals/", "temporary volumes/", "swaps/", "ways/"
AT_WORK, AT_REST, NOBODY, WHO, STAYS, TYPED = (
    REFUSALS + "what_is_at_work_does_not_migrate",
    REFUSALS + "what_is_at_rest_migrates",
    REFUSALS + "a_migration_needs_somebody_at_its_destination",
    REFUSALS + "who_may_move_a_volume",
    REFUSALS + "what_no_pool_takes_stays",
    REFUSALS + "what_is_at_work_is_not_retyped",
)
SIZES, UNDONE, NO_QUOTA, ZONE, COMPLETED = (
    REFUSALS + "a_type_takes_volumes_of_its_sizes",
    REFUSALS + "a_retype_that_no_pool_takes_is_undone",
    REFUSALS + "a_type_without_quota_is_refused",
    REFUSALS + "a_retype_stays_in_its_zone",
    REFUSALS + "a_completion_is_of_a_migration",
)
TWIN, EMPTY, OLD, FORGOTTEN, LEFT, UNNAMED = (
    TEMPORARY + "a_temporary_volume_is_its_volumes_twin",
    TEMPORARY + "a_temporary_volume_is_made_empty",
    TEMPORARY + "the_old_object_is_deleted_by_what_was_on_record",
    TEMPORARY + "a_temporary_volume_that_cannot_be_deleted_is_forgotten",
    TEMPORARY + "an_old_volume_that_stays_can_be_deleted",
    TEMPORARY + "a_copy_that_cannot_be_named_is_kept",
)
OWN_NAME, BROKEN_OFF, BILLED, UNWILLING, FAILED, NO_DRIVER, QUEENS = (
    TEMPORARY + "a_copy_without_another_name_keeps_its_own",
    TEMPORARY + "a_copy_that_breaks_off_leaves_nothing",
    TEMPORARY + "nobody_is_billed_for_a_temporary_volume",
    SWAPS + "a_hypervisor_that_refuses_ends_the_migration",
    SWAPS + "a_failed_swap_leaves_nothing",
    SWAPS + "a_completion_without_a_driver_is_an_error",
    SWAPS + "an_attachment_of_before_queens_moves_along",
)
MEANWHILE, LUKS, WRITERS, ENDED = (
    SWAPS + "what_a_guest_writes_meanwhile_moves_along",
    SWAPS + "what_qemu_decrypts_is_not_swapped",
    SWAPS + "a_volume_of_two_writers_is_not_swapped",
    SWAPS + "every_connection_is_ended",
)
SWAP = SWAPS + "a_swap_of_novas_own_takes_attachments_along"
RETYPING = WAYS + "a_volume_is_retyping_until_it_is_retyped"
KEY = WAYS + "a_migrated_volume_keeps_its_key"
DIFFERS, MORE, CIPHER, RAISES, REPLICATED, CHARGED, CLUSTER, IN_CLUSTER, LOST = (
    WAYS + "only_what_differs_is_the_drivers_business",
    WAYS + "a_retype_of_more_than_the_place_is_a_copy",
    WAYS + "encryption_is_no_drivers_business",
    WAYS + "a_driver_that_fails_to_retype_is_copied_from",
    WAYS + "what_is_replicated_is_not_copied_for_a_retype",
    WAYS + "whoever_asks_the_owner_is_charged",
    WAYS + "a_volume_that_moves_to_a_cluster_belongs_to_it",
    WAYS + "a_volume_that_is_retyped_in_a_cluster_stays_there",
    WAYS + "what_could_not_be_taken_over_keeps_its_charge",
)

IN_A_GROUP = '"group_id": (None, ""),'
IN_A_CONSISTENCY_GROUP = '"consistencygroup_id": (None, ""),'
DELETES = 'self.messaging.cast(self._address(temporary), "delete_volume", temporary)'
OF_MOVES: dict[str, Fault] = {
    # ---------------------------------------------------------------------------------- what is refused
    "M51 a volume that cannot be replicated does not migrate (LP 1727248)": one(
        AT_REST, Moves, "migrate_volume",
        '"replication_status": NOT_REPLICATED', '"replication_status": (None, "disabled")',
    ),
    "M51 a replicated volume is migrated": one(
        AT_WORK, Moves, "migrate_volume", '"replication_status": NOT_REPLICATED,', ""
    ),
    "a volume that cannot be replicated is not retyped": one(
        AT_REST, Retype, "_refuse_migration", "not in NOT_REPLICATED", 'not in (None, "disabled")'
    ),
    "a volume whose migration failed never migrates again": one(
        AT_REST, Chapter, "claim", "AVAILABLE_MIGRATION_STATUSES", '(None, "success", "deleting")'
    ),
    "a volume that has migrated never migrates again": one(
        AT_REST, Chapter, "claim", "AVAILABLE_MIGRATION_STATUSES", '(None, "error", "deleting")'
    ),
    "a migration that is completing may begin anew": one(
        AT_WORK, Chapter, "claim",
        "AVAILABLE_MIGRATION_STATUSES", '(*AVAILABLE_MIGRATION_STATUSES, "completing")',
    ),
    "a member of a group is migrated": one(AT_WORK, Moves, "migrate_volume", IN_A_GROUP, ""),
    "a member of a consistency group is migrated": one(
        AT_WORK, Moves, "migrate_volume", IN_A_CONSISTENCY_GROUP, ""
    ),
    "a volume is migrated to where it is": one(
        AT_WORK, Moves, "migrate_volume",
        '"cluster_name" if destination != host else "host": Not(destination),', "",
    ),
    "a volume is migrated to what is disabled": one(
        NOBODY, Moves, "_destination", "not database.disabled(row) and ", ""
    ),
    "a volume is migrated to what is down": one(
        NOBODY, Moves, "_destination", ' and self.cloud.is_up(row["host"])', ""
    ),
    "a volume is migrated to what does not exist": one(
        NOBODY, Moves, "_destination",
        "raise errors.InvalidHost(reason=f\"No available service named '{wanted}'\")", "return wanted",
    ),
    "M53 anybody migrates volumes": one(
        WHO, Moves, "migrate_volume", "authorize(context, action.rule, volume)", "pass"
    ),
    "a refused migration leaves its volume locked": one(
        STAYS, Scheduler, "_refuse_migration", 'values["status"] =', 'values["previous_status"] ='
    ),
    "a refused migration goes on for ever": one(
        STAYS, Scheduler, "_refuse_migration",
        'values = {"migration_status": "error"}', 'values = {"migration_status": volume.migration_status}',
    ),
    "the scheduler takes any pool of the destination": one(
        STAYS, Scheduler, "migrate_volume",
        'passing, reasons = self._passing(_request(volume, volume.volume_type, "migrate", None))',
        'passing, reasons = self.pools(), ""',
    ),
    "a member of a group is retyped": one(TYPED, Moves, "retype", IN_A_GROUP, ""),
    "a member of a consistency group is retyped": one(TYPED, Moves, "retype", IN_A_CONSISTENCY_GROUP, ""),
    "a volume is retyped to its type": one(TYPED, Moves, "retype", '"volume_type_id": Not(kind.id),', ""),
    "a type takes volumes of any size": one(
        SIZES, Moves, "retype", "check_size_limits(kind, volume.size)", "pass"
    ),
    "a type takes only what is larger than its smallest": one(
        SIZES, moves, "check_size_limits", "size < int(lowest)", "size <= int(lowest)"
    ),
    "a type takes only what is smaller than its largest": one(
        SIZES, moves, "check_size_limits", "size > int(highest)", "size >= int(highest)"
    ),
    "a retype that no pool takes goes on for ever": one(
        UNDONE, Scheduler, "retype", "self._set(volume, state)", "pass"
    ),
    "a retype that no pool takes is charged": one(
        UNDONE, Scheduler, "retype", "self.cloud.quotas.rollback(reservations, asking.project_id)", "pass"
    ),
    "a retype that no pool takes is a failed migration": one(
        UNDONE, Scheduler, "retype", "self._set(volume, state)",
        'self._set(volume, {**state, "migration_status": "error"})',
    ),
    "M49 a retype beyond the quota goes on": one(
        NO_QUOTA, Moves, "retype",
        "reservations = self.cloud.reserve(volume.project_id, kind.id, deltas, only_type=True)",
        "reservations = []",
    ),
    "M49 a retype beyond the quota leaves the volume retyping (LP 1308819)": one(
        NO_QUOTA, Moves, "retype", "deltas = self._type_deltas(volume)",
        'volume.status = "retyping"\n    volume.save()\n    deltas = self._type_deltas(volume)',
    ),
    "M49 a retype leaves the zone (LP 1883928)": one(
        ZONE, Moves, "retype", "zones_of_type(kind) or (volume.availability_zone,)", "None"
    ),
    "a retype never leaves the zone": one(
        ZONE, Moves, "retype", "zones_of_type(kind) or (volume.availability_zone,)",
        "(volume.availability_zone,)",
    ),
    "a migration stays in the zone": one(
        ZONE, Scheduler, "migrate_volume",
        '_request(volume, volume.volume_type, "migrate", None)',
        '_request(volume, volume.volume_type, "migrate", (volume.availability_zone,))',
    ),
    "a migration is completed that has not begun": one(
        COMPLETED, Moves, "migrate_volume_completion", "if not volume.migration_status:", "if False:"
    ),
    "a migration is completed to what is no target": one(
        COMPLETED, Moves, "migrate_volume_completion",
        'if new_volume.migration_status != f"target:{volume.id}":', "if False:",
    ),
    "anybody completes a migration": one(
        COMPLETED, Moves, "migrate_volume_completion",
        'authorize(context, ACTIONS["migrate_completion"].rule, volume)', "pass",
    ),
    "a swap that Cinder did not start saves the old volume (LP 1489744)": one(
        COMPLETED, Moves, "_swap_without_migration", "return new_volume.id", "return volume.id"
    ),
    # ------------------------------------------------------------------------------- temporary volumes
    "a temporary volume is in the zone of its volume": one(
        TWIN, Migration, "_create_temporary",
        "availability_zone=service.availability_zone,", "",
    ),
    "a temporary volume does not say whose it is": one(
        TWIN, Migration, "_create_temporary",
        'migration_status=f"target:{volume.id}"', 'migration_status="target:"',
    ),
    "a temporary volume is as large as its back-end likes": one(
        TWIN, Migration, "_create_temporary", "use_quota=False", "use_quota=False, size=volume.size + 1"
    ),
    "a temporary volume has another name": one(
        TWIN, Migration, "_create_temporary", "use_quota=False", 'use_quota=False, display_name="migration"'
    ),
    "M30 a copy of a snapshot is made of that at the destination, too (LP 1580013)": one(
        EMPTY, Migration, "_create_temporary",
        "use_quota=False", "use_quota=False, snapshot_id=volume.snapshot_id",
    ),
    "M30 a clone is cloned at the destination, too (LP 1580013)": one(
        EMPTY, Migration, "_create_temporary",
        "use_quota=False", "use_quota=False, source_volid=volume.source_volid",
    ),
    "a copied volume forgets its snapshot": one(
        EMPTY, Migration, "_migrate_generic", '("snapshot_id", "source_volid")', '("source_volid",)'
    ),
    "M37 nobody tells the destination the name of its copy (LP 1383499)": one(
        OLD, Migration, "migrate_volume_completion",
        'self.messaging.call(\n        self._address(temporary), "update_migrated_volume", volume, temporary, '
        "original_status\n    )", "pass",
    ),
    "M48 the old object goes by the location of the copy": one(
        OLD, Migration, "update_migrated_volume", "temporary.save()", "temporary.refresh()", "lvm"
    ),
    "M48 the old object goes by the secret of the copy": one(
        OLD, migration, "finish_volume_migration", "in NOT_SWAPPED | hidden",
        'in NOT_SWAPPED | hidden | {"provider_auth"}', "lvm",
    ),
    "M48 the old object goes by the name of the copy": one(
        OLD, migration, "finish_volume_migration", "if not temporary._name_id:", "if False:"
    ),
    "M41 the old record is not marked as being deleted": one(
        OLD, migration, "finish_volume_migration", 'temporary.status = "deleting"', "pass"
    ),
    "M41 the old record does not say that it was migrated": one(
        OLD, migration, "finish_volume_migration", 'temporary.migration_status = "deleting"', "pass"
    ),
    "M41 the old record has the words of its owner": one(
        OLD, migration, "finish_volume_migration",
        'temporary.display_description = f"migration src for {volume.id}"', "pass",
    ),
    "a migration does not say that it is completing": one(
        OLD, Migration, "migrate_volume_completion", 'volume.migration_status = "completing"', "pass"
    ),
    "a temporary volume that cannot be deleted is in error": one(
        FORGOTTEN, VolumeManager, "_clear_db",
        'if volume.migration_status and volume.migration_status.startswith("target:"):', "if False:",
    ),
    "whatever cannot be deleted in a migration is forgotten": one(
        LEFT, VolumeManager, "_clear_db", 'volume.migration_status.startswith("target:")', "True"
    ),
    "M41 the record of the old volume goes first (LP 1483155)": one(
        LEFT, VolumeManager, "_delete_volume", 'event = "unmanage" if unmanage_only else "delete"',
        'if volume.migration_status == "deleting":\n        self.db.destroy_volume(volume.id)\n'
        '        self.drive("delete_volume", volume)\n        return\n    event = "delete"',
    ),
    "M33 an old volume that stays is charged": one(
        LEFT, migration, "finish_volume_migration", "temporary.save()",
        "temporary.use_quota = True\n    temporary.save()",
    ),
    "a copy that cannot be named is deleted": one(
        UNNAMED, Migration, "_clean_temporary", 'if volume.migration_status != "migrating":', "if False:"
    ),
    "a copy that cannot be named is hidden for ever": one(
        UNNAMED, Migration, "_clean_temporary", "temporary.migration_status = None", "pass"
    ),
    "a copy that cannot be named is the volume all the same": one(
        UNNAMED, Migration, "update_migrated_volume", "except NotImplementedError:", "except Exception:"
    ),
    "every driver has to name copies (LP 1471807)": one(
        OWN_NAME, Migration, "update_migrated_volume", "except NotImplementedError:", "except KeyError:"
    ),
    "a driver that answers nothing changes nothing": one(
        OWN_NAME, Migration, "update_migrated_volume",
        "fields: ModelUpdate = {\n        \"_name_id\": temporary.name_id, \"provider_location\": "
        "temporary.provider_location\n    }  # fmt: skip",
        'fields: ModelUpdate = {"_name_id": volume._name_id}',
    ),
    "M36 a copy that breaks off is a success (LP 1290317)": one(
        BROKEN_OFF, Migration, "_copy_volume_data",
        "source.is_held = destination.is_held = not (source.has_path and destination.has_path)\n        raise",
        "pass",
    ),
    "M36 a copy that breaks off stays connected": one(
        BROKEN_OFF, Migration, "_copy_volume_data",
        "raise\n    finally:\n        self.cloud.copies.pop(volume.id, None)",
        "return_now = True\n        raise\n    else:\n        self.cloud.copies.pop(volume.id, None)", "lvm",
    ),
    "M36 the destination stays connected": one(
        BROKEN_OFF, Migration, "_copy_volume_data",
        "self.detach_volume_here(destination, temporary, remote=True)\n        finally",
        "pass\n        finally", "lvm",
    ),
    "M33 the creation of a temporary volume begins for who listens (LP 1922920)": one(
        BILLED, VolumeManager, "_create_volume",
        'if volume.use_quota:\n        self.cloud.notifications.volume(volume, "create.start", publisher)',
        'if True:\n        self.cloud.notifications.volume(volume, "create.start", publisher)',
    ),
    "M33 a temporary volume is created for who listens (LP 1922920)": one(
        BILLED, VolumeManager, "_create_volume",
        'if volume.use_quota:\n        self.cloud.notifications.volume(volume, "create.end", publisher)',
        'if True:\n        self.cloud.notifications.volume(volume, "create.end", publisher)',
    ),
    "M33 the deletion of the old volume begins for who listens (LP 1922920)": one(
        BILLED, VolumeManager, "_delete_volume",
        'if volume.use_quota:\n        self.notify(volume, f"{event}.start")',
        'if True:\n        self.notify(volume, f"{event}.start")',
    ),
    "nobody hears of a retype": one(
        BILLED, Retype, "retype", 'self.notify(volume, "retype", volume_type=new_type_id)', "pass"
    ),
    "a failed retype is told as if it were done": one(
        BILLED, Retype, "retype", "self.cloud.quotas.rollback(each, asking.project_id)\n            raise",
        "self.cloud.quotas.rollback(each, asking.project_id)",
    ),
    "M54 who listens to Nova's refusal is nobody": one(
        UNWILLING, Migration, "_migrate_generic",
        "self._clean_temporary(volume, temporary)\n        raise", "self._clean_temporary(volume, temporary)",
    ),
    "M54 Nova's refusal leaves the temporary volume": one(
        UNWILLING, Migration, "_migrate_generic", "self._clean_temporary(volume, temporary)\n        raise",
        "if not volume.volume_attachment:\n            self._clean_temporary(volume, temporary)\n        raise",
    ),
    "M42 after a failed swap the temporary volume stays": one(
        FAILED, Migration, "migrate_volume_completion", f"if error:\n        {DELETES}", "if error:"
    ),
    "M42 after a failed swap a retype goes on": one(
        FAILED, Migration, "migrate_volume_completion",
        '{"migration_status": "error", "status": original_status}', '{"migration_status": "error"}',
    ),
    "M42 after a failed swap the old volume is deleted": one(
        FAILED, Migration, "migrate_volume_completion", f"if error:\n        {DELETES}",
        'if error:\n        self.messaging.cast(self._address(volume), "delete_volume", volume)',
    ),
    "after a failed swap Nova lets go of the old volume": one(
        FAILED, Nova, "_swap_volume", "new.id if failure else disk.attachment_id", "disk.attachment_id"
    ),
    "a service without its driver completes a migration": one(
        NO_DRIVER, Migration, "migrate_volume_completion", "self.require_driver_initialized()", "pass"
    ),
    "a completion without a driver goes on for ever": one(
        NO_DRIVER, Migration, "migrate_volume_completion",
        'except errors.DriverNotInitialized:\n        volume.migration_status = "error"',
        "except errors.DriverNotInitialized:",
    ),
    "M37 attachments are read when they are gone (LP 1659914)": one(
        QUEENS, Migration, "_detach_in_old_flow",
        "return volume.volume_attachment", "return self.db.attachments_of(volume.id)",
    ),
    "M39 every attachment of before Queens becomes read/write (LP 1802155)": one(
        QUEENS, Migration, "migrate_volume_completion", 'attachment.attach_mode or "rw"', '"rw"'
    ),
    "M37 an attachment of before Queens is lost (LP 1614371)": one(
        QUEENS, Migration, "migrate_volume_completion",
        "for attachment in in_old_flow:", "for attachment in ():",
    ),
    "an attachment of before Queens is made anew beside the old one": one(
        QUEENS, Migration, "_detach_in_old_flow", "self.detach_volume(volume.id, attachment.id)", "pass"
    ),
    "an export of before Queens that stays ends the migration": one(
        QUEENS, Migration, "_detach_in_old_flow", "except Exception as error:", "except KeyError as error:"
    ),
    "an attachment of before Queens goes to another place": one(
        QUEENS, Migration, "migrate_volume_completion", "attachment.mountpoint,", "None,"
    ),
    "M36 every copy leaves out zeros": one(
        "migration from/a_volume_arrives_on_used_storage", Migration, "_copy_volume_data",
        'sparse=bool(capabilities.get("sparse_copy_volume", False))', "sparse=True", "nfs",
    ),
    "M36 no copy leaves out zeros (LP 1491538)": one(
        "migration to/what_is_empty_takes_no_space", Migration, "_copy_volume_data",
        'sparse=bool(capabilities.get("sparse_copy_volume", False))', "sparse=False", "lvm-thin",
    ),
    "the source hears of the copy as if it were its own": one(
        "bookkeeping/the_source_hears_of_the_copy", Migration, "_migrate_generic",
        '"after_volume_copy", self.admin, volume, temporary',
        '"after_volume_copy", self.admin, temporary, volume',
    ),
    "M48 the old object goes by what the storage of the copy knows": one(
        OLD, migration, "finish_volume_migration", "in NOT_SWAPPED | hidden",
        'in NOT_SWAPPED | hidden | {"provider_id"}',
    ),
    "M53 readers retype volumes": one(
        WHO, Moves, "retype", "authorize(context, action.rule, volume)", "pass"
    ),
    "M49 a volume that is retyped is available meanwhile": one(
        RETYPING, Moves, "retype", '"status": "retyping", ', ""
    ),
    "M54 Nova does not copy what the guest writes meanwhile": one(
        MEANWHILE, Disk, "mirror_to", "while self._dirty:", "while False:"
    ),
    "M54 Nova swaps what QEMU decrypts (NOVA 1749418)": one(
        LUKS, Nova, "_copy_to_new",
        'if encryption is not None and encryption.provider == "luks":', "if False:", "lvm",
    ),
    "M54 Nova swaps what two servers write to": one(
        WRITERS, Nova, "_check_volumes", "if len(writers) > 1:", "if False:"
    ),
    "M54 Nova leaves its connection to the old volume": one(
        ENDED, Nova, "_swap_volume",
        "attachments.delete(self.context, new.id if failure else disk.attachment_id)",
        "if failure:\n        attachments.delete(self.context, new.id)",
    ),
    "the destination of a copy is not disconnected": one(
        ENDED, Connections, "detach_volume_here",
        'self.messaging.call(address, "terminate_connection", volume.id, self.connector, True)', "pass",
    ),
    "the source of a copy is not disconnected": one(
        ENDED, Connections, "detach_volume_here",
        "self.terminate_connection(volume.id, self.connector, True)", "pass",
    ),
    "a copy is disconnected without force": one(
        ENDED, Connections, "detach_volume_here",
        "self.terminate_connection(volume.id, self.connector, True)",
        "self.terminate_connection(volume.id, self.connector, False)",
    ),
    "a swap of Nova's own leaves the old attachment (LP 1489744)": one(
        SWAP, Moves, "_swap_without_migration",
        "self.detach_record(context, volume, attachment.id)", "pass",
    ),
    "a swap of Nova's own attaches nothing (LP 1489744)": one(
        SWAP, Moves, "_swap_without_migration", "self.attach_record(", "(lambda *each: None)("
    ),
    "a swap of Nova's own is done although it failed (LP 1489744)": one(
        SWAP, Moves, "_swap_without_migration", "if not error:", "if True:"
    ),
    "a service without its driver begins to retype": one(
        "trouble/a_service_without_its_driver_does_nothing", Retype, "retype",
        "self.require_driver_initialized()", "pass",
    ),
    # -------------------------------------------------------------------------------------------- ways
    "types that are alike are the driver's business": one(
        DIFFERS, retype, "volume_types_diff", "return diff, equal", "return diff, False"
    ),
    "types are alike whose extra specs differ": one(
        DIFFERS, retype, "volume_types_diff", "for section in diff.values()",
        'for section in (diff["qos_specs"], diff["encryption"])',
    ),
    "types are alike whose limits differ": one(
        DIFFERS, retype, "volume_types_diff", "for section in diff.values()",
        'for section in (diff["extra_specs"], diff["encryption"])',
    ),
    "types are alike if the new one has what the old one had": one(
        DIFFERS, volume_types, "_pairs", "for key in {**old, **new}", "for key in new"
    ),
    "types are alike whoever sets the limits": one(
        DIFFERS, volume_types, "_qos", '"consumer": volume_type.qos_specs.consumer, ', ""
    ),
    "M45 limits are called differently, and so they differ (LP 1901188)": one(
        DIFFERS, volume_types, "_qos",
        '"consumer": volume_type.qos_specs.consumer', '"id": volume_type.qos_specs.id',
    ),
    "M28 the driver moves volumes whose limits change": one(
        MORE, migration, "can_use_driver_migration",
        'if diff["qos_specs"] or diff["encryption"]:', 'if diff["encryption"]:',
    ),
    "M28 the driver moves volumes whatever extra specs change": one(
        MORE, migration, "can_use_driver_migration",
        'not set(diff["extra_specs"]) - {"volume_backend_name", "RESKEY:availability_zones"}', "True",
    ),
    "M28 a type that names zones keeps the driver from moving": one(
        MORE, migration, "can_use_driver_migration",
        '{"volume_backend_name", "RESKEY:availability_zones"}', '{"volume_backend_name"}',
    ),
    "M43 another encryption is the driver's business": one(
        CIPHER, Retype, "retype", 'not diff["encryption"] and ', "", "lvm"
    ),
    "M45 types that are encrypted alike differ (LP 1700741)": one(
        CIPHER, volume_types, "_encryption",
        "**volume_type.encryption._asdict()", '"encryption_id": volume_type.id', "lvm",
    ),
    "M34 a volume gets a key for every migration": one(
        KEY, Migration, "_create_temporary", "if volume.hides_admin_metadata:",
        'if volume.encryption_key_id:\n'
        '        values["encryption_key_id"] = self.cloud.key_manager.create_key()\n'
        "    if volume.hides_admin_metadata:", "lvm",
    ),
    "M34 the key goes with the old volume": one(
        KEY, VolumeManager, "_delete_volume", "self.db.destroy_volume(volume.id)",
        "self.cloud.key_manager.delete_key(volume.encryption_key_id)\n"
        "    self.db.destroy_volume(volume.id)", "lvm",
    ),
    "M36 every encrypted volume is decrypted on the way": one(
        KEY, Migration, "_copy_volume_data",
        "encryption_changed(self.db, volume.volume_type_id, temporary.volume_type_id)", "True", "lvm",
    ),
    "M43 a driver that fails to retype ends the retype": one(
        RAISES, Retype, "_retype_by_driver", "return False, None", "raise"
    ),
    "M43 a driver that fails to retype has retyped": one(
        RAISES, Retype, "_retype_by_driver", "return False, None", "return True, None"
    ),
    "M43 the driver of another back-end is asked to retype (LP 1452823, LP 1652802)": one(
        "retypes/a_retype_moves_record_and_data_together", Retype, "retype",
        'self.is_our_backend(host["host"], host.get("cluster_name"))', "True",
    ),
    "a replicated volume is copied for its type": one(
        REPLICATED, Retype, "_refuse_migration",
        "if volume.replication_status not in NOT_REPLICATED:", "if False:",
    ),
    "M49 an operator is charged for what it retypes (LP 1505307)": one(
        CHARGED, Moves, "retype",
        "reservations = self.cloud.reserve(volume.project_id, kind.id",
        "reservations = self.cloud.reserve(context.project_id, kind.id",
    ),
    "M28 a volume that the driver moves belongs to no cluster": one(
        CLUSTER, Migration, "_migrate_assisted", '"cluster_name": host.get("cluster_name"),', ""
    ),
    "a copied volume belongs to no cluster": one(
        CLUSTER, Migration, "_create_temporary", 'cluster_name=host.get("cluster_name"),', "", "lvm"
    ),
    "the scheduler forgets the cluster": one(
        CLUSTER, scheduler, "_host", '"cluster_name": pool.cluster_name', '"cluster_name": None', "lvm",
    ),
    "a retype takes a volume out of its cluster": one(
        IN_CLUSTER, Retype, "_retyped_in_place", 'host.get("cluster_name")', "None"
    ),
    "M55 what could not be taken over is charged with its size": one(
        LOST, Managing, "manage_existing", "self.cloud.quotas.rollback(reservations)", "pass"
    ),
    "what was taken over is charged with no size": one(
        LOST, Managing, "manage_existing",
        "self.cloud.quotas.commit(reservations)", "self.cloud.quotas.rollback(reservations)",
    ),
    "what was taken over is counted by no pool": one(
        LOST, Managing, "manage_existing", "self.change_allocated_capacity(volume.host, size)", "pass"
    ),
    "the deletion of what could not be taken over gives something back": one(
        LOST, VolumeManager, "_delete_volume", ' and volume.status != "error_managing_deleting"', ""
    ),
    "what could not be taken over is deleted like any other": one(
        LOST, Volumes, "remove_volume", 'if volume.status == "error_managing":', "if False:"
    ),
}  # fmt: skip
"""By what is wrong."""

EVERY_FAULT = {**FAULTS, **OF_MOVES, **OF_TELLING}
