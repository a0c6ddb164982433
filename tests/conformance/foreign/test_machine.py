"""What drivers do to the machine that the laws are checked on is a fault of theirs; temporary files are not."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading  # noqa: TID251 (drivers start some)
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.catalogue import select
from conformance.foreign import machine
from conformance.runner import check
from conformance.subjects import subject
from fake_backends.rbd.driver import RbdDriver


class Writes(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        Path("left.txt").write_text(volume.name)
        return super().create_volume(volume)


class Starts(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        subprocess.run([sys.executable, "-V"], check=True, stdout=subprocess.DEVNULL)
        return super().create_volume(volume)


class Moves(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        os.chdir(os.pardir)
        return super().create_volume(volume)


class IsTidy(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        with tempfile.TemporaryFile("w") as file:
            file.write(volume.name)
        Path(__file__).read_text()
        return super().create_volume(volume)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory that is not below the one for temporary files."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (Writes, "create_volume writes left.txt, outside of the directory for temporary files"),
        (Starts, f"create_volume starts {sys.executable} on the machine that the laws are checked on"),
        (Moves, "create_volume changes the working directory"),
        (IsTidy, ""),
    ],
)
def test_a_driver_keeps_to_its_hosts(driver: type[Any], reason: str) -> None:
    """A verdict on the law, with the reason; the working directory is what it was."""
    before = Path.cwd()
    (result,) = check(subject(driver), select((), "volumes/what_is_written"), profile="smoke")
    assert (result.status, result.reason) == ("failed" if reason else "passed", reason)
    assert Path.cwd() == before


def connect(address: tuple[str, int]) -> None:
    with socket.socket() as mine:
        mine.connect(address)


DEEDS: list[tuple[Callable[[], Any], str]] = [
    (lambda: os.open("a", os.O_CREAT | os.O_WRONLY), "writes a, "),
    (lambda: os.mkdir(b"b"), "writes b, "),
    (lambda: Path("c").touch(), "writes c, "),
    (lambda: open("temporary", "x"), "writes temporary, "),  # noqa: SIM115
    (lambda: open("kept", "a"), "writes kept, "),  # noqa: SIM115
    (lambda: Path("kept").unlink(), "writes kept, "),
    (lambda: Path("kept").rename("../temporary/kept"), "writes kept, "),
    (lambda: Path("../temporary/mine").rename("kept"), "writes kept, "),
    (lambda: Path("kept").chmod(0), "writes kept, "),
    (lambda: os.truncate("kept", 0), "writes kept, "),
    (lambda: os.utime("kept"), "writes kept, "),
    (lambda: os.symlink("kept", "d"), "writes d, "),
    (lambda: os.link("kept", "d"), "writes d, "),
    (lambda: shutil.rmtree("directory"), "writes "),
    (lambda: os.rmdir("directory"), "writes directory, "),
    (lambda: os.chdir("directory"), "changes the working directory"),
    (lambda: os.system("true"), "starts true "),
    (lambda: os.execv("/bin/true", ["true"]), "starts /bin/true "),
    (lambda: os.posix_spawn("/bin/true", ["true"], {}), "starts /bin/true "),
    (os.fork, "starts a process "),
    (lambda: os.kill(os.getppid(), signal.SIGKILL), "sends signal 9 to another process"),
    (lambda: os.kill(os.getpid(), signal.SIGTERM), "sends signal 15 to its own process"),
    (lambda: os.kill(0, signal.SIGKILL), "sends signal 9 to a process group"),
    (lambda: os.killpg(0, signal.SIGKILL), "sends signal 9 to a process group"),
    (lambda: os.environ.update(CRUCIBLE_TEST="1"), "changes the environment variable CRUCIBLE_TEST"),
    (lambda: socket.create_connection(("127.0.0.1", 9)), "looks up '127.0.0.1', "),
    (lambda: connect(("127.0.0.1", 9)), "connects to ('127.0.0.1', 9), "),
]
HARMLESS: list[Callable[[], Any]] = [
    lambda: open(os.devnull, "w").close(),
    lambda: os.listdir(),
    lambda: Path("kept").read_text(),
    lambda: open(0, closefd=False),  # noqa: SIM115
    lambda: os.kill(os.getppid(), 0),
    lambda: Path("../temporary/mine").unlink(),
    lambda: shutil.rmtree("../temporary/directory"),
    socket.gethostname,
]


@pytest.fixture
def files(elsewhere: None) -> None:
    """Some that are there, and some that are temporary."""
    Path("kept").write_text("kept")
    Path("directory").mkdir()
    Path("directory/file").touch()
    shutil.copytree("directory", "../temporary/directory")
    Path("../temporary/mine").touch()


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("deed", "told"), DEEDS)
def test_what_a_driver_does_to_the_machine_is_refused_and_told(deed: Callable[[], Any], told: str) -> None:
    """Whatever way a file is written, a program started, somebody told."""
    with machine.watched() as watched:
        watched.enter()
        with pytest.raises(PermissionError, match="a driver under test"):
            deed()
        watched.leave()
    assert watched.deeds[0].startswith(told)
    assert sorted(path.name for path in Path().iterdir()) == ["directory", "kept"]
    assert (Path("kept").read_text(), len([*Path("directory").iterdir()])) == ("kept", 1)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("deed", HARMLESS)
def test_what_is_harmless_is_not_told(deed: Callable[[], Any]) -> None:
    """Temporary files, and reading."""
    with machine.watched() as watched:
        watched.enter()
        deed()
    assert watched.deeds == []


def test_between_calls_nothing_is_refused() -> None:
    """Crucible itself writes, too."""
    with machine.watched() as watched:
        watched.enter()
        watched.leave()
        Path("file").touch()
    Path("file").unlink()
    assert watched.deeds == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_threads_of_the_driver_are_watched_and_no_others() -> None:
    """Those that ran before belong to somebody else."""
    begin, done = threading.Event(), threading.Event()

    def write() -> None:
        begin.wait()
        Path("theirs").touch()
        done.set()

    other = threading.Thread(target=write)
    other.start()
    with machine.watched() as watched:
        watched.enter()
        begin.set()
        done.wait()
        mine = threading.Thread(target=open, args=("mine", "w"))
        mine.start()
        mine.join()
    other.join()
    assert [each.partition(",")[0] for each in watched.deeds] == ["writes mine"]
    assert Path("theirs").exists()


def test_byte_code_of_what_is_imported_first_is_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python keeps it where the source is."""
    Path("imported_first.py").write_text("x = 1\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(".")
    with machine.watched() as watched:
        watched.enter()
        importlib.import_module("imported_first")
    del sys.modules["imported_first"]
    assert watched.deeds == []
    assert Path("__pycache__").exists()


def test_a_call_that_is_none_is_left_to_its_callee() -> None:
    """With the error that it would have without us."""
    with machine.watched() as watched:
        watched.enter()
        with pytest.raises(TypeError, match="path"):
            os.open()  # type: ignore[call-arg]


def test_the_directory_for_temporary_files_is_found_before_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python looks for it by writing there, under a lock: a driver's first file must not wait for that."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    with machine.watched():
        assert tempfile.tempdir is not None
