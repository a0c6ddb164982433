"""The records of the control plane (`harness.record`), with Cinder's field names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from harness.record import Clustered, Record, Store

GIB = 1 << 30
MIB = 1 << 20

Connector: TypeAlias = dict[str, Any]
ConnectionInfo: TypeAlias = dict[str, Any]
ModelUpdate: TypeAlias = dict[str, Any]
Manageable: TypeAlias = dict[str, Any]
"""An object that could be taken over: reference, size, safe_to_manage, reason_not_safe, cinder_id, extra_info;
of a snapshot also source_reference."""
TypesDiff: TypeAlias = dict[Literal["extra_specs", "qos_specs", "encryption"], dict[str, tuple[Any, Any]]]

AVAILABLE_MIGRATION_STATUSES = (None, "deleting", "error", "success")
"""What counts as "not migrating" (`cinder.volume.api:AVAILABLE_MIGRATION_STATUS`)."""


def is_migrating(migration_status: str | None) -> bool:
    """True for starting, migrating, completing and every ``target:<id>``."""
    return migration_status not in AVAILABLE_MIGRATION_STATUSES


class Volume(Clustered):
    """A volume record. `name` follows `name_id`, never `id`: a driver addresses back-end objects by `name`.

    Sizes are GiB. Source: `cinder.objects.volume:Volume`.
    """

    TABLE = "volumes"
    NESTED = ("metadata", "admin_metadata", "glance_metadata")

    user_id: str
    project_id: str
    size: int
    display_name: str | None
    display_description: str | None
    availability_zone: str
    status: str
    attach_status: str
    migration_status: str | None
    previous_status: str | None
    _name_id: str | None
    provider_id: str | None
    provider_location: str | None
    provider_auth: str | None
    provider_geometry: str | None
    replication_status: str | None
    volume_type_id: str | None
    encryption_key_id: str | None
    snapshot_id: str | None
    source_volid: str | None
    group_id: str | None
    consistencygroup_id: str | None
    multiattach: bool
    bootable: bool
    service_uuid: str | None
    use_quota: bool
    metadata: dict[str, str]
    admin_metadata: dict[str, str]
    glance_metadata: dict[str, str]
    created_at: int | None
    launched_at: int | None

    volume_attachment: list[Attachment]
    """The live attachments when the record was loaded or refreshed, oldest first: messages carry them along,
    and saving does not renew them (`cinder.objects.volume:Volume._get_expected_attrs`)."""
    hides_admin_metadata = False
    """True for a record that a service has in a member's name: `admin_metadata` is not copied or swapped."""

    DEFAULTS = {
        "id": "", "user_id": "user", "project_id": "project", "size": 1, "display_name": None,
        "display_description": None, "host": None, "cluster_name": None, "availability_zone": "nova",
        "status": "creating", "attach_status": "detached", "migration_status": None,
        "previous_status": None, "_name_id": None, "provider_id": None, "provider_location": None,
        "provider_auth": None, "provider_geometry": None, "replication_status": None,
        "volume_type_id": None, "encryption_key_id": None, "snapshot_id": None, "source_volid": None,
        "group_id": None, "consistencygroup_id": None, "multiattach": False, "bootable": False,
        "service_uuid": None, "use_quota": True, "metadata": {}, "admin_metadata": {},
        "glance_metadata": {}, "created_at": None, "launched_at": None,
    }  # fmt: skip

    @classmethod
    def from_row(cls, row: Mapping[str, Any], store: Store) -> Self:
        volume = super().from_row(row, store)
        volume.__dict__["volume_attachment"] = store.attachments_of(volume.id)
        return volume

    def refresh(self) -> None:
        super().refresh()
        self.__dict__["volume_attachment"] = self._store.attachments_of(self.id)

    def copy(self) -> Self:
        volume = super().copy()
        volume.hides_admin_metadata = False
        return volume

    @property
    def name_id(self) -> str:
        """The id that the back-end object is named after: `_name_id` where set, else `id`."""
        return self._name_id or self.id

    @property
    def name(self) -> str:
        """The back-end object's name (`volume_name_template`, ``volume-%s``)."""
        return f"volume-{self.name_id}"

    @property
    def volume_type(self) -> VolumeType | None:
        """The record's type as it is now, or None."""
        return self._store.get_volume_type(self.volume_type_id) if self.volume_type_id else None

    @property
    def snapshots(self) -> list[Snapshot]:
        """The volume's snapshots, oldest first, read afresh at each use."""
        return self._store.snapshots_of(self.id)


