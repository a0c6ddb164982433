"""The whole control plane around the driver: migrations and retypes from the request to the end.

Two back-ends under the simulated Cinder and Nova, one of them, or both, with the driver under test. Everything
is asked for through the API, as users and operators do, and judged when it has come to rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.attached import compare, pages_written
from conformance.bench import Lacking
from conformance.contents import Contents, pages_of
from conformance.foreign.guard import LimitedSimulation, Misconduct, Watch, described, shortened
from conformance.law import Broken, holds, same
from conformance.properties import inventory
from conformance.subjects import Subject
from fake_backends.block_store import PAGE
from harness import errors
from harness.control_plane.deployment import BackendPlan, Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.control_plane.servers import Server
from harness.model import GIB, Context, Volume, is_migrating
from harness.sim.faults import Fault, FaultPlan

OWNER = Context("user", "project", is_admin=False)
ADMIN = Context("admin", "admin-project", is_admin=True)
LOOK_EVERY_US = 100_000
"""A tenth of a second: a copy of a GiB takes several."""


class Move:
    """`open` the cloud first: which back-ends there are is the law's choice."""

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self.subject = subject
        self.simulation = LimitedSimulation()
        self.watch = Watch(self.simulation, shortened)
        self.cloud: Any
        """A `harness.control_plane.cloud.Cloud`, or what stands for it."""
        self._opened = False
        self._copied = False
        self._noticed: list[Broken] = []

    # ---------------------------------------------------------------------------------------- the stage

    def steps(self) -> list[str]:
        return self.watch.steps

    def misconduct(self) -> list[str]:
        return self.watch.misconduct

    def is_foreign(self, error: BaseException) -> bool:
        return isinstance(error, errors.CrucibleError | Misconduct) or self.watch.raised(error)

    def close(self) -> None:
        self.simulation.close()
        if self._opened:
            self.cloud.close()

    # ---------------------------------------------------------------------------------------- the cloud

    def plan(self, name: str) -> BackendPlan:
        """subject, twin, neighbour, lvm, rbd or nfs."""
        beside = {each.name.removeprefix("partner-"): each for each in self.subject.partners}
        beside.update(subject=self.subject.plan, twin=self.subject.twin)
        if self.subject.neighbour is not None:
            beside["neighbour"] = self.subject.neighbour
        return beside[name]

    def open(
        self, *names: str, nova: str = "32", backups: bool = False, clustered: str = "", **options: object
    ) -> None:
        """A cloud with these back-ends and no others; with `backups`, a backup service is sure to be there.

        The service of the back-end `clustered` is the first of a cluster. `options` are set over those of the
        back-ends' sections. Only the simulated Cinder knows these two.
        """
        plans = tuple(self.plan(name) for name in dict.fromkeys(names))
        if clustered:
            joining = self.plan(clustered)
            joined = replace(joining, service_cluster=f"cluster@{joining.section}")
            plans = tuple(joined if plan == joining else plan for plan in plans)
        if options:
            plans = tuple(plan.with_options(options) for plan in plans)
        deployment = Deployment(self.subject.deployment.nodes, plans)
        try:
            self.cloud = self.subject.cloud(
                deployment, self.simulation, PROFILES[nova], self.watch, self._before_start, backups=backups
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise Broken(f"the driver cannot be made: {described(error)}") from error
        self._opened = True
        for manager in self.cloud.managers.values():
            holds(manager.initialized, f"the driver of {manager.plan.name} cannot be set up")

    def _before_start(self, cloud: Any) -> None:
        """The fakes of arrays are there before the first driver is made; temporary volumes do not escape."""
        before = cloud.database.on_create

        def created(row: dict[str, Any]) -> None:
            self._copied |= (row.get("migration_status") or "").startswith("target:")
            before(row)

        cloud.database.on_create = created
        if self.subject.prepare is not None:
            self.subject.prepare(cloud.world)

    def act(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Ask, and let everything that follows come to rest; returns or raises the outcome of the request."""
        task = self.simulation.kernel.spawn("user", function, *arguments, **keywords)
        self.simulation.kernel.run()
        self.simulation.kernel.failures.clear()
        if self._noticed:
            raise self._noticed[0]
        if task.error is not None:
            raise task.error
        return task.result

    def observe(self, look: Callable[[], None]) -> None:
        """From now on call `look` every `LOOK_EVERY_US`; what it finds broken fails the request."""

        def watch() -> None:
            while not self._noticed:
                try:
                    look()
                except Broken as broken:
                    self._noticed.append(broken)
                self.simulation.kernel.sleep(LOOK_EVERY_US)

        self.simulation.kernel.spawn("observer", watch, daemon=True)

    def note(self, text: str) -> None:
        self.watch.steps.append(f"({text})")

    def volume(self, volume_id: str) -> Volume:
        try:
            volume: Volume = self.cloud.database.get_volume(volume_id)
        except errors.VolumeNotFound:
            raise Broken("the record of the volume is gone, but should be there") from None
        return volume

    # -------------------------------------------------------------------------------------------- requests

    def create(self, backend: str, size: int = 1, volume_type: str | None = None) -> str:
        """A volume on a back-end; returns its id."""
        host = self.plan(backend).address
        made = self.act(self.cloud.api.create_volume, OWNER, size, volume_type=volume_type, host=host)
        same("the status of the new volume", self.volume(made.id).status, "available")
        return str(made.id)

    def migrate(self, volume_id: str, backend: str, **options: bool) -> None:
        """lock_volume, force_host_copy."""
        chosen = "".join(f", {key}" for key, value in options.items() if value)
        self.note(f"migrate to {backend}{chosen}")
        self.act(self.cloud.api.migrate_volume, ADMIN, volume_id, self.plan(backend).address, **options)

    def retype(self, volume_id: str, type_name: str, policy: str) -> None:
        self.note(f"retype to {type_name}, {policy}")
        self.act(
            self.cloud.api.retype, OWNER, volume_id, self.cloud.database.get_volume_type(type_name).id, policy
        )

    def delete(self, volume_id: str) -> None:
        """Broken if it is not gone afterwards."""
        self.act(self.cloud.api.delete_volume, OWNER, volume_id)
        row = self.cloud.database.volumes.get(volume_id)
        holds(row is None, f"the deleted volume is {row and row['status']}, but should be gone")

    def extend(self, volume_id: str, size: int) -> None:
        self.act(self.cloud.api.extend_volume, OWNER, volume_id, size)
        volume = self.volume(volume_id)
        same("status and size after extending", (volume.status, volume.size), ("available", size))

    def attach(self, volume_id: str, server: str = "server") -> Server:
        """A new server, with the volume attached."""
        made: Server = self.cloud.nova.create_server(server)
        self.act(self.cloud.nova.attach_volume, made, volume_id)
        return made

    def reboot(self, server: Server) -> None:
        """Connect the server's disks anew, by what is on record of its attachments."""
        self.note("the server is started anew")
        try:
            self.act(self.cloud.nova.reboot, server)
        except errors.CrucibleError as error:
            raise Broken(f"the server cannot be started anew: {described(error)}") from error

    def detach(self, server: Server, volume_id: str) -> None:
        self.act(self.cloud.nova.detach_volume, server, volume_id)
        same("the status after detaching", self.volume(volume_id).status, "available")

    def restart(self, backend: str, *, node: bool = False) -> None:
        """The volume service is stopped and started; with `node`, the machine that exports its volumes, too."""
        self.note("the storage node starts anew" if node else "the volume service starts anew")
        plan = self.plan(backend)
        self.cloud.stop(plan.name)
        if node:
            self.cloud.world.node(plan.node).targets.restart()
        self.cloud.start_again(plan.name)
        self.simulation.kernel.run()

    # ------------------------------------------------------------------------------------------------ data

    def write(self, volume_id: str, contents: Contents) -> None:
        server = self.attach(volume_id, f"writer-{contents.writer}")
        self.guest_writes(server, volume_id, contents)
        self.detach(server, volume_id)

    def guest_writes(self, server: Server, volume_id: str, contents: Contents) -> None:
        disk = server.disks[volume_id]
        for page, data in pages_of(contents, disk.device.size).items():
            disk.write(page, data)

    def guest_reads(
        self, server: Server, volume_id: str, contents: Contents, what: str, size: int | None = None
    ) -> None:
        """Broken unless the guest reads these pages, placed as in a disk of `size` bytes (its own)."""
        device = server.disks[volume_id].device
        wanted = pages_of(contents, size or device.size)
        compare({page: device.read(page * PAGE, PAGE) for page in wanted}, wanted, what)

    def must_hold(self, volume_id: str, contents: Contents, what: str = "the volume") -> None:
        """Broken unless the data can be read through the record, and are these."""
        size = self.volume(volume_id).size
        try:
            server = self.attach(volume_id, "reader")
        except errors.CrucibleError as error:
            raise Broken(f"{what} cannot be attached: {described(error)}") from error
        same(f"the size of {what} in bytes", server.disks[volume_id].device.size, size * GIB)
        self.guest_reads(server, volume_id, contents, what)
        self.detach(server, volume_id)

    def contents_of(self, volume_id: str) -> dict[int, bytes]:
        """Every page that is not zero."""
        server = self.attach(volume_id, "reader")
        pages = dict(pages_written(server.disks[volume_id].device))
        self.detach(server, volume_id)
        return pages

    # -------------------------------------------------------------------------------------------- judgement

    def must_have_moved(self, volume_id: str, backend: str, status: str = "available") -> None:
        """Broken unless the record is at rest there, and the migration a success."""
        volume = self.volume(volume_id)
        got = (volume.host, volume.status, volume.migration_status)
        same("(host, status, migration_status)", got, (self.plan(backend).address, status, "success"))

    def must_be_at_rest(self, volume_id: str, *statuses: str) -> None:
        """Broken if a status is stuck."""
        volume = self.volume(volume_id)
        holds(
            volume.status in statuses and not is_migrating(volume.migration_status),
            f"status and migration_status are {volume.status} and {volume.migration_status}, but should be "
            f"{' or '.join(statuses)}, and error or success",
        )

    def objects(self) -> dict[str, list[str]]:
        """Names by container, of the back-ends that can tell."""
        found: dict[str, list[str]] = {}
        for manager in self.cloud.managers.values():
            names = inventory(self.cloud.world, manager.plan, manager.driver)
            if names is not None:
                found[manager.plan.container] = sorted(names)
        return found

    def must_be_tidy(self, before: Mapping[str, list[str]]) -> None:
        """Broken unless there is one object for each volume on record beyond `before`, and no target or record
        that belongs to nothing."""
        rows = self.cloud.database.volumes.values()
        stray = [
            row for row in rows if (row["migration_status"] or "").partition(":")[0] in ("target", "deleting")
        ]
        holds(not stray, f"{len(stray)} temporary volumes are still on record, but should be gone")
        hosts = {manager.plan.address: manager.plan.container for manager in self.cloud.managers.values()}
        for container, names in self.objects().items():
            new = [name for name in names if name not in before.get(container, [])]
            wanted = sorted(
                self.cloud.database.get_volume(row["id"]).name
                for row in rows
                if hosts.get(row["host"]) == container
            )
            same(f"the number of objects in {container}", len(new), len(wanted))
        if not self.cloud.database.attachments:
            same("the targets", self.exports(), [])

    def free_gb(self, backend: str) -> float:
        """What its driver reports as free. Lacking if that is no number."""
        driver = self.cloud.managers[self.plan(backend).service].driver
        stats = driver.get_volume_stats(refresh=True)
        free = [pool.get("free_capacity_gb") for pool in stats.get("pools") or [stats]]
        if not all(isinstance(each, int | float) for each in free):
            raise Lacking("the driver does not say how much is free")
        return float(sum(free))

    def exports(self) -> list[str]:
        """Targets that exist on the nodes, and what arrays present."""
        world = self.cloud.world
        exports = [iqn for node in world.nodes.values() for iqn in node.targets.targets]
        return exports + [f"{name} behind {target}" for target, name in world.fabric.presented()]

    def fail_at(self, point: str, nth: int, kind: Any, actor: str = "*") -> None:
        self.simulation.faults = FaultPlan([Fault(point=point, kind=kind, nth=nth, actor=actor)])

    def heal(self) -> None:
        self.simulation.faults.heal()

    def assisted(self) -> bool:
        """Whether no temporary volume was made so far."""
        return not self._copied
