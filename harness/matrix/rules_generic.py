"""The generic path of a volume: the temporary volume for all, and for detached ones attach, copy, completion.

Encryption matters here. With equal specs ciphertext is copied raw; with different ones each encrypted side is
attached through dm-crypt, which needs a host device and takes the LUKS header off the size.
Source: `cinder.volume.manager:VolumeManager._migrate_volume_generic`.
"""

from __future__ import annotations

from harness.matrix.rules_situation import Rule, Situation, Stage

_GENERIC = "cinder.volume.manager:VolumeManager._migrate_volume_generic"
_ATTACH = "cinder.volume.manager:VolumeManager._attach_volume"
_COPY = "cinder.volume.manager:VolumeManager._copy_volume_data"
_COMPLETION = "cinder.volume.manager:VolumeManager.migrate_volume_completion"
_RETYPE = "cinder.volume.manager:VolumeManager.retype"


def _cipher_over_rbd_destination(s: Situation) -> bool:
    return s.offline and s.encryption_changes and s.to_rbd and s.after != "none"


def _cipher_over_rbd_source(s: Situation) -> bool:
    return s.offline and s.encryption_changes and s.from_rbd and s.before != "none"


def _out_of_space(s: Situation) -> bool:
    return s.offline and s.payload_shrinks


def _full_storage(s: Situation) -> bool:
    """The scheduler does not look at the pool that a volume is on.

    Thin pools are only full on paper; the NFS driver itself looks at what is promised of a share.
    """
    return s.generic and s.precondition == "no-capacity" and (s.to_thick or s.to_nfs)


def _loses_the_end(s: Situation) -> bool:
    """An encrypted RBD image is N GiB and its header, and N GiB of it are copied."""
    return s.offline and s.from_rbd and s.before == s.after == "luks" and s.cell.fill == "full"


def _shows_a_tail(s: Situation) -> bool:
    """The copy ends with the shorter source."""
    return s.offline and s.before != "none" and s.after == "none" and s.to_thick


def _leaves_container(s: Situation) -> bool:
    """A new qcow2 volume is copied with its header and tables, to where its bytes are taken for the disk's.

    A qcow2 back-end is not such a place: it looks at a file that is on record as qcow2.
    """
    return s.offline and s.source.qcow2 and not s.destination.qcow2 and not _recognises_container(s)


def _recognises_container(s: Situation) -> bool:
    """Up to 27 the NFS driver looks into the file, not at the record, and tells servers that it is qcow2."""
    return s.to_nfs and not s.ways.nfs_believes_record


def _cuts_container(s: Situation) -> bool:
    """The file is longer than the disk, by its tables, and its last clusters hold the disk's end."""
    return s.offline and s.source.qcow2 and s.cell.fill == "full"


def _replaces_container(s: Situation) -> bool:
    """dd empties the qcow2 file first, and what was a qcow2 volume is a raw one, whatever the record says.

    After the retype of a member, who does not reach `admin_metadata`, the record says what it said before: raw.
    """
    return s.offline and s.destination.qcow2 and not s.source.qcow2 and s.precondition != "member"


TEMPORARY: tuple[Rule, ...] = (
    Rule(
        name="destination-uninitialised", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.generic and s.precondition == "destination-uninitialised",
        reason="The destination's service has no driver to create the temporary volume with.", source=_GENERIC,
    ),
    Rule(
        name="create-fails", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.generic and s.precondition == "create-fails",
        reason="The destination's driver fails to create the temporary volume.", source=_GENERIC,
    ),
    Rule(
        name="create-without-room", stage=Stage.TEMPORARY, outcome="failed-clean", applies=_full_storage,
        reason="The scheduler lets a volume stay on a full pool, where its temporary volume has no room.",
        source="cinder.scheduler.filters.capacity_filter:CapacityFilter",
    ),
    Rule(
        name="rbd-only-luks", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.generic and s.to_rbd and s.after == "luks2",
        reason="The RBD driver creates encrypted volumes with provider luks only.",
        source="cinder.volume.volume_utils:check_encryption_provider",
    ),
)  # fmt: skip

