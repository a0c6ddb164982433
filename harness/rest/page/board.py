"""What the page shows, as plain values: taken from the database and the scheduler at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.model import is_migrating
from harness.record import service_host

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

STAGES = ("starting", "migrating", "completing", "success")
_COPIED = "The volume service copies it. A server that attaches it meanwhile loses what it writes."
_COPIED_LOCKED = "The volume service copies it. It is locked: no server can attach it meanwhile."
_MIRRORED = "Nova mirrors the disk to its new place, while the server goes on."
_EXPLAINED = {
    "starting": "The scheduler looks whether the destination may have it.",
    "completing": "The two records change places: the volume keeps its id, and is on the new back-end now.",
    "success": "It is on the new back-end. What is left of the old one is deleted.",
}
VOLUMES_MAX = 200
EVENTS_MAX = 40


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a migration: `state` is done, now or next."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A volume on its way. `percent` is of the copy, None while nothing is copied.

    `tags` are what is special about it, `happening` says what goes on in words for who has never seen it.
    """

    volume_id: str
    name: str
    size_gb: int
    status: str
    tone: str
    tags: Sequence[str]
    happening: str
    source: str
    destination: str
    stages: Sequence[Stage]
    percent: float | None
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as the scheduler sees it; sizes in GiB, None for what the driver does not know."""

    address: str
    kind: str
    zone: str
    state: str
    volumes: int
    total_gb: float | None
    free_gb: float | None
    allocated_gb: float
    provisioned_gb: float | None

    @property
    def used_percent(self) -> float:
        """How full it is."""
        if not self.total_gb or self.free_gb is None:
            return 0.0
        return min(100.0, max(0.0, 100 * (self.total_gb - self.free_gb) / self.total_gb))


@dataclass(frozen=True, slots=True)
class VolumeLine:
    """A volume as an administrator would list it. `tone` is how its status is meant: good, used, busy, bad.

    `copy_of` is the beginning of another volume's id, if this is the temporary volume of its migration.
    """

    volume_id: str
    name: str
    status: str
    tone: str
    migration_status: str
    copy_of: str
    size_gb: int
    type_name: str
    encrypted: bool
    host: str
    attached_to: str
    project: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened. `at_s` is virtual time."""

    at_s: float
    actor: str
    step: str
    detail: str


@dataclass(frozen=True, slots=True)
class Board:
    """All of it."""

    now_s: float
    migrations: Sequence[Migration]
    pools: Sequence[Pool]
    volumes: Sequence[VolumeLine]
    volumes_total: int
    moments: Sequence[Moment]


def board(cloud: Cloud) -> Board:
    """How everything stands now."""
    rows = list(cloud.database.volumes.values())
    newest_first = sorted(rows, key=lambda row: row["created_at"] or 0, reverse=True)
    history = cloud.simulation.history
    return Board(
        now_s=cloud.simulation.kernel.now_us / 1e6,
        migrations=[_migration(cloud, row) for row in rows if _on_its_way(row)],
        pools=_pools(cloud),
        volumes=[_line(cloud, row) for row in newest_first[:VOLUMES_MAX]],
        volumes_total=len(rows),
        moments=[
            Moment(event.time_us / 1e6, event.actor, event.step, event.detail)
            for event in reversed(history[-EVENTS_MAX:])
        ],
    )


def _on_its_way(row: dict[str, Any]) -> bool:
    state = row["migration_status"]
    return is_migrating(state) and not str(state).startswith("target:")


def _migration(cloud: Cloud, row: dict[str, Any]) -> Migration:
    state = row["migration_status"]
    reached = STAGES.index(state) if state in STAGES else 0
    target = next(
        (each for each in cloud.database.volumes.values() if each["migration_status"] == f"target:{row['id']}"),
        None,
    )
    copy = cloud.copies.get(row["id"]) or cloud.nova.copies.get(row["id"])
    now_us = cloud.simulation.kernel.now_us
    return Migration(
        volume_id=row["id"],
        name=row["display_name"] or "",
        size_gb=row["size"],
        status=row["status"],
        tone=_tone(row["status"]),
        tags=_tags(cloud, row),
        happening=_happening(row, state),
        source=row["host"] or "",
        destination=target["host"] if target else "",
        stages=[
            Stage(name, "done" if place < reached else "now" if place == reached else "next")
            for place, name in enumerate(STAGES)
        ],
        percent=copy.percent(now_us) if copy else None,
        left_s=copy.left_us(now_us) / 1e6 if copy else None,
    )


