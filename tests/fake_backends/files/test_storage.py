"""A storage directory is opened, or left exactly as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fake_backends.files import storage
from fake_backends.files.storage import LOCK, MARKER, SCHEMA, StorageDirectory
from harness.errors import InputError


def snapshot(path: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a directory with its time and content."""
    return {
        str(each.relative_to(path)): (each.stat().st_mtime_ns, each.read_bytes() if each.is_file() else b"")
        for each in sorted(path.rglob("*"))
    }


def test_a_new_directory_is_made_and_opened_again(tmp_path: Path) -> None:
    """With the directories above it; what was kept there is found again."""
    path = tmp_path / "deep" / "storage"
    with StorageDirectory(path) as opened:
        opened.root.directory("nodes").replace("record", b"content")
    with StorageDirectory(path, create=False) as opened:
        assert opened.root.directory("nodes").read("record") == b"content"


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    """One that somebody made before."""
    with StorageDirectory(tmp_path) as opened:
        assert opened.root.names() == [LOCK, MARKER]


def refuse(path: Path, message: str, *, create: bool = True) -> None:
    """Opening raises InputError with this in its one line, and changes nothing below the directory above."""
    before = snapshot(path.parent)
    with pytest.raises(InputError, match=message) as caught:
        StorageDirectory(path, create=create)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert snapshot(path.parent) == before


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Anything in it that is not ours."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    refuse(home, "is not empty, and no storage directory")


def test_a_file_is_refused(tmp_path: Path) -> None:
    """Also as a part of the path."""
    (tmp_path / "file").write_text("content")
    refuse(tmp_path / "file", "is no directory")
    with pytest.raises(InputError, match="is no directory"):
        StorageDirectory(tmp_path / "file" / "below")


def test_what_must_exist_is_not_made(tmp_path: Path) -> None:
    """For commands that only look."""
    refuse(tmp_path / "absent", "there is no such storage directory", create=False)
    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty", "is empty", create=False)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (b'{"format": "crucible-storage", "schema": %d, "crucible": "9.9"}' % (SCHEMA + 1), "crucible 9.9"),
        (b'{"format": "crucible-storage", "sch', "is damaged"),
        (b"", "is damaged"),
        (b'{"format": "crucible-storage", "schema": "one", "crucible": "0.1"}', "is damaged"),
        (b'{"format": "something else", "schema": 1, "crucible": "0.1"}', "something else"),
        (b"\xff\xfe", "is damaged"),
    ],
)
def test_a_marker_that_we_cannot_trust_is_refused(tmp_path: Path, marker: bytes, message: str) -> None:
    """Of a newer schema, half-written, of another format."""
    path = tmp_path / "storage"
    StorageDirectory(path).close()
    (path / MARKER).write_bytes(marker)
    refuse(path, message)


def test_a_read_only_directory_is_refused(tmp_path: Path) -> None:
    """By its mode, even for the super-user."""
    path = tmp_path / "storage"
    StorageDirectory(path).close()
    path.chmod(0o500)
    try:
        refuse(path, "is read-only")
    finally:
        path.chmod(0o700)


def test_a_system_that_refuses_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a read-only file system, which shows only when somebody writes."""

    def refused(path: Path) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(storage, "_locked", refused)
    (tmp_path / "storage").mkdir()
    refuse(tmp_path / "storage", "Read-only file system")


def test_a_directory_is_open_once(tmp_path: Path) -> None:
    """Whoever has it keeps it until they close it."""
    path = tmp_path / "storage"
    with StorageDirectory(path):
        refuse(path, f"is in use by process {os.getpid()}")
    StorageDirectory(path).close()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    """Another process is kept out, until the one that has the directory is killed."""
    path = tmp_path / "storage"
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from fake_backends.files.storage import StorageDirectory\n"
        "opened = StorageDirectory(Path(sys.argv[1]))\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        refuse(path, f"is in use by process {holder.pid}")
        holder.send_signal(signal.SIGKILL)
    StorageDirectory(path, create=False).close()


@pytest.mark.parametrize("left", [[LOCK], [LOCK, ".new"]])
def test_a_start_that_was_cut_off_counts_as_empty(tmp_path: Path, left: list[str]) -> None:
    """Killed before the marker had its name."""
    for name in left:
        (tmp_path / name).write_bytes(b"{")
    with StorageDirectory(tmp_path) as opened:
        assert MARKER in opened.root.names()
