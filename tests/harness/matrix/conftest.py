"""What the tests of the matrix have in common: the default deployment, read once."""

from __future__ import annotations

import pytest

from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.families import default_cells


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    """The embedded deployment. It is immutable: every cell makes a world of its own from it."""
    return Deployment.default()


@pytest.fixture(scope="session")
def matrix(deployment: Deployment) -> list[Cell]:
    """The default matrix."""
    return default_cells(deployment)
