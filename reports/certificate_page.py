"""A certificate as a page of its own: one HTML file without scripts, and without anything from elsewhere.

Whatever a driver has said is foreign text. It is made visible (`reports.printable`) and escaped wherever it is
put in, and the page's policy would let no script run if it were not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.certificates import STATUSES, Certificate, LawResult, by_level, in_words, tally
from reports.certificate import alike, broken, command, not_checked
from reports.printable import printable


def page(certificate: Certificate, levels: Mapping[str, str]) -> str:
    """The page. `levels` says of each level what it means, of those that were not asked for, too."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    laws, asked = certificate.laws, by_level(certificate)
    return environment.get_template("certificate.html").render(
        certificate=certificate,
        verdict=_verdict(certificate),
        count=tally(laws),
        examples=sum(law.examples for law in laws),
        levels=[_level(name, levels.get(name, ""), those) for name, those in asked.items()],
        not_asked=[name for name in levels if name not in asked],
        number_broken=len(broken(certificate)),
        broken=alike(broken(certificate)),
        known=[law for law in laws if law.known],
        skipped=not_checked(laws),
        groups=_groups(laws),
        statuses=STATUSES,
        command=lambda law="": command(certificate, law),
    )


def _shown(value: Any) -> Any:
    """What is put into the page: text that is visible."""
    return printable(value) if type(value) is str else value


def _verdict(certificate: Certificate) -> str:
    """The verdict as sentences, with how many laws it is about."""
    sentences = []
    if number := len([law for law in broken(certificate) if law.status == "failed"]):
        sentences.append(f"The driver breaks {number} {'law' if number == 1 else 'laws'} of the contract.")
    if certificate.stale:
        sentences.append("The list of known failures is out of date.")
    if not sentences or certificate.verdict == "error":
        known = tally(certificate.laws).known
        said = in_words(certificate.verdict, known=known, stale=bool(certificate.stale))
        sentences.append(f"{said[0].upper()}{said[1:]}.")
    return " ".join(sentences)


def _level(name: str, meaning: str, laws: list[LawResult]) -> dict[str, Any]:
    """A level with what came of its laws, and why some were not checked."""
    reasons = [reason for reason, _ in not_checked(laws)]
    return {"name": name, "meaning": meaning, "count": tally(laws), "reasons": reasons}


def _groups(laws: list[LawResult]) -> list[tuple[str, list[LawResult]]]:
    """All laws by group, in the order of their first law."""
    groups: dict[str, list[LawResult]] = {}
    for law in laws:
        groups.setdefault(law.group, []).append(law)
    return list(groups.items())
