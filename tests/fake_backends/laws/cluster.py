"""The laws of an RBD cluster: a model of images, their objects and snapshots, and the machine that compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.files.directory import Directory
from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.handle import ImageHandle
from fake_backends.rbd.image import Image as RealImage
from fake_backends.rbd.layers import Layer
from fake_backends.rbd.reopening import open_cluster
from harness.errors import AlreadyExists, Busy, InvalidArgument, NoSpace, NotFound, StorageError
from tests.fake_backends.laws import bytes_of
from tests.fake_backends.laws.bytes_of import Pages
from tests.fake_backends.laws.machine import (
    InFiles,
    InMemory,
    Killed,
    LawMachine,
    Medium,
    Reasons,
    Stage,
    Trouble,
    deaths,
    troubles,
)

QUOTA = 12
"""Objects that the small pool may hold."""
POOLS = {"large": None, "small": QUOTA * CHUNK}


def _furnished(cluster: Cluster) -> Cluster:
    for name, quota in POOLS.items():
        cluster.create_pool(name, quota)
    return cluster


def in_memory() -> Medium[Cluster]:
    return InMemory(lambda stage: _furnished(Cluster("ceph", points=stage)))


def in_files() -> Medium[Cluster]:
    def opened(home: Directory, stage: Stage) -> Cluster:
        return _furnished(open_cluster("ceph", home, stage))

    return InFiles(opened)


@dataclass
class Shown:
    """What an image or a snapshot shows. `objects` are those that exist for a reader, each a version."""

    size: int
    pages: Pages = field(default_factory=dict)
    objects: dict[int, int] = field(default_factory=dict)
    parent: Snapshot | None = None

    def twin(self) -> Shown:
        return Shown(self.size, dict(self.pages), dict(self.objects), self.parent)


@dataclass
class Snapshot:
    name: str
    shown: Shown
    protected: bool = False
    trashed: bool = False
    """Removed, but still there for clones of format 2; nobody knows its name."""


@dataclass
class Image:
    """`stored` are the versions of objects that the image itself stores: the rest is its parent's."""

    pool: str
    name: str
    writer: int
    head: Shown
    deep: bool = True
    journaling: bool = False
    trashed: bool = False
    delayed: bool = False
    watchers: int = 0
    clone_format: int = 0
    snapshots: list[Snapshot] = field(default_factory=list)
    stored: set[int] = field(default_factory=set)

    def layers(self) -> list[Shown]:
        return [self.head, *(snapshot.shown for snapshot in self.snapshots)]

    def named(self) -> list[Snapshot]:
        """The snapshots that can be asked for."""
        return [snapshot for snapshot in self.snapshots if not snapshot.trashed]

    def used(self) -> int:
        """Objects: every version that the image or a snapshot still shows."""
        return len({v for layer in self.layers() for v in layer.objects.values()} & self.stored)


