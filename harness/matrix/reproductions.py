"""Named reproductions: the migration bugs that people ask about, each as one cell of the matrix."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from harness.matrix.cells import Cell


class Reproduction(NamedTuple):
    """A cell with a name and a story. It runs on the embedded deployment, or one with the same names."""

    name: str
    title: str
    cell: Cell
    story: str
    source: str


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
    ),
    Reproduction(
        "unlocked-migration-attach",
        "A volume is attached while it is migrated without lock_volume",
        Cell(source="lvm-a", destination="lvm-far", meanwhile="attach"),
        "Without the lock the volume stays available, so it may be attached in the middle of the copy. The "
        "server writes to the old volume behind the copier, the records are swapped all the same, and what it "
        "wrote is gone.",
        "cinder.volume.api:API.migrate_volume",
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
        "encrypted-rbd-truncated",
        "An encrypted RBD volume is copied and loses its end",
        Cell(source="rbd-a", destination="lvm-a", encryption="luks", fill="full"),
        "Cinder makes an encrypted image larger than the volume, by the LUKS header. The generic copy stops at "
        "the volume's size, so the end of what the owner wrote is gone.",
        "cinder.volume.manager:VolumeManager._copy_volume_data",
    ),
)

REPRODUCTIONS: Mapping[str, Reproduction] = MappingProxyType({each.name: each for each in _ALL})
