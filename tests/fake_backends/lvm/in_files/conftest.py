"""Where the groups of these tests live, and what a group shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_backends.block_store import PAGES_PER_CHUNK
from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.real import RealDirectory
from fake_backends.lvm.logical_volume import LogicalVolume, ThickSnapshot
from fake_backends.lvm.volume_group import VolumeGroup


@pytest.fixture(params=["real", "fake"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    """An empty directory, on a real file system and in pyfakefs."""
    return RealDirectory(tmp_path) if request.param == "real" else fake_directory()


@pytest.fixture
def image() -> Callable[[VolumeGroup], dict[str, Any]]:
    """A function that gives all that a group shows, apart from the bytes in its free extents."""
    return _image


def _content(volume: LogicalVolume) -> dict[int, bytes] | None:
    """Pages that are not zero; None if reading is an error."""
    if isinstance(volume, ThickSnapshot) and volume.invalid:
        return None
    return {
        number * PAGES_PER_CHUNK + index: page
        for number in volume.occupied(0, volume.chunk_count)
        for index, page in volume.load(number).items()
    }


def _image(group: VolumeGroup) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "group": (group.name, group.uuid, group.size, group.free, tuple(group.tags)),
        "free": [list(disk.free) for disk in group.disks],
    }
    for name, volume in group.volumes.items():
        shown[name] = {
            "kind": type(volume).__name__.removeprefix("File"),
            "size": (volume.size, volume.listed_size),
            "origin": volume.origin.name if volume.origin else None,
            "flags": (volume.active, volume.read_only, volume.skips_activation, volume.merging),
            "tags": tuple(volume.tags),
            "uuid": volume.uuid,
            "used": volume.used if isinstance(volume, ThickSnapshot) else None,
            "content": _content(volume),
        }
    for name in group.pools():
        pool = group.pool(name)
        shown[name] = {
            "size": (pool.size, pool.block_size),
            "running": pool.running,
            "used": (pool.data_used, pool.metadata_used, pool.free_blocks),
            "volumes": sorted(volume.name for volume in pool.volumes),
        }
    return shown
