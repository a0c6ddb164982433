"""lvm2's identifiers: 32 letters and digits, in text written in groups of 6-4-4-4-4-4-6."""

from __future__ import annotations

LENGTH = 32
_GROUPS = (6, 4, 4, 4, 4, 4, 6)


def with_hyphens(plain: str) -> str:
    """The form in text metadata and on the terminal, from the 32 characters in a label."""
    pieces: list[str] = []
    position = 0
    for length in _GROUPS:
        pieces.append(plain[position : position + length])
        position += length
    return "-".join(pieces)


def without_hyphens(uuid: str) -> str:
    """The form in a label, from the form in text metadata."""
    return uuid.replace("-", "")
