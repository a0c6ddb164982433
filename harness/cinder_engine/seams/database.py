"""The database: one connection to memory, which nobody shares and nothing can break.

SQLAlchemy and oslo.db are prepared for servers that go away and for many threads. Here they ask no more whether
the connection is still alive, keep its prepared statements, and begin a transaction without SQLAlchemy's
machinery: a cell has some hundred transactions. A fork of this process goes on with its copy of the database.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import sqlalchemy
from oslo_db.sqlalchemy import engines
from sqlalchemy import event

from harness.cinder_engine.seams.patches import Patches

STATEMENTS = 1024
"""More than Cinder has."""


def install(patches: Patches) -> None:
    """Before Cinder connects for the first time."""
    real = sqlalchemy.create_engine

    def create_engine(url: Any, **options: Any) -> Any:
        options["pool_pre_ping"] = False
        # oslo.db keeps none, because of threads (https://github.com/python/cpython/issues/118172).
        options["connect_args"] = {**options.get("connect_args", {}), "cached_statements": STATEMENTS}
        engine = real(url, **options)
        event.listen(engine, "begin", begin)
        return engine

    def begin(connection: Any) -> None:
        # oslo.db's own listener comes next, and finds that there is nothing left to do.
        connection.connection.driver_connection.execute("BEGIN")
        connection.info["in_transaction"] = True

    patches.replace(sqlalchemy, "create_engine", create_engine)
    # oslo.db lets a fork connect anew, and find nothing in memory.
    patches.replace(engines, "_add_process_guards", lambda engine: None)


class Template:
    """The rows of a database, to which another one with the same tables can be put back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        self._rows = {
            name: connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid').fetchall()
            for name in self._tables
        }

    def restore(self, connection: sqlite3.Connection) -> None:
        """Row by row: ``backup`` would make the schema new, and all prepared statements void."""
        connection.execute("BEGIN")
        for name in self._tables:
            connection.execute(f'DELETE FROM "{name}"')
        for name, rows in self._rows.items():
            for row in rows:
                connection.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(row))})', row)
        connection.execute("COMMIT")
