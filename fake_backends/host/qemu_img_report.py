"""What ``qemu-img info`` prints of one image: as text, and the details that LUKS has."""

from __future__ import annotations

from typing import Any

from fake_backends import luks
from fake_backends.host.rbd_protocol import RbdDevice
from fake_backends.luks.header import STRIPES
from fake_backends.luks.luks1 import SLOTS, material_offset

QCOW2_DETAILS = {
    "compat": "1.1",
    "compression-type": "zlib",
    "lazy-refcounts": False,
    "refcount-bits": 16,
    "corrupt": False,
    "extended-l2": False,
}


def luks_details(header: luks.Header) -> dict[str, Any]:
    """Cipher, key slots and offsets of a LUKS header."""
    _, mode, generator = header.cipher.split("-", 2)
    bits = header.key_size * 8 // (2 if mode == "xts" else 1)
    slots = []
    for number in range(SLOTS):
        slot = header.slots.get(number)
        if slot is None:
            slots.append({"active": False, "key-offset": material_offset(number, header.key_size)})
        else:
            slots.append(
                {"active": True, "iters": slot.iterations, "key-offset": slot.offset, "stripes": STRIPES}
            )
    return {
        "ivgen-alg": generator,
        "hash-alg": header.digest.hash,
        "cipher-alg": f"aes-{bits}",
        "uuid": header.uuid,
        "cipher-mode": mode,
        "slots": slots,
        "payload-offset": header.payload_offset,
        "master-key-iters": header.digest.iterations,
    }


def rbd_snapshots(device: RbdDevice) -> dict[str, Any]:
    """The snapshots of an image of Ceph. They have no saved state: all is 0, but for the image's size."""
    moments = {"icount": 0, "vm-clock-nsec": 0}
    rest = {"date-sec": 0, "date-nsec": 0, "vm-clock-sec": 0}
    snapshots = [
        {**moments, "name": each["name"], **rest, "id": each["name"], "vm-state-size": each["size"]}
        for each in device.image.list_snaps()
    ]
    return {"snapshots": snapshots} if snapshots else {}


def as_text(record: dict[str, Any]) -> str:
    """What is told without ``--output=json``."""
    size = record["virtual-size"]
    lines = [
        f"image: {record['filename']}",
        f"file format: {record['format']}",
        f"virtual size: {_readable(size)} ({size} bytes)",
        f"disk size: {_readable(record['actual-size']) if 'actual-size' in record else 'unavailable'}",
    ]
    if record.get("encrypted"):
        lines.append("encrypted: yes")
    if "cluster-size" in record:
        lines.append(f"cluster_size: {record['cluster-size']}")
    if "backing-filename" in record:
        name, full = record["backing-filename"], record["full-backing-filename"]
        lines.append(f"backing file: {name}" + (f" (actual path: {full})" if full != name else ""))
    if "backing-filename-format" in record:
        lines.append(f"backing file format: {record['backing-filename-format']}")
    if "format-specific" in record:
        lines.append("Format specific information:")
        for key, value in record["format-specific"]["data"].items():
            lines += _detail(key, value)
    return "\n".join(lines) + "\n"


def _detail(key: str, value: Any) -> list[str]:
    label = key.replace("-", " ")
    if key != "slots":
        return [f"    {label}: {_shown(value)}"]
    lines = [f"    {label}:"]
    for number, slot in enumerate(value):
        lines.append(f"        [{number}]:")
        lines += [f"            {each.replace('-', ' ')}: {_shown(content)}" for each, content in slot.items()]
    return lines


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _readable(size: int) -> str:
    """As QEMU's size_to_str: three digits."""
    power = 0
    while size >= 1000 << 10 * power:
        power += 1
    return f"{size / (1 << 10 * power):.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[power]}"