class Snapshot(Record):
    """A snapshot record. Back-end objects are addressed by `name` and `volume_name`."""

    TABLE = "snapshots"
    NESTED = ("metadata",)

    volume_id: str
    user_id: str
    project_id: str
    volume_size: int
    display_name: str | None
    display_description: str | None
    status: str
    progress: str
    volume_type_id: str | None
    encryption_key_id: str | None
    group_snapshot_id: str | None
    provider_location: str | None
    provider_id: str | None
    metadata: dict[str, str]
    use_quota: bool
    created_at: int | None

    DEFAULTS = {
        "id": "", "volume_id": "", "user_id": "user", "project_id": "project", "volume_size": 1,
        "display_name": None, "display_description": None, "status": "creating", "progress": "0%",
        "volume_type_id": None, "encryption_key_id": None, "group_snapshot_id": None,
        "provider_location": None, "provider_id": None, "metadata": {}, "use_quota": True, "created_at": None,
    }  # fmt: skip

    @property
    def name(self) -> str:
        """``snapshot-%s`` of the id (`snapshot_name_template`)."""
        return f"snapshot-{self.id}"

    @property
    def volume(self) -> Volume:
        """The volume that was snapshotted, as it is now."""
        return self._store.get_volume(self.volume_id)

    @property
    def volume_name(self) -> str:
        """The back-end name of the volume: it follows `name_id` (`cinder.objects.snapshot:Snapshot`)."""
        return self.volume.name


class Attachment(Record):
    """One connection of a volume to a server or host.

    `attach_status`: reserved, attaching, attached, detached, error_attaching, error_detaching.
    """

    TABLE = "attachments"
    NESTED = ("connector", "connection_info")

    volume_id: str
    instance_uuid: str | None
    attached_host: str | None
    mountpoint: str | None
    attach_status: str
    attach_mode: str | None
    connector: Connector | None
    connection_info: ConnectionInfo | None

    DEFAULTS = {
        "id": "", "volume_id": "", "instance_uuid": None, "attached_host": None, "mountpoint": None,
        "attach_status": "reserved", "attach_mode": None, "connector": None, "connection_info": None,
    }  # fmt: skip


class Backup(Record):
    """A backup of a volume, or of a snapshot of it. Sizes are GiB. Source: `cinder.objects.backup:Backup`."""

    TABLE = "backups"
    NESTED = ("metadata",)

    user_id: str
    project_id: str
    volume_id: str
    snapshot_id: str | None
    parent_id: str | None
    restore_volume_id: str | None
    display_name: str | None
    display_description: str | None
    container: str | None
    host: str | None
    availability_zone: str | None
    service: str | None
    status: str
    fail_reason: str | None
    size: int
    object_count: int
    num_dependent_backups: int
    encryption_key_id: str | None
    temp_volume_id: str | None
    temp_snapshot_id: str | None
    metadata: dict[str, str]
    data_timestamp: int | None
    created_at: int | None

    DEFAULTS = {
        "id": "", "user_id": "user", "project_id": "project", "volume_id": "", "snapshot_id": None,
        "parent_id": None, "restore_volume_id": None, "display_name": None, "display_description": None,
        "container": None, "host": None, "availability_zone": None, "service": None, "status": "creating",
        "fail_reason": None, "size": 1, "object_count": 0, "num_dependent_backups": 0,
        "encryption_key_id": None, "temp_volume_id": None, "temp_snapshot_id": None, "metadata": {},
        "data_timestamp": None, "created_at": None,
    }  # fmt: skip

    @property
    def is_incremental(self) -> bool:
        """True if it holds only what changed since its parent."""
        return self.parent_id is not None


class Transfer(Record):
    """An offer of a volume to another project (`cinder.db.models:Transfer`)."""

    TABLE = "transfers"

    volume_id: str
    display_name: str | None
    salt: str
    crypt_hash: str
    no_snapshots: bool
    source_project_id: str
    destination_project_id: str | None
    accepted: bool
    created_at: int | None

    DEFAULTS = {
        "id": "", "volume_id": "", "display_name": None, "salt": "", "crypt_hash": "", "no_snapshots": False,
        "source_project_id": "", "destination_project_id": None, "accepted": False, "created_at": None,
    }  # fmt: skip


class DefaultType(Record):
    """The type of volumes that a project asks no type for; `id` is the project's (`DefaultVolumeTypes`)."""

    TABLE = "default_volume_types"

    volume_type_id: str

    DEFAULTS = {"id": "", "volume_type_id": ""}


class GroupType(Record):
    """What volume types are for volumes, for groups of them."""

    TABLE = "group_types"
    NESTED = ("group_specs",)

    name: str
    description: str | None
    is_public: bool
    group_specs: dict[str, str]

    DEFAULTS = {"id": "", "name": "", "description": None, "is_public": True, "group_specs": {}}


class Group(Clustered):
    """A generic group of volumes on one back-end (`cinder.objects.group:Group`).

    One that was made of a group's snapshot, or of another group, says of which.
    """

    TABLE = "groups"

    user_id: str
    project_id: str
    name: str | None
    description: str | None
    group_snapshot_id: str | None
    source_group_id: str | None
    availability_zone: str
    group_type_id: str
    volume_type_ids: tuple[str, ...]
    status: str
    replication_status: str
    created_at: int | None

    DEFAULTS = {
        "id": "", "user_id": "user", "project_id": "project", "name": None, "description": None, "host": None,
        "cluster_name": None, "group_snapshot_id": None, "source_group_id": None, "availability_zone": "nova",
        "group_type_id": "", "volume_type_ids": (), "status": "creating", "replication_status": "disabled",
        "created_at": None,
    }  # fmt: skip

    @classmethod
    def revived(cls, row: dict[str, Any]) -> dict[str, Any]:
        row["volume_type_ids"] = tuple(row["volume_type_ids"])
        return row


