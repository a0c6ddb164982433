"""Every exception that Crucible raises on purpose.

    Exception
    └── CrucibleError
        ├── InputError                  the user's input is wrong: one line, exit status 2
        ├── KernelError                 the simulation itself is stuck or misused: exit status 3
        │   ├── Stuck
        │   └── Overdue
        ├── NeverInitialised            somebody's driver cannot be set up: a finding
        ├── StorageError                a fake back-end refuses, as the real one does
        │   ├── NoSpace (ENOSPC)
        │   ├── NotFound (ENOENT)
        │   ├── AlreadyExists (EEXIST)
        │   ├── Busy (EBUSY)
        │   ├── InvalidArgument (EINVAL)
        │   └── Unreadable (EIO)
        └── ServiceError                what Cinder's and Nova's services raise; `code` is the HTTP code
            ├── NotFoundError 404:      VolumeNotFound, SnapshotNotFound, VolumeTypeNotFound, ...
            ├── Invalid 400:            InvalidVolume, InvalidInput, InvalidHost, ...
            ├── PolicyNotAuthorized 403
            ├── Conflict 409:           ResourceConflict
            ├── OverQuota 413:          VolumeLimitExceeded, VolumeSizeExceedsAvailableQuota
            └── 500:                    NoValidBackend, VolumeBackendAPIException, VolumeMigrationFailed, ...

Names, texts and codes of service errors are those of `cinder.exception` and of Nova's API, because a
driver under test may raise or catch them.
"""

from __future__ import annotations

import errno
from uuid import UUID


class CrucibleError(Exception):
    """The root of the tree above."""


class InputError(CrucibleError):
    """The user's input is wrong. The text is one line: what is wrong, where, and what would be right."""


class KernelError(CrucibleError):
    """The simulation was misused, or cannot go on."""


class Stuck(KernelError):
    """Nothing can run any more, but somebody is still waiting. The text says who waits for what."""


class Overdue(KernelError):
    """What was waited for is not done in time, and goes on."""


class NeverInitialised(CrucibleError):
    """A driver cannot be set up, so nothing can be asked of its back-end. The text says which, and why."""


class TaskKilled(BaseException):
    """Thrown into the tasks of a service that crashes.

    Not an `Exception`: simulated code must not be able to survive the death of its own process.
    """


# ---------------------------------------------------------------------------------------------- storage


class StorageError(CrucibleError):
    """A fake back-end refuses. `errno` is the number that the real one returns."""

    errno = errno.EIO

    def __init__(self, message: str, *, errno: int | None = None) -> None:
        super().__init__(message)
        if errno is not None:
            self.errno = errno


class NoSpace(StorageError):
    """No space left on the device, in the pool or in the volume group.

    `written` counts the bytes that went through before the space ran out.
    """

    errno = errno.ENOSPC

    def __init__(self, message: str = "No space left on device", *, written: int = 0) -> None:
        super().__init__(message)
        self.written = written


class NotFound(StorageError):
    """The named object does not exist."""

    errno = errno.ENOENT


class AlreadyExists(StorageError):
    """An object of that name exists."""

    errno = errno.EEXIST


class Busy(StorageError):
    """Somebody holds the object open, or something depends on it."""

    errno = errno.EBUSY


class InvalidArgument(StorageError):
    """The request makes no sense to the back-end."""

    errno = errno.EINVAL


class Unreadable(StorageError):
    """What is on a medium is not what should be there: no label, a wrong checksum, a format not known.

    The text says what the medium has or lacks; whoever knows the medium's name puts it in front.
    """


# --------------------------------------------------------------------------------------------- services


class ServiceError(CrucibleError):
    """Raised by an API or a service. `code` is the HTTP status that a REST client would see."""

    code = 500
    template = "An unknown exception occurred."

    def __init__(self, message: str | None = None, **values: object) -> None:
        super().__init__(message if message is not None else self.template.format(**values))


class NotFoundError(ServiceError):
    code = 404
    template = "Resource could not be found."


class VolumeNotFound(NotFoundError):
    template = "Volume {volume_id} could not be found."


class SnapshotNotFound(NotFoundError):
    template = "Snapshot {snapshot_id} could not be found."


class VolumeTypeNotFound(NotFoundError):
    template = "Volume type {volume_type_id} could not be found."


class VolumeTypeNotFoundByName(VolumeTypeNotFound):
    template = "Volume type with name {volume_type_name} could not be found."


def volume_type_not_found(name_or_id: str) -> VolumeTypeNotFound:
    """By what was asked for: what looks like a uuid is an id (`VolumeType.get_by_name_or_id`)."""
    try:
        UUID(name_or_id)
    except ValueError:
        return VolumeTypeNotFoundByName(volume_type_name=name_or_id)
    return VolumeTypeNotFound(volume_type_id=name_or_id)


class VolumeTypeAccessNotFound(NotFoundError):
    template = "Volume type access not found for {volume_type_id} / {project_id} combination."


class VolumeTypeExtraSpecsNotFound(NotFoundError):
    template = "Volume Type {volume_type_id} has no extra specs with key {extra_specs_key}."


