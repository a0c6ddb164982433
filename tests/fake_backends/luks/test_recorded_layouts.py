"""Offsets, sizes and the ends of full copies, recorded with cryptsetup 2.6.1 on dm-crypt and qemu-img 7.2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fake_backends import luks
from fake_backends.block_store import MemoryDevice, copy_range
from harness.errors import NoSpace

KEY = b"secret"
MIB = 1 << 20
RECORDED = json.loads((Path(__file__).parents[2] / "golden" / "luks" / "layout.json").read_text())
PROVIDERS = {"luks1": "luks", "luks2": "luks2"}


def payload(size: int, row: dict[str, Any]) -> luks.LuksDevice:
    """A container as cryptsetup formats it by the row's options."""
    device = MemoryDevice(size)
    provider = PROVIDERS[row["type"]]
    bits = {"default": 256 if provider == "luks" else 512}.get(row["key_size"]) or int(row["key_size"])
    luks.format(device, provider=provider, key=KEY, key_size=bits)
    return luks.LuksDevice(device, KEY)


def label(row: dict[str, Any]) -> str:
    values = (row.get(name) for name in ("type", "key_size", "device", "requested", "cipher", "device_bytes"))
    return "-".join(str(value) for value in values if value is not None)


@pytest.mark.parametrize("row", RECORDED["vm_table"], ids=label)
def test_containers_on_devices(row: dict[str, Any]) -> None:
    """Payload offset, usable size, and where dd runs out of space: at the end, or 4 MiB before it."""
    opened = payload(row["device_bytes"], row)
    assert opened.payload_offset == row["data_offset_bytes"]
    assert opened.size == row["usable_bytes"]
    if "dd_bytes" in row:
        source = MemoryDevice(row["device_bytes"])
        with pytest.raises(NoSpace) as caught:
            copy_range(source, opened, 0, source.chunk_count)
        assert caught.value.written == row["dd_bytes"]
    else:
        with pytest.raises(NoSpace) as caught:
            opened.write(opened.size - 4 * MIB, bytes(5 * MIB))
        assert caught.value.written == row["dd_tail_bytes"]


FORMATTED = [row for row in RECORDED["host_table"] if row["tool"] == "cryptsetup luksFormat on a plain file"]


@pytest.mark.parametrize("row", FORMATTED, ids=label)
def test_containers_in_files(row: dict[str, Any]) -> None:
    """The same layout as on a device."""
    opened = payload(row["device_bytes"], row)
    assert (opened.payload_offset, opened.size) == (row["data_offset_bytes"], row["usable_bytes"])


CREATED = [row for row in RECORDED["host_table"] if row["tool"] == "qemu-img create -f luks"]


@pytest.mark.parametrize("row", CREATED, ids=label)
def test_containers_of_qemu_img(row: dict[str, Any]) -> None:
    """The header comes on top of the size that was asked for."""
    bits = 128 if "128" in row["cipher"] else 256
    offset = luks.QEMU_IMG_OFFSET[bits]
    device = MemoryDevice(row["file_bytes"])
    luks.format(device, provider="luks", key=KEY, key_size=2 * bits, payload_offset=offset)
    opened = luks.LuksDevice(device, KEY)
    assert (opened.payload_offset, opened.size) == (row["payload_offset_bytes"], row["virtual_size"])
