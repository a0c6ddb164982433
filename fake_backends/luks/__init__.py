"""LUKS containers: a header in front, and a payload that reads as noise without the volume's master key.

Headers are real: cryptsetup and qemu-img read what is written here, and what they write can be opened here.
The header travels with the bytes, so a raw copy of the device opens with the same key, wherever it lies.
"""

from fake_backends.luks.container import (
    CIPHER,
    CRYPTSETUP_OFFSET,
    QEMU_IMG_OFFSET,
    Provider,
    add_key,
    change_key,
    erase_key,
    format,
    provider_of,
    read_header,
    unlock,
    unlock_with,
)
from fake_backends.luks.device import LuksDevice
from fake_backends.luks.header import MAGIC, Header, KeySlot

__all__ = [
    "CIPHER",
    "CRYPTSETUP_OFFSET",
    "MAGIC",
    "QEMU_IMG_OFFSET",
    "Header",
    "KeySlot",
    "LuksDevice",
    "Provider",
    "add_key",
    "change_key",
    "erase_key",
    "format",
    "provider_of",
    "read_header",
    "unlock",
    "unlock_with",
]
