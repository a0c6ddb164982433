"""What an operation leaves behind merely because it got as far as it did: counters, quota, keys, flags.

These known faults are not reasons for an outcome. They accompany many rules, so they are declared once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.matrix.rules_situation import Rule, Situation, Stage


@dataclass(frozen=True)
class Aftermath:
    """A known fault that breaks `invariant` after every rule that it applies to."""

    invariant: str
    fault: str
    applies: Callable[[Situation, Rule], bool]


def _old_object_stays(s: Situation, rule: Rule) -> bool:
    """Its deletion is the last step of a copy, and too late to fail the operation."""
    return rule.stage is Stage.GENERIC and s.precondition == "source-delete-fails"


def _both_records_stay(s: Situation, rule: Rule) -> bool:
    """Then counters and keys still match the records."""
    return rule.temporary_stays or _old_object_stays(s, rule)


def _drifts(s: Situation, rule: Rule) -> bool:
    """The destination counts from the creation on, and nobody counts down for a temporary volume."""
    counted = rule.stage in (Stage.TEMPORARY, Stage.SWAP, Stage.GENERIC) and not _both_records_stay(s, rule)
    return counted or rule.stage is Stage.ASSISTED


def _leaks_key(s: Situation, rule: Rule) -> bool:
    """With the temporary record goes the old key after a success, and the new key after a failure."""
    if not s.encryption_changes or _both_records_stay(s, rule):
        return False
    if rule.stage is Stage.GENERIC:
        return s.before != "none"
    return rule.stage in (Stage.TEMPORARY, Stage.SWAP) and s.after != "none"


def _rolls_back_elsewhere(s: Situation, rule: Rule) -> bool:
    """The admin of the matrix has a project of his own; a member has the volume's."""
    return s.retype and rule.stage in (Stage.SERVICE, Stage.TEMPORARY)


def _loses_extension(s: Situation, rule: Rule) -> bool:
    """The swap brings the temporary record's size, and quota has no part in a swap."""
    return rule.stage is Stage.GENERIC and s.extended_meanwhile


def _misses_header(s: Situation, rule: Rule) -> bool:
    """Raw bytes replace the RBD driver's header; other drivers leave formatting to the first attach."""
    never_attached = s.available and s.cell.fill == "empty" and not s.from_rbd
    return rule.stage is Stage.GENERIC and never_attached and s.to_rbd and s.before == s.after == "luks"


def _cannot_be_extended(s: Situation, rule: Rule) -> bool:
    """The record of the raw file that dd has made says qcow2, and qemu-img is told so.

    A member's retype does not reach `admin_metadata`, where the format stands: it stays raw, and is right.
    """
    raw_file = s.offline and s.destination.qcow2 and not s.source.qcow2
    return raw_file and rule.stage is Stage.GENERIC and s.precondition != "member"


def _loses_format(s: Situation, rule: Rule) -> bool:
    """It stands in the temporary record's `admin_metadata`, which goes with it; an NFS volume keeps its own."""
    fresh = s.offline and s.to_nfs and s.source.kind != "nfs"
    return fresh and s.precondition == "member" and rule.stage is Stage.GENERIC


def _deletes_attachments(s: Situation, rule: Rule) -> bool:
    """The temporary record is deleted before its attachments have been moved to the user's."""
    return (
        s.cell.casts == "immediate"
        and s.swapped
        and rule.stage is Stage.GENERIC
        and not _old_object_stays(s, rule)
    )


def _keeps_export(s: Situation, rule: Rule) -> bool:
    """The export of the temporary volume is removed when its record is that of the old one already."""
    return s.cell.casts == "lazy" and s.offline and rule.stage is Stage.GENERIC and s.destination.kind == "lvm"


def _keeps_export_for_good(s: Situation, rule: Rule) -> bool:
    """A volume that has kept its temporary name finds it again when it is next detached."""
    return _keeps_export(s, rule) and not s.same_container and s.precondition != "rename-fails"


