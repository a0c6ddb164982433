"""Rung A = B: the simulated control plane does what the real Cinder does, cell by cell.

Both run Crucible's reference drivers. Cells run in a process of their own, once for all tests; this is a
sample of the default matrix.
"""

from __future__ import annotations

import sys

import pytest

from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import Deployment
from harness.matrix import families, runner
from harness.results import CellResult

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)

CELLS = (
    "migrate/lvm-a/lvm-far/available",
    "migrate/lvm-a/lvm-b/available/lock=yes/precondition=rename-fails",
    "migrate/lvm-b/lvm-thin/in-use",
    "migrate/lvm-b/lvm-a/in-use/precondition=server-stopped",
    "migrate/lvm-a/lvm-b/available/precondition=snapshot",
    "migrate/lvm-a/lvm-b/available/precondition=no-capacity",
    "retype/lvm-a/lvm-b/available/type=shared",
)


@pytest.fixture(scope="module")
def results() -> dict[str, tuple[CellResult, CellResult]]:
    """(simulated, real) by cell."""
    deployment = Deployment.default()
    cells = [families.find(deployment, cell_id) for cell_id in CELLS]
    real = CinderEngine("reference").run_cells(deployment, cells, keep_timelines=True)
    simulated = [runner.run_cell(deployment, cell, keep_timeline=True) for cell in cells]
    return {one.id: (one, other) for one, other in zip(simulated, real, strict=True)}


@pytest.mark.parametrize("cell_id", CELLS)
def test_both_come_to_the_same_end(results: dict[str, tuple[CellResult, CellResult]], cell_id: str) -> None:
    """Outcome, HTTP code, every invariant and the verdict."""
    simulated, real = results[cell_id]
    assert _ending(real) == _ending(simulated), real.observed.reason


@pytest.mark.parametrize("cell_id", CELLS)
def test_both_call_the_drivers_in_the_same_order(
    results: dict[str, tuple[CellResult, CellResult]], cell_id: str
) -> None:
    """Actor and method of every call, while the request is carried out."""
    simulated, real = results[cell_id]
    assert _driver_calls(real) == _driver_calls(simulated)


def test_cinder_stays_in_its_own_process(results: dict[str, tuple[CellResult, CellResult]]) -> None:
    """Nothing of it is left where the run was started."""
    assert results
    assert not [name for name in sys.modules if name.partition(".")[0] in ("cinder", "os_brick", "eventlet")]


def _ending(result: CellResult) -> tuple[object, ...]:
    held = {judgement.name: judgement.holds for judgement in result.invariants}
    return result.observed.outcome, result.observed.code, held, result.verdict


def _driver_calls(result: CellResult) -> list[tuple[str, str]]:
    """Without what the simulation notes about a call, such as that it was refused."""
    steps = [(event.actor, event.step) for event in result.timeline if event.step.startswith("driver.")]
    return [(actor, step) for actor, step in steps if " " not in step]
