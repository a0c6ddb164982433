"""The scheduler: which pool may a volume be on, and what happens when none may.

Sources: `cinder.scheduler.manager:SchedulerManager`, `cinder.scheduler.filter_scheduler:FilterScheduler`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import errors
from harness.control_plane.backup_manager import BACKUP_HOST
from harness.control_plane.heartbeat import Heartbeat
from harness.control_plane.host_manager import HostManager
from harness.control_plane.pools import PoolState, Request
from harness.control_plane.request_spec import RequestSpec
from harness.control_plane.start import CleanupRequest, Worker
from harness.control_plane.user_messages import Action
from harness.model import Backup, Context, Group, Snapshot, Volume, VolumeType
from harness.record import service_host

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud
    from harness.control_plane.manager_base import ManagerBase

TOPIC = "cinder-scheduler"
ACTOR = "scheduler"
SECOND_US = 1_000_000


class CleanupFilter(NamedTuple):
    """Whose work to take up: by default that of all services that are down (`CleanupRequest`)."""

    host: str | None = None
    cluster_name: str | None = None
    is_up: bool | None = False
    disabled: bool | None = None
    resource_id: str | None = None
    resource_type: str | None = None


def names(pattern: str, address: str) -> bool:
    """Whether ``host``, ``host@backend`` or ``host@backend#pool`` means an address (`_filter_host`)."""
    further = "" if "#" in pattern else "#" if "@" in pattern else "#@"
    return address == pattern or (address.startswith(pattern) and address[len(pattern)] in further)


