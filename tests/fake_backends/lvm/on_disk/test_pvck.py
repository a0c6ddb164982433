"""The real pvck reads what is written here. Skipped where lvm2 is not installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fake_backends.block_store import MemoryDevice
from fake_backends.lvm.on_disk.group_text import group_text
from fake_backends.lvm.on_disk.label import DATA_START, METADATA_SIZE, METADATA_START, Label, write_label
from fake_backends.lvm.on_disk.metadata_area import MetadataArea, commit_everywhere
from fake_backends.lvm.on_disk.records import GroupRecord, LogicalVolumeRecord, PhysicalVolumeRecord, Striped

PVCK = shutil.which("pvck") or "/sbin/pvck"
UUID = "6LXsfU-fYAJ-aRIT-JvcO-hUq1-NN6I-1eGwuz"
needs_pvck = pytest.mark.skipif(not Path(PVCK).exists(), reason="pvck of lvm2 is not installed")


def pvck(what: str, path: Path) -> str:
    """What ``pvck --dump`` prints of a file."""
    command = [PVCK, "--dump", what, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@needs_pvck
def test_pvck_reads_the_text_that_is_in_force(tmp_path: Path) -> None:
    """After enough changes to wrap around the ring, and with a label that it finds nothing wrong with."""
    device = MemoryDevice(DATA_START)
    write_label(device, Label(UUID, 64 << 20))
    area = MetadataArea(device, METADATA_START, METADATA_SIZE)
    area.format()
    volumes = tuple(
        LogicalVolumeRecord(f"volume-{number}", UUID, (Striped(0, 1, ("pv0", number)),))
        for number in range(300)
    )
    text = ""
    for seqno in range(1, 21):
        physical = PhysicalVolumeRecord(UUID, "/dev/x", 131072, 2048, 15)
        text = group_text(GroupRecord("vg", UUID, seqno, (physical,), volumes))
        commit_everywhere([area], text)
    path = tmp_path / "pv.img"
    path.write_bytes(device.read(0, DATA_START))
    with path.open("r+b") as file:
        file.truncate(64 << 20)
    assert text.strip() in pvck("metadata", path)
    headers = pvck("headers", path)
    assert f"pv_header.pv_uuid {UUID.replace('-', '')}" in headers
    assert "pv_header.device_size 67108864" in headers
    assert "# vgname vg seqno 20" in headers
