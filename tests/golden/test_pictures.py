"""The simulation leaves the pictures that the real Cinder left: rung A against rung C, cell by cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.comparison import differences
from harness.matrix.expectations import expect
from harness.matrix.families import default_cells, facts_of
from harness.matrix.runner import run_cell
from tests.golden.pictures import Recorded, load, save

PARTS = 60


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    """The embedded one, of which the pictures are."""
    return Deployment.default()


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """Read once."""
    return load()


@pytest.fixture(scope="module")
def cells(deployment: Deployment) -> list[Cell]:
    """The default matrix, made once."""
    return default_cells(deployment)


@pytest.mark.parametrize("part", range(PARTS))
def test_the_simulation_leaves_what_cinder_leaves(
    part: int, deployment: Deployment, cells: list[Cell], recorded: Recorded
) -> None:
    """Outcome, records, attachments, objects, exports, keys, quota, and every driver call."""
    found: list[str] = []
    for cell in [cell for cell in cells if cell.id in recorded.cells][part::PARTS]:
        simulated = run_cell(deployment, cell, keep_timeline=True, at_rest=True)
        found += [f"{cell.id}: {each}" for each in differences(simulated.picture, recorded.cells[cell.id])]
    assert not found, "\n".join(found)


def test_every_picture_is_of_a_cell_of_the_matrix(cells: list[Cell], recorded: Recorded) -> None:
    """A cell that was renamed has to be recorded again."""
    assert set(recorded.cells) <= {cell.id for cell in cells}


def test_every_rule_of_the_expectations_has_a_picture(
    deployment: Deployment, cells: list[Cell], recorded: Recorded
) -> None:
    """What should happen, and why, has been seen on the real Cinder at least once."""
    rules: dict[str, list[Cell]] = {}
    for cell in cells:
        source, destination = (facts_of(deployment.backend(name)) for name in (cell.source, cell.destination))
        rules.setdefault(expect(cell, source, destination).rule, []).append(cell)
    missing = [rule for rule, found in rules.items() if not any(cell.id in recorded.cells for cell in found)]
    assert not missing


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    """With lists and without."""
    recorded = Recorded("29.0.0", {"b": {"outcome": "succeeded"}, "a": {"keys": ["key of volume", "nobody's"]}})
    save(recorded, tmp_path / "pictures.jsonl.xz")
    assert load(tmp_path / "pictures.jsonl.xz") == recorded
