"""Short names for records, so that a sequence of steps can be read: v1, v2, s1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.foreign.guard import shortened
from harness.model import Attachment, Snapshot, Volume, VolumeType


class Names:
    """Numbers volumes and snapshots in the order in which they are created in a database."""

    def __init__(self, database: Any) -> None:
        self._names: dict[str, str] = {}
        self._counts = {"v": 0, "s": 0}
        before = database.on_create

        def created(row: dict[str, Any]) -> None:
            letter = "v" if "source_volid" in row else "s" if "volume_size" in row else ""
            if letter:
                self._counts[letter] += 1
                self._names[row["id"]] = f"{letter}{self._counts[letter]}"
            before(row)

        database.on_create = created

    def of(self, value: object) -> str:
        """A record by its short name, with its size where it is a volume; other values by their repr."""
        if isinstance(value, Volume):
            name = self._names.get(value.id, value.id)
            renamed = f" alias {self._names.get(value._name_id, value._name_id)}" if value._name_id else ""
            return f"{name}{renamed} of {value.size} GiB"
        if isinstance(value, Snapshot):
            return self._names.get(value.id, value.id)
        if isinstance(value, VolumeType):
            return f"type {value.name}"
        if isinstance(value, Attachment):
            return f"attachment {value.id}"
        if isinstance(value, Mapping) and "initiator" in value:
            return f"connector of {value.get('host')}"
        if isinstance(value, tuple) and hasattr(value, "is_admin"):
            return "context"
        return shortened(value)
