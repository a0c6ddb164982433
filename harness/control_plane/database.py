"""Cinder's database: rows, copies of rows, and the atomic conditional update on which its API rests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness import errors
from harness.control_plane.records import Records, Row
from harness.control_plane.tables import Changes, Table
from harness.model import (
    Attachment,
    Backup,
    Cluster,
    DefaultType,
    Group,
    GroupSnapshot,
    GroupType,
    QualityOfServiceSpecs,
    Service,
    Snapshot,
    Transfer,
    Volume,
    VolumeType,
)
from harness.record import Record
from harness.sim.seeds import Ids

if TYPE_CHECKING:
    from harness.control_plane.start import Worker

_RECORDS = (
    Volume,
    Snapshot,
    Attachment,
    VolumeType,
    QualityOfServiceSpecs,
    Service,
    Cluster,
    DefaultType,
    Backup,
    Transfer,
    Group,
    GroupSnapshot,
    GroupType,
)


class Not:
    """In the conditions of a conditional update: any value but this one (`cinder.db.api:Not`)."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Database(Records):
    """Tables of rows by id. Whoever asks gets a copy, never a row (see `harness.model.Record`)."""

    def __init__(self, seed: int) -> None:
        self._ids = Ids(seed, "database")
        self.changes = Changes()
        self._kinds: dict[str, type[Record]] = {record.TABLE: record for record in _RECORDS}
        self._tables: dict[str, Table] = {name: Table(name, self.changes) for name in self._kinds}
        self.volumes: dict[str, Row] = self._tables["volumes"]
        self.snapshots: dict[str, Row] = self._tables["snapshots"]
        self.attachments: dict[str, Row] = self._tables["attachments"]
        self.services: dict[str, Row] = self._tables["services"]
        self.clusters: dict[str, Row] = self._tables["clusters"]
        """By name, ``cluster@section``."""
        self.volume_types: dict[str, Row] = self._tables["volume_types"]
        self.default_types: dict[str, Row] = self._tables["default_volume_types"]
        """By the ids of projects."""
        self.qos_specs: dict[str, Row] = self._tables["quality_of_service_specs"]
        self.backups: dict[str, Row] = self._tables["backups"]
        self.transfers: dict[str, Row] = self._tables["transfers"]
        self.groups: dict[str, Row] = self._tables["groups"]
        self.group_snapshots: dict[str, Row] = self._tables["group_snapshots"]
        self.group_types: dict[str, Row] = self._tables["group_types"]
        self.workers: dict[str, Worker] = {}
        """Who is at work on which record: what a restart has to clean up."""
        self.on_create: Callable[[Row], None] = lambda row: None

    def new_id(self) -> str:
        """A fresh uuid."""
        return self._ids.uuid()

    def load(self, rows: Iterable[tuple[str, str, Row]]) -> None:
        """Bring rows back that another process has saved: (table, id, values), in the order of creation."""
        for name, row_id, values in rows:
            if name in self._tables:
                kind = self._kinds[name]
                self._tables[name][row_id] = kind.revived({**kind.DEFAULTS, **values})
        self.changes.rows.clear()

    def take_changes(self) -> dict[tuple[str, str], Row | None]:
        """What was made or changed since this was asked last, by (table, id); None for what is gone."""
        changed = {(name, row_id): self._tables[name].get(row_id) for name, row_id in self.changes.rows}
        self.changes.rows.clear()
        return changed

    # ---------------------------------------------------------------------------------- rows and records

    def create(self, kind: type[Record], values: Mapping[str, Any]) -> str:
        """Insert a row; fields that are not given have the record's defaults. Returns its id."""
        row: Row = {**kind.DEFAULTS, **values}
        if not row["id"]:
            row["id"] = self.new_id()
        table = self._tables[kind.TABLE]
        table[row["id"]] = row
        self.on_create(table[row["id"]])
        return str(row["id"])

    def save(self, record: Record) -> None:
        self._row(record).update(record.changes())

    def refresh(self, record: Record) -> None:
        record.__dict__.update(self._row(record))

    def update(self, kind: type[Record], record_id: str, values: Mapping[str, Any]) -> None:
        """Write fields of a row without a record in hand; no row, no effect."""
        row = self._tables[kind.TABLE].get(record_id)
        if row is not None:
            row.update(values)

    def _row(self, record: Record) -> Row:
        try:
            return self._tables[record.TABLE][record.id]
        except KeyError:
            raise _absent(record.TABLE, record.id) from None

    def conditional_update(
        self, record: Record, values: Mapping[str, Any], expected: Mapping[str, Any], *filters: bool
    ) -> bool:
        """One atomic compare-and-swap on the record's row; `record` then carries the new values.

        `expected` maps fields to a value, a tuple of values or a `Not`; `filters` are conditions that the
        caller evaluated on other tables in the same instant. A callable among `values` is given the row.
        """
        row = self._row(record)
        if not all(filters):
            return False
        for field, wanted in expected.items():
            value = row[field]
            if isinstance(wanted, tuple):
                if value not in wanted:
                    return False
            elif isinstance(wanted, Not):
                if value == wanted.value:
                    return False
            elif value != wanted:
                return False
        new = {field: value(row) if callable(value) else value for field, value in values.items()}
        row.update(new)
        record.__dict__.update(new)
        return True

    # -------------------------------------------------------------------------------------------- volumes

    def destroy_volume(self, volume_id: str) -> None:
        """Delete the row and, with it, its attachment rows (`cinder.db.api:volume_destroy`)."""
        if self.volumes.pop(volume_id, None) is None:
            raise errors.VolumeNotFound(volume_id=volume_id)
        for attachment in self.attachments_of(volume_id):
            del self.attachments[attachment.id]

    # ---------------------------------------------------------------------- backups, transfers and groups

    def get_backup(self, backup_id: str) -> Backup:
        """A copy of the row. BackupNotFound."""
        if backup_id not in self.backups:
            raise errors.BackupNotFound(backup_id=backup_id)
        return Backup.from_row(self.backups[backup_id], self)

    def get_transfer(self, transfer_id: str) -> Transfer:
        """A copy of the row. TransferNotFound."""
        if transfer_id not in self.transfers:
            raise errors.TransferNotFound(transfer_id=transfer_id)
        return Transfer.from_row(self.transfers[transfer_id], self)

    def get_group_type(self, type_id: str) -> GroupType:
        """By id or name. GroupTypeNotFound."""
        row = self.group_types.get(type_id)
        if row is None:
            row = next((row for row in self.group_types.values() if row["name"] == type_id), None)
        if row is None:
            raise errors.GroupTypeNotFound(group_type_id=type_id)
        return GroupType.from_row(row, self)

    # ---------------------------------------------------------------------------------------- attachments

    def volume_attached(
        self, attachment_id: str, host: str, mountpoint: str, mode: str, *, mark_attached: bool
    ) -> None:
        """Mark attachment and volume as attached or attaching (`cinder.db.api:volume_attached`)."""
        attach_status, status = ("attached", "in-use") if mark_attached else ("attaching", "attaching")
        attachment = self.get_attachment(attachment_id)
        self.update(
            Attachment,
            attachment_id,
            {
                "attach_status": attach_status,
                "attached_host": host,
                "mountpoint": mountpoint,
                "attach_mode": mode,
            },
        )
        self.update(Volume, attachment.volume_id, {"status": status, "attach_status": attach_status})

    def volume_detached(self, volume_id: str, attachment_id: str) -> None:
        """Delete the attachment; the volume's statuses follow from those that remain.

        While the volume migrates its status is not touched once it is detached: the migration writes it
        later (`cinder.db.api:volume_detached`, `cinder.objects.volume:Volume.finish_detach`).
        """
        row = self._row(self.get_volume(volume_id))
        self.attachments.pop(attachment_id, None)
        status, attach_status = self.statuses_from_attachments(volume_id)
        row["attach_status"] = attach_status
        row["admin_metadata"] = {
            key: value for key, value in row["admin_metadata"].items() if key != "attached_mode"
        }
        idle = not row["migration_status"] and row["status"] != "uploading"
        if attach_status != "detached" or idle or row["migration_status"] in ("success", "error"):
            row["status"] = status

    def statuses_from_attachments(self, volume_id: str) -> tuple[str, str]:
        """(status, attach_status) by the most telling of the volume's attachments."""
        present = {attachment.attach_status for attachment in self.attachments_of(volume_id)}
        for attach_status, status in (
            ("attached", "in-use"), ("attaching", "attaching"), ("detaching", "detaching"),
            ("reserved", "reserved"),
        ):  # fmt: skip
            if attach_status in present:
                return status, attach_status
        return "available", "detached"

    # ------------------------------------------------------------------------------------------- services

    def service(self, host: str) -> Service:
        """The cinder-volume service at ``host@backend``. ServiceNotFound as NotFoundError."""
        row = self.services.get(host)
        if row is None:
            raise errors.NotFoundError(f"Service {host} could not be found.")
        return Service.from_row(row, self)

    def disabled(self, service: Row) -> bool:
        """Whether the scheduler may not use a service; in a cluster, that is said of the cluster."""
        return bool(self._responsible(service)["disabled"])

    def frozen(self, service: Row) -> bool:
        """Whether a service, or the cluster that it is in, is frozen (`_clustered_bool_field_filter`)."""
        return bool(self._responsible(service)["frozen"])

    def _responsible(self, service: Row) -> Row:
        return self.clusters[service["cluster_name"]] if service["cluster_name"] else service


def _absent(table: str, record_id: str) -> errors.ServiceError:
    if table == "volumes":
        return errors.VolumeNotFound(volume_id=record_id)
    if table == "snapshots":
        return errors.SnapshotNotFound(snapshot_id=record_id)
    if table == "attachments":
        return errors.AttachmentNotFound(attachment_id=record_id)
    return errors.NotFoundError(f"No row {record_id} in {table}.")
