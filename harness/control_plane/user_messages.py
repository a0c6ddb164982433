"""User messages: what a project may know of a request that failed after it was accepted.

Sources: `cinder.message.api:API`, `cinder.message.message_field`. A migration that fails leaves no message.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from harness import errors
from harness.model import Context, Snapshot, Volume
from harness.sim.kernel import Kernel
from harness.sim.seeds import Ids

SECOND_US = 1_000_000


class Action(enum.Enum):
    """What was being done: id and words."""

    SCHEDULE_ALLOCATE_VOLUME = ("001", "schedule allocate volume")
    ATTACH_VOLUME = ("002", "attach volume")
    COPY_VOLUME_TO_IMAGE = ("003", "copy volume to image")
    UPDATE_ATTACHMENT = ("004", "update attachment")
    COPY_IMAGE_TO_VOLUME = ("005", "copy image to volume")
    UNMANAGE_VOLUME = ("006", "unmanage volume")
    EXTEND_VOLUME = ("007", "extend volume")
    CREATE_VOLUME_FROM_BACKEND = ("008", "create volume from backend storage")
    SNAPSHOT_CREATE = ("009", "create snapshot")
    SNAPSHOT_DELETE = ("010", "delete snapshot")
    SNAPSHOT_UPDATE = ("011", "update snapshot")
    SNAPSHOT_METADATA_UPDATE = ("012", "update snapshot metadata")
    BACKUP_CREATE = ("013", "create backup")
    BACKUP_DELETE = ("014", "delete backup")
    BACKUP_RESTORE = ("015", "restore backup")
    REIMAGE_VOLUME = ("016", "reimage volume")


class Detail(enum.Enum):
    """What went wrong: id and words."""

    UNKNOWN_ERROR = ("001", "An unknown error occurred.")
    DRIVER_NOT_INITIALIZED = ("002", "Driver is not initialized at present.")
    NO_BACKEND_AVAILABLE = ("003", "Could not find any available weighted backend.")
    FAILED_TO_UPLOAD_VOLUME = ("004", "Failed to upload volume to image at backend.")
    VOLUME_ATTACH_MODE_INVALID = ("005", "Volume's attach mode is invalid.")
    QUOTA_EXCEED = ("006", "Not enough quota resource for operation.")
    NOT_ENOUGH_SPACE_FOR_IMAGE = ("007", "Image used for creating volume exceeds available space.")
    UNMANAGE_ENC_NOT_SUPPORTED = ("008", "Unmanaging encrypted volumes is not supported.")
    NOTIFY_COMPUTE_SERVICE_FAILED = ("009", "Compute service failed to extend volume.")
    DRIVER_FAILED_EXTEND = ("010", "Volume Driver failed to extend volume.")
    DRIVER_FAILED_CREATE = ("012", "Driver failed to create the volume.")
    SNAPSHOT_CREATE_ERROR = ("013", "Snapshot failed to create.")
    SNAPSHOT_IS_BUSY = ("015", "Snapshot is busy.")
    SNAPSHOT_DELETE_ERROR = ("016", "Snapshot failed to delete.")
    REIMAGE_VOLUME_FAILED = ("028", "Compute service failed to reimage volume.")


DETAIL_OF: Mapping[type[Exception], Detail] = MappingProxyType({
    errors.DriverNotInitialized: Detail.DRIVER_NOT_INITIALIZED,
    errors.NoValidBackend: Detail.NO_BACKEND_AVAILABLE,
    errors.InvalidVolumeAttachMode: Detail.VOLUME_ATTACH_MODE_INVALID,
    errors.SnapshotLimitExceeded: Detail.QUOTA_EXCEED,
    errors.SnapshotIsBusy: Detail.SNAPSHOT_IS_BUSY,
})  # fmt: skip
"""Exceptions that say by themselves what went wrong; derived classes do not count."""


class UserMessage(NamedTuple):
    """A row of the ``messages`` table. `resource_type` is VOLUME or VOLUME_SNAPSHOT."""

    id: str
    project_id: str
    resource_type: str
    resource_uuid: str
    action: Action
    detail: Detail
    level: str
    created_us: int
    expires_us: int

    @property
    def event_id(self) -> str:
        """``VOLUME_VOLUME_008_012``."""
        return f"VOLUME_{self.resource_type}_{self.action.value[0]}_{self.detail.value[0]}"

    @property
    def user_message(self) -> str:
        """What the API shows (`cinder.api.v3.messages`)."""
        return f"{self.action.value[1]}:{self.detail.value[1]}"


class UserMessages:
    """The messages of all projects, oldest first. They expire after `ttl_s` (`message_ttl`)."""

    def __init__(self, seed: int, kernel: Kernel, *, ttl_s: int) -> None:
        self._ids = Ids(seed, "messages")
        self._kernel = kernel
        self._ttl_us = ttl_s * SECOND_US
        self._messages: dict[str, UserMessage] = {}

    def create(
        self,
        record: Volume | Snapshot,
        action: Action,
        error: Exception | None = None,
        detail: Detail = Detail.UNKNOWN_ERROR,
    ) -> None:
        """Tell the project that asked, of a volume or snapshot. The exception's own words are not for its eyes.

        Where nobody knows who asked, it is the record's project.
        """
        now_us = self._kernel.now_us
        task = self._kernel.current
        asking: Context | None = task.asking if task is not None else None
        message = UserMessage(
            id=self._ids.uuid(),
            project_id=asking.project_id if asking is not None else record.project_id,
            resource_type="VOLUME_SNAPSHOT" if isinstance(record, Snapshot) else "VOLUME",
            resource_uuid=record.id,
            action=action,
            detail=detail if error is None else DETAIL_OF.get(type(error), detail),
            level="ERROR",
            created_us=now_us,
            expires_us=now_us + self._ttl_us,
        )
        self._messages[message.id] = message

    def all(self, context: Context) -> list[UserMessage]:
        """Those of the caller's project; for an admin, of all."""
        return [each for each in self._messages.values() if _visible(context, each)]

    def get(self, context: Context, message_id: str) -> UserMessage:
        """MessageNotFound also for other projects' messages, except for an admin."""
        message = self._messages.get(message_id)
        if message is None or not _visible(context, message):
            raise errors.MessageNotFound(message_id=message_id)
        return message

    def delete(self, context: Context, message_id: str) -> None:
        """MessageNotFound."""
        del self._messages[self.get(context, message_id).id]

    def dump(self) -> list[tuple[object, ...]]:
        """All of them, for JSON."""
        return [
            (each.id, each.project_id, each.resource_type, each.resource_uuid, each.action.name,
             each.detail.name, each.level, each.created_us, each.expires_us)
            for each in self._messages.values()
        ]  # fmt: skip

    def load(self, dumped: Iterable[Sequence[Any]]) -> None:
        """Bring back what was dumped."""
        for name, project, kind, resource, action, detail, level, created_us, expires_us in dumped:
            self._messages[name] = UserMessage(
                name, project, kind, resource, Action[action], Detail[detail], level, created_us, expires_us
            )

    def expire(self, now_us: int) -> None:
        """Forget those whose time is over (`cleanup_expired_messages`)."""
        self._messages = {key: each for key, each in self._messages.items() if each.expires_us >= now_us}


def _visible(context: Context, message: UserMessage) -> bool:
    return context.is_admin or context.project_id == message.project_id
