"""What operators do to services and groups, and what becomes of it, on both engines.

Clusters of services are not among it: the real Cinder runs without them here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import pytest

from harness import errors
from harness.cinder_engine.release import installed
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.face import Launch
from harness.control_plane.nova_profiles import PROFILES
from harness.model import Context
from harness.sim.faults import Fault, FaultPlan
from harness.sim.simulation import Simulation

OWNER = Context("user", "project", is_admin=False)
ADMIN = Context("admin", "admin-project", is_admin=True)
HERE, THERE = "lvm-a", "lvm-b"
SERVER = "0e5e1a52-0b0a-4a0c-8f3e-6a5d3f2b1c00"


class Plane(ABC):
    """A cloud of two LVM back-ends, and its user. What the engines have not in common is abstract."""

    def __init__(self, launch: Launch) -> None:
        self.simulation = Simulation()
        deployment = Deployment.default()
        self.plans = {name: deployment.backend(name) for name in (HERE, THERE)}
        self.cloud: Any = launch(
            deployment, self.simulation, nova=PROFILES["32"], seed=0, backends=(HERE, THERE), home=None
        )
        self.simulation.history.clear()

    def close(self) -> None:
        self.simulation.close()
        self.cloud.close()

    def act(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Do something and let everything come to rest; the code of a refusal."""
        task = self.simulation.kernel.spawn("user", function, *arguments, **keywords)
        self.simulation.kernel.run()
        self.simulation.kernel.failures.clear()
        if isinstance(task.error, errors.ServiceError):
            return task.error.code
        if task.error is not None:
            raise task.error
        return task.result

    def fail(self, point: str, kind: Any, **where: Any) -> None:
        self.simulation.faults = FaultPlan([Fault(point=point, kind=kind, **where)])

    def create(self, backend: str | None = HERE, size: int = 1, **keywords: Any) -> Any:
        host = self.plans[backend].address if backend else None
        return self.act(self.cloud.api.create_volume, OWNER, size, host=host, **keywords)

    def migrate(self, volume: Any) -> Any:
        return self.act(self.cloud.api.migrate_volume, ADMIN, volume.id, self.plans[THERE].address)

    def volumes(self) -> list[str]:
        """``status/migration_status`` of all, the small ones first."""
        rows = self.cloud.database.volumes.values()
        found = sorted((row["size"], row["status"], row["migration_status"] or "-") for row in rows)
        return [f"{status}/{migration_status}" for _, status, migration_status in found]

    def objects(self, backend: str) -> int:
        """How many objects there are on its storage."""
        plan = self.plans[backend]
        group = self.cloud.world.node(plan.node).volume_groups[plan.configuration.volume_group]
        return len([name for name in group.names() if "pool" not in name])

    def used(self, *resources: str) -> list[int]:
        """What the owner's project has of its quota."""
        usages = self.cloud.quotas.usages(OWNER.project_id)
        return [usages[name].in_use if name in usages else 0 for name in resources]

    def occupy(self, backend: str) -> None:
        """Somebody fills the volume group behind Cinder's back."""
        plan = self.plans[backend]
        group = self.cloud.world.node(plan.node).volume_groups[plan.configuration.volume_group]
        group.create("foreign", group.free)

    @abstractmethod
    def service(self, backend: str) -> list[Any]:
        """frozen, disabled and disabled_reason of a service."""

    @abstractmethod
    def set_frozen(self, backend: str, *, frozen: bool) -> Any: ...

    @abstractmethod
    def force_detach(self, volume: Any, connector: Any) -> Any: ...

    @abstractmethod
    def group(self) -> str:
        """An empty group for volumes of a type that leads here."""

    @abstractmethod
    def member(self, group: str, size: int) -> None:
        """A volume of the group."""

    @abstractmethod
    def snapshot_group(self, group: str) -> Any: ...

    @abstractmethod
    def copy_group(self, *, group: str | None = None, snapshot: str | None = None) -> Any: ...

    @abstractmethod
    def delete_group(self, group: str) -> Any: ...

    @abstractmethod
    def groups(self) -> list[str]:
        """The statuses of groups, of group snapshots, and of snapshots."""


