"""The pytest plug-in: laws as tests, in a pytest of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from conformance.plugin import subject_at
from harness.errors import InputError

ROOT = Path(__file__).parents[2]


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest in an empty directory, with the plug-in."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(directory)])}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conformance.plugin", "-q", "-rA", *arguments],
        cwd=directory, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_laws_are_tests(tmp_path: Path) -> None:
    """Of a subject of one's own: they pass, skip with its reason, fail as expected, and JUnit has them."""
    (tmp_path / "testing.py").write_text(
        "import conformance\n\n"
        "def make():\n"
        "    return conformance.subject('nfs', capabilities={'snapshots': 'no snapshots here'})\n"
    )
    selected = "deleting_twice or a_larger_clone_is_grown or a_snapshot_keeps_what_was"
    done = run(tmp_path, "--crucible-subject", "testing:make", "-k", selected, "--junitxml", "report.xml")
    assert done.returncode == 0, done.stdout
    assert "PASSED crucible::volumes/deleting_twice_succeeds" in done.stdout
    assert "XFAIL crucible::clones/a_larger_clone_is_grown" in done.stdout
    assert "no snapshots here" in done.stdout
    assert len(ElementTree.parse(tmp_path / "report.xml").getroot().findall(".//testcase")) == 3


def test_a_broken_law_is_shown_with_its_sequence(tmp_path: Path) -> None:
    """The sentence, what was found and the steps; no traceback of Crucible's."""
    driver = "tests.conformance.mutants.volumes:DeletesNothing"
    done = run(tmp_path, "--crucible-subject", driver, "-k", "deleting_removes")
    assert done.returncode == 1
    assert "Deleting a volume removes exactly its object." in done.stdout
    assert "1. DeletesNothing(" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(("found", "outcome"), [("should be", "XFAIL"), ("something else", "FAILED")])
def test_a_failure_of_another_kind_is_none_that_is_known(tmp_path: Path, found: str, outcome: str) -> None:
    """An entry may say what is found when the law fails as it is known to."""
    law = "volumes/deleting_removes_the_object_and_no_other"
    (tmp_path / "known.toml").write_text(
        f'[[xfail]]\nlaw = "{law}"\nreason = "it keeps everything"\nfound = "{found}"\n'
    )
    driver = "tests.conformance.mutants.volumes:DeletesNothing"
    arguments = ["--crucible-subject", driver, "--crucible-xfail", "known.toml", "-k", "deleting_removes"]
    assert f"{outcome} crucible::{law}" in run(tmp_path, *arguments).stdout


def test_other_plugins_find_tests_of_hypothesis(tmp_path: Path) -> None:
    """HypoFuzz runs pytest for the tests with this marker; a law that draws nothing is none."""
    selected = "deleting_twice or a_driver_has_a_version"
    done = run(tmp_path, "--crucible-subject", "rbd", "-k", selected, "-m", "hypothesis")
    assert done.returncode == 0, done.stdout
    assert "PASSED crucible::volumes/deleting_twice_succeeds" in done.stdout
    assert "a_driver_has_a_version" not in done.stdout


def test_an_unknown_subject_is_refused() -> None:
    """With what would be right."""
    with pytest.raises(InputError, match="did you mean lvm"):
        subject_at("lvmm")
    with pytest.raises(InputError, match="cannot import nowhere:x"):
        subject_at("nowhere:x")
