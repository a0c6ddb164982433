"""Records made of rows: what whoever reads a database asks of it, wherever the rows are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from harness import errors
from harness.model import Attachment, Group, GroupSnapshot, Snapshot, Volume, VolumeType
from harness.record import Record

Row = dict[str, Any]


class Records(ABC):
    """Tables of rows by id, in the order of their creation, and copies of their rows as records."""

    volumes: Mapping[str, Row]
    snapshots: Mapping[str, Row]
    attachments: Mapping[str, Row]
    volume_types: Mapping[str, Row]
    groups: Mapping[str, Row]
    group_snapshots: Mapping[str, Row]

    @abstractmethod
    def save(self, record: Record) -> None:
        """Write the fields that were assigned since the record was read."""

    @abstractmethod
    def refresh(self, record: Record) -> None:
        """Read the row again into the record."""

    def get_volume(self, volume_id: str) -> Volume:
        """A copy of the row. VolumeNotFound."""
        row = self.volumes.get(volume_id)
        if row is None:
            raise errors.VolumeNotFound(volume_id=volume_id)
        return Volume.from_row(row, self)

    def get_snapshot(self, snapshot_id: str) -> Snapshot:
        """A copy of the row. SnapshotNotFound."""
        row = self.snapshots.get(snapshot_id)
        if row is None:
            raise errors.SnapshotNotFound(snapshot_id=snapshot_id)
        return Snapshot.from_row(row, self)

    def snapshots_of(self, volume_id: str) -> list[Snapshot]:
        return [
            Snapshot.from_row(row, self) for row in self.snapshots.values() if row["volume_id"] == volume_id
        ]

    def get_volume_type(self, type_id: str) -> VolumeType:
        """By id or name. VolumeTypeNotFound."""
        row = self.volume_types.get(type_id)
        if row is None:
            row = next((row for row in self.volume_types.values() if row["name"] == type_id), None)
        if row is None:
            raise errors.volume_type_not_found(type_id)
        return VolumeType.from_row(row, self)

    def get_attachment(self, attachment_id: str) -> Attachment:
        """A copy of the row. AttachmentNotFound."""
        row = self.attachments.get(attachment_id)
        if row is None:
            raise errors.AttachmentNotFound(attachment_id=attachment_id)
        return Attachment.from_row(row, self)

    def attachments_of(self, volume_id: str) -> list[Attachment]:
        return [
            Attachment.from_row(row, self) for row in self.attachments.values() if row["volume_id"] == volume_id
        ]

    def get_group(self, group_id: str) -> Group:
        """A copy of the row. GroupNotFound."""
        if group_id not in self.groups:
            raise errors.GroupNotFound(group_id=group_id)
        return Group.from_row(self.groups[group_id], self)

    def get_group_snapshot(self, group_snapshot_id: str) -> GroupSnapshot:
        """A copy of the row. GroupSnapshotNotFound."""
        if group_snapshot_id not in self.group_snapshots:
            raise errors.GroupSnapshotNotFound(group_snapshot_id=group_snapshot_id)
        return GroupSnapshot.from_row(self.group_snapshots[group_snapshot_id], self)

    def volumes_of_group(self, group_id: str) -> list[Volume]:
        """The members of a group, oldest first."""
        return [Volume.from_row(row, self) for row in self.volumes.values() if row["group_id"] == group_id]

    def snapshots_of_group_snapshot(self, group_snapshot_id: str) -> list[Snapshot]:
        """The snapshots that belong to a group's snapshot, oldest first."""
        return [
            Snapshot.from_row(row, self)
            for row in self.snapshots.values()
            if row["group_snapshot_id"] == group_snapshot_id
        ]
