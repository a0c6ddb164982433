"""What ``cryptsetup luksDump`` prints of a header."""

from __future__ import annotations

from fake_backends.luks import Header, KeySlot
from fake_backends.luks.cipher import SECTOR
from fake_backends.luks.header import area_size
from fake_backends.luks.luks1 import SLOTS


def dump(path: str, header: Header) -> str:
    """The whole text, with a line end."""
    lines = _luks1(path, header) if header.version == 1 else _luks2(header)
    return "\n".join(lines) + "\n"


def _luks1(path: str, header: Header) -> list[str]:
    name, _, mode = header.cipher.partition("-")
    digest = header.digest
    lines = [
        f"LUKS header information for {path}",
        "",
        "Version:       \t1",
        f"Cipher name:   \t{name}",
        f"Cipher mode:   \t{mode}",
        f"Hash spec:     \t{digest.hash}",
        f"Payload offset:\t{header.payload_offset // SECTOR}",
        f"MK bits:       \t{header.key_size * 8}",
        f"MK digest:     \t{digest.value.hex(' ')} ",
        f"MK salt:       \t{digest.salt[:16].hex(' ')} ",
        f"               \t{digest.salt[16:].hex(' ')} ",
        f"MK iterations: \t{digest.iterations}",
        f"UUID:          \t{header.uuid}",
        "",
    ]
    for number in range(SLOTS):
        slot = header.slots.get(number)
        if slot is None:
            lines.append(f"Key Slot {number}: DISABLED")
            continue
        lines += [
            f"Key Slot {number}: ENABLED",
            f"\tIterations:         \t{slot.iterations}",
            f"\tSalt:               \t{slot.salt[:16].hex(' ')} ",
            f"\t                      \t{slot.salt[16:].hex(' ')} ",
            f"\tKey material offset:\t{slot.offset // SECTOR}",
            f"\tAF stripes:            \t{slot.stripes}",
        ]
    return lines


def _luks2(header: Header) -> list[str]:
    length = "(whole device)" if header.size is None else f"{header.size} [bytes]"
    lines = [
        "LUKS header information",
        "Version:       \t2",
        f"Epoch:         \t{header.epoch}",
        f"Metadata area: \t{header.metadata_size} [bytes]",
        f"Keyslots area: \t{header.keyslots_size} [bytes]",
        f"UUID:          \t{header.uuid}",
        "Label:         \t(no label)",
        "Subsystem:     \t(no subsystem)",
        "Flags:       \t(no flags)",
        "",
        "Data segments:",
        "  0: crypt",
        f"\toffset: {header.payload_offset} [bytes]",
        f"\tlength: {length}",
        f"\tcipher: {header.cipher}",
        f"\tsector: {header.sector_size} [bytes]",
        "",
        "Keyslots:",
    ]
    for number, slot in sorted(header.slots.items()):
        lines += _luks2_slot(number, slot)
    digest = header.digest
    return [
        *lines,
        "Tokens:",
        "Digests:",
        "  0: pbkdf2",
        f"\tHash:       {digest.hash}",
        f"\tIterations: {digest.iterations}",
        *_bytes("Salt:      ", digest.salt),
        *_bytes("Digest:    ", digest.value),
    ]


def _luks2_slot(number: int, slot: KeySlot) -> list[str]:
    lines = [
        f"  {number}: luks2",
        f"\tKey:        {slot.key_size * 8} bits",
        "\tPriority:   normal",
        f"\tCipher:     {slot.cipher}",
        f"\tCipher key: {slot.cipher_key_size * 8} bits",
        f"\tPBKDF:      {slot.kdf}",
    ]
    if slot.kdf == "pbkdf2":
        lines += [f"\tHash:       {slot.hash}", f"\tIterations: {slot.iterations}"]
    else:
        lines += [
            f"\tTime cost:  {slot.iterations}",
            f"\tMemory:     {slot.memory}",
            f"\tThreads:    {slot.lanes}",
        ]
    return [
        *lines,
        *_bytes("Salt:      ", slot.salt),
        f"\tAF stripes: {slot.stripes}",
        f"\tAF hash:    {slot.hash}",
        f"\tArea offset:{slot.offset} [bytes]",
        f"\tArea length:{area_size(slot.key_size)} [bytes]",
        "\tDigest ID:  0",
    ]


def _bytes(label: str, value: bytes) -> list[str]:
    """Sixteen bytes a line."""
    first, *rest = [value[start : start + 16].hex(" ") for start in range(0, len(value), 16)]
    return [f"\t{label} {first} ", *(f"\t            {line} " for line in rest)]
