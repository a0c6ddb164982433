"""Cells on the real Cinder, in interpreters of their own.

The process that the user started never imports Cinder, so nothing of a run can stay in it: no module, no
replaced function, no log handler. A worker starts once, takes about two seconds, and runs batch after batch.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

from harness.cinder_engine.boot import Drivers, Process
from harness.cinder_engine.release import require
from harness.control_plane.deployment import Deployment
from harness.errors import InputError
from harness.matrix import runner
from harness.matrix.cell_storage import MEMORY, CellStorage
from harness.matrix.cells import Cell
from harness.results import CellResult

BATCH = 8
"""Cells that a worker takes at a time."""


class CinderEngine:
    """`drivers` says whose LVM and RBD drivers run: Cinder's own, or Crucible's reference drivers."""

    def __init__(self, drivers: Drivers = "cinder") -> None:
        self.release = require()
        self._drivers = drivers

    def run_cells(
        self,
        deployment: Deployment,
        cells: Sequence[Cell],
        *,
        seed: int = 0,
        jobs: int = 1,
        keep_timelines: bool = False,
        on_result: Callable[[CellResult], None] = lambda result: None,
        storage: CellStorage = MEMORY,
    ) -> list[CellResult]:
        """All cells, in `jobs` processes; results come in the order of the cells.

        InputError if Cinder does not start with this deployment.
        """
        jobs = max(1, min(jobs, len(cells)))
        results: dict[int, CellResult] = {}
        told = 0
        with Workers(jobs, deployment, self._drivers, seed, keep_timelines, storage) as workers:
            for number, result in workers.run(list(enumerate(cells))):
                results[number] = result
                while told in results:
                    on_result(results[told])
                    told += 1
        return [results[number] for number in range(len(cells))]


Numbered = tuple[int, Cell]


class Workers:
    """Processes that run cells, and what is said to them."""

    def __init__(
        self,
        jobs: int,
        deployment: Deployment,
        drivers: Drivers,
        seed: int,
        keep_timelines: bool,
        storage: CellStorage,
    ) -> None:
        context = get_context("spawn")
        self._lines: list[Connection] = []
        self._processes = []
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, deployment, drivers, seed, keep_timelines, storage), daemon=True
            )
            process.start()
            theirs.close()
            self._lines.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for line in self._lines:
            line.close()
        for process in self._processes:
            if error[0] is not None:
                process.terminate()
            process.join()

    def run(self, cells: Sequence[Numbered]) -> Iterator[tuple[int, CellResult]]:
        """Results with the numbers of their cells, as they come."""
        waiting = [list(cells[start : start + BATCH]) for start in range(0, len(cells), BATCH)]
        busy = list(self._lines)
        while busy:
            for line in wait(busy):
                assert isinstance(line, Connection)
                try:
                    answer = line.recv()
                except EOFError:
                    raise RuntimeError("a process that runs Cinder has died") from None
                if isinstance(answer, InputError):
                    raise answer
                yield from answer
                if waiting:
                    line.send(waiting.pop(0))
                else:
                    busy.remove(line)


def _work(
    line: Connection,
    deployment: Deployment,
    drivers: Drivers,
    seed: int,
    keep_timelines: bool,
    storage: CellStorage,
) -> None:
    """The life of a worker: start Cinder, say so with an empty answer, then run what comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = Process(deployment, drivers=drivers)
    except InputError as error:
        line.send(error)
        return
    with process:
        from harness.cinder_engine.cloud import CinderCloud

        launch = partial(CinderCloud, process)
        answer: list[tuple[int, CellResult]] = []
        try:
            while True:
                line.send(answer)
                answer = [
                    (
                        number,
                        runner.run_cell(
                            deployment,
                            cell,
                            seed=seed,
                            keep_timeline=keep_timelines,
                            storage=storage,
                            launch=launch,
                        ),
                    )
                    for number, cell in line.recv()
                ]
        except (EOFError, BrokenPipeError):
            return  # whoever started us has all that it wanted
