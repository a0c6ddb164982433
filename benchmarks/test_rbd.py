"""What RBD images cost: making and removing many is linear, and a clone shares what its parent holds."""

from __future__ import annotations

import tracemalloc

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.pool import Pool

GIB = 1 << 30
MIB = 1 << 20


@pytest.mark.parametrize("images", [1000, 10_000])
def test_create_and_remove_images(benchmark: BenchmarkFixture, images: int) -> None:
    """Ten times as many take ten times as long: compare the medians."""

    def churn() -> None:
        pool = Cluster("ceph").create_pool("volumes")
        for number in range(images):
            pool.create(f"volume-{number}", GIB)
        for number in range(images):
            pool.remove(f"volume-{number}")

    benchmark.pedantic(churn, rounds=3, warmup_rounds=1)


def test_clone_a_full_image(benchmark: BenchmarkFixture) -> None:
    """Of 1 GiB, written from end to end: under 1 ms, and under 1 MiB of memory."""
    pool = _full()
    names = iter(range(1_000_000))
    benchmark.pedantic(lambda: pool.clone("v", "s", f"clone-{next(names)}"), rounds=50)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    pool.clone("v", "s", "measured")
    benchmark.extra_info["bytes"] = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    with pool.open("measured") as handle:
        assert handle.read(GIB - 4, 4) == b"full"


def _full() -> Pool:
    """A pool with an image ``v`` of 1 GiB that is full, and a protected snapshot ``s`` of it."""
    pool = Cluster("ceph").create_pool("volumes")
    pool.create("v", GIB)
    with pool.open("v") as handle:
        for offset in range(0, GIB, MIB):
            handle.write(offset, b"full" * (MIB // 4))
        handle.image.create_snapshot("s")
        handle.image.protect_snapshot("s")
    return pool
