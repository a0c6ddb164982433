"""Named reproductions: the migration bugs that people ask about, each as one cell of the matrix."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from harness.matrix.cells import Cell
from harness.results import Outcome


class Seen(NamedTuple):
    """What came of a cell on the real Cinder. `releases` are those, as in a requirement: ``>=24,<28``."""

    releases: str
    outcome: Outcome
    faulty: bool


class Reproduction(NamedTuple):
    """A cell with a name and a story. It runs on the embedded deployment, or one with the same names.

    `seen` says how Cinder's own code and drivers ended, release by release; the first that fits is meant.
    Reproductions that have it have a page of their name in ``docs/bugs``. `launchpad` is the bug's number.
    """

    name: str
    title: str
    cell: Cell
    story: str
    source: str
    launchpad: str = ""
    seen: tuple[Seen, ...] = ()

    def on(self, release: str) -> Seen | None:
        """What was seen on a release of Cinder, such as ``29.0.0``; None if nobody has looked."""
        return next((each for each in self.seen if SpecifierSet(each.releases).contains(release)), None)


_ALL = (
    Reproduction(
        "lvm-to-rbd-in-use",
        "An attached volume goes from LVM to RBD",
        Cell(source="lvm-a", destination="rbd-a", status="in-use"),
        "Cinder lets Nova copy an attached volume. Up to Nova 20 the destination had to be a host device, "
        "which an RBD image is not, so this failed. Ussuri (21) with libvirt 6 and QEMU 4.2 or later does "
        "it, and every release from Wallaby (23) on. Compare --nova 20 with --nova 23.",
        "nova.virt.libvirt.driver:LibvirtDriver.swap_volume",
    ),
    Reproduction(
        "rbd-to-lvm-in-use",
        "An attached volume goes from RBD to LVM",
        Cell(source="rbd-a", destination="lvm-a", status="in-use"),
        "The destination of the swap is an iSCSI device on the compute host, which every release of Nova could "
        "swap in. The guest keeps writing while QEMU mirrors the disk, and loses nothing.",
        "nova.virt.libvirt.driver:LibvirtDriver.swap_volume",
    ),
    Reproduction(
        "encrypted-retype-same-size",
        "A volume is retyped to an encrypted type of the same size",
        Cell(operation="retype", source="lvm-a", destination="lvm-b", encryption="none-luks", fill="full"),
        "The LUKS header takes its place from the new volume, so the old one's bytes do not fit: the copy ends "
        "with 'No space left on device', the retype is undone, and the new encryption key stays behind.",
        "cinder.volume.manager:VolumeManager._copy_volume_data",
        launchpad="1687880",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "unlocked-migration-attach",
        "A volume is attached while it is migrated without lock_volume",
        Cell(source="lvm-a", destination="lvm-far", meanwhile="attach"),
        "Without the lock the volume stays available, so it may be attached in the middle of the copy. The "
        "server writes to the old volume behind the copier, the records are swapped all the same, and what it "
        "wrote is gone.",
        "cinder.volume.api:API.migrate_volume",
        seen=(Seen(">=22", "data-loss", True),),
    ),
    Reproduction(
        "same-vg-migration",
        "A volume goes to another back-end in the same volume group",
        Cell(source="lvm-a", destination="lvm-shared"),
        "The LVM driver raises where it should refuse, and an exception of the driver is final: there is no "
        "generic migration afterwards. With --force-host-copy (force=yes) it works.",
        "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
    ),
    Reproduction(
        "rbd-same-pool",
        "A volume goes to another back-end in the same RBD pool",
        Cell(source="rbd-a", destination="rbd-shared"),
        "Nothing has to be copied: the driver says so, and only the record's host changes.",
        "cinder.volume.drivers.rbd:RBDDriver.migrate_volume",
    ),
    Reproduction(
        "thin-to-thick-leak",
        "A thin LVM volume goes to a thick volume group on the same host",
        Cell(source="lvm-thin", destination="lvm-a"),
        "The driver copies sparsely because the source is thin. The destination is thick: where nothing is "
        "written, it shows what a former tenant left in its extents.",
        "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
    ),
    Reproduction(
        "qcow2-container-copied",
        "A detached volume leaves a qcow2 NFS back-end",
        Cell(source="nfs-qcow2", destination="lvm-a"),
        "Cinder copies the bytes of the file, header and tables included, to a volume whose bytes are taken "
        "for the disk's: the migration succeeds, and the data is gone. When the volume is attached (in-use), "
        "QEMU copies the disk that is in the file, and all is well.",
        "cinder.volume.manager:VolumeManager._copy_volume_data",
        seen=(Seen(">=22", "data-loss", True),),
    ),
    Reproduction(
        "nfs-snapshot-while-attached",
        "The server of an NFS volume is rebooted after a snapshot",
        Cell(source="nfs-a", destination="nfs-far"),
        "In the life after the migration a snapshot is taken of the attached volume, whose server goes on in a "
        "new qcow2 file. Where the attachment still says raw (LP 1860913 has mended the name only), the guest "
        "sees the bytes of that file after its next reboot.",
        "cinder.volume.drivers.remotefs:RemoteFSSnapDriverBase._create_snapshot",
        launchpad="1989514",
        seen=(
            Seen("<23.4", "succeeded", True),
            Seen(">=24,<24.3", "succeeded", True),
            Seen("==25.0.*", "succeeded", True),
            Seen(">=23.4", "succeeded", False),
        ),
    ),
    Reproduction(
        "nfs-same-share",
        "An NFS volume is retyped, and copied onto its own share",
        Cell(operation="retype", source="nfs-a", destination="nfs-a", type="specs"),
        "The NFS driver retypes nothing in place, so the volume is copied to a second file beside the first, "
        "which keeps its temporary name. Before Cinder 15 it was renamed over the original, which was deleted "
        "next (LP 1798468).",
        "cinder.volume.drivers.nfs:NfsDriver.update_migrated_volume",
    ),
    Reproduction(
        "nfs-share-by-two-names",
        "An NFS volume goes to a back-end that knows its share by another name",
        Cell(source="nfs-a", destination="nfs-far", precondition="one-share"),
        "The NFS driver keeps the temporary name of the new file where both volumes are on one share, which it "
        "tells by the shares' names. Where these differ and the share is the same, it renames the new file "
        "over the original, which is deleted next: the volume is gone, and the migration has succeeded.",
        "cinder.volume.drivers.nfs:NfsDriver.update_migrated_volume",
        seen=(Seen(">=22", "data-loss", True),),
    ),
    Reproduction(
        "encrypted-rbd-truncated",
        "An encrypted RBD volume is copied and loses its end",
        Cell(source="rbd-a", destination="lvm-a", encryption="luks", fill="full"),
        "Cinder makes an encrypted image larger than the volume, by the LUKS header. The generic copy stops at "
        "the volume's size, so the end of what the owner wrote is gone.",
        "cinder.volume.manager:VolumeManager._copy_volume_data",
        seen=(Seen(">=22", "data-loss", True),),
    ),
    Reproduction(
        "rbd-retype-in-use",
        "An attached RBD volume is retyped into another pool",
        Cell(operation="retype", source="rbd-a", destination="rbd-b", status="in-use"),
        "Where the manager offers a volume to the driver without looking at its attachments, the RBD driver "
        "sees the status retyping instead of in-use, copies the image under the running guest and removes the "
        "original. The guest goes on writing to an image that no record knows.",
        "cinder.volume.manager:VolumeManager.migrate_volume",
        launchpad="2019190",
        seen=(
            Seen("<22.1.2", "data-loss", True),
            Seen("==23.0.*", "data-loss", True),
            Seen(">=22.1.2", "succeeded", False),
        ),
    ),
    Reproduction(
        "rbd-retype-not-assisted",
        "A detached RBD volume is retyped into another pool of its cluster",
        Cell(operation="retype", source="rbd-a", destination="rbd-b", precondition="create-fails"),
        "The RBD driver could copy the image inside of the cluster. The destination service cannot create "
        "volumes here, so the retype succeeds only where the driver is asked.",
        "cinder.volume.manager:VolumeManager.migrate_volume",
        launchpad="1886543",
        seen=(
            Seen("<22.1.2", "succeeded", False),
            Seen("==23.0.*", "succeeded", False),
            Seen("<25.3.1", "failed-dirty", True),
            Seen(">=25.3.1", "succeeded", False),
        ),
    ),
    Reproduction(
        "lvm-retype-not-assisted",
        "A detached LVM volume is retyped into another volume group of its node",
        Cell(operation="retype", source="lvm-a", destination="lvm-b", precondition="create-fails"),
        "The LVM driver could copy the volume on its own node. Up to Cinder 27 it takes only volumes whose "
        "status is available, and the manager has set it to retyping. The destination service cannot create "
        "volumes here, so the retype succeeds only where the driver does it.",
        "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
        launchpad="2104334",
        seen=(Seen("<28", "failed-dirty", True), Seen(">=28", "succeeded", False)),
    ),
    Reproduction(
        "service-uuid-left-behind",
        "A volume that its driver has moved still names its former service",
        Cell(source="rbd-a", destination="rbd-b"),
        "When a driver has moved a volume by itself, the manager writes the new host into its record, and up "
        "to Cinder 27 leaves service_uuid as it was. Nova takes the lock of that service when it connects or "
        "disconnects a volume with shared targets: the wrong one.",
        "cinder.volume.manager:VolumeManager.migrate_volume",
        launchpad="2117273",
        seen=(Seen("<28", "succeeded", True), Seen(">=28", "succeeded", False)),
    ),
    Reproduction(
        "in-use-retype-keeps-quota",
        "The retype of an attached volume fails in Nova",
        Cell(operation="retype", source="lvm-a", destination="rbd-a", status="in-use", nova="20"),
        "The manager commits the quota of the new type as soon as it has asked Nova to swap. When Nova fails, "
        "the volume keeps its old type, and the project pays for the new one.",
        "cinder.volume.manager:VolumeManager.retype",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "retype-loses-status",
        "The database fails while the API reserves the quota of a retype",
        Cell(operation="retype", source="lvm-a", destination="lvm-b", precondition="release-fails"),
        "The API reserves for the new type, then what the old one gives back. When that fails, it undoes a "
        "change of the status that it has not made yet: the volume gets its previous status, of which most "
        "have none. Nothing can be done with a volume without a status, and the first reservation stays open.",
        "cinder.volume.api:API.retype",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "two-readers-one-swap",
        "A volume that two servers read is migrated",
        Cell(source="lvm-a", destination="lvm-far", status="multi-read-only"),
        "Cinder asks Nova once for each attachment to swap the same new volume in. The second request is "
        "refused, because the new volume is reserved for the first server, so Cinder deletes the new volume, "
        "while the first server is being moved to it. That server ends on a volume that no record knows.",
        "cinder.volume.manager:VolumeManager._migrate_volume_generic",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "swap-needs-host-device",
        "Nova up to 20 is asked to swap in an RBD volume",
        Cell(source="lvm-a", destination="rbd-a", status="in-use", nova="20"),
        "The destination of the swap had to be a host device, which an RBD image is not. With release 21 of "
        "Nova and libvirt 6 it works, whatever the release of Cinder: compare --nova 21.",
        "nova.virt.libvirt.driver:LibvirtDriver.swap_volume",
        launchpad="1868996",
        seen=(Seen(">=22", "failed-clean", True),),
    ),
    Reproduction(
        "retype-leaks-key",
        "An encrypted volume is retyped to a type without encryption",
        Cell(operation="retype", source="lvm-a", destination="lvm-thin", encryption="luks-none"),
        "Only the API deletes keys, and the volume that the retype throws away is deleted by the manager: its "
        "key stays in the key manager for ever.",
        "cinder.volume.manager:VolumeManager.delete_volume",
        seen=(Seen(">=22", "succeeded", True),),
    ),
    Reproduction(
        "late-remove-export",
        "The destination is busy when a copy is done",
        Cell(source="rbd-a", destination="lvm-a", casts="lazy"),
        "The source tells the destination to remove the export of the temporary volume, and does not wait. "
        "When the destination comes to it, the volumes have changed their records, so it looks for another "
        "name. The export stays, and keeps the logical volume open, which cannot be removed any more.",
        "cinder.volume.manager:VolumeManager._detach_volume",
        seen=(Seen(">=22", "succeeded", True),),
    ),
    Reproduction(
        "delete-takes-attachments",
        "The deletion of the old volume is faster than the service that asked for it",
        Cell(source="rbd-a", destination="lvm-a", status="in-use", casts="immediate"),
        "When a swap is complete, the manager has the old volume deleted, and only then moves the attachments "
        "from its record to the user's. Whoever deletes at once deletes the attachment with the record: the "
        "server uses a volume without an attachment, and cannot detach it.",
        "cinder.volume.manager:VolumeManager.migrate_volume_completion",
        seen=(Seen(">=22", "succeeded", True),),
    ),
    Reproduction(
        "lvm-failed-copy-leaks",
        "The LVM driver's own copy fails",
        Cell(source="lvm-a", destination="lvm-b", precondition="copy-fails"),
        "The clean-up passes the volume's record where its name should be. lvremove is asked for a volume that "
        "there is not, and the new logical volume stays.",
        "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "same-encryption-not-retyped",
        "An encrypted volume is retyped to a type with the very same encryption",
        Cell(
            operation="retype",
            source="lvm-a",
            destination="lvm-a",
            policy="never",
            type="specs",
            encryption="luks",
        ),
        "The difference of two types holds what they have in common, too. So two types with equal encryption "
        "look as if it changed: the driver is not asked to retype the volume in place, and one that may not be "
        "migrated is not retyped at all.",
        "cinder.volume.volume_types:volume_types_diff",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "equal-spec-not-assisted",
        "An RBD volume is retyped between types that have an extra spec in common",
        Cell(
            operation="retype",
            source="rbd-a",
            destination="rbd-b",
            type="shared",
            precondition="create-fails",
        ),
        "Whether the driver may move the volume is decided by the difference of the types, which holds equal "
        "extra specs, too: one in common, and the volume is copied through the host. The destination service "
        "cannot create volumes here, so the retype fails where the cluster could have done it.",
        "cinder.volume.manager:VolumeManager._can_use_driver_migration",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "encrypted-multiattach-accepted",
        "A volume is retyped to a type that is encrypted and multiattach",
        Cell(operation="retype", source="lvm-a", destination="lvm-b", precondition="multiattach-encrypted"),
        "The API should refuse it, and looks for the encryption among the extra specs, where it is not. Here "
        "the retype fails later, for want of room for the LUKS header; where it does not, there is an "
        "encrypted volume that several servers may attach.",
        "cinder.volume.api:API._is_encrypted",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "multiattach-flag-lost",
        "A volume is retyped to a multiattach type and copied to another back-end",
        Cell(operation="retype", source="lvm-a", destination="rbd-a", type="multiattach"),
        "The API sets the volume's multiattach flag after it has sent the request. The temporary volume was "
        "made of a record without it, and when the records are swapped, the flag is swapped away: the type "
        "says multiattach, the volume does not.",
        "cinder.objects.volume:Volume.finish_volume_migration",
        seen=(Seen(">=22", "succeeded", True),),
    ),
    Reproduction(
        "rbd-retype-to-encrypted",
        "A volume is retyped to an encrypted type on RBD",
        Cell(operation="retype", source="lvm-a", destination="rbd-a", encryption="none-luks"),
        "The copy runs through os-brick's encryptor, which needs a host device. An RBD image is connected as a "
        "file object, so os-brick raises a TypeError. The new key stays behind.",
        "cinder.volume.manager:VolumeManager._attach_volume",
        seen=(Seen(">=22", "failed-dirty", True),),
    ),
    Reproduction(
        "locked-lvm-not-assisted",
        "A locked LVM volume goes to another volume group of its node",
        Cell(source="lvm-a", destination="lvm-b", lock="yes", precondition="create-fails"),
        "lock_volume sets the status to maintenance, which the LVM driver does not take, unlike RBD's. The "
        "destination service cannot create volumes here, so the migration succeeds only where the driver does "
        "it.",
        "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
        seen=(Seen(">=22", "failed-clean", True),),
    ),
    Reproduction(
        "rbd-in-use-not-assisted",
        "An attached RBD volume goes to another back-end with the same pool",
        Cell(source="rbd-a", destination="rbd-shared", status="in-use", precondition="create-fails"),
        "Nothing has to be copied, and the RBD driver says so for attached volumes, too. Since attached "
        "volumes are not offered to drivers any more, Nova copies the volume into its own pool. The "
        "destination service cannot create volumes here, so the migration succeeds only where the driver is "
        "asked.",
        "cinder.volume.manager:VolumeManager.migrate_volume",
        seen=(Seen("<25.3.1", "succeeded", False), Seen(">=25.3.1", "failed-clean", True)),
    ),
    Reproduction(
        "allocated-capacity-drifts",
        "A volume is copied away, and its former pool stays as full as before",
        Cell(source="lvm-a", destination="rbd-a"),
        "The destination counts the temporary volume when it creates it. The source does not count the old one "
        "out when it deletes it, because no quota counts that one: allocated_capacity_gb is too large until "
        "the service restarts, and the scheduler takes the pool for fuller than it is.",
        "cinder.volume.manager:VolumeManager._update_allocated_capacity",
        seen=(Seen(">=22", "succeeded", True),),
    ),
)

REPRODUCTIONS: Mapping[str, Reproduction] = MappingProxyType({each.name: each for each in _ALL})