class VolumeTypeProjectDefaultNotFound(NotFoundError):
    template = "Default type for project {project_id} not found."


class VolumeTypeEncryptionNotFound(NotFoundError):
    template = "Volume type encryption for type {type_id} does not exist."


class QoSSpecsNotFound(NotFoundError):
    template = "No such QoS spec {specs_id}."


class QoSSpecsKeyNotFound(NotFoundError):
    template = "QoS spec {specs_id} has no spec with key {specs_key}."


class MessageNotFound(NotFoundError):
    template = "Message {message_id} could not be found."


class AttachmentNotFound(NotFoundError):
    template = "Volume attachment could not be found with filter: attachment_id = {attachment_id}."


class VolumeMetadataNotFound(NotFoundError):
    template = "Volume {volume_id} has no metadata with key {metadata_key}."


class SnapshotMetadataNotFound(NotFoundError):
    template = "Snapshot {snapshot_id} has no metadata with key {metadata_key}."


class GlanceMetadataNotFound(NotFoundError):
    template = "Glance metadata for volume/snapshot {id} cannot be found."


class ImageNotFound(NotFoundError):
    template = "Image {image_id} could not be found."


class BackupNotFound(NotFoundError):
    template = "Backup {backup_id} could not be found."


class TransferNotFound(NotFoundError):
    template = "Transfer {transfer_id} could not be found."


class GroupNotFound(NotFoundError):
    template = "Group {group_id} could not be found."


class GroupSnapshotNotFound(NotFoundError):
    template = "GroupSnapshot {group_snapshot_id} could not be found."


class GroupTypeNotFound(NotFoundError):
    template = "Group type {group_type_id} could not be found."


class GroupTypeNotFoundByName(GroupTypeNotFound):
    template = "Group type with name {group_type_name} could not be found."


class HostNotFound(NotFoundError):
    template = "Host {host} could not be found."


class GroupTypeSpecsNotFound(NotFoundError):
    template = "Group Type {group_type_id} has no specs with key {group_specs_key}."


class ServerNotFound(NotFoundError):
    template = "Instance {server_id} could not be found."


class QuotaResourceUnknown(NotFoundError):
    template = "Unknown quota resources {unknown}."


class Invalid(ServiceError):
    code = 400
    template = "Unacceptable parameters."


class InvalidVolume(Invalid):
    template = "Invalid volume: {reason}"


class InvalidSnapshot(Invalid):
    template = "Invalid snapshot: {reason}"


class InvalidBackup(Invalid):
    template = "Invalid backup: {reason}"


class InvalidGroup(Invalid):
    template = "Invalid Group: {reason}"


class InvalidGroupSnapshot(Invalid):
    template = "Invalid GroupSnapshot: {reason}"


class InvalidGroupType(Invalid):
    template = "Invalid group type: {reason}"


class InvalidReplicationTarget(Invalid):
    template = "Invalid Replication Target: {reason}"


class InvalidAuthKey(Invalid):
    template = "Invalid auth key: {reason}"


class InvalidVolumeMetadata(Invalid):
    template = "Invalid metadata: {reason}"


class InvalidVolumeMetadataSize(Invalid):
    code = 413
    template = "Invalid metadata size: {reason}"


class ImageCopyFailure(Invalid):
    template = "Failed to copy image to volume: {reason}"


class ImageUnacceptable(Invalid):
    template = "Image {image_id} is unacceptable: {reason}"


class NotSupportedOperation(Invalid):
    code = 405
    template = "Operation not supported: {operation}."


class InvalidInput(Invalid):
    template = "Invalid input received: {reason}"


class InvalidAvailabilityZone(Invalid):
    template = "Availability zone '{az}' is invalid."


class InvalidTypeAvailabilityZones(Invalid):
    template = "Volume type is only supported in these availability zones: {az}"


class InvalidVolumeType(Invalid):
    template = "Invalid volume type: {reason}"


class VolumeTypeEncryptionExists(Invalid):
    template = "Volume type encryption for type {type_id} already exists."


class VolumeTypeDefaultDeletionError(Invalid):
    template = "The volume type {volume_type_id} is a default volume type and cannot be deleted."


class InvalidQoSSpecs(Invalid):
    template = "Invalid qos specs: {reason}"


class InvalidHost(Invalid):
    template = "Invalid host: {reason}"


class InvalidVolumeAttachMode(Invalid):
    template = "Invalid attaching mode '{mode}' for volume {volume_id}."


class InvalidConnectorException(Invalid):
    template = "Connector doesn't have required information: {missing}"


class VolumeAttached(Invalid):
    template = "Volume {volume_id} is still attached, detach volume first."


class PolicyNotAuthorized(ServiceError):
    code = 403
    template = "Policy doesn't allow {action} to be performed."


class Conflict(ServiceError):
    code = 409
    template = "There is a conflict with the resource."


class ResourceConflict(Conflict):
    template = "Resource conflict: {reason}"


class VolumeTypeExists(Conflict):
    template = "Volume Type {id} already exists."


class VolumeTypeAccessExists(Conflict):
    template = "Volume type access for {volume_type_id} / {project_id} combination already exists."


