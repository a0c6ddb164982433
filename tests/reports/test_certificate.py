"""A certificate on the terminal."""

from __future__ import annotations

import io

from harness.certificates import LawResult
from reports.certificate import ALSO_SHOWN, CertificateTerminal
from reports.terminal import console
from tests.reports.test_certificate_page import certificate


def broken(name: str, reason: str, *steps: str) -> LawResult:
    """A law that failed."""
    return LawResult(
        law=name, sentence=f"{name} holds.", source="cinder", group="g", level="core", status="failed",
        examples=1, reason=reason, steps=list(steps),
    )  # fmt: skip


def shown(*laws: LawResult) -> str:
    """What a person sees in the end."""
    out = io.StringIO()
    CertificateTerminal(console(out), console(io.StringIO()), total=len(laws)).end(certificate(*laws))
    return out.getvalue()


def test_what_breaks_many_laws_is_shown_once() -> None:
    """In the law that needs the fewest steps, with the names of the others."""
    text = shown(broken("a", "lost", "1", "2"), broken("b", "lost", "1"), broken("c", "late", "1"))
    assert [line for line in text.splitlines() if line.startswith("Broken")] == [
        "Broken: b holds.",
        "Broken: c holds.",
    ]
    assert "  also      a\n" in text


def test_of_very_many_laws_some_are_named() -> None:
    """And it is said how many are not."""
    laws = [broken(f"law-{number}", "lost") for number in range(ALSO_SHOWN + 6)]
    text = shown(*laws)
    assert f"            law-{ALSO_SHOWN}\n" in text
    assert f"law-{ALSO_SHOWN + 1}\n" not in text
    assert "            and 5 more, which --json and --html name\n" in text


def test_one_law_is_no_laws() -> None:
    """In words."""
    assert "\n1 law: 0 passed, 1 failed" in shown(broken("a", "lost"))
