"""Cells on the real Cinder, in interpreters of their own.

The process that the user started never imports Cinder, so nothing of a run can stay in it: no module, no
replaced function, no log handler. A worker starts once, takes about two seconds, and runs batch after batch.

A driver may end its process or never come back. Then the cell that it was running has its verdict, another
worker takes the place of the one that is gone, and the other cells go on.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from harness.children import end_with
from harness.cinder_engine.boot import Drivers, Process
from harness.cinder_engine.release import require
from harness.cinder_engine.scratch import sweep
from harness.control_plane.deployment import Deployment
from harness.errors import InputError
from harness.matrix import runner
from harness.matrix.cell_storage import MEMORY, CellStorage
from harness.matrix.cells import Cell
from harness.results import CellResult

BATCH = 8
"""Cells that a worker takes at a time."""
PATIENCE_S = 300.0
"""Real seconds that nothing may be heard of any worker. A cell takes one or two."""


class CinderEngine:
    """`drivers` says whose drivers run: Cinder's own, or Crucible's reference drivers."""

    def __init__(self, drivers: Drivers = "cinder", *, patience_s: float = PATIENCE_S) -> None:
        self.release = require()
        self._drivers = drivers
        self._patience_s = patience_s

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
        at_rest: bool = False,
    ) -> list[CellResult]:
        """All cells, in `jobs` processes; results come in the order of the cells. `at_rest`: see `run_cell`.

        InputError if Cinder does not start with this deployment.
        """
        results: dict[int, CellResult] = {}
        told = 0
        work = partial(_work, deployment, self._drivers, seed, keep_timelines, storage, at_rest)
        with Workers(max(1, min(jobs, len(cells))), work, self._patience_s) as workers:
            for number, outcome in workers.run(list(enumerate(cells))):
                results[number] = (
                    runner.not_run(deployment, cells[number], outcome, release=self.release)
                    if isinstance(outcome, str)
                    else outcome
                )
                while told in results:
                    on_result(results[told])
                    told += 1
        return [results[number] for number in range(len(cells))]


Numbered = tuple[int, Cell]
Work = Callable[[Connection], None]


class Worker:
    """One process. `given` are the cells that it has not answered yet, the one that it runs first."""

    def __init__(self, work: Work) -> None:
        context = get_context("spawn")
        self.line, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_begin, args=(os.getpid(), work, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self.given: deque[Numbered] = deque()
        self.started = False

    def end(self, *, kill: bool = False) -> int | None:
        """Let it end, or end it; its exit status."""
        self.line.close()
        if kill:
            self.process.kill()
        self.process.join()
        return self.process.exitcode


class Workers:
    """As many processes as there shall be, and what is said to them."""

    def __init__(self, jobs: int, work: Work, patience_s: float = PATIENCE_S) -> None:
        self._work = work
        self._patience_s = patience_s
        sweep()
        self._workers = [Worker(work) for _ in range(jobs)]

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.end(kill=error[0] is not None)
        sweep()

    def run(self, cells: Sequence[Numbered]) -> Iterator[tuple[int, CellResult | str]]:
        """Numbers of cells as they are done, with the result, or with how the process ended that ran it."""
        waiting = deque(cells)
        busy = {worker.line: worker for worker in self._workers}
        while busy:
            heard = wait(list(busy), self._patience_s)
            for line in heard or list(busy):
                assert isinstance(line, Connection)
                worker = busy[line]
                try:
                    if not heard:
                        raise TimeoutError
                    answer = line.recv()
                except (EOFError, ConnectionResetError, TimeoutError):
                    del busy[line]
                    yield self._lost(worker, hung=not heard)
                    waiting.extendleft(reversed(worker.given))
                    if waiting:
                        fresh = self._replace(worker)
                        busy[fresh.line] = fresh
                    continue
                if isinstance(answer, InputError):
                    raise answer
                worker.started = True
                if answer is not None:
                    yield worker.given.popleft()[0], answer
                if not worker.given:
                    worker.given.extend(waiting.popleft() for _ in range(min(BATCH, len(waiting))))
                    if worker.given:
                        line.send([cell for _, cell in worker.given])
                    else:
                        del busy[line]

    def _lost(self, worker: Worker, *, hung: bool) -> tuple[int, str]:
        """What became of the cell that a lost worker was at. RuntimeError if it never got as far as that."""
        status = worker.end(kill=hung)
        if not worker.started or not worker.given:
            died = f"had not started after {self._patience_s:g} s" if hung else f"died (exit status {status})"
            raise RuntimeError(f"a process that runs Cinder {died}")
        how = (
            f"had not ended after {self._patience_s:g} s"
            if hung
            else f"ended its process (exit status {status})"
        )
        return worker.given.popleft()[0], how

    def _replace(self, worker: Worker) -> Worker:
        fresh = Worker(self._work)
        self._workers[self._workers.index(worker)] = fresh
        return fresh


def _begin(parent: int, work: Work, line: Connection) -> None:
    end_with(parent)
    work(line)


def _work(
    deployment: Deployment,
    drivers: Drivers,
    seed: int,
    keep_timelines: bool,
    storage: CellStorage,
    at_rest: bool,
    line: Connection,
) -> None:
    """The life of a worker: start Cinder, say so with None, then run what comes and answer cell by cell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = Process(deployment, drivers=drivers)
    except InputError as error:
        line.send(error)
        return
    except ModuleNotFoundError as error:
        line.send(InputError(f"Cinder {require()} does not start: {error}; install what it needs"))
        return
    with process:
        from harness.cinder_engine.cloud import CinderCloud
        from harness.cinder_engine.seams import streams

        streams.install(process.patches, process.stage)

        launch = partial(CinderCloud, process)
        # What is loaded by now stays; what a cell leaves goes when it ends, not in the middle of another one.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            line.send(None)
            while True:
                for cell in line.recv():
                    result = runner.run_cell(
                        deployment,
                        cell,
                        seed=seed,
                        keep_timeline=keep_timelines,
                        storage=storage,
                        launch=launch,
                        at_rest=at_rest,
                        release=process.release,
                    )
                    line.send(process.stage.mask.result(result))
                    gc.collect()
        except (EOFError, BrokenPipeError):
            return  # whoever started us has all that it wanted
