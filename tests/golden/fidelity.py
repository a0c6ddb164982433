"""How many recorded steps the fakes answer exactly as the real tools did: the table in the README.

Each transcript has a function that replays it and yields, for every step, its group (a scenario's kind of step)
and whether it agrees or is tolerated. ``python -m tests.golden.fidelity`` prints the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tests.golden import lvm_replay, rbd_replay

HERE = Path(__file__).parent
Outcome = Literal["agrees", "tolerated", "differs"]

KINDS = {
    "cinder": "commands in the form that Cinder issues",
    "state": "listings after a change",
    "setup": "preparation",
    "probe": "questions that Cinder does not ask",
}


RBD_SCENARIOS = {
    "driver_v1": "calls of Cinder's RBD driver",
    "driver_v2": "calls of Cinder's RBD driver",
    "cli": "`rbd`, `ceph` and `qemu-img` commands, and calls after them",
    "qemu_img": "`rbd`, `ceph` and `qemu-img` commands, and calls after them",
    "encrypted": "`rbd`, `ceph` and `qemu-img` commands, and calls after them",
}


class Row(NamedTuple):
    """One line of the table: what was replayed, and how many of its steps came out how."""

    source: str
    what: str
    steps: int
    agree: int
    tolerated: int
    differ: int


def lvm() -> Iterator[tuple[str, Outcome]]:
    """The steps of ``lvm.jsonl``."""
    for step, agrees in _lvm_steps(by_class=False):
        tolerated = (step.scenario, step.number) in lvm_replay.TOLERATED
        yield KINDS[step.kind], "agrees" if agrees else "tolerated" if tolerated else "differs"


def lvm_class() -> Iterator[tuple[str, Outcome]]:
    """The commands that Cinder's own LVM class issued, in ``lvm_class.jsonl``."""
    for _, agrees in _lvm_steps(by_class=True):
        yield "commands of `cinder.brick.local_dev.lvm:LVM`", "agrees" if agrees else "differs"


def _lvm_steps(*, by_class: bool) -> Iterator[tuple[lvm_replay.Step, bool]]:
    for scenario in lvm_replay.SCENARIOS:
        if scenario.startswith("class_") == by_class:
            yield from lvm_replay.outcomes(scenario)


def librbd() -> Iterator[tuple[str, Outcome]]:
    """The calls and commands in ``rbd.jsonl``."""
    for name, recorded in rbd_replay.scenarios(HERE / "rbd.jsonl").items():
        what = RBD_SCENARIOS.get(name, "calls of `rados` and `rbd`")
        tally = rbd_replay.Replay(name, recorded).run()
        outcomes: dict[Outcome, int] = {
            "agrees": tally.agreed,
            "tolerated": tally.tolerated,
            "differs": len(tally.differences),
        }
        for outcome, steps in outcomes.items():
            yield from [(what, outcome)] * steps


SOURCES: dict[str, Callable[[], Iterator[tuple[str, Outcome]]]] = {
    "lvm2 2.03.16": lvm,
    "lvm2 by Cinder": lvm_class,
    "librbd 16.2.15": librbd,
}


def rows(source: str) -> list[Row]:
    """The lines of one transcript, in the order in which their kinds first appear in it."""
    counts: dict[str, dict[Outcome, int]] = defaultdict(lambda: {"agrees": 0, "tolerated": 0, "differs": 0})
    for what, outcome in SOURCES[source]():
        counts[what][outcome] += 1
    return [
        Row(source, what, sum(count.values()), count["agrees"], count["tolerated"], count["differs"])
        for what, count in sorted(counts.items())
    ]


def markdown(table: list[Row]) -> list[str]:
    """The lines as the README has them."""
    return [f"| {row.source} | {row.what} | {row.steps:,} | {row.agree:,} | {row.tolerated} |" for row in table]


if __name__ == "__main__":
    print("| recorded from | what | steps | agree | tolerated |\n|---|---|---|---|---|")
    for name in SOURCES:
        print("\n".join(markdown(rows(name))))
