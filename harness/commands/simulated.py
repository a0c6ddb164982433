"""The engine `sim`: Crucible's own control plane, drivers and storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.commands.engine import Timelines
from harness.control_plane import deployment as deployments
from harness.control_plane.deployment import Deployment
from harness.matrix import families, reproductions, runner
from harness.matrix.cell_storage import CellStorage
from harness.matrix.cells import Cell
from harness.matrix.known_faults import KNOWN_FAULTS
from harness.matrix.reproductions import Reproduction
from harness.results import CellResult


class Simulated:
    """Joins deployment, families, runner and reproductions."""

    @property
    def release(self) -> str | None:
        return None

    def deployment(self, paths: Sequence[Path]) -> Deployment:
        return deployments.load(paths) if paths else Deployment.default()

    def cells(self, deployment: Deployment) -> list[Cell]:
        return families.default_cells(deployment)

    def find(self, deployment: Deployment, cell_id: str) -> Cell:
        return families.find(deployment, cell_id)

    def run_cell(
        self, deployment: Deployment, cell: Cell, *, seed: int, keep_timeline: bool, storage: CellStorage
    ) -> CellResult:
        return runner.run_cell(deployment, cell, seed=seed, keep_timeline=keep_timeline, storage=storage)

    def run_cells(
        self,
        deployment: Deployment,
        cells: Sequence[Cell],
        *,
        seed: int,
        jobs: int,
        timelines: Timelines,
        on_result: Callable[[CellResult], None],
        storage: CellStorage,
    ) -> list[CellResult]:
        return runner.run_cells(
            deployment,
            cells,
            seed=seed,
            jobs=jobs,
            timelines=timelines,
            on_result=on_result,
            storage=storage,
        )

    def reproductions(self) -> Mapping[str, Reproduction]:
        return reproductions.REPRODUCTIONS

    def faults(self) -> Mapping[str, str]:
        return {fault.id: fault.title for fault in KNOWN_FAULTS.values()}
