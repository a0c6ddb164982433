"""A share against what a file system does."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.names import safe_name
from fake_backends.files.real import RealDirectory
from fake_backends.host.file_systems import BLOCK
from fake_backends.nfs.share import DIRECTORY_BYTES, File, Share
from fake_backends.world import World
from harness.errors import InputError, InvalidArgument, NoSpace, NotFound, StorageError

GIB = 1 << 30
MIB = 1 << 20


EXPORT = "192.0.2.9:/srv"


def share(capacity: int = 10 * GIB) -> Share:
    return Share(EXPORT, capacity)


def written(size: int = 0) -> tuple[Share, File]:
    one = share()
    one.truncate("file", size)
    return one, one.file("file")


def test_a_sparse_file_takes_no_space() -> None:
    """``truncate -s``: a length and no blocks; du tells both."""
    one, file = written(GIB)
    assert (file.size, file.allocated) == (GIB, 0)
    assert one.apparent_size() == GIB + DIRECTORY_BYTES
    assert one.allocated_size() == DIRECTORY_BYTES
    assert one.statistics() == (10 * GIB, 10 * GIB)
    assert file.read(GIB - 5, 100) == bytes(5)


def test_a_fully_allocated_file_takes_its_length() -> None:
    """``dd if=/dev/zero``: zeros, and a block for each of them."""
    one = share()
    one.fill("file", GIB)
    assert one.file("file").allocated == GIB
    assert one.statistics().available == 9 * GIB
    assert list(one.file("file").occupied(0, GIB // CHUNK)) == []


def test_a_write_takes_the_blocks_that_it_touches() -> None:
    """Two bytes over the border of two blocks allocate both."""
    _, file = written(GIB)
    file.write(BLOCK - 1, b"ab")
    assert file.allocated == 2 * BLOCK
    assert file.read(BLOCK - 2, 4) == b"\0ab\0"


def test_a_file_grows_where_it_is_written_behind_its_end() -> None:
    """What lies between is a hole."""
    _, file = written()
    file.write(3 * CHUNK + 7, b"end")
    assert (file.size, file.allocated) == (3 * CHUNK + 10, BLOCK)
    assert file.read(3 * CHUNK, 100) == bytes(7) + b"end"


def test_what_was_cut_off_reads_zero_when_the_file_grows_again() -> None:
    """In the middle of a page too; its blocks go back."""
    one, file = written(2 * CHUNK)
    file.write(0, b"x" * (CHUNK + PAGE))
    file.truncate(CHUNK - PAGE - 3)
    assert file.allocated == CHUNK - PAGE
    assert one.statistics().available == 10 * GIB - file.allocated
    file.truncate(2 * CHUNK)
    assert bool(file.read(0, 2 * CHUNK) == b"x" * (CHUNK - PAGE - 3) + bytes(CHUNK + PAGE + 3))


def test_a_full_share_refuses_with_what_fitted_written() -> None:
    """ENOSPC counts all files; removing one makes room."""
    one = share(8 * MIB)
    one.fill("other", 3 * MIB)
    one.truncate("file", 0)
    with pytest.raises(NoSpace) as refused:
        one.file("file").write(0, b"x" * (6 * MIB))
    assert (refused.value.written, one.file("file").size) == (CHUNK, CHUNK)
    assert bool(one.file("file").read(0, 6 * MIB).rstrip(b"\0") == b"x" * CHUNK)
    one.remove("other")
    one.file("file").write(0, b"x" * (6 * MIB))
    assert one.statistics().available == 2 * MIB


def test_a_share_that_cannot_take_all_zeros_takes_what_fits() -> None:
    """`written` counts whole chunks."""
    one = share(9 * MIB)
    with pytest.raises(NoSpace) as refused:
        one.fill("file", 16 * MIB)
    assert refused.value.written == 8 * MIB
    assert one.file("file").allocated == 8 * MIB


def test_rename_replaces_what_bears_the_name() -> None:
    """As os.rename does, without a word: the one that was there is gone, with its space."""
    one = share()
    one.fill("old", MIB)
    one.fill("new", 2 * MIB)
    replaced = one.file("new")
    one.rename("old", "new")
    assert one.names() == ["new"]
    assert one.file("new").size == MIB
    assert one.statistics().available == 10 * GIB - MIB
    replaced.write(0, b"still open")
    assert replaced.read(0, 10) == b"still open"
    assert one.statistics().available == 10 * GIB - MIB


def test_a_file_can_be_renamed_to_its_own_name() -> None:
    """Nothing happens."""
    one = share()
    one.fill("file", MIB)
    one.rename("file", "file")
    assert one.file("file").allocated == MIB


def test_removing_is_idempotent_and_reading_what_is_gone_is_refused() -> None:
    """``rm -f``, and ENOENT."""
    one = share()
    one.write_text("file", "text")
    one.chmod("file", 0o660)
    assert (one.read_text("file"), one.file("file").mode) == ("text", 0o660)
    one.write_text("file", "te")
    assert one.read_text("file") == "te"
    one.remove("file")
    one.remove("file")
    assert "file" not in one
    for refused in (lambda: one.file("file"), lambda: one.chmod("file", 0), lambda: one.rename("file", "x")):
        with pytest.raises(NotFound):
            refused()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "../up", "nul\0"])
def test_names_stay_in_the_directory(name: str) -> None:
    """Nothing leads out of the share."""
    one = share()
    one.truncate("file", 0)
    with pytest.raises(InvalidArgument):
        one.truncate(name, 1)
    with pytest.raises(InvalidArgument):
        one.rename("file", name)
    assert one.names() == ["file"]


def test_names_are_no_longer_than_a_file_system_takes() -> None:
    """ENAMETOOLONG behind 255 bytes."""
    share().truncate("x" * 255, 0)
    with pytest.raises(StorageError) as refused:
        share().truncate("x" * 256, 0)
    assert refused.value.errno == errno.ENAMETOOLONG


def test_a_negative_length_is_refused() -> None:
    """EINVAL."""
    with pytest.raises(InvalidArgument):
        written()[1].truncate(-1)


SIZES = st.integers(0, 5 * PAGE) | st.integers(CHUNK - PAGE, CHUNK + PAGE)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), SIZES, st.integers(1, 3 * PAGE)),
        st.tuples(st.just("truncate"), SIZES, st.just(0)),
    ),
    max_size=8,
)


@settings(max_examples=30)
@given(steps=STEPS, kept=st.booleans())
def test_a_file_is_what_was_written_and_cut(steps: list[tuple[str, int, int]], kept: bool) -> None:
    """Against a bytearray; blocks of the share are the sum of the files', and hold what is not zero.

    In memory and in a directory; what is in a directory can be opened again.
    """
    home = fake_directory() if kept else None
    one = Share(EXPORT, 10 * GIB, home=home)
    one.truncate("file", 0)
    file = one.file("file")
    model = bytearray()
    for number, (step, at, length) in enumerate(steps):
        if step == "write":
            data = bytes([number + 1]) * length
            file.write(at, data)
            model.extend(bytes(max(0, at - len(model))))
            model[at : at + length] = data
        else:
            file.truncate(at)
            del model[at:]
            model.extend(bytes(at - len(model)))
    assert file.size == len(model)
    assert bool(file.read(0, file.size) == bytes(model))
    total, available = one.statistics()
    assert total - available == file.allocated <= -(-file.size // BLOCK) * BLOCK
    held = sum(any(model[at : at + BLOCK]) for at in range(0, len(model), BLOCK))
    assert file.allocated >= held * BLOCK
    if home is not None:
        again = Share.reopen(home).file("file")
        assert (again.size, again.allocated >= held * BLOCK) == (len(model), True)
        assert bool(again.read(0, again.size) == bytes(model))


# ---------------------------------------------------------------------------------------------- in a directory


@pytest.fixture(params=["real", "fake"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    """A directory on the disk, and one in pyfakefs."""
    return RealDirectory(tmp_path) if request.param == "real" else fake_directory()


def test_a_share_in_a_directory_is_there_again_when_it_is_opened(home: Directory) -> None:
    """Names, lengths, blocks, modes and bytes; names that no file system would take in the clear too."""
    one = Share(EXPORT, 10 * GIB, home=home)
    one.truncate("sparse", GIB)
    one.file("sparse").write(GIB - 3, b"end")
    one.fill("full", 2 * CHUNK)
    one.write_text("text", "a text")
    one.write_text("text", "text")
    one.truncate("a: b\n%\u20ac", 5)
    one.truncate("old", 7)
    one.rename("old", "new")
    one.chmod("new", 0o600)
    one.fill("gone", MIB)
    one.remove("gone")
    one.close()
    again = Share.reopen(home)
    assert (again.export, again.capacity) == (EXPORT, 10 * GIB)
    assert again.names() == one.names() == ["a: b\n%\u20ac", "full", "new", "sparse", "text"]
    for name in one.names():
        assert again.file(name).size == one.file(name).size
        assert again.file(name).allocated == one.file(name).allocated, name
        assert again.file(name).mode == one.file(name).mode
    assert again.statistics() == one.statistics()
    assert again.file("sparse").read(GIB - 4, 10) == b"\0end"
    assert again.read_text("text") == "text"


def test_a_file_is_a_file_of_the_same_length_and_name(tmp_path: Path) -> None:
    """So that tools for files can look at it."""
    one = Share(EXPORT, 10 * GIB, home=RealDirectory(tmp_path))
    one.truncate("volume-1", GIB)
    one.file("volume-1").write(CHUNK - 2, b"border")
    one.file("volume-1").store(7, {1023: b"x" * PAGE})
    one.truncate("text", 0)
    one.file("text").write(0, b"eleven byte")
    path = tmp_path / "files" / "volume-1"
    assert path.stat().st_size == GIB
    assert path.stat().st_blocks * 512 <= MIB
    with path.open("rb") as file:
        file.seek(CHUNK - 2)
        assert file.read(7) == b"border\0"
        file.seek(8 * CHUNK - PAGE)
        assert bool(file.read(PAGE + 1) == b"x" * PAGE + b"\0")
    assert (tmp_path / "files" / "text").read_bytes() == b"eleven byte"


def test_what_a_killed_process_has_left_is_opened(home: Directory) -> None:
    """A file that is not on record yet, and a record of a file that is gone."""
    one = Share(EXPORT, 10 * GIB, home=home)
    one.truncate("gone", 5)
    home.directory("files").remove("gone")
    with home.directory("files").create("new") as file:
        file.write(0, b"data")
    again = Share.reopen(home)
    assert again.names() == ["new"]
    assert again.file("new").read(0, 10) == b"data"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"export": 1, "capacity": "a lot"}'])
def test_a_damaged_record_is_told_in_one_line(home: Directory, content: bytes) -> None:
    """What is damaged, and what helps."""
    Share(EXPORT, GIB, home=home)
    home.replace("share.json", content)
    with pytest.raises(InputError, match="is damaged") as refused:
        Share.reopen(home)
    assert "\n" not in str(refused.value)


def test_a_world_finds_its_shares_again(home: Directory) -> None:
    """One share for an export, with what is in it."""
    world = World(home=home)
    world.share(EXPORT, GIB).write_text("text", "kept")
    assert world.share(EXPORT, 5) is world.shares[EXPORT]
    world.close()
    again = World(home=home)
    assert again.share(EXPORT, 5).capacity == GIB
    assert again.shares[EXPORT].read_text("text") == "kept"
    again.close()
    home.directory("shares").directory("half-made")
    assert list(World(home=home).shares) == [EXPORT]
    assert home.directory("shares").names() == [safe_name(EXPORT)]