class Simulated(Plane):
    """The simulated Cinder."""

    cloud: Cloud

    def service(self, backend: str) -> list[Any]:
        row = self.cloud.database.services[self.plans[backend].service]
        return [row["frozen"], row["disabled"], row["disabled_reason"]]

    def set_frozen(self, backend: str, *, frozen: bool) -> Any:
        method = self.cloud.api.freeze_host if frozen else self.cloud.api.thaw_host
        return self.act(method, ADMIN, self.plans[backend].service)

    def force_detach(self, volume: Any, connector: Any) -> Any:
        return self.act(self.cloud.api.force_detach, ADMIN, volume.id, None, connector)

    def group(self) -> str:
        self.cloud.create_type("here", extra_specs={"volume_backend_name": HERE})
        self.cloud.groups.create_type(ADMIN, "generic")
        made: str = self.act(self.cloud.groups.create, OWNER, "generic", ["here"]).id
        return made

    def member(self, group: str, size: int) -> None:
        self.create(None, size, volume_type="here", group_id=group)

    def snapshot_group(self, group: str) -> Any:
        made = self.act(self.cloud.groups.create_group_snapshot, OWNER, group)
        return made if isinstance(made, int) else made.id

    def copy_group(self, *, group: str | None = None, snapshot: str | None = None) -> Any:
        made = self.act(
            self.cloud.groups.create_from_source, OWNER, source_group_id=group, group_snapshot_id=snapshot
        )
        return made if isinstance(made, int) else made.id

    def delete_group(self, group: str) -> Any:
        return self.act(self.cloud.groups.delete, OWNER, group, delete_volumes=True)

    def groups(self) -> list[str]:
        database = self.cloud.database
        tables = (database.groups, database.group_snapshots, database.snapshots)
        return [" ".join(sorted(row["status"] for row in table.values())) for table in tables]


class Real(Plane):
    """The installed Cinder, by its REST API and its tables."""

    def ask(self, context: Context, method: str, path: str, body: Any = None) -> Any:
        return self.act(self.cloud.api._rest, context, method, path, body)

    def rows(self, table: str) -> list[dict[str, Any]]:
        cursor = self.cloud.database._connection.execute(f"SELECT * FROM {table} WHERE NOT deleted")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def service(self, backend: str) -> list[Any]:
        (row,) = (row for row in self.rows("services") if row["host"] == self.plans[backend].service)
        return [bool(row["frozen"]), bool(row["disabled"]), row["disabled_reason"]]

    def set_frozen(self, backend: str, *, frozen: bool) -> Any:
        verb = "freeze" if frozen else "thaw"
        return self.ask(ADMIN, "PUT", f"os-services/{verb}", {"host": self.plans[backend].service})

    def force_detach(self, volume: Any, connector: Any) -> Any:
        wish = {"os-force_detach": {"connector": connector}}
        return self.ask(ADMIN, "POST", f"volumes/{volume.id}/action", wish)

    def group(self) -> str:
        self.cloud.create_type("here", extra_specs={"volume_backend_name": HERE})
        self.ask(ADMIN, "POST", "group_types", {"group_type": {"name": "generic"}})
        wish = {"group_type": "generic", "volume_types": ["here"]}
        made: str = self.ask(OWNER, "POST", "groups", {"group": wish})["group"]["id"]
        return made

    def member(self, group: str, size: int) -> None:
        self.ask(OWNER, "POST", "volumes", {"volume": {"size": size, "volume_type": "here", "group_id": group}})

    def snapshot_group(self, group: str) -> Any:
        made = self.ask(OWNER, "POST", "group_snapshots", {"group_snapshot": {"group_id": group}})
        return made if isinstance(made, int) else made["group_snapshot"]["id"]

    def copy_group(self, *, group: str | None = None, snapshot: str | None = None) -> Any:
        source = {"source_group_id": group} if group else {"group_snapshot_id": snapshot}
        made = self.ask(OWNER, "POST", "groups/action", {"create-from-src": source})
        return made if isinstance(made, int) else made["group"]["id"]

    def delete_group(self, group: str) -> Any:
        return self.ask(OWNER, "POST", f"groups/{group}/action", {"delete": {"delete-volumes": True}})

    def groups(self) -> list[str]:
        tables = ("groups", "group_snapshots", "snapshots")
        return [" ".join(sorted(row["status"] for row in self.rows(table))) for table in tables]


def died_while_creating(plane: Plane) -> list[Any]:
    plane.fail("driver.create_volume", "crash", actor=f"c-vol@{HERE}")
    plane.create()
    before = plane.volumes()
    plane.cloud.start_again(HERE)
    return [before, plane.volumes(), plane.used("volumes")]


def died_while_deleting(plane: Plane) -> list[Any]:
    volume = plane.create()
    plane.fail("driver.delete_volume", "crash", actor=f"c-vol@{HERE}")
    plane.act(plane.cloud.api.delete_volume, OWNER, volume.id)
    before = plane.volumes()
    plane.cloud.start_again(HERE)
    plane.act(lambda: None)
    return [before, plane.volumes(), plane.objects(HERE), plane.used("volumes")]


