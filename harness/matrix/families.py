"""Which cells make up the default matrix: families of axis products over pairs of back-ends.

A full product of all axes would be millions of cells that mostly say the same. Each family varies what
matters together: over all pairs where the pair matters, over one pair of each kind where it does not. New
families add cells; they never change the id of one that exists.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import product

import msgspec

from harness.control_plane.deployment import BackendPlan, Deployment
from harness.errors import InputError
from harness.matrix.axes import BY_NAME, ENCRYPTION, NOVA, PRECONDITION
from harness.matrix.cells import BackendFacts, Cell
from harness.matrix.expectations import is_possible
from harness.matrix.obstacles import FAULTS

Pair = tuple[BackendFacts, BackendFacts]

ONLY_MIGRATE = frozenset({
    "same-host", "absent-host", "absent-pool", "no-host", "host-and-cluster",
})  # fmt: skip
ONLY_RETYPE = frozenset({
    "absent-type", "same-type", "min-size", "max-size", "multiattach-in-use", "multiattach-encrypted",
    "quota-volumes", "quota-gigabytes", "other-zone",
})  # fmt: skip
ONLY_IN_USE = frozenset({
    "server-stopped", "server-shelved", "server-paused", "server-resized", "server-locked", "swap-forbidden",
    "cross-az-forbidden", "absent-server", "not-attached", "multiattach-in-use",
})  # fmt: skip
ONLY_AVAILABLE = frozenset({
    "source-export-fails", "attaching", "error", "maintenance", "temporary", "absent-volume",
})  # fmt: skip


def facts_of(plan: BackendPlan) -> BackendFacts:
    """What the expectations may know of a back-end."""
    return BackendFacts(
        name=plan.name,
        address=plan.address,
        kind=plan.kind,
        thin=plan.thin,
        node=plan.node,
        container=plan.container,
        cluster=plan.cluster,
        availability_zone=plan.availability_zone,
        volume_backend_name=plan.volume_backend_name,
        wipes=plan.configuration.safe_get("volume_clear") != "none",
        qcow2=plan.qcow2,
        snapshots=plan.takes_snapshots,
        over_subscription=plan.configuration.safe_get("max_over_subscription_ratio") or "20.0",
        retypes=plan.seen.retypes if plan.seen else plan.kind != "nfs",
        multiattach=plan.seen.multiattach if plan.seen else plan.kind != "nfs",
        measured=plan.seen is None or plan.seen.measured,
        exports=plan.kind == "lvm" or plan.array is not None,
        service_cluster=plan.service_cluster,
    )


def default_cells(deployment: Deployment) -> list[Cell]:
    """The default matrix of a deployment, without duplicates, in a stable order."""
    facts = [facts_of(plan) for plan in deployment.backends]
    by_name = {each.name: each for each in facts}
    pairs = [
        (source, destination) for source, destination in product(facts, facts) if source is not destination
    ]
    in_place = [(each, each) for each in facts]
    few = representatives(pairs)
    # Volume groups and pools do not matter to a file: with NFS on one side, a pair of each kind will do.
    telling = [pair for pair in pairs if pair in few or "nfs" not in (pair[0].kind, pair[1].kind)]
    cells: dict[str, Cell] = {}
    for cell in _all_families(pairs, telling, in_place, few, representatives(in_place)):
        if cell.id not in cells and is_possible(cell, by_name[cell.source], by_name[cell.destination]):
            cells[cell.id] = cell
    return list(cells.values())


def representatives(pairs: Iterable[Pair], *, only_kinds: bool = False) -> list[Pair]:
    """One pair for each way in which two back-ends can relate: the first of its kind."""
    chosen: dict[tuple[object, ...], Pair] = {}
    for source, destination in pairs:
        with_nfs = "nfs" in (source.kind, destination.kind)
        kinds = (
            (source.kind, destination.kind)
            if only_kinds and with_nfs
            else (source.kind, source.thin, destination.kind, destination.thin)
        )
        qcow2 = source.qcow2 or destination.qcow2
        relation = (
            source.name == destination.name,
            source.container == destination.container,
            # A share is the same from every node, and what is in a file the same in every zone.
            source.kind == "lvm" and destination.kind != "nfs" and source.node == destination.node,
            source.cluster == destination.cluster,
            qcow2 or source.availability_zone == destination.availability_zone,
            source.qcow2,
            destination.qcow2,
        )
        chosen.setdefault(kinds if only_kinds else (*kinds, *relation), (source, destination))
    return list(chosen.values())


def _cells(pairs: Iterable[Pair], **axes: Iterable[str]) -> Iterator[Cell]:
    """The product of pairs and axis values."""
    choices = list(product(*axes.values()))
    for source, destination in pairs:
        for values in choices:
            yield Cell(source=source.name, destination=destination.name, **dict(zip(axes, values, strict=True)))


def _all_families(
    pairs: list[Pair], telling: list[Pair], in_place: list[Pair], few: list[Pair], few_in_place: list[Pair]
) -> Iterator[Cell]:
    both = ("available", "in-use")
    # The heart: every pair and status, with lock and force.
    yield from _cells(pairs, operation=["migrate"], status=both)
    yield from _cells(telling, operation=["migrate"], status=both, lock=["no", "yes"], force=["no", "yes"])
    yield from _cells(telling, operation=["migrate"], status=both, type=["same"])
    yield from _cells(telling, operation=["migrate"], status=both, fill=["empty", "full"])
    yield from _cells(telling, operation=["migrate"], status=["in-use"], nova=list(NOVA.values))
    # Retype: what differs decides which way it goes.
    yield from _cells(telling, operation=["retype"], status=both, policy=["on-demand", "never"])
    yield from _cells(few, operation=["retype"], status=both, type=["specs", "shared", "qos", "front-end-qos"])
    yield from _cells(telling, operation=["retype"], status=both, fill=["full"])
    yield from _cells(few, operation=["retype"], status=["in-use"], nova=list(NOVA.values))
    yield from _cells(few, operation=["retype"], status=["available"], type=["multiattach"])
    yield from _cells(
        in_place,
        operation=["retype"],
        status=both,
        policy=["on-demand", "never"],
        type=["none", "specs", "shared", "qos", "front-end-qos"],
    )
    yield from _cells(few_in_place, operation=["retype"], status=both, type=["specs"], fill=["full"])
    # Encryption: headers, keys, and who can open what.
    yield from _cells(
        few, operation=["migrate"], status=both, encryption=["luks", "luks2"], fill=["sparse", "full"]
    )
    changes = list(ENCRYPTION.values)[1:]
    yield from _cells(
        [*few, *few_in_place], operation=["retype"], status=both, encryption=changes, fill=["sparse", "full"]
    )
    # Read-only and shared volumes.
    yield from _cells(
        few, operation=["migrate", "retype"], status=["read-only", "multi-attached"], force=["no"]
    )
    # Somebody interferes.
    yield from _cells(
        few,
        operation=["migrate"],
        status=["available"],
        lock=["no", "yes"],
        meanwhile=["attach", "extend", "rename"],
    )
    yield from _cells(few, operation=["retype"], status=["available"], meanwhile=["attach", "extend", "rename"])
    # Nobody promises an order of what is told and not waited for.
    kinds = representatives(pairs, only_kinds=True)
    yield from _cells(kinds, operation=["migrate", "retype"], status=both, casts=["immediate", "lazy"])
    yield from _preconditions(few, kinds)


def _preconditions(few: list[Pair], kinds: list[Pair]) -> Iterator[Cell]:
    """Every refusal and every failure as a cell of its own; for a refusal the kinds of back-ends will do."""
    for name in list(PRECONDITION.values)[1:]:
        operations = ["migrate"] if name in ONLY_MIGRATE else ["migrate", "retype"]
        operations = ["retype"] if name in ONLY_RETYPE else operations
        statuses = ["available", "in-use"]
        statuses = ["in-use"] if name in ONLY_IN_USE else statuses
        statuses = ["available"] if name in ONLY_AVAILABLE else statuses
        where = few if name in FAULTS else kinds
        yield from _cells(where, operation=operations, status=statuses, precondition=[name])


def find(deployment: Deployment, cell_id: str) -> Cell:
    """The cell of that id, which need not be in the default matrix. InputError names what is nearest."""
    try:
        cell = parse(cell_id)
    except ValueError as error:
        ids = [each.id for each in default_cells(deployment)]
        near = difflib.get_close_matches(cell_id, ids, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"no cell {cell_id!r}: {error}{hint}") from None
    names = [plan.name for plan in deployment.backends]
    for name in (cell.source, cell.destination):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"back-ends: {', '.join(names)}"
            raise InputError(f"no cell {cell_id!r}: there is no back-end {name!r}; {hint}")
    source, destination = (facts_of(deployment.backend(name)) for name in (cell.source, cell.destination))
    if not is_possible(cell, source, destination):
        raise InputError(f"no cell {cell_id!r}: such a volume cannot exist on {cell.source}")
    return cell


def parse(cell_id: str) -> Cell:
    """The cell that an id describes. ValueError says what is wrong with the id."""
    head, *tail = cell_id.split("/")[:4], *cell_id.split("/")[4:]
    if len(head) < 4:
        raise ValueError("an id is operation/source/destination/status[/axis=value...]")
    values = dict(zip(("operation", "source", "destination", "status"), head, strict=True))
    for part in tail:
        axis, separator, value = part.partition("=")
        if not separator or axis not in BY_NAME or axis in values:
            raise ValueError(f"{part!r} is not axis=value")
        values[axis] = value
    for axis, value in values.items():
        known = BY_NAME[axis].known
        if known and value not in known:
            near = difflib.get_close_matches(value, known, n=1)
            raise ValueError(f"axis {axis} has no value {value!r}" + (f"; nearest: {near[0]}" if near else ""))
    return msgspec.convert(values, Cell)
