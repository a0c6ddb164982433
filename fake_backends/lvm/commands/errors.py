"""How a command ends: lvm2's exit statuses, and the exception that carries one."""

from __future__ import annotations

OK = 0
USAGE = 3
"""EINVALID_CMD_LINE of lvm2."""
FAILED = 5
"""ECMD_FAILED of lvm2."""


class Failed(Exception):
    """Ends a command with an exit status; its lines go to the standard error, after a margin of two."""

    def __init__(self, *lines: str, rc: int = FAILED) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.rc = rc
