"""The same plan of faults works at every named point of every kind of storage.

A workout does everything once that a kind of storage can do. For each visit of a point and each kind of fault
it is done again: the error comes out of the step that was struck, the step has changed nothing (or what its
docstring says), and after healing the workout goes on and ends as if nothing had happened.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from fake_backends import targets
from fake_backends.block_store import CHUNK, PAGE, BlockDevice, MemoryDevice
from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.host.cryptsetup import Cryptsetup
from fake_backends.host.paths import Host
from fake_backends.lvm import dd, volume_group
from fake_backends.lvm.in_files.group import create_group
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.nfs import qemu_img, share
from fake_backends.nfs.share import Share
from fake_backends.rbd import image, pool
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.features import JOURNALING
from fake_backends.rbd.pool import Pool
from fake_backends.targets import TargetPortal
from harness.errors import Busy, NoSpace, StorageError
from harness.sim.faults import ERRORS, Fault
from harness.sim.simulation import Simulation
from tests.fake_backends.laws import bytes_of

Step = Callable[[], object]
KINDS = [*ERRORS, "crash", "delay"]
DELAY_US = 123_456_789
LEAVES_A_PART = {"lvm.dd", "rbd.copy"}
"""Points inside of one operation, which leaves what it has done so far, as the real one does."""


class Workout(NamedTuple):
    """Steps on a new storage, and what the storage shows."""

    steps: list[Step]
    shown: Callable[[], object]


@dataclass(frozen=True)
class Write:
    """Somebody writes to an open device. Who does it, a guest or dd, passes the points."""

    open_device: Callable[[], Any]
    data: bytes
    offsets: range = range(1)

    def __call__(self) -> None:
        device = self.open_device()
        for offset in self.offsets:
            device.write(offset, self.data)
        if hasattr(device, "close"):
            device.close()


@dataclass(frozen=True)
class Copy:
    """A copy leaves the part that it has made, as librbd's does; who copies again removes that first."""

    pool: Pool
    name: str
    copy: str

    def __call__(self) -> None:
        if self.copy in self.pool:
            self.pool.remove(self.copy)
        self.pool.copy(self.name, self.pool, self.copy)


def lvm(simulation: Simulation, home: Directory | None = None) -> Workout:
    sizes = [20 * CHUNK]
    if home is None:
        group = VolumeGroup("vg", sizes, points=simulation)
    else:
        group = create_group(home, "vg", sizes, points=simulation)

    def shown() -> object:
        volumes = {
            name: (volume.size, volume.active, volume.merging, bytes_of.read(volume))
            for name, volume in group.volumes.items()
        }
        pools = [(name, group.pool(name).size, group.pool(name).data_used) for name in group.pools()]
        return volumes, pools, group.free

    steps: list[Step] = [
        lambda: group.create("a", 2 * CHUNK),
        Write(lambda: group.open("a"), b"a" * PAGE),
        lambda: group.create("copy", 2 * CHUNK),
        lambda: dd.copy((group, "a"), (group, "copy"), 2 * CHUNK, sparse=False, points=simulation),
        lambda: group.create_thin_pool("pool", CHUNK),
        lambda: group.create_thin("thin", CHUNK, "pool"),
        lambda: group.snapshot("thin", "thin-snap", None),
        lambda: group.activate("thin-snap"),
        lambda: group.snapshot("a", "snap", CHUNK),
        Write(lambda: group.open("a"), b"b" * PAGE),
        lambda: group.merge("snap"),
        lambda: group.rename("a", "renamed"),
        lambda: group.extend("renamed", 3 * CHUNK),
        lambda: group.deactivate("renamed"),
        lambda: group.activate("renamed"),
        lambda: dd.clear(group, "renamed", CHUNK, points=simulation),
        lambda: group.snapshot("renamed", "last", CHUNK),
        lambda: dd.clear_store(group, "last", CHUNK, points=simulation),
        lambda: group.remove("pool", cascade=True),
    ]
    return Workout(steps, shown)