@dataclass
class Ceph:
    """`images` by what no rename changes."""

    images: dict[int, Image] = field(default_factory=dict)
    last: int = 0

    def number(self) -> int:
        self.last += 1
        return self.last

    def used(self, pool: str) -> int:
        return sum(image.used() for image in self.images.values() if image.pool == pool)

    def free(self, pool: str) -> int:
        quota = POOLS[pool]
        return 1 << 30 if quota is None else quota // CHUNK - self.used(pool)

    def named(self, pool: str, name: str) -> Image | None:
        found = [
            image
            for image in self.images.values()
            if (image.pool, image.name, image.trashed) == (pool, name, False)
        ]
        return found[0] if found else None

    def let_go(self) -> None:
        """Snapshots that were kept for clones alone go with the last of these, and so may their parents."""
        for image in self.images.values():
            kept = [each for each in image.snapshots if not each.trashed or self.children(each)]
            if len(kept) < len(image.snapshots):
                image.snapshots = kept
                self.let_go()
                return

    def children(self, snapshot: Snapshot) -> list[Image]:
        return [
            image for image in self.images.values() if any(layer.parent is snapshot for layer in image.layers())
        ]

    def write(self, image: Image, offset: int, data: bytes) -> int:
        """Bytes that were written; fewer than all if the pool is full."""
        end = self.make_room(image, offset, len(data))
        bytes_of.write(image.head.pages, offset, data[: end - offset])
        return end - offset

    def make_room(self, image: Image, offset: int, length: int) -> int:
        """A write replaces the versions that a snapshot or the parent holds; where the pool is full."""
        held = {v for snapshot in image.snapshots for v in snapshot.shown.objects.values()}
        for number in range(offset // CHUNK, -(-(offset + length) // CHUNK)):
            version = image.head.objects.get(number)
            if version is None or version in held or version not in image.stored:
                if not self.free(image.pool):
                    return max(offset, number * CHUNK)
                image.head.objects[number] = self.number()
                image.stored.add(image.head.objects[number])
        return offset + length

    def flatten(self, image: Image) -> None:
        """The image stores what it sees of its parent; so do its snapshots, with deep-flatten."""
        for layer in image.layers() if image.deep else [image.head]:
            layer.parent = None
        if image.deep:
            image.stored |= {v for layer in image.layers() for v in layer.objects.values()}
        else:
            for number, version in image.head.objects.items():
                if version not in image.stored:
                    image.head.objects[number] = self.number()
                    image.stored.add(image.head.objects[number])

    def rollback(self, image: Image, snapshot: Snapshot) -> None:
        """The image becomes what the snapshot is; objects that differ are written. A flattened one stays so."""
        flattened = image.head.parent is None and snapshot.shown.parent is not None
        before = image.head.objects
        image.head = snapshot.shown.twin()
        for number, version in snapshot.shown.objects.items():
            store = version in image.stored or flattened
            if before.get(number) != version or (version not in image.stored and flattened):
                image.head.objects[number] = self.number()
                if store:
                    image.stored.add(image.head.objects[number])
        if flattened:
            image.head.parent = None

    def resize(self, image: Image, size: int) -> None:
        head = image.head
        if size < head.size:
            head.pages = bytes_of.below(head.pages, size)
            head.objects = {n: version for n, version in head.objects.items() if n * CHUNK < size}
            last = size // CHUNK
            if last in head.objects and head.objects[last] in image.stored:
                # The last object is cut: a version of its own, if a snapshot holds the old one.
                head.objects[last] = self.number()
                image.stored.add(head.objects[last])
        head.size = size


NAMES = ["a", "b", "c", "d", "e"]
SNAPSHOTS = ["s1", "s2", "s3"]
which = st.integers(0, 9)
"""Which of those that there are; from 8 on perhaps one that is not there."""
pools = st.sampled_from(["large", "small"])
sizes = st.sampled_from([CHUNK, 3 * CHUNK, 2 * CHUNK + 5 * 512, 10 * PAGE, 4 * CHUNK])
offsets = st.sampled_from([0, 0, 512, PAGE, CHUNK - 512, CHUNK, 2 * CHUNK, 2 * CHUNK + PAGE])
lengths = st.sampled_from([512, PAGE, PAGE, 3 * PAGE + 512, 70_144, CHUNK + 1024])
rarely = st.integers(0, 5).map(lambda number: number == 5)


class ClusterLaws(LawMachine[Cluster, Ceph]):
    """Any operations and writes, with any faults."""

    def __init__(self, medium: Medium[Cluster]) -> None:
        super().__init__(medium, Ceph())
        self.handles: list[ImageHandle] = []
        self.writes = 0

    @initialize(pool=pools)
    def furnish(self, pool: str) -> None:
        """Most of what can happen needs an image."""
        self.create(pool, 0, 3 * CHUNK, True, None)
        self.write(0, 0, CHUNK + PAGE, False, None)

    # ------------------------------------------------------------------------------------------ choosing

    def pick(self, number: int, suits: Callable[[Image], object] = lambda image: True) -> tuple[str, str]:
        """Pool and name of an image that suits, if there is one."""
        found = [image for image in self.model.images.values() if not image.trashed and suits(image)]
        if number >= 8 or not found:
            return ("large", "small")[number % 2], NAMES[number % len(NAMES)]
        image = found[number % len(found)]
        return image.pool, image.name

    def fresh(self, pool: str, number: int) -> str:
        """A name for a new image; sometimes one that is taken."""
        free = [name for name in NAMES if not self.model.named(pool, name)]
        return free[0] if free and number < 8 else NAMES[number % len(NAMES)]

    def snapshot_of(self, pool: str, name: str, number: int) -> str:
        """A snapshot of an image, if it has one."""
        image = self.model.named(pool, name)
        if image is None or not image.named() or number >= 8:
            return SNAPSHOTS[number % len(SNAPSHOTS)]
        return image.named()[number % len(image.named())].name

    def change(
        self,
        operation: Callable[[Cluster], object],
        reasons: Reasons,
        effect: Callable[[Ceph], object],
        trouble: Trouble = None,
        *,
        halfway: Callable[[Ceph], object] | None = None,
    ) -> None:
        def whole_effect(model: Ceph) -> None:
            effect(model)
            model.let_go()

        super().change(operation, reasons, whole_effect, trouble, halfway=halfway)

    def missing(self, pool: str, name: str, snapshot: str | None = None) -> Reasons:
        image = self.model.named(pool, name)
        there = image and (snapshot is None or any(each.name == snapshot for each in image.named()))
        return set() if there else {NotFound}

    def taken(self, pool: str, name: str) -> Reasons:
        return {AlreadyExists} if self.model.named(pool, name) else set()

    # -------------------------------------------------------------------------------------------- images

    @precondition(lambda self: len(self.model.images) < 4)
    @rule(pool=pools, new=which, size=sizes, deep=st.booleans(), trouble=troubles)
    def create(self, pool: str, new: int, size: int, deep: bool, trouble: Trouble) -> None:
        name = self.fresh(pool, new)
        bits = feature_bits.DEFAULT if deep else feature_bits.DEFAULT & ~feature_bits.DEEP_FLATTEN

        def effect(model: Ceph) -> None:
            writer = model.number()
            model.images[writer] = Image(pool, name, writer, Shown(size), deep)

        self.change(
            lambda ceph: ceph.pool(pool).create(name, size, features=bits),
            self.taken(pool, name),
            effect,
            trouble,
        )

    @precondition(lambda self: len(self.model.images) > 2)
    @rule(number=which, trouble=troubles)
    def remove(self, number: int, trouble: Trouble) -> None:
        """An image that is open or has snapshots stays."""
        pool, name = self.pick(number)
        reasons = self.missing(pool, name)
        image = self.model.named(pool, name)
        if image:
            reasons |= {InvalidArgument} if image.snapshots else set()
            reasons |= {Busy} if image.watchers else set()

        def effect(model: Ceph) -> None:
            del model.images[_named(model, pool, name).writer]

        self.change(lambda ceph: ceph.pool(pool).remove(name), reasons, effect, trouble)

    @rule(number=which, to=which, trouble=troubles)
    def rename(self, number: int, to: int, trouble: Trouble) -> None:
        pool, name = self.pick(number)
        new = self.fresh(pool, to)

        def effect(model: Ceph) -> None:
            _named(model, pool, name).name = new

        reasons = self.missing(pool, name) | self.taken(pool, new)
        self.change(lambda ceph: ceph.pool(pool).rename(name, new), reasons, effect, trouble)

    @rule(number=which, size=sizes, trouble=troubles)
    def resize(self, number: int, size: int, trouble: Trouble) -> None:
        """Growing keeps the data and adds zeros; what is cut off reads zero when the image grows again."""
        pool, name = self.pick(number)
        self.change(
            lambda ceph: ceph.pool(pool).image(name).resize(size),
            self.missing(pool, name),
            lambda model: model.resize(_named(model, pool, name), size),
            trouble,
        )

    @rule(number=which, enabled=st.booleans(), trouble=troubles)
    def journal(self, number: int, enabled: bool, trouble: Trouble) -> None:
        """A feature that is switched is found so; switching it twice is refused."""
        pool, name = self.pick(number)
        reasons = self.missing(pool, name)
        image = self.model.named(pool, name)
        if image and image.journaling == enabled:
            reasons.add(InvalidArgument)

        def effect(model: Ceph) -> None:
            _named(model, pool, name).journaling = enabled

        self.change(
            lambda ceph: ceph.pool(pool).image(name).set_features(feature_bits.JOURNALING, enabled),
            reasons,
            effect,
            trouble,
        )

    @precondition(lambda self: len(self.model.images) < 4)
    @rule(number=which, pool=pools, new=which, trouble=st.sampled_from([None, "eio", "crash"]))
    def copy(self, number: int, pool: str, new: int, trouble: Trouble) -> None:
        """A full copy stands for itself. One that does not fit leaves a part, as librbd does."""
        source_pool, source = self.pick(number)
        name = self.fresh(pool, new)
        image = self.model.named(source_pool, source)
        if image and len(image.head.objects) > self.model.free(pool):
            return

        def effect(model: Ceph) -> None:
            of, writer = _named(model, source_pool, source), model.number()
            copied = Image(pool, name, writer, Shown(of.head.size, dict(of.head.pages)), of.deep, of.journaling)
            for number in of.head.objects:
                copied.head.objects[number] = model.number()
                copied.stored.add(copied.head.objects[number])
            model.images[writer] = copied

        self.change(
            lambda ceph: ceph.pool(source_pool).copy(source, ceph.pool(pool), name),
            self.missing(source_pool, source) | self.taken(pool, name),
            effect,
            trouble,
        )

    # ----------------------------------------------------------------------------------------- snapshots

    @rule(number=which, snapshot=st.sampled_from(SNAPSHOTS), protect=st.booleans(), trouble=troubles)
    def create_snapshot(self, number: int, snapshot: str, protect: bool, trouble: Trouble) -> None:
        """A snapshot shows the image as it is now, for ever."""
        pool, name = self.pick(number)
        reasons = self.missing(pool, name)
        image = self.model.named(pool, name)
        if image and any(each.name == snapshot for each in image.named()):
            reasons.add(AlreadyExists)

        def effect(model: Ceph) -> None:
            of = _named(model, pool, name)
            of.snapshots.append(Snapshot(snapshot, of.head.twin()))

        self.change(
            lambda ceph: ceph.pool(pool).image(name).create_snapshot(snapshot), reasons, effect, trouble
        )
        if protect and not reasons:
            self.set_protection(pool, name, snapshot, True, None)

    @precondition(lambda self: any(image.snapshots for image in self.model.images.values()))
    @rule(number=which, snapshot=which, protected=st.booleans(), trouble=troubles)
    def protect(self, number: int, snapshot: int, protected: bool, trouble: Trouble) -> None:
        pool, name = self.pick(number, lambda image: image.snapshots)
        self.set_protection(pool, name, self.snapshot_of(pool, name, snapshot), protected, trouble)

    def set_protection(self, pool: str, name: str, chosen: str, protected: bool, trouble: Trouble) -> None:
        """Protect, or not any more: not while there are clones."""
        reasons = self.missing(pool, name, chosen)
        if not reasons:
            found = _snapshot(self.model, pool, name, chosen)
            if protected and found.protected:
                reasons.add(Busy)
            if not protected and not found.protected:
                reasons.add(InvalidArgument)
            if not protected and any(child.clone_format == 1 for child in self.model.children(found)):
                reasons.add(Busy)

        def effect(model: Ceph) -> None:
            _snapshot(model, pool, name, chosen).protected = protected

        def operation(ceph: Cluster) -> None:
            image = ceph.pool(pool).image(name)
            (image.protect_snapshot if protected else image.unprotect_snapshot)(chosen)

        self.change(operation, reasons, effect, trouble)

    @precondition(lambda self: any(image.snapshots for image in self.model.images.values()))
    @rule(number=which, snapshot=which, trouble=troubles)
    def remove_snapshot(self, number: int, snapshot: int, trouble: Trouble) -> None:
        pool, name = self.pick(number, lambda image: image.snapshots)
        chosen = self.snapshot_of(pool, name, snapshot)
        reasons = self.missing(pool, name, chosen)
        if not reasons and _snapshot(self.model, pool, name, chosen).protected:
            reasons.add(Busy)

        def effect(model: Ceph) -> None:
            _snapshot(model, pool, name, chosen).trashed = True

        self.change(lambda ceph: ceph.pool(pool).image(name).remove_snapshot(chosen), reasons, effect, trouble)

    @precondition(lambda self: any(image.snapshots for image in self.model.images.values()))
    @rule(number=which, snapshot=which, trouble=troubles)
    def rollback(self, number: int, snapshot: int, trouble: Trouble) -> None:
        """The image is what it was, its size included; snapshots and clones stay as they are."""
        pool, name = self.pick(number, lambda image: image.snapshots)
        chosen = self.snapshot_of(pool, name, snapshot)

        def effect(model: Ceph) -> None:
            model.rollback(_named(model, pool, name), _snapshot(model, pool, name, chosen))

        self.change(
            lambda ceph: ceph.pool(pool).image(name).rollback(chosen),
            self.missing(pool, name, chosen),
            effect,
            trouble,
        )

    # -------------------------------------------------------------------------------------------- clones

    @precondition(lambda self: any(image.snapshots for image in self.model.images.values()))
    @rule(
        number=which,
        snapshot=which,
        pool=pools,
        new=which,
        deep=st.booleans(),
        form=st.sampled_from([1, 2]),
        trouble=troubles,
    )
    def clone(
        self, number: int, snapshot: int, pool: str, new: int, deep: bool, form: int, trouble: Trouble
    ) -> None:
        """A clone shows the snapshot, and stores nothing until it is written to."""
        parent_pool, parent = self.pick(number, lambda image: any(each.protected for each in image.snapshots))
        chosen = self.snapshot_of(parent_pool, parent, snapshot)
        name = self.fresh(pool, new)
        reasons = self.missing(parent_pool, parent, chosen) | self.taken(pool, name)
        unprotected = (
            not reasons - {AlreadyExists} and not _snapshot(self.model, parent_pool, parent, chosen).protected
        )
        if unprotected and form == 1:
            reasons.add(InvalidArgument)
        bits = feature_bits.DEFAULT if deep else feature_bits.DEFAULT & ~feature_bits.DEEP_FLATTEN

        def effect(model: Ceph) -> None:
            of, writer = _snapshot(model, parent_pool, parent, chosen), model.number()
            head = Shown(of.shown.size, dict(of.shown.pages), parent=of)
            head.objects = {number: model.number() for number in of.shown.objects}
            model.images[writer] = Image(pool, name, writer, head, deep, clone_format=form)

        def operation(ceph: Cluster) -> None:
            ceph.pool(parent_pool).clone(
                parent, chosen, name, ceph.pool(pool), features=bits, clone_format=form
            )

        self.change(operation, reasons, effect, trouble)

    @precondition(lambda self: any(image.head.parent for image in self.model.images.values()))
    @rule(number=which, trouble=troubles)
    def flatten(self, number: int, trouble: Trouble) -> None:
        """The clone shows what it showed, and stores all of it."""
        pool, name = self.pick(number, lambda image: image.head.parent)
        reasons = self.missing(pool, name)
        image = self.model.named(pool, name)
        if image and image.head.parent is None:
            reasons.add(InvalidArgument)
        elif image and len(set(image.head.objects.values()) - image.stored) > self.model.free(pool):
            reasons.add(NoSpace)
        self.change(
            lambda ceph: ceph.pool(pool).image(name).flatten(),
            reasons,
            lambda model: model.flatten(_named(model, pool, name)),
            trouble,
        )

    # --------------------------------------------------------------------------------------------- trash

    @precondition(lambda self: len(self.model.images) > 2)
    @rule(number=which, delay=st.sampled_from([0, 60]), trouble=troubles)
    def move_to_trash(self, number: int, delay: int, trouble: Trouble) -> None:
        pool, name = self.pick(number)

        def effect(model: Ceph) -> None:
            image = _named(model, pool, name)
            image.trashed, image.delayed = True, delay > 0

        self.change(
            lambda ceph: ceph.pool(pool).trash_move(name, delay), self.missing(pool, name), effect, trouble
        )

    @precondition(lambda self: any(image.trashed for image in self.model.images.values()))
    @rule(number=which, trouble=troubles)
    def restore_from_trash(self, number: int, trouble: Trouble) -> None:
        trashed = [key for key, image in self.model.images.items() if image.trashed]
        key = trashed[number % len(trashed)]
        pool, name = self.model.images[key].pool, self.model.images[key].name

        def effect(model: Ceph) -> None:
            model.images[key].trashed = False

        image_id = self.real(key).id
        self.change(
            lambda ceph: ceph.pool(pool).trash_restore(image_id), self.taken(pool, name), effect, trouble
        )

    @precondition(lambda self: any(image.trashed for image in self.model.images.values()))
    @rule(number=which, force=st.booleans(), trouble=troubles)
    def remove_from_trash(self, number: int, force: bool, trouble: Trouble) -> None:
        """Not before its delay is over, unless by force; an image with snapshots or watchers stays."""
        trashed = [key for key, image in self.model.images.items() if image.trashed]
        key = trashed[number % len(trashed)]
        image = self.model.images[key]
        reasons: Reasons = {Busy} if image.watchers else set()
        if image.snapshots:
            reasons.add(InvalidArgument)
        if image.delayed and not force:
            reasons.add(StorageError)

        def effect(model: Ceph) -> None:
            del model.images[key]

        pool, image_id = image.pool, self.real(key).id
        self.change(lambda ceph: ceph.pool(pool).trash_remove(image_id, force=force), reasons, effect, trouble)

    # ------------------------------------------------------------------------------------------- devices

    @rule(number=which)
    def open(self, number: int) -> None:
        pool, name = self.pick(number)
        image = self.model.named(pool, name)
        if image is not None:
            self.handles.append(self.storage.pool(pool).open(name))
            image.watchers += 1
            self.agree()

    @precondition(lambda self: self.handles)
    @rule()
    def close(self) -> None:
        handle = self.handles.pop()
        key = next(key for key in self.model.images if self.real(key) is handle.image)
        self.model.images[key].watchers -= 1
        handle.close()
        self.agree()

    @rule(number=which, offset=offsets, length=lengths, zeros=rarely, death=deaths)
    def write(self, number: int, offset: int, length: int, zeros: bool, death: int | None) -> None:
        """A write changes what was written to, and nothing else that anybody sees."""
        pool, name = self.pick(number)
        image = self.model.named(pool, name)
        if image is None or offset >= image.head.size:
            return
        length = min(length, image.head.size - offset)
        self.writes += 1
        data = bytes(length) if zeros else bytes_of.signed(image.writer, self.writes, offset, length)
        self.medium.stage.arm(death if self.medium.survives else None)
        try:
            written = self.store(pool, name, offset, data)
        except Killed:
            self.found_half_written(image, offset, data)
            written = self.store(pool, name, offset, data)
        assert written == self.model.write(image, offset, data)
        self.medium.stage.arm(None)
        self.agree()

    def store(self, pool: str, name: str, offset: int, data: bytes) -> int:
        """Write to an image; how many bytes went through."""
        with self.storage.pool(pool).open(name) as handle:
            try:
                handle.write(offset, data)
            except NoSpace as error:
                return error.written
        return len(data)

    def found_half_written(self, image: Image, offset: int, data: bytes) -> None:
        """The process was killed while it wrote: each page is the old one or the new one."""
        self.storage = self.medium.open()
        self.medium.stage.arm(None)
        self.reboot(self.model)
        new = dict(image.head.pages)
        bytes_of.write(new, offset, data)
        found = _pages(self.real(image.writer).head)
        for page in found.keys() | new.keys():
            assert found.get(page) in (image.head.pages.get(page), new.get(page)), "a page is neither"
        for key, other in self.model.images.items():
            real = self.real(key)
            if other is not image:
                assert _pages(real.head) == other.head.pages, "the content of another image has changed"
            for snapshot in other.snapshots:
                found_there = next(
                    one for one in real.snapshots if snapshot.name in (one.name, one.trashed_from)
                )
                shown = _pages(found_there)
                assert shown == snapshot.shown.pages, "the content of a snapshot has changed"

    @precondition(lambda self: self.medium.survives)
    @rule()
    def boot(self) -> None:
        """What was acknowledged is there after the process was killed."""
        self.storage = self.medium.open()
        self.reboot(self.model)
        self.agree()

    # -------------------------------------------------------------------------------------------- the laws

    def reboot(self, model: Ceph) -> None:
        for image in model.images.values():
            image.watchers = 0
        self.handles.clear()

    def real(self, key: int) -> RealImage:
        """The image that is meant; the model knows it by name, and one in the trash by its name there."""
        image = self.model.images[key]
        pool = self.storage.pool(image.pool)
        if not image.trashed:
            return pool.image(image.name)
        order = [k for k, other in self.model.images.items() if other.trashed and _same_name(other, image)]
        found = sorted((one.image for one in pool.trash.values() if one.image.name == image.name), key=_age)
        return found[order.index(key)]

    def differences(self, model: Ceph) -> list[str]:
        found: list[str] = []
        total = 0
        for name in POOLS:
            pool = self.storage.pool(name)
            total += model.used(name)
            images = [image for image in model.images.values() if image.pool == name]
            if pool.statistics().used != model.used(name) * CHUNK:
                found.append(f"pool {name} uses {pool.used_objects} objects, not {model.used(name)}")
            if pool.names() != sorted(image.name for image in images if not image.trashed):
                found.append(f"names {pool.names()}")
                continue
            trash = sorted(trashed.image.name for trashed in pool.trash.values())
            if trash != sorted(image.name for image in images if image.trashed):
                found.append(f"trash {trash}")
                continue
            for image in images:
                if not image.trashed:
                    found += _image_differences(model, image, pool.image(image.name))
        statistics = self.storage.statistics()
        if (statistics.used, statistics.total - statistics.free) != (total * CHUNK, total * CHUNK):
            found.append(f"the cluster uses {statistics.used} bytes, not {total * CHUNK}")
        return found


def _image_differences(model: Ceph, image: Image, real: RealImage) -> list[str]:
    found = [] if len(real.watchers) == image.watchers else [f"watchers of {image.name}"]
    found += _layer_differences(f"{image.pool}/{image.name}", image.head, real.head)
    if bool(real.features & feature_bits.JOURNALING) != image.journaling:
        found.append(f"features of {image.name}")
    names = [snapshot.trashed_from or snapshot.name for snapshot in real.snapshots]
    trashed = [snapshot.trashed_from is not None for snapshot in real.snapshots]
    if (names, trashed) != (
        [snapshot.name for snapshot in image.snapshots],
        [snapshot.trashed for snapshot in image.snapshots],
    ):
        return [*found, f"snapshots {names} of {image.name}"]
    for snapshot, frozen in zip(image.snapshots, real.snapshots, strict=True):
        where = f"{image.name}@{snapshot.name}"
        found += _layer_differences(where, snapshot.shown, frozen)
        children = sorted(child.name for child in frozen.children)
        if (frozen.protected, children) != (
            snapshot.protected,
            sorted(child.name for child in model.children(snapshot)),
        ):
            found.append(f"protection and clones of {where}")
    return found


def _layer_differences(where: str, shown: Shown, real: Layer) -> list[str]:
    found = [] if real.size == shown.size else [f"the size of {where} is {real.size}, not {shown.size}"]
    if _pages(real) != shown.pages:
        found.append(f"the content of {where}")
    parent = (real.parent.snapshot.trashed_from or real.parent.snapshot.name) if real.parent else None
    if parent != (shown.parent.name if shown.parent else None):
        found.append(f"the parent of {where} is {parent}")
    return found


def _pages(layer: Layer) -> Pages:
    """All that a layer shows."""
    return {
        number * CHUNK // PAGE + index: bytes(page)
        for number, chunk in layer.chunks.items()
        for index, page in chunk.items()
    }


def _named(model: Ceph, pool: str, name: str) -> Image:
    image = model.named(pool, name)
    assert image is not None
    return image


def _snapshot(model: Ceph, pool: str, name: str, snapshot: str) -> Snapshot:
    return next(each for each in _named(model, pool, name).named() if each.name == snapshot)


def _same_name(one: Image, other: Image) -> bool:
    return (one.pool, one.name) == (other.pool, other.name)


def _age(image: RealImage) -> str:
    return image.id


def machine(medium: Callable[[], Medium[Cluster]]) -> type[ClusterLaws]:
    """A machine that begins with a new medium each time."""

    class OnMedium(ClusterLaws):
        def __init__(self) -> None:
            super().__init__(medium())

    return OnMedium
