"""Containers that real tools wrote, and files for real tools to read."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_backends.block_store import CHUNK, PAGE, MemoryDevice

GOLDEN = Path(__file__).parents[2] / "golden" / "luks"


@pytest.fixture
def recorded() -> Callable[[str], MemoryDevice]:
    """A container from the recordings: what the header and the first 8 KiB of the payload were."""

    def load(name: str) -> MemoryDevice:
        recording = json.loads((GOLDEN / f"{name}.json").read_text())
        device = MemoryDevice(recording["size"])
        for extent in recording["extents"]:
            device.write(extent["offset"], base64.b64decode(extent["base64"]))
        return device

    return load


@pytest.fixture
def cryptsetup() -> str:
    """The real one. On files, all of it works that does not need the kernel's device mapper."""
    return _tool("cryptsetup")


@pytest.fixture
def qemu_img() -> str:
    """The real one."""
    return _tool("qemu-img")


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture
def to_file(tmp_path: Path) -> Callable[[MemoryDevice], Path]:
    """A device as a sparse file."""

    def dump(device: MemoryDevice) -> Path:
        path = tmp_path / "container"
        with path.open("wb") as file:
            file.truncate(device.size)
            for number, chunk in device.chunks.items():
                for index, page in chunk.items():
                    os.pwrite(file.fileno(), page, number * CHUNK + index * PAGE)
        return path

    return dump


@pytest.fixture
def from_file() -> Callable[[Path], MemoryDevice]:
    """A file as a device; pages of zeros stay absent."""

    def load(path: Path) -> MemoryDevice:
        device = MemoryDevice(path.stat().st_size)
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                device.write(file.tell() - len(data), data)
        return device

    return load
