"""Foreign text cannot take over the terminal, nor the shell that a printed command is pasted into."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.printable import printable, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("[red]not markup[/red] :smile:", "[red]not markup[/red] :smile:"),
        ("two\nlines\r\tand a tab", "two\\nlines\\r\\tand a tab"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m and \x7f", "\\x9b31m and \\x7f"),
        ("Größe: 3 µs", "Größe: 3 µs"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("half a pair \udc80", "half a pair \\udc80"),
        ("line\u2028break", "line\\u2028break"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Letters of all languages stay; controls, format characters and surrogates do not."""
    assert printable(text) == shown


@given(st.text())
def test_any_text_becomes_one_line_that_any_stream_can_take(text: str) -> None:
    """Printable, encodable, and the same when done twice."""
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert printable(shown) == shown


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"])))
def test_visible_words_are_quoted_as_shlex_does(word: str) -> None:
    """A shell reads back the very word."""
    assert shlex.split(quoted(word)) == [word]


@pytest.mark.parametrize("word", ["it's\na trap", "\x1b[31m", "a\\b\tc'", "\u202e"])
def test_invisible_words_survive_bash(word: str) -> None:
    """On one line, and bash reads back the very word."""
    command = f"printf %s {quoted(word)}"
    assert len(command.splitlines()) == 1
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    output = subprocess.run(["bash", "-c", command], capture_output=True, check=True, env=environment).stdout
    assert output.decode() == word