def rbd(simulation: Simulation, home: Directory | None = None) -> Workout:
    ceph = Cluster("ceph", points=simulation, home=home)
    pool = ceph.create_pool("volumes")

    def shown() -> object:
        images = {
            one.name: (
                one.size,
                one.features,
                one.metadata,
                {number: dict(chunk) for number, chunk in one.head.chunks.items()},
                [(each.name, each.protected, dict(each.chunks), len(each.children)) for each in one.snapshots],
                one.head.parent is not None,
                one.trashed,
            )
            for one in [*pool.images.values(), *(trashed.image for trashed in pool.trash.values())]
        }
        return images, pool.statistics()

    steps: list[Step] = [
        lambda: pool.create("a", 2 * CHUNK),
        Write(lambda: pool.open("a"), b"a" * PAGE),
        lambda: pool.image("a").create_snapshot("s"),
        lambda: pool.image("a").rename_snapshot("s", "s1"),
        lambda: pool.image("a").protect_snapshot("s1"),
        lambda: pool.clone("a", "s1", "child"),
        Write(lambda: pool.open("a"), b"b" * PAGE),
        lambda: pool.image("a").rollback("s1"),
        lambda: pool.image("child").flatten(),
        lambda: pool.image("a").unprotect_snapshot("s1"),
        lambda: pool.image("a").remove_snapshot("s1"),
        lambda: pool.image("a").resize(3 * CHUNK),
        lambda: pool.image("a").set_features(JOURNALING, True),
        lambda: pool.image("a").metadata_set("key", "value"),
        lambda: pool.deep_copy(pool.image("a"), pool, "deep"),
        lambda: pool.image("a").config_set("rbd_qos_iops_limit", "100"),
        lambda: pool.image("a").config_remove("rbd_qos_iops_limit"),
        lambda: pool.image("a").resize(10 * CHUNK),
        Write(lambda: pool.open("a"), b"c" * PAGE, range(0, 10 * CHUNK, CHUNK)),
        Copy(pool, "a", "copy"),
        lambda: pool.rename("a", "renamed"),
        lambda: pool.trash_move("renamed"),
        lambda: pool.trash_restore(next(iter(pool.trash))),
        lambda: pool.trash_move("copy"),
        lambda: pool.trash_remove(next(iter(pool.trash))),
        lambda: pool.remove("child"),
    ]
    return Workout(steps, shown)


def iscsi(simulation: Simulation) -> Workout:
    portal = TargetPortal("node1", "192.0.2.1", points=simulation)
    disk: BlockDevice = MemoryDevice(CHUNK)
    opened: list[BlockDevice] = []

    def opens() -> BlockDevice:
        opened.append(disk)
        return disk

    def shown() -> object:
        sessions = [(session.iqn, session.initiator) for session in portal.sessions]
        exports = [(target.iqn, tuple(target.allowed or ())) for target in portal.targets.values()]
        return exports, sessions, len(opened)

    steps: list[Step] = [
        lambda: portal.create_target("iqn.a", opens, opened.remove, allowed=[]),
        lambda: portal.allow("iqn.a", "iqn.host"),
        lambda: portal.login("iqn.a", "iqn.host", None),
        lambda: portal.logout(portal.sessions[0]),
        lambda: portal.login("iqn.a", "iqn.host", None),
        lambda: portal.deny("iqn.a", "iqn.host"),
        lambda: portal.create_target("iqn.b", opens, opened.remove),
        lambda: portal.remove_target("iqn.a"),
    ]
    return Workout(steps, shown)


def nfs(simulation: Simulation, home: Directory | None = None) -> Workout:
    export = Share("192.0.2.1:/export", 1 << 30, points=simulation, home=home)

    def shown() -> object:
        files = {
            name: (export.file(name).size, export.file(name).mode, bytes_of.read(export.file(name)))
            for name in export.names()
        }
        return files, export.statistics()

    steps: list[Step] = [
        lambda: export.truncate("a", CHUNK),
        lambda: export.chmod("a", 0o660),
        lambda: export.fill("full", CHUNK),
        lambda: export.write_text("a.info", "{}"),
        lambda: export.rename("full", "b"),
        lambda: qemu_img.create(export, "base", CHUNK),
        lambda: qemu_img.create(export, "over", CHUNK, backing="base"),
        Write(lambda: qemu_img.open_image(export, "over"), b"x" * PAGE),
        lambda: qemu_img.commit(export, "over"),
        lambda: qemu_img.resize(export, "over", 2 * CHUNK),
        lambda: qemu_img.convert(export, "over", (export, "raw"), "raw"),
        lambda: qemu_img.rebase(export, "over", "raw"),
        lambda: qemu_img.pull(export, "over", down_to=None),
        lambda: export.remove("b"),
    ]
    return Workout(steps, shown)


def luks(simulation: Simulation) -> Workout:
    """cryptsetup tells what struck by a status and a line; what is not an errno comes through."""
    group = VolumeGroup("vg", [20 * CHUNK])
    group.create("a", 8 * CHUNK)
    host = Host("host", points=simulation)
    host.volume_groups["vg"] = group
    command = Cryptsetup(host)

    def shown() -> object:
        mappings = [one for one in ("plain",) if host.exists(f"/dev/mapper/{one}")]
        return mappings, bytes_of.read(group.volume("a")), len(group.volume("a").openers)

    def run(line: str, stdin: bytes = b"key") -> None:
        done = command.execute(line.split(), stdin)
        if done.rc:
            full = "No space" in done.stderr
            raise (Busy if done.rc == 5 else NoSpace if full else StorageError)(done.stderr)

    steps: list[Step] = [
        partial(run, "-q luksFormat --type luks1 --key-file=- /dev/vg/a"),
        partial(run, "open --key-file=- /dev/vg/a plain"),
        partial(run, "resize plain"),
        partial(run, "close plain"),
        partial(run, "luksOpen --key-file=- /dev/vg/a plain"),
        partial(run, "luksClose plain"),
        partial(run, "luksAddKey -q /dev/vg/a", b"key\nother"),
        partial(run, "luksChangeKey -q /dev/vg/a", b"other\nthird"),
        partial(run, "luksRemoveKey /dev/vg/a", b"third"),
    ]
    return Workout(steps, shown)


