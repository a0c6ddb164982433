"""What to do instead, for each rule by which an operation does not end well.

Another way of asking that would succeed is found by `harness.rehearsal.alternatives`; here is all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_WAIT = "Wait until its status is available or in-use; if it is stuck, reset it with cinder reset-state."
_NEW_VOLUME = (
    "Create a volume of the new type that is 1 GiB larger, attach both to a server, and copy there; "
    "then delete the old one."
)
_DRIVER = "Look into the cinder-volume log of that service, and restart it when its storage answers again."
_GROUP = "Take the volume out of its group first (cinder group-update --remove-volumes)."
_SNAPSHOT = "Delete its snapshots first, or make a volume of the latest one on the destination."
_REPLICA = "Retype it to a type without replication_enabled first."
_NO_PLAIN_LUKS = (
    "Keep the encryption as it is for the move. To change it, create a volume of the other type on LVM, and "
    "copy from volume to volume inside of a server."
)
_COPY_INSIDE = (
    "Create a volume of the same type on the destination, attach both to a server, and copy there; "
    "then delete the old one."
)
_CINDER_ADMIN = "Ask an administrator, or use a retype with --migration-policy on-demand."
_QEMU_CONVERT = (
    "Attach the volume to a server first: QEMU copies the disk that is in the file. Or convert it to raw "
    "(nfs_qcow2_volumes = False) before."
)

ADVICE: Mapping[str, str] = MappingProxyType({
    # refused by the API
    "impossible": "Ask for something else: this volume cannot exist there.",
    "absent-volume": "Look for its id with cinder list --all-tenants.",
    "foreign-member": "Use credentials of the volume's project, or an administrator's.",
    "no-host": "Name a host.", "host-and-cluster": "Name one of the two.",
    "member-migrates": _CINDER_ADMIN,
    "absent-host": "Take a host from cinder get-pools.",
    "service-down": "Start cinder-volume there, and wait for its next report (cinder service-list).",
    "service-disabled": "Enable it with cinder service-enable.",
    "same-host": "Nothing is to be done: it is there already.",
    "snapshot": _SNAPSHOT, "replicated": _REPLICA,
    "absent-type": "Take a type from cinder type-list.",
    "type-size": "Choose a type that allows this size, or extend the volume first.",
    "multiattach-in-use": "Detach it, retype, and attach it again.",
    "type-quota": "Raise the project's quota for the new type (cinder quota-update --volume-type).",
    "release-fails": "Give the volume its status back (cinder reset-state), and try again.",
    "same-type": "Nothing is to be done: it has this type already.",
    "front-end-qos-in-use": "Detach it, retype, and attach it again: the hypervisor learns of QoS then.",
    "status": _WAIT,
    "migrating": "Wait until it is over; if it is stuck, cinder reset-state --reset-migration-status.",
    "temporary": "Leave it alone: it goes when the migration that it belongs to ends.",
    "group": _GROUP, "consistencygroup": _GROUP,
    # refused by the scheduler
    "service-frozen": "Thaw the destination with cinder thaw-host.",
    "service-unavailable": "Start the destination's service, or enable it.",
    "service-unheard": _DRIVER,
    "absent-pool": "Take the pool from cinder get-pools, or name the back-end without a pool.",
    "other-zone": "Choose a type whose RESKEY:availability_zones has the volume's zone.",
    "retype-leaves-zone": "Migrate instead, which may cross zones, or set RESKEY:availability_zones.",
    "no-capacity": "Make room there, or raise max_over_subscription_ratio of a thin pool.",
    "specs-mismatch": (
        "Retype it to a type that leads there, with --migration-policy on-demand: that moves it, too. Or "
        "choose a destination or a type whose extra specs agree (cinder get-pools --detail)."
    ),
    "without-multiattach": "Retype it to a type without multiattach first.",
    "never-elsewhere": "Say --migration-policy on-demand.",
    # refused by the source's service
    "retype-uninitialised": _DRIVER, "source-uninitialised": _DRIVER,
    "locked-uninitialised": f"{_DRIVER} Then give the volume its status back (cinder reset-state).",
    "never-qos-removal": "Say --migration-policy on-demand, or leave out the QoS specs.",
    "never-without-retype": "Say --migration-policy on-demand.",
    "never-same-encryption": "Say --migration-policy on-demand.",
    "never-encryption": "Say --migration-policy on-demand.",
    "retype-snapshot": _SNAPSHOT, "retype-replicated": _REPLICA,
    # the driver's own way
    "lvm-same-group": "Say --force-host-copy, or better: give the two back-ends a volume group each.",
    "rbd-moved-under-server": "Detach it first.",
    "lvm-copy-fails": "Remove the logical volume of that name from the destination before you try again.",
    "rbd-copy-fails": "Try again when the cluster is healthy.",
    "lvm-wiped-under-server": "Say --lock-volume, so that nobody can attach it.",
    "lvm-open": "Say --lock-volume, so that nobody can attach it; then remove the second copy.",
    "rbd-watched": "Say --lock-volume, so that nobody can attach it; then remove the second copy.",
    "lvm-wiped-and-kept": "The data is on the destination, in a logical volume of the same name.",
    "lvm-second-copy": "Compare both logical volumes, and remove the one that the record does not lead to.",
    "rbd-second-copy": "Compare both images, and remove the one that the record does not lead to.",
    "lvm-thin-to-thick": "Say --lock-volume or --force-host-copy: then Cinder copies every byte.",
    # a temporary volume
    "destination-uninitialised": _DRIVER, "create-fails": _DRIVER, "source-export-fails": _DRIVER,
    "destination-export-fails": _DRIVER,
    "create-without-room": "Make room: the copy is made on the same back-end.",
    "rbd-only-luks": "Use provider luks for types that lead to RBD.",
    "multiattach-encrypted-fails": "A type should not be both multiattach and encrypted.",
    "rbd-destination-cipher": _NO_PLAIN_LUKS, "rbd-source-cipher": _NO_PLAIN_LUKS,
    "luks-header-no-space": _NEW_VOLUME,
    "copy-fails": "Try again: the volume is as it was.",
    "rbd-rename-fails": "Delete the second volume of the same name once you have compared both.",
    "attached-meanwhile": "Say --lock-volume, so that nobody can attach it.",
    "attached-meanwhile-no-export": "Say --lock-volume, so that nobody can attach it.",
    "one-share": "Retype or migrate nothing between the two: give both back-ends one name of the share.",
    "rbd-luks-truncated": _COPY_INSIDE,
    "luks-tail": f"Nothing of the volume itself is lost, but its end shows foreign bytes. {_COPY_INSIDE}",
    "qcow2-container-copied": _QEMU_CONVERT, "qcow2-container-cut": _QEMU_CONVERT,
    # Nova
    "absent-server": "Delete the stale attachment (cinder attachment-delete) first.",
    "not-attached": "Delete the stale attachment (cinder attachment-delete) first.",
    "swap-forbidden": "Let Cinder's service user swap volumes in Nova's policy.",
    "server-not-running": "Start the server, or detach the volume first.",
    "cross-az-forbidden": "Detach the volume first, or allow [cinder] cross_az_attach in Nova.",
    "multi-attached": "Detach all servers but one, or all of them.",
    "multi-read-only": "Detach all servers but one, or all of them.",
    "swap-export-fails": _DRIVER,
    "swap-luks": "Detach it first: Cinder copies a detached volume itself.",
    "swap-needs-host-device": "Detach it first, or upgrade Nova to 21 or later.",
    "swap-sizes-differ": "Detach it first, and see what is said then.",
    "block-job-fails": "Try again: the guest is on the old volume.",
})  # fmt: skip
"""By the name of the rule."""
