"""The records of a deployment in a file, so that they are there after a restart.

    DIR/records.sqlite    one row for each record, and one for everything that is no record

SQLite keeps each change whole or not at all, however the process ends; the storage beside it does the same. A
change is written before the next storage operation begins and before any request is answered, so what a killed
server leaves is what a dead cinder-volume leaves: nothing acknowledged is lost, and work in progress is stuck
where it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from harness.errors import InputError

FILE = "records.sqlite"
SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id TEXT NOT NULL, place INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rest (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
"""


class SavedRecords:
    """The file. Close it, or use it in a ``with``."""

    def __init__(self, directory: Path) -> None:
        """InputError for a file that is damaged, or of a newer release."""
        self.path = directory / FILE
        try:
            self._connection = sqlite3.connect(self.path, isolation_level=None)
            self._prepare()
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: is no file of records ({error}); give another directory") from error
        self._place = self._last_place()

    def _prepare(self) -> None:
        execute = self._connection.execute
        (schema,) = execute("PRAGMA user_version").fetchone()
        if schema > SCHEMA:
            raise InputError(f"{self.path}: has schema {schema}; this release knows schemas up to {SCHEMA}")
        # A process may be killed, and the machine not: nothing has to reach the disk at once.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_TABLES)
        execute(f"PRAGMA user_version = {SCHEMA}")

    def _last_place(self) -> int:
        (place,) = self._connection.execute("SELECT coalesce(max(place), 0) FROM records").fetchone()
        return int(place)

    def close(self) -> None:
        """Let go of the file. Closing twice is nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rows(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(kind, id, row) of every record, in the order in which they were made."""
        for kind, name, content in self._connection.execute(
            "SELECT kind, id, content FROM records ORDER BY place"
        ):
            yield kind, name, self._decoded(content)

    def rest(self) -> dict[str, Any]:
        """What is no record, by name."""
        return {
            name: self._decoded(content)
            for name, content in self._connection.execute("SELECT name, content FROM rest")
        }

    def _decoded(self, content: bytes) -> Any:
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise InputError(f"{self.path}: is damaged: {error}; give another directory") from error

    def write(
        self, changed: Mapping[tuple[str, str], Mapping[str, Any] | None], rest: Mapping[str, bytes]
    ) -> None:
        """All of this, or nothing: rows by (kind, id), None for one that is gone; encoded values by name."""
        execute = self._connection.execute
        execute("BEGIN")
        for (kind, name), row in changed.items():
            if row is None:
                execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, name))
                continue
            self._place += 1
            execute(
                "INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET content = excluded.content",
                (kind, name, self._place, msgspec.json.encode(row)),
            )
        for name, content in rest.items():
            execute("INSERT OR REPLACE INTO rest VALUES (?, ?)", (name, content))
        execute("COMMIT")
