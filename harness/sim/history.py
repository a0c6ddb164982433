"""What happened, in order: the timeline that a report shows and the checkers may read."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """One step. `states` are those of the watched records after it, as (status, migration_status)."""

    time_us: int
    actor: str
    step: str
    detail: str
    source: tuple[str, str | None] | None
    temporary: tuple[str, str | None] | None
