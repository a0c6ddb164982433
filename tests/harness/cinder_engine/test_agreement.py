"""Rungs A = B = C: simulation and real Cinder agree, cell by cell, with either's drivers.

Cells run in processes of their own. These are samples: ``crucible compare --engines`` does the same for the
whole matrix, and `tests/golden/test_pictures.py` holds the simulation to what the real Cinder has left.
"""

from __future__ import annotations

import os
import sys

import pytest

from harness.cinder_engine.boot import Drivers
from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import Deployment
from harness.matrix import families, runner
from harness.matrix.comparison import differences
from harness.results import CellResult
from harness.sim.seeds import stream
from tests.golden.pictures import load

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)

SAMPLE: dict[Drivers, tuple[str, ...]] = {
    "reference": (
        "migrate/lvm-a/lvm-far/available",
        "migrate/lvm-a/lvm-b/available/lock=yes/precondition=rename-fails",
        "migrate/lvm-b/lvm-a/in-use/precondition=server-stopped",
        "migrate/lvm-a/lvm-b/available/precondition=no-capacity",
        "retype/lvm-a/lvm-b/in-use/precondition=server-stopped",
        "migrate/nfs-a/nfs-far/available",
        "migrate/nfs-a/nfs-qcow2/available/precondition=source-delete-fails",
    ),
    "cinder": (
        "migrate/lvm-a/rbd-a/available",
        "migrate/rbd-a/lvm-thin/in-use",
        "migrate/lvm-a/lvm-b/available/precondition=snapshot",
        "retype/lvm-a/lvm-b/available/encryption=luks2-luks",
        "retype/lvm-a/rbd-a/available/encryption=luks",
        "migrate/lvm-a/nfs-a/available",
        "migrate/nfs-qcow2/rbd-a/available",
        "migrate/nfs-far/nfs-a/in-use",
    ),
}
SAMPLED = 15
CELLS = [(drivers, cell_id) for drivers, ids in SAMPLE.items() for cell_id in ids]

Pairs = dict[tuple[Drivers, str], tuple[CellResult, CellResult]]


@pytest.fixture(scope="module")
def results() -> Pairs:
    """(simulated, real) by drivers and cell."""
    deployment = Deployment.default()
    pairs: Pairs = {}
    for drivers, ids in SAMPLE.items():
        cells = [families.find(deployment, cell_id) for cell_id in ids]
        real = CinderEngine(drivers).run_cells(deployment, cells, keep_timelines=True)
        for cell, result in zip(cells, real, strict=True):
            pairs[drivers, cell.id] = (runner.run_cell(deployment, cell, keep_timeline=True), result)
    return pairs


@pytest.mark.parametrize(("drivers", "cell_id"), CELLS)
def test_the_simulation_does_what_cinder_does(results: Pairs, drivers: Drivers, cell_id: str) -> None:
    """Everything in the final picture; and as expected."""
    simulated, real = results[drivers, cell_id]
    assert not [str(difference) for difference in differences(simulated.picture, real.picture)]
    assert real.verdict in ("pass", "known"), real.difference


@pytest.mark.parametrize("drivers", ["reference", "cinder"])
def test_a_sample_leaves_what_was_recorded(drivers: Drivers) -> None:
    """Another one for each value of CRUCIBLE_SAMPLE, of the pictures that the simulation is held to."""
    recorded = load()
    if recorded.release != installed():
        pytest.skip(f"the pictures are of Cinder {recorded.release}")
    chance = stream(int(os.environ.get("CRUCIBLE_SAMPLE", "0")), "sample of pictures")
    deployment = Deployment.default()
    cells = [families.find(deployment, name) for name in chance.sample(sorted(recorded.cells), SAMPLED)]
    results = CinderEngine(drivers).run_cells(deployment, cells, keep_timelines=True, at_rest=True)
    found = [
        f"{result.id}: {each}"
        for result in results
        for each in differences(recorded.cells[result.id], result.picture)
    ]
    assert not found, "\n".join(found)


def test_cinder_stays_in_its_own_process() -> None:
    """Nothing of it comes to where the run is started; what another test has imported does not count."""
    before = set(sys.modules)
    deployment = Deployment.default()
    cell = families.find(deployment, "migrate/lvm-a/lvm-b/available/precondition=absent-host")
    assert CinderEngine("reference").run_cells(deployment, [cell])[0].verdict == "pass"
    gained = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert not gained & {"cinder", "os_brick", "castellan", "eventlet"}
