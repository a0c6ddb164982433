"""The label of a physical volume, and what is said of a device that has none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_backends.block_store import MemoryDevice
from fake_backends.lvm.on_disk.checksum import checksum
from fake_backends.lvm.on_disk.label import SECTOR, Label, read_label, write_label
from fake_backends.lvm.on_disk.uuids import with_hyphens, without_hyphens
from harness.errors import Unreadable

UUID = "6LXsfU-fYAJ-aRIT-JvcO-hUq1-NN6I-1eGwuz"


def labelled() -> MemoryDevice:
    device = MemoryDevice(1 << 20)
    write_label(device, Label(UUID, 1 << 20))
    return device


def change(device: MemoryDevice, offset: int, data: bytes, *, seal: bool) -> None:
    """Overwrite a part of the label; `seal` makes the checksum fit again."""
    device.write(SECTOR + offset, data)
    if seal:
        crc = checksum(device.read(SECTOR + 20, SECTOR - 20))
        device.write(SECTOR + 16, struct.pack("<I", crc))


def test_a_label_reads_as_it_was_written() -> None:
    """Data from 1 MiB on, metadata from 4096 up to there."""
    label = read_label(labelled())
    assert label == Label(UUID, 1 << 20, ((1 << 20, 0),), ((4096, (1 << 20) - 4096),))


@pytest.mark.parametrize("size", [0, 100, 1 << 20])
def test_a_device_without_a_label_is_no_physical_volume(size: int) -> None:
    """Also one that is shorter than a label."""
    with pytest.raises(Unreadable, match="is no physical volume: it has no LVM2 label"):
        read_label(MemoryDevice(size))


@pytest.mark.parametrize(
    ("offset", "data", "seal", "reason"),
    [
        (40, b"#", False, "label with a wrong checksum"),
        (24, b"LVM3 001", True, "unknown type 'LVM3 001'"),
        (136, struct.pack("<I", 3), True, "extension of version 3"),
        (20, struct.pack("<I", 500), True, "header that makes no sense"),
    ],
)
def test_a_label_that_cannot_be_used_says_why(offset: int, data: bytes, seal: bool, reason: str) -> None:
    """Damaged, or of a format that is not known here."""
    device = labelled()
    change(device, offset, data, seal=seal)
    with pytest.raises(Unreadable, match=reason):
        read_label(device)


@given(st.binary(max_size=2048))
def test_noise_never_passes_for_a_label(noise: bytes) -> None:
    """Whatever follows the magic."""
    device = MemoryDevice(4096)
    device.write(SECTOR, b"LABELONE" + noise)
    with pytest.raises(Unreadable):
        read_label(device)


def test_a_label_has_identifiers_without_hyphens() -> None:
    """And text metadata has them with hyphens."""
    assert without_hyphens(UUID) == "6LXsfUfYAJaRITJvcOhUq1NN6I1eGwuz"
    assert with_hyphens("6LXsfUfYAJaRITJvcOhUq1NN6I1eGwuz") == UUID
    assert labelled().read(SECTOR + 32, 32).decode() == without_hyphens(UUID)
