"""Disks of images and backups in files."""

from __future__ import annotations

from pathlib import Path

from fake_backends.block_store import CHUNK, PAGE, MemoryDevice
from fake_backends.files.real import RealDirectory
from harness.rest.kept_disks import Disks, KeptDisks


def _disk(*pages: int) -> MemoryDevice:
    disk = MemoryDevice(3 * CHUNK)
    for page in pages:
        disk.write(page * PAGE, bytes([page % 255 + 1]) * PAGE)
    return disk


def _loaded(path: Path) -> Disks:
    disks: Disks = {}
    KeptDisks(RealDirectory(path)).load(disks)
    return disks


def test_a_whole_disk_comes_back(tmp_path: Path) -> None:
    """All bytes of it, and its size; its holes take no space."""
    disk = _disk(0, 7, 2 * CHUNK // PAGE + 1)
    KeptDisks(RealDirectory(tmp_path)).keep({"one": disk}, lambda name: True)
    loaded = _loaded(tmp_path)["one"]
    assert loaded.size == disk.size
    assert loaded.chunks == disk.chunks
    assert (tmp_path / "one").stat().st_blocks * 512 < CHUNK


def test_a_disk_in_the_making_is_not_kept(tmp_path: Path) -> None:
    """It would come back half."""
    kept = KeptDisks(RealDirectory(tmp_path))
    kept.keep({"half": _disk(1)}, lambda name: False)
    assert _loaded(tmp_path) == {}
    kept.keep({"half": _disk(1)}, lambda name: True)
    assert list(_loaded(tmp_path)) == ["half"]


def test_a_disk_that_is_gone_is_removed(tmp_path: Path) -> None:
    """With its file."""
    kept = KeptDisks(RealDirectory(tmp_path))
    kept.keep({"one": _disk(1), "two": _disk(2)}, lambda name: True)
    kept.keep({"two": _disk(2)}, lambda name: True)
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
