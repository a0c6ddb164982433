"""Cinder's tables as Crucible's rows: what the checkers, Nova and a cell's obstacles look at.

Rows are read from the database at each look, so they are never stale; records made of them are copies, as
everywhere in Crucible. Soft-deleted rows are gone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from harness import errors
from harness.control_plane.quota import Reservation, Usage
from harness.control_plane.records import Records, Row
from harness.model import (
    Attachment,
    Encryption,
    Group,
    GroupSnapshot,
    QosSpecs,
    Service,
    Snapshot,
    Volume,
    VolumeType,
)
from harness.record import Record

_PAIRS = {
    "metadata": "volume_metadata",
    "admin_metadata": "volume_admin_metadata",
    "glance_metadata": "volume_glance_metadata",
}
"""Fields of a volume that are rows of their own, and their tables."""


class Table(Mapping[str, Row]):
    """Rows by id. `make` turns what the database has into a row."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        make: Callable[[Row], Row],
        *,
        key: str = "id",
        condition: str = "1",
    ) -> None:
        self.name = name
        self._connection = connection
        self._make = make
        self._key = key
        self._query = f"SELECT * FROM {name} WHERE NOT deleted AND {condition}"
        self._ids = f"SELECT {key} FROM {name} WHERE NOT deleted AND {condition} ORDER BY created_at, rowid"

    def __getitem__(self, row_id: str) -> Row:
        cursor = self._connection.execute(f"{self._query} AND {self._key} = ?", (row_id,))
        values = cursor.fetchone()
        if values is None:
            raise KeyError(row_id)
        names = [column[0] for column in cursor.description]
        return self._make(dict(zip(names, values, strict=True)))

    def __iter__(self) -> Iterator[str]:
        return iter([str(row_id) for (row_id,) in self._connection.execute(self._ids)])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Database(Records):
    """The tables of the running cell, and the records that Crucible makes of their rows."""

    def __init__(self, connection: sqlite3.Connection, server_name: Callable[[str], str]) -> None:
        self._connection = connection
        self._server_name = server_name
        self.volumes = Table(connection, "volumes", self._volume)
        self.snapshots = Table(connection, "snapshots", self._snapshot)
        self.attachments = Table(connection, "volume_attachment", self._attachment)
        self.volume_types = Table(connection, "volume_types", self._type)
        self.services = Table(
            connection, "services", self._service, key="host", condition="binary = 'cinder-volume'"
        )
        self.groups = Table(connection, "groups", self._group)
        self.group_snapshots = Table(connection, "group_snapshots", self._group_snapshot)
        self.on_create: Callable[[Row], None] = lambda row: None

    # ---------------------------------------------------------------------------------------------- records

    def save(self, record: Record) -> None:
        """Only Cinder writes its records."""
        raise errors.KernelError(f"{record} belongs to Cinder")

    def refresh(self, record: Record) -> None:
        table: Mapping[str, Row] = getattr(self, record.TABLE)
        record.__dict__.update(table[record.id])

    def update(self, kind: type[Record], record_id: str, values: Mapping[str, Any]) -> None:
        """Write fields of a row behind Cinder's back, as an operator does with SQL; no row, no effect."""
        values = dict(values)
        for field in {*_PAIRS} & {*values} if kind is Volume else ():
            self._connection.execute(f"DELETE FROM {_PAIRS[field]} WHERE volume_id = ?", (record_id,))
            self._connection.executemany(
                f"INSERT INTO {_PAIRS[field]} (volume_id, key, value, deleted) VALUES (?, ?, ?, 0)",
                [(record_id, name, value) for name, value in values.pop(field).items()],
            )
        key = "host" if kind is Service else "id"
        for name, value in values.items():
            self._connection.execute(f"UPDATE {kind.TABLE} SET {name} = ? WHERE {key} = ?", (value, record_id))
        self._connection.commit()

    def heard_of(self, host: str, when: datetime) -> None:
        """A volume service reported then."""
        self._connection.execute(
            "UPDATE services SET updated_at = ?, report_count = report_count + 1 WHERE host = ?",
            (when.strftime("%Y-%m-%d %H:%M:%S.%f"), host),
        )
        self._connection.commit()

    def installed(self, host: str, when: datetime) -> None:
        """A volume service's row has been there since then."""
        self._connection.execute(
            "UPDATE services SET created_at = ? WHERE host = ?", (when.strftime("%Y-%m-%d %H:%M:%S.%f"), host)
        )
        self._connection.commit()

    # ------------------------------------------------------------------------------------------------- rows

    def _volume(self, row: Row) -> Row:
        volume_id = row["id"]
        values = {name: row.get(name, default) for name, default in Volume.DEFAULTS.items()}
        values.update(
            **{field: self._pairs(table, "volume_id", volume_id) for field, table in _PAIRS.items()},
            multiattach=bool(row["multiattach"]),
            bootable=bool(row["bootable"]),
            use_quota=bool(row["use_quota"]),
            created_at=None,
            launched_at=None,
        )
        return values

    def _snapshot(self, row: Row) -> Row:
        values = {name: row.get(name, default) for name, default in Snapshot.DEFAULTS.items()}
        values.update(
            metadata=self._pairs("snapshot_metadata", "snapshot_id", row["id"]),
            created_at=None,
            use_quota=bool(row["use_quota"]),
        )
        return values

    def _attachment(self, row: Row) -> Row:
        values = {name: row.get(name, default) for name, default in Attachment.DEFAULTS.items()}
        for name in ("connector", "connection_info"):
            values[name] = json.loads(row[name]) if row[name] else None
        if row["instance_uuid"]:
            values["instance_uuid"] = self._server_name(row["instance_uuid"])
        return values

    def _type(self, row: Row) -> Row:
        return {
            **VolumeType.DEFAULTS,
            "id": row["id"],
            "name": row["name"],
            "is_public": bool(row["is_public"]),
            "extra_specs": self._pairs("volume_type_extra_specs", "volume_type_id", row["id"]),
            "qos_specs": self._qos(row["qos_specs_id"]),
            "encryption": self._encryption(row["id"]),
        }

    def _service(self, row: Row) -> Row:
        values = {name: row.get(name, default) for name, default in Service.DEFAULTS.items()}
        values.update(
            id=row["host"], disabled=bool(row["disabled"]), frozen=bool(row["frozen"]), heartbeat_us=0
        )
        return values

    def _group(self, row: Row) -> Row:
        return {
            **{name: row.get(name, default) for name, default in Group.DEFAULTS.items()},
            "created_at": None,
        }

    def _group_snapshot(self, row: Row) -> Row:
        return {
            **{name: row.get(name, default) for name, default in GroupSnapshot.DEFAULTS.items()},
            "created_at": None,
        }

    def _pairs(self, table: str, column: str, owner: str) -> dict[str, str]:
        rows = self._connection.execute(
            f"SELECT key, value FROM {table} WHERE {column} = ? AND NOT deleted ORDER BY id", (owner,)
        )
        return dict(rows.fetchall())

    def _encryption(self, type_id: str) -> Encryption | None:
        row = self._connection.execute(
            "SELECT provider, cipher, key_size, control_location FROM encryption WHERE volume_type_id = ? "
            "AND NOT deleted", (type_id,)
        ).fetchone()  # fmt: skip
        return Encryption(*row) if row else None

    def _qos(self, qos_id: str | None) -> QosSpecs | None:
        if qos_id is None:
            return None
        rows = self._connection.execute(
            "SELECT id, specs_id, key, value FROM quality_of_service_specs WHERE (id = ? OR specs_id = ?) "
            "AND NOT deleted ORDER BY key", (qos_id, qos_id)
        ).fetchall()  # fmt: skip
        if not rows:
            return None
        name = next(value for row_id, _, _, value in rows if row_id == qos_id)
        pairs = {key: value for _, specs_id, key, value in rows if specs_id == qos_id}
        return QosSpecs(qos_id, name, pairs.pop("consumer"), tuple(pairs.items()))


