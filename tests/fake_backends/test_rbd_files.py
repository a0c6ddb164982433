"""A cluster in files is the cluster in memory, also after it was opened again, or killed on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fake_backends.block_store import CHUNK, PAGE, copy_range
from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.real import RealDirectory
from fake_backends.files.storage import StorageDirectory
from fake_backends.files.watched import WatchedDirectory
from fake_backends.rbd.bindings import Modules, modules
from fake_backends.rbd.bindings.configuration import Configuration
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.differences import between
from fake_backends.rbd.features import DEEP_FLATTEN, DEFAULT
from fake_backends.rbd.layers import Layer
from fake_backends.rbd.pool import Pool
from fake_backends.rbd.reopening import open_cluster
from harness.errors import CrucibleError, InputError

MIB = 1 << 20


def show_layer(layer: Layer) -> dict[str, Any]:
    """Everything that a layer shows, and what it takes."""
    return {
        "size": layer.size,
        "overlap": layer.overlap,
        "own": list(layer.own.ranges()),
        "inherited": list(layer.inherited.ranges()),
        "parent": layer.parent and (layer.parent.image.id, layer.parent.snapshot.id, layer.parent.clone_format),
        "content": {number: dict(chunk) for number, chunk in layer.chunks.items() if chunk},
    }


def show(cluster: Cluster) -> dict[str, Any]:
    """Everything that there is in a cluster."""
    shown: dict[str, Any] = {"statistics": cluster.statistics()}
    for pool in cluster.pools.values():
        shown[pool.name] = pool.max_bytes, pool.statistics(), sorted(pool.trash)
        for image in [*pool.images.values(), *(trashed.image for trashed in pool.trash.values())]:
            shown[f"{pool.name}/{image.id}"] = {
                "name": image.name,
                "trashed": image.trashed and pool.trash[image.id].delay_s,
                "features": image.features,
                "order": image.order,
                "metadata": image.metadata,
                "head": show_layer(image.head),
                "snapshots": [
                    {
                        "id": snapshot.id,
                        "name": snapshot.name,
                        "protected": snapshot.protected,
                        "trashed_from": snapshot.trashed_from,
                        "changed": list(snapshot.changed.ranges()),
                        "children": sorted(child.id for child in snapshot.children),
                        **show_layer(snapshot),
                    }
                    for snapshot in image.snapshots
                ],
            }
    return shown


def write(pool: Pool, name: str, offset: int, data: bytes) -> None:
    with pool.open(name) as handle:
        handle.write(offset, data)


# ----------------------------------------------------------------------------------- any sequence of operations

names = st.sampled_from(["a", "b", "c", "d"])
snapshots = st.sampled_from(["s1", "s2", "s3"])
pools = st.sampled_from(["volumes", "images"])
sizes = st.sampled_from([CHUNK, 3 * CHUNK, 3 * CHUNK - 5000, 2 * CHUNK + 100, 9 * PAGE])
offsets = st.sampled_from([0, 100, PAGE, CHUNK - 1, CHUNK, 2 * CHUNK + 50, 2 * CHUNK + PAGE])
contents = st.builds(
    lambda byte, length: bytes([byte]) * length,
    st.integers(0, 3),
    st.sampled_from([1, 100, PAGE, 2 * PAGE, CHUNK]),
)
which = st.integers(0, 5)
"""Which of the images or snapshots that there are."""


class FilesLikeMemory(RuleBasedStateMachine):
    """The same operations on two clusters; one of them is closed and opened again now and then."""

    def __init__(self, home: Directory) -> None:
        super().__init__()
        self.home = home
        self.memory, self.files = Cluster("ceph"), open_cluster("ceph", home)
        for cluster in (self.memory, self.files):
            cluster.create_pool("volumes")
            cluster.create_pool("images", 64 * MIB)
        self.both(lambda cluster: cluster.pool("volumes").create("a", 3 * CHUNK))

    def both(self, operation: Callable[[Cluster], object]) -> None:
        """Carry out, or be refused with the same words."""
        outcomes = []
        for cluster in (self.memory, self.files):
            try:
                operation(cluster)
                outcomes.append("done")
            except CrucibleError as error:
                outcomes.append(f"{type(error).__name__}: {error}")
        assert outcomes[0] == outcomes[1]

    def on_image(self, number: int, operation: Callable[[Pool, str], object]) -> None:
        """On one of the images that there are."""
        found = [(pool.name, name) for pool in self.memory.pools.values() for name in pool.images]
        if found:
            pool, name = found[number % len(found)]
            self.both(lambda cluster: operation(cluster.pool(pool), name))

    def on_snapshot(self, number: int, operation: Callable[[Pool, str, str], object]) -> None:
        """On one of the snapshots that there are."""
        images = [image for pool in self.memory.pools.values() for image in pool.images.values()]
        found = [
            (image.pool.name, image.name, snapshot.name) for image in images for snapshot in image.snapshots
        ]
        if found:
            pool, name, snapshot = found[number % len(found)]
            self.both(lambda cluster: operation(cluster.pool(pool), name, snapshot))

    @rule(pool=pools, name=names, size=sizes)
    def create(self, pool: str, name: str, size: int) -> None:
        self.both(lambda cluster: cluster.pool(pool).create(name, size))

    @rule(image=which, offset=offsets, content=contents)
    def write(self, image: int, offset: int, content: bytes) -> None:
        self.on_image(image, lambda pool, name: write(pool, name, offset, content))

    @rule(image=which, other=which)
    def copy_densely(self, image: int, other: int) -> None:
        def copy(source: Pool, name: str) -> None:
            def to(pool: Pool, target: str) -> None:
                with source.open(name) as reader, pool.open(target) as writer:
                    if reader.size % CHUNK == writer.size % CHUNK == 0:
                        copy_range(reader, writer, 0, writer.chunk_count)

            found = [(pool, target) for pool in source.cluster.pools.values() for target in pool.names()]
            to(*found[other % len(found)])

        self.on_image(image, copy)

    @rule(image=which, size=sizes)
    def resize(self, image: int, size: int) -> None:
        self.on_image(image, lambda pool, name: pool.image(name).resize(size))

    @rule(image=which, snapshot=snapshots)
    def create_snapshot(self, image: int, snapshot: str) -> None:
        self.on_image(image, lambda pool, name: pool.image(name).create_snapshot(snapshot))

    @rule(snapshot=which)
    def remove_snapshot(self, snapshot: int) -> None:
        self.on_snapshot(snapshot, lambda pool, name, snap: pool.image(name).remove_snapshot(snap))

    @rule(snapshot=which)
    def unprotect(self, snapshot: int) -> None:
        self.on_snapshot(snapshot, lambda pool, name, snap: pool.image(name).unprotect_snapshot(snap))

    @rule(snapshot=which)
    def rollback(self, snapshot: int) -> None:
        self.on_snapshot(snapshot, lambda pool, name, snap: pool.image(name).rollback(snap))

    @rule(snapshot=which, child=names, version=st.sampled_from([1, 2]), deep=st.booleans())
    def clone(self, snapshot: int, child: str, version: int, deep: bool) -> None:
        features = DEFAULT if deep else DEFAULT & ~DEEP_FLATTEN

        def make(pool: Pool, name: str, snap: str) -> None:
            if version == 1 and not pool.image(name).snapshot(snap).protected:
                pool.image(name).protect_snapshot(snap)
            target = pool.cluster.pool("volumes")
            pool.clone(name, snap, child, target, clone_format=version, features=features)

        self.on_snapshot(snapshot, make)

    @rule(image=which)
    def flatten(self, image: int) -> None:
        self.on_image(image, lambda pool, name: pool.image(name).flatten())

    @rule(image=which, new_name=names)
    def rename(self, image: int, new_name: str) -> None:
        self.on_image(image, lambda pool, name: pool.rename(name, new_name))

    @rule(image=which, new_name=names)
    def copy(self, image: int, new_name: str) -> None:
        self.on_image(image, lambda pool, name: pool.copy(name, pool.cluster.pool("volumes"), new_name))

    @rule(image=which)
    def remove(self, image: int) -> None:
        self.on_image(image, lambda pool, name: pool.remove(name))

    @rule(image=which, delay=st.sampled_from([0, 60]))
    def trash(self, image: int, delay: int) -> None:
        self.on_image(image, lambda pool, name: pool.trash_move(name, delay))

    @rule(restore=st.booleans())
    def leave_trash(self, restore: bool) -> None:
        for name, pool in self.memory.pools.items():
            for image_id in list(pool.trash):
                self.both(partial(_leave_trash, name, image_id, restore))

    @rule()
    def reopen(self) -> None:
        self.files = open_cluster("ceph", self.home)
        for name, pool in self.files.pools.items():
            # The number of an image that is gone may be given again after a restart.
            pool.images_made = self.memory.pool(name).images_made

    @invariant()
    def nothing_differs(self) -> None:
        assert show(self.files) == show(self.memory)


def _leave_trash(pool: str, image_id: str, restore: bool, cluster: Cluster) -> None:
    if restore:
        cluster.pool(pool).trash_restore(image_id)
    else:
        cluster.pool(pool).trash_remove(image_id)


@pytest.mark.parametrize("kind", ["real", "fake"])
def test_any_sequence_of_operations_gives_what_memory_gives(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Content, layers, space, names, refusals; reopened at any time."""

    class Machine(FilesLikeMemory):
        def __init__(self) -> None:
            real = kind == "real"
            super().__init__(RealDirectory(tmp_path_factory.mktemp("ceph")) if real else fake_directory())

    Machine.TestCase.settings = settings(
        max_examples=12,
        stateful_step_count=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    Machine.TestCase().runTest()


# -------------------------------------------------------------------------------------------- killed on the way


class Killed(BaseException):
    """The process ends here."""


def stored(home: Directory) -> Cluster:
    """A parent with data and snapshots, a clone in each format, an image in the trash."""
    cluster = open_cluster("ceph", home)
    pool = cluster.create_pool("volumes")
    parent = pool.create("parent", 3 * CHUNK)
    write(pool, "parent", 0, b"old" * PAGE)
    write(pool, "parent", 2 * CHUNK - 10, b"on the border of two objects")
    parent.create_snapshot("s1")
    parent.protect_snapshot("s1")
    write(pool, "parent", 100, b"newer")
    parent.create_snapshot("s2")
    write(pool, "parent", CHUNK, b"newest")
    pool.clone("parent", "s1", "child")
    write(pool, "child", CHUNK + 5, b"the child's own")
    pool.image("child").create_snapshot("s3")
    pool.clone("parent", "s2", "young", clone_format=2)
    parent.remove_snapshot("s2")
    pool.create("other", CHUNK)
    trashed = pool.create("unwanted", CHUNK)
    pool.trash_move("unwanted")
    assert trashed.trashed
    return cluster


CHANGES: dict[str, Callable[[Pool], object]] = {
    "create": lambda pool: pool.create("new", CHUNK),
    "create pool": lambda pool: pool.cluster.create_pool("images", 64 * MIB),
    "remove": lambda pool: pool.remove("other"),
    "remove a clone": lambda pool: pool.remove("young"),
    "rename": lambda pool: pool.rename("child", "renamed"),
    "grow": lambda pool: pool.image("parent").resize(7 * CHUNK),
    "shrink": lambda pool: pool.image("parent").resize(CHUNK - 5),
    "shrink to nothing": lambda pool: pool.image("parent").resize(0),
    "shrink a clone": lambda pool: pool.image("young").resize(CHUNK + 3),
    "snapshot": lambda pool: pool.image("parent").create_snapshot("s4"),
    "remove a snapshot": lambda pool: pool.image("child").remove_snapshot("s3"),
    "rename a snapshot": lambda pool: pool.image("parent").rename_snapshot("s1", "s9"),
    "protect": lambda pool: pool.image("child").protect_snapshot("s3"),
    "roll back": lambda pool: pool.image("parent").rollback("s1"),
    "clone": lambda pool: pool.clone("parent", "s1", "third", features=DEFAULT & ~DEEP_FLATTEN),
    "flatten": lambda pool: pool.image("child").flatten(),
    "flatten the last clone": lambda pool: pool.image("young").flatten(),
    "features": lambda pool: pool.image("parent").set_features(DEEP_FLATTEN, False),
    "configuration": lambda pool: pool.image("parent").config_set("rbd_qos_iops_limit", "100"),
    "move to trash": lambda pool: pool.trash_move("child", 60),
    "restore from trash": lambda pool: pool.trash_restore(next(iter(pool.trash))),
    "remove from trash": lambda pool: pool.trash_remove(next(iter(pool.trash))),
    "write in place": lambda pool: write(pool, "parent", CHUNK + 10, b"!"),
    "write over a snapshot": lambda pool: write(pool, "parent", 2 * CHUNK + 10, b"!"),
    "write over a parent": lambda pool: write(pool, "child", 10, b"!"),
    "write a new object": lambda pool: write(pool, "other", PAGE, b"!"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_cut_off_has_happened_or_has_not(change: str) -> None:
    """Killed before each of its steps on files in turn: the old state or the new one, and never a third.

    A snapshot that waited for its last clone goes with it, at the latest when the cluster is opened again.
    """
    home = fake_directory()
    before = show(stored(home))
    cluster = open_cluster("ceph", home)
    assert show(cluster) == before
    CHANGES[change](cluster.pool("volumes"))
    after = show(cluster)
    assert after != before
    killed_at = 0
    while True:
        home, steps = fake_directory(), iter(range(killed_at))
        stored(home)

        def step(operation: str) -> None:
            if next(steps, None) is None:  # noqa: B023 - called before the next round
                raise Killed(operation)

        try:
            CHANGES[change](open_cluster("ceph", WatchedDirectory(home, step)).pool("volumes"))
        except Killed:
            assert show(open_cluster("ceph", home)) in (before, after)
            # What was left behind is gone, so nothing is different the next time.
            assert show(open_cluster("ceph", home)) in (before, after)
            killed_at += 1
        else:
            break
    assert killed_at > 0
    assert show(open_cluster("ceph", home)) == after


def test_files_that_nobody_needs_are_removed() -> None:
    """After everything was removed, only the records of cluster and pool are left."""
    home = fake_directory()
    cluster = stored(home)
    pool = cluster.pool("volumes")
    for name in ("child", "young"):
        pool.image(name).flatten()
    pool.image("parent").unprotect_snapshot("s1")
    for name in ("parent", "child", "young", "other"):
        image = pool.image(name)
        for snapshot in list(image.snapshots):
            image.remove_snapshot(snapshot.name)
        directory = home.directory("volumes").directory(image.id)
        assert len(directory.names()) == 1 + len(image.head.own)
        pool.remove(name)
    pool.trash_remove(next(iter(pool.trash)))
    assert home.names() == ["cluster.json", "volumes"]
    assert home.directory("volumes").names() == ["pool.json"]


def test_what_a_killed_process_left_out_of_sight_is_removed(tmp_path: Path) -> None:
    """Half a file, and half of a directory that was being removed, wherever that can be."""
    home = RealDirectory(tmp_path)
    before = show(stored(home))
    image = tmp_path / "volumes" / "100000000001"
    for place in (tmp_path, image.parent, image):
        (place / ".new").write_bytes(b"half")
    (image.parent / ".new-doomed").mkdir()
    (image.parent / ".new-doomed" / "0.1").write_bytes(b"half")
    assert show(open_cluster("ceph", home)) == before
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".")] == []


def test_what_a_reader_has_stays_as_it_was() -> None:
    """Chunks that were loaded keep their content when the image is written to, rolled back or removed."""
    pool = open_cluster("ceph", fake_directory()).create_pool("volumes")
    image = pool.create("image", 2 * CHUNK)
    write(pool, "image", 0, b"first")
    image.create_snapshot("s")
    reader = pool.open("image", read_only=True)
    held = [reader.load(0)]
    write(pool, "image", 0, b"again")
    held.append(reader.load(0))
    write(pool, "image", 0, b"third")
    held.append(reader.load(0))
    image.rollback("s")
    image.remove_snapshot("s")
    held.append(reader.load(0))
    pool.remove("image")
    assert [chunk[0][:5] for chunk in held] == [b"first", b"again", b"third", b"first"]
    assert reader.load(0) == {}


def test_a_damaged_record_is_named() -> None:
    """One line with the file, and what is wrong in it."""
    home = fake_directory()
    stored(home)
    home.directory("volumes").directory("100000000001").replace("image.json", b'{"name": "parent"')
    with pytest.raises(InputError, match=r"image\.json .* is damaged"):
        open_cluster("ceph", home)


PROGRAM = """
import sys
from pathlib import Path
from fake_backends.files.storage import StorageDirectory
from fake_backends.rbd.reopening import open_cluster
with StorageDirectory(Path(sys.argv[1])) as storage:
    pool = open_cluster("ceph", storage.root.directory("ceph")).create_pool("volumes")
    number = 0
    while True:
        name = f"volume-{number}"
        image = pool.create(name, 8 << 20)
        with pool.open(name) as handle:
            handle.write(0, str(number).encode())
        image.create_snapshot("s")
        with pool.open(name) as handle:
            handle.write(0, b"changed")
        image.protect_snapshot("s")
        pool.clone(name, "s", f"clone-{number}")
        print(number, flush=True)
        number += 1
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """SIGKILL in the middle of the work; a second process finds everything that the first one has said."""
    path = tmp_path / "storage"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        said = [int(worker.stdout.readline()) for _ in range(20)]
        worker.send_signal(signal.SIGKILL)
        said += [int(line) for line in worker.stdout]
    with StorageDirectory(path, create=False) as storage:
        pool = open_cluster("ceph", storage.root.directory("ceph")).pool("volumes")
        for number in said:
            name = f"volume-{number}"
            with pool.open(name) as image, pool.open(name, snapshot="s", read_only=True) as snapshot:
                assert image.read(0, 7) == b"changed"
                assert snapshot.read(0, 7).rstrip(b"\0") == str(number).encode()
            with pool.open(f"clone-{number}") as clone:
                assert clone.read(0, 7).rstrip(b"\0") == str(number).encode()
            assert [child.name for child in pool.image(name).children("s")] == [f"clone-{number}"]
        # Of what was not acknowledged, the last step may be missing, and nothing else.
        assert len(pool.names()) - 2 * len(said) in (0, 1, 2)
        assert pool.statistics().used == sum(image.used_objects() for image in pool.images.values()) * CHUNK


def test_groups_namespaces_and_settings_are_found_again() -> None:
    """With the images in them, their snapshots, and clones across namespaces."""
    home = fake_directory()
    cluster = open_cluster("ceph", home)
    cluster.create_pool("volumes")
    pair = modules({"/etc/ceph/ceph.conf": Configuration(cluster)})
    rbd = pair.rbd
    ioctx = _ioctx(pair)
    rbd.RBD().mirror_mode_set(ioctx, 1)
    rbd.RBD().config_set(ioctx, "rbd_qos_iops_limit", "77")
    rbd.RBD().create(ioctx, "v", 8 << 20)
    rbd.RBD().group_create(ioctx, "gone")
    rbd.RBD().group_remove(ioctx, "gone")
    rbd.RBD().group_create(ioctx, "g")
    group = rbd.Group(ioctx, "g")
    group.add_image(ioctx, "v")
    group.create_snap("s")
    rbd.RBD().namespace_create(ioctx, "ns")
    part = _ioctx(pair)
    part.set_namespace("ns")
    rbd.RBD().create(part, "inside", 8 << 20)
    with rbd.Image(part, "inside") as image:
        image.write(b"data", 0)
        image.create_snap("base")
        image.protect_snap("base")
    rbd.RBD().clone(part, "inside", "base", ioctx, "clone")

    pair = modules({"/etc/ceph/ceph.conf": Configuration(open_cluster("ceph", home))})
    rbd, ioctx, part = pair.rbd, _ioctx(pair), _ioctx(pair)
    part.set_namespace("ns")
    assert rbd.RBD().mirror_mode_get(ioctx) == 1
    assert rbd.RBD().config_get(ioctx, "rbd_qos_iops_limit") == "77"
    assert rbd.RBD().group_list(ioctx) == ["g"]
    group = rbd.Group(ioctx, "g")
    assert [image["name"] for image in group.list_images()] == ["v"]
    assert [snapshot["name"] for snapshot in group.list_snaps()] == ["s"]
    group.rollback_to_snap("s")
    group.remove_snap("s")
    with rbd.Image(ioctx, "v", read_only=True) as image:
        assert list(image.list_snaps()) == []
    assert rbd.RBD().namespace_list(ioctx) == ["ns"]
    assert rbd.RBD().list(part) == ["inside"]
    with rbd.Image(ioctx, "clone", read_only=True) as image:
        assert image.read(0, 4) == b"data"
        assert image.parent_info() == ("volumes", "inside", "base")
    with pytest.raises(rbd.ImageBusy):
        rbd.RBD().namespace_remove(ioctx, "ns")


def test_what_was_written_since_a_snapshot_is_found_again() -> None:
    """As it was when the image was closed."""
    home = fake_directory()
    cluster = open_cluster("ceph", home)
    pool = cluster.create_pool("volumes")
    pool.create("v", 8 << 20)
    with pool.open("v") as handle:
        handle.write(0, b"a" * 8192)
        handle.image.create_snapshot("s")
        handle.write(100, b"b" * 50)
    image = open_cluster("ceph", home).pool("volumes").image("v")
    assert between(image, image.snapshot("s"), image.head, range(image.size)) == [(100, 50, True)]
    assert between(image, None, image.head, range(image.size)) == [(0, 8192, True)]


def _ioctx(pair: Modules) -> Any:
    client = pair.rados.Rados(conffile="/etc/ceph/ceph.conf")
    client.connect()
    return client.open_ioctx("volumes")
