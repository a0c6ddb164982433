"""What storage costs in memory: clones share what they have in common."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fake_backends.block_store import CHUNK, PAGES_PER_CHUNK
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.rbd.cluster import Cluster
from harness.model import GIB

Clone = Callable[[str], object]


def _thin() -> Clone:
    group = VolumeGroup("vg", [8 * GIB])
    group.create_thin_pool("pool", 4 * GIB)
    group.create_thin("full", GIB, "pool")
    volume = group.volume("full")
    for number in range(volume.chunk_count):
        volume.store(number, _chunk(number))
    return lambda name: group.snapshot("full", name, None)


def _rbd() -> Clone:
    pool = Cluster("ceph").create_pool("volumes")
    pool.create("full", GIB)
    with pool.open("full") as handle:
        for number in range(GIB // CHUNK):
            handle.store(number, _chunk(number))
    image = pool.image("full")
    image.create_snapshot("snapshot")
    image.protect_snapshot("snapshot")
    return lambda name: pool.clone("full", "snapshot", name)


def _chunk(number: int) -> dict[int, bytes]:
    """Every page is written; they are equal, so that the benchmark itself fits into memory."""
    page = number.to_bytes(8, "little").ljust(4096, b".")
    return dict.fromkeys(range(PAGES_PER_CHUNK), page)


@pytest.mark.parametrize("full", [_thin, _rbd], ids=["thin volume", "rbd image"])
def test_clone_of_a_full_gib(benchmark: BenchmarkFixture, full: Callable[[], Clone]) -> None:
    """Below 1 ms and, in `kib`, below 1024."""
    clone = full()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    clone("measured")
    benchmark.extra_info["kib"] = (tracemalloc.get_traced_memory()[0] - before) // 1024
    tracemalloc.stop()
    names = iter(range(1_000_000))
    benchmark.pedantic(lambda: clone(f"clone-{next(names)}"), rounds=50)
