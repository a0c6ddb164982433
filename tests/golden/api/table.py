"""Answers in every state of a volume, in a form that a reader can compare: a letter for each answer.

``{"answers": {"a": {...}, "b": {...}}, "states": {"aaabbbaa": ["available", "in-use"], ...}}``: a letter for
each migration_status in the order of `MIGRATION_STATUSES`, and the statuses in which the answers are these.
"""

from __future__ import annotations

import json
import re
from string import ascii_letters
from typing import Any, NamedTuple

STATUSES = (
    "creating", "available", "deleting", "error", "error_deleting", "error_managing", "managing", "attaching",
    "in-use", "detaching", "maintenance", "restoring-backup", "error_restoring", "reserved",
    "awaiting-transfer", "backing-up", "error_backing-up", "error_extending", "downloading", "uploading",
    "retyping", "extending", "reverting", "unmanaging", "error_unmanaging", "error_managing_deleting",
)  # fmt: skip
MIGRATION_STATUSES = (None, "success", "error", "deleting", "starting", "migrating", "completing", "target")
"""``target`` stands for ``target:<volume id>``."""
SITUATIONS = ("detached", "attached", "snapshot", "multiattach")
"""Nothing but the volume; one attachment that is attached; one snapshot that is available; an attachment of a
volume that may have several."""

_CURRENT = re.compile(
    r"""((?:currently|current status is:?|status is:?|status of:|invalid state:|allowed for volumes in) "?)"""
)


class Answer(NamedTuple):
    """HTTP code, the text of a refusal, what was written to the volume, and what was sent, in order."""

    code: int
    message: str | None
    written: dict[str, str | None]
    sent: tuple[str, ...]

    def about(self, status: str) -> Answer:
        """The same with ``{status}`` in place of the volume's status as it was."""
        message = self.message
        if message is not None:
            message = _CURRENT.sub(r"\1\n", message).replace(f"\n{status}", "{status}").replace("\n", "")
        written = {
            name: "{status}" if name == "previous_status" and value == status else value
            for name, value in self.written.items()
        }
        return Answer(self.code, message, written, self.sent)

    def to_json(self) -> dict[str, Any]:
        """Only what there is."""
        return {
            "code": self.code,
            **({"message": self.message} if self.message is not None else {}),
            **({"written": self.written} if self.written else {}),
            **({"sent": list(self.sent)} if self.sent else {}),
        }


class Table:
    """Answers by state."""

    def __init__(self) -> None:
        self._answers: list[dict[str, Any]] = []
        self._states: dict[str, str] = {}

    def add(self, status: str, migration_status: str | None, answer: Answer) -> None:
        """States come in the order of `STATUSES` and `MIGRATION_STATUSES`."""
        told = answer.about(status).to_json()
        if told not in self._answers:
            self._answers.append(told)
        letter = ascii_letters[self._answers.index(told)]
        self._states[status] = self._states.get(status, "") + letter

    @classmethod
    def read(cls, told: dict[str, Any]) -> dict[tuple[str, str | None], dict[str, Any]]:
        """Answer by (status, migration_status), of what `to_json` made."""
        return {
            (status, migration_status): told["answers"][letter]
            for letters, statuses in told["states"].items()
            for status in statuses
            for letter, migration_status in zip(letters, MIGRATION_STATUSES, strict=True)
        }

    def to_json(self) -> dict[str, Any]:
        """See the module."""
        answers = {ascii_letters[number]: answer for number, answer in enumerate(self._answers)}
        states: dict[str, list[str]] = {}
        for status, letters in self._states.items():
            states.setdefault(letters, []).append(status)
        return {"answers": answers, "states": states}


def written_out(conditions: dict[str, dict[str, Any]]) -> str:
    """JSON with a line for each answer and each row of states."""
    lines = ["{"]
    for name, situations in conditions.items():
        lines.append(f" {json.dumps(name)}: {{")
        for situation, told in situations.items():
            lines.append(f"  {json.dumps(situation)}: {{")
            for part in ("answers", "states"):
                rows = [f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in told[part].items()]
                lines.append(f'  "{part}": {{\n' + ",\n".join(rows) + "\n  },")
            lines[-1] = lines[-1].removesuffix(",") + "},"
        lines[-1] = lines[-1].removesuffix(",") + "},"
    lines[-1] = lines[-1].removesuffix(",") + "}"
    return "\n".join(lines) + "\n"
