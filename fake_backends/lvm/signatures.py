"""What libblkid recognises on a device: lvcreate refuses extents on which somebody's file system shows.

Signatures are found in libblkid's order: superblocks, then partition tables. Offsets are the places of the
magic bytes, as lvcreate prints them. Source: libblkid/src/superblocks and partitions of util-linux 2.38.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fake_backends.block_store import BlockDevice

_SECTOR = 512
_PAGE = 4096


class Signature(NamedTuple):
    """The name that lvcreate prints, where the magic bytes are, and how many they are."""

    name: str
    offset: int
    length: int


class _Magic(NamedTuple):
    name: str
    offset: int
    magic: bytes


_SUPERBLOCKS = (
    _Magic("LVM2_member", 512, b"LABELONE"),
    _Magic("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    _Magic("crypto_LUKS", 16384, b"SKUL\xba\xbe"),
    _Magic("swap", 4086, b"SWAPSPACE2"),
    _Magic("swap", 4086, b"SWAP-SPACE"),
    _Magic("xfs", 0, b"XFSB"),
    _Magic("btrfs", 65600, b"_BHRfS_M"),
    _Magic("ntfs", 3, b"NTFS    "),
    _Magic("squashfs", 0, b"hsqs"),
    _Magic("iso9660", 32769, b"CD001"),
    _Magic("gfs2", 65536, b"\x01\x16\x19\x70"),
)
_SUPERBLOCKS_END = max(offset + len(magic) for _, offset, magic in _SUPERBLOCKS)
_EXT_MAGIC = b"\x53\xef"
_EXT_OFFSET = 1024 + 56
_BOOT_MAGIC = b"\x55\xaa"
_BOOT_OFFSET = 510
_GPT_MAGIC = b"EFI PART"
_PROTECTIVE = 0xEE


def found(device: BlockDevice) -> list[Signature]:
    """The first superblock and the first partition table on a device, if any."""
    first = (next(_superblocks(device), None), next(_partition_tables(device), None))
    return [signature for signature in first if signature]


def wipe(device: BlockDevice) -> list[Signature]:
    """Overwrite the magic of every signature with zeros; what was wiped, in that order."""
    wiped: list[Signature] = []
    while here := found(device):
        device.write(here[0].offset, bytes(here[0].length))
        wiped.append(here[0])
    return wiped


def _superblocks(device: BlockDevice) -> Iterator[Signature]:
    start = device.read(0, _SUPERBLOCKS_END)
    for name, offset, magic in _SUPERBLOCKS:
        if start.startswith(magic, offset):
            yield Signature(name, offset, len(magic))
    if start.startswith(_EXT_MAGIC, _EXT_OFFSET):
        yield Signature(_ext_name(start[1024:2048]), _EXT_OFFSET, len(_EXT_MAGIC))


def _ext_name(superblock: bytes) -> str:
    """ext2 without a journal, ext3 with one, ext4 with features that ext3 does not know."""
    compatible = int.from_bytes(superblock[0x5C:0x60], "little")
    incompatible = int.from_bytes(superblock[0x60:0x64], "little")
    read_only = int.from_bytes(superblock[0x64:0x68], "little")
    if incompatible & ~0x16 or read_only & ~0x07:
        return "ext4"
    return "ext3" if compatible & 0x04 else "ext2"


def _partition_tables(device: BlockDevice) -> Iterator[Signature]:
    sector = device.read(0, _SECTOR)
    boot = sector[_BOOT_OFFSET:] == _BOOT_MAGIC
    kinds = [sector[446 + 16 * entry + 4] for entry in range(4)] if boot else []
    if _PROTECTIVE in kinds or not boot:
        for offset in (_SECTOR, device.size - _SECTOR):
            if device.read(offset, len(_GPT_MAGIC)) == _GPT_MAGIC:
                yield Signature("gpt", offset, len(_GPT_MAGIC))
    if _PROTECTIVE in kinds:
        yield Signature("PMBR", _BOOT_OFFSET, len(_BOOT_MAGIC))
    elif any(kinds) and _plausible(sector):
        yield Signature("dos", _BOOT_OFFSET, len(_BOOT_MAGIC))


def _plausible(sector: bytes) -> bool:
    """A boot flag is 0 or 0x80 in every entry of a partition table."""
    flags: Sequence[int] = [sector[446 + 16 * entry] for entry in range(4)]
    return all(flag in (0, 0x80) for flag in flags)
