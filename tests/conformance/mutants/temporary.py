"""Faults of the control plane in temporary volumes: what they are like, and what becomes of them.

They are planted like those of `control_plane`. Names that begin with M, and numbers of bugs, say what they were
made of.
"""

from __future__ import annotations

from harness.control_plane import migration
from harness.control_plane.migration import Migration
from harness.control_plane.retype import Retype
from harness.control_plane.volume_manager import VolumeManager
from tests.conformance.mutants.control_plane import Fault, one

TEMPORARY = "temporary volumes/"
TWIN, EMPTY, OLD, FORGOTTEN, LEFT, UNNAMED, OWN_NAME = (
    TEMPORARY + "a_temporary_volume_is_its_volumes_twin",
    TEMPORARY + "a_temporary_volume_is_made_empty",
    TEMPORARY + "the_old_object_is_deleted_by_what_was_on_record",
    TEMPORARY + "a_temporary_volume_that_cannot_be_deleted_is_forgotten",
    TEMPORARY + "an_old_volume_that_stays_can_be_deleted",
    TEMPORARY + "a_copy_that_cannot_be_named_is_kept",
    TEMPORARY + "a_copy_without_another_name_keeps_its_own",
)
BROKEN_OFF, BILLED = (
    TEMPORARY + "a_copy_that_breaks_off_leaves_nothing",
    TEMPORARY + "nobody_is_billed_for_a_temporary_volume",
)

OF_TEMPORARY_VOLUMES: dict[str, Fault] = {
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
}  # fmt: skip
"""By what is wrong."""
