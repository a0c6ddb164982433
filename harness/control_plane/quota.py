"""Quota of projects: limits, usages, and reservations that are committed, rolled back, or expire.

A reservation of more counts as reserved from the start; a reservation of less counts when it is committed,
never takes usage below zero, and is never refused. Sources: `cinder.quota`, `cinder.db.api:quota_reserve`,
`cinder.quota_utils:process_reserve_over_quota`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from harness.errors import (
    BackupLimitExceeded,
    GroupLimitExceeded,
    OverQuota,
    QuotaResourceUnknown,
    SnapshotLimitExceeded,
    UnexpectedOverQuota,
    VolumeBackupSizeExceedsAvailableQuota,
    VolumeLimitExceeded,
    VolumeSizeExceedsAvailableQuota,
    VolumeSizeExceedsLimit,
)

UNLIMITED = -1
DEFAULT_CLASS = "default"
"""The quota class that every project belongs to."""

DEFAULT_LIMITS: Mapping[str, int] = MappingProxyType({
    "volumes": 10,
    "snapshots": 10,
    "gigabytes": 1000,
    "per_volume_gigabytes": UNLIMITED,
    "backups": 10,
    "backup_gigabytes": 1000,
    "groups": 10,
})  # fmt: skip
"""quota_volumes, quota_snapshots, quota_gigabytes, quota_backups, ..., per_volume_size_limit."""

_EXCEEDED: Mapping[str, type[OverQuota]] = MappingProxyType({
    "volumes": VolumeLimitExceeded,
    "snapshots": SnapshotLimitExceeded,
    "backups": BackupLimitExceeded,
    "groups": GroupLimitExceeded,
})  # fmt: skip

_PER_TYPE = ("volumes_", "gigabytes_", "snapshots_")


class Reservation(NamedTuple):
    """A change of one project's usage that is not final yet, made and expiring at these virtual times."""

    id: str
    project: str
    resource: str
    delta: int
    made_us: int
    until_us: int


class Usage(NamedTuple):
    """What a project has of a resource, and what is reserved for it on top."""

    in_use: int
    reserved: int


