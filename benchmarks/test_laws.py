"""How fast laws are checked: examples per second, and how long a certificate takes."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from conformance.catalogue import select
from conformance.profiles import files_of
from conformance.runner import check
from conformance.subjects import subject

DRIVERS = ("lvm", "lvm-thin", "rbd", "nfs", "nfs-qcow2")


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("driver", DRIVERS)
def test_core_laws_in_one_process(benchmark: BenchmarkFixture, driver: str) -> None:
    """Examples per second of a core, whatever else it does meanwhile, with the budget of the profile ci."""
    under_test, laws = subject(driver), select(["core"])
    with files_of("ci"):
        results = benchmark.pedantic(check, args=(under_test, laws), kwargs={"profile": "ci"}, rounds=3)
    examples = sum(result.examples for result in results)
    benchmark.extra_info["examples"] = examples
    benchmark.extra_info["examples_per_second"] = round(examples / benchmark.stats.stats.median)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_whole_certificate(benchmark: BenchmarkFixture, driver: str) -> None:
    """The command as it is used on CI, with the start of its processes, on two cores."""
    command = [sys.executable, "-c", "from harness.cli import main; raise SystemExit(main())"]
    arguments = ["certify", driver, "--profile", "ci", "-j", "2"]
    done = benchmark.pedantic(
        lambda: subprocess.run([*command, *arguments], capture_output=True, text=True, check=False),
        rounds=1,
    )
    assert done.returncode == 0, done.stdout
