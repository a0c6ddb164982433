"""Setting a cell up: a small cloud with the volume, its owner's data, and whatever stands in the way.

`Scenario` makes the world as the axes of the cell say (see `harness.matrix.axes`), carries out the one
request that the cell is about, and lets everything come to rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from fake_backends.files.directory import Directory
from harness import errors
from harness.control_plane.cloud import DEFAULT_TYPE, Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.face import ControlPlane, Launch
from harness.control_plane.nova_profiles import PROFILES
from harness.control_plane.servers import Server
from harness.matrix.cells import Cell
from harness.matrix.contents import FOREIGN, STALE, STALE_EVERY, STALE_EXTENTS, owners_pages, stamped
from harness.matrix.obstacles import FAULTS, OBSTACLES
from harness.matrix.types_of_cell import types_of
from harness.model import Context, Volume
from harness.sim.faults import Fault, FaultPlan
from harness.sim.ledger import Ledger, foreign_pages
from harness.sim.schedules import Schedule
from harness.sim.simulation import Simulation, States

SIZE_GB = 1
SECOND_US = 1_000_000
GUEST_WRITES_EVERY_US = SECOND_US // 2
MEANWHILE_AFTER_US = 4 * SECOND_US
"""The copy of 1 GiB takes ten seconds: whoever interferes does it in the middle."""


class Request:
    """What the operator asks for; obstacles may change it before it is sent."""

    def __init__(self, context: Context, volume_id: str, host: str | None, type_name: str) -> None:
        self.context = context
        self.volume_id = volume_id
        self.host = host
        self.cluster: str | None = None
        self.type_name = type_name


class Scenario:
    """One cell in a world of its own.

    After `run`: `refusal` is what the API said, or None; `accepted_meanwhile` whether the interference was
    let through; `temporary_id` is that of the temporary record, if there ever was one. `undo` holds what has to
    be put right before the volume can be used again.
    """

    owner = Context("user", "project", is_admin=False)
    admin = Context("admin", "admin-project", is_admin=True)

    def __init__(
        self,
        deployment: Deployment,
        cell: Cell,
        *,
        seed: int = 0,
        schedule: Schedule | None = None,
        home: Directory | None = None,
        launch: Launch = Cloud,
        simulation: Simulation | None = None,
        size_gb: int = SIZE_GB,
    ) -> None:
        """`home` is where the world keeps its storage, None for memory; `launch` is the engine.

        A volume of another size than the matrix's has all the quota that it needs.
        `simulation` is one that somebody else looks at, too: what was done until it failed is in its history.
        """
        self.cell = cell
        self.size_gb = size_gb
        self.deployment = deployment
        self.source = deployment.backend(cell.source)
        self.destination = deployment.backend(cell.destination)
        if cell.precondition == "one-share":
            aliases = dict(zip(self.destination.shares, self.source.shares, strict=False))
            deployment = dataclasses.replace(deployment, aliases=aliases)
        self.simulation = simulation or Simulation(schedule)
        names = list(dict.fromkeys((cell.source, cell.destination)))
        self.cloud: ControlPlane = launch(
            deployment, self.simulation, nova=PROFILES[cell.nova], seed=seed, backends=names, home=home
        )
        self.ledger = Ledger()
        self.shown_before: set[int] = set()
        self.servers: list[Server] = []
        self.undo: list[Callable[[], Any]] = []
        self.refusal: errors.ServiceError | None = None
        self.accepted_meanwhile = False
        self.started_us = 0
        self.temporary_id: str | None = None
        self.free_at_first = free_space(self.cloud)
        self._prepare()

    def close(self) -> None:
        """The end of this world: its tasks, and the files that it has open."""
        self.simulation.close()
        self.cloud.close()

    # ---------------------------------------------------------------------------------------------- tools

    def act(self, actor: str, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Let an actor do something, and everything that follows from it; returns or raises its outcome."""
        task = self.simulation.kernel.spawn(actor, function, *arguments, **keywords)
        self.simulation.kernel.run()
        if task.error is not None:
            self.simulation.kernel.failures[:] = [
                failure for failure in self.simulation.kernel.failures if failure[0] is not task
            ]
            raise task.error
        return task.result

    def volume(self) -> Volume:
        """The user's volume as it is now."""
        return self.cloud.database.get_volume(self.volume_id)

    # ----------------------------------------------------------------------------------------- preparation

    def _prepare(self) -> None:
        self._age(self.destination.container)
        if self.size_gb != SIZE_GB:
            self.cloud.quotas.set_limit(self.owner.project_id, "gigabytes", -1)
        old, new = types_of(self.cell, self.source, self.destination)
        default: str = self.deployment.nodes[0].options["default_volume_type"]
        if default != DEFAULT_TYPE and default not in [each["name"] for each in (old, new) if each]:
            self.cloud.create_type(default)  # an operator who names one has it
        for each in (old, new):
            if each is not None:
                self.cloud.create_type(**each)
        self.volume_id: str = self.act(
            "owner",
            self.cloud.api.create_volume,
            self.owner,
            self.size_gb,
            name="data",
            volume_type=old["name"] if old else None,
            host=self.source.address,
        ).id
        if self.cell.status in ("read-only", "multi-read-only"):
            metadata = {**self.volume().admin_metadata, "readonly": "True"}
            self.cloud.database.update(Volume, self.volume_id, {"admin_metadata": metadata})
        self.wanted_name, self.wanted_size = "data", self.size_gb
        self._fill()
        self.request = Request(
            self.admin, self.volume_id, self.destination.address, new["name"] if new else "new"
        )
        for function in OBSTACLES.get(self.cell.precondition, ()):
            function(self)
        self.status_before = self.volume().status
        self.migration_status_before = self.volume().migration_status
        self.host_before = self.volume().host or ""
        self.type_before = self.volume().volume_type_id
        self.multiattach_before = self.volume().multiattach
        self.others = frozenset(self.cloud.database.volumes) - {self.volume_id}

    def _age(self, container: str) -> None:
        """The destination's disks have a history."""
        node, _, group = container.partition("/")
        if self.destination.kind == "lvm":
            self.cloud.world.node(node).volume_groups[group].age(STALE, STALE_EXTENTS, every=STALE_EVERY)

    def _fill(self) -> None:
        """The owner attaches the volume, writes, and detaches it again if it shall be available.

        To attach an encrypted volume formats it, so one that shall be empty is not attached at all.
        """
        one_container = self.source.container == self.destination.container
        never_attached = self.cell.status == "available" and self.cell.fill == "empty"
        if never_attached and (self.cell.encryption != "none" or not one_container):
            return
        count = 2 if self.cell.multi_attached else 1
        nova = self.cloud.nova
        for number in range(count):
            server = nova.create_server(f"server-{number + 1}")
            self.servers.append(server)
            disk = self.act("nova", nova.attach_volume, server, self.volume_id)
            disk.ledger = self.ledger
        pages = owners_pages(self.cell.fill, disk.device.size)
        # A read-only disk was written before it was made so.
        disk.write_pages(pages)
        if one_container:
            chunks = disk.device.occupied(0, disk.device.chunk_count)
            self.shown_before = foreign_pages(disk.device.load, chunks, FOREIGN)
        if self.cell.status == "available":
            self.act("nova", nova.detach_volume, self.servers.pop(), self.volume_id)

    # ------------------------------------------------------------------------------------------------ run

    def run(self) -> None:
        """Send the request, let others interfere, and wait until nothing moves any more."""
        kernel = self.simulation.kernel
        self.simulation.faults = FaultPlan(self._faults())
        self.simulation.casts = self.cell.casts
        self.simulation.history.clear()
        kernel.failures.clear()
        self.started_us = kernel.now_us
        self._watch()
        guests = [
            kernel.spawn(f"guest@{server.id}", self._guest_writes, server, daemon=True)
            for server in self.servers
        ]
        if self.cell.meanwhile != "nothing":
            kernel.spawn("user", self._interfere, delay_us=MEANWHILE_AFTER_US)
        try:
            self.act("operator", self._ask)
        except errors.ServiceError as refusal:
            self.refusal = refusal
        kernel.kill(*guests)
        self.simulation.faults.heal()
        self.simulation.casts = "ordered"
        for server in self.servers:
            self.act(f"guest@{server.id}", self._guest_goes_on, server)

    def _faults(self) -> list[Fault]:
        """The failures on the way, and a pause in a copy that would be over before anybody interferes."""
        actors = {"source": f"c-vol@{self.cell.source}", "destination": f"c-vol@{self.cell.destination}"}
        faults = [
            Fault(point=point, kind="eio", nth=nth, actor=actor.format(**actors))
            for point, nth, actor in FAULTS.get(self.cell.precondition, ())
        ]
        if self.cell.precondition == "source-delete-fails" and self.source.kind == "other":
            # What it does for that is its own affair: the whole call fails.
            faults.append(Fault(point="driver.delete_volume", kind="eio", nth=1, actor=actors["source"]))
        if self.cell.meanwhile != "nothing":
            faults.append(Fault(point="rbd.copy", kind="delay", nth=2, delay_us=2 * MEANWHILE_AFTER_US))
        return faults

    def _ask(self) -> None:
        request, api = self.request, self.cloud.api
        if self.cell.operation == "migrate":
            api.migrate_volume(
                request.context,
                request.volume_id,
                request.host,
                cluster=request.cluster,
                force_host_copy=self.cell.force == "yes",
                lock_volume=self.cell.lock == "yes",
            )
        else:
            api.retype(request.context, request.volume_id, request.type_name, self.cell.policy)

    def _guest_writes(self, server: Server) -> None:
        """A guest that never rests."""
        count = 0
        while True:
            self.simulation.kernel.sleep(GUEST_WRITES_EVERY_US)
            count += 1
            server.guest_writes(self.volume_id, stamp=f"{server.id} {count}")

    def _guest_goes_on(self, server: Server) -> None:
        """Whoever has the volume uses it afterwards, too: a record that leads elsewhere by now shows."""
        try:
            server.guest_writes(self.volume_id, stamp=f"{server.id} at last")
        except errors.StorageError as error:
            # Not acknowledged, so nothing that could be lost.
            self.simulation.record("guest cannot write", str(error))

    def _interfere(self) -> None:
        """Somebody else does something with the volume in the middle of the copy."""
        api = self.cloud.api
        try:
            if self.cell.meanwhile == "rename":
                api.rename_volume(self.owner, self.volume_id, "renamed")
                self.wanted_name = "renamed"
            elif self.cell.meanwhile == "extend":
                api.extend_volume(self.owner, self.volume_id, self.size_gb + 1)
                self.wanted_size = self.size_gb + 1
            else:
                self._intrude()
        except errors.ServiceError as refusal:
            self.simulation.record(f"{self.cell.meanwhile} refused", str(refusal))
        else:
            self.accepted_meanwhile = True

    def _intrude(self) -> None:
        """Attach, write where the copier has been already, and stay."""
        server = self.cloud.nova.create_server("intruder")
        disk = self.cloud.nova.attach_volume(server, self.volume_id)
        self.servers.append(server)
        disk.ledger = self.ledger
        for page in (2, 5):
            disk.write(page, stamped(page, "intruder"))
        self.simulation.record("guest writes", "pages 2 and 5")

    # ------------------------------------------------------------------------------------------- timeline

    def _watch(self) -> None:
        """Show in the timeline how the volume and its temporary record stand."""
        rows = self.cloud.database.volumes

        def states() -> States:
            volume, temporary = rows.get(self.volume_id), rows.get(self.temporary_id or "")
            return (
                (volume["status"], volume["migration_status"]) if volume is not None else None,
                (temporary["status"], temporary["migration_status"]) if temporary is not None else None,
            )

        def noticed(row: dict[str, Any]) -> None:
            if str(row.get("migration_status")).startswith("target:"):
                self.temporary_id = row["id"]

        self.cloud.database.on_create = noticed
        self.simulation.watch = states


def free_space(cloud: ControlPlane) -> dict[str, float]:
    """GiB that the drivers of a deployment report as free, by pool."""
    free: dict[str, float] = {}
    for manager in cloud.managers.values():
        if manager.initialized:
            stats = manager.driver.get_volume_stats(refresh=True)
            pools = {f"{manager.host}#{pool['pool_name']}": pool for pool in stats.get("pools", [])}
            for address, pool in (pools or {manager.plan.address: stats}).items():
                if isinstance(value := pool.get("free_capacity_gb"), int | float):
                    free[address] = value
    return free
