"""Cinder's tables for a bench, where a driver is and no service: whoever plays the manager writes them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from cinder import context as cinder_context
from cinder.db import api as cinder_db
from cinder.volume import qos_specs, volume_types

from harness import errors
from harness.cinder_engine.rows import Database, Table
from harness.cinder_engine.seams import clock
from harness.model import Attachment, Snapshot, Volume, VolumeType
from harness.record import Record
from harness.sim.seeds import Ids

_TABLES = {Volume: "volumes", Snapshot: "snapshots", Attachment: "volume_attachment"}
_PAIRS = {
    (Volume, "metadata"): ("volume_metadata", "volume_id"),
    (Volume, "admin_metadata"): ("volume_admin_metadata", "volume_id"),
    (Snapshot, "metadata"): ("snapshot_metadata", "snapshot_id"),
}
"""Fields that are rows of their own: the table, and its column for the record."""
_TYPED = (Volume, Snapshot)
"""Records of which the table wants a type."""


class BenchTable(Table):
    """Rows that can be deleted, as Cinder deletes them: they stay, marked."""

    def __delitem__(self, row_id: str) -> None:
        if row_id not in self:
            raise KeyError(row_id)
        self._connection.execute(f"UPDATE {self.name} SET deleted = 1 WHERE id = ?", (row_id,))
        self._connection.commit()


class BenchDatabase(Database):
    """What `harness.control_plane.database.Database` is for a bench of the simulation."""

    def __init__(self, connection: sqlite3.Connection, seed: int) -> None:
        super().__init__(connection, lambda server_uuid: server_uuid)
        self._ids = Ids(seed, "database")
        self.volumes: BenchTable = BenchTable(connection, "volumes", self._volume)
        self.snapshots: BenchTable = BenchTable(connection, "snapshots", self._snapshot)
        self.attachments: BenchTable = BenchTable(connection, "volume_attachment", self._attachment)
        self._default_type = volume_types.get_default_volume_type()["id"]
        self._columns = {
            kind: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            for kind, table in _TABLES.items()
        }

    def create(self, kind: type[Record], values: Mapping[str, Any]) -> str:
        """Insert a row; fields that are not given have the record's defaults. Returns its id."""
        row = {**kind.DEFAULTS, **values}
        row["id"] = row["id"] or self._ids.uuid()
        if kind is VolumeType:
            self._create_type(row)
        else:
            self._insert(kind, row)
        self.on_create(row)
        return str(row["id"])

    def save(self, record: Record) -> None:
        """Write the fields that were assigned."""
        self.update(type(record), record.id, record.changes())

    def update(self, kind: type[Record], record_id: str, values: Mapping[str, Any]) -> None:
        """Write fields of a row; no row, no effect."""
        plain, pairs = self._parted(kind, values)
        if plain:
            assigned = ", ".join(f"{name} = ?" for name in plain)
            self._connection.execute(
                f"UPDATE {_TABLES[kind]} SET {assigned} WHERE id = ?", (*plain.values(), record_id)
            )
        self._write_pairs(kind, record_id, pairs)
        self._connection.commit()

    def destroy_volume(self, volume_id: str) -> None:
        """Delete the row and its attachments (`cinder.db.api:volume_destroy`). VolumeNotFound."""
        if volume_id not in self.volumes:
            raise errors.VolumeNotFound(volume_id=volume_id)
        for attachment in self.attachments_of(volume_id):
            del self.attachments[attachment.id]
        del self.volumes[volume_id]

    # ------------------------------------------------------------------------------------------------ writing

    def _insert(self, kind: type[Record], row: Mapping[str, Any]) -> None:
        plain, pairs = self._parted(kind, row)
        plain.update(created_at=clock.EPOCH.isoformat(" "), deleted=0)
        if kind in _TYPED and not plain["volume_type_id"]:
            plain["volume_type_id"] = self._default_type
        self._connection.execute(
            f"INSERT INTO {_TABLES[kind]} ({', '.join(plain)}) VALUES ({', '.join('?' * len(plain))})",
            tuple(plain.values()),
        )
        self._write_pairs(kind, row["id"], pairs)
        self._connection.commit()

    def _parted(
        self, kind: type[Record], values: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
        """The columns of the row, and what is kept in tables of pairs."""
        plain = {
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in values.items()
            if name in self._columns[kind] and name not in ("created_at", "launched_at")
        }
        return plain, {name: value for name, value in values.items() if (kind, name) in _PAIRS}

    def _write_pairs(self, kind: type[Record], record_id: str, fields: Mapping[str, Mapping[str, str]]) -> None:
        for field, pairs in fields.items():
            table, column = _PAIRS[kind, field]
            self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (record_id,))
            self._connection.executemany(
                f"INSERT INTO {table} ({column}, key, value, deleted) VALUES (?, ?, ?, 0)",
                [(record_id, key, value) for key, value in pairs.items()],
            )

    def _create_type(self, row: Mapping[str, Any]) -> None:
        admin = cinder_context.get_admin_context()
        fields = {"id": row["id"], "name": row["name"], "extra_specs": dict(row["extra_specs"])}
        cinder_db.volume_type_create(admin, fields)
        if (encryption := row["encryption"]) is not None:
            cinder_db.volume_type_encryption_create(admin, row["id"], encryption._asdict())
        if (qos := row["qos_specs"]) is not None:
            # Two types may have limits of one name here.
            specs = qos_specs.create(
                admin, f"{qos.name} of {row['name']}", {"consumer": qos.consumer, **dict(qos.specs)}
            )
            qos_specs.associate_qos_with_type(admin, specs.id, row["id"])