def _tags(cloud: Cloud, row: dict[str, Any]) -> list[str]:
    servers = _servers(cloud, row["id"])
    return [
        *(["encrypted"] if row["encryption_key_id"] else []),
        *(["locked"] if row["status"] == "maintenance" else []),
        *(["changes its type"] if row["status"] == "retyping" else []),
        *(f"attached to {server}" for server in servers),
    ]


def _happening(row: dict[str, Any], state: str) -> str:
    if state == "migrating":
        if row["attach_status"] == "attached":
            return _MIRRORED
        return _COPIED_LOCKED if row["status"] in ("maintenance", "retyping") else _COPIED
    return _EXPLAINED.get(state, "")


def _servers(cloud: Cloud, volume_id: str) -> list[str]:
    """Who has it attached."""
    return [
        each["instance_uuid"] or each["attached_host"] or "?"
        for each in cloud.database.attachments.values()
        if each["volume_id"] == volume_id
    ]


def _pools(cloud: Cloud) -> list[Pool]:
    """Of every back-end, also of those whose service is down; one without a report has no figures."""
    reported = {service_host(pool.address): pool for pool in cloud.scheduler.pools()}
    pools = []
    for host, manager in cloud.managers.items():
        service = cloud.database.services[host]
        stats = reported[host].capabilities if host in reported else manager.stats
        pools.append(
            Pool(
                address=manager.plan.address,
                kind=_kind(manager.plan),
                zone=service["availability_zone"],
                state=_state(cloud, host, service, manager.initialized),
                volumes=sum(service_host(row["host"] or "") == host for row in cloud.database.volumes.values()),
                total_gb=_gb(stats, "total_capacity_gb"),
                free_gb=_gb(stats, "free_capacity_gb"),
                allocated_gb=float(sum(manager.allocated_capacity_gb.values())),
                provisioned_gb=_gb(stats, "provisioned_capacity_gb"),
            )
        )
    return pools


def _kind(plan: Any) -> str:
    if plan.kind == "lvm":
        return "LVM thin" if plan.thin else "LVM thick"
    if plan.kind == "nfs":
        return "NFS qcow2" if plan.qcow2 else "NFS raw"
    return {"rbd": "RBD"}.get(plan.kind, "other")


def _state(cloud: Cloud, host: str, service: dict[str, Any], initialized: bool) -> str:
    if not cloud.is_up(host):
        return "down"
    if service["disabled"]:
        return "disabled"
    if service["frozen"]:
        return "frozen"
    return "up" if initialized else "no driver"


def _gb(stats: Any, field: str) -> float | None:
    """A figure of the driver's stats, from its first pool where it reports pools."""
    pools = stats.get("pools")
    value = (pools[0] if pools else stats).get(field)
    return float(value) if isinstance(value, (int, float)) else None


def _tone(status: str) -> str:
    if "error" in status:
        return "bad"
    if status in ("available", "in-use"):
        return "good" if status == "available" else "used"
    return "busy"


def _line(cloud: Cloud, row: dict[str, Any]) -> VolumeLine:
    kind = cloud.database.volume_types.get(row["volume_type_id"] or "")
    state = row["migration_status"] or ""
    return VolumeLine(
        volume_id=row["id"],
        name=row["display_name"] or "",
        status=row["status"],
        tone=_tone(row["status"]),
        migration_status=state,
        copy_of=state.removeprefix("target:")[:8] if state.startswith("target:") else "",
        size_gb=row["size"],
        type_name=kind["name"] if kind else "",
        encrypted=row["encryption_key_id"] is not None,
        host=row["host"] or "",
        attached_to=", ".join(_servers(cloud, row["id"])),
        project=row["project_id"],
    )
