"""The invariants. Each checker is a pure function of the evidence and returns what is wrong, in sentences.

A checker never asks the system anything: everything it may know was gathered before, by somebody else. One
that fails itself gives "could not tell", which is reported and is not a pass.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from harness.record import service_host, split_host
from harness.results import Judgement

Row = Mapping[str, Any]
NOT_TRIED = "not tried"

_VOLUME_NAME = re.compile(r"volume-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Wanted(msgspec.Struct, kw_only=True):
    """How the user's volume should stand, given what was asked for and what came of it."""

    status: str
    migration_statuses: tuple[str | None, ...]
    host: str
    type_id: str | None
    multiattach: bool
    size: int
    display_name: str | None
    metadata: dict[str, str]


class Evidence(msgspec.Struct, kw_only=True):
    """What was observed when everything had come to rest.

    `subject` is the id of the user's volume, `known` the ids of all volumes that users have. `containers` maps
    a pool's address to where its objects live, `objects` a container to the names in it, without what was there
    before (`filler`), `services` the host of a volume service to its uuid. `exports` and `sessions` are
    (container's node, object name) and (object name, initiator's host). `disks` are (server, volume id,
    attachment id, mode). `usages` and `open_reservations` are those of `projects`. `short` tells of objects
    smaller than their records, `lost` and `foreign` of bytes. Sizes are GiB.
    """

    subject: str
    known: frozenset[str]
    wanted: Wanted
    volumes: dict[str, Row]
    snapshots: dict[str, Row]
    attachments: dict[str, Row]
    type_names: dict[str, str]
    projects: frozenset[str]
    containers: dict[str, str]
    services: dict[str, str] = {}
    objects: dict[str, list[str]]
    exporting: frozenset[str]
    exports: list[tuple[str, str]]
    sessions: list[tuple[str, str]]
    disks: list[tuple[str, str, str, str]]
    allocated: dict[str, int]
    free: dict[str, tuple[float, float]] = {}
    usages: dict[str, tuple[int, int]]
    open_reservations: list[str]
    keys: frozenset[str]
    short: list[str] = []
    lost: list[str] = []
    foreign: list[str] = []
    life: list[str] | None = None


def object_name(row: Row) -> str:
    """The back-end name of a volume row."""
    return f"volume-{row['_name_id'] or row['id']}"


def data(evidence: Evidence) -> list[str]:
    """Every acknowledged write is readable where the record points; no byte of anybody else is."""
    return [*evidence.lost, *evidence.foreign]


def objects(evidence: Evidence) -> list[str]:
    """Every record has its object, of its size; every object belongs to a volume that somebody has."""
    expected: dict[str, set[str]] = {container: set() for container in evidence.objects}
    for row in evidence.volumes.values():
        container = evidence.containers.get(row["host"] or "")
        if container in expected:
            expected[container].add(object_name(row))
    wrong = list(evidence.short)
    for container, names in evidence.objects.items():
        volumes = {name for name in names if not _is_snapshot(name, evidence)}
        wrong += [f"{container}: {name} belongs to no record" for name in sorted(volumes - expected[container])]
        wrong += [f"{container}: {name} is missing" for name in sorted(expected[container] - volumes)]
    wrong += [
        f"{evidence.containers.get(row['host'] or '')}: {object_name(row)} is kept for a record of nobody's"
        for row in evidence.volumes.values()
        if row["id"] not in evidence.known and _exists(row, evidence)
    ]
    return wrong


def _exists(row: Row, evidence: Evidence) -> bool:
    container = evidence.containers.get(row["host"] or "")
    return container is not None and object_name(row) in evidence.objects.get(container, ())


def _is_snapshot(name: str, evidence: Evidence) -> bool:
    return any(snapshot_id in name for snapshot_id in evidence.snapshots)


