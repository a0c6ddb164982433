"""What the scheduler refuses, what the source's service decides, and what is retyped without a copy.

Source: `cinder.scheduler.filter_scheduler:FilterScheduler`, `cinder.volume.manager:VolumeManager.retype`.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.matrix.rules_situation import Rule, Situation, Stage

_PASSES = "cinder.scheduler.filter_scheduler:FilterScheduler.backend_passes_filters"
_FIND = "cinder.scheduler.filter_scheduler:FilterScheduler.find_retype_backend"
_CANDIDATES = "cinder.scheduler.host_manager:HostManager._update_backend_state_map"
_RETYPE = "cinder.volume.manager:VolumeManager.retype"
_MIGRATE = "cinder.volume.manager:VolumeManager.migrate_volume"


def _refusal(name: str, applies: Callable[[Situation], bool], reason: str, source: str) -> Rule:
    return Rule(
        name=name, stage=Stage.SCHEDULER, applies=applies, outcome="failed-clean", reason=reason, source=source
    )


def _uninitialised(s: Situation) -> bool:
    """The service that runs the operation has no driver."""
    return s.precondition == "source-uninitialised" or (
        s.in_place and s.precondition == "destination-uninitialised"
    )


SCHEDULING: tuple[Rule, ...] = (
    # which pools there are
    _refusal(
        "service-frozen", lambda s: s.precondition == "service-frozen",
        "The scheduler does not consider a frozen service.", _CANDIDATES,
    ),
    _refusal(
        "service-unavailable", lambda s: s.precondition in ("service-down", "service-disabled"),
        "The scheduler does not consider a service that is down or disabled.", _CANDIDATES,
    ),
    _refusal(
        "service-unheard", lambda s: s.retype and s.in_place and s.precondition == "source-uninitialised",
        "A driver that did not initialise reports no pool to the scheduler.", _CANDIDATES,
    ),
    _refusal(
        "absent-pool", lambda s: s.precondition == "absent-pool",
        "The back-end has no pool of the name that was asked for.", _PASSES,
    ),
    # what the filters say
    _refusal(
        "other-zone", lambda s: s.precondition == "other-zone",
        "No pool is in the availability zone that the new type asks for.",
        "cinder.scheduler.filters.availability_zone_filter:AvailabilityZoneFilter",
    ),
    _refusal(
        "retype-leaves-zone", lambda s: s.retype and not s.same_zone and s.cell.type != "zone",
        "A retype stays in the volume's availability zone, and the new type's pool is in another.",
        "cinder.volume.api:API.retype",
    ),
    _refusal(
        "no-capacity", lambda s: s.precondition == "no-capacity" and not s.in_place,
        "The destination has no room.", "cinder.scheduler.filters.capacity_filter:CapacityFilter",
    ),
    _refusal(
        "specs-mismatch", lambda s: s.precondition == "specs-mismatch",
        "The destination does not have what the volume's type asks for.",
        "cinder.scheduler.filters.capabilities_filter:CapabilitiesFilter",
    ),
    _refusal(
        "without-multiattach",
        lambda s: (s.cell.multi_attached or s.becomes_multiattach)
        and not s.destination.multiattach,
        "The volume's type asks for multiattach, which the destination does not report.",
        "cinder.scheduler.filters.capabilities_filter:CapabilitiesFilter",
    ),
    _refusal(
        "never-elsewhere", lambda s: s.retype and s.cell.policy == "never" and not s.in_place,
        "The new type leads to another pool, and the volume may not be migrated.", _FIND,
    ),
    # the source's service
    Rule(
        name="retype-uninitialised", stage=Stage.SERVICE, outcome="failed-dirty",
        applies=lambda s: s.retype and _uninitialised(s),
        reason="The service that shall retype the volume has no driver, and gives up without its reservations.",
        source=_RETYPE, violations={"quota": "CRU-RETYPE-UNINITIALISED-RESERVATIONS"},
    ),
    Rule(
        name="locked-uninitialised", stage=Stage.SERVICE, outcome="failed-dirty",
        applies=lambda s: s.locked and _uninitialised(s),
        reason="The source's service has no driver, and does not give the volume its status back.",
        source=_MIGRATE, violations={"statuses": "CRU-LOCKED-UNINITIALISED"},
    ),
    Rule(
        name="source-uninitialised", stage=Stage.SERVICE, outcome="failed-clean", applies=_uninitialised,
        reason="The source's service has no driver.", source=_MIGRATE,
    ),
    Rule(
        name="never-qos-removal", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.moves and s.cell.policy == "never" and s.qos_removal_fails and not s.encrypted,
        reason="The driver fails to remove QoS settings that the image never had, and it may not be migrated.",
        source="cinder.volume.drivers.rbd:RBDDriver.retype", fault="CRU-RBD-QOS-REMOVE",
    ),
    Rule(
        name="never-without-retype", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.retype
        and s.moves
        and s.cell.policy == "never"
        and not s.source.retypes
        and not s.encrypted,
        reason="The driver retypes nothing in place, and the volume may not be migrated.", source=_RETYPE,
    ),
    Rule(
        name="never-same-encryption", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.retype and s.moves and s.cell.policy == "never" and not s.encryption_changes,
        reason="The types are encrypted alike, so the driver is not asked, and the volume may not be migrated.",
        source=_RETYPE, fault="OPEN-SAME-ENC",
    ),
    Rule(
        name="never-encryption", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.retype and s.moves and s.cell.policy == "never",
        reason="A change of encryption needs a migration, and the volume may not be migrated.", source=_RETYPE,
    ),
    Rule(
        name="retype-snapshot", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.retype and s.moves and s.precondition == "snapshot",
        reason="The retype needs a migration, and the volume has snapshots.", source=_RETYPE,
    ),
    Rule(
        name="retype-replicated", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.retype and s.moves and s.precondition == "replicated",
        reason="The retype needs a migration, and the volume is replicated.", source=_RETYPE,
    ),
    Rule(
        name="types-equal", stage=Stage.IN_PLACE, outcome="succeeded", applies=lambda s: s.types_equal,
        reason="The types differ in name only, so only the record changes.", source=_RETYPE,
    ),
    Rule(
        name="driver-retypes", stage=Stage.IN_PLACE, outcome="succeeded", applies=lambda s: s.driver_retypes,
        reason="The driver retypes the volume where it is.", source=_RETYPE,
    ),
)  # fmt: skip
