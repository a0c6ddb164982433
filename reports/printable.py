"""Foreign text, made safe to show.

Messages of drivers, names from configuration files and arguments of commands may hold anything: escape
sequences that repaint the terminal, line feeds that fake a line of ours, characters that turn the reading
direction around, halves of surrogate pairs that no stream can encode.
"""

from __future__ import annotations

import shlex
import unicodedata

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that are shown as escapes: control, format, surrogate, private, unassigned, separators."""


def printable(text: str) -> str:
    """`text` on one line, with everything that is not a visible character or a blank as a Python escape.

    Markup of rich is not touched: the consoles of Crucible do not interpret any (`reports.terminal.console`).
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def quoted(word: str) -> str:
    """`word` as one word of a shell, on one line; what cannot be seen is written as bash's ``$'...'``."""
    if printable(word) == word:
        return shlex.quote(word)
    escaped = printable(word.replace("\\", "\\\\")).replace("'", "\\'")
    return f"$'{escaped}'"
