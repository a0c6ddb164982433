"""Records the pictures that the installed Cinder leaves of the cells of the default matrix.

    python -m tests.golden.record_pictures -j 2
    python -m tests.golden.record_pictures --select 'source~nfs'

takes a second or so for each cell, and goes on where it was ended: cells that are on record are left out unless
`--select` names them. It begins with cells that have little in common, so half a recording is a sample.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.cinder_engine.engine import CinderEngine
from harness.control_plane.deployment import Deployment
from harness.matrix.cells import Cell
from harness.matrix.families import default_cells
from harness.matrix.selection import select
from harness.results import CellResult
from harness.sim.seeds import stream
from tests.golden.pictures import PATH, Recorded, load, save

CHUNK = 100
"""Cells after which the file is written again."""


def spread(deployment: Deployment, cells: Iterable[Cell]) -> list[Cell]:
    """First one cell of each kind, in random order, then another one of each, and so on.

    Cells of a kind differ in no more than the names of their back-ends.
    """
    kinds: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        source, destination = (deployment.backend(name) for name in (cell.source, cell.destination))
        axes = {**cell.axes, "source": source.kind, "destination": destination.kind}
        kinds[tuple(axes.values())].append(cell)
    groups = list(kinds.values())
    stream(0, "order of recording").shuffle(groups)
    return [
        group[turn] for turn in range(max(map(len, groups), default=0)) for group in groups if turn < len(group)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Record what is not on record yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--select", metavar="EXPR", help="only these cells, whether they are on record or not")
    parser.add_argument("--output", metavar="FILE", type=Path, default=PATH)
    parser.add_argument("-j", "--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    engine, deployment = CinderEngine(), Deployment.default()
    known = load(options.output) if options.output.exists() else Recorded(engine.release, {})
    if known.release != engine.release:
        print(
            f"{options.output} is of Cinder {known.release}, but {engine.release} is installed", file=sys.stderr
        )
        return 2
    cells = default_cells(deployment)
    present = {cell.id for cell in cells}
    recorded = Recorded(engine.release, {name: known.cells[name] for name in known.cells if name in present})
    if options.select:
        cells = select(cells, options.select, [plan.name for plan in deployment.backends])
    else:
        cells = [cell for cell in cells if cell.id not in recorded.cells]
    cells = spread(deployment, cells)

    def keep(result: CellResult) -> None:
        recorded.cells[result.id] = result.picture
        if len(recorded.cells) % CHUNK == 0:
            save(recorded, options.output)
            print(f"{len(recorded.cells)} of {len(present)} cells", flush=True)

    engine.run_cells(deployment, cells, jobs=options.jobs, keep_timelines=True, at_rest=True, on_result=keep)
    save(recorded, options.output)
    print(f"{len(recorded.cells)} of {len(present)} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main())
