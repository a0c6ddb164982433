"""How fast cells run on the real Cinder, and what memory a worker takes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.families import default_cells

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)

EVERY = 101
"""A sample of the matrix that is large enough to be like it."""
JOBS = 2


def sample(deployment: Deployment) -> list[Cell]:
    """Cells without encryption."""
    return [cell for cell in default_cells(deployment) if cell.encryption == "none"][::EVERY]


def test_start(benchmark: BenchmarkFixture) -> None:
    """From nothing to a worker that waits for its first cell, and its end."""
    deployment = Deployment.default()
    benchmark.pedantic(lambda: CinderEngine().run_cells(deployment, []), rounds=3, warmup_rounds=1)


def test_cells(benchmark: BenchmarkFixture) -> None:
    """Cells per second in two processes, their start left out."""
    deployment = Deployment.default()
    cells = sample(deployment)
    benchmark.extra_info["cells"] = len(cells)
    arrived: list[float] = []

    def run() -> None:
        arrived.clear()
        CinderEngine().run_cells(
            deployment, cells, jobs=JOBS, on_result=lambda result: arrived.append(benchmark._timer())
        )

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["cells_per_second"] = round((len(arrived) - 1) / (arrived[-1] - arrived[0]), 2)


@pytest.mark.parametrize("cells", [25, 100])
def test_peak_memory(benchmark: BenchmarkFixture, cells: int) -> None:
    """Peak resident memory of a worker in MiB, encrypted volumes included. More cells must not take more."""
    program = (
        "import resource\n"
        "from harness.cinder_engine.engine import CinderEngine\n"
        "from harness.control_plane.deployment import Deployment\n"
        "from harness.matrix.families import default_cells\n"
        "deployment = Deployment.default()\n"
        "every = default_cells(deployment)\n"
        f"CinderEngine().run_cells(deployment, every[:: len(every) // {cells}][:{cells}])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
    )
    done = benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True),
        rounds=1,
    )
    benchmark.extra_info["peak_mib"] = int(done.stdout.split()[-1])
