"""A cell does not notice which others the same process has run."""

from __future__ import annotations

import pytest

from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import Deployment
from harness.matrix import families

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)

CELLS = (
    "retype/lvm-a/rbd-a/available/encryption=none-luks2/fill=full",
    "migrate/lvm-a/lvm-far/in-use",
    "migrate/rbd-a/rbd-b/available/precondition=service-down",
)


def test_any_order_of_cells_gives_each_the_same_result() -> None:
    """Same seed, same trace: every line of every timeline, byte for byte."""
    deployment = Deployment.default()
    cells = [families.find(deployment, cell_id) for cell_id in CELLS]
    engine = CinderEngine()
    there = engine.run_cells(deployment, cells, keep_timelines=True)
    back = engine.run_cells(deployment, cells[::-1], keep_timelines=True)
    assert there == back[::-1]
    assert all(result.timeline for result in there)
