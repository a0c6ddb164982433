"""Directories: whole files, names, and what they refuse; the same on a real file system and in pyfakefs."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.real import RealDirectory
from harness.errors import AlreadyExists, InvalidArgument, NotFound, StorageError


def test_a_small_file_reads_as_last_replaced(directory: Directory) -> None:
    """`replace` writes a whole file, whether one was there or not, longer or shorter."""
    for content in (b"first", b"the second, longer", b"", b"x"):
        directory.replace("record", content)
        assert directory.read("record") == content


def test_names_are_sorted_and_leave_out_what_is_not_finished(directory: Directory) -> None:
    """A replacement that was given up leaves the old file and shows nothing new."""
    directory.replace("b", b"old")
    directory.create("a").close()
    directory.directory("c")
    with pytest.raises(RuntimeError), directory.replacing("b") as file:  # noqa: PT012 - the block is the point
        file.write(0, b"new")
        raise RuntimeError
    assert directory.names() == ["a", "b", "c"]
    assert directory.read("b") == b"old"


def test_a_sparse_file_can_take_the_place_of_another(directory: Directory) -> None:
    """`replacing` gives its name at the end, and the next replacement starts empty."""
    for content in (b"longer content", b"short"):
        with directory.replacing("data") as file:
            file.write(0, content)
        with directory.open("data") as file:
            assert file.read(0, 100) == content


def test_rename_replaces(directory: Directory) -> None:
    """As `os.replace` does."""
    for name in ("a", "b"):
        with directory.create(name) as file:
            file.write(0, name.encode())
    directory.rename("a", "b")
    assert directory.names() == ["b"]
    with directory.open("b") as file:
        assert file.read(0, 10) == b"a"
    directory.rename("b", "b")
    assert directory.names() == ["b"]


def test_a_directory_keeps_what_is_in_it_under_a_new_name(directory: Directory) -> None:
    """Directories can be renamed."""
    directory.directory("old").replace("record", b"content")
    directory.rename("old", "new")
    assert directory.directory("new").read("record") == b"content"
    assert directory.names() == ["new"]


def test_removed_files_and_directories_are_gone(directory: Directory) -> None:
    """A directory goes with all that is in it; an absent one is fine, an absent file is not."""
    directory.replace("file", b"")
    inner = directory.directory("outer").directory("inner")
    inner.create("sparse").close()
    assert "file" in directory
    assert "outer" in directory
    directory.remove("file")
    directory.remove_directory("outer")
    directory.remove_directory("outer")
    assert "file" not in directory
    assert directory.names() == []
    assert directory.directory("outer").names() == []


def test_absent_files_are_not_found(directory: Directory) -> None:
    """ENOENT, as from the system."""
    for refused in (
        lambda: directory.read("x"),
        lambda: directory.open("x"),
        lambda: directory.remove("x"),
        lambda: directory.rename("x", "y"),
    ):
        with pytest.raises(NotFound) as caught:
            refused()
        assert caught.value.errno == errno.ENOENT


def test_a_file_is_no_directory(directory: Directory) -> None:
    """EEXIST, as mkdir says."""
    directory.create("sparse").close()
    directory.replace("small", b"")
    for name in ("sparse", "small"):
        with pytest.raises(AlreadyExists):
            directory.directory(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "../x", "nul\0", "n" * 256, "ä" * 128])
def test_no_name_leads_out_of_the_directory(directory: Directory, name: str) -> None:
    """What is no name of a file here is refused by every operation that makes or opens one."""
    for refused in (directory.create, directory.open, directory.directory, directory.read, directory.remove):
        with pytest.raises(InvalidArgument):
            refused(name)
    with pytest.raises(InvalidArgument):
        directory.replace(name, b"")
    assert directory.names() == []


def test_what_the_system_refuses_has_its_number(tmp_path: Path) -> None:
    """An OSError becomes a StorageError with the same errno."""
    directory = RealDirectory(tmp_path)
    directory.replace("file", b"")
    with pytest.raises(StorageError) as caught:
        RealDirectory(tmp_path / "file").read("inside")
    assert caught.value.errno == errno.ENOTDIR


def test_two_fake_directories_share_nothing() -> None:
    """Each has a file system of its own."""
    one, other = fake_directory(), fake_directory()
    one.replace("record", b"")
    assert other.names() == []
