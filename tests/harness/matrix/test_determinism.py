"""Same seed, same trace, byte for byte: in another process, with another hash seed, and when replayed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.runner import run_cell, run_cells
from harness.results import CellResult
from harness.sim import Replay, Seeded
from harness.sim.seeds import stream

PROGRAM = """
import sys, msgspec
from harness.control_plane.deployment import Deployment
from harness.matrix.families import default_cells
from harness.matrix.runner import run_cell
deployment = Deployment.default()
for cell in default_cells(deployment)[::250]:
    result = run_cell(deployment, cell, seed=7, keep_timeline=True)
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\\n")
"""
CELL = Cell(source="lvm-a", destination="rbd-a", status="in-use")


def _output(hash_seed: str) -> bytes:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, env=environment, cwd=root
    )
    return done.stdout


def test_two_processes_write_the_same_bytes() -> None:
    """Results and timelines do not depend on the process or on PYTHONHASHSEED."""
    first = _output("1")
    assert len(first) > 10_000
    assert first == _output("4242")


def test_another_seed_gives_other_ids(deployment: Deployment) -> None:
    """The seed is not ignored."""
    results = [run_cell(deployment, CELL, seed=seed, keep_timeline=True) for seed in (1, 2)]
    assert results[0].timeline != results[1].timeline
    assert results[0].observed == results[1].observed


def _seeded(deployment: Deployment, seed: int) -> CellResult:
    return run_cell(deployment, CELL, keep_timeline=True, schedule=Seeded(stream(seed, "schedule")))


def test_a_seeded_schedule_repeats_itself(deployment: Deployment) -> None:
    """The same stream makes the same choices."""
    assert _seeded(deployment, 5) == _seeded(deployment, 5)


def test_recorded_choices_can_be_replayed(deployment: Deployment) -> None:
    """A replay of no choices is first come, first served."""
    assert run_cell(deployment, CELL, keep_timeline=True, schedule=Replay([])) == run_cell(
        deployment, CELL, keep_timeline=True
    )


def test_processes_side_by_side_change_nothing(deployment: Deployment) -> None:
    """Results come in the order of the cells, and are those of one process."""
    cells = [
        Cell(source=source, destination=destination, status=status)
        for source in ("lvm-a", "rbd-a")
        for destination in ("lvm-b", "lvm-thin")
        for status in ("available", "in-use")
    ]
    heard: list[str] = []
    together = run_cells(deployment, cells, jobs=2, on_result=lambda result: heard.append(result.id))
    assert msgspec.json.encode(together) == msgspec.json.encode(run_cells(deployment, cells))
    assert heard == [cell.id for cell in cells]
