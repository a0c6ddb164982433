"""Chunks in files behave as chunks in memory: what somebody holds never changes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK, Chunk, MemoryDevice, patched
from fake_backends.files.chunks import ChunkFile, FileChunk
from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.real import RealDirectory

MIB = 1 << 20
X, Y = b"x" * PAGE, b"y" * PAGE


def row(directory: Directory, name: str = "disk") -> ChunkFile:
    """Four chunks behind a first MiB of something else."""
    file = directory.create(name)
    file.write(0, b"label")
    file.truncate(MIB + 4 * CHUNK)
    return ChunkFile(file, MIB)


def test_chunks_are_read_as_they_were_stored(directory: Directory) -> None:
    """Pages that are absent are zero, in the whole chunk; the neighbours and the file's start stay."""
    disk = row(directory)
    disk.store(1, {0: X, 7: Y, PAGES_PER_CHUNK - 1: X})
    disk.store(2, {3: X})
    disk.store(1, {7: X, 8: Y})
    assert disk.load(1) == {7: X, 8: Y}
    assert disk.load(2) == {3: X}
    assert disk.load(0) == {}
    assert disk.occupied(0, 4) == [1, 2]
    assert disk.file.read(0, 5) == b"label"


def test_a_second_look_finds_the_same(directory: Directory) -> None:
    """What chunks are occupied is read from the file."""
    disk = row(directory)
    disk.store(3, {5: X})
    disk.patch(0, 10, b"z")
    again = ChunkFile(disk.file, MIB)
    assert again.occupied(0, 4) == [0, 3]
    assert again.occupied(1, 3) == []
    assert again.load(0) == {0: (bytes(10) + b"z").ljust(PAGE, b"\0")}


def test_a_chunk_that_is_held_keeps_what_it_showed(directory: Directory) -> None:
    """Store and patch change the file, and no mapping that was handed out before."""
    disk = row(directory)
    disk.store(0, {1: X})
    held = disk.load(0)
    disk.patch(0, PAGE, b"new")
    second = disk.load(0)
    disk.store(0, {2: Y})
    assert held == {1: X}
    assert second == {1: b"new" + X[3:]}
    assert disk.load(0) == {2: Y}


def test_a_chunk_can_be_stored_where_it_came_from(directory: Directory) -> None:
    """Nothing changes."""
    disk = row(directory)
    disk.store(0, {1: X, 4: Y})
    disk.store(0, disk.load(0))
    assert disk.load(0) == {1: X, 4: Y}


def test_a_chunk_goes_from_file_to_file(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a look into it: its pages are never read to Python."""
    source, target = row(directory, "a"), row(directory, "b")
    source.store(1, {1: X, 1000: Y})
    target.store(2, {0: X, 500: X})
    with monkeypatch.context() as patch:
        patch.setattr(FileChunk, "settle", lambda self: pytest.fail("the chunk was read"))
        target.store(2, source.load(1))
    assert target.load(2) == {1: X, 1000: Y}
    assert target.occupied(0, 4) == [2]


def test_an_emptied_chunk_is_not_occupied(directory: Directory) -> None:
    """Storing nothing frees the chunk."""
    disk = row(directory)
    disk.store(1, {1: X})
    disk.store(1, {})
    assert disk.occupied(0, 4) == []
    assert disk.load(1) == {}
    assert list(disk.file.data_ranges(MIB, MIB + 4 * CHUNK)) == []


def test_a_file_chunk_is_a_mapping() -> None:
    """Like every chunk: equal to a dict, with get, in and len; the last page of a short file is filled up."""
    file = fake_directory().create("short")
    file.write(0, b"abc")
    chunk = ChunkFile(file).load(0)
    page = b"abc".ljust(PAGE, b"\0")
    assert isinstance(chunk, FileChunk)
    assert chunk == {0: page}
    assert {0: page} == chunk
    assert 0 in chunk
    assert 1 not in chunk
    assert chunk.get(1) is None
    assert chunk.get(1, X) == X
    assert len(chunk) == 1


steps = st.lists(
    st.tuples(
        st.sampled_from(["store", "patch", "copy"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.dictionaries(st.sampled_from([0, 1, 2, 255, 256, 1023]), st.sampled_from([X, Y])),
        st.binary(min_size=1, max_size=20),
        st.sampled_from([0, 100, PAGE - 5, CHUNK - 20]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps)
@pytest.mark.parametrize("kind", ["real", "fake"])
def test_files_and_memory_agree(
    kind: str, steps: list[tuple[str, int, int, Chunk, bytes, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any sequence of stores, patches and copies gives the same chunks, and leaves those held unchanged."""
    home = RealDirectory(tmp_path_factory.mktemp("disk")) if kind == "real" else fake_directory()
    disk, model = row(home), MemoryDevice(4 * CHUNK)
    held: list[tuple[Chunk, dict[int, bytes]]] = []
    for what, number, other, chunk, data, start in steps:
        held.append((disk.load(number), dict(model.load(number))))
        if what == "store":
            disk.store(number, chunk)
            model.store(number, chunk)
        elif what == "patch":
            disk.patch(number, start, data)
            model.store(number, patched(model.load(number), start, data))
        else:
            disk.store(number, disk.load(other))
            model.store(number, model.load(other))
    assert [disk.load(number) for number in range(4)] == [model.load(number) for number in range(4)]
    assert all(chunk == shown for chunk, shown in held)
    assert set(model.occupied(0, 4)) <= set(disk.occupied(0, 4))
    disk.file.close()


def test_a_chunk_across_two_others_keeps_what_it_showed(directory: Directory) -> None:
    """Whichever of the two is changed."""
    disk = row(directory)
    disk.store(1, {PAGES_PER_CHUNK - 1: X})
    disk.store(2, {0: Y})
    shown = {PAGES_PER_CHUNK // 2 - 1: X, PAGES_PER_CHUNK // 2: Y}
    for number in (1, 2):
        held = disk.lend(1, CHUNK // 2)
        disk.patch(number, 0, b"new")
        disk.punch(number, CHUNK - PAGE, CHUNK)
        assert held == shown
        disk.store(1, {PAGES_PER_CHUNK - 1: X})
        disk.store(2, {0: Y})


def test_a_part_of_a_chunk_is_copied_from_file_to_file(directory: Directory) -> None:
    """With its holes; one that is in memory has to be written as pages."""
    source, target = row(directory, "source"), row(directory, "target")
    source.store(0, {1: X, 3: Y})
    target.store(1, dict.fromkeys(range(8), Y))
    chunk = source.load(0)
    assert isinstance(chunk, FileChunk)
    assert target.copied(1, 2 * PAGE, chunk, PAGE, 4 * PAGE)
    assert target.load(1) == {0: Y, 1: Y, 2: X, 4: Y, 5: Y, 6: Y, 7: Y}
    chunk.settle()
    assert not target.copied(1, 0, chunk, 0, PAGE)
