"""lvm2's configuration language, in which text metadata is written: sections, numbers, strings, lists.

name {
key = 1
other = ["a", "b"]	# a comment
}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from harness.errors import Unreadable

Scalar: TypeAlias = int | str
Section: TypeAlias = "dict[str, Scalar | list[Scalar] | Section]"

_TOKEN = re.compile(
    r"""[\s,]+ | \#[^\n]*
      | (?P<mark>[{}\[\]=])
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<number>-?\d+)(?![\w.+-])
      | (?P<word>[\w.+-]+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> Section:
    """The sections and values of a text, in its order. Unreadable, with the line, if it is no such text."""
    tokens = _Tokens(text)
    root = _section(tokens, nested=False)
    return root


class _Tokens:
    """The text's tokens as pairs of kind and value; ("", "") at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._stream = self._scan()

    def next(self) -> tuple[str, str]:
        return next(self._stream, ("", ""))

    def error(self) -> Unreadable:
        line = self._text.count("\n", 0, self._position) + 1
        return Unreadable(f"has text metadata that makes no sense in line {line}")

    def _scan(self) -> Iterator[tuple[str, str]]:
        while self._position < len(self._text):
            match = _TOKEN.match(self._text, self._position)
            if match is None:
                raise self.error()
            self._position = match.end()
            if match.lastgroup is not None:
                yield match.lastgroup, match.group()


def _section(tokens: _Tokens, *, nested: bool) -> Section:
    section: Section = {}
    while True:
        kind, name = tokens.next()
        if (kind, name) == (("mark", "}") if nested else ("", "")):
            return section
        if kind not in ("word", "number") or name in section:
            raise tokens.error()
        mark = tokens.next()
        if mark == ("mark", "{"):
            section[name] = _section(tokens, nested=True)
        elif mark == ("mark", "="):
            section[name] = _value(tokens)
        else:
            raise tokens.error()


def _value(tokens: _Tokens) -> Scalar | list[Scalar]:
    token = tokens.next()
    if token != ("mark", "["):
        return _scalar(tokens, token)
    values: list[Scalar] = []
    while (token := tokens.next()) != ("mark", "]"):
        values.append(_scalar(tokens, token))
    return values


def _scalar(tokens: _Tokens, token: tuple[str, str]) -> Scalar:
    kind, value = token
    if kind == "number":
        return int(value)
    if kind == "string":
        return _ESCAPED.sub(r"\1", value[1:-1])
    raise tokens.error()


def quoted(value: str) -> str:
    """A string as it stands in a text: in quotes, with its own quotes and backslashes escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def listed(values: tuple[str, ...]) -> str:
    """A list of strings as it stands in a text, on one line."""
    return f"[{', '.join(quoted(value) for value in values)}]"
