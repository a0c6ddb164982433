"""The engine `cinder`: the installed Cinder's own control plane and drivers, over Crucible's storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cinder_engine import foreign
from harness.cinder_engine.boot import Drivers
from harness.cinder_engine.engine import CinderEngine
from harness.commands.engine import Timelines
from harness.commands.simulated import Simulated
from harness.control_plane.deployment import Deployment
from harness.matrix.cell_storage import CellStorage
from harness.matrix.cells import Cell
from harness.results import CellResult


class Real(Simulated):
    """The same cells, reproductions and expectations, run by somebody else. InputError without Cinder."""

    def __init__(self, drivers: Drivers = "cinder") -> None:
        self._engine = CinderEngine(drivers)

    @property
    def release(self) -> str | None:
        return self._engine.release

    def deployment(self, paths: Sequence[Path]) -> Deployment:
        """With what drivers say that Crucible does not know; they are set up once for that."""
        return foreign.load(paths) if paths else super().deployment(paths)

    def run_cell(
        self, deployment: Deployment, cell: Cell, *, seed: int, keep_timeline: bool, storage: CellStorage
    ) -> CellResult:
        return self._engine.run_cells(
            deployment, [cell], seed=seed, keep_timelines=keep_timeline, storage=storage
        )[0]

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
        return self._engine.run_cells(
            deployment, cells, seed=seed, jobs=jobs, keep_timelines=timelines == "all",
            on_result=on_result, storage=storage,
        )  # fmt: skip
