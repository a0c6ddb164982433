"""Running cells: set up, ask, wait, gather, judge, live on, compare with the expectation."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from multiprocessing import get_context
from typing import Literal

from harness import errors
from harness.checkers import Wanted, judge
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.face import Launch
from harness.matrix.cell_storage import MEMORY, CellStorage
from harness.matrix.cells import Cell
from harness.matrix.expectations import expect
from harness.matrix.families import facts_of
from harness.matrix.gathering import gather
from harness.matrix.life_after import live_on
from harness.matrix.picture import picture
from harness.matrix.releases import NEWEST
from harness.matrix.scenario import SIZE_GB, Scenario
from harness.results import (
    CellResult,
    Expectation,
    Judgement,
    Observation,
    Outcome,
    TimelineEvent,
    Verdict,
)
from harness.sim.history import Event
from harness.sim.schedules import Schedule
from harness.sim.simulation import Simulation

Timelines = Literal["failed", "all"]

BATCH = 50
"""Cells that a worker process takes at a time."""
SERVICES_RAISE = (errors.ServiceError, errors.StorageError, NotImplementedError)
"""What a service may log and go on. Anything else came through from where nobody expected it."""


def run_cell(
    deployment: Deployment,
    cell: Cell,
    *,
    seed: int = 0,
    keep_timeline: bool = False,
    schedule: Schedule | None = None,
    storage: CellStorage = MEMORY,
    launch: Launch = Cloud,
    size_gb: int = SIZE_GB,
    at_rest: bool = False,
    release: str = NEWEST,
) -> CellResult:
    """One cell in a world of its own. Whatever goes wrong is a verdict, never an exception.

    `launch` is the engine: what brings the control plane up. `size_gb` is the volume's size. With `at_rest` the
    cell ends when everything has come to rest, and life after is not tried. `release` is Cinder's: it is
    expected to do as that one does.

    What comes through from a foreign driver is a finding about it ("fail"), else our own defect ("error").
    """
    source, destination = (facts_of(deployment.backend(name)) for name in (cell.source, cell.destination))
    expected = expect(cell, source, destination, release=release)
    simulation = Simulation(schedule)
    try:
        with storage.opened(cell.id) as home:
            scenario = Scenario(
                deployment, cell, seed=seed, home=home, launch=launch, simulation=simulation, size_gb=size_gb
            )
            result = _judged(scenario, expected, keep_timeline, at_rest)
        storage.finish(cell.id, result.verdict)
        return result
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (a driver may even call sys.exit; the other cells go on)
        said = [f"{task.actor}: {failure}" for task, failure in simulation.kernel.failures[-1:]]
        name = "" if isinstance(error, errors.NeverInitialised) else f"{type(error).__name__}: "
        what = "; ".join([f"{name}{error}", *said])
        return not_run(deployment, cell, what, simulation.history, release=release)
    finally:
        simulation.close()


def not_run(
    deployment: Deployment, cell: Cell, what: str, history: Sequence[Event] = (), *, release: str = NEWEST
) -> CellResult:
    """The result of a cell that came to no end of its own, for the reason `what`, after `history`."""
    source, destination = (facts_of(deployment.backend(name)) for name in (cell.source, cell.destination))
    foreign = any(deployment.backend(name).foreign for name in (cell.source, cell.destination))
    whose = "the cell could not be run" if foreign else "Crucible failed on this cell"
    return CellResult(
        id=cell.id,
        axes=cell.axes,
        expected=expect(cell, source, destination, release=release),
        observed=Observation(outcome="crashed", reason=what),
        verdict="fail" if foreign else "error",
        timeline=_timeline(0, history),
        difference=f"{whose}: {what}",
    )


def _judged(scenario: Scenario, expected: Expectation, keep_timeline: bool, at_rest: bool) -> CellResult:
    try:
        scenario.run()
        crashes = [
            f"{task.actor}: {type(error).__name__}: {error}"
            for task, error in scenario.simulation.kernel.failures
            if not isinstance(error, SERVICES_RAISE)
        ]
        reason = _reason(scenario)
        reached = _goal_reached(scenario)
        rested = len(scenario.simulation.history)
        evidence = gather(scenario, _wanted(scenario, reached))
        judged = len(scenario.simulation.history)
        evidence.life = None if at_rest else live_on(scenario, evidence)
        judgements = [_with_fault(judgement, expected) for judgement in judge(evidence)]
        observed = _observe(scenario, reached, judgements, crashes, reason)
        difference = compare(expected, observed, judgements)
        verdict: Verdict = "fail" if difference else "known" if expected.faults else "pass"
        shown = _shown(scenario.simulation.history, rested, judged, living_on=bool(evidence.life))
        kept = keep_timeline or bool(difference)
        events = _timeline(scenario.started_us, shown) if kept else []
        seen = (
            picture(
                evidence,
                temporary=scenario.temporary_id,
                observed=observed,
                judgements=judgements,
                events=scenario.simulation.history[:rested],
            )
            if kept
            else {}
        )
    finally:
        scenario.close()
    return CellResult(
        id=scenario.cell.id,
        axes=scenario.cell.axes,
        expected=expected,
        observed=observed,
        verdict=verdict,
        invariants=judgements,
        timeline=events,
        picture=seen,
        difference=difference,
    )


# ---------------------------------------------------------------------------------------------- judgement


def _goal_reached(scenario: Scenario) -> bool:
    """migrate: the record is at the destination. retype: it has the new type."""
    if scenario.refusal is not None:
        return False
    row = scenario.cloud.database.volumes.get(scenario.volume_id)
    if row is None:
        return False
    if scenario.cell.operation == "migrate":
        return bool(row["host"] == scenario.destination.address != scenario.host_before)
    names = {each["id"]: each["name"] for each in scenario.cloud.database.volume_types.values()}
    return names.get(row["volume_type_id"]) == scenario.request.type_name != names.get(scenario.type_before)


def _wanted(scenario: Scenario, reached: bool) -> Wanted:
    """How the volume should stand, if everything that was accepted had come out as its users expect."""
    database, cell = scenario.cloud.database, scenario.cell
    new_type = (
        database.get_volume_type(scenario.request.type_name) if reached and cell.operation == "retype" else None
    )
    status = scenario.status_before
    if cell.meanwhile == "attach" and scenario.accepted_meanwhile:
        status = "in-use"
    before = scenario.migration_status_before
    statuses: tuple[str | None, ...]
    if scenario.refusal is not None:
        statuses = (before,)
    elif cell.operation == "migrate":
        statuses = ("success",) if reached else ("error",)
    else:
        # A retype says something in migration_status only if it came to a migration.
        statuses = (before, "success") if reached else (before, "error")
    moved = reached and (cell.operation == "migrate" or cell.source != cell.destination)
    return Wanted(
        status=status,
        migration_statuses=statuses,
        host=scenario.destination.address if moved else scenario.host_before,
        type_id=new_type.id if new_type else scenario.type_before,
        multiattach=new_type.multiattach if new_type else scenario.multiattach_before,
        size=scenario.wanted_size,
        display_name=scenario.wanted_name,
        metadata={},
    )


def _with_fault(judgement: Judgement, expected: Expectation) -> Judgement:
    """Name the known fault behind a broken invariant."""
    if judgement.holds is not False or judgement.name not in expected.violations:
        return judgement
    return Judgement(
        name=judgement.name,
        holds=False,
        details=judgement.details,
        fault=expected.violations[judgement.name],
    )


def _observe(
    scenario: Scenario, reached: bool, judgements: list[Judgement], crashes: list[str], reason: str
) -> Observation:
    """The outcome, from what the API said, where the volume is, and what does not hold."""
    broken = {judgement.name for judgement in judgements if judgement.holds is False}
    outcome: Outcome
    code: int | None = None
    if crashes:
        outcome, reason = "crashed", crashes[0]
    elif "data" in broken:
        outcome = "data-loss"
    elif scenario.refusal is not None and not broken:
        outcome, code = "refused", scenario.refusal.code
    elif reached:
        outcome = "succeeded"
    else:
        outcome = "failed-dirty" if broken - {"capacity"} else "failed-clean"
    return Observation(outcome=outcome, reason=reason, code=code)


FAILURES = (
    "migration failed",
    "migration refused",
    "retype refused",
    "retype failed",
    "nova.swap_volume failed",
)


def _reason(scenario: Scenario) -> str:
    """The last thing that a service said about a failure."""
    if scenario.refusal is not None:
        return str(scenario.refusal)
    said = [event.detail for event in scenario.simulation.history if event.step in FAILURES]
    if said:
        return said[-1]
    failures = scenario.simulation.kernel.failures
    return str(failures[-1][1]) if failures else ""


def compare(expected: Expectation, observed: Observation, judgements: Sequence[Judgement]) -> str:
    """Where observation and expectation differ, in one sentence; empty if they agree."""
    differences: list[str] = []
    if observed.outcome != expected.outcome:
        differences.append(f"{observed.outcome}, but should be {expected.outcome}")
    elif observed.code != expected.code:
        differences.append(f"HTTP {observed.code}, but should be {expected.code}")
    for judgement in judgements:
        if judgement.holds is False and judgement.name not in expected.violations:
            differences.append(f"{judgement.name} broken: {judgement.details[0]}")
        elif judgement.holds and judgement.name in expected.violations:
            differences.append(f"{judgement.name} holds in spite of {expected.violations[judgement.name]}")
    return "; ".join(differences)


def _shown(history: list[Event], rested: int, judged: int, *, living_on: bool) -> list[Event]:
    """Without the reading of the evidence; life after only if something broke there."""
    return history[:rested] + (history[judged:] if living_on else [])


def _timeline(started_us: int, events: Sequence[Event]) -> list[TimelineEvent]:
    return [
        TimelineEvent(
            time_us=event.time_us - started_us,
            actor=event.actor,
            step=event.step,
            detail=event.detail,
            source=event.source,
            temporary=event.temporary,
        )
        for event in events
    ]


# ------------------------------------------------------------------------------------------------- running


def run_cells(
    deployment: Deployment,
    cells: Sequence[Cell],
    *,
    seed: int = 0,
    jobs: int = 1,
    timelines: Timelines = "failed",
    on_result: Callable[[CellResult], None] = lambda result: None,
    storage: CellStorage = MEMORY,
) -> list[CellResult]:
    """All cells, in `jobs` processes; results come in the order of the cells, whatever `jobs` is."""
    keep = timelines == "all"
    results: list[CellResult] = []
    if jobs <= 1 or len(cells) < 2 * jobs:
        with _seldom_collecting():
            for cell in cells:
                results.append(run_cell(deployment, cell, seed=seed, keep_timeline=keep, storage=storage))
                on_result(results[-1])
        return results
    size = max(1, min(BATCH, len(cells) // (4 * jobs)))
    batches = [cells[start : start + size] for start in range(0, len(cells), size)]
    # Fresh interpreters: nothing that this process has loaded or patched can reach a cell.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts) as pool:
        try:
            for batch in pool.map(
                _run_batch, repeat(deployment), batches, repeat(seed), repeat(keep), repeat(storage)
            ):
                for result in batch:
                    results.append(result)
                    on_result(result)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that the user started; it ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_batch(
    deployment: Deployment, cells: Sequence[Cell], seed: int, keep: bool, storage: CellStorage
) -> list[CellResult]:
    with _seldom_collecting():
        return [run_cell(deployment, cell, seed=seed, keep_timeline=keep, storage=storage) for cell in cells]


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Python looks for cyclic garbage less often: most of a world goes by itself when its cell is closed."""
    before = gc.get_threshold()
    gc.set_threshold(50 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
