"""What the API refuses, in the order in which it checks, and the cells that cannot exist.

Source: `cinder.volume.api:API.migrate_volume`, `cinder.volume.api:API.retype`.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.matrix.axes import PRECONDITION
from harness.matrix.rules_situation import Rule, Situation, Stage

_MIGRATE = "cinder.volume.api:API.migrate_volume"
_RETYPE = "cinder.volume.api:API.retype"

NOVA_PRECONDITIONS = (
    "server-stopped",
    "server-shelved",
    "server-paused",
    "server-resized",
    "server-locked",
    "swap-forbidden",
    "cross-az-forbidden",
    "absent-server",
    "not-attached",
)
_STATUS_PRECONDITIONS = ("attaching", "error", "maintenance")
_FRONT_END_QOS = ("front-end-qos", "no-front-end-qos")
_MIGRATE_ENCRYPTIONS = ("none", "luks", "luks2")


def _of_the_other_operation(s: Situation) -> bool:
    """The cell sets something that its operation does not have."""
    meaning = PRECONDITION.known.get(s.precondition, "")
    if s.migrate:
        return (
            s.cell.type not in ("none", "same")
            or s.cell.encryption not in _MIGRATE_ENCRYPTIONS
            or s.cell.policy != "on-demand"
            or meaning.startswith("retype only")
        )
    return (
        s.cell.type == "same"
        or s.cell.lock == "yes"
        or s.cell.force == "yes"
        or meaning.startswith("migrate only")
    )


def _contradicts_status(s: Situation) -> bool:
    """The precondition or the interference needs a volume in another status."""
    if s.in_use:
        return s.cell.meanwhile != "nothing" or s.precondition in (
            *_STATUS_PRECONDITIONS,
            "source-export-fails",
        )
    return s.precondition in (*NOVA_PRECONDITIONS, "multiattach-in-use")


def _contradicts_type(s: Situation) -> bool:
    """Multi-attached and encrypted exclude each other; an encrypted new type cannot be unencrypted."""
    if s.cell.multi_attached:
        already = s.cell.type == "multiattach" or s.precondition in (
            "multiattach-in-use",
            "multiattach-encrypted",
        )
        return s.encrypted or already
    return (
        s.precondition == "multiattach-encrypted" and s.before != "none" and s.cell.encryption.endswith("-none")
    )


def impossible(s: Situation) -> bool:
    """True for cells that contradict themselves, or whose volume cannot exist on the source."""
    return (
        _of_the_other_operation(s)
        or _contradicts_status(s)
        or _contradicts_type(s)
        or (s.from_rbd and s.before == "luks2")
        or _not_on_nfs(s)
        or _without_a_point(s)
        or _no_type_leads_there(s)
        or _no_type_leads_elsewhere(s)
        or _can_never_be_full(s)
        or _within_a_cluster(s)
        or (s.precondition == "one-share" and not (s.available and s.two_nfs))
    )


def _within_a_cluster(s: Situation) -> bool:
    """The services of an active/active cluster are one place, and nothing moves between them."""
    cluster = s.source.service_cluster
    return cluster is not None and cluster == s.destination.service_cluster and not s.in_place


def _without_a_point(s: Situation) -> bool:
    """A driver that nobody knows renames in its own way: no fault can be planned for that."""
    return s.precondition == "rename-fails" and s.destination.kind == "other"


def _not_on_nfs(s: Situation) -> bool:
    """NFS has snapshots only where they are configured, and no encryption here so far; not all have
    multiattach.
    """
    if not s.source.multiattach and s.cell.multi_attached:
        return True
    if s.precondition == "snapshot" and not s.source.snapshots:
        return True
    return (s.from_nfs or s.to_nfs) and s.cell.encryption != "none"


def _can_never_be_full(s: Situation) -> bool:
    """With the ratio auto a thin pool promises the more the more it has promised. Of a driver that nobody knows
    only the scheduler's part is known.
    """
    never = s.destination.thin and s.destination.over_subscription == "auto"
    unknown = s.destination.kind == "other" and (s.in_place or not s.destination.measured)
    return s.precondition == "no-capacity" and (never or unknown)


def _no_type_leads_elsewhere(s: Situation) -> bool:
    """A type that fits the source but not the destination needs back-ends of different names."""
    same_name = s.source.volume_backend_name == s.destination.volume_backend_name
    return s.migrate and s.precondition == "specs-mismatch" and same_name


def _no_type_leads_there(s: Situation) -> bool:
    """Two back-ends of one name: a type that names the destination lets the volume stay where it is."""
    same_name = s.source.volume_backend_name == s.destination.volume_backend_name
    return s.retype and not s.in_place and same_name


def _refusal(
    name: str, code: int, applies: Callable[[Situation], bool], reason: str, source: str = _MIGRATE
) -> Rule:
    return Rule(
        name=name, stage=Stage.API, applies=applies, outcome="refused", reason=reason, source=source, code=code
    )


def _named(*preconditions: str) -> Callable[[Situation], bool]:
    return lambda s: s.precondition in preconditions


REFUSALS: tuple[Rule, ...] = (
    _refusal(
        "impossible", 400, impossible,
        "There is no such cell: its values contradict each other, or its volume cannot be created.",
        "harness.matrix.axes",
    ),
    # the request and its caller
    _refusal(
        "absent-volume", 404, _named("absent-volume"),
        "There is no such volume.", "cinder.volume.api:API.get",
    ),
    _refusal(
        "foreign-member", 404, _named("foreign-member"),
        "A volume of another project does not exist for its callers.",
        "cinder.db.sqlalchemy.api:_volume_get_query",
    ),
    _refusal(
        "no-host", 400, _named("no-host"),
        "A migration must name a host or a cluster.",
        "cinder.api.contrib.admin_actions:VolumeAdminController._migrate_volume",
    ),
    _refusal(
        "host-and-cluster", 400, _named("host-and-cluster"),
        "A migration must name a host or a cluster, and not both.",
        "cinder.api.contrib.admin_actions:VolumeAdminController._migrate_volume",
    ),
    _refusal(
        "member-migrates", 403, lambda s: s.migrate and s.precondition == "member",
        "Only an admin may migrate a volume to a host.", "cinder.policies.volume_actions:MIGRATE_POLICY",
    ),
    # migrate: the service, then one compare-and-swap
    _refusal(
        "absent-host", 400, _named("absent-host"),
        "No volume service has the host that was asked for.",
    ),
    _refusal(
        "service-down", 400, lambda s: s.migrate and s.precondition == "service-down",
        "The destination's service has not been heard of for too long.",
    ),
    _refusal(
        "service-disabled", 400, lambda s: s.migrate and s.precondition == "service-disabled",
        "The destination's service is disabled.",
    ),
    _refusal(
        "same-host", 400,
        lambda s: s.precondition == "same-host"
        or (s.migrate and s.in_place and s.precondition not in ("absent-pool", "absent-host")),
        "The volume is already on the host that was asked for.",
    ),
    _refusal(
        "snapshot", 400, lambda s: s.migrate and s.precondition == "snapshot",
        "A volume with snapshots cannot be migrated.",
    ),
    _refusal(
        "replicated", 400, lambda s: s.migrate and s.precondition == "replicated",
        "A replicated volume cannot be migrated.",
    ),
    # retype: the new type, then its quota, then one compare-and-swap
    _refusal(
        "absent-type", 404, _named("absent-type"),
        "There is no such volume type.", _RETYPE,
    ),
    _refusal(
        "type-size", 400, _named("min-size", "max-size"),
        "The new type does not allow volumes of this size.",
        "cinder.volume.volume_types:provision_filter_on_size",
    ),
    _refusal(
        "multiattach-in-use", 400,
        lambda s: s.in_use and s.becomes_multiattach and s.precondition != "same-type",
        "Multiattach cannot change while the volume is in use.", _RETYPE,
    ),
    _refusal(
        "type-quota", 413, _named("quota-volumes", "quota-gigabytes"),
        "The new type's quota is used up.", "cinder.quota_utils:get_volume_type_reservation",
    ),
    Rule(
        name="release-fails", stage=Stage.API, applies=_named("release-fails"), outcome="failed-dirty",
        reason="The API takes back what it has not changed yet: the volume gets its previous status, of which "
        "there is none, and what was reserved for the new type stays reserved.",
        source=_RETYPE,
        violations=dict.fromkeys(("quota", "statuses"), "OPEN-RETYPE-QUOTAFAIL"),
    ),
    _refusal(
        "same-type", 400, _named("same-type"),
        "The volume has this type already.", _RETYPE,
    ),
    _refusal(
        "front-end-qos-in-use", 400, lambda s: s.in_use and s.cell.type in _FRONT_END_QOS,
        "QoS that the hypervisor enforces cannot change while the volume is in use.",
        "cinder.db.sqlalchemy.api:volume_qos_allows_retype",
    ),
    # both
    _refusal(
        "status", 400, _named("attaching", "error", "maintenance"),
        "The volume is neither available nor in use.",
    ),
    _refusal(
        "migrating", 400, _named("migrating"),
        "Another migration of the volume is under way.",
    ),
    _refusal(
        "temporary", 400, _named("temporary"),
        "The volume is itself the temporary volume of a migration.",
    ),
    _refusal(
        "group", 400, _named("group"),
        "A volume in a group cannot leave it by moving.",
    ),
    _refusal(
        "consistencygroup", 400, _named("consistencygroup"),
        "A volume in a consistency group cannot leave it by moving.",
    ),
)  # fmt: skip
