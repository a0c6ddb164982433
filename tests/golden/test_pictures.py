"""The simulation leaves the pictures that the real Cinder left: rung A against rung C, cell by cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.comparison import differences
from harness.matrix.families import default_cells
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
    for cell in cells[part::PARTS]:
        simulated = run_cell(deployment, cell, keep_timeline=True, at_rest=True)
        found += [f"{cell.id}: {each}" for each in differences(simulated.picture, recorded.cells[cell.id])]
    assert not found, "\n".join(found)


def test_every_cell_of_the_matrix_has_its_picture(cells: list[Cell], recorded: Recorded) -> None:
    """A cell that is new or was renamed has to be recorded (`record_pictures`)."""
    assert set(recorded.cells) == {cell.id for cell in cells}


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    """With lists and without."""
    recorded = Recorded("29.0.0", {"b": {"outcome": "succeeded"}, "a": {"keys": ["key of volume", "nobody's"]}})
    save(recorded, tmp_path / "pictures.jsonl.xz")
    assert load(tmp_path / "pictures.jsonl.xz") == recorded