WORKOUTS: dict[str, Callable[[Simulation], Workout]] = {
    "lvm": lvm,
    "rbd": rbd,
    "iscsi": iscsi,
    "nfs": nfs,
    "luks": luks,
    "lvm in files": lambda simulation: lvm(simulation, fake_directory()),
    "rbd in files": lambda simulation: rbd(simulation, fake_directory()),
    "nfs in files": lambda simulation: nfs(simulation, fake_directory()),
}
SOURCES: dict[str, tuple[ModuleType, ...]] = {
    "lvm": (volume_group, dd),
    "rbd": (pool, image),
    "iscsi": (targets,),
    "nfs": (share, qemu_img),
}


class Run:
    """A workout in a simulated world, one task for each step."""

    def __init__(self, kind: str, faults: list[Fault]) -> None:
        self.simulation = Simulation(faults=faults)
        self.simulation.crash = lambda actor: self.simulation.kernel.kill(self.task)
        self.workout = WORKOUTS[kind](self.simulation)

    def do(self, step: Step) -> tuple[str, BaseException | None]:
        """How a step ends: done, failed (and with what), or crashed."""
        kernel = self.simulation.kernel
        self.task = kernel.spawn("c-vol", step)
        kernel.run()
        if self.task.dead:
            return "crashed", None
        return ("done", None) if self.task.error is None else ("failed", self.task.error)

    def points(self) -> list[str]:
        """What was passed, in order."""
        return [event.step for event in self.simulation.history]


def _clean(kind: str) -> tuple[list[str], object, int]:
    """The points of a workout without faults, what it ends with, and when."""
    run = Run(kind, [])
    for step in run.workout.steps:
        before, passed = run.workout.shown(), len(run.points())
        assert run.do(step) == ("done", None), f"{step}"
        if run.workout.shown() != before and not isinstance(step, Write):
            assert len(run.points()) > passed, f"{inspect.getsource(step).strip()} passes no point"
    return run.points(), run.workout.shown(), run.simulation.kernel.now_us


@pytest.mark.parametrize("kind", SOURCES)
def test_a_workout_passes_every_point_that_there_is(kind: str) -> None:
    """A point that is new in the source belongs into the workout."""
    source = "".join(inspect.getsource(module) for module in SOURCES[kind])
    named = set(re.findall(r'visit\(\s*"(?:[a-z]+\.)?(\w+)"', source))
    passed = {point.removeprefix(f"{kind}.") for point in _clean(kind)[0]}
    assert passed == named


@pytest.mark.parametrize("fault", KINDS)
@pytest.mark.parametrize("kind", WORKOUTS)
def test_a_fault_comes_out_changes_nothing_and_heals(kind: str, fault: Any) -> None:
    """At every visit of every point."""
    sweep(kind, fault)


def sweep(kind: str, fault: Any) -> None:
    """A workout for each visit that there is, with that fault at it."""
    points, end, clean_us = _clean(kind)
    for index, point in enumerate(points):
        nth = points[: index + 1].count(point)
        run = Run(kind, [Fault(point=point, kind=fault, nth=nth, delay_us=DELAY_US)])
        struck = sum(_struck(run, step, point, fault) for step in run.workout.steps)
        assert struck == (fault != "delay"), f"{fault} at {point} was swallowed"
        assert run.workout.shown() == end, f"after {fault} at {point} something else is left"
        if fault == "delay":
            assert run.simulation.kernel.now_us == clean_us + DELAY_US


def _struck(run: Run, step: Step, point: str, fault: str) -> bool:
    """Whether the fault struck this step, which is then done again."""
    before = run.workout.shown()
    outcome, error = run.do(step)
    if outcome == "done":
        return False
    assert point in LEAVES_A_PART or run.workout.shown() == before, f"{fault} at {point} has changed something"
    if fault == "crash":
        assert outcome == "crashed"
    else:
        assert type(error) is type(ERRORS[fault](point))
        assert point in str(error)
    assert run.do(step) == ("done", None), f"{step} does not heal"
    return True


def _nothing(*args: object, **kwargs: object) -> None:
    """What should happen does not."""


def _too_early(self: TargetPortal, iqn: str) -> None:
    self.targets[iqn].allowed = {"too early": None}
    _remove_target(self, iqn)


def _swallows(self: Share, command: str, line: str, *, cost_us: int = 0) -> None:
    try:
        _visit(self, command, line, cost_us=cost_us)
    except StorageError:
        pass


_remove_target, _visit = TargetPortal.remove_target, Share.visit

PLANTED = {
    "a change before the point": ("iscsi", TargetPortal, "remove_target", _too_early, "has changed something"),
    "an error is swallowed": ("nfs", Share, "visit", _swallows, "was swallowed"),
    "a change without a point": ("iscsi", TargetPortal, "_visit", _nothing, "passes no point"),
}


@pytest.mark.parametrize(("kind", "owner", "name", "fault", "words"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_caught(
    monkeypatch: pytest.MonkeyPatch, kind: str, owner: object, name: str, fault: object, words: str
) -> None:
    """The sweep sees storage that does not keep to its points."""
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError, match=words):
        sweep(kind, "eio")
