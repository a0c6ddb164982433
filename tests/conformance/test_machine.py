"""What drivers do to the machine that the laws are checked on is a fault of theirs; temporary files are not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance import machine
from conformance.catalogue import select
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


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda: os.close(os.open("a", os.O_CREAT | os.O_WRONLY)), "writes a, "),
        (lambda: os.mkdir(b"b"), "writes b, "),
        (lambda: Path("c").touch(), "writes c, "),
        (lambda: open("temporary", "x").close(), "writes temporary, "),
        (lambda: os.system("true"), "starts true "),
        (lambda: open(os.devnull, "w").close(), ""),
        (lambda: os.listdir(), ""),
        (lambda: open(0, closefd=False), ""),  # noqa: SIM115
    ],
)
def test_deeds_are_told(deed: Callable[[], Any], told: str) -> None:
    """Whatever way a file is written or a program started; what is harmless is not."""
    deeds: list[str] = []
    with machine.watched(deeds):
        deed()
    assert [each.startswith(told) for each in deeds] == ([True] if told else [])


def test_what_leads_to_a_simulated_host_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the real Cinder `open` does, for what is mounted there."""
    monkeypatch.setattr("builtins.open", lambda path, mode: None)
    deeds: list[str] = []
    with machine.watched(deeds):
        open("/var/lib/cinder/mnt/share/file", "w")  # noqa: SIM115
    assert deeds == []


def test_a_call_that_is_none_is_left_to_its_callee() -> None:
    """With the error that it would have without us."""
    with machine.watched([]), pytest.raises(TypeError, match="path"):
        os.open()  # type: ignore[call-arg]


def test_the_directory_for_temporary_files_is_found_before_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python looks for it by writing there, under a lock: a driver's first file must not wait for that."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    with machine.watched([]):
        assert tempfile.tempdir is not None
        (tmp_path / "file").write_text("x")