def _swapped_into_the_void(s: Situation, rule: Rule) -> bool:
    """The first server ends on the volume that is being deleted, and the deletion takes its attachment along.

    Thin LVM has nothing to wipe: the volume goes before the server is connected to it.
    """
    at_once = s.destination.kind == "lvm" and s.destination.thin
    return rule.name == "multi-read-only" and not at_once


AFTERMATH: tuple[Aftermath, ...] = (
    Aftermath(
        "names", "LP-2117273",
        lambda s, rule: rule.stage is Stage.ASSISTED and not s.ways.writes_service_uuid,
    ),
    Aftermath("capacity", "OPEN-ALLOC", _drifts),
    Aftermath("keys", "OPEN-KEY-LEAK", _leaks_key),
    Aftermath(
        "quota", "CRU-RETYPE-REFUSED-RESERVATIONS",
        lambda s, rule: s.retype and rule.stage is Stage.SCHEDULER,
    ),
    Aftermath("quota", "CRU-RETYPE-FOREIGN-RESERVATIONS", _rolls_back_elsewhere),
    Aftermath("quota", "OPEN-INUSE-QUOTA", lambda s, rule: s.retype and rule.stage is Stage.SWAP),
    Aftermath(
        "statuses", "CRU-MULTIATTACH-KEPT",
        lambda s, rule: s.becomes_multiattach and rule.stage is not Stage.API and not rule.stage.done,
    ),
    Aftermath(
        "statuses", "OPEN-MULTIATTACH-FLAG",
        lambda s, rule: s.becomes_multiattach
        and rule.stage is Stage.GENERIC
        and s.cell.casts != "immediate",  # the API sets the flag when all is over
    ),
    Aftermath("objects", "CRU-SOURCE-DELETE-LEFTOVER", _old_object_stays),
    Aftermath("statuses", "CRU-SOURCE-DELETE-LEFTOVER", _old_object_stays),
    Aftermath("statuses", "CRU-EDIT-LOST", lambda s, rule: s.renamed_meanwhile and rule.stage is Stage.GENERIC),
    Aftermath("statuses", "CRU-EXTEND-LOST", _loses_extension),
    Aftermath("quota", "CRU-EXTEND-LOST", _loses_extension),
    Aftermath(
        "objects", "CRU-EXTEND-ASSISTED",
        lambda s, rule: s.driver_copies and s.extended_meanwhile and rule.stage is Stage.ASSISTED,
    ),
    # The store of a thick snapshot is no larger than its origin, and is cleared by the record's size.
    Aftermath(
        "life_after", "CRU-EXTEND-ASSISTED",
        lambda s, rule: s.lvm_moves
        and s.to_thick
        and s.destination.wipes
        and s.extended_meanwhile
        and rule.stage is Stage.ASSISTED,
    ),
    Aftermath(
        "attachments", "CRU-READONLY-LOST",
        lambda s, rule: s.retype
        and s.cell.status == "read-only"
        and s.precondition == "member"
        and rule.stage is Stage.GENERIC,
    ),
    Aftermath("life_after", "CRU-MEMBER-NFS-FORMAT", _loses_format),
    Aftermath("attachments", "CRU-DELETE-TAKES-ATTACHMENTS", _deletes_attachments),
    Aftermath("life_after", "CRU-DELETE-TAKES-ATTACHMENTS", _deletes_attachments),
    Aftermath(
        "exports", "CRU-DELETE-TAKES-ATTACHMENTS",
        lambda s, rule: _deletes_attachments(s, rule) and s.destination.exports,
    ),
    Aftermath("attachments", "OPEN-MULTIATTACH-LOOP", _swapped_into_the_void),
    Aftermath(
        "exports", "OPEN-MULTIATTACH-LOOP",
        lambda s, rule: rule.name == "multi-read-only" and s.destination.exports,
    ),
    Aftermath("exports", "CRU-LATE-REMOVE-EXPORT", _keeps_export),
    Aftermath("life_after", "CRU-LATE-REMOVE-EXPORT", _keeps_export_for_good),
    Aftermath("life_after", "CRU-LUKS-UNFORMATTED", _misses_header),
    Aftermath("life_after", "OPEN-NFS-QCOW2", _cannot_be_extended),
)  # fmt: skip
"""In order: where two break one invariant, the first is named."""
