"""Faults of the control plane in what it refuses, and whom.

They are planted like those of `control_plane`. Names that begin with M, and numbers of bugs, say what they were
made of.
"""

from __future__ import annotations

from harness.control_plane.api import moves
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.moves import Moves
from harness.control_plane.retype import Retype
from harness.control_plane.scheduler import Scheduler
from tests.conformance.mutants.control_plane import Fault, one

REFUSALS = "refusals/"
AT_WORK, AT_REST, NOBODY, WHO, STAYS, TYPED, SIZES = (
    REFUSALS + "what_is_at_work_does_not_migrate",
    REFUSALS + "what_is_at_rest_migrates",
    REFUSALS + "a_migration_needs_somebody_at_its_destination",
    REFUSALS + "who_may_move_a_volume",
    REFUSALS + "what_no_pool_takes_stays",
    REFUSALS + "what_is_at_work_is_not_retyped",
    REFUSALS + "a_type_takes_volumes_of_its_sizes",
)
UNDONE, NO_QUOTA, ZONE, COMPLETED = (
    REFUSALS + "a_retype_that_no_pool_takes_is_undone",
    REFUSALS + "a_type_without_quota_is_refused",
    REFUSALS + "a_retype_stays_in_its_zone",
    REFUSALS + "a_completion_is_of_a_migration",
)
IN_A_GROUP = '"group_id": (None, ""),'
IN_A_CONSISTENCY_GROUP = '"consistencygroup_id": (None, ""),'

OF_REFUSALS: dict[str, Fault] = {
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
    "M53 readers retype volumes": one(
        WHO, Moves, "retype", "authorize(context, action.rule, volume)", "pass"
    ),
}  # fmt: skip
"""By what is wrong."""
