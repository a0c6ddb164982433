"""Faults of Cinder are found again on the releases that have them, and not on those that have not.

The cells run on the installed release, with Cinder's own drivers: tox has an environment for each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import NEWEST, OLDEST, installed
from harness.control_plane.deployment import Deployment
from harness.matrix import families, runner
from harness.matrix.expectations import expect
from harness.matrix.reproductions import REPRODUCTIONS
from harness.results import CellResult

PAGES = Path(__file__).parents[3] / "docs" / "bugs"
SEEN = [name for name, each in REPRODUCTIONS.items() if each.seen]
RELEASES = (
    "22.1.0", "22.1.1", "22.1.2", "22.3.0", "23.0.0", "23.1.0", "23.5.0", "24.0.0", "24.5.0", "25.0.0",
    "25.3.0", "25.3.1", "26.3.0", "27.0.0", "28.0.0", "29.0.0",
)  # fmt: skip
with_cinder = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)


@pytest.fixture(scope="module")
def results() -> dict[str, CellResult]:
    """By name, in one process."""
    cells = [REPRODUCTIONS[name].cell for name in SEEN]
    found = CinderEngine().run_cells(Deployment.default(), cells)
    return dict(zip(SEEN, found, strict=True))


@with_cinder
@pytest.mark.parametrize("name", SEEN)
def test_the_installed_release_ends_as_documented(results: dict[str, CellResult], name: str) -> None:
    """Outcome and verdict: expectations are those of the release."""
    release, result = str(installed()), results[name]
    seen = REPRODUCTIONS[name].on(release)
    assert seen is not None, f"nobody has looked at {release}"
    assert result.observed.outcome == seen.outcome, f"{result.observed.reason}; {result.difference}"
    # No rule knows that fault: it shows in what is done with the volume afterwards.
    unknown = name == "nfs-snapshot-while-attached" and seen.faulty
    assert result.verdict == ("fail" if unknown else "known"), result.difference


@pytest.mark.parametrize("name", SEEN)
def test_expectations_are_what_was_seen(name: str) -> None:
    """On every release whose code was read, whichever is installed."""
    reproduction, deployment = REPRODUCTIONS[name], Deployment.default()
    facts = [
        families.facts_of(deployment.backend(backend))
        for backend in (reproduction.cell.source, reproduction.cell.destination)
    ]
    for release in RELEASES:
        seen = reproduction.on(release)
        assert seen is not None
        assert expect(reproduction.cell, *facts, release=release).outcome == seen.outcome, release


@pytest.mark.parametrize("name", SEEN)
def test_the_simulation_ends_as_the_newest_release(name: str) -> None:
    """Outcome and verdict: nothing that is documented of it is unexpected."""
    seen = REPRODUCTIONS[name].on(f"{NEWEST}.0.0")
    result = runner.run_cell(Deployment.default(), REPRODUCTIONS[name].cell)
    assert seen is not None
    assert (result.observed.outcome, result.verdict) == (seen.outcome, "known")


@pytest.mark.parametrize("name", SEEN)
def test_every_supported_release_is_documented(name: str) -> None:
    """Also the pages: one for each, which says the command and the range."""
    reproduction = REPRODUCTIONS[name]
    assert all(reproduction.on(f"{major}.0.0") for major in range(OLDEST, NEWEST + 1))
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {reproduction.title}\n")
    assert f"crucible reproduce {name} --engine cinder" in page
    assert reproduction.source in page
    assert reproduction.launchpad in page


def test_every_page_is_listed() -> None:
    """The list says of each what is lost."""
    listed = (PAGES / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in PAGES.glob("*.md") if f"]({page.name})" not in listed]
    assert missing == ["README.md"]


def test_the_first_range_that_fits_is_meant() -> None:
    """A fault that was there, went, came and went again is four ranges."""
    faulty = {
        release: seen.faulty
        for release in ("22.1.1", "22.1.2", "23.0.0", "23.1.0", "25.3.0", "25.3.1", "29.0.0")
        if (seen := REPRODUCTIONS["rbd-retype-not-assisted"].on(release))
    }
    assert faulty == {
        "22.1.1": False, "22.1.2": True, "23.0.0": False, "23.1.0": True, "25.3.0": True, "25.3.1": False,
        "29.0.0": False,
    }  # fmt: skip
