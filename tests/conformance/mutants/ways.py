"""Faults of the control plane in the way that a retype or a migration takes.

They are planted like those of `control_plane`. Names that begin with M, and numbers of bugs, say what they were
made of.
"""

from __future__ import annotations

from harness.control_plane import migration, retype, scheduler, volume_types
from harness.control_plane.api.moves import Moves
from harness.control_plane.api.volumes import Volumes
from harness.control_plane.managing import Managing
from harness.control_plane.migration import Migration
from harness.control_plane.retype import Retype
from harness.control_plane.volume_manager import VolumeManager
from tests.conformance.mutants.control_plane import Fault, one

WAYS = "ways/"
RETYPING, KEY, DIFFERS, MORE, CIPHER, RAISES, REPLICATED = (
    WAYS + "a_volume_is_retyping_until_it_is_retyped",
    WAYS + "a_migrated_volume_keeps_its_key",
    WAYS + "only_what_differs_is_the_drivers_business",
    WAYS + "a_retype_of_more_than_the_place_is_a_copy",
    WAYS + "encryption_is_no_drivers_business",
    WAYS + "a_driver_that_fails_to_retype_is_copied_from",
    WAYS + "what_is_replicated_is_not_copied_for_a_retype",
)
CHARGED, CLUSTER, IN_CLUSTER, LOST = (
    WAYS + "whoever_asks_the_owner_is_charged",
    WAYS + "a_volume_that_moves_to_a_cluster_belongs_to_it",
    WAYS + "a_volume_that_is_retyped_in_a_cluster_stays_there",
    WAYS + "what_could_not_be_taken_over_keeps_its_charge",
)

OF_WAYS: dict[str, Fault] = {
    "M49 a volume that is retyped is available meanwhile": one(
        RETYPING, Moves, "retype", '"status": "retyping", ', ""
    ),
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
