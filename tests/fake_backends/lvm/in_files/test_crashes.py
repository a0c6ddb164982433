"""A process that is killed at any point leaves what was acknowledged, and all or nothing of the rest.

Killed means that the kernel lives on: what was written stays written. Of a write some pages may have happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec import msgpack

from fake_backends.block_store import EMPTY, PAGE, copy_range
from fake_backends.files.directory import Directory, SparseFile
from fake_backends.files.fake import fake_directory
from fake_backends.lvm.in_files.group import create_group, group_of, open_group
from fake_backends.lvm.in_files.thin_pool import FileThinPool
from fake_backends.lvm.logical_volume import ThickSnapshot
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import StorageError

Image: TypeAlias = Callable[[VolumeGroup], dict[str, Any]]
Operation: TypeAlias = Callable[[VolumeGroup], object]

MIB = 1 << 20
SIZES = (41 * MIB, 61 * MIB)


class Crash(BaseException):
    """The process is killed."""


class Fuse:
    """Burns with every operation that changes a file. At its end that raises `error`: the process is killed.

    It burns on afterwards: who survives an error of the disk can go on writing.
    """

    def __init__(self, error: BaseException | None = None) -> None:
        self.left = 1 << 30
        self.error = error or Crash()

    def burn(self) -> bool:
        """Whether all is well."""
        self.left -= 1
        return self.left >= 0 or (isinstance(self.error, StorageError) and self.left < -1)


class DyingFile(SparseFile):
    """A file whose writer is killed in the middle of an operation; what was written stays.

    Of a write half of the pages have been written, and no part of a page.
    """

    def __init__(self, file: SparseFile, fuse: Fuse) -> None:
        self._file = file
        self._fuse = fuse

    @property
    def size(self) -> int:
        return self._file.size

    @property
    def allocated(self) -> int:
        return self._file.allocated

    def read(self, offset: int, length: int) -> bytes:
        return self._file.read(offset, length)

    def write(self, offset: int, data: bytes) -> None:
        if not self._fuse.burn():
            end = (offset + len(data) // 2) // PAGE * PAGE
            self._file.write(offset, data[: max(0, end - offset)])
            raise self._fuse.error
        self._file.write(offset, data)

    def truncate(self, size: int) -> None:
        if not self._fuse.burn():
            raise self._fuse.error
        self._file.truncate(size)

    def data_ranges(self, first: int, last: int) -> Iterable[tuple[int, int]]:
        return self._file.data_ranges(first, last)

    def punch(self, first: int, last: int) -> None:
        if not self._fuse.burn():
            raise self._fuse.error
        self._file.punch(first, last)


def opened_in_a_process(home: Directory, fuse: Fuse) -> VolumeGroup:
    """The group, by a process that dies when the fuse is at its end."""
    return group_of({name: DyingFile(home.open(name), fuse) for name in home.names()})


@pytest.fixture(scope="module")
def furnished() -> Directory:
    """A directory with a group that has volumes of every kind, all of them written to."""
    home = fake_directory()
    group = create_group(home, "vg", SIZES)
    group.create("origin", 8 * MIB)
    group.volume("origin").write(0, b"o" * 20_000)
    group.create("plain", 4 * MIB)
    group.snapshot("origin", "thick", 4 * MIB)
    group.volume("origin").write(PAGE, b"new" * PAGE)
    group.create_thin_pool("pool", 8 * MIB)
    group.create_thin("thin", 100 * MIB, "pool")
    group.volume("thin").write(0, b"t" * 300_000)
    group.snapshot("thin", "copy", None)
    group.volume("thin").write(50_000, b"own" * 50_000)
    group.activate("copy")
    return home


def copy_of(home: Directory) -> Directory:
    """A directory with the same files."""
    copy = fake_directory()
    for name in home.names():
        size = home.open(name).size
        file = copy.create(name)
        file.copy_from(home.open(name), 0, size, 0)
        file.truncate(size)
    return copy


def merged(name: str) -> Operation:
    return lambda group: group.merge(name)


CHANGES: dict[str, Operation] = {
    "create": lambda group: group.create("new", 8 * MIB),
    "create thin": lambda group: group.create_thin("new", 50 * MIB, "pool"),
    "create a pool": lambda group: group.create_thin_pool("pool2", 8 * MIB),
    "snapshot": lambda group: group.snapshot("plain", "new", 4 * MIB),
    "thin snapshot": lambda group: group.snapshot("thin", "new", None),
    "thick snapshot of a thin volume": lambda group: group.snapshot("thin", "new", 4 * MIB),
    "remove with snapshots": lambda group: group.remove("origin", cascade=True),
    "remove a snapshot": lambda group: group.remove("thick"),
    "remove a thin origin": lambda group: group.remove("thin"),
    "remove a thin snapshot": lambda group: group.remove("copy"),
    "remove a pool": lambda group: group.remove("pool", cascade=True),
    "rename": lambda group: group.rename("origin", "renamed"),
    "rename a pool": lambda group: group.rename("pool", "renamed"),
    "extend": lambda group: group.extend("plain", 12 * MIB),
    "extend a store": lambda group: group.extend("thick", 8 * MIB),
    "extend a pool": lambda group: group.extend("pool", 16 * MIB),
    "extend a thin volume": lambda group: group.extend("thin", 200 * MIB),
    "merge": merged("thick"),
    "merge thin": merged("copy"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_whole_or_not_at_all(furnished: Directory, image: Image, change: Operation) -> None:
    """Killed at each of the operations on files that a command makes."""
    home = copy_of(furnished)
    before = image(open_group(home))
    change(open_group(home))
    after = image(open_group(home))
    assert before != after
    outcomes = []
    for operations in range(1000):
        home, fuse = copy_of(furnished), Fuse()
        group = opened_in_a_process(home, fuse)
        fuse.left = operations
        try:
            change(group)
            break
        except Crash:
            found = image(open_group(home))
            assert found in (before, after)
            outcomes.append(found == after)
    assert outcomes == sorted(outcomes), "what was done is undone by a later crash"


@pytest.fixture(scope="module")
def with_a_full_journal(furnished: Directory) -> Directory:
    """The same, with a pool whose next record needs a checkpoint."""
    home = copy_of(furnished)
    pool = open_group(home).pool("pool")
    assert isinstance(pool, FileThinPool)
    record = ["epoch", 1, 1000, b""]
    while pool._journal.append(msgpack.encode(record)):
        room = pool._journal._start(pool._journal._generation) + pool._journal._half_size - pool._journal._end
        record[-1] = bytes(max(0, room - 40))
    return home


THIN_CHANGES = [name for name in CHANGES if "thin" in name] + ["remove a pool"]


@pytest.mark.parametrize("name", THIN_CHANGES)
def test_a_change_is_whole_when_checkpoints_fall_into_it(
    with_a_full_journal: Directory, image: Image, name: str
) -> None:
    """The first record of the change does not fit into the journal any more."""
    test_a_change_is_whole_or_not_at_all(with_a_full_journal, image, CHANGES[name])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_a_disk_refuses_has_not_happened(
    furnished: Directory, image: Image, change: Operation
) -> None:
    """Or it has: what the group shows then is what the disks have, and is the old state or the new one."""
    home = copy_of(furnished)
    before = _as_kept(image(open_group(home)))
    change(open_group(home))
    after = _as_kept(image(open_group(home)))
    for operations in range(1000):
        home, fuse = copy_of(furnished), Fuse(StorageError("Input/output error"))
        group = opened_in_a_process(home, fuse)
        fuse.left = operations
        try:
            change(group)
        except StorageError:
            for origin in {one.origin for one in group.volumes.values() if one.merging and one.origin}:
                group.activate(origin.name)  # goes on with it
            shown = _as_kept(image(group))
            assert shown in (before, after)
            assert shown == _as_kept(image(open_group(home)))
        if fuse.left >= 0:
            break
        group.create("another", 4 * MIB)
        assert "another" in open_group(home)


def _as_kept(image: dict[str, Any]) -> dict[str, Any]:
    """An image without what metadata does not say: whether something is active."""
    return {
        name: {**shown, "flags": shown.get("flags", [None])[1:], "running": None}
        if isinstance(shown, dict)
        else shown
        for name, shown in image.items()
    }


WRITES: dict[str, tuple[str, int, bytes]] = {
    "to an origin, first time": ("origin", 5 * MIB, b"w" * 10_000),
    "to an origin, second time": ("origin", PAGE + 100, b"w" * 10_000),
    "to a thick snapshot": ("thick", PAGE // 2, b"w" * 30_000),
    "to shared blocks": ("copy", 100_000, b"w" * 100_000),
    "to blocks of its own": ("thin", 100_000, b"w" * 10_000),
    "to new blocks": ("thin", 10 * MIB + 100, b"w" * 200_000),
    "more than a store holds": ("origin", MIB, b"w" * 5 * MIB),
    "zeros over something": ("thin", 0, bytes(300_000)),
}


@pytest.mark.parametrize(("name", "offset", "data"), WRITES.values(), ids=WRITES)
def test_a_write_changes_its_own_pages_only(
    furnished: Directory, image: Image, name: str, offset: int, data: bytes
) -> None:
    """Each page is the old or the new one; snapshots, origins and all else show what they showed."""
    home = copy_of(furnished)
    before = image(open_group(home))
    open_and_write(open_group(home), name, offset, data)
    after = image(open_group(home))
    for operations in range(1000):
        home, fuse = copy_of(furnished), Fuse()
        group = opened_in_a_process(home, fuse)
        fuse.left = operations
        try:
            open_and_write(group, name, offset, data)
            break
        except Crash:
            found = image(open_group(home))
        for other in before.keys() - {name, "pool", "thick"}:
            assert found[other] == before[other]
        if name != "thick" and found["thick"]["content"] is not None:
            assert found["thick"]["content"] == before["thick"]["content"]
        for page in before[name]["content"] | after[name]["content"] | found[name]["content"]:
            pages = [shown[name]["content"].get(page) for shown in (before, after)]
            assert found[name]["content"].get(page) in pages
    assert image(open_group(home)) == after


def open_and_write(group: VolumeGroup, name: str, offset: int, data: bytes) -> None:
    group.activate(name)
    group.volume(name).write(offset, data)


names = st.sampled_from(["a", "b", "c", "d"])
sizes = st.integers(1, 4).map(lambda extents: extents * 4 * MIB)


@settings(max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
class _Groups(RuleBasedStateMachine):
    """The same commands to a group in memory and to one in files, which is killed and opened again."""

    image: Image

    def __init__(self) -> None:
        super().__init__()
        self.home = fake_directory()
        self.fuse = Fuse()
        create_group(self.home, "vg", SIZES)
        self.memory = VolumeGroup("vg", SIZES)
        self.files = opened_in_a_process(self.home, self.fuse)

    def run(self, operation: Operation) -> None:
        """Both say the same."""
        answers = []
        for group in (self.memory, self.files):
            try:
                answers.append(repr(operation(group)))
            except StorageError as error:
                answers.append(f"{type(error).__name__}: {error}")
        assert answers[0] == answers[1]

    def reopen(self) -> None:
        """The machine boots: in memory that is an activation of everything that does not skip it."""
        for volume in list(self.memory.volumes.values()):
            volume.active = not volume.skips_activation
        for volume in list(self.memory.volumes.values()):
            if isinstance(volume, ThickSnapshot):
                volume.active = volume.origin.active
            if volume.merging and volume.origin is not None and volume.origin.active:
                self.memory.activate(volume.origin.name)
        for name in self.memory.pools():
            self.memory.pool(name).active = True
        self.fuse = Fuse()
        self.files = opened_in_a_process(self.home, self.fuse)

    def change(self, operation: Operation, operations: int | None) -> None:
        """Run a command; with a number of operations on files, the process dies then.

        Free extents are cleared before, because the two leave different things in them: only files have the
        metadata of thin pools and of copy-on-write stores there.
        """
        for group in (self.memory, self.files):
            for disk in group.disks:
                for run in disk.free:
                    for extent in disk.occupied(run.first, run.last):
                        disk.put(extent, EMPTY)
        if operations is None:
            self.run(operation)
            return
        self.fuse.left = operations
        try:
            operation(self.files)
        except StorageError:
            pass
        except Crash:
            self.reopen()
            if self.image(self.files) == self.image(self.memory):
                return
            try:
                operation(self.memory)
            except StorageError:
                pass
            self.reopen()
            return
        self.fuse.left = 1 << 30
        try:
            operation(self.memory)
        except StorageError:
            pass

    deaths = st.none() | st.integers(0, 30)

    @rule(name=names, size=sizes, death=deaths)
    def create(self, name: str, size: int, death: int | None) -> None:
        self.change(lambda group: group.create(name, size, wipe=True), death)

    @rule(size=sizes, death=deaths)
    def create_pool(self, size: int, death: int | None) -> None:
        self.change(lambda group: group.create_thin_pool("pool", size), death)

    @rule(name=names, size=sizes, death=deaths)
    def create_thin(self, name: str, size: int, death: int | None) -> None:
        self.change(lambda group: group.create_thin(name, size, "pool"), death)

    @rule(origin=names, name=names, size=st.none() | sizes, death=deaths)
    def snapshot(self, origin: str, name: str, size: int | None, death: int | None) -> None:
        self.change(lambda group: group.snapshot(origin, name, size), death)

    @rule(name=names, cascade=st.booleans(), death=deaths)
    def remove(self, name: str, cascade: bool, death: int | None) -> None:
        self.change(lambda group: group.remove(name, cascade=cascade), death)

    @rule(death=deaths)
    def remove_pool(self, death: int | None) -> None:
        self.change(lambda group: group.remove("pool", cascade=True), death)

    @rule(old=names, new=names, death=deaths)
    def rename(self, old: str, new: str, death: int | None) -> None:
        self.change(lambda group: group.rename(old, new), death)

    @rule(name=names | st.just("pool"), size=sizes, death=deaths)
    def extend(self, name: str, size: int, death: int | None) -> None:
        self.change(lambda group: group.extend(name, size), death)

    @rule(name=names, death=deaths)
    def merge(self, name: str, death: int | None) -> None:
        self.change(lambda group: group.merge(name), death)

    @rule(name=names, active=st.booleans())
    def activate(self, name: str, active: bool) -> None:
        self.run(lambda group: group.activate(name) if active else group.deactivate(name))

    @rule(name=names)
    def hold_open_and_merge(self, name: str) -> None:
        """A merge that has to wait for the next boot."""
        assume(name in self.memory.volumes and self.memory.volume(name).origin is not None)
        origin = self.memory.volume(name).origin
        assert origin is not None
        for group in (self.memory, self.files):
            if group.volume(origin.name).active:
                group.open(origin.name)
        self.run(lambda group: group.merge(name))
        for group in (self.memory, self.files):
            for handle in list(group.volume(origin.name).openers):
                group.close(handle)

    @rule(
        name=names,
        page=st.integers(0, 4 * 1024),
        shift=st.sampled_from([0, 0, 100]),
        length=st.sampled_from([1, PAGE, 5 * PAGE, 70_000, 4 * MIB]),
        fill=st.sampled_from([b"\0", b"x", b"y"]),
    )
    def write(self, name: str, page: int, shift: int, length: int, fill: bytes) -> None:
        assume(name in self.memory.volumes)
        self.run(lambda group: group.volume(name).write(page * PAGE + shift, fill * length))

    @rule(source=names, destination=names, sparse=st.booleans())
    def copy(self, source: str, destination: str, sparse: bool) -> None:
        """As dd does it; what somebody read before does not change."""
        assume(source in self.memory.volumes and destination in self.memory.volumes)
        held = [
            group.volume(destination).load(0)
            for group in (self.memory, self.files)
            if not self.invalid(destination)
        ]
        shown = [dict(chunk) for chunk in held[:1]]
        self.run(
            lambda group: copy_range(group.volume(source), group.volume(destination), 0, 1 << 20, sparse=sparse)
        )
        assert [dict(chunk) for chunk in held] == shown * len(held)

    def invalid(self, name: str) -> bool:
        volume = self.memory.volume(name)
        return isinstance(volume, ThickSnapshot) and volume.invalid

    @precondition(lambda self: self.memory.volumes)
    @rule()
    def boot(self) -> None:
        self.reopen()

    @invariant()
    def both_show_the_same(self) -> None:
        assert self.image(self.files) == self.image(self.memory)


def test_files_and_memory_agree_whatever_happens(image: Image) -> None:
    """Any commands, any deaths: the group in files is a prefix of what was acknowledged, and all of it."""
    _Groups.image = staticmethod(image)
    run_state_machine_as_test(_Groups)