OFFLINE: tuple[Rule, ...] = (
    # attach: the destination first
    Rule(
        name="destination-export-fails", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.offline and s.precondition == "destination-export-fails",
        reason="The destination's driver fails to export the temporary volume.", source=_ATTACH,
    ),
    Rule(
        name="multiattach-encrypted-fails", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.precondition == "multiattach-encrypted"
        and (_cipher_over_rbd_destination(s) or _cipher_over_rbd_source(s) or _out_of_space(s)),
        reason="The API accepts a type that is multiattach and encrypted, and the encrypting copy then fails.",
        source="cinder.volume.api:API._is_encrypted", fault="OPEN-ENC-MULTI",
    ),
    Rule(
        name="rbd-destination-cipher", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=_cipher_over_rbd_destination,
        reason="The new volume is on RBD, which offers no host device that dm-crypt could encrypt.",
        source=_ATTACH, fault="OPEN-RBD-ENC-ATTACH",
    ),
    Rule(
        name="source-export-fails", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.offline and s.precondition == "source-export-fails",
        reason="The source's driver fails to export the volume.", source=_ATTACH,
    ),
    Rule(
        name="rbd-source-cipher", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=_cipher_over_rbd_source,
        reason="The old volume is on RBD, which offers no host device that dm-crypt could decrypt.",
        source=_ATTACH, fault="OPEN-RBD-ENC-ATTACH",
    ),
    # copy
    Rule(
        name="luks-header-no-space", stage=Stage.TEMPORARY, outcome="failed-clean", applies=_out_of_space,
        reason="The LUKS header of the new type leaves less room than the volume needs.",
        source=_COPY, fault="LP-1687880",
    ),
    Rule(
        name="copy-fails", stage=Stage.TEMPORARY, outcome="failed-clean",
        applies=lambda s: s.offline and s.precondition == "copy-fails",
        reason="The copy breaks off, and the temporary volume is deleted.", source=_COPY,
    ),
    # completion
    Rule(
        name="rbd-rename-fails", stage=Stage.TEMPORARY, outcome="failed-dirty",
        applies=lambda s: s.offline and s.to_rbd and s.precondition == "rename-fails",
        reason="The RBD driver does not expect its rename to fail, and the copy stays as a second volume.",
        source="cinder.volume.drivers.rbd:RBDDriver.update_migrated_volume", temporary_stays=True,
        violations={"objects": "CRU-COMPLETING-LEFTOVER", "statuses": "CRU-COMPLETING-LEFTOVER"},
    ),
    Rule(
        name="attached-meanwhile", stage=Stage.GENERIC, outcome="data-loss",
        applies=lambda s: s.offline and s.attached_meanwhile and not s.to_rbd and not s.to_nfs,
        reason="A server writes to the old volume behind the copy, and the record then points to the new one.",
        source=_COMPLETION, temporary_stays=True,
        violations=dict.fromkeys(
            ("data", "objects", "exports", "attachments", "statuses", "life_after"), "CRU-UNLOCKED-ATTACH"
        ),
    ),
    Rule(
        name="attached-meanwhile-no-export", stage=Stage.GENERIC, outcome="data-loss",
        applies=lambda s: s.offline and s.attached_meanwhile,
        reason="A server writes to the old volume behind the copy; the new one needs no export.",
        source=_COMPLETION, temporary_stays=True,
        violations=dict.fromkeys(
            ("data", "objects", "attachments", "statuses", "life_after"), "CRU-UNLOCKED-ATTACH"
        ),
    ),
    Rule(
        name="one-share", stage=Stage.GENERIC, outcome="data-loss",
        applies=lambda s: s.offline and s.precondition == "one-share",
        reason="The new file is renamed over the old one, which is in the same directory, and is then deleted.",
        source="cinder.volume.drivers.nfs:NfsDriver.update_migrated_volume",
        violations=dict.fromkeys(("data", "objects", "names", "life_after"), "OPEN-NFS-ALIAS"),
    ),
    Rule(
        name="rbd-luks-truncated", stage=Stage.GENERIC, outcome="data-loss", applies=_loses_the_end,
        reason="The encrypted image is larger than the record says, and its end is not copied.",
        source=_COPY, violations={"data": "OPEN-RBD-LUKS-TRUNC"},
    ),
    Rule(
        name="luks-tail", stage=Stage.GENERIC, outcome="data-loss", applies=_shows_a_tail,
        reason="The volume grows by its old LUKS header, and there shows what a former tenant left.",
        source=_COPY, violations={"data": "CRU-LUKS-TAIL"},
    ),
    Rule(
        name="qcow2-container-copied", stage=Stage.GENERIC, outcome="data-loss",
        applies=lambda s: _leaves_container(s) and s.cell.fill != "empty",
        reason="The qcow2 file is copied byte by byte, and its header is where the disk should begin.",
        source=_COPY, violations={"data": "OPEN-NFS-QCOW2"},
    ),
    Rule(
        name="qcow2-container-cut", stage=Stage.GENERIC, outcome="data-loss", applies=_cuts_container,
        reason="The qcow2 file is longer than the volume's size, and its end is not copied.",
        source=_COPY, violations={"data": "OPEN-NFS-QCOW2"},
    ),
    # done
    Rule(
        name="source-delete-fails", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.precondition == "source-delete-fails",
        reason="The volume has moved, and the old object stays with the temporary record, in error_deleting.",
        source="cinder.volume.manager:VolumeManager._clear_db",
    ),
    Rule(
        name="multiattach-encrypted-done", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.precondition == "multiattach-encrypted",
        reason="The API accepts a type that is multiattach and encrypted, and the ciphertext is copied.",
        source="cinder.volume.api:API._is_encrypted", fault="OPEN-ENC-MULTI",
    ),
    Rule(
        name="rename-fails", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.precondition == "rename-fails",
        reason="The new object keeps its temporary name, and _name_id leads to it.",
        source="cinder.volume.drivers.lvm:LVMVolumeDriver.update_migrated_volume",
    ),
    Rule(
        name="edited-meanwhile", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.renamed_meanwhile,
        reason="The volume has moved, and its new name has gone with the temporary record.",
        source="cinder.objects.volume:Volume.finish_volume_migration",
    ),
    Rule(
        name="extended-meanwhile", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.extended_meanwhile,
        reason="The volume has moved with its old size, and the quota counts the new one.",
        source="cinder.objects.volume:Volume.finish_volume_migration",
    ),
    Rule(
        name="qos-removal-copied", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.qos_removal_fails and not s.encrypted,
        reason="The driver fails to remove QoS settings that the image never had, so it is copied for nothing.",
        source="cinder.volume.drivers.rbd:RBDDriver.retype", fault="CRU-RBD-QOS-REMOVE",
    ),
    Rule(
        name="qcow2-record-raw-file", stage=Stage.GENERIC, outcome="succeeded", applies=_replaces_container,
        reason="The copy makes a raw file of what the record calls qcow2, so that it cannot be extended.",
        source="cinder.volume.drivers.nfs:NfsDriver.extend_volume", fault="OPEN-NFS-QCOW2",
    ),
    Rule(
        name="qcow2-container-kept", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.source.qcow2,
        reason="The qcow2 file is copied byte by byte, and nothing was written where that could be seen.",
        source=_COPY, fault="OPEN-NFS-QCOW2",
    ),
    Rule(
        name="retype-copied", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.in_place and not s.source.retypes and not s.encrypted,
        reason="The driver retypes nothing in place, so the volume is copied onto its own back-end.",
        source="cinder.volume.driver:BaseVD.retype",
    ),
    Rule(
        name="same-encryption-copied", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.in_place and not s.encryption_changes,
        reason="Both types are encrypted alike, so the volume is copied onto its own back-end for nothing.",
        source=_RETYPE, fault="OPEN-SAME-ENC",
    ),
    Rule(
        name="re-encrypted", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.encryption_changes,
        reason="The volume is decrypted with the old key and encrypted as the new type says.", source=_COPY,
    ),
    Rule(
        name="common-spec-copied", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline
        and ((s.lvm_to_lvm and s.same_node) or s.same_cluster)
        and s.retype
        and (s.cell.type == "shared" or (s.cell.type == "none" and s.encrypted)),
        reason="The types have something in common, so the driver that could move the volume is not asked.",
        source="cinder.volume.manager:VolumeManager._can_use_driver_migration", fault="OPEN-CAN-USE",
    ),
    Rule(
        name="retype-not-offered", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.retype and s.same_cluster and s.could_be_offered and not s.offered,
        reason="This release does not ask the driver in a retype, so Cinder copies.",
        source="cinder.volume.manager:VolumeManager.migrate_volume", fault="LP-1886543",
    ),
    Rule(
        name="retype-not-moved", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.retype and s.lvm_to_lvm and s.same_node and s.could_be_offered,
        reason="The LVM driver of this release does not move what is being retyped, so Cinder copies.",
        source="cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume", fault="LP-2104334",
    ),
    Rule(
        name="lvm-locked", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.lvm_to_lvm and s.same_node and s.locked and s.cell.force == "no",
        reason="The LVM driver does not move locked volumes, so Cinder copies.",
        source="cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume", fault="OPEN-LVM-MAINT",
    ),
    Rule(
        name="same-container", stage=Stage.GENERIC, outcome="succeeded",
        applies=lambda s: s.offline and s.same_container,
        reason="Both volumes are in one name space, so the new one keeps its temporary name.",
        source=_COMPLETION,
    ),
    Rule(
        name="copied", stage=Stage.GENERIC, outcome="succeeded", applies=lambda s: s.offline,
        reason="Cinder copies the volume through a temporary volume.", source=_GENERIC,
    ),
)  # fmt: skip
