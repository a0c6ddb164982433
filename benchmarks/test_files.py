"""Copies of written MiB in file storage, each paired with ``cp --sparse=always`` of the same files."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fake_backends.block_store import CHUNK, BlockDevice, copy_range
from fake_backends.files.real import RealDirectory
from fake_backends.world import World
from harness.sim.seeds import stream

MIB = 1 << 20
WRITTEN = 128 * MIB
ROUNDS = 9


def image(world: World, name: str) -> BlockDevice:
    pool = world.cluster("ceph").create_pool("volumes")
    pool.create(name, 1 << 30)
    return pool.open(name)


def volume(world: World, name: str) -> BlockDevice:
    group = world.node("node1").add_volume_group("vg", [64 << 30])
    group.create(name, 1 << 30)
    return group.open(name)


def thin_volume(world: World, name: str) -> BlockDevice:
    group = world.node("node1").add_volume_group("thin", [64 << 30])
    if "pool" not in group:
        group.create_thin_pool("pool", 60 << 30)
    group.create_thin(name, 1 << 30, "pool")
    return group.open(name)


def nfs_file(world: World, name: str) -> BlockDevice:
    share = world.share("192.0.2.1:/export", 64 << 30)
    share.create(name)
    share.truncate(name, 1 << 30)
    return share.file(name)


@pytest.mark.parametrize("sparse", [False, True], ids=["whole", "sparse"])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        (image, image),
        (image, volume),
        (volume, image),
        (volume, volume),
        (volume, thin_volume),
        (thin_volume, thin_volume),
        (nfs_file, nfs_file),
    ],
)
def test_copy_written_mib(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    source: Callable[[World, str], BlockDevice],
    target: Callable[[World, str], BlockDevice],
    sparse: bool,
) -> None:
    """`speed` is the median over the pairs of cp's time divided by ours: 0.8 or more is the goal."""
    (tmp_path / "storage").mkdir()
    world = World(home=RealDirectory(tmp_path / "storage"))
    reader = source(world, "source")
    content = stream(0, "benchmark").randbytes(CHUNK)
    for offset in range(0, WRITTEN, CHUNK):
        reader.write(2 * offset, content)
    files = tmp_path / "files"
    shutil.copytree(tmp_path / "storage", files, copy_function=_copied)
    pairs: list[float] = []
    targets = (target(world, f"target-{number}") for number in range(2 * ROUNDS))

    def setup() -> tuple[tuple[BlockDevice], dict[str, object]]:
        return (next(targets),), {}

    def ours(writer: BlockDevice) -> None:
        begun_s = time.perf_counter()
        copy_range(reader, writer, 0, 2 * WRITTEN // CHUNK, sparse=sparse)
        ours_s = time.perf_counter() - begun_s
        begun_s = time.perf_counter()
        subprocess.run(["cp", "-r", "--sparse=always", files, tmp_path / "copy"], check=True)
        pairs.append((time.perf_counter() - begun_s) / ours_s)
        shutil.rmtree(tmp_path / "copy")

    benchmark.pedantic(ours, setup=setup, rounds=ROUNDS)
    benchmark.extra_info["speed"] = round(statistics.median(pairs), 2)
    world.close()


def _copied(source: str, target: str) -> None:
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
