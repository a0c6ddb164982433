"""Files of the fake machine as Python's own file objects."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from fake_backends.block_store import MemoryDevice, MemoryFile
from fake_backends.nfs.share import Share
from harness.cinder_engine.seams.files import DeviceFile, Files
from harness.cinder_engine.seams.stage import Stage


def test_a_text_file_is_written_and_read() -> None:
    """As the NFS driver keeps its ``.info`` files."""
    file = MemoryFile(0)
    with io.TextIOWrapper(io.BufferedWriter(DeviceFile(file)), encoding="utf-8") as writer:
        writer.write('{"active": "volume-a"}\n')
    assert file.size == 23
    with io.TextIOWrapper(io.BufferedReader(DeviceFile(file)), encoding="utf-8") as reader:
        assert reader.read() == '{"active": "volume-a"}\n'


def test_a_device_is_read_in_pieces_up_to_its_end() -> None:
    """As the copying loop and the format inspectors do; behind the end there is nothing."""
    device = MemoryDevice(1 << 20)
    device.write((1 << 20) - 4, b"tail")
    file = DeviceFile(device)
    assert file.seek(-8, os.SEEK_END) == (1 << 20) - 8
    assert [file.read(6), file.read(6), file.read(6)] == [b"\0\0\0\0ta", b"il", b""]
    assert len(DeviceFile(device).readall()) == 1 << 20


def test_what_does_not_fit_is_refused_as_by_the_system() -> None:
    """ENOSPC behind the end of a device, and in a share that is full."""
    full = Share("192.0.2.101:/srv", 4096)
    for device in (MemoryDevice(4096), full.create("volume")):
        file = DeviceFile(device, position=4096)
        with pytest.raises(OSError, match="No space left on device") as failure:
            file.write(b"x" * 8192)
        assert failure.value.errno == errno.ENOSPC


def test_nothing_is_redirected_between_cells(tmp_path: Path) -> None:
    """Paths are then those of this process, whatever they are."""
    files = Files(Stage())
    path = tmp_path / "file"
    with files.open(str(path), "w", encoding="utf-8") as writer:
        writer.write("text")
    assert files.stat(path).st_size == 4
    files.rename(path, tmp_path / "other")
    assert (tmp_path / "other").read_text(encoding="utf-8") == "text"
    assert files.stat("/dev/null") == os.stat("/dev/null")
