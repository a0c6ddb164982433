"""What happens when the source's driver moves the volume itself.

Only detached volumes are offered to the driver, since 25.3.1. If it raises, there is no second way: the
migration fails.
Source: `cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume`,
`cinder.volume.drivers.rbd:RBDDriver.migrate_volume`.
"""

from __future__ import annotations

from harness.matrix.rules_situation import Rule, Situation, Stage

_LVM = "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume"
_RBD = "cinder.volume.drivers.rbd:RBDDriver.migrate_volume"


def _shows_stale_extents(s: Situation) -> bool:
    """Skipped blocks keep a former tenant's bytes. Under a cipher nobody can read them."""
    return s.lvm_moves and s.source.thin and s.to_thick and not s.encrypted


ASSISTED: tuple[Rule, ...] = (
    Rule(
        name="lvm-same-group", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.lvm_offered and s.same_container,
        reason="The LVM driver takes one volume group behind two back-ends for a misconfiguration and raises.",
        source=_LVM,
    ),
    # the copy
    Rule(
        name="rbd-moved-under-server", stage=Stage.ASSISTED, outcome="data-loss",
        applies=lambda s: s.rbd_copies and s.in_use,
        reason="The RBD driver takes the status retyping for detached, and copies the image under its server.",
        source=_RBD, violations=dict.fromkeys(("data", "life_after"), "LP-2019190"),
    ),
    Rule(
        name="lvm-copy-fails", stage=Stage.SERVICE, outcome="failed-dirty",
        applies=lambda s: s.lvm_moves and s.precondition == "copy-fails",
        reason="The LVM driver's copy breaks off, and its cleanup asks for a wrong name.",
        source=_LVM, violations={"objects": "CRU-LVM-ASSISTED-CLEANUP"},
    ),
    Rule(
        name="rbd-copy-fails", stage=Stage.SERVICE, outcome="failed-clean",
        applies=lambda s: s.rbd_copies and s.precondition == "copy-fails",
        reason="The RBD driver's copy breaks off, and the new image is removed.", source=_RBD,
    ),
    # the removal of the old object
    Rule(
        name="lvm-wiped-under-server", stage=Stage.SERVICE, outcome="data-loss",
        applies=lambda s: s.lvm_moves and s.source_wipes and s.attached_meanwhile,
        reason="The LVM driver wipes the old volume while a server has it open, and then cannot remove it.",
        source=_LVM, violations={"data": "CRU-LVM-ASSISTED-WIPE", "objects": "CRU-ASSISTED-SECOND-COPY"},
    ),
    Rule(
        name="lvm-open", stage=Stage.SERVICE, outcome="failed-dirty",
        applies=lambda s: s.lvm_moves and s.attached_meanwhile,
        reason="The LVM driver cannot remove the old thin volume, because a server has it open.",
        source=_LVM, violations={"objects": "CRU-ASSISTED-SECOND-COPY"},
    ),
    Rule(
        name="rbd-watched", stage=Stage.SERVICE, outcome="failed-dirty",
        applies=lambda s: s.rbd_copies and s.attached_meanwhile,
        reason="The RBD driver cannot remove the old image, because a server watches it.",
        source=_RBD, violations={"objects": "CRU-ASSISTED-SECOND-COPY"},
    ),
    Rule(
        name="lvm-wiped-and-kept", stage=Stage.SERVICE, outcome="data-loss",
        applies=lambda s: s.lvm_moves
        and s.source_wipes
        and s.precondition == "source-delete-fails"
        and s.cell.fill != "empty",
        reason="The LVM driver wipes the old volume, cannot remove it, and the record stays with it.",
        source=_LVM, violations={"data": "CRU-LVM-ASSISTED-WIPE", "objects": "CRU-ASSISTED-SECOND-COPY"},
    ),
    Rule(
        name="lvm-second-copy", stage=Stage.SERVICE, outcome="failed-dirty",
        applies=lambda s: s.lvm_moves and s.precondition == "source-delete-fails",
        reason="The LVM driver cannot remove the old volume, and the new one stays without a record.",
        source=_LVM, violations={"objects": "CRU-ASSISTED-SECOND-COPY"},
    ),
    Rule(
        name="rbd-second-copy", stage=Stage.SERVICE, outcome="failed-dirty",
        applies=lambda s: s.rbd_copies and s.precondition == "source-delete-fails",
        reason="The RBD driver cannot remove the old image, and keeps the new one for safety.",
        source=_RBD, violations={"objects": "CRU-ASSISTED-SECOND-COPY"},
    ),
    # done
    Rule(
        name="lvm-thin-to-thick", stage=Stage.ASSISTED, outcome="data-loss", applies=_shows_stale_extents,
        reason="The LVM driver skips zeroes, where the thick new volume shows a former tenant's bytes.",
        source=_LVM, violations={"data": "CRU-THIN-TO-THICK-SPARSE"},
    ),
    Rule(
        name="lvm-moves", stage=Stage.ASSISTED, outcome="succeeded", applies=lambda s: s.lvm_moves,
        reason="The LVM driver copies the volume to the other volume group of its node.", source=_LVM,
    ),
    Rule(
        name="rbd-same-pool", stage=Stage.ASSISTED, outcome="succeeded",
        applies=lambda s: s.rbd_moves and s.same_container,
        reason="Both back-ends are one RBD pool, so only the record changes.", source=_RBD,
    ),
    Rule(
        name="rbd-moves", stage=Stage.ASSISTED, outcome="succeeded", applies=lambda s: s.rbd_moves,
        reason="The RBD driver copies the image to the other pool of its cluster.", source=_RBD,
    ),
)  # fmt: skip
