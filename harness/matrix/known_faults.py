"""The known faults of Cinder, its drivers and Nova that the expectations of the matrix cite.

A fault of somebody else is an expectation too: a cell that shows it passes as "known", and a cell that no
longer shows it is reported. Ids that begin with LP are Launchpad bugs, OPEN are faults that Cinder 29.0.0 has
and that nobody has reported, CRU are faults that stand in no tracker and follow from reading its code.
"""

from __future__ import annotations

from typing import NamedTuple


class KnownFault(NamedTuple):
    """One fault: `launchpad` is the bug's number or empty, `source` the code that does it."""

    id: str
    title: str
    component: str
    launchpad: str
    source: str


_MANAGER = "cinder.volume.manager:VolumeManager"

_FAULTS = (
    KnownFault(
        "LP-2019190",
        "The retype of an attached RBD volume moves the image under its guest, in early 22 and 23.",
        "volume manager, RBD driver", "2019190", f"{_MANAGER}.migrate_volume",
    ),
    KnownFault(
        "LP-1886543",
        "A retype never asks the driver to move the volume, on most releases up to 25.",
        "volume manager", "1886543", f"{_MANAGER}.migrate_volume",
    ),
    KnownFault(
        "LP-2104334",
        "The LVM driver does not move a volume that is being retyped, up to 27.",
        "LVM driver", "2104334", "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
    ),
    KnownFault(
        "LP-2117273",
        "A volume that its driver has moved still names its former service, up to 27.",
        "volume manager", "2117273", f"{_MANAGER}.migrate_volume",
    ),
    KnownFault(
        "LP-1687880",
        "A retype to an encrypted type fails, because the LUKS header leaves less room than the volume needs.",
        "volume manager", "1687880", f"{_MANAGER}._copy_volume_data",
    ),
    KnownFault(
        "OPEN-MULTIATTACH-FLAG",
        "A retype that changes multiattach and copies through a temporary volume keeps the old flag.",
        "API, volume manager", "", "cinder.objects.volume:Volume.finish_volume_migration",
    ),
    KnownFault(
        "CRU-DELETE-TAKES-ATTACHMENTS",
        "The deletion of the temporary record takes the server's attachment along if it does not wait.",
        "volume manager", "", f"{_MANAGER}.migrate_volume_completion",
    ),
    KnownFault(
        "CRU-LATE-REMOVE-EXPORT",
        "The destination keeps the export of a copied volume for ever if it is slow to remove it.",
        "volume manager", "", f"{_MANAGER}._detach_volume",
    ),
    KnownFault(
        "OPEN-SAME-ENC",
        "A retype between types with identical encryption is never offered to the driver.",
        "volume types", "", "cinder.volume.volume_types:volume_types_diff",
    ),
    KnownFault(
        "OPEN-CAN-USE",
        "Types that share any equal extra spec, QoS or encryption are never moved by the driver.",
        "volume manager", "", f"{_MANAGER}._can_use_driver_migration",
    ),
    KnownFault(
        "OPEN-ENC-MULTI",
        "A retype to a type that is both encrypted and multiattach is accepted.",
        "API", "", "cinder.volume.api:API._is_encrypted",
    ),
    KnownFault(
        "OPEN-KEY-LEAK",
        "The encryption key of the volume that a retype throws away is never deleted.",
        "volume manager", "", f"{_MANAGER}.delete_volume",
    ),
    KnownFault(
        "OPEN-ALLOC",
        "allocated_capacity_gb counts a volume at a pool that it has left, until the service restarts.",
        "volume manager", "", f"{_MANAGER}._update_allocated_capacity",
    ),
    KnownFault(
        "OPEN-INUSE-QUOTA",
        "A retype of a volume in use commits its quota before Nova has finished, and keeps it when Nova fails.",
        "volume manager", "", f"{_MANAGER}.retype",
    ),
    KnownFault(
        "OPEN-RBD-LUKS-TRUNC",
        "The end of an encrypted RBD volume is not copied, because its image is larger than its record.",
        "volume manager, RBD driver", "", f"{_MANAGER}._copy_volume_data",
    ),
    KnownFault(
        "OPEN-RBD-ENC-ATTACH",
        "A retype that changes encryption fails when the encrypted side is RBD, which has no host device.",
        "volume manager, os-brick", "", f"{_MANAGER}._attach_volume",
    ),
    KnownFault(
        "OPEN-NFS-QCOW2",
        "Cinder copies the bytes of a qcow2 file to or from an NFS back-end, not the disk that is in it.",
        "volume manager, NFS driver", "", f"{_MANAGER}._copy_volume_data",
    ),
    KnownFault(
        "OPEN-LVM-MAINT",
        "lock_volume keeps the LVM driver from moving the volume itself.",
        "LVM driver", "", "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
    ),
    KnownFault(
        "OPEN-INUSE-ASSIST",
        "A volume in use is never offered to the driver, not even when only its host would change.",
        "volume manager", "", f"{_MANAGER}.migrate_volume",
    ),
    KnownFault(
        "OPEN-MULTIATTACH-LOOP",
        "Nova is asked once for each attachment to swap the same temporary volume in.",
        "volume manager", "", f"{_MANAGER}._migrate_volume_generic",
    ),
    KnownFault(
        "OPEN-RETYPE-QUOTAFAIL",
        "A retype that cannot reserve for the old type leaves the volume without a status, and a reservation.",
        "API", "", "cinder.volume.api:API.retype",
    ),
    KnownFault(
        "OPEN-NFS-ALIAS",
        "A volume is lost between two NFS back-ends that know one share by different names.",
        "NFS driver", "", "cinder.volume.drivers.nfs:NfsDriver.update_migrated_volume",
    ),
    KnownFault(
        "CRU-RETYPE-REFUSED-RESERVATIONS",
        "A retype that the scheduler refuses leaves the old type's quota reservations open until they expire.",
        "scheduler", "", "cinder.scheduler.manager:SchedulerManager.retype",
    ),
    KnownFault(
        "CRU-RETYPE-FOREIGN-RESERVATIONS",
        "A retype that fails leaves its quota reservations open if an admin of another project asked for it.",
        "volume manager", "", f"{_MANAGER}.retype",
    ),
    KnownFault(
        "CRU-RETYPE-UNINITIALISED-RESERVATIONS",
        "A retype that meets an uninitialised driver leaves both types' quota reservations open.",
        "volume manager", "", f"{_MANAGER}.retype",
    ),
    KnownFault(
        "CRU-LOCKED-UNINITIALISED",
        "A locked migration that meets an uninitialised driver leaves the volume in maintenance.",
        "volume manager", "", f"{_MANAGER}.migrate_volume",
    ),
    KnownFault(
        "CRU-MULTIATTACH-KEPT",
        "A retype sets the new type's multiattach flag at once, and a failure does not take it back.",
        "API", "", "cinder.volume.api:API.retype",
    ),
    KnownFault(
        "CRU-THIN-TO-THICK-SPARSE",
        "The LVM driver copies a thin volume sparsely, even onto extents with a former tenant's bytes.",
        "LVM driver", "", "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
    ),
    KnownFault(
        "CRU-LUKS-TAIL",
        "Without its LUKS header a volume is longer, and its new end shows what thick extents held before.",
        "volume manager", "", f"{_MANAGER}._copy_volume_data",
    ),
    KnownFault(
        "CRU-LUKS-UNFORMATTED",
        "An encrypted volume that was never attached has no LUKS header, and on RBD nobody will format it.",
        "volume manager, RBD driver", "", "cinder.volume.drivers.rbd:RBDDriver._create_encrypted_volume",
    ),
    KnownFault(
        "CRU-LVM-ASSISTED-CLEANUP",
        "After a failed copy the LVM driver asks for the removal of the wrong name, and the new volume stays.",
        "LVM driver", "", "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
    ),
    KnownFault(
        "CRU-LVM-ASSISTED-WIPE",
        "The LVM driver wipes the old volume before it knows that it can remove it, and may stay with it.",
        "LVM driver", "", "cinder.volume.drivers.lvm:LVMVolumeDriver._delete_volume",
    ),
    KnownFault(
        "CRU-ASSISTED-SECOND-COPY",
        "A driver that cannot remove the old object fails the migration and leaves the new object behind.",
        "LVM driver, RBD driver", "", "cinder.volume.drivers.rbd:RBDDriver.migrate_volume",
    ),
    KnownFault(
        "CRU-COMPLETING-LEFTOVER",
        "An error while a migration completes leaves the temporary volume as a second, visible volume.",
        "volume manager", "", f"{_MANAGER}._clean_temporary_volume",
    ),
    KnownFault(
        "CRU-MEMBER-NFS-FORMAT",
        "A project member's retype loses the format of the new NFS file, and no snapshot can be taken of it.",
        "volume manager, NFS driver", "", "cinder.objects.volume:Volume.finish_volume_migration",
    ),
    KnownFault(
        "CRU-SOURCE-DELETE-LEFTOVER",
        "When the old object cannot be deleted, the temporary record stays in error_deleting.",
        "volume manager", "", f"{_MANAGER}._clear_db",
    ),
    KnownFault(
        "CRU-UNLOCKED-ATTACH",
        "A volume that is attached while it migrates unlocked loses what its server writes.",
        "API, volume manager", "", f"{_MANAGER}.migrate_volume_completion",
    ),
    KnownFault(
        "CRU-EXTEND-LOST",
        "A volume that is extended while it migrates unlocked shrinks back, and its quota does not.",
        "API, volume manager", "", "cinder.objects.volume:Volume.finish_volume_migration",
    ),
    KnownFault(
        "CRU-EXTEND-ASSISTED",
        "A volume that is extended while its driver moves it has a larger record than object.",
        "API, volume manager", "", f"{_MANAGER}.migrate_volume",
    ),
    KnownFault(
        "CRU-RBD-QOS-REMOVE",
        "A retype of an RBD volume without QoS to one with front-end QoS makes the driver remove settings that "
        "are not there; it fails, and the volume is copied onto its own pool, or not retyped.",
        "RBD driver", "", "cinder.volume.drivers.rbd:RBDDriver.retype",
    ),
    KnownFault(
        "CRU-EDIT-LOST",
        "What a user changes in name, description or metadata while the volume is copied is swapped away.",
        "volume manager", "", "cinder.objects.volume:Volume.finish_volume_migration",
    ),
    KnownFault(
        "CRU-READONLY-LOST",
        "A project member's retype does not see the readonly flag, and the server ends with a writable disk.",
        "volume manager", "", "cinder.objects.volume:Volume._get_expected_attrs",
    ),
)  # fmt: skip

KNOWN_FAULTS: dict[str, KnownFault] = {fault.id: fault for fault in _FAULTS}