def died_while_copying(plane: Plane) -> list[Any]:
    volume = plane.create()
    plane.fail("driver.migrate_volume", "crash", actor=f"c-vol@{HERE}")
    plane.migrate(volume)
    plane.cloud.start_again(HERE)
    return [plane.volumes(), plane.act(plane.cloud.api.delete_volume, OWNER, volume.id)]


def request_lost(plane: Plane) -> list[Any]:
    volume = plane.create()
    plane.fail("message.migrate_volume", "lost", actor="scheduler")
    plane.migrate(volume)
    return [plane.volumes(), plane.migrate(volume)]


def answer_lost(plane: Plane) -> list[Any]:
    volume = plane.create()
    plane.fail("reply.update_migrated_volume", "lost")
    plane.act(
        plane.cloud.api.migrate_volume, ADMIN, volume.id, plane.plans[THERE].address, force_host_copy=True
    )
    return [plane.volumes(), plane.objects(HERE), plane.objects(THERE)]


def service_down(plane: Plane) -> list[Any]:
    volume = plane.create()
    plane.cloud.stop(THERE, seconds_ago=3600)
    return [plane.migrate(volume), plane.volumes()]


def frozen(plane: Plane) -> list[Any]:
    volume, other = plane.create(), plane.create(THERE)
    plane.set_frozen(THERE, frozen=True)
    found = [plane.service(THERE), plane.set_frozen(THERE, frozen=True)]
    found += [plane.act(plane.cloud.api.delete_volume, OWNER, other.id), plane.migrate(volume), plane.volumes()]
    plane.set_frozen(THERE, frozen=False)
    return [*found, plane.service(THERE), plane.set_frozen(THERE, frozen=False)]


def detached_by_force(plane: Plane) -> list[Any]:
    """Without the connector, and with it."""
    volume = plane.create()
    attachment = plane.act(plane.cloud.attachments.create, OWNER, volume.id, SERVER)
    connector = {"host": "compute1", "initiator": "iqn.1994-05.com.example:compute1"}
    plane.act(plane.cloud.attachments.update, OWNER, attachment.id, connector)
    plane.act(plane.cloud.attachments.complete, OWNER, attachment.id)
    return [
        plane.volumes(),
        plane.force_detach(volume, None), plane.volumes(),
        plane.force_detach(volume, connector), plane.volumes(),
    ]  # fmt: skip


def held_by_a_server(plane: Plane) -> list[Any]:
    """An operator may not take a volume from a server that Nova knows to have it."""
    volume, server = plane.create(), plane.cloud.nova.create_server("server")
    plane.act(plane.cloud.nova.attach_volume, server, volume.id)
    found = [plane.force_detach(volume, {"initiator": "anybody"}), plane.volumes()]
    plane.act(plane.cloud.nova.detach_volume, server, volume.id)
    return [*found, plane.volumes()]


def stats_are_old(plane: Plane) -> list[Any]:
    """The scheduler does not know that the storage is full: the driver fails, and the next one is tried."""
    plane.occupy(HERE)
    plane.occupy(THERE)
    plane.act(plane.cloud.quotas.set_limit, OWNER.project_id, "gigabytes", -1)
    plane.create(None, 3)
    calls = [event for event in plane.simulation.history if event.step == "driver.create_volume"]
    plane.cloud.manager(HERE).publish_service_capabilities()
    plane.cloud.manager(THERE).publish_service_capabilities()
    plane.create(None, 5)
    later = [event for event in plane.simulation.history if event.step == "driver.create_volume"]
    return [len(calls), plane.volumes(), len(later) - len(calls)]


def clone_without_room(plane: Plane) -> list[Any]:
    """A clone is scheduled to the pool of its original only."""
    volume = plane.create()
    plane.occupy(HERE)
    plane.cloud.manager(HERE).publish_service_capabilities()
    plane.create(None, 1, source_volid=volume.id)
    return [plane.volumes(), plane.objects(HERE)]


def group_with_members(plane: Plane) -> str:
    group = plane.group()
    for size in (1, 2):
        plane.member(group, size)
    return group


QUOTA = ("groups", "volumes", "snapshots", "gigabytes")


def group_snapshotted(plane: Plane) -> list[Any]:
    group = group_with_members(plane)
    snapshot = plane.snapshot_group(group)
    found = [plane.groups(), plane.used(*QUOTA), plane.delete_group(group)]
    plane.copy_group(snapshot=snapshot)
    return [*found, plane.groups(), plane.volumes(), plane.used(*QUOTA), plane.objects(HERE)]


def group_snapshot_fails(plane: Plane) -> list[Any]:
    group = group_with_members(plane)
    plane.fail("driver.create_snapshot", "eio", nth=2)
    plane.snapshot_group(group)
    return [plane.groups(), plane.used(*QUOTA)]


