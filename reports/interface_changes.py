"""What Cinder asks of its drivers, release by release, as Markdown: the table of docs/interface-changes.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from reports.printable import printable


class Release(NamedTuple):
    """One release, and how it differs from the one before: (what changed, drivers that this breaks).

    `findings` are (driver, text) of what is wrong with its own drivers.
    """

    name: str
    drivers: Sequence[str]
    changes: Sequence[tuple[str, Sequence[str]]]
    findings: Sequence[tuple[str, str]]


def changes_page(releases: Sequence[Release]) -> str:
    """`releases` in their order; what changed in the first one is not known."""
    names = [each.name for each in releases]
    lines = [
        f"# What Cinder asks of drivers, {names[0]} to {names[-1]}",
        "",
        "How the manager calls drivers, and which methods the interface classes have, is read from each",
        "release. A driver breaks if, as it was in one release, it does not fit the next one.",
        "",
        "| release | drivers | new | gone | changes | break |",
        "|---|---|---|---|---|---|",
    ]
    for before, each in zip([None, *releases], releases, strict=False):
        lines.append(_piped([each.name, str(len(each.drivers)), *_counts(before, each)]))
    for before, each in pairwise(releases):
        lines += ["", f"## {before.name} to {each.name}", "", *_step(before, each)]
    return "\n".join([*lines, *_findings(releases)]) + "\n"


def _counts(before: Release | None, release: Release) -> list[str]:
    """New and gone drivers, changes, and drivers that they break."""
    if before is None:
        return ["", "", "", ""]
    broken = {driver for _, drivers in release.changes for driver in drivers}
    new, gone = {*release.drivers} - {*before.drivers}, {*before.drivers} - {*release.drivers}
    return [str(len(each)) for each in (new, gone, release.changes, broken)]


def _step(before: Release, release: Release) -> list[str]:
    lines = [_change(text, drivers) for text, drivers in release.changes]
    for word, drivers in (
        ("New drivers", {*release.drivers} - {*before.drivers}),
        ("Drivers that are gone", {*before.drivers} - {*release.drivers}),
    ):
        if drivers:
            lines.append(f"- {word}: {', '.join(map(_short, sorted(drivers)))}")
    return lines or ["Nothing."]


def _change(text: str, drivers: Sequence[str]) -> str:
    breaks = f"; **breaks** {', '.join(map(_short, drivers))}" if drivers else ""
    return f"- {_shown(text)}{breaks}"


def _findings(releases: Sequence[Release]) -> list[str]:
    """What is wrong with drivers in which release; a dot where there is no such driver."""
    found: Mapping[tuple[str, str], None] = {
        finding: None for release in releases for finding in release.findings
    }
    if not found:
        return []
    title = ["driver", "finding", *(release.name for release in releases)]
    lines = ["", "## What is wrong with drivers", "", _piped(title), _piped(["---"] * len(title))]
    for driver, text in sorted(found):
        marks = [
            "wrong" if (driver, text) in release.findings else "" if driver in release.drivers else "."
            for release in releases
        ]
        lines.append(_piped([_short(driver), _shown(text), *marks]))
    return lines


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(driver: str) -> str:
    return _shown(driver.removeprefix("cinder.volume.drivers."))


def _shown(text: str) -> str:
    """Foreign text in Markdown, in a table, too."""
    shown = printable(text)
    for char in "\\|*_<`":
        shown = shown.replace(char, f"\\{char}")
    return shown
