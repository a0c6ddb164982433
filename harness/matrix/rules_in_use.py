"""The generic path of an attached volume: Nova swaps the temporary volume in.

Until Nova's API has accepted, an error reaches Cinder's service at once. Later ones reach it as
``migrate_volume_completion(error=True)``, when a retype has long committed its quota.
Source: `nova.compute.api:API.swap_volume`, `nova.virt.libvirt.driver:LibvirtDriver.swap_volume`.
"""

from __future__ import annotations

from harness.matrix.rules_situation import LUKS_HEADER_MIB, Rule, Situation, Stage

_API = "nova.compute.api:API.swap_volume"
_COMPUTE = "nova.compute.manager:ComputeManager._swap_volume"
_LIBVIRT = "nova.virt.libvirt.driver:LibvirtDriver.swap_volume"


def _sizes_differ(s: Situation) -> bool:
    """The guest's device would change its size: the block job needs equal bytes."""
    return s.swapped and LUKS_HEADER_MIB[s.before] != LUKS_HEADER_MIB[s.after]


IN_USE: tuple[Rule, ...] = (
    # Nova's API
    Rule(
        name="absent-server", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.swapped and s.precondition == "absent-server",
        reason="Nova does not know the server of the attachment.", source=_API,
    ),
    Rule(
        name="not-attached", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.swapped and s.precondition == "not-attached",
        reason="Nova does not know that the server has the volume.", source=_API,
    ),
    Rule(
        name="swap-forbidden", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.swapped and s.precondition == "swap-forbidden",
        reason="Nova's policy does not let Cinder swap volumes.", source="nova.policies.volumes_attachments",
    ),
    Rule(
        name="server-not-running", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.swapped and s.precondition in ("server-stopped", "server-shelved"),
        reason="Nova swaps volumes of active, paused and resized servers only.", source=_API,
    ),
    Rule(
        name="cross-az-forbidden", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.swapped and s.precondition == "cross-az-forbidden",
        reason="Nova does not attach volumes of another availability zone.", source=_API,
    ),
    Rule(
        name="multi-attached", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.swapped and s.cell.status == "multi-attached",
        reason="Nova does not swap a volume that several servers write to.",
        source=_API, fault="OPEN-MULTIATTACH-LOOP",
    ),
    Rule(
        name="multi-read-only", stage=Stage.TEMPORARY, outcome="failed-dirty",
        applies=lambda s: s.swapped and s.cell.status == "multi-read-only",
        reason="Nova swaps for the first server while the second one's swap of the same volume is refused, and "
        "Cinder deletes the volume that the first one gets.",
        source="cinder.volume.manager:VolumeManager._migrate_volume_generic",
        violations={"objects": "OPEN-MULTIATTACH-LOOP"},
    ),
    # Nova's compute service
    Rule(
        name="swap-export-fails", stage=Stage.SWAP, outcome="failed-clean",
        applies=lambda s: s.swapped and s.precondition == "destination-export-fails",
        reason="The destination's driver fails to export the temporary volume to the server's host.",
        source=_COMPUTE,
    ),
    Rule(
        name="swap-luks", stage=Stage.SWAP, outcome="failed-clean",
        applies=lambda s: s.swapped and "luks" in (s.before, s.after),
        reason="Nova does not swap volumes that QEMU itself decrypts.", source=_LIBVIRT,
    ),
    Rule(
        name="swap-needs-host-device", stage=Stage.SWAP, outcome="failed-clean",
        applies=lambda s: s.swapped and s.cell.nova == "20" and s.to_rbd,
        reason="This Nova swaps host devices in only, and RBD has none.", source=_LIBVIRT,
    ),
    Rule(
        name="swap-sizes-differ", stage=Stage.SWAP, outcome="failed-clean", applies=_sizes_differ,
        reason="With or without its LUKS header the guest's disk would change its size, which QEMU refuses.",
        source="nova.virt.libvirt.driver:LibvirtDriver._swap_volume",
    ),
    Rule(
        name="block-job-fails", stage=Stage.SWAP, outcome="failed-clean",
        applies=lambda s: s.swapped and s.precondition == "copy-fails",
        reason="QEMU's block job fails, and the guest stays on the old volume.",
        source="nova.virt.libvirt.driver:LibvirtDriver._swap_volume",
    ),
    # done
    Rule(
        name="swapped-source-delete-fails", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.swapped and s.precondition == "source-delete-fails",
        reason="The guest runs on the new volume, and the old object stays with a record in error_deleting.",
        source="cinder.volume.manager:VolumeManager._clear_db",
    ),
    Rule(
        name="swapped-paused", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.swapped and s.precondition == "server-paused",
        reason="Nova swaps volumes of paused servers.", source=_API,
    ),
    Rule(
        name="swapped-resized", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.swapped and s.precondition == "server-resized",
        reason="Nova swaps volumes of servers whose resize is not confirmed yet.", source=_API,
    ),
    Rule(
        name="swapped-locked", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.swapped and s.precondition == "server-locked",
        reason="A server's lock does not stop Cinder, whose user is an admin.", source=_API,
    ),
    Rule(
        name="swapped-in-cluster", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.swapped and s.same_cluster and not s.in_place,
        reason="Nova copies what the RBD driver could have moved, because the volume is attached.",
        source="cinder.volume.manager:VolumeManager.migrate_volume", fault="OPEN-INUSE-ASSIST",
    ),
    Rule(
        name="swapped-without-retype", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.swapped and s.in_place and not s.source.retypes and not s.encrypted,
        reason="The driver retypes nothing in place, so Nova copies the volume onto its own back-end.",
        source="cinder.volume.driver:BaseVD.retype",
    ),
    Rule(
        name="swapped-in-place", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.swapped and s.in_place,
        reason="Both types are encrypted alike, so Nova copies the volume onto its own back-end for nothing.",
        source="cinder.volume.manager:VolumeManager.retype", fault="OPEN-SAME-ENC",
    ),
    Rule(
        name="swapped", stage=Stage.GENERIC, outcome="succeeded", applies=lambda s: s.swapped,
        reason="Nova copies the volume under the running guest and swaps it.", source=_LIBVIRT,
    ),
)  # fmt: skip
