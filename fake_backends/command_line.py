"""What the fake command lines have in common: the result, and what stands before a command.

Cinder runs its tools as ``sudo cinder-rootwrap /etc/cinder/rootwrap.conf env LC_ALL=C lvs ...`` and
``ionice -c3 dd ...``. Each wrapper is taken off from the left until the command itself is reached; what the
wrappers set in its environment is kept, because lvm2 heeds some of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Result(NamedTuple):
    """What a process leaves behind: the text of both streams, and its exit status."""

    stdout: str = ""
    stderr: str = ""
    rc: int = 0


@dataclass(frozen=True)
class Invocation:
    """A command without its wrappers. `name` is the program without its directory, `arguments` the rest."""

    name: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def parse(argv: Sequence[str]) -> Invocation:
    """Take off env, sudo, cinder-rootwrap (with its configuration file), nice and ionice.

    `name` is empty if nothing is left.
    """
    words = list(argv)
    environment: dict[str, str] = {}
    while words:
        match words[0].rpartition("/")[2]:
            case "env":
                words = _without_options(words[1:])
                while words and "=" in words[0]:
                    name, _, value = words.pop(0).partition("=")
                    environment[name] = value
            case "sudo":
                words = _without_options(words[1:])
            case "cinder-rootwrap":
                words = words[2:]
            case "ionice" | "nice":
                words = _without_options(words[1:], valued=("-c", "-n"))
            case name:
                return Invocation(name, words[1:], environment)
    return Invocation("", [], environment)


def not_found(name: str) -> Result:
    """What ``env`` says of a program that does not exist."""
    return Result(stderr=f"env: '{name}': No such file or directory\n", rc=127)


def _without_options(words: Sequence[str], valued: Sequence[str] = ()) -> list[str]:
    """The rest after leading options; those in `valued` take the next word when they stand alone."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in valued:
            rest = rest[1:]
    return rest
