"""Tables of rows that know what was changed, so that whoever saves them need not compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]
UPDATED = "updated_at"
"""A field that every row has once it was changed; records do not carry it."""


class Changes:
    """What was changed since somebody asked last, and the clock by which rows know when they were."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], None] = {}
        """(table, id) of rows that were made, changed or removed, in the order of the first change."""
        self.clock: Callable[[], int] = lambda: 0


class WatchedRow(Row):
    """A row of a table. What is in it is replaced, never changed in place."""

    __slots__ = ("_changes", "_key")

    def __init__(self, values: Mapping[str, Any], key: tuple[str, str], changes: Changes) -> None:
        super().__init__(values)
        self._key = key
        self._changes = changes

    def __setitem__(self, field: str, value: Any) -> None:
        self.update({field: value})

    def update(self, values: Mapping[str, Any]) -> None:  # type: ignore[override]
        changes = self._changes
        changes.rows[self._key] = None
        super().update(values)
        super().__setitem__(UPDATED, changes.clock())


class Table(dict[str, Row]):
    """Rows by id, in the order of their creation."""

    def __init__(self, name: str, changes: Changes) -> None:
        super().__init__()
        self._name = name
        self._changes = changes

    def __setitem__(self, row_id: str, row: Row) -> None:
        key = (self._name, row_id)
        self._changes.rows[key] = None
        super().__setitem__(row_id, WatchedRow(row, key, self._changes))

    def __delitem__(self, row_id: str) -> None:
        super().__delitem__(row_id)
        self._changes.rows[self._name, row_id] = None

    def pop(self, row_id: str, *default: Any) -> Any:
        if row_id in self:
            self._changes.rows[self._name, row_id] = None
        return super().pop(row_id, *default)