class QoSSpecsExists(Conflict):
    template = "QoS Specs {specs_id} already exists."


class GroupTypeExists(Conflict):
    template = "Group Type {id} already exists."


class ConflictNovaUsingAttachment(Conflict):
    template = "Detach volume from instance {instance_id} using the Compute API"


class OverQuota(ServiceError):
    code = 413
    template = "Quota exceeded for resources: {overs}"


class VolumeLimitExceeded(OverQuota):
    template = "Maximum number of volumes allowed ({allowed}) exceeded for quota '{name}'."


class VolumeSizeExceedsAvailableQuota(OverQuota):
    template = (
        "Requested volume or snapshot exceeds allowed {name} quota. "
        "Requested {requested}G, quota is {quota}G and {consumed}G has been consumed."
    )


class VolumeSizeExceedsLimit(OverQuota):
    template = "Requested volume size {size}G is larger than maximum allowed limit {limit}G."


class SnapshotLimitExceeded(OverQuota):
    template = "Maximum number of snapshots allowed ({allowed}) exceeded"


class BackupLimitExceeded(OverQuota):
    template = "Maximum number of backups allowed ({allowed}) exceeded"


class VolumeBackupSizeExceedsAvailableQuota(OverQuota):
    template = (
        "Requested backup exceeds allowed Backup gigabytes quota. Requested {requested}G, quota is {quota}G "
        "and {consumed}G has been consumed."
    )


class GroupLimitExceeded(OverQuota):
    template = "Maximum number of groups allowed ({allowed}) exceeded"


class UnexpectedOverQuota(OverQuota):
    template = "Unexpected over quota on {name}."


class VolumeTypeDefaultMisconfiguredError(ServiceError):
    template = "The request cannot be fulfilled as the default volume type {volume_type_name} cannot be found."


class NoValidBackend(ServiceError):
    template = "No valid backend was found. {reason}"


class ServiceUnavailable(ServiceError):
    code = 503
    template = "Service is unavailable at this time."


class MessagingTimeout(ServiceError):
    template = "Timed out waiting for a reply from {service}."


class DriverNotInitialized(ServiceError):
    template = "Volume driver not ready."


class VolumeDriverException(ServiceError):
    template = "Volume driver reported an error: {message}"


class ExtendVolumeError(ServiceError):
    template = "Error extending volume: {reason}"


class RemoteFSException(VolumeDriverException):
    template = "Unknown RemoteFS exception"


class NfsException(RemoteFSException):
    template = "Unknown NFS exception"


class NfsNoSharesMounted(RemoteFSException):
    template = "No mounted NFS shares found"


class NfsNoSuitableShareFound(RemoteFSException):
    template = "There is no share which can host {volume_size}G"


class RemoveExportException(VolumeDriverException):
    template = "Failed to remove export for volume {volume}: {reason}"


class VolumeBackendAPIException(ServiceError):
    template = "Bad or unexpected response from the storage volume backend API: {data}"


class VolumeIsBusy(ServiceError):
    template = "deleting volume {volume_name} that has snapshot"


class SnapshotIsBusy(ServiceError):
    template = "deleting snapshot {snapshot_name} that has dependent volumes"


class VolumeMigrationFailed(ServiceError):
    template = "Volume migration failed: {reason}"


class TargetUpdateFailed(ServiceError):
    template = "Failed to update target for volume {volume_id}."


class ManageExistingInvalidReference(ServiceError):
    template = "Manage existing volume failed due to invalid backend reference {existing_ref}: {reason}"


class ManageExistingAlreadyManaged(ServiceError):
    template = "Unable to manage existing volume. Volume {volume_ref} already managed."


class ManageExistingVolumeTypeMismatch(ServiceError):
    template = "Manage existing volume failed due to volume type mismatch: {reason}"


class ReplicationGroupError(ServiceError):
    template = "Group {group_id} replication error: {reason}."


class GroupTypeInUse(ServiceError):
    template = "Group Type {group_type_id} deletion is not allowed with groups present with the type."


class ProcessExecutionError(ServiceError):
    """A command failed, and nobody made a service's error of it (`oslo_concurrency.processutils`)."""


class UnsupportedEncryption(ServiceError):
    """os-brick cannot put an encryptor on what it was given."""

    template = "Volume encryption is not supported for {provider} volume {volume_id}."


class VolumeEncryptionNotSupported(ServiceError):
    template = "Volume encryption is not supported for {volume_type} volume {volume_id}."


# ------------------------------------------------------------------------------------------------- Nova


class NovaError(ServiceError):
    """The compute API or the compute service refuses."""


class NovaBadRequest(NovaError):
    code = 400
    template = "{reason}"


class NovaForbidden(NovaError):
    code = 403
    template = "{reason}"


class NovaConflict(NovaError):
    code = 409
    template = "{reason}"


class VolumeRebaseFailed(NovaError):
    template = "Volume rebase failed: {reason}"


class SwapNotSupported(NovaError):
    """libvirt's driver cannot swap this pair (Nova raises NotImplementedError)."""

    template = "{reason}"
