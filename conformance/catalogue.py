"""All laws, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.law import Law, laws_of
from conformance.laws import (
    assisted,
    assisted_failures,
    assisted_traces,
    bookkeeping,
    clones,
    concurrency,
    connections,
    contents_of,
    destination,
    exports,
    extend,
    faults,
    groups,
    images,
    in_use,
    interface,
    manage,
    migration,
    multiattach,
    naming,
    on_record,
    records,
    refusals,
    requests,
    restart,
    retype,
    retype_moves,
    revert,
    sequences,
    several_shares,
    snapshots,
    stats,
    swaps,
    temporaries,
    told,
    trouble,
    used_storage,
    volumes,
    ways,
)
from conformance.levels import LEVELS
from harness.errors import InputError

MODULES = (
    interface, volumes, snapshots, clones, used_storage, extend, connections, exports, stats, naming, restart,
    faults, concurrency, images, contents_of, requests, on_record, sequences, several_shares, migration,
    destination, assisted, assisted_failures, assisted_traces, in_use, records, bookkeeping, retype,
    retype_moves, multiattach, manage, revert, groups, trouble, refusals, temporaries, swaps,
    ways, told,
)  # fmt: skip


def catalogue() -> list[Law]:
    """Every law, by level."""
    order = list(LEVELS)
    laws = [law for module in MODULES for law in laws_of(module)]
    return sorted(laws, key=lambda law: order.index(law.level))


def select(levels: Sequence[str] = (), keyword: str = "") -> list[Law]:
    """Laws of these levels (all, if there are none) whose name or sentence has the keyword; ``not WORD``
    turns it
    round. InputError if there is no such level, or nothing is left."""
    for level in levels:
        if level not in LEVELS:
            raise InputError(f"there is no level {level!r}; there are {', '.join(LEVELS)}")
    word = keyword.strip().lower()
    negated = word.startswith("not ")
    word = word.removeprefix("not ").strip()

    def fits(law: Law) -> bool:
        found = word in law.name.lower() or word in law.sentence.lower()
        return not word or found is not negated

    laws = [law for law in catalogue() if (not levels or law.level in levels) and fits(law)]
    if not laws:
        where = f" of level {', '.join(levels)}" if levels else ""
        raise InputError(
            f"no law{where} has {keyword!r} in its name or sentence; crucible list laws shows them"
        )
    return laws
