"""Failures that are known and expected, each with its reason: a TOML file.

    [[xfail]]
    law = "clones/clones_leave_nothing"
    reason = "the snapshot that the clone was made of stays"
    found = "-snap-"                           # optional: only if this is in what was found
    bug = "https://bugs.launchpad.net/..."     # optional
    expires = 2027-06-30                       # optional
    parameters = { status = "in-use" }         # optional: only for examples with these values
    releases = ">=25.3.1,<28"                  # optional: only on these releases of Cinder
    strict = false                             # optional: it may also pass

The list is strict: a law that passes now, an entry that matches no law, and one that has expired are faults of
the list, and fail the gate as a broken law does.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import msgspec
from packaging.specifiers import SpecifierSet

from conformance.elsewhere import Elsewhere
from conformance.subjects import Subject
from harness.certificates import LawResult
from harness.errors import InputError

SIMULATED = "29.0.0"
"""The release that a driver of Crucible's is checked on."""


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry. `strict` False: the law may also pass."""

    law: str
    reason: str
    found: str = ""
    bug: str = ""
    expires: datetime.date | None = None
    parameters: dict[str, str] = {}
    releases: str = ""
    strict: bool = True

    def __post_init__(self) -> None:
        SpecifierSet(self.releases)  # ValueError, which msgspec tells with the place

    def is_of(self, release: str | None) -> bool:
        """True if it speaks of this release of Cinder; None is the simulated one."""
        return SpecifierSet(self.releases).contains(release or SIMULATED, prereleases=True)

    def covers(self, result: LawResult) -> bool:
        """True if this failure is the one that was expected."""
        values = {name: value.strip("'\"") for name, value in result.values.items()}
        return (
            self.law == result.law
            and self.found in result.reason
            and all(values.get(name) == value for name, value in self.parameters.items())
        )


class _File(msgspec.Struct, forbid_unknown_fields=True):
    xfail: list[Expected] = []


def load(path: Path) -> list[Expected]:
    """Read such a file. InputError, in one line, if it cannot be read or is not of this form."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text in UTF-8") from None
    return _parsed(text, str(path))


def known(reference: str | None) -> list[Expected]:
    """What the reference driver of that name is known to fail, as the driver that it stands for does."""
    if reference is None:
        return []
    file = files("conformance") / "known" / f"{reference}.toml"
    return _parsed(file.read_text(encoding="utf-8"), file.name) if file.is_file() else []


def known_of(subject: Subject | Elsewhere) -> list[Expected]:
    """What a subject is known to fail on its release: the list's own driver surely, a derived one perhaps."""
    entries = [entry for entry in known(subject.known) if entry.is_of(subject.cinder)]
    if subject.is_reference:
        return entries
    return [msgspec.structs.replace(entry, strict=False) for entry in entries]


def _parsed(text: str, name: str) -> list[Expected]:
    try:
        return msgspec.convert(tomllib.loads(text), type=_File).xfail
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise InputError(
            f"{name}: {error}; an entry is [[xfail]] with law and reason, see the documentation"
        ) from None


def apply(
    results: Sequence[LawResult],
    expected: Sequence[Expected],
    today: datetime.date,
    *,
    all_laws: Sequence[str],
    release: str | None = None,
) -> tuple[list[LawResult], list[str]]:
    """The results with their known failures marked, and what is wrong with the list.

    `all_laws` are the names of every law that there is: an entry for one that was not selected is no fault, nor
    is one for another `release` of Cinder than the results are of.
    """
    wrong = []
    excused: dict[str, str] = {}
    by_name = {result.law: result for result in results}
    for entry in expected:
        result = by_name.get(entry.law)
        if entry.law not in all_laws:
            wrong.append(f"{entry.law}: the list of known failures has it, but there is no such law")
        elif entry.expires is not None and entry.expires < today:
            wrong.append(f"{entry.law}: its entry in the list of known failures has expired on {entry.expires}")
        elif result is None or result.status in ("skipped", "error") or not entry.is_of(release):
            continue
        elif result.status == "passed":
            if entry.strict:
                wrong.append(
                    f"{entry.law}: the list of known failures has it, but it passes now; remove the entry"
                )
        elif entry.covers(result):
            excused[entry.law] = f"{entry.reason} {entry.bug}".strip()
    marked = [
        msgspec.structs.replace(result, known=excused[result.law])
        if result.status == "failed" and result.law in excused
        else result
        for result in results
    ]
    return marked, wrong
