"""A filter function with a variable, on Cinder's own scheduler: with pyparsing 3.3.3 it lets nothing pass."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version

from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import load
from harness.matrix import families, runner

PAGE = Path(__file__).parents[3] / "docs" / "bugs" / "filter-function-refused.md"
CELL = "migrate/lvm/ceph/available"
BROKEN_SINCE = Version("3.3.3")
"""The release of pyparsing. If a later one, or Cinder, is mended, the page needs another line."""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """The cinder.conf of the page."""
    text = PAGE.read_text(encoding="utf-8").partition("with this cinder.conf:\n")[2].partition("\nIt runs")[0]
    path = tmp_path / "cinder.conf"
    path.write_text("\n".join(line.removeprefix("    ") for line in text.splitlines()), encoding="utf-8")
    return path


@pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)
def test_the_installed_pyparsing_decides(configured: Path) -> None:
    """`cinder.scheduler.filters.driver_filter:DriverFilter` takes a function that it cannot read for False."""
    deployment = load([configured])
    (result,) = CinderEngine().run_cells(
        deployment, [families.find(deployment, CELL)], keep_timelines=True, at_rest=True
    )
    refused = Version(metadata.version("pyparsing")) >= BROKEN_SINCE
    assert result.picture["volume: migration_status"] == ("error" if refused else "success")
    warned = any("Error in filtering function" in event.detail for event in result.timeline)
    assert warned == refused


def test_the_simulation_reads_the_function(configured: Path) -> None:
    """As Cinder means it, whatever pyparsing is installed."""
    deployment = load([configured])
    result = runner.run_cell(deployment, families.find(deployment, CELL))
    assert result.observed.outcome == "succeeded"
