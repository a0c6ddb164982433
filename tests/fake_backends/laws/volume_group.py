"""The laws of a volume group: a model of names, pages, extents and blocks, and the machine that compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK
from fake_backends.files.directory import Directory
from fake_backends.lvm.extents import Area, PhysicalVolume
from fake_backends.lvm.in_files.group import create_group, open_group
from fake_backends.lvm.logical_volume import LinearVolume, OpenVolume, ThickSnapshot
from fake_backends.lvm.thin_pool import BLOCK_MIN
from fake_backends.lvm.volume_group import VolumeGroup
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

MIB = 1 << 20
DISKS = (25 * MIB, 41 * MIB)
EXTENTS = 6 + 10
POOL = "pool"
BLOCKS_PER_EXTENT = CHUNK // BLOCK_MIN


def in_memory() -> Medium[VolumeGroup]:
    return InMemory(lambda stage: VolumeGroup("vg", DISKS, points=stage))


def in_files() -> Medium[VolumeGroup]:
    def opened(home: Directory, stage: Stage) -> VolumeGroup:
        if home.names():
            return open_group(home, points=stage)
        return create_group(home, "vg", DISKS, points=stage)

    return InFiles(opened)


@dataclass
class Volume:
    """A volume or a snapshot. `extents` are its own: none of a thin one, the store of a thick snapshot.

    `blocks` are the thin pool's, `fresh` those of them that nobody can share yet. `kept` are the pages in the
    store of a thick snapshot.
    """

    kind: Literal["linear", "thin", "thick"]
    size: int
    writer: int
    extents: int = 0
    origin: Volume | None = None
    pages: Pages = field(default_factory=dict)
    active: bool = True
    skips: bool = False
    merging: bool = False
    openers: int = 0
    blocks: dict[int, int] = field(default_factory=dict)
    fresh: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    invalid: bool = False
    known: int = 0
    """Bytes whose content is known; behind them is what the extents held."""

    def store_has_room_for(self, pages: int) -> bool:
        """dm-snapshot: a header, the pages, and a page of metadata for each 256 and for the next ones."""
        return 1 + pages + (pages // 256 + 1) <= self.extents * PAGES_PER_CHUNK

    def keep(self, pages: set[int]) -> None:
        """Pages go to the store, which may overflow."""
        if not self.invalid:
            self.kept |= pages
            self.invalid = not self.store_has_room_for(len(self.kept))


@dataclass
class Group:
    """`pool` are the extents for data of the one thin pool. `left` are writers whose bytes may lie in free
    extents: they were removed, or a snapshot has copied what they wrote.
    """

    volumes: dict[str, Volume] = field(default_factory=dict)
    pool: int | None = None
    left: set[int] = field(default_factory=set)
    next_writer: int = 1
    next_block: int = 1

    def free(self) -> int:
        """Extents: a pool takes one for its metadata, and one to repair that."""
        pool = self.pool + 2 if self.pool is not None else 0
        return EXTENTS - pool - sum(volume.extents for volume in self.volumes.values())

    def new(self, name: str, volume: Volume) -> None:
        self.volumes[name] = volume
        self.next_writer += 1

    def snapshots(self, volume: Volume) -> list[Volume]:
        """The thick ones."""
        return [each for each in self.volumes.values() if each.kind == "thick" and each.origin is volume]

    def blocks_used(self) -> int:
        return len({block for volume in self.volumes.values() for block in volume.blocks.values()})

    def blocks_free(self) -> int:
        assert self.pool is not None
        return self.pool * BLOCKS_PER_EXTENT - self.blocks_used()

    def write(self, volume: Volume, offset: int, data: bytes) -> int:
        """Bytes that were written; fewer than all if the pool is full or the store overflows."""
        if volume.kind == "thick":
            volume.keep(set(bytes_of.touched(offset, len(data))))
            if volume.invalid:
                return 0
            bytes_of.write(volume.pages, offset, data)
            return len(data)
        end = self.claim(volume, offset, len(data)) if volume.kind == "thin" else offset + len(data)
        # Copies are made chunk by chunk, before it is known whether the pool has room for the new content.
        copied = offset + len(data) if end == offset + len(data) else min(offset + len(data), _chunk_end(end))
        for snapshot in self.snapshots(volume):
            snapshot.keep(set(bytes_of.touched(offset, copied - offset)))
        bytes_of.write(volume.pages, offset, data[: end - offset])
        return end - offset

    def claim(self, volume: Volume, offset: int, length: int) -> int:
        """Take blocks for a write of a thin volume; the byte where the pool is full, or the write's end."""
        for number in range(offset // BLOCK_MIN, -(-(offset + length) // BLOCK_MIN)):
            if number not in volume.fresh:
                if not self.blocks_free():
                    return max(offset, number * BLOCK_MIN)
                volume.blocks[number] = self.next_block
                self.next_block += 1
                volume.fresh.add(number)
        return offset + length

    def drop(self, name: str) -> None:
        """A volume goes with its thick snapshots; thin ones outlive it."""
        gone = self.volumes[name]
        for each, volume in list(self.volumes.items()):
            if volume is gone or (volume.kind == "thick" and volume.origin is gone):
                self.left.add(volume.writer)
                del self.volumes[each]
        for volume in self.volumes.values():
            if volume.origin is gone:
                volume.origin, volume.merging = None, False

    def merge(self, name: str) -> None:
        """The origin becomes what the snapshot shows."""
        snapshot = self.volumes[name]
        origin = snapshot.origin
        assert origin is not None
        if snapshot.kind == "thick":
            for other in self.snapshots(origin):
                if other is not snapshot:
                    other.keep(set(snapshot.kept))
            if origin.kind == "thin":
                for page in sorted(snapshot.kept):
                    self.claim(origin, page * PAGE, PAGE)
        else:
            origin.size, origin.known = snapshot.size, snapshot.size
            origin.blocks, origin.fresh = snapshot.blocks, set()
            for other in self.volumes.values():
                if other.origin is snapshot:
                    other.origin = origin
        origin.pages = snapshot.pages
        origin_writer = origin.writer
        self.drop(name)
        self.left.add(origin_writer)

    def merge_what_waits(self) -> None:
        for name in [name for name, volume in self.volumes.items() if volume.merging]:
            volume = self.volumes[name]
            assert volume.origin is not None
            if volume.origin.active and not volume.origin.openers and not volume.openers:
                self.merge(name)


def _chunk_end(offset: int) -> int:
    return (offset // CHUNK + 1) * CHUNK


NAMES = ["a", "b", "c", "d", "e"]
which = st.integers(0, 9)
"""Which of the volumes that there are; from 8 on also one that is not there, or is of another kind."""
rarely = st.integers(0, 5).map(lambda number: number == 5)
sizes = st.integers(1, 3)
stores = st.integers(1, 2)
growth = st.sampled_from([1, 1, 2, 0, -1])
lengths = st.sampled_from([512, PAGE, 3 * PAGE + 512, 70_144, 2 * MIB])
offsets = st.sampled_from([0, 0, PAGE, 1536, BLOCK_MIN, CHUNK - 1024, CHUNK, 5 * MIB])


class VolumeGroupLaws(LawMachine[VolumeGroup, Group]):
    """Any commands and writes, with any faults."""

    def __init__(self, medium: Medium[VolumeGroup]) -> None:
        super().__init__(medium, Group())
        self.handles: list[OpenVolume] = []
        self.writes = 0

    @initialize(pool=st.booleans())
    def furnish(self, pool: bool) -> None:
        """Most of what can happen needs volumes."""
        self.create(0, 2, None)
        if pool:
            self.create_pool(2, None)
            self.create_thin(0, 2, None)

    def pick(self, number: int, suits: Callable[[Volume], object] = lambda volume: True) -> str:
        """The name of a volume that suits, if there is one."""
        suitable = [name for name, volume in self.model.volumes.items() if suits(volume)]
        if number >= 8 or not suitable:
            return NAMES[number % len(NAMES)]
        return suitable[number % len(suitable)]

    def fresh(self, number: int) -> str:
        """A name for a new volume; sometimes one that is taken."""
        free = [name for name in NAMES if name not in self.model.volumes]
        return free[0] if free and number < 8 else NAMES[number % len(NAMES)]

    # ------------------------------------------------------------------------------------------- commands

    @rule(new=which, size=sizes, trouble=troubles)
    def create(self, new: int, size: int, trouble: Trouble) -> None:
        name = self.fresh(new)
        reasons = self.taken(name) | self.too_large(size)

        def effect(model: Group) -> None:
            model.new(name, Volume("linear", size * CHUNK, model.next_writer, size, known=PAGE))

        self.change(lambda group: group.create(name, size * CHUNK, wipe=True), reasons, effect, trouble)

    @precondition(lambda self: self.model.pool is None or not self.writes % 5)
    @rule(size=st.integers(1, 4), trouble=troubles)
    def create_pool(self, size: int, trouble: Trouble) -> None:
        reasons = self.taken(POOL) | self.too_large(size + 2)

        def effect(model: Group) -> None:
            model.pool = size

        self.change(lambda group: group.create_thin_pool(POOL, size * CHUNK), reasons, effect, trouble)

    @rule(new=which, size=sizes, trouble=troubles)
    def create_thin(self, new: int, size: int, trouble: Trouble) -> None:
        name = self.fresh(new)
        reasons = self.taken(name) | self.missing(POOL)

        def effect(model: Group) -> None:
            size_bytes = size * CHUNK
            model.new(name, Volume("thin", size_bytes, model.next_writer, known=size_bytes))

        self.change(lambda group: group.create_thin(name, size * CHUNK, POOL), reasons, effect, trouble)

    @rule(number=which, new=which, store=stores, trouble=troubles)
    def snapshot(self, number: int, new: int, store: int, trouble: Trouble) -> None:
        """A thick snapshot shows the origin as it is now, for as long as its store has room."""
        name = self.fresh(new)
        origin = self.pick(number, lambda volume: volume.kind != "thick")
        reasons = self.missing(origin) | self.taken(name) | self.too_large(store)
        source = self.model.volumes.get(origin)
        if source and (source.kind == "thick" or any(other.merging for other in self.relatives(source))):
            reasons.add(InvalidArgument)

        def effect(model: Group) -> None:
            of = model.volumes[origin]
            new = Volume(
                "thick", of.size, model.next_writer, store, of, dict(of.pages), of.active, known=of.size
            )
            model.new(name, new)
            model.left.add(of.writer)

        self.change(lambda group: group.snapshot(origin, name, store * CHUNK), reasons, effect, trouble)

    @precondition(lambda self: any(volume.kind == "thin" for volume in self.model.volumes.values()))
    @rule(number=which, new=which, trouble=troubles)
    def thin_snapshot(self, number: int, new: int, trouble: Trouble) -> None:
        """A thin snapshot shares all blocks; from then on both write to blocks of their own."""
        name = self.fresh(new)
        origin = self.pick(number, lambda volume: volume.kind == "thin")
        reasons = self.missing(origin) | self.taken(name)
        source = self.model.volumes.get(origin)
        if source and source.kind != "thin":
            reasons.add(InvalidArgument)

        def effect(model: Group) -> None:
            of = model.volumes[origin]
            new = Volume("thin", of.size, model.next_writer, 0, of, dict(of.pages), known=of.size)
            new.active, new.skips, new.blocks = False, True, dict(of.blocks)
            of.fresh = set()
            model.new(name, new)

        self.change(lambda group: group.snapshot(origin, name, None), reasons, effect, trouble)

    @precondition(lambda self: len(self.model.volumes) > 2)
    @rule(number=which, cascade=st.booleans(), trouble=troubles)
    def remove(self, number: int, cascade: bool, trouble: Trouble) -> None:
        name = self.pick(number)
        reasons = self.missing(name)
        volume = self.model.volumes.get(name)
        if volume:
            doomed = [volume, *self.model.snapshots(volume)]
            thick_merge = volume.kind == "thick" and volume.merging
            if thick_merge or any(one.openers for one in doomed) or (len(doomed) > 1 and not cascade):
                reasons.add(Busy)
        self.change(
            lambda group: group.remove(name, cascade=cascade),
            reasons,
            lambda model: model.drop(name),
            trouble,
        )

    @precondition(lambda self: self.model.pool is not None and self.writes % 5 == 4)
    @rule(cascade=st.booleans(), trouble=troubles)
    def remove_pool(self, cascade: bool, trouble: Trouble) -> None:
        reasons = self.missing(POOL)
        thin = [volume for volume in self.model.volumes.values() if volume.kind == "thin"]
        doomed = [*thin, *(snapshot for volume in thin for snapshot in self.model.snapshots(volume))]
        if any(volume.openers for volume in doomed) or (doomed and not cascade):
            reasons.add(Busy)

        def effect(model: Group) -> None:
            for name in [name for name, volume in model.volumes.items() if volume.kind == "thin"]:
                model.drop(name)
            # Earlier writers of blocks that were given back to the pool, too.
            model.left = set(range(model.next_writer))
            model.pool = None

        self.change(lambda group: group.remove(POOL, cascade=cascade), reasons, effect, trouble)

    @rule(number=which, to=which, trouble=troubles)
    def rename(self, number: int, to: int, trouble: Trouble) -> None:
        new = self.fresh(to)
        old = self.pick(number)
        reasons = self.missing(old) | self.taken(new)
        if old == new:
            reasons.add(InvalidArgument)

        def effect(model: Group) -> None:
            model.volumes = {new if name == old else name: each for name, each in model.volumes.items()}

        self.change(lambda group: group.rename(old, new), reasons, effect, trouble)

    @rule(number=which, more=growth, trouble=troubles)
    def extend(self, number: int, more: int, trouble: Trouble) -> None:
        """An extend keeps what is there; new extents show what they held, thin ones are zero."""
        name = self.pick(number)
        reasons = self.missing(name)
        volume = self.model.volumes.get(name)
        size = 1
        if volume:
            now = volume.extents if volume.kind == "thick" else volume.size // CHUNK
            size = max(1, now + more)
            if size <= now or (self.model.snapshots(volume) and volume.active):
                reasons.add(InvalidArgument)
            elif volume.kind != "thin":
                reasons |= self.too_large(size - now)

        def effect(model: Group) -> None:
            grown = model.volumes[name]
            if grown.kind != "thin":
                grown.extents = size
            if grown.kind != "thick":
                for one in (grown, *model.snapshots(grown)):
                    one.size = size * CHUNK
                    one.known = one.size if grown.kind == "thin" else one.known

        self.change(lambda group: group.extend(name, size * CHUNK), reasons, effect, trouble)

    @rule(more=growth, trouble=troubles)
    def extend_pool(self, more: int, trouble: Trouble) -> None:
        size = max(1, (self.model.pool or 0) + more)
        reasons = self.missing(POOL)
        if self.model.pool is not None:
            now = self.model.pool
            reasons |= {InvalidArgument} if size <= now else self.too_large(size - now)

        def effect(model: Group) -> None:
            model.pool = size

        self.change(lambda group: group.extend(POOL, size * CHUNK), reasons, effect, trouble)

    @precondition(lambda self: any(volume.origin for volume in self.model.volumes.values()))
    @rule(number=which, trouble=troubles)
    def merge(self, number: int, trouble: Trouble) -> None:
        """The origin becomes what the snapshot shows, now or as soon as both are closed and active."""
        name = self.pick(number, lambda volume: volume.origin)
        reasons = self.missing(name)
        snapshot = self.model.volumes.get(name)
        if snapshot and snapshot.origin is None:
            reasons.add(InvalidArgument)
        elif snapshot and snapshot.origin:
            origin = snapshot.origin
            thick_over_thin = self.model.snapshots(origin) or self.model.snapshots(snapshot)
            if any(other.merging for other in self.relatives(origin)) or (
                snapshot.kind == "thin" and thick_over_thin
            ):
                reasons.add(InvalidArgument)
            if snapshot.invalid:
                reasons.add(StorageError)
            if origin.kind == "thin" and snapshot.kind == "thick" and self.model.blocks_free() < 64:
                return  # the pool could fill up in the middle

        def effect(model: Group) -> None:
            model.volumes[name].merging = True
            model.merge_what_waits()

        self.change(lambda group: group.merge(name), reasons, effect, trouble)

    @rule(number=which, active=st.booleans(), trouble=troubles)
    def activate(self, number: int, active: bool, trouble: Trouble) -> None:
        """An inactive volume has no device; one that is open stays active; merges that waited take place.

        A thick snapshot goes with its origin.
        """
        name = self.pick(number)
        reasons = self.missing(name)
        volume = self.model.volumes.get(name)
        if volume and not active and volume.active:
            whole = _with_its_snapshots(self.model, volume)
            reasons |= {Busy} if any(one.openers for one in whole) else set()

        def effect(model: Group) -> None:
            for one in _with_its_snapshots(model, model.volumes[name]):
                one.active = active
            if active:
                model.merge_what_waits()

        def operation(group: VolumeGroup) -> None:
            if active:
                group.activate(name)
            else:
                group.deactivate(name)

        self.change(operation, reasons, effect, trouble)

    # -------------------------------------------------------------------------------------------- devices

    @rule(number=which)
    def open(self, number: int) -> None:
        name = self.pick(number)
        volume = self.model.volumes.get(name)
        try:
            handle = self.storage.open(name)
        except NotFound:
            assert volume is None or not volume.active
            return
        assert volume is not None
        assert volume.active
        volume.openers += 1
        self.handles.append(handle)
        self.agree()

    @precondition(lambda self: self.handles)
    @rule()
    def close(self) -> None:
        handle = self.handles.pop()
        volume = next(each for name, each in self.storage.volumes.items() if each is handle.volume)
        self.model.volumes[volume.name].openers -= 1
        self.storage.close(handle)
        self.agree()

    @rule(
        number=which, offset=offsets, length=lengths, zeros=st.integers(0, 5).map(lambda n: not n), death=deaths
    )
    def write(self, number: int, offset: int, length: int, zeros: bool, death: int | None) -> None:
        """A write changes what was written to, and nothing else that anybody sees."""
        name = self.pick(number, lambda volume: volume.active and not volume.invalid)
        volume = self.model.volumes.get(name)
        if volume is None or not volume.active or volume.invalid or offset >= volume.size:
            return
        length = min(length, volume.size - offset)
        self.writes += 1
        data = bytes(length) if zeros else bytes_of.signed(volume.writer, self.writes, offset, length)
        self.medium.stage.arm(death if self.medium.survives else None)
        old = dict(volume.pages)
        try:
            written = self.store(name, offset, data)
        except Killed:
            self.found_half_written(volume, name, offset, data, old)
            written = self.store(name, offset, data)
        assert written == self.model.write(volume, offset, data)
        self.medium.stage.arm(None)
        self.agree()

    def store(self, name: str, offset: int, data: bytes) -> int:
        """Write to a device; how many bytes went through."""
        handle = self.storage.open(name)
        try:
            handle.write(offset, data)
        except NoSpace as error:
            return error.written
        except StorageError:
            assert self.storage.volume(name).origin is not None
            return 0
        finally:
            handle.close()
        return len(data)

    def found_half_written(self, volume: Volume, name: str, offset: int, data: bytes, old: Pages) -> None:
        """The process was killed while it wrote: each page is the old one or the new one."""
        self.storage = self.medium.open()
        self.medium.stage.arm(None)
        self.reboot(self.model)
        self.handles.clear()
        if not volume.active:
            self.storage.activate(name)
            volume.active = True
        new = dict(old)
        bytes_of.write(new, offset, data)
        for one_name, one in self.model.volumes.items():
            real = self.storage.volume(one_name)
            if isinstance(real, ThickSnapshot) and real.invalid:
                continue
            found = bytes_of.read(real)
            changed = {
                page for page in found.keys() | one.pages.keys() if found.get(page) != one.pages.get(page)
            }
            assert not changed or one is volume, f"the content of {one_name} has changed with a write to {name}"
            assert all(found.get(page) == new.get(page) for page in changed), f"a page of {name} is neither"

    @precondition(lambda self: self.medium.survives)
    @rule()
    def boot(self) -> None:
        """What was acknowledged is there after the process was killed."""
        self.storage = self.medium.open()
        self.reboot(self.model)
        self.agree()

    # -------------------------------------------------------------------------------------------- the laws

    def reboot(self, model: Group) -> None:
        for volume in model.volumes.values():
            volume.openers = 0
            volume.active = not volume.skips
        for volume in model.volumes.values():
            if volume.kind == "thick":
                assert volume.origin is not None
                volume.active = volume.origin.active
        model.merge_what_waits()
        self.handles.clear()

    def adopt(self, model: Group) -> None:
        """New extents of a linear volume show zeros, or what somebody left who may have left it there."""
        for name, volume in model.volumes.items():
            if volume.kind != "linear" or volume.known == volume.size:
                continue
            first = volume.known // PAGE
            if name not in self.storage:
                continue
            for number, page in bytes_of.read(self.storage.volume(name)).items():
                if first <= number < volume.size // PAGE:
                    strangers = bytes_of.writers(page) - model.left - {volume.writer}
                    if self.medium.survives:
                        strangers.discard(-1)
                    assert not strangers, f"the content of {name} is that of a living volume"
                    for one in (volume, *model.snapshots(volume)):
                        one.pages[number] = page
            for one in (volume, *model.snapshots(volume)):
                one.known = volume.size

    def differences(self, model: Group) -> list[str]:
        group = self.storage
        found = [f"names {group.names()}"] if group.names() != _names(model) else []
        if group.pools() != ([POOL] if model.pool is not None else []):
            found.append(f"pools {group.pools()}")
        for name in model.volumes.keys() & group.volumes.keys():
            found += self.volume_differences(model, name)
        if model.pool is not None and POOL in group:
            pool = group.pool(POOL)
            if (pool.size, pool.data_used) != (model.pool * CHUNK, model.blocks_used() * BLOCK_MIN):
                found.append(f"the pool's size and use are {pool.size} and {pool.data_used}")
        if (group.free_extents, group.extent_count) != (model.free(), EXTENTS):
            found.append(f"free extents {group.free_extents} of {group.extent_count}, not {model.free()}")
        return found + list(_badly_tiled(group))

    def volume_differences(self, model: Group, name: str) -> list[str]:
        volume, real = model.volumes[name], self.storage.volume(name)
        store = real if isinstance(real, ThickSnapshot) else None
        invalid = store is not None and store.invalid
        shown = {
            "size": real.size,
            "listed size": real.listed_size,
            "origin": real.origin and real.origin.name,
            "activation": real.active,
            "merge": real.merging,
            "openers": len(real.openers),
            "validity": invalid,
            "content": None if invalid else bytes_of.read(real),
            "store": store.copies.count if store and not invalid else 0,
        }
        origin = next((other for other, each in model.volumes.items() if each is volume.origin), None)
        right = {
            "size": volume.size,
            "listed size": volume.extents * CHUNK if volume.kind == "thick" else volume.size,
            "origin": origin,
            "activation": volume.active,
            "merge": volume.merging,
            "openers": volume.openers,
            "validity": volume.invalid,
            "content": None if volume.invalid else volume.pages,
            "store": 0 if volume.invalid else len(volume.kept),
        }
        return [
            f"the {what} of {name}" + (f" is {shown[what]}, not {right[what]}" if what != "content" else "")
            for what in shown
            if shown[what] != right[what]
        ]

    # --------------------------------------------------------------------------------------------- reasons

    def taken(self, name: str) -> Reasons:
        return {AlreadyExists} if not self.missing(name) else set()

    def missing(self, name: str) -> Reasons:
        there = self.model.pool is not None if name == POOL else name in self.model.volumes
        return set() if there else {NotFound}

    def too_large(self, extents: int) -> Reasons:
        return {NoSpace} if extents > self.model.free() else set()

    def relatives(self, origin: Volume) -> list[Volume]:
        return [each for each in self.model.volumes.values() if each.origin is origin]


def _with_its_snapshots(model: Group, volume: Volume) -> list[Volume]:
    """A volume and its thick snapshots, which have their devices together; also if asked by one of these."""
    origin = volume.origin if volume.kind == "thick" else volume
    assert origin is not None
    return [origin, *model.snapshots(origin)]


def _names(model: Group) -> list[str]:
    return [name for name, volume in model.volumes.items() if not volume.merging]


def _badly_tiled(group: VolumeGroup) -> Iterator[str]:
    """Where an extent has no owner, or two: each disk is tiled by free runs and areas."""
    areas: list[Area] = [group.spare]
    for volume in group.volumes.values():
        if isinstance(volume, LinearVolume | ThickSnapshot):
            areas.append(volume.area)
    for name in group.pools():
        areas += [group.pool(name).data, group.pool(name).metadata]
    for disk in group.disks:
        pieces = sorted([*_pieces(disk, areas), *((run.first, run.last) for run in disk.free)])
        position = 0
        for first, last in pieces:
            if first != position:
                yield f"extents {position} and {first} of {disk.name} do not follow each other"
            position = last
        if position != disk.extent_count:
            yield f"extents of {disk.name} from {position} on are lost"


def _pieces(disk: PhysicalVolume, areas: list[Area]) -> Iterator[tuple[int, int]]:
    for area in areas:
        for segment in area.segments:
            if segment.disk is disk:
                yield segment.start, segment.start + segment.length


def machine(medium: Callable[[], Medium[VolumeGroup]]) -> type[VolumeGroupLaws]:
    """A machine that begins with a new medium each time."""

    class OnMedium(VolumeGroupLaws):
        def __init__(self) -> None:
            super().__init__(medium())

    return OnMedium
