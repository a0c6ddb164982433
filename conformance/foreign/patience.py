"""How long a call of foreign code may take, in the time of the simulation and in that of its user."""

from __future__ import annotations

CALL_LIMIT_S = 30.0
"""Far more than any call takes, for machines that are busy with other things."""
AGAIN_LIMIT_S = 2.0
"""For a method that has used up its time before: other laws have to be checked, too."""
CALL_LIMIT_US = 30 * 86_400 * 1_000_000
"""Thirty days: clearing a volume of 16 TiB takes two."""


class Overdue(BaseException):
    """Thrown into a call that takes too long. No Exception: a driver that retries must not survive it.

    The text says in what time it should have returned.
    """


class Patience:
    """Real time for calls of one driver, from law to law."""

    def __init__(self, limit_s: float = CALL_LIMIT_S) -> None:
        self.losses = 0
        """How many calls were overdue."""
        self._limit_s = limit_s
        self._lost: set[str] = set()

    def limit_s(self, method: str) -> float:
        """Seconds that the next call of a method may take."""
        return min(self._limit_s, AGAIN_LIMIT_S) if method in self._lost else self._limit_s

    def lose(self, method: str) -> str:
        """A call was overdue; in words."""
        text = f"within {self.limit_s(method):g} s"
        if method in self._lost:
            text += f" (and not within {self._limit_s:g} s before)"
        self._lost.add(method)
        self.losses += 1
        return text
