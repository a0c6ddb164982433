"""The command line of lvm2's tools: GNU getopt with the options that each command takes.

Long options may be shortened as long as they stay unambiguous, options and names may be mixed, and values stand
behind ``=`` or in the next word. An option that a command does not take here ends it as one that lvm2 does not
know: with what was asked, and exit status 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fake_backends.lvm.commands.sizes import SizeError, parsed

Kind = Literal["flag", "text", "size", "extents", "yes_no", "tag"]
_TAG = re.compile(r"@?[a-zA-Z0-9_+.\-/=!:&#]{1,1024}")

_COMMON: Mapping[str, tuple[str, Kind]] = {
    "config": ("", "text"),
    "debug": ("d", "flag"),
    "driverloaded": ("", "text"),
    "noudevsync": ("", "flag"),
    "quiet": ("q", "flag"),
    "test": ("t", "flag"),
    "verbose": ("v", "flag"),
    "version": ("", "flag"),
    "yes": ("y", "flag"),
}
_REPORT: Mapping[str, tuple[str, Kind]] = {
    "all": ("a", "flag"),
    "aligned": ("", "flag"),
    "ignoreskippedcluster": ("", "flag"),
    "noheadings": ("", "flag"),
    "nosuffix": ("", "flag"),
    "options": ("o", "text"),
    "readonly": ("", "flag"),
    "separator": ("", "text"),
    "sort": ("O", "text"),
    "unbuffered": ("", "flag"),
    "units": ("", "text"),
}
_DISPLAY: Mapping[str, tuple[str, Kind]] = {**_REPORT, "columns": ("C", "flag")}
_NEW: Mapping[str, tuple[str, Kind]] = {
    "activate": ("a", "text"),
    "addtag": ("", "tag"),
    "permission": ("p", "text"),
    "setactivationskip": ("k", "yes_no"),
}
_SIZE: Mapping[str, tuple[str, Kind]] = {"extents": ("l", "extents"), "size": ("L", "size")}
_AUTOBACKUP: Mapping[str, tuple[str, Kind]] = {"autobackup": ("A", "yes_no"), "force": ("f", "flag")}

OPTIONS: Mapping[str, Mapping[str, tuple[str, Kind]]] = {
    "lvs": _REPORT,
    "vgs": _REPORT,
    "pvs": _REPORT,
    "lvdisplay": _DISPLAY,
    "vgdisplay": _DISPLAY,
    "pvdisplay": _DISPLAY,
    "lvcreate": {
        **_NEW,
        **_SIZE,
        "ignoreactivationskip": ("K", "flag"),
        "mirrorlog": ("", "text"),
        "mirrors": ("m", "text"),
        "name": ("n", "text"),
        "nosync": ("", "flag"),
        "regionsize": ("R", "size"),
        "snapshot": ("s", "flag"),
        "thin": ("T", "flag"),
        "thinpool": ("", "text"),
        "type": ("", "text"),
        "virtualsize": ("V", "size"),
        "wipesignatures": ("W", "yes_no"),
        "zero": ("Z", "yes_no"),
    },
    "lvchange": {
        **_NEW,
        **_AUTOBACKUP,
        "deltag": ("", "tag"),
        "ignoreactivationskip": ("K", "flag"),
        "refresh": ("", "flag"),
    },
    "lvconvert": {**_AUTOBACKUP, "background": ("b", "flag"), "interval": ("i", "text"), "merge": ("", "flag")},
    "lvextend": {**_AUTOBACKUP, **_SIZE},
    "lvremove": _AUTOBACKUP,
    "lvrename": _AUTOBACKUP,
    "vgcreate": {**_AUTOBACKUP, "addtag": ("", "tag"), "physicalextentsize": ("s", "size")},
    "vgremove": _AUTOBACKUP,
    "vgchange": {"activate": ("a", "text"), "addtag": ("", "tag"), "deltag": ("", "tag")},
    "vgck": {},
    "pvcreate": {"force": ("f", "flag"), "zero": ("Z", "yes_no")},
    "pvresize": {"setphysicalvolumesize": ("", "size")},
}


class ArgumentError(Exception):
    """The command line cannot be read; the text is all that goes to the standard error."""


@dataclass
class Arguments:
    """Options by their long names, each with the values that it was given, and the names that follow."""

    options: dict[str, list[str]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def has(self, option: str) -> bool:
        """Whether the option was given."""
        return option in self.options

    def text(self, option: str) -> str | None:
        """The option's last value, or None."""
        return self.options[option][-1] if option in self.options else None

    def texts(self, option: str) -> list[str]:
        """All values of an option that may be repeated."""
        return self.options.get(option, [])

    def size(self, option: str) -> tuple[str, int] | None:
        """Sign and bytes of a size option, or None."""
        text = self.text(option)
        return None if text is None else parsed(text)

    def yes(self, option: str) -> bool | None:
        """A y/n option, or None."""
        text = self.text(option)
        return None if text is None else text in ("y", "yes", "1", "on", "true")