def exports(evidence: Evidence) -> list[str]:
    """Exactly the attached volumes are exported, and exactly their hosts are logged in."""
    attached = Counter(
        object_name(evidence.volumes[row["volume_id"]])
        for row in evidence.attachments.values()
        if row["connector"]
        and row["volume_id"] in evidence.volumes
        and evidence.containers.get(evidence.volumes[row["volume_id"]]["host"] or "") in evidence.exporting
    )
    exported = {name for _, name in evidence.exports}
    wrong = [f"{name} is exported, but not attached" for name in sorted(exported - set(attached))]
    wrong += [f"{name} is attached, but not exported" for name in sorted(set(attached) - exported)]
    logged_in = Counter(name for name, _ in evidence.sessions)
    for name in sorted({*attached, *logged_in}):
        if attached[name] != logged_in[name]:
            wrong.append(f"{name}: {logged_in[name]} connections, but {attached[name]} attachments")
    return wrong


def attachments(evidence: Evidence) -> list[str]:
    """Attachment rows say what servers have, on the user's volume, with the right mode."""
    wrong: list[str] = []
    rows = dict(evidence.attachments)
    for server, volume_id, attachment_id, mode in evidence.disks:
        row = rows.pop(attachment_id, None)
        if row is None:
            wrong.append(f"{server} has {volume_id} attached, but there is no attachment row")
            continue
        if row["volume_id"] != volume_id:
            wrong.append(f"the attachment of {server} is of {row['volume_id']}, but should be of {volume_id}")
        if row["attach_status"] != "attached":
            wrong.append(f"the attachment of {server} is {row['attach_status']}, but should be attached")
        if (row["attach_mode"] or "rw") != mode:
            wrong.append(f"the attachment of {server} is {row['attach_mode']}, but should be {mode}")
    wrong += [
        f"attachment row {row_id} ({row['attach_status']}) is of no server" for row_id, row in rows.items()
    ]
    attached = {row["volume_id"] for row in evidence.attachments.values()}
    for volume in evidence.volumes.values():
        should = "attached" if volume["id"] in attached else "detached"
        if volume["attach_status"] != should:
            wrong.append(f"{volume['id']} has attach_status {volume['attach_status']}, but should be {should}")
    return wrong


def capacity(evidence: Evidence) -> list[str]:
    """The scheduler's counters are the sums of the records; drivers report the space that there is."""
    sums: Counter[str] = Counter()
    for row in evidence.volumes.values():
        sums[row["host"] or ""] += row["size"]
    wrong = [
        f"allocated_capacity_gb of {address} is {counted}, but its volumes have {sums[address]}"
        for address, counted in evidence.allocated.items()
        if counted != sums[address]
    ]
    return [*wrong, *free_space(evidence)]


def free_space(evidence: Evidence) -> list[str]:
    """Drivers report the space that there is."""
    return [
        f"{address} reports {reported} GiB free, but has {actual}"
        for address, (reported, actual) in evidence.free.items()
        if abs(reported - actual) > 0.01
    ]


def quota(evidence: Evidence) -> list[str]:
    """Usage is the recount of the records, in total and per type; nothing stays reserved."""
    recount: Counter[str] = Counter()
    for row in evidence.volumes.values():
        if row["use_quota"] and row["project_id"] in evidence.projects:
            _count(recount, evidence, row["volume_type_id"], volumes=1, gigabytes=row["size"])
    for row in evidence.snapshots.values():
        _count(recount, evidence, row["volume_type_id"], snapshots=1, gigabytes=row["volume_size"])
    wrong = [
        f"usage of {resource} is off the recount by {in_use - recount[resource]:+d}"
        for resource, (in_use, _) in sorted(evidence.usages.items())
        if in_use != recount[resource]
    ]
    wrong += [f"{resource}: {count} should be counted" for resource, count in sorted(recount.items())
              if count and resource not in evidence.usages]  # fmt: skip
    wrong += [f"reservation left open: {each}" for each in evidence.open_reservations]
    return wrong


def _count(recount: Counter[str], evidence: Evidence, type_id: str | None, **amounts: int) -> None:
    for resource, amount in amounts.items():
        recount[resource] += amount
        if type_id:
            recount[f"{resource}_{evidence.type_names[type_id]}"] += amount


