"""The final picture of a cell: all that engines are compared by, in words that do not depend on the engine.

Each engine draws its identifiers itself. In a picture they are the parts that they play: ``volume-<temporary>``
is the object of the temporary record. What is not set, empty or zero is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.checkers import NOT_TRIED, Evidence
from harness.model import Volume
from harness.results import Judgement, Observation, Picture
from harness.sim.history import Event

CALLS = "driver calls"

_IDENTIFIER = re.compile(r"[0-9a-f]{8}(?:-{1,2}[0-9a-f]{4}){3}-{1,2}[0-9a-f]{12}")
_SHOWN_OTHERWISE = {"id", "volume_type_id", "encryption_key_id", "service_uuid", "provider_auth"}
_TIMES = {"created_at", "launched_at"}
_FIELDS = [field for field in Volume.DEFAULTS if field not in _SHOWN_OTHERWISE | _TIMES]


def picture(
    evidence: Evidence,
    *,
    temporary: str | None,
    observed: Observation,
    judgements: Iterable[Judgement],
    events: Iterable[Event],
) -> Picture:
    """How a cell came out, and how everything stands that it touched.

    `temporary` is the id of the temporary record, also when it is gone; `events` are those up to the rest.
    Aspects are single words of the database (``volume: status``) or lists (``driver calls``, in order; all
    other lists are sorted).
    """
    names = Names(evidence, temporary)
    found: dict[str, Any] = {"outcome": observed.outcome, "HTTP code": observed.code}
    for judgement in judgements:
        if not judgement.holds and judgement.details != [NOT_TRIED]:
            found[f"broken: {judgement.name}"] = sorted(names.told(detail) for detail in judgement.details)
    for row in evidence.volumes.values():
        part = names.part(row["id"])
        found |= {f"{part}: {field}": value for field, value in _record(row, names)}
    found["snapshots"] = sorted(_snapshot(row, names) for row in evidence.snapshots.values())
    found["attachments"] = sorted(_attachment(row, names) for row in evidence.attachments.values())
    found["disks"] = sorted(
        f"{names.part(volume)} at {server}, {mode}" for server, volume, _, mode in evidence.disks
    )
    for container, objects in evidence.objects.items():
        found[f"objects in {container}"] = sorted(map(names.told, objects))
    found["exports"] = sorted(f"{node}: {names.told(name)}" for node, name in evidence.exports)
    found["connections"] = sorted(f"{names.told(name)} at {host}" for name, host in evidence.sessions)
    found["keys"] = sorted(map(names.part, evidence.keys))
    found |= {f"allocated_capacity_gb of {pool}": gib for pool, gib in evidence.allocated.items()}
    for resource, (in_use, reserved) in evidence.usages.items():
        found |= {f"quota in use: {resource}": in_use, f"quota reserved: {resource}": reserved}
    found["reservations"] = sorted(evidence.open_reservations)
    found[CALLS] = [
        f"{event.actor}: {event.step.removeprefix('driver.')} {names.told(event.detail)}".rstrip()
        for event in events
        # What the simulation notes about a call, such as a refusal, has more words.
        if event.step.startswith("driver.") and " " not in event.step
    ]
    return {
        aspect: _shown(value) for aspect, value in found.items() if value not in (None, False, 0, "", [], {})
    }


def _shown(value: Any) -> str | list[str]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


def _record(row: Mapping[str, Any], names: Names) -> Iterator[tuple[str, Any]]:
    for field in _FIELDS:
        value = row[field]
        yield field, names.told(value) if isinstance(value, str) else value
    yield "volume_type", names.part(row["volume_type_id"])
    yield "encryption_key", names.part(row["encryption_key_id"])
    # A secret of CHAP is drawn at random.
    yield "provider_auth", (row["provider_auth"] or "").partition(" ")[0]


def _snapshot(row: Mapping[str, Any], names: Names) -> str:
    words = (
        row["status"], f"{row['volume_size']} GiB", f"type {names.part(row['volume_type_id'])}",
        names.part(row["encryption_key_id"]) or "no key",
    )  # fmt: skip
    return f"{names.part(row['id'])} of {names.part(row['volume_id'])}: {', '.join(words)}"


def _attachment(row: Mapping[str, Any], names: Names) -> str:
    words = (
        row["attach_status"], row["attach_mode"], row["attached_host"], row["mountpoint"],
        f"connector of {row['connector']['host']}" if row["connector"] else "no connector",
    )  # fmt: skip
    return f"{names.part(row['volume_id'])} at {row['instance_uuid']}: {', '.join(str(word) for word in words)}"


class Names:
    """What identifiers are called."""

    def __init__(self, evidence: Evidence, temporary: str | None) -> None:
        self._parts = dict(evidence.type_names)
        if temporary is not None:
            self._parts[temporary] = "temporary"
        others = [volume_id for volume_id in evidence.volumes if volume_id not in (evidence.subject, temporary)]
        self._parts |= {volume_id: f"volume {number}" for number, volume_id in enumerate(others, 2)}
        self._parts[evidence.subject] = "volume"
        self._parts |= {row_id: f"snapshot {number}" for number, row_id in enumerate(evidence.snapshots, 1)}
        for row in [*evidence.snapshots.values(), *evidence.volumes.values()]:
            if row["encryption_key_id"]:
                self._parts[row["encryption_key_id"]] = f"key of {self._parts[row['id']]}"

    def part(self, identifier: str | None) -> str:
        """The part that this identifier plays; empty without one."""
        return self._parts.get(identifier, "nobody's") if identifier else ""

    def told(self, text: str) -> str:
        """The text with parts for identifiers, also for those in names of the device mapper."""
        return _IDENTIFIER.sub(lambda found: f"<{self.part(found.group().replace('--', '-'))}>", text)