def read(command: str, words: Sequence[str]) -> Arguments:
    """Sort the words of a command into options and names. ArgumentError."""
    known = {**_COMMON, **OPTIONS[command]}
    short = {letter: name for name, (letter, _) in known.items() if letter}
    arguments = Arguments()
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments.names.extend(rest)
        elif word.startswith("--"):
            _long(command, word[2:], known, rest, arguments)
        elif word.startswith("-") and word != "-":
            _short(command, word[1:], known, short, rest, arguments)
        else:
            arguments.names.append(word)
    return arguments


def _long(
    command: str, word: str, known: Mapping[str, tuple[str, Kind]], rest: Iterator[str], into: Arguments
) -> None:
    given, equals, value = word.partition("=")
    candidates = [given] if given in known else [name for name in known if name.startswith(given)]
    if not candidates:
        raise _unreadable(f"{command}: unrecognized option '--{given}'")
    if len(candidates) > 1:
        possible = " ".join(f"'--{name}'" for name in candidates)
        raise _unreadable(f"{command}: option '--{given}' is ambiguous; possibilities: {possible}")
    name, kind = candidates[0], known[candidates[0]][1]
    if kind == "flag":
        if equals:
            raise _unreadable(f"{command}: option '--{name}' doesn't allow an argument")
    elif not equals:
        value = _next(rest, f"{command}: option '--{name}' requires an argument")
    _store(name, kind, value, into)


def _short(
    command: str,
    letters: str,
    known: Mapping[str, tuple[str, Kind]],
    short: Mapping[str, str],
    rest: Iterator[str],
    into: Arguments,
) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in short:
            raise _unreadable(f"{command}: invalid option -- '{letter}'")
        name = short[letter]
        kind = known[name][1]
        value = ""
        if kind != "flag":
            value = letters or _next(rest, f"{command}: option requires an argument -- '{letter}'")
            letters = ""
        _store(name, kind, value, into)


def _store(name: str, kind: Kind, value: str, into: Arguments) -> None:
    if kind == "size":
        try:
            parsed(value)
        except SizeError as error:
            raise ArgumentError(f"  {error}\n{_invalid(name, value)}") from None
    if kind == "yes_no" and value not in ("y", "n", "yes", "no", "0", "1", "on", "off", "true", "false"):
        raise ArgumentError(_invalid(name, value))
    if kind == "tag":
        if not _TAG.fullmatch(value):
            raise ArgumentError(_invalid(name, value))
        value = value.removeprefix("@")
    into.options.setdefault(name, []).append(value)


def _invalid(name: str, value: str) -> str:
    return f"  Invalid argument for --{name}: {value}\n  Error during parsing of command line.\n"


def _next(rest: Iterator[str], missing: str) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise _unreadable(missing) from None


def _unreadable(line: str) -> ArgumentError:
    return ArgumentError(f"{line}\n  Error during parsing of command line.\n")
