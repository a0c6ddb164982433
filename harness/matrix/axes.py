"""The axes of the migration matrix: one declaration each, with what every value sets up.

A cell is one value on every axis. The first value of an axis is its default and is left out of cell ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Axis(NamedTuple):
    """An axis, what it varies, and its values with what each of them sets up. No values: back-end names.

    `on_request` has values that the default matrix leaves out.
    """

    name: str
    meaning: str
    values: dict[str, str]
    on_request: Mapping[str, str] = MappingProxyType({})

    @property
    def default(self) -> str:
        """The value that ids leave out."""
        return next(iter(self.values), "")

    @property
    def known(self) -> dict[str, str]:
        """All values that a cell may have."""
        return {**self.values, **self.on_request}


OPERATION = Axis("operation", "what the operator asks for", {
    "migrate": "os-migrate_volume to the destination's host@backend#pool",
    "retype": "os-retype to a type that leads to the destination",
})  # fmt: skip
SOURCE = Axis("source", "back-end that the volume is on", {})
DESTINATION = Axis("destination", "back-end that it shall go to", {})
STATUS = Axis("status", "how the volume is used when the operator asks", {
    "available": "detached",
    "in-use": "attached read/write to one active server, whose guest keeps writing",
    "read-only": "attached read-only to one active server",
    "multi-attached": "a multiattach volume, attached read/write to two active servers",
}, {
    "multi-read-only": "a multiattach volume, attached read-only to two active servers",
})  # fmt: skip
POLICY = Axis("policy", "migration_policy of a retype", {
    "on-demand": "the volume may be migrated",
    "never": "the volume must stay where it is",
})  # fmt: skip
LOCK = Axis("lock", "lock_volume of a migrate", {"no": "false", "yes": "true"})
FORCE = Axis("force", "force_host_copy of a migrate", {"no": "false", "yes": "true"})
TYPE = Axis("type", "volume type before, and for a retype after", {
    "none": "migrate: the volume has no type. retype: from a type to one, that differ in volume_backend_name "
            "and in nothing else (they are equal in content when source and destination are the same)",
    "same": "migrate only: the volume has a type without volume_backend_name and with the extra spec "
            "vendor:storage_tier=gold, which the scheduler ignores because it is scoped",
    "specs": "retype only: the types also differ in the extra spec vendor:storage_tier (gold, then silver)",
    "shared": "retype only: the types also have vendor:storage_tier=gold in common",
    "qos": "retype only: the new type has QoS specs (consumer back-end), the old one has none",
    "front-end-qos": "retype only: the new type has QoS specs with consumer front-end, the old one has none",
    "multiattach": "retype only: the new type also has multiattach='<is> True', the old one has not",
}, {
    "no-qos": "retype only: the old type has QoS specs (consumer back-end), the new one has none",
    "no-front-end-qos": "retype only: the old type has QoS specs with consumer front-end, the new one has none",
    "zone": "retype only: the new type also has RESKEY:availability_zones, the destination's zone",
})  # fmt: skip
ENCRYPTION = Axis("encryption", "encryption of the type before, and for a retype after", {
    "none": "not encrypted, before and after",
    "luks": "provider luks before and after, the same settings",
    "luks2": "provider luks2 before and after, the same settings",
    "none-luks": "not encrypted, then luks (retype only, as all below)",
    "none-luks2": "not encrypted, then luks2",
    "luks-none": "luks, then not encrypted",
    "luks2-none": "luks2, then not encrypted",
    "luks-luks2": "luks, then luks2",
    "luks2-luks": "luks2, then luks",
})  # fmt: skip
FILL = Axis("fill", "what the owner has written before", {
    "sparse": "a few pages: the first, and some in the first half; nothing in the second half",
    "empty": "nothing at all",
    "full": "a page in every 4 MiB, and the very last page that the owner's device has",
})  # fmt: skip
NOVA = Axis("nova", "release of Nova, with the libvirt of its time", {
    "32": "2025.2, and all since 29.3/31.1 that refuse a swap Cinder did not start",
    "23": "Wallaby: network disks may be swapped in",
    "21": "Ussuri with libvirt 6 and QEMU 4.2 or later",
    "20": "Train: a swap needs a host device at the destination",
})  # fmt: skip
MEANWHILE = Axis("meanwhile", "what somebody else does while the data is copied (available volumes)", {
    "nothing": "nobody interferes",
    "attach": "a user attaches the volume to a server, whose guest writes and keeps it attached",
    "extend": "a user extends the volume by 1 GiB",
    "rename": "a user changes the display name",
})  # fmt: skip
PRECONDITION = Axis("precondition", "what stands in the way before the operator asks", {
    "none": "nothing",
    # the API looks at the volume
    "snapshot": "the volume has a snapshot",
    "group": "the volume belongs to a generic volume group",
    "consistencygroup": "the volume belongs to a consistency group",
    "replicated": "replication_status is enabled",
    "migrating": "another migration is under way (migration_status migrating)",
    "temporary": "the volume is the temporary volume of a migration (migration_status target:<id>)",
    "attaching": "status is attaching",
    "error": "status is error",
    "maintenance": "status is maintenance",
    "same-host": "migrate only: the destination asked for is the very pool that the volume is on",
    "absent-volume": "no volume of that id exists",
    "member": "the caller is a project member, not an admin (a migrate needs an admin, a retype does not)",
    "foreign-member": "the caller is a member of another project",
    # the API looks at the destination
    "absent-host": "migrate only: the host asked for does not exist",
    "absent-pool": "migrate only: the back-end exists, the pool asked for does not",
    "service-down": "the destination's service has not been heard of for longer than service_down_time",
    "service-disabled": "the destination's service is disabled",
    "service-frozen": "the destination's service is frozen",
    "no-host": "migrate only: neither host nor cluster is given",
    "host-and-cluster": "migrate only: a host and a cluster are given",
    # the API looks at the new type
    "absent-type": "retype only: the new type does not exist",
    "same-type": "retype only: the new type is the type that the volume has",
    "min-size": "retype only: the new type has provisioning:min_vol_size above the volume's size",
    "max-size": "retype only: the new type has provisioning:max_vol_size below the volume's size",
    "multiattach-in-use": "retype only: the new type is multiattach, the volume's is not, and it is in-use",
    "multiattach-encrypted": "retype only: the new type is multiattach and encrypted",
    "quota-volumes": "retype only: the per-type quota volumes_<new type> is 0",
    "quota-gigabytes": "retype only: the per-type quota gigabytes_<new type> is 0",
    # the scheduler
    "no-capacity": "the destination's storage is full: it reports no free space (thin pools: as much "
                   "provisioned as max_over_subscription_ratio allows)",
    "specs-mismatch": "migrate: the volume's type names another volume_backend_name than the destination's. "
                      "retype: the new type asks for a capability (replication_speed) that no back-end reports",
    "other-zone": "retype only: the new type asks for RESKEY:availability_zones=elsewhere",
    # the services
    "source-uninitialised": "the source's driver did not initialise",
    "destination-uninitialised": "the destination's driver did not initialise after the scheduler heard of it",
    # Nova (in-use only)
    "server-stopped": "the server is SHUTOFF",
    "server-shelved": "the server is SHELVED_OFFLOADED",
    "server-paused": "the server is PAUSED",
    "server-resized": "the server is RESIZED",
    "server-locked": "the server is locked by an admin",
    "swap-forbidden": "Nova's policy does not let Cinder's service user swap volumes",
    "cross-az-forbidden": "Nova has [cinder]cross_az_attach=False, and server and destination are in "
                          "different availability zones",
    "absent-server": "the server is gone, the attachment row is not",
    "not-attached": "Nova no longer knows that the server has the volume, the attachment row is there",
    # failures on the way
    "create-fails": "the destination's driver fails to create the temporary volume",
    "destination-export-fails": "the destination's driver fails to export the temporary volume",
    "source-export-fails": "the source's driver fails to export the volume (available volumes only)",
    "copy-fails": "the copy breaks off with an I/O error half way (in-use: the block job fails)",
    "rename-fails": "the destination's storage fails to rename the temporary volume at the end",
    "source-delete-fails": "the source's storage fails to delete the old object at the end",
}, {
    "release-fails": "retype only: the database fails when the API reserves what the old type gives back",
    "one-share": "NFS only, available volumes: the destination's share is the source's, by another name",
})  # fmt: skip

CASTS = Axis("casts", "when a service does what another one has told it without waiting for an answer", {
    "ordered": "soon, and before what the sender asks of it later",
    "immediate": "before the sender goes on, which is slow",
    "lazy": "some seconds late, when later calls have overtaken it, because it is busy",
})  # fmt: skip

AXES = (
    OPERATION, SOURCE, DESTINATION, STATUS, POLICY, LOCK, FORCE, TYPE, ENCRYPTION, FILL, NOVA, MEANWHILE,
    PRECONDITION, CASTS,
)  # fmt: skip
BY_NAME = {axis.name: axis for axis in AXES}
