"""What the commands need of the thing that runs cells, and the engines that there are.

Commands know an engine by this protocol alone. The engine is imported when a command first needs it, so
that ``crucible --help`` and a mistyped option are answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from harness.control_plane.deployment import Deployment
    from harness.matrix.cell_storage import CellStorage
    from harness.matrix.cells import Cell
    from harness.matrix.reproductions import Reproduction
    from harness.results import CellResult

Timelines = Literal["failed", "all"]


class Engine(Protocol):
    """Builds deployments and runs cells on them."""

    @property
    def release(self) -> str | None:
        """The version of the Cinder that runs; None where none does."""

    def deployment(self, paths: Sequence[Path]) -> Deployment:
        """What these cinder.conf files describe; without any, the embedded deployment. InputError."""

    def cells(self, deployment: Deployment) -> list[Cell]:
        """The default matrix of a deployment."""

    def find(self, deployment: Deployment, cell_id: str) -> Cell:
        """The cell of that id; InputError names the nearest ones."""

    def run_cell(
        self, deployment: Deployment, cell: Cell, *, seed: int, keep_timeline: bool, storage: CellStorage
    ) -> CellResult:
        """One cell, here and now."""

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
        """Many cells in `jobs` processes. `on_result` hears of each when it is done; the list is in order."""

    def reproductions(self) -> Mapping[str, Reproduction]:
        """The named cells."""

    def faults(self) -> Mapping[str, str]:
        """Titles of the known faults of Cinder and Nova by id."""


def open_engine(name: str) -> Engine:
    """The engine of that name. InputError if what it needs is not installed.

    The three are the rungs of the ladder of truth: `sim`; `reference`, the installed Cinder with Crucible's
    reference drivers; and `cinder`, with its own.
    """
    if name == "sim":
        from harness.commands.simulated import Simulated

        return Simulated()
    if name in ("cinder", "reference"):
        from harness.commands.real import Real

        return Real("cinder" if name == "cinder" else "reference")
    raise ValueError(f"unknown engine {name}")
