"""How fast cells run, and that the size of a volume costs nothing: only what is written does."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.matrix.contents import stamped
from harness.matrix.families import default_cells
from harness.matrix.runner import run_cells
from harness.model import Context
from harness.sim.simulation import Simulation

EVERY = 23
"""A sample of the default matrix that is large enough to be like it."""


def test_cells_of_the_default_matrix(benchmark: BenchmarkFixture) -> None:
    """Cells per second on one core: divide `cells` by the median."""
    deployment = Deployment.default()
    cells = default_cells(deployment)[::EVERY]
    benchmark.extra_info["cells"] = len(cells)
    results = benchmark.pedantic(run_cells, args=(deployment, cells), rounds=5, warmup_rounds=1)
    assert len(results) == len(cells)
    benchmark.extra_info["cells_per_second"] = round(len(cells) / benchmark.stats.stats.median)


@pytest.mark.parametrize("size_gb", [1, 1024])
@pytest.mark.parametrize(("source", "destination"), [("lvm-a", "rbd-a"), ("rbd-a", "lvm-thin")])
def test_migrate_one_written_mib(
    benchmark: BenchmarkFixture, source: str, destination: str, size_gb: int
) -> None:
    """A migration of 1 TiB that holds 1 MiB costs what one of 1 GiB that holds 1 MiB costs."""
    deployment = Deployment.default()
    benchmark.group = f"{source} to {destination}"
    benchmark.pedantic(
        _migrate, setup=lambda: ((_cloud_with_volume(deployment, source, size_gb, destination)), {}), rounds=30
    )


def _cloud_with_volume(
    deployment: Deployment, source: str, size_gb: int, destination: str
) -> tuple[Cloud, str, str]:
    cloud = Cloud(deployment, Simulation(), nova=PROFILES["32"], backends=[source, destination])
    owner = Context("user", "project", is_admin=False)
    for resource in ("volumes", "gigabytes"):
        cloud.quotas.set_limit("project", resource, -1)
    volume = cloud.api.create_volume(owner, size_gb, host=deployment.backend(source).address)
    cloud.simulation.kernel.run()
    server = cloud.nova.create_server("server")
    attached = cloud.simulation.kernel.spawn("nova", cloud.nova.attach_volume, server, volume.id)
    cloud.simulation.kernel.run()
    attached.result.write_pages({page: stamped(page) for page in range(256)})
    cloud.simulation.kernel.spawn("nova", cloud.nova.detach_volume, server, volume.id)
    cloud.simulation.kernel.run()
    return cloud, volume.id, deployment.backend(destination).address


def _migrate(cloud: Cloud, volume_id: str, address: str) -> None:
    cloud.api.migrate_volume(Context("admin", "admin", is_admin=True), volume_id, address)
    cloud.simulation.kernel.run()
    assert cloud.database.get_volume(volume_id).migration_status == "success"
    cloud.simulation.close()


def test_peak_memory_of_the_default_matrix(benchmark: BenchmarkFixture) -> None:
    """Peak resident memory of one process that runs a part of the matrix and keeps all results, in MiB."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from harness.cli import main\n"
        "main(['matrix', '-j', '1', '--shard', '1/4'])\n"
        # The peak that getrusage has is never below that of the process that started this one.
        "status = Path('/proc/self/status').read_text().split()\n"
        "print(int(status[status.index('VmHWM:') + 1]) // 1024, file=sys.stderr)\n"
    )
    done = benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True),
        rounds=1,
    )
    benchmark.extra_info["peak_mib"] = int(done.stderr.split()[-1])
