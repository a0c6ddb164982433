"""The list of known failures is strict."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from conformance import xfail
from harness.certificates import LawResult, Status
from harness.errors import InputError

TODAY = datetime.date(2026, 11, 26)


def result(law: str, status: Status, values: dict[str, str] | None = None, reason: str = "") -> LawResult:
    """One law's result."""
    return LawResult(
        law=law, sentence="", source="", group="", level="core", status=status, values=values or {},
        reason=reason,
    )  # fmt: skip


def expected(tmp_path: Path, text: str) -> list[xfail.Expected]:
    """The entries of such a file."""
    (tmp_path / "known.toml").write_text(text)
    return xfail.load(tmp_path / "known.toml")


def test_a_known_failure_is_excused(tmp_path: Path) -> None:
    """With its reason and bug."""
    entries = expected(tmp_path, '[[xfail]]\nlaw = "a"\nreason = "why"\nbug = "LP 1"\n')
    marked, wrong = xfail.apply(
        [result("a", "failed"), result("b", "failed")], entries, TODAY, all_laws=["a", "b"]
    )
    assert [each.known for each in marked] == ["why LP 1", ""]
    assert wrong == []


def test_parameters_narrow_an_entry(tmp_path: Path) -> None:
    """A failure with other values is not excused."""
    entries = expected(tmp_path, '[[xfail]]\nlaw = "a"\nreason = "why"\nparameters = { status = "in-use" }\n')
    for status, known in (("'in-use'", "why"), ("'available'", "")):
        marked, _ = xfail.apply([result("a", "failed", {"status": status})], entries, TODAY, all_laws=["a"])
        assert marked[0].known == known


@pytest.mark.parametrize(("reason", "known"), [("3 left of c-snap-1", "why"), ("3 pages differ", "")])
def test_a_failure_of_another_kind_is_not_excused(tmp_path: Path, reason: str, known: str) -> None:
    """If the entry says what is found when it fails as it is known to."""
    entries = expected(tmp_path, '[[xfail]]\nlaw = "a"\nreason = "why"\nfound = "-snap-"\n')
    marked, wrong = xfail.apply([result("a", "failed", reason=reason)], entries, TODAY, all_laws=["a"])
    assert (marked[0].known, wrong) == (known, [])


@pytest.mark.parametrize(
    ("text", "status", "complaint"),
    [
        ('law = "a"\nreason = "r"', "passed", "passes now"),
        ('law = "x"\nreason = "r"', "failed", "there is no such law"),
        ('law = "a"\nreason = "r"\nexpires = 2026-11-25', "failed", "expired on 2026-11-25"),
    ],
)
def test_a_stale_entry_is_a_fault_of_the_list(
    tmp_path: Path, text: str, status: Status, complaint: str
) -> None:
    """A law that passes, one that there is not, an entry that has expired."""
    _, wrong = xfail.apply(
        [result("a", status)], expected(tmp_path, f"[[xfail]]\n{text}\n"), TODAY, all_laws=["a"]
    )
    assert len(wrong) == 1
    assert complaint in wrong[0]


def test_an_entry_may_also_pass(tmp_path: Path) -> None:
    """If it says so; and one for a law that was not selected is no fault."""
    entries = expected(
        tmp_path, '[[xfail]]\nlaw = "a"\nreason = "r"\nstrict = false\n[[xfail]]\nlaw = "b"\nreason = "r"\n'
    )
    assert xfail.apply([result("a", "passed")], entries, TODAY, all_laws=["a", "b"])[1] == []


@pytest.mark.parametrize(
    ("release", "known"),
    [("25.3.0", ""), ("25.3.1", "r"), ("28.0.0.0rc1", "r"), ("29.0.0", ""), (None, "")],
)
def test_an_entry_may_be_for_some_releases(tmp_path: Path, release: str | None, known: str) -> None:
    """On others it neither excuses nor is stale; the simulated Cinder is 29."""
    entries = expected(tmp_path, '[[xfail]]\nlaw = "a"\nreason = "r"\nreleases = ">=25.3.1,<29"\n')
    marked, wrong = xfail.apply([result("a", "failed")], entries, TODAY, all_laws=["a"], release=release)
    assert (marked[0].known, wrong) == (known, [])
    _, wrong = xfail.apply([result("a", "passed")], entries, TODAY, all_laws=["a"], release=release)
    assert len(wrong) == (1 if known else 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[xfail]", "is no TOML"),
        ('[[xfail]]\nlaw = "a"', "reason"),
        ('[[xfial]]\nlaw = "a"', "xfial"),
        ('[[xfail]]\nlaw = "a"\nreason = "r"\nreleases = "28 up"', "Invalid specifier.*28 up.*xfail"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """In one line."""
    with pytest.raises(InputError, match=complaint) as caught:
        expected(tmp_path, text)
    assert "\n" not in str(caught.value)
