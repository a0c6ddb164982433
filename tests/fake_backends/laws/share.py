"""The laws of an NFS share: a model of files, blocks and disks, and the machine that compares."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from fake_backends.block_store import CHUNK, PAGE, BlockDevice
from fake_backends.files.directory import Directory
from fake_backends.nfs import qemu_img
from fake_backends.nfs.share import Share
from harness.errors import NoSpace, NotFound, StorageError
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
    troubles,
)

EXPORT = "192.0.2.1:/export"
CAPACITY = 24 << 20
ROOM_OF_AN_IMAGE = 1 << 20
"""Header and tables of a small qcow2 image, and the clusters that a write touches, rounded up."""


def in_memory() -> Medium[Share]:
    return InMemory(lambda stage: Share(EXPORT, CAPACITY, points=stage))


def in_files() -> Medium[Share]:
    def opened(home: Directory, stage: Stage) -> Share:
        if home.names():
            return Share.reopen(home, points=stage)
        return Share(EXPORT, CAPACITY, points=stage, home=home)

    return InFiles(opened)


@dataclass
class Entry:
    """A file. `size` and `pages` are those of the disk that a guest sees: of a raw file, the file's own.

    `blocks` are the allocated blocks of a raw file; an image takes what its format needs. `backing` is the
    name of the file under an image.
    """

    kind: Literal["raw", "qcow2"]
    writer: int
    size: int
    pages: Pages = field(default_factory=dict)
    blocks: set[int] = field(default_factory=set)
    mode: int = 0o644
    backing: str | None = None

    def resize(self, size: int) -> None:
        """What is cut off is gone, with its blocks; what is added is a hole."""
        self.pages = bytes_of.below(self.pages, size)
        self.blocks = {block for block in self.blocks if block * PAGE < size}
        self.size = size


@dataclass
class Export:
    """Files by name."""

    files: dict[str, Entry] = field(default_factory=dict)
    last_writer: int = 0

    def writer(self) -> int:
        self.last_writer += 1
        return self.last_writer

    def raw(self, name: str) -> Entry:
        """The raw file of that name, made empty if there is none."""
        if name not in self.files:
            self.files[name] = Entry("raw", self.writer(), 0)
        return self.files[name]

    def overlays(self, name: str) -> list[str]:
        """The images that stand directly over a file."""
        return [other for other, entry in self.files.items() if entry.backing == name]

    def write(self, entry: Entry, offset: int, data: bytes, free: int) -> int:
        """Write to a disk, to a raw file while `free` blocks last; how many bytes went through."""
        if entry.kind == "qcow2":
            bytes_of.write(entry.pages, offset, data)
            return len(data)
        position = 0
        while position < len(data):
            length = min(CHUNK - (offset + position) % CHUNK, len(data) - position)
            new = set(bytes_of.touched(offset + position, length)) - entry.blocks
            if len(new) > free:
                break
            free -= len(new)
            entry.blocks |= new
            position += length
        bytes_of.write(entry.pages, offset, data[:position])
        if position:
            entry.size = max(entry.size, offset + position)
        return position


NAMES = ["volume-a", "volume-b", "snap.c", "d ä", "-e"]
which = st.integers(0, 9)
"""Which of the files that there are; from 8 on perhaps one that is not there."""
sizes = st.sampled_from([0, PAGE, 10 * PAGE + 512, CHUNK, CHUNK + 5 * 512, 2 * CHUNK])
disks = st.sampled_from([CHUNK, 2 * CHUNK, 2 * CHUNK + 5 * 512, 70_144])
offsets = st.sampled_from([0, 0, 512, PAGE, 65_536, CHUNK - 512, CHUNK, CHUNK + PAGE])
lengths = st.sampled_from([512, PAGE, 3 * PAGE + 512, 70_144, CHUNK + 1024])
rarely = st.integers(0, 5).map(lambda number: number == 5)


class ShareLaws(LawMachine[Share, Export]):
    """Any changes of files and images, with any faults. A file that images stand over is left alone."""

    def __init__(self, medium: Medium[Share]) -> None:
        super().__init__(medium, Export())
        self.writes = 0
        self.struck: str | None = None

    @initialize(preallocated=st.booleans())
    def furnish(self, preallocated: bool) -> None:
        """Most of what can happen needs a file and an image."""
        self.truncate(0, CHUNK, None)
        self.write(0, 0, 3 * PAGE, False, None)
        self.create_image(0, 2 * CHUNK, preallocated, None)

    # ------------------------------------------------------------------------------------------ choosing

    def pick(self, number: int, suits: Callable[[Entry], object] = lambda entry: True) -> str:
        """A file that suits and that no image stands over, if there is one."""
        found = [
            name for name, entry in self.model.files.items() if suits(entry) and not self.model.overlays(name)
        ]
        return found[number % len(found)] if found and number < 8 else self.fresh(number)

    def fresh(self, number: int) -> str:
        """A name that is free, or one that no image stands over."""
        free = [name for name in NAMES if name not in self.model.files]
        return free[number % len(free)] if free else self.pick(number % 8)

    def raw(self, number: int) -> str | None:
        """A raw file that may be changed, or the name of none; None if that name is an image's."""
        name = self.pick(number, lambda entry: entry.kind == "raw")
        entry = self.model.files.get(name)
        return name if entry is None or entry.kind == "raw" else None

    def free(self) -> int:
        """Free blocks."""
        return self.storage.statistics().available // PAGE

    def missing(self, name: str) -> Reasons:
        return set() if name in self.model.files else {NotFound}

    def fits(self, name: str | None, size: int) -> bool:
        """Whether an image can hold so much more, whatever way it lies in."""
        return name is not None and self.free() * PAGE >= size + ROOM_OF_AN_IMAGE

    # --------------------------------------------------------------------------------------------- files

    @rule(number=which, size=sizes, trouble=troubles)
    def truncate(self, number: int, size: int, trouble: Trouble) -> None:
        """What is cut off reads zero when the file grows again. A new file is empty at first."""
        name = self.raw(number)
        if name is not None:
            self.change(
                lambda share: share.truncate(name, size),
                set(),
                lambda model: model.raw(name).resize(size),
                trouble,
                halfway=lambda model: model.raw(name),
            )

    @rule(number=which, size=sizes, trouble=troubles)
    def fill(self, number: int, size: int, trouble: Trouble) -> None:
        """Zeros, with all blocks allocated."""
        name = self.raw(number)
        if name is None or not self.fits(name, size):
            return

        def effect(model: Export) -> None:
            entry = model.raw(name)
            entry.resize(0)
            entry.resize(size)
            entry.blocks = set(bytes_of.touched(0, size))

        self.work(name, lambda share: share.fill(name, size), effect, trouble)

    @rule(number=which, mode=st.sampled_from([0o600, 0o660, 0o666]), trouble=troubles)
    def chmod(self, number: int, mode: int, trouble: Trouble) -> None:
        name = self.pick(number)

        def effect(model: Export) -> None:
            model.files[name].mode = mode

        self.change(lambda share: share.chmod(name, mode), self.missing(name), effect, trouble)

    @rule(number=which, to=which, trouble=troubles)
    def rename(self, number: int, to: int, trouble: Trouble) -> None:
        """A file goes with its content, blocks and mode; the one that had the name is gone."""
        old, new = self.pick(number), self.pick(to) if to % 3 == 2 else self.fresh(to)

        def effect(model: Export) -> None:
            model.files[new] = model.files.pop(old)

        self.change(lambda share: share.rename(old, new), self.missing(old), effect, trouble)

    @precondition(lambda self: len(self.model.files) > 2)
    @rule(number=which, trouble=troubles)
    def remove(self, number: int, trouble: Trouble) -> None:
        """Its space is free again. An absent file is fine."""
        name = self.pick(number)
        self.change(lambda share: share.remove(name), set(), lambda model: model.files.pop(name, None), trouble)

    @rule(number=which, length=st.sampled_from([0, 1, PAGE, PAGE + 1]), trouble=troubles)
    def write_text(self, number: int, length: int, trouble: Trouble) -> None:
        """The whole text is new, or the old one is there."""
        name = self.raw(number)
        if name is None or self.free() < 2:
            return
        self.writes += 1
        text = f"<{self.writes}>".ljust(length, ".")[:length]

        def effect(model: Export) -> None:
            entry = model.raw(name)
            entry.resize(0)
            model.write(entry, 0, text.encode(), 2)

        self.change(lambda share: share.write_text(name, text), set(), effect, trouble)

    @rule(number=which, offset=offsets, length=lengths, zeros=rarely, trouble=troubles)
    def write(self, number: int, offset: int, length: int, zeros: bool, trouble: Trouble) -> None:
        """A write changes what was written to, and nothing else; a file grows, a disk ends."""
        name = self.pick(number)
        entry = self.model.files.get(name)
        if entry is None or isinstance(trouble, str):
            return
        if entry.kind == "qcow2":
            length = min(length, entry.size - offset)
            if length <= 0 or not self.fits(name, length):
                return
        self.writes += 1
        data = bytes(length) if zeros else bytes_of.signed(entry.writer, self.writes, offset, length)
        free, full = 0, False

        def operation(share: Share) -> None:
            nonlocal free, full
            free = share.statistics().available // PAGE
            try:
                qemu_img.open_image(share, name, entry.kind).write(offset, data)
            except NoSpace:
                full = True

        def effect(model: Export) -> int:
            return model.write(model.files[name], offset, data, free)

        self.work(name, operation, effect, trouble, passes_points=False)
        assert not full or (entry.kind == "raw" and self.free() <= CHUNK // PAGE)

    # -------------------------------------------------------------------------------------------- images

    @rule(new=which, size=disks, preallocated=rarely, trouble=troubles)
    def create_image(self, new: int, size: int, preallocated: bool, trouble: Trouble) -> None:
        name = self.fresh(new)
        if name in self.model.files or not self.fits(name, 0):
            return

        def effect(model: Export) -> None:
            model.files[name] = Entry("qcow2", model.writer(), size)

        def operation(share: Share) -> None:
            qemu_img.create(share, name, size, preallocated=preallocated)

        self.work(name, operation, effect, trouble)

    @rule(number=which, new=which, trouble=troubles)
    def snapshot(self, number: int, new: int, trouble: Trouble) -> None:
        """An image over a file shows what the file holds, until it is written to."""
        below, name = self.pick(number), self.fresh(new)
        base = self.model.files.get(below)
        if base is None or not base.size or name in self.model.files or not self.fits(name, 0):
            return
        size = -(-base.size // 512) * 512

        def effect(model: Export) -> None:
            pages = dict(model.files[below].pages)
            model.files[name] = Entry("qcow2", model.writer(), size, pages, backing=below)

        def operation(share: Share) -> None:
            qemu_img.create(share, name, size, backing=below)

        self.work(name, operation, effect, trouble)

    @rule(number=which, more=st.sampled_from([512, CHUNK]), trouble=troubles)
    def grow(self, number: int, more: int, trouble: Trouble) -> None:
        """An extend keeps the data and adds zeros."""
        name = self.pick(number, lambda entry: entry.kind == "qcow2")
        entry = self.model.files.get(name)
        size = (entry.size if entry else 0) + more
        if size > 4 * CHUNK:
            return
        self.change(
            lambda share: qemu_img.resize(share, name, size),
            self.missing(name),
            lambda model: model.files[name].resize(size),
            trouble,
        )

    @precondition(lambda self: any(entry.backing for entry in self.model.files.values()))
    @rule(number=which, trouble=troubles)
    def pull(self, number: int, trouble: Trouble) -> None:
        """The image shows what it showed, and needs no other file."""
        name = self.pick(number, lambda entry: entry.backing)
        entry = self.model.files.get(name)
        if entry is None or not entry.backing or not self.fits(name, 2 * len(entry.pages) * PAGE + CHUNK):
            return

        def effect(model: Export) -> None:
            model.files[name].backing = None

        self.work(name, lambda share: qemu_img.pull(share, name, down_to=None), effect, trouble)

    @precondition(lambda self: any(entry.backing for entry in self.model.files.values()))
    @rule(number=which, trouble=troubles)
    def commit(self, number: int, trouble: Trouble) -> None:
        """The file under the image holds what the image shows."""
        name = self.pick(number, lambda entry: entry.backing)
        entry = self.model.files.get(name)
        if entry is None or entry.backing is None or self.model.overlays(entry.backing) != [name]:
            return
        below = entry.backing
        if not self.fits(name, 3 * CHUNK + entry.size):
            return

        def effect(model: Export) -> None:
            target, image = model.files[below], model.files[name]
            target.size, target.pages = max(target.size, image.size), dict(image.pages)
            # How much of it qemu-img writes is its own affair.
            target.blocks = blocks_of(self.storage, below, target.kind)

        self.work(below, lambda share: qemu_img.commit(share, name), effect, trouble)

    @rule(number=which, new=which, form=st.sampled_from(["raw", "qcow2"]), trouble=troubles)
    def convert(self, number: int, new: int, form: Literal["raw", "qcow2"], trouble: Trouble) -> None:
        """A copy stands for itself."""
        source, name = self.pick(number), self.fresh(new)
        entry = self.model.files.get(source)
        if entry is None or name in self.model.files or not self.fits(name, 3 * CHUNK):
            return
        if not entry.size and form == "qcow2":
            return

        def effect(model: Export) -> None:
            of = model.files[source]
            size = of.size if form == "raw" else -(-of.size // 512) * 512
            model.files[name] = Entry(form, model.writer(), size, dict(of.pages))
            model.files[name].blocks = blocks_of(self.storage, name, form)

        def operation(share: Share) -> None:
            qemu_img.convert(share, source, (share, name), form)

        self.work(name, operation, effect, trouble)

    @precondition(lambda self: self.medium.survives)
    @rule()
    def boot(self) -> None:
        """What was acknowledged is there after the process was killed."""
        self.storage = self.medium.open()
        self.reboot(self.model)
        self.agree()

    # -------------------------------------------------------------------------------- many steps in a row

    def work(
        self,
        name: str,
        operation: Callable[[Share], object],
        effect: Callable[[Export], object],
        trouble: Trouble,
        *,
        passes_points: bool = True,
    ) -> None:
        """An operation that writes data to one file. A kill leaves a part of that; then it is done again.

        All other files are as they were, and of a file that was there before each page is the old one or the
        new one.
        """
        if passes_points and not (isinstance(trouble, int) and self.medium.survives):
            self.change(operation, set(), effect, trouble)
            return
        self.medium.stage.arm(trouble if self.medium.survives else None)
        try:
            operation(self.storage)
        except Killed:
            self.found_half_done(name, effect)
            operation(self.storage)
        self.medium.stage.arm(None)
        effect(self.model)
        self.agree()

    def found_half_done(self, name: str, effect: Callable[[Export], object]) -> None:
        self.storage = self.medium.open()
        self.struck = name
        self.reboot(self.model)
        found = self.differences(self.model)
        assert not found, f"a change of {name}, killed, has changed more: {found}"
        self.struck = None
        entry = self.model.files.get(name)
        if entry is None:
            if name in self.storage:
                self.storage.remove(name)
            return
        real = qemu_img.open_image(self.storage, name, entry.kind)
        pages, old, new = shown(real), entry.pages, copy.deepcopy(self.model)
        effect(new)
        written = new.files[name].pages
        for page in pages.keys() | old.keys():
            assert pages.get(page) in (old.get(page), written.get(page)), f"a page of {name} is neither"
        entry.size, entry.pages = real.size, pages
        entry.blocks = blocks_of(self.storage, name, entry.kind)

    # ------------------------------------------------------------------------------------------ the laws

    def reboot(self, model: Export) -> None:
        """Blocks that were allocated by a write of zeros may be holes after that."""
        for name, entry in model.files.items():
            if entry.kind == "raw" and name in self.storage and name != self.struck:
                found = blocks_of(self.storage, name, "raw")
                if entry.pages.keys() <= found <= entry.blocks:
                    entry.blocks = found

    def differences(self, model: Export) -> list[str]:
        share = self.storage
        found: list[str] = []
        names = [name for name in share.names() if name != self.struck or name in model.files]
        if names != sorted(name for name in model.files if name != self.struck or name in share):
            return [f"names {share.names()}"]
        for name in names:
            if name != self.struck:
                found += self.file_differences(model, name)
        files = [share.file(name) for name in share.names()]
        used = sum(file.allocated for file in files)
        if used + share.statistics().available != CAPACITY:
            found.append(f"{used} bytes in files and {share.statistics().available} free bytes are not all")
        return found

    def file_differences(self, model: Export, name: str) -> list[str]:
        entry, file = model.files[name], self.storage.file(name)
        about = qemu_img.info(self.storage, name)
        pages: Pages | None
        try:
            pages = shown(qemu_img.open_image(self.storage, name))
        except StorageError:
            pages = None
        checks = {
            "format": (about.file_format, entry.kind),
            "size": (about.virtual_size, entry.size),
            "backing file": (about.backing_file, entry.backing),
            "mode": (oct(file.mode), oct(entry.mode)),
            "content": (pages, entry.pages),
            "blocks": (blocks_of(self.storage, name, entry.kind), entry.blocks),
        }
        return [
            f"the {what} of {name}" + (f" is {real}, not {right}" if what not in ("content", "blocks") else "")
            for what, (real, right) in checks.items()
            if real != right
        ]


def shown(device: BlockDevice) -> Pages:
    """All that a guest sees of a disk."""
    return bytes_of.below(bytes_of.read(device), device.size)


def blocks_of(share: Share, name: str, kind: str) -> set[int]:
    """The allocated blocks of a raw file; of an image they are not told."""
    ranges = share.file(name).record().blocks if kind == "raw" else []
    return {block for first, last in ranges for block in range(first, last)}


def machine(medium: Callable[[], Medium[Share]]) -> type[ShareLaws]:
    """A machine that begins with a new medium each time."""

    class OnMedium(ShareLaws):
        def __init__(self) -> None:
            super().__init__(medium())

    return OnMedium