def keys(evidence: Evidence) -> list[str]:
    """The key manager holds exactly the keys that records refer to."""
    rows = [*evidence.volumes.values(), *evidence.snapshots.values()]
    referenced = {row["encryption_key_id"] for row in rows if row["encryption_key_id"]}
    wrong = [f"key {key} belongs to no record" for key in sorted(evidence.keys - referenced)]
    return wrong + [f"key {key} is gone, but needed" for key in sorted(referenced - evidence.keys)]


def statuses(evidence: Evidence) -> list[str]:
    """The volume stands as its user may expect, and no temporary record is left."""
    wanted = evidence.wanted
    wrong = [
        f"a record of nobody's is left: {row['id']} ({row['status']}/{row['migration_status']})"
        for row in evidence.volumes.values()
        if row["id"] not in evidence.known
    ]
    row = evidence.volumes.get(evidence.subject)
    if row is None:
        return [*wrong, "the record of the volume is gone"]
    if row["migration_status"] not in wanted.migration_statuses:
        allowed = " or ".join(str(each) for each in wanted.migration_statuses)
        wrong.append(f"migration_status is {row['migration_status']}, but should be {allowed}")
    for field, value in (
        ("status", wanted.status), ("host", wanted.host), ("volume_type_id", wanted.type_id),
        ("multiattach", wanted.multiattach), ("size", wanted.size), ("display_name", wanted.display_name),
        ("metadata", wanted.metadata),
    ):  # fmt: skip
        if row[field] != value:
            wrong.append(f"{field} is {row[field]}, but should be {value}")
    return wrong


def names(evidence: Evidence) -> list[str]:
    """The user's record leads to the service of its host, and to an object in the container of its host."""
    row = evidence.volumes.get(evidence.subject)
    if row is None:
        return ["the record of the volume is gone"]
    wrong = _other_service(row, evidence.services)
    container = evidence.containers.get(row["host"] or "")
    if container is None or container not in evidence.objects:
        return wrong
    name = object_name(row)
    if name not in evidence.objects[container]:
        wrong.append(
            f"{name} is not in {container}, where the record's host {split_host(row['host']).backend} is"
        )
    located = _VOLUME_NAME.search(row["provider_location"] or "")
    # A driver that leaves the field alone keeps the location under the first name, until the next export.
    if located is not None and located.group() not in (name, f"volume-{row['id']}"):
        wrong.append(f"provider_location leads to {located.group()}, but the object is {name}")
    return wrong


def _other_service(row: Row, services: dict[str, str]) -> list[str]:
    """`service_uuid` names the service whose lock Nova takes when it connects a volume with shared targets."""
    here = service_host(row["host"] or "")
    if here not in services or row["service_uuid"] == services[here]:
        return []
    named = [host for host, uuid in services.items() if uuid == row["service_uuid"]]
    return [f"service_uuid leads to {named[0] if named else 'no service'}, but the volume is at {here}"]


def life_after(evidence: Evidence) -> list[str] | None:
    """The volume can be used, moved again and deleted, and nothing is left of it. None: it was not tried."""
    return evidence.life


CHECKERS: dict[str, Callable[[Evidence], list[str] | None]] = {
    checker.__name__: checker
    for checker in (
        data, objects, exports, attachments, capacity, quota, keys, statuses, names, life_after,
    )
}  # fmt: skip


def judge(evidence: Evidence) -> list[Judgement]:
    """Every invariant, in the order above. A checker that raises could not tell."""
    return [_judged(name, checker, evidence) for name, checker in CHECKERS.items()]


def _judged(name: str, checker: Callable[[Evidence], list[str] | None], evidence: Evidence) -> Judgement:
    try:
        wrong = checker(evidence)
    except Exception as error:  # noqa: BLE001 (a checker that fails must not stand for a pass)
        return Judgement(name=name, holds=None, details=[f"the checker failed: {error!r}"])
    if wrong is None:
        return Judgement(name=name, holds=None, details=[NOT_TRIED])
    return Judgement(name=name, holds=not wrong, details=wrong)