class GroupSnapshot(Record):
    """Snapshots of all volumes of a group; it is where the group is (`cinder.objects.group_snapshot`)."""

    TABLE = "group_snapshots"

    group_id: str
    user_id: str
    project_id: str
    name: str | None
    description: str | None
    group_type_id: str
    status: str
    created_at: int | None

    DEFAULTS = {
        "id": "", "group_id": "", "user_id": "user", "project_id": "project", "name": None, "description": None,
        "group_type_id": "", "status": "creating", "created_at": None,
    }  # fmt: skip


class Encryption(NamedTuple):
    """The encryption of a volume type. `provider` is luks or luks2; `key_size` is in bits."""

    provider: str
    cipher: str = "aes-xts-plain64"
    key_size: int = 256
    control_location: str = "front-end"


class QosSpecs(NamedTuple):
    """The QoS specs of a volume type. `consumer` is back-end, front-end or both."""

    id: str
    name: str
    consumer: str
    specs: tuple[tuple[str, str], ...]


class QualityOfServiceSpecs(Record):
    """A QoS specs object as the administrator made it; volume types carry copies of it."""

    TABLE = "quality_of_service_specs"
    NESTED = ("specs",)

    name: str
    consumer: str
    specs: dict[str, str]
    created_at: int | None
    updated_at: int | None

    DEFAULTS = {
        "id": "", "name": "", "consumer": "back-end", "specs": {}, "created_at": None, "updated_at": None,
    }  # fmt: skip

    def of_type(self) -> QosSpecs:
        """As a volume type carries it."""
        return QosSpecs(self.id, self.name, self.consumer, tuple(self.specs.items()))


class VolumeType(Record):
    """A volume type: extra specs for the scheduler and the driver, QoS, encryption."""

    TABLE = "volume_types"
    NESTED = ("extra_specs",)

    name: str
    extra_specs: dict[str, str]
    qos_specs: QosSpecs | None
    encryption: Encryption | None
    encryption_id: str | None
    is_public: bool
    description: str | None
    projects: tuple[str, ...]
    """Who may use a type that is not public."""
    created_at: int | None
    updated_at: int | None

    DEFAULTS = {
        "id": "", "name": "", "extra_specs": {}, "qos_specs": None, "encryption": None, "encryption_id": None,
        "is_public": True, "description": None, "projects": (), "created_at": None, "updated_at": None,
    }  # fmt: skip

    @classmethod
    def revived(cls, row: dict[str, Any]) -> dict[str, Any]:
        qos, encryption = row["qos_specs"], row["encryption"]
        if qos is not None:
            specs_id, name, consumer, specs = qos
            row["qos_specs"] = QosSpecs(specs_id, name, consumer, tuple((key, value) for key, value in specs))
        row["encryption"] = None if encryption is None else Encryption(*encryption)
        row["projects"] = tuple(row["projects"])
        return row

    @property
    def multiattach(self) -> bool:
        """True if the extra specs say so (`cinder.volume.volume_utils:is_multiattach_volume_type`)."""
        return self.extra_specs.get("multiattach") == "<is> True"


class Service(Record):
    """A service row. The heartbeat is virtual microseconds; up means: heard within `service_down_time`."""

    TABLE = "services"

    host: str
    binary: str
    topic: str
    availability_zone: str
    cluster_name: str | None
    disabled: bool
    disabled_reason: str | None
    frozen: bool
    replication_status: str
    active_backend_id: str | None
    heartbeat_us: int
    uuid: str

    DEFAULTS = {
        "id": "", "host": "", "binary": "cinder-volume", "topic": "cinder-volume",
        "availability_zone": "nova", "cluster_name": None, "disabled": False, "disabled_reason": None,
        "frozen": False, "replication_status": "disabled", "active_backend_id": None, "heartbeat_us": 0,
        "uuid": "",
    }  # fmt: skip


class Cluster(Record):
    """Services of several nodes that share the work on a back-end; `name` is ``cluster@section``.

    Whether they are disabled or frozen, what they replicate and whereto, is the cluster's for all of them.
    """

    TABLE = "clusters"

    name: str
    binary: str
    disabled: bool
    disabled_reason: str | None
    frozen: bool
    replication_status: str
    active_backend_id: str | None
    created_at: int | None

    DEFAULTS = {
        "id": "", "name": "", "binary": "cinder-volume", "disabled": False, "disabled_reason": None,
        "frozen": False, "replication_status": "disabled", "active_backend_id": None, "created_at": None,
    }  # fmt: skip


class Context(NamedTuple):
    """Who asks. Admins see and do everything; members only what is their project's, readers only look.

    `roles` are what a caller who is no admin has in the project; `service` says that the request carries the
    token of a service, as Nova's do.
    """

    user_id: str
    project_id: str
    is_admin: bool
    roles: tuple[str, ...] = ("member", "reader")
    service: bool = False
