"""The bench: one driver over fresh storage, and around it what Cinder's manager does with its answers.

Every request of a law goes through here, so that each is noted (`steps`), answers are stored in the records as
the manager stores them, and an answer that is none is a broken law wherever it happens. Laws that concern the
whole control plane are played in `conformance.move` instead.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from conformance.attached import Attached, compare
from conformance.contents import Contents, pages_of
from conformance.foreign.guard import Guarded, LimitedSimulation, Misconduct, Watch, described, shortened
from conformance.law import Broken, holds, same
from conformance.naming import Names
from conformance.properties import inventory
from conformance.subjects import OpenDevice, Subject
from fake_backends.world import World
from harness.control_plane.database import Database
from harness.control_plane.deployment import BackendPlan, Deployment
from harness.control_plane.manager_base import host_connector
from harness.errors import CrucibleError
from harness.model import GIB, Attachment, ConnectionInfo, Connector, Context, Snapshot, Volume
from harness.record import Record
from harness.sim.faults import Fault, FaultPlan

ADMIN = Context("cinder", "service", is_admin=True)
HOST = "host1"


class Lacking(Exception):
    """The driver does not do this at all (NotImplementedError); the text says what."""


class Bench:
    """`driver` is set up and guarded. `plan` is the back-end that it serves."""

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self.subject = subject
        self.simulation = LimitedSimulation()
        deployment = Deployment(subject.deployment.nodes, self._plans())
        self.ground = subject.ground(deployment, self.simulation, seed)
        self.database: Database = self.ground.database
        self.world: World = self.ground.world
        self.names = Names(self.database)
        self.watch = Watch(self.simulation, self.names.of)
        if subject.prepare is not None:
            subject.prepare(self.world)
        self.plan = subject.plan
        self.driver = self.start(subject.plan)
        self.attached: list[Attached] = []

    def _plans(self) -> tuple[BackendPlan, ...]:
        """The back-ends that there is storage for."""
        return (self.subject.plan,)

    # ---------------------------------------------------------------------------------------- the stage

    def steps(self) -> list[str]:
        return self.watch.steps

    def misconduct(self) -> list[str]:
        return self.watch.misconduct

    def is_foreign(self, error: BaseException) -> bool:
        return isinstance(error, CrucibleError | Misconduct) or self.watch.raised(error)

    def close(self) -> None:
        self.simulation.close()
        self.ground.close()

    # --------------------------------------------------------------------------------------- the driver

    def start(self, plan: BackendPlan) -> Any:
        """A driver of that back-end in a new process: made and set up."""
        where = "" if plan.name == self.subject.plan.name else f"{plan.name}."

        def make(service: str) -> Any:
            return self.ground.driver(plan)

        made = self.watch.call(where, self.subject.driver.__name__, make, (plan.service,), {})
        driver = Guarded(made, self.watch, where)
        driver.do_setup(ADMIN)
        driver.check_for_setup_error()
        return driver

    def beside(self, plan: BackendPlan) -> Bench:
        """The same world seen from another back-end with a driver of its own, which is started."""
        other = copy.copy(self)
        other.plan = plan
        other.driver = self.start(plan)
        return other

    def use(self, **options: object) -> None:
        """The driver starts with other options in its section of cinder.conf."""
        self.plan = self.plan.with_options(options)
        self.driver = self.start(self.plan)

    def restart(self) -> None:
        """The service's process ends and starts anew; hosts keep what they have connected.

        The manager exports again what is in use (`cinder.volume.manager:VolumeManager.init_host`).
        """
        self.watch.steps.append("(the volume service starts anew)")
        self.driver = self.start(self.plan)
        for row in list(self.database.volumes.values()):
            if row["status"] == "in-use" and row["host"] == self.plan.address:
                volume = self.database.get_volume(row["id"])
                self.store(volume, self.driver.ensure_export(ADMIN, volume), "ensure_export")

    def restart_node(self) -> None:
        """The machine that the driver runs on starts anew: what it exported is gone until its service exports
        it again. Lacking where it exports nothing."""
        if self.plan.kind != "lvm":
            raise Lacking("the machine of the service exports nothing")
        self.watch.steps.append("(the storage node starts anew: its targets are gone)")
        self.world.node(self.plan.node).targets.restart()
        self.restart()

    def fail_at(self, point: str, *, nth: int = 1, kind: Any = "eio") -> None:
        """From now on a planned fault strikes in the storage, at the n-th point of that name."""
        self.simulation.faults = FaultPlan([Fault(point=point, kind=kind, nth=nth)])

    def heal(self) -> bool:
        """Lift a planned fault; True if it has struck."""
        struck = bool(self.simulation.faults.struck)
        self.simulation.faults = FaultPlan()
        return struck

    # -------------------------------------------------------------------------------------------- records

    def record(self, size: int = 1, **fields: object) -> Volume:
        """A volume record without an object."""
        values = {"size": size, "host": self.plan.address, "status": "creating", **fields}
        return self.database.get_volume(self.database.create(Volume, values))

    def another_name_for(self, volume: Volume) -> Volume:
        """A record with an id of its own that leads to the same object: what a migrated volume has.

        `_name_id` and the provider's fields are those of `volume` (`cinder.objects.volume:Volume.name_id`).
        """
        fields = {
            name: getattr(volume, name)
            for name in Volume.DEFAULTS
            if name.startswith("provider_") or name in ("admin_metadata", "status", "size")
        }
        return self.record(**{**fields, "_name_id": volume.name_id})

    def fresh(self, record: Any) -> Any:
        """The record as it is in the database now."""
        if isinstance(record, Volume):
            return self.database.get_volume(record.id)
        return self.database.get_snapshot(record.id)

    def store(self, record: Record, update: object, method: str) -> None:
        """Store what a method returned, as the manager does."""
        if update is None:
            return
        if not isinstance(update, Mapping):
            raise Broken(f"{method} returned {shortened(update)}, but should return a dict of fields, or None")
        unknown = [key for key in update if key not in record.DEFAULTS]
        holds(
            not unknown,
            f"{method} returned the fields {', '.join(map(repr, unknown))}, which a "
            f"{type(record).__name__.lower()} does not have and Cinder ignores",
        )
        record.update(update)
        record.save()

    # -------------------------------------------------------------------------------------------- volumes

    def create(self, size: int = 1, **fields: object) -> Volume:
        """A volume, available."""
        return self.fill_in(self.record(size, **fields))

    def fill_in(self, volume: Volume) -> Volume:
        """Make the object of a record; the record becomes available."""
        self.store(volume, self.driver.create_volume(volume), "create_volume")
        return self._available(volume)

    def clone(self, source: Volume, size: int | None = None) -> Volume:
        """A clone of a volume, available."""
        source = self.fresh(source)
        return self.fill_in_clone(self.record(size or source.size, source_volid=source.id), source)

    def fill_in_clone(self, volume: Volume, source: Volume) -> Volume:
        """Make the object of a record as a clone; the record becomes available."""
        update = self.driver.create_cloned_volume(volume, self.fresh(source))
        self.store(volume, update, "create_cloned_volume")
        return self._available(volume)

    def from_snapshot(self, snapshot: Snapshot, size: int | None = None) -> Volume:
        """A volume from a snapshot, available."""
        return self.fill_in_from(self.record(size or snapshot.volume_size, snapshot_id=snapshot.id), snapshot)

    def fill_in_from(self, volume: Volume, snapshot: Snapshot) -> Volume:
        """Make the object of a record from a snapshot; the record becomes available."""
        update = self.driver.create_volume_from_snapshot(volume, self.fresh(snapshot))
        self.store(volume, update, "create_volume_from_snapshot")
        return self._available(volume)

    def _available(self, volume: Volume) -> Volume:
        volume.status = "available"
        volume.save()
        return volume

    def extend(self, volume: Volume, size: int) -> None:
        """Grow a volume; the record follows."""
        volume = self.fresh(volume)
        self.nothing(self.driver.extend_volume(volume, size), "extend_volume")
        volume.size = size
        volume.save()

    def delete(self, volume: Volume) -> None:
        """Export, object and record go, as in `VolumeManager.delete_volume`."""
        self.delete_object(volume)
        self.database.destroy_volume(volume.id)

    def delete_object(self, volume: Volume) -> None:
        """The same, but the record stays."""
        volume = self.fresh(volume)
        self.driver.remove_export(ADMIN, volume)
        self.driver.delete_volume(volume)

    def nothing(self, answer: object, method: str) -> None:
        """Broken unless a method that has nothing to say returned None."""
        holds(answer is None, f"{method} returned {shortened(answer)}, but should return None")

    # ------------------------------------------------------------------------------------------ snapshots

    def snapshot_record(self, volume: Volume, **fields: object) -> Snapshot:
        """A snapshot record without an object."""
        values = {"volume_id": volume.id, "volume_size": self.fresh(volume).size, **fields}
        return self.database.get_snapshot(self.database.create(Snapshot, values))

    def snapshot(self, volume: Volume) -> Snapshot:
        """A snapshot, available."""
        return self.fill_in_snapshot(self.snapshot_record(volume))

    def fill_in_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """Make the object of a snapshot's record, which becomes available."""
        self.store(snapshot, self.driver.create_snapshot(snapshot), "create_snapshot")
        snapshot.status = "available"
        snapshot.save()
        return snapshot

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Object and record go."""
        self.driver.delete_snapshot(self.fresh(snapshot))
        del self.database.snapshots[snapshot.id]

    def revert(self, volume: Volume, snapshot: Snapshot) -> None:
        """Lacking if the driver leaves it to the manager."""
        try:
            self.driver.revert_to_snapshot(ADMIN, self.fresh(volume), self.fresh(snapshot))
        except NotImplementedError as error:
            raise Lacking(f"revert_to_snapshot is not implemented: {error}".rstrip(": ")) from error

    # -------------------------------------------------------------------------------------- connections

    def export(self, volume: Volume, connector: Connector | None = None) -> None:
        """Export, and store what is said of it."""
        update = self.driver.create_export(ADMIN, volume, connector or host_connector(HOST))
        self.store(volume, update, "create_export")

    def connect(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """What `VolumeManager.initialize_connection` asks of a driver."""
        self.driver.validate_connector(connector)
        self.export(volume, connector)
        info = self.driver.initialize_connection(volume, connector)
        if not isinstance(info, dict) or not isinstance(info.get("data"), dict):
            raise Broken(
                f"initialize_connection returned {shortened(info)}, but should return "
                "{'driver_volume_type': ..., 'data': {...}}"
            )
        return info

    def attach(self, volume: Volume, host: str = HOST, mountpoint: str | None = None) -> Attached:
        """Connect a volume on a host, and open it there; the record becomes in-use.

        Nova tells the `mountpoint` of a server's disk as a part of the connector
        (`nova.volume.cinder:API.attachment_update`).
        """
        volume = self.fresh(volume)
        connector = {**host_connector(host), **({"mountpoint": mountpoint} if mountpoint else {})}
        row = self.database.create(
            Attachment, {"volume_id": volume.id, "attached_host": host, "attach_status": "attaching"}
        )
        try:
            info = self.connect(volume, connector)
            attached = Attached(volume, connector, info, self._open(info, connector), row)
        except BaseException:
            del self.database.attachments[row]
            raise
        self.database.update(Attachment, row, {"attach_status": "attached", "connector": connector})
        self.database.update(Volume, volume.id, {"status": "in-use", "attach_status": "attached"})
        self.attached.append(attached)
        return attached

    def _open(self, info: ConnectionInfo, connector: Connector) -> OpenDevice | None:
        if self.subject.path is None:
            return None
        try:
            return self.subject.path(self.world, info, connector)
        except (CrucibleError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise Broken(
                f"the connection info {shortened(info)} leads to no device ({described(error)}), "
                "but should lead to the volume"
            ) from error

    def reconnect(self, attached: Attached) -> Attached:
        """A host that was started anew: it connects by what it has on record. The driver is not asked."""
        attached.close()
        again = Attached(
            attached.volume, attached.connector, attached.info,
            self._open(attached.info, attached.connector), attached.row,
        )  # fmt: skip
        self.attached[self.attached.index(attached)] = again
        return again

    def detach(self, attached: Attached) -> None:
        """Disconnect and let the record know, as in `VolumeManager.attachment_delete`.

        A host keeps its device while another attachment on it needs it
        (`nova.virt.libvirt.driver:LibvirtDriver._should_disconnect_target`).
        """
        self.attached.remove(attached)
        if not any(
            each.host == attached.host and each.volume.id == attached.volume.id for each in self.attached
        ):
            attached.close()
        volume = self.fresh(attached.volume)
        shared = self.driver.terminate_connection(volume, dict(attached.connector), force=False)
        holds(
            shared is None or isinstance(shared, bool),
            f"terminate_connection returned {shortened(shared)}, but should return True, False or None",
        )
        del self.database.attachments[attached.row]
        if not self.database.attachments_of(volume.id):
            self.database.update(Volume, volume.id, {"status": "available", "attach_status": "detached"})
        if not shared:
            self.driver.remove_export(ADMIN, self.fresh(volume))

    # ----------------------------------------------------------------------------------------------- data

    def write(self, volume: Volume, contents: Contents) -> None:
        """Write pages as an owner does: attach, write, detach."""
        attached = self.attach(volume)
        attached.write(pages_of(contents, attached.size))
        self.detach(attached)

    def must_hold(self, volume: Volume, contents: Contents, what: str, size: int | None = None) -> None:
        """Broken unless the volume holds these pages, placed as in a volume of `size` GiB (its own)."""
        attached = self.attach(volume)
        wanted = pages_of(contents, size * GIB if size else attached.size)
        compare(attached.read(wanted), wanted, what)
        self.detach(attached)

    def must_have_size(self, volume: Volume, size_gb: int, what: str) -> None:
        """Broken unless the host sees exactly so many bytes."""
        attached = self.attach(volume)
        same(f"the size of {what} in bytes", attached.size, size_gb * GIB)
        self.detach(attached)

    # ------------------------------------------------------------------------------------------ inventory

    def objects(self) -> list[str]:
        """Names of what is in the back-end, as far as the driver or its array tells."""
        return sorted(inventory(self.world, self.plan, self.driver) or ())

    def exports(self) -> list[str]:
        """Targets that exist on the nodes of this world, and what arrays present."""
        presented = [f"{name} behind {target}" for target, name in self.world.fabric.presented()]
        return sorted(
            [*(iqn for node in self.world.nodes.values() for iqn in node.targets.targets), *presented]
        )

    def free_gb(self) -> float | None:
        """What the driver reports as free, all pools together; None if it cannot tell."""
        stats = self.driver.get_volume_stats(refresh=True)
        values = [pool.get("free_capacity_gb") for pool in stats.get("pools") or [stats]]
        return sum(values) if all(isinstance(value, int | float) for value in values) else None


class TwoBenches(Bench):
    """A bench with storage for the subject's twin, too."""

    def _plans(self) -> tuple[BackendPlan, ...]:
        return (self.subject.plan, self.subject.twin)
