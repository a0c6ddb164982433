"""What the processes are told to log: nothing comes of it here, but who sets a level can read it again.

Source: `cinder.utils:set_log_levels`, `get_log_levels`.
"""

from __future__ import annotations

from collections.abc import Iterable

LEVELS = ("ERROR", "WARNING", "INFO", "DEBUG")


class LogLevels:
    """The loggers of one process and their levels; INFO is what oslo.log begins with."""

    def __init__(self, loggers: Iterable[str]) -> None:
        self._levels = dict.fromkeys(loggers, "INFO")

    def set(self, prefix: str, level: str) -> None:
        """For the loggers whose names begin with `prefix`; `level` is one of `LEVELS`."""
        self._levels.update({name: level for name in self._levels if name.startswith(prefix)})

    def get(self, prefix: str) -> dict[str, str]:
        """Those of the loggers whose names begin with `prefix`."""
        return {name: level for name, level in self._levels.items() if name.startswith(prefix)}