class Scheduler:
    """The cinder-scheduler service; it knows of pools what their services last reported."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        now_us = cloud.simulation.kernel.now_us
        self._quota_sweeps = Heartbeat(cloud.options["reservation_clean_interval"] * SECOND_US, now_us)
        self._message_sweeps = Heartbeat(cloud.options["message_reap_interval"] * SECOND_US, now_us)
        self.hosts = HostManager(cloud)
        self.is_running = True
        self._is_starting = False

    def catch_up(self) -> int:
        """Forget what has expired, as the periodic tasks would have by now. Returns when they are due again."""
        now_us = self.cloud.simulation.kernel.now_us
        if (swept_us := self._quota_sweeps.news_us(now_us)) is not None:
            self.cloud.quotas.expire(swept_us)
        if (swept_us := self._message_sweeps.news_us(now_us)) is not None:
            self.cloud.user_messages.expire(swept_us)
        return min(self._quota_sweeps.next_us(now_us), self._message_sweeps.next_us(now_us))

    # ---------------------------------------------------------------------------------------- start and end

    def update_capabilities(self, manager: ManagerBase) -> None:
        """A service reports; nobody keeps that for a scheduler that is not there."""
        if self.is_running:
            self.hosts.update(manager)

    def pools(self) -> list[PoolState]:
        """What the scheduler may choose from."""
        return self.hosts.pools()

    def end(self) -> None:
        """The process dies: it knows nothing any more."""
        self.is_running = False
        self.hosts.forget()

    def start(self) -> None:
        """The process starts: what its predecessor was placing is in error, and everybody is asked to report.

        Returns when all have, or `scheduler_driver_init_wait_time` seconds later; requests wait as long.
        Source: `SchedulerManager.init_host_with_rpc`.
        """
        cloud, kernel = self.cloud, self.cloud.simulation.kernel
        self.is_running = self._is_starting = True
        for record_id, work in list(cloud.database.workers.items()):
            if work.service == TOPIC:
                if cloud.database.volumes.get(record_id, {}).get("status") == work.status:
                    cloud.database.update(Volume, record_id, {"status": "error"})
                    self._note("clean up", f"volume-{record_id} was {work.status}")
                del cloud.database.workers[record_id]
        cloud.messaging.register(TOPIC, ACTOR, self)
        for address in cloud.services.managers:
            if cloud.services.is_running(address):
                cloud.messaging.cast(address, "publish_service_capabilities")
        for _ in range(cloud.options["scheduler_driver_init_wait_time"]):
            if self.hosts.has_received:
                break
            kernel.sleep(SECOND_US)
        self._is_starting = False

    def _wait_until_ready(self) -> None:
        """A scheduler that has just started does not refuse for want of reports (`_wait_for_scheduler`)."""
        while self._is_starting and not self.hosts.is_ready:
            self.cloud.simulation.kernel.sleep(SECOND_US)

    def _passing(self, request: Request) -> tuple[list[PoolState], str]:
        """Pools that pass all filters, best first, and why the others do not."""
        self._wait_until_ready()
        return self.hosts.passing(request)

    # ------------------------------------------------------------------------------------------ requests

    def create_volume(self, volume: Volume, spec: RequestSpec) -> None:
        """Choose the best pool and send the request on; no pool: the volume becomes error.

        Pools that failed to make it may be chosen again; after `scheduler_max_attempts` the scheduler gives up.
        """
        database, now_us = self.cloud.database, self.cloud.simulation.kernel.now_us
        database.workers[volume.id] = Worker(Volume, "creating", TOPIC, now_us)
        try:
            best = self._best_for(volume, spec)
        except Exception as failure:
            self.cloud.user_messages.create(volume, Action.SCHEDULE_ALLOCATE_VOLUME, failure)
            self.cloud.notifications.refused("create_volume", volume, "error", failure)
            volume.status = "error"
            volume.save()
            database.workers.pop(volume.id, None)
            if isinstance(failure, errors.NoValidBackend):
                self._note("no valid backend", str(failure).removeprefix("No valid backend was found. "))
                return
            raise
        self.hosts.count(best.address, volume.size)
        volume.update({"host": best.host, "cluster_name": best.cluster_name})
        volume.availability_zone = best.availability_zone
        volume.save()
        self._note("create_volume", best.address)
        # With a single attempt nothing comes back.
        once = self.cloud.options["scheduler_max_attempts"] == 1
        spec = spec._replace(tried=None if once else (*(spec.tried or ()), best.address))
        self.cloud.messaging.cast(service_host(best.address), "create_volume", volume, spec)

    def _best_for(self, volume: Volume, spec: RequestSpec) -> PoolState:
        """The pool that shall make a volume. NoValidBackend, or whatever a filter raises."""
        tried, attempts_max = spec.tried or (), self.cloud.options["scheduler_max_attempts"]
        if len(tried) >= attempts_max:
            # What was promised for the last attempt stays promised.
            raise errors.NoValidBackend(reason=f"Exceeded max scheduling attempts {attempts_max}")
        if tried:
            self.hosts.count(tried[-1], -volume.size)
        request = _request(volume, volume.volume_type, "create", spec.zones or (volume.availability_zone,))
        request = request._replace(hints=spec.hints, places=self._places(volume, spec.hints), tried=tried)
        passing, reasons = self._passing(request)
        for pool in passing:
            if not spec.backend or _same_place(pool.address, spec.backend):
                return pool
        raise errors.NoValidBackend(reason=reasons or "No weighed backends available")

    def _places(self, volume: Volume, hints: Mapping[str, Any]) -> dict[str, str]:
        """Where the volumes and servers are that the user may speak of in hints."""
        if not hints:
            return {}
        rows = self.cloud.database.volumes.values()
        places = {
            row["id"]: row["cluster_name"] or row["host"] or ""
            for row in rows
            if row["project_id"] == volume.project_id
        }
        return places | {server.id: server.host for server in self.cloud.nova.servers.values()}

    def extend_volume(self, volume: Volume, new_size: int, reservations: Sequence[str]) -> None:
        """Check that the volume's own pool has room for the growth."""
        growth_gb = new_size - volume.size
        request = _request(volume, volume.volume_type, "extend", None, size_gb=growth_gb)
        passing, reasons = self._passing(request)
        chosen = next((pool for pool in passing if _same_place(pool.address, volume.resource_backend)), None)
        if chosen is None:
            self.cloud.quotas.rollback(reservations)
            state = {"status": volume.previous_status, "previous_status": None}
            failure = errors.NoValidBackend(reason=reasons)
            self._set(volume, state)
            self.cloud.notifications.refused("extend_volume", volume, state, failure)
            self.cloud.user_messages.create(volume, Action.EXTEND_VOLUME, failure)
            self._note("no valid backend", reasons)
            return
        self.hosts.count(chosen.address, growth_gb)
        self.cloud.messaging.cast(volume.service_topic_queue, "extend_volume", volume, new_size, reservations)

    def create_snapshot(self, snapshot: Snapshot, host: str) -> None:
        """Check that the volume's own pool has room for its size again; if not, the snapshot is error."""
        passing, reasons = self._passing(Request(size_gb=snapshot.volume_size, operation="create_snapshot"))
        chosen = next((pool for pool in passing if _same_place(pool.address, host)), None)
        if chosen is None:
            snapshot.status = "error"
            snapshot.save()
            failure = errors.NoValidBackend(reason=reasons)
            self.cloud.notifications.refused("create_snapshot", snapshot, "error", failure)
            self._note("no valid backend", reasons)
            return
        self.hosts.count(chosen.address, snapshot.volume_size)
        self.cloud.messaging.cast(service_host(host), "create_snapshot", snapshot)

    def create_backup(self, backup: Backup) -> None:
        """There is one backup service."""
        backup.host = BACKUP_HOST
        backup.save()
        self.cloud.messaging.cast(BACKUP_HOST, "create_backup", backup)

    def create_group(self, group: Group) -> None:
        """The best pool for the first type, of a back-end that takes them all; none: the group becomes error.

        What the group's type wants of a back-end, such as consistent snapshots, its volume types have to say.
        """
        choices = [self._passing(Request(size_gb=0, operation="create_group"))[0]]
        for type_id in group.volume_type_ids:
            request = Request(
                size_gb=0,
                extra_specs=self.cloud.database.get_volume_type(type_id).extra_specs,
                availability_zones=(group.availability_zone,),
                operation="create_group",
            )
            choices.append(self._passing(request)[0])
        of_group, *of_types = [{service_host(pool.address) for pool in passing} for passing in choices]
        common = [
            pool
            for pool in choices[1]
            if all(service_host(pool.address) in places for places in (of_group, *of_types))
        ]
        if not common:
            group.status = "error"
            group.save()
            self._note("no valid backend", f"for group {group.id}")
            return
        group.update({"host": common[0].host, "cluster_name": common[0].cluster_name})
        group.save()
        self._note("create_group", common[0].host)
        self.cloud.messaging.cast(group.service_topic_queue, "create_group", group)

    def validate_host_capacity(self, backend: str, size_gb: int) -> bool:
        """Whether the pool has room for a group's volumes; if so, they are counted."""
        passing = self._passing(Request(size_gb=size_gb, operation="validate_host_capacity"))[0]
        chosen = next((pool for pool in passing if _same_place(pool.address, backend)), None)
        if chosen is None:
            return False
        self.hosts.count(chosen.address, size_gb)
        return True

    def manage_existing(self, volume: Volume, ref: dict[str, str]) -> None:
        """Check the back-end that was asked for, and fill in its pool; if it is not fit: error_managing."""
        passing, reasons = self._passing(_request(volume, volume.volume_type, "manage_existing", None))
        chosen = next((pool for pool in passing if _same_place(pool.address, volume.resource_backend)), None)
        if chosen is None:
            self._set(volume, {"status": "error_managing"})
            self._note("no valid backend", reasons)
            return
        volume.update({"host": chosen.host, "cluster_name": chosen.cluster_name})
        volume.save()
        self.cloud.messaging.cast(service_host(chosen.address), "manage_existing", volume, ref)

    def manage_existing_snapshot(self, snapshot: Snapshot, host: str, ref: dict[str, str]) -> None:
        """As for a new snapshot."""
        request = Request(size_gb=snapshot.volume_size, operation="manage_existing_snapshot")
        passing, reasons = self._passing(request)
        chosen = next((pool for pool in passing if _same_place(pool.address, host)), None)
        if chosen is None:
            snapshot.status = "error"
            snapshot.save()
            self._note("no valid backend", reasons)
            return
        self.hosts.count(chosen.address, snapshot.volume_size)
        self.cloud.messaging.cast(service_host(host), "manage_existing_snapshot", snapshot, ref)

    def migrate_volume(self, volume: Volume, destination: str, force_host_copy: bool) -> None:
        """The requested pool, or the best pool of the requested back-end, if it passes the filters."""
        try:
            # The request carries no availability zone, so a migration may cross zones.
            passing, reasons = self._passing(_request(volume, volume.volume_type, "migrate", None))
            chosen = next((pool for pool in passing if _same_place(pool.address, destination)), None)
            if chosen is None:
                raise errors.NoValidBackend(reason=f"Cannot place volume on {destination}: {reasons}")
        except Exception as error:
            self._refuse_migration(volume, error)
            if isinstance(error, errors.NoValidBackend):
                return
            raise
        self._note("migrate_volume", f"{chosen.address} passes the filters")
        self.cloud.messaging.cast(
            volume.service_topic_queue, "migrate_volume", volume, _host(chosen), force_host_copy
        )

    def work_cleanup(
        self, wanted: CleanupFilter, until_us: int, *, among: Collection[str] | None = None
    ) -> tuple[list[str], list[str]]:
        """Have the work of dead services, `among` those hosts, taken up (`SchedulerManager.work_cleanup`).

        A service that is up cleans up itself; for one of a cluster any of the cluster does. Returns the hosts
        whose work is taken up, and those that nobody is there for.
        """
        services = self.cloud.services
        requested: list[str] = []
        unavailable: list[str] = []
        for host, manager in services.managers.items():
            row = self.cloud.database.services[host]
            matches = (
                (among is None or host in among)
                and (wanted.host is None or names(wanted.host, host))
                and (wanted.cluster_name is None or names(wanted.cluster_name, row["cluster_name"] or ""))
                and wanted.is_up in (None, services.is_up(host))
                and wanted.disabled in (None, self.cloud.database.disabled(row))
            )
            if not matches:
                continue
            if any(services.is_up(each) for each in services.of_queue(manager.topic_queue)):
                request = CleanupRequest(host, until_us, wanted.resource_id, wanted.resource_type)
                self.cloud.messaging.cast(manager.topic_queue, "do_cleanup", request)
                requested.append(host)
            else:
                unavailable.append(host)
        return requested, unavailable

    def _refuse_migration(self, volume: Volume, error: Exception) -> None:
        """migration_status error; only `maintenance` is undone (`_migrate_volume_set_error`)."""
        values = {"migration_status": "error"}
        if volume.status == "maintenance":
            values["status"] = volume.previous_status or "maintenance"
        self._set(volume, values)
        self.cloud.notifications.refused("migrate_volume_to_host", volume, values, error)
        self._note("migration refused", str(error))

    def retype(
        self,
        volume: Volume,
        new_type_id: str,
        migration_policy: str | None,
        availability_zones: tuple[str, ...],
        reservations: Sequence[str],
        old_reservations: Sequence[str],
        asking: Context,
    ) -> None:
        """The current pool if it passes; else the best one, if the policy allows a migration."""
        new_type = self.cloud.database.get_volume_type(new_type_id)
        try:
            chosen = self._find_retype_pool(volume, new_type, migration_policy, availability_zones)
        except Exception as error:
            # Only the new type's reservations; the old type's stay open until they expire.
            self.cloud.quotas.rollback(reservations, asking.project_id)
            state = {"status": volume.previous_status or volume.status}
            self._set(volume, state)
            self.cloud.notifications.refused("retype", volume, state, error)
            self._note("retype refused", str(error))
            if isinstance(error, errors.NoValidBackend):
                return
            raise
        self._note("retype", f"{chosen.address} passes the filters")
        self.cloud.messaging.cast(
            volume.service_topic_queue,
            "retype",
            volume,
            new_type_id,
            _host(chosen),
            migration_policy,
            reservations,
            old_reservations,
            asking,
        )

    def _find_retype_pool(
        self,
        volume: Volume,
        new_type: VolumeType,
        migration_policy: str | None,
        availability_zones: tuple[str, ...],
    ) -> PoolState:
        passing, reasons = self._passing(_request(volume, new_type, "retype", availability_zones))
        if not passing:
            raise errors.NoValidBackend(reason=f"No valid hosts for volume {volume.id}: {reasons}")
        for pool in passing:
            if _same_place(pool.address, volume.resource_backend):
                return pool
        if migration_policy != "on-demand":
            raise errors.NoValidBackend(
                reason=f"Current host not valid for volume {volume.id}, migration not allowed"
            )
        self.hosts.count(passing[0].address, volume.size)
        return passing[0]

    def _set(self, volume: Volume, values: dict[str, Any]) -> None:
        """Write to the row, whatever the message's copy of the record says."""
        self.cloud.database.update(Volume, volume.id, values)

    def _note(self, step: str, detail: str) -> None:
        self.cloud.simulation.record(step, detail)


def _request(
    volume: Volume,
    volume_type: VolumeType | None,
    operation: str,
    availability_zones: tuple[str, ...] | None,
    *,
    size_gb: int | None = None,
) -> Request:
    qos = volume_type.qos_specs if volume_type else None
    return Request(
        size_gb=volume.size if size_gb is None else size_gb,
        extra_specs=volume_type.extra_specs if volume_type else {},
        availability_zones=availability_zones,
        operation=operation,
        current_address=volume.resource_backend or None,
        attached=volume.attach_status != "detached",
        volume={field: value for field, value in vars(volume).items() if field in Volume.DEFAULTS},
        qos=dict(qos.specs) if qos else None,
    )


def _same_place(address: str, wanted: str) -> bool:
    """Equal, the pool being ignored if `wanted` names none (`cinder.volume.volume_utils`)."""
    return address == wanted if "#" in wanted else service_host(address) == wanted


def _host(pool: PoolState) -> dict[str, Any]:
    """What the manager and the driver are told of the destination."""
    return {
        "host": pool.host,
        "cluster_name": pool.cluster_name,
        "capabilities": dict(pool.capabilities),
    }