def group_copied(plane: Plane) -> list[Any]:
    group = group_with_members(plane)
    plane.copy_group(group=group)
    return [plane.groups(), plane.volumes(), plane.used(*QUOTA), plane.objects(HERE)]


def group_copy_fails(plane: Plane) -> list[Any]:
    """The driver fails for one volume, which becomes available all the same."""
    group = group_with_members(plane)
    plane.fail("driver.create_cloned_volume", "eio", nth=1)
    plane.copy_group(group=group)
    return [plane.groups(), plane.volumes(), plane.used(*QUOTA), plane.objects(HERE)]


def group_deleted(plane: Plane) -> list[Any]:
    group = group_with_members(plane)
    plane.delete_group(group)
    counted = plane.cloud.manager(HERE).allocated_capacity_gb
    return [plane.groups(), plane.volumes(), plane.used(*QUOTA), plane.objects(HERE), dict(counted)]


class Story(NamedTuple):
    """What happens, and what is left."""

    happens: Callable[[Plane], list[Any]]
    left: list[Any]


FULL = [2, 4, 0, 6]
STORIES = {
    "a service that died while it created": Story(
        died_while_creating, [["creating/-"], ["error/-"], [1]]
    ),
    "a service that died while it deleted goes on": Story(
        died_while_deleting, [["deleting/-"], [], 0, [0]]
    ),
    "a service that died while it copied leaves the migration alone": Story(
        died_while_copying, [["available/migrating"], 400]
    ),
    "a request that is lost is never over": Story(request_lost, [["available/starting"], 400]),
    "an answer that is lost leaves two copies": Story(
        answer_lost, [["available/-", "available/error"], 1, 1]
    ),
    "nobody moves to a service that is down": Story(service_down, [400, ["available/-"]]),
    "a frozen back-end is not to be changed": Story(
        frozen,
        [[True, True, "frozen"], 400, 400, 400, ["available/-", "available/-"], [False, False, ""], 400],
    ),
    "LIO does not detach without a connector": Story(
        detached_by_force, [["in-use/-"], 500, ["in-use/-"], None, ["available/-"]]
    ),
    "only Nova takes a volume from its server": Story(
        held_by_a_server, [409, ["in-use/-"], ["available/-"]]
    ),
    "a scheduler with old stats tries three times": Story(stats_are_old, [3, ["error/-", "error/-"], 0]),
    "a clone needs room where its original is": Story(clone_without_room, [["available/-", "error/-"], 2]),
    "a group is made of a group's snapshot, for the gigabytes of none": Story(
        group_snapshotted,
        [
            ["available", "available", "available available"], [1, 2, 2, 6], 400,
            ["available available", "available", "available available"], ["available/-"] * 4, [2, 4, 2, 6], 6,
        ],
    ),
    "a group's snapshot fails with one of its snapshots": Story(
        group_snapshot_fails, [["available", "error", "available error"], [1, 2, 2, 6]]
    ),
    "a group is made of a group": Story(
        group_copied, [["available available", "", ""], ["available/-"] * 4, FULL, 4]
    ),
    "a copy that fails is not heard of": Story(
        group_copy_fails, [["available available", "", ""], ["available/-"] * 4, FULL, 3]
    ),
    "a group that is deleted is counted on": Story(
        group_deleted, [["", "", ""], [], [0, 0, 0, 0], 0, {"lvm-a": 3}]
    ),
}  # fmt: skip


def tell(happens: Callable[[Plane], list[Any]], kind: type[Plane], launch: Launch) -> list[Any]:
    plane = kind(launch)
    try:
        return happens(plane)
    finally:
        plane.close()


def told_by_the_real_cinder() -> dict[str, list[Any]]:
    """What is left of every story, in a process of its own, which alone imports Cinder."""
    from harness.cinder_engine.boot import Process

    with Process(Deployment.default()) as process:
        from harness.cinder_engine.cloud import CinderCloud

        launch = partial(CinderCloud, process)
        return {name: tell(story.happens, Real, launch) for name, story in STORIES.items()}


@pytest.fixture(scope="module")
def told() -> dict[str, list[Any]]:
    """What is left on the real Cinder."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(told_by_the_real_cinder).result()


@pytest.mark.parametrize("name", STORIES)
def test_the_simulation_tells_the_story(name: str) -> None:
    """Whether Cinder is installed or not."""
    assert tell(STORIES[name].happens, Simulated, Cloud) == STORIES[name].left


@pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)
@pytest.mark.parametrize("name", STORIES)
def test_cinder_tells_the_same(told: dict[str, list[Any]], name: str) -> None:
    """With its own API, scheduler, services and drivers."""
    assert told[name] == STORIES[name].left
