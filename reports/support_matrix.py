"""The support matrix: drivers against levels, from their certificates, in Markdown or reStructuredText.

Cinder keeps such a table by hand (doc/source/reference/support-matrix.ini).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from harness.certificates import Certificate, by_level, tally
from reports.printable import printable

REACHED, KNOWN, MISSED, UNCHECKED = "yes", "known failure", "no", "not checked"
SIMULATED = "29, simulated"


def rows(certificates: Sequence[Certificate]) -> tuple[list[str], list[list[str]]]:
    """The titles of the columns, and one row for each certificate."""
    levels = list(dict.fromkeys(level for each in certificates for level in by_level(each)))
    titles = ["driver", "version", "Cinder", *levels]
    return titles, [
        [
            _name(each),
            printable(each.version),
            printable(each.cinder or SIMULATED),
            *(_cell(each, level) for level in levels),
        ]
        for each in certificates
    ]


def _name(certificate: Certificate) -> str:
    """The driver, and where it is configured: one driver may be certified in several ways."""
    files = ", ".join(PurePath(path).name for path in certificate.configuration)
    section = f"[{certificate.backend}] of " if certificate.backend else ""
    return printable(certificate.subject + (f" ({section}{files})" if files else ""))


def _cell(certificate: Certificate, level: str) -> str:
    """Whether a driver has reached a level; known failures show."""
    count = tally(by_level(certificate).get(level, []))
    if count.known and not count.failed:
        return f"{count.known} {KNOWN}{'s' if count.known > 1 else ''}"
    return {"reached": REACHED, "not reached": MISSED, "not checked": UNCHECKED}[count.state]


def markdown(certificates: Sequence[Certificate]) -> str:
    """A table, and what it was made from."""
    titles, body = rows(certificates)
    lines = [_piped(titles), _piped(["---"] * len(titles)), *(_piped(row) for row in body)]
    return "\n".join([*lines, "", *_sources(certificates)]) + "\n"


def _piped(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def restructured_text(certificates: Sequence[Certificate]) -> str:
    """The same as a list-table of Sphinx."""
    titles, body = rows(certificates)
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [titles, *body]:
        lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(row)]
    return "\n".join([*lines, "", *_sources(certificates)]) + "\n"


def _sources(certificates: Sequence[Certificate]) -> list[str]:
    """Which run each row comes from."""
    return [
        f"{_name(each)}: crucible {each.crucible}, {each.started[:10]}, profile {each.profile}, "
        f"seed {each.seed}, source {each.digest[:12]}"
        for each in certificates
    ]
