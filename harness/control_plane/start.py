"""The manager's chapter on the start of its service: driver, exports, and what a dead process had begun.

Sources: `cinder.volume.manager:VolumeManager.init_host`, `_do_cleanup`, `cinder.manager:CleanableManager`,
`cinder.objects.cleanable:CinderCleanableObject.set_workers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from harness.control_plane.manager_base import SECOND_US, ManagerBase
from harness.model import Snapshot, Volume

CLEANABLE = {"volumes": ("creating", "deleting", "uploading", "downloading"), "snapshots": ("creating",)}
"""Statuses in which a record is somebody's work in progress. None of them is one of a migration."""


class Worker(NamedTuple):
    """A row of the ``workers`` table: `service` is at work on a record, which has had `status` since then."""

    record: type[Volume] | type[Snapshot]
    status: str
    service: str
    since_us: int


class CleanupRequest(NamedTuple):
    """Whose work to take up, and perhaps on which one record (`cinder.objects.cleanup_request`)."""

    service: str
    until_us: int
    resource_id: str | None = None
    resource_type: str | None = None
    """``Volume`` or ``Snapshot``."""


class Start(ManagerBase):
    """Runs before the service reads its first message; `do_cleanup` also by message, for who has died."""

    def delete_volume(self, volume: Volume, unmanage_only: bool = False, cascade: bool = False) -> None:
        """Of the chapter on volumes."""
        raise NotImplementedError

    def init_host(self) -> None:
        """Set the driver up, and up to `reinit_driver_count` times again, after 1, 2, 4... seconds.

        If it never succeeds the service runs without a driver, and every operation refuses.
        """
        self._init_host()
        for attempt in range(self.cloud.node_options(self.plan)["reinit_driver_count"]):
            if self.initialized:
                return
            self.simulation.kernel.sleep(2**attempt * SECOND_US)
            self._init_host()

    def _init_host(self) -> None:
        try:
            self.drive("do_setup", self.admin)
            self.drive("check_for_setup_error")
        except Exception as error:  # noqa: BLE001 (a driver may raise anything)
            self.note("driver not initialised", str(error))
            return
        self.allocated_capacity_gb = {}
        for row in list(self.db.volumes.values()):
            if self.is_our_backend(row["host"] or "", row["cluster_name"]):
                volume = Volume.from_row(row, self.db)
                self.update_allocated_capacity(volume)
                if volume.status == "in-use":
                    self._export_again(volume)
        self.initialized = True
        self.allocated_capacity_gb.setdefault(self.plan.pool, 0)
        self.publish_service_capabilities()
        self.capabilities = self.stats
        self._tell_whether_it_replicates()
        self.do_cleanup(CleanupRequest(self.host, self.simulation.kernel.now_us))

    def _tell_whether_it_replicates(self) -> None:
        """On the rows of service and cluster; what has failed over stays so (`init_host_with_rpc`)."""
        row = self.db.services[self.host]
        if row["replication_status"] != "failed-over":
            replicates = bool(self.capabilities.get("replication_enabled"))
            row["replication_status"] = "enabled" if replicates else "disabled"
        if row["cluster_name"]:
            self.db.clusters[row["cluster_name"]]["replication_status"] = row["replication_status"]

    def _export_again(self, volume: Volume) -> None:
        try:
            self.drive("ensure_export", self.admin, volume)
        except Exception as error:  # noqa: BLE001 (a driver may raise anything)
            self.note("ensure_export failed", str(error))
            self.db.conditional_update(volume, {"status": "error"}, {"status": "in-use"})

    # ------------------------------------------------------------------------------------------- clean-up

    @contextmanager
    def worker(self, record: Volume | Snapshot) -> Iterator[None]:
        """Leave a trace for the next process, should this one die; it goes when the status has changed."""
        if record.status not in CLEANABLE[record.TABLE]:
            yield
            return
        mine = Worker(type(record), record.status, self.host, self.simulation.kernel.now_us)
        self.db.workers[record.id] = mine
        try:
            yield
        finally:
            task = self.simulation.kernel.current
            dead = task is not None and task.dead
            if not dead and self._status(record.id, mine) != mine.status:
                self.db.workers.pop(record.id, None)

    def do_cleanup(self, request: CleanupRequest) -> None:
        """Take up what a service was at when it died: creations become error, deletions go on.

        Nothing of a migration is taken up: starting, migrating and completing stay for ever. What cannot be
        cleaned stays the dead service's.
        """
        for record_id, work in list(self.db.workers.items()):
            wanted = (
                work.service == request.service
                and work.since_us <= request.until_us
                and request.resource_id in (None, record_id)
                and request.resource_type in (None, work.record.__name__)
            )
            if not wanted:
                continue
            self.db.workers[record_id] = work._replace(
                service=self.host, since_us=self.simulation.kernel.now_us
            )
            if self._status(record_id, work) != work.status:
                del self.db.workers[record_id]
                continue
            try:
                self._clean(record_id, work)
            except Exception as error:  # noqa: BLE001 (a driver may raise anything; it is logged)
                self.note("clean-up failed", str(error))
                self.db.workers[record_id] = work

    def _clean(self, record_id: str, work: Worker) -> None:
        """One record (`VolumeManager._do_cleanup`). A deletion removes its worker itself."""
        record = self.db.get_volume(record_id) if work.record is Volume else self.db.get_snapshot(record_id)
        self.note("clean up", f"{record.name} is {record.status}")
        if record.status == "deleting" and isinstance(record, Volume):
            self.delete_volume(record, cascade=True)
            return
        if record.status == "uploading":
            self.db.update(Volume, record_id, {"status": self.db.statuses_from_attachments(record_id)[0]})
        else:
            record.status = "error"
            record.save()
        self.db.workers.pop(record_id, None)

    def _status(self, record_id: str, work: Worker) -> str | None:
        """What the row says now; None if it is gone."""
        table = self.db.volumes if work.record is Volume else self.db.snapshots
        row = table.get(record_id)
        return str(row["status"]) if row is not None else None