class Quotas:
    """The quota tables. `limits` holds for every project that has no limit of its own; -1 is no limit.

    Resources are volumes, snapshots, gigabytes, per_volume_gigabytes (a limit only), and per volume type
    ``volumes_<type name>``, ``snapshots_<type name>``, ``gigabytes_<type name>``, unlimited by default.
    """

    def __init__(self, limits: Mapping[str, int] = DEFAULT_LIMITS) -> None:
        self._defaults = {**DEFAULT_LIMITS, **limits}
        self._limits: dict[tuple[str, str], int] = {}
        self._classes: dict[tuple[str, str], int] = {}
        self._in_use: dict[tuple[str, str], int] = {}
        self._reserved: dict[tuple[str, str], int] = {}
        self._open: dict[str, Reservation] = {}
        self._count = 0

    def set_limit(self, project: str, resource: str, limit: int) -> None:
        """Give a project a limit of its own. What it already has stays, whatever the limit."""
        self._limits[project, resource] = limit

    def drop_limits(self, project: str) -> None:
        """The default limits hold for a project again."""
        self._limits = {key: limit for key, limit in self._limits.items() if key[0] != project}

    def defaults(self) -> list[str]:
        """The resources that have a limit of their own, whatever volume types there are."""
        return list(self._defaults)

    def default(self, resource: str) -> int:
        """The limit of a project that has none of its own. QuotaResourceUnknown."""
        if resource in self._defaults:
            return self._defaults[resource]
        if not resource.startswith(_PER_TYPE):
            raise QuotaResourceUnknown(unknown=[resource])
        return UNLIMITED

    def class_limit(self, name: str, resource: str) -> int:
        """The limit of a quota class; of the class `default`, that of every project."""
        own = self._classes.get((name, resource))
        return self.default(resource) if own is None else own

    def set_class_limit(self, name: str, resource: str, limit: int) -> None:
        """Change a quota class. `default` holds for all projects without limits of their own."""
        if name == DEFAULT_CLASS:
            self._defaults[resource] = limit
        else:
            self._classes[name, resource] = limit

    def rename_type(self, old: str, new: str) -> None:
        """The resources of a volume type are named after it (`QuotaEngine.update_quota_resource`)."""
        names = {f"{prefix}{old}": f"{prefix}{new}" for prefix in _PER_TYPE}
        for table in (self._limits, self._in_use, self._reserved):
            for project, resource in list(table):
                if resource in names:
                    table[project, names[resource]] = table.pop((project, resource))

    def limit(self, project: str, resource: str) -> int:
        """The limit that holds; QuotaResourceUnknown if there is no such resource."""
        own = self.own_limit(project, resource)
        return self.default(resource) if own is None else own

    def own_limit(self, project: str, resource: str) -> int | None:
        """The limit that was given to this very project; None if none was."""
        return self._limits.get((project, resource))

    def usage(self, project: str, resource: str) -> Usage:
        """(in_use, reserved)."""
        key = (project, resource)
        return Usage(self._in_use.get(key, 0), self._reserved.get(key, 0))

    def usages(self, project: str) -> dict[str, Usage]:
        """Every resource that the project ever reserved, by name."""
        resources = sorted(
            {resource for owner, resource in [*self._in_use, *self._reserved] if owner == project}
        )
        return {resource: self.usage(project, resource) for resource in resources}

    def open_reservations(self) -> list[Reservation]:
        """Those neither committed nor rolled back nor expired, oldest first."""
        return list(self._open.values())

    def check_size(self, project: str, size_gb: int) -> None:
        """VolumeSizeExceedsLimit if a volume of that size is larger than any of the project's may be."""
        limit = self.limit(project, "per_volume_gigabytes")
        if 0 <= limit < size_gb:
            raise VolumeSizeExceedsLimit(size=size_gb, limit=limit)

    def reserve(
        self,
        project: str,
        deltas: Mapping[str, int],
        now_us: int,
        until_us: int,
        *,
        resource: str = "volumes",
        size_gb: int | None = None,
    ) -> list[str]:
        """Reserve all of the changes or none; the ids go to `commit` or `rollback`.

        `resource` is what the request is about, volumes or snapshots, and `size_gb` the size that it names;
        both shape the error: VolumeSizeExceedsAvailableQuota if any gigabytes are over, else
        VolumeLimitExceeded or SnapshotLimitExceeded, all 413; UnexpectedOverQuota if what is over has nothing
        to do with `resource`. What has expired still counts until somebody calls `expire`.
        """
        overs = [name for name, delta in deltas.items() if self._is_over(project, name, delta)]
        if overs:
            self._refuse(project, sorted(overs), resource, deltas, size_gb)
        return [self._add(project, name, delta, now_us, until_us) for name, delta in deltas.items()]

    def commit(self, reservations: Iterable[str]) -> None:
        """Make them usage. Ids that are no longer open are skipped, as Cinder skips expired ones."""
        for reservation in self._close(reservations):
            key = (reservation.project, reservation.resource)
            self._in_use[key] = max(0, self._in_use.get(key, 0) + reservation.delta)

    def rollback(self, reservations: Iterable[str], project: str | None = None) -> None:
        """Forget them. Ids that are no longer open are skipped.

        `project` is where Cinder looks for the usages, if it does not look in the volume's own: one that is of
        another project is not found, the error is only logged, and all of the reservations stay open
        (`cinder.quota:QuotaEngine.rollback`, `cinder.db.api:reservation_rollback`).
        """
        names = list(reservations)
        owners = {self._open[name].project for name in names if name in self._open}
        if project is None or owners <= {project}:
            self._close(names)

    def expire(self, now_us: int) -> None:
        """Forget the reservations whose time was over before `now_us`."""
        self.rollback([name for name, reservation in self._open.items() if reservation.until_us < now_us])

    def dump(self) -> dict[str, Any]:
        """Everything that is remembered, for JSON."""
        return {
            "defaults": dict(self._defaults),
            "limits": [[*key, limit] for key, limit in self._limits.items()],
            "classes": [[*key, limit] for key, limit in self._classes.items()],
            "in_use": [[*key, amount] for key, amount in self._in_use.items()],
            "reserved": [[*key, amount] for key, amount in self._reserved.items()],
            "open": list(self._open.values()),
            "count": self._count,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Remember what was dumped, and nothing else."""
        self._defaults = dict(dumped["defaults"])
        for name in ("limits", "classes", "in_use", "reserved"):
            setattr(self, f"_{name}", {(owner, what): value for owner, what, value in dumped[name]})
        self._open = {values[0]: Reservation(*values) for values in dumped["open"]}
        self._count = dumped["count"]

    def _is_over(self, project: str, resource: str, delta: int) -> bool:
        limit = self.limit(project, resource)
        return delta >= 0 and 0 <= limit < delta + sum(self.usage(project, resource))

    def _add(self, project: str, resource: str, delta: int, now_us: int, until_us: int) -> str:
        self._count += 1
        reservation = Reservation(f"reservation-{self._count}", project, resource, delta, now_us, until_us)
        self._open[reservation.id] = reservation
        if delta > 0:
            key = (project, resource)
            self._reserved[key] = self._reserved.get(key, 0) + delta
        return reservation.id

    def _close(self, reservations: Iterable[str]) -> list[Reservation]:
        """Take those that are open out of the table, and what they reserved out of the usages."""
        closed = [self._open.pop(name) for name in reservations if name in self._open]
        for reservation in closed:
            if reservation.delta > 0:
                self._reserved[reservation.project, reservation.resource] -= reservation.delta
        return closed

    def _refuse(
        self, project: str, overs: list[str], resource: str, deltas: Mapping[str, int], size_gb: int | None
    ) -> NoReturn:
        for name in overs:
            limit = self.limit(project, name)
            if "gigabytes" in name:
                over_size = (
                    VolumeBackupSizeExceedsAvailableQuota
                    if resource == "backups"
                    else VolumeSizeExceedsAvailableQuota
                )
                raise over_size(
                    name=name,
                    requested=deltas[name] if size_gb is None else size_gb,
                    quota=limit,
                    consumed=sum(self.usage(project, name)),
                )
            if resource in name:  # anywhere in the name, the type's included
                raise _EXCEEDED[resource](allowed=limit, name=name)
        raise UnexpectedOverQuota(name=", ".join(overs))
