"""Sparse files do what bytes in memory do, on a real file system and in pyfakefs."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fake_backends.files.directory import Directory
from fake_backends.files.fake import GRANULE, fake_directory
from fake_backends.files.real import RealDirectory

MIB = 1 << 20
LIMIT = 3 * MIB
places = st.one_of(
    st.integers(0, LIMIT),
    st.sampled_from([0, 4095, 4096, 8192, MIB - 1, MIB, MIB + 4096, 2 * MIB, LIMIT]),
)
contents = st.one_of(
    st.binary(max_size=50),
    st.builds(
        lambda byte, length: bytes([byte]) * length, st.integers(0, 2), st.sampled_from([4096, 9000, MIB])
    ),
)


class SparseFilesLikeBytes(RuleBasedStateMachine):
    """Two files, and two bytearrays that say what must be in them."""

    def __init__(self, directories: tuple[Directory, Directory]) -> None:
        super().__init__()
        self.files = [directory.create(name) for directory, name in zip(directories, "ab", strict=True)]
        self.models = [bytearray(), bytearray()]

    @rule(which=st.integers(0, 1), offset=places, data=contents)
    def write(self, which: int, offset: int, data: bytes) -> None:
        self.files[which].write(offset, data)
        self._overwrite(which, offset, data, grow=bool(data))

    @rule(which=st.integers(0, 1), size=places)
    def truncate(self, which: int, size: int) -> None:
        self.files[which].truncate(size)
        model = self.models[which]
        del model[size:]
        model.extend(bytes(size - len(model)))

    @rule(which=st.integers(0, 1), first=places, length=places)
    def punch(self, which: int, first: int, length: int) -> None:
        self.files[which].punch(first, first + length)
        self._overwrite(which, first, bytes(length), grow=False)

    @precondition(lambda self: any(self.models))
    @rule(to=st.integers(0, 1), first=places, length=places, at=places)
    def copy(self, to: int, first: int, length: int, at: int) -> None:
        self.files[to].copy_from(self.files[1 - to], first, first + length, at)
        data = bytes(self.models[1 - to][first : first + length])
        self._overwrite(to, at, bytes(length), grow=False)
        # How far the file grows depends on where its holes are; what it reads does not.
        used = data.rstrip(b"\0")
        self._overwrite(to, at, used, grow=bool(used))
        self.truncate(to, max(self.files[to].size, len(self.models[to])))

    @rule(which=st.integers(0, 1), offset=places, length=places)
    def read(self, which: int, offset: int, length: int) -> None:
        assert self.files[which].read(offset, length) == self.models[which][offset : offset + length]

    @invariant()
    def outside_of_data_all_is_zero(self) -> None:
        for file, model in zip(self.files, self.models, strict=True):
            assert file.size == len(model)
            end = 0
            for start, stop in file.data_ranges(0, file.size):
                assert end <= start < stop <= file.size
                assert not any(model[end:start])
                end = stop
            assert not any(model[end:])

    def teardown(self) -> None:
        for file in self.files:
            file.close()

    def _overwrite(self, which: int, offset: int, data: bytes, *, grow: bool) -> None:
        model = self.models[which]
        if grow:
            model.extend(bytes(max(0, offset + len(data) - len(model))))
        data = data[: max(0, len(model) - offset)]
        model[offset : offset + len(data)] = data


def check(directories: Callable[[], tuple[Directory, Directory]]) -> None:
    class Machine(SparseFilesLikeBytes):
        def __init__(self) -> None:
            super().__init__(directories())

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_real_files_are_like_bytes(tmp_path: Path) -> None:
    """On a real file system, copies by the kernel."""

    def directories() -> tuple[Directory, Directory]:
        home = RealDirectory(Path(tempfile.mkdtemp(dir=tmp_path)))
        return home, home

    check(directories)


def test_fake_files_are_like_bytes() -> None:
    """In pyfakefs."""

    def directories() -> tuple[Directory, Directory]:
        home = fake_directory()
        return home, home

    check(directories)


def test_files_of_different_kinds_copy_from_one_another(tmp_path: Path) -> None:
    """A copy between a real and a fake file goes through memory."""
    check(lambda: (RealDirectory(Path(tempfile.mkdtemp(dir=tmp_path))), fake_directory()))


def test_a_file_system_without_copies_and_holes_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where copy_file_range, fallocate and SEEK_DATA are missing, bytes are written."""

    def refuse(*arguments: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr("os.copy_file_range", refuse)
    monkeypatch.setattr("fake_backends.files.real._fallocate", lambda: None)
    monkeypatch.delattr("os.SEEK_DATA")

    def directories() -> tuple[Directory, Directory]:
        home = RealDirectory(Path(tempfile.mkdtemp(dir=tmp_path)))
        return home, home

    check(directories)


def test_a_large_file_takes_the_space_of_what_was_written(directory: Directory) -> None:
    """Holes take no space, before the data, behind it, or punched into it; copies keep them."""
    with directory.create("a") as file, directory.create("b") as copy:
        file.truncate(1 << 40)
        file.write(1 << 39, b"x" * MIB)
        assert MIB <= file.allocated < 2 * MIB
        assert list(file.data_ranges(0, 1 << 40)) == [(1 << 39, (1 << 39) + MIB)]
        copy.copy_from(file, 0, 1 << 40, 0)
        assert copy.read((1 << 39) + MIB - 1, 5) == b"x"
        assert MIB <= copy.allocated < 2 * MIB
        file.punch(1 << 39, 1 << 40)
        assert file.size == 1 << 40
        assert file.allocated < MIB
        assert list(file.data_ranges(0, 1 << 40)) == []


def test_whole_granules_are_copied_as_they_are() -> None:
    """The fast path of pyfakefs gives what the slow one gives, what was at the destination included."""
    home = fake_directory()
    with home.create("a") as source, home.create("b") as target:
        source.write(GRANULE + 4096, b"x" * 4096)
        target.write(0, b"y" * (4 * GRANULE))
        target.copy_from(source, 0, 2 * GRANULE, GRANULE)
        assert target.read(0, GRANULE) == b"y" * GRANULE
        assert target.read(GRANULE, 2 * GRANULE) == bytes(GRANULE + 4096) + b"x" * 4096 + bytes(GRANULE - 8192)
        assert target.read(3 * GRANULE, GRANULE) == b"y" * GRANULE