class Quotas:
    """The quota tables: usages, limits of projects, reservations that are open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def usages(self, project: str) -> dict[str, Usage]:
        """Usage by resource: everything that the project ever reserved."""
        rows = self._connection.execute(
            "SELECT resource, in_use, reserved FROM quota_usages WHERE project_id = ? AND NOT deleted "
            "ORDER BY resource", (project,)
        )  # fmt: skip
        return {resource: Usage(in_use, reserved) for resource, in_use, reserved in rows.fetchall()}

    def open_reservations(self) -> list[Reservation]:
        """Those neither committed nor rolled back, oldest first."""
        rows = self._connection.execute(
            "SELECT uuid, project_id, resource, delta FROM reservations WHERE NOT deleted ORDER BY id"
        )
        return [
            Reservation(name, project, resource, delta, 0, 0)
            for name, project, resource, delta in rows.fetchall()
        ]

    def set_limit(self, project: str, resource: str, limit: int) -> None:
        """``cinder quota-update``."""
        self._connection.execute(
            "DELETE FROM quotas WHERE project_id = ? AND resource = ?", (project, resource)
        )
        self._connection.execute(
            "INSERT INTO quotas (project_id, resource, hard_limit, allocated, deleted) VALUES (?, ?, ?, 0, 0)",
            (project, resource, limit),
        )
        self._connection.commit()
