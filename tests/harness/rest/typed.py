"""The clients, unmodified, in one process of their own for many command lines: their start-up is slow.

As a module, this is the process. It is asked for a line with an environment, and says what came of it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

ROOT = Path(__file__).parents[3]


class Said(NamedTuple):
    """What a command printed, and what it failed with (empty where it did not)."""

    text: str
    error: str

    def field(self, name: str) -> str:
        """A field of the one thing that was printed: in a table of two columns, or in one of one row."""
        lines = [line for line in self.text.splitlines() if line.startswith("|")]
        head, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
        if head[0] == "Property":
            return next(row[1] for row in rows if row[0] == name)
        return rows[0][[column.lower() for column in head].index(name)]


class Typist:
    """Types into ``cinder`` or ``openstack``. Use it in a ``with``."""

    def __init__(self, program: str = "cinder") -> None:
        self._program = program
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", __name__], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def commands(self) -> set[str]:
        """All that ``cinder`` has."""
        return set(self._ask(None)["commands"])

    def type(self, environment: Mapping[str, str], line: str) -> Said:
        """One command line."""
        question = {"program": self._program, "environment": dict(environment), "words": line.split()}
        return Said(**self._ask(question))

    def _ask(self, question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _commands() -> list[str]:
    from cinderclient import api_versions
    from cinderclient.shell import OpenStackCinderShell

    shell = OpenStackCinderShell()
    newest = api_versions.APIVersion(api_versions.MAX_VERSION)
    shell.get_subcommand_parser(newest, do_help=True, input_args=["help"])
    return list(shell.subcommands)


def _main(program: str, words: list[str]) -> object:
    if program == "openstack":
        from openstackclient.shell import main

        return main(words)
    from cinderclient.shell import OpenStackCinderShell

    return OpenStackCinderShell().main(words)


def _run(program: str, words: list[str], environment: Mapping[str, str]) -> dict[str, str]:
    os.environ.update(environment)
    out, error = io.StringIO(), ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            status = _main(program, words)
            error = f"exit {status}" if status else ""
        except SystemExit as leave:
            error = f"exit {leave.code}" if leave.code else ""
        except Exception as failure:  # noqa: BLE001 (whatever the client would show its user)
            error = str(failure) or type(failure).__name__
    return {"text": out.getvalue(), "error": error}


def _answer() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        answer = {"commands": _commands()} if question is None else _run(**question)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _answer()
