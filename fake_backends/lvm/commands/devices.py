"""blockdev and udevadm. Source: util-linux 2.38 and systemd 252."""

from __future__ import annotations

from fake_backends.command_line import Result
from fake_backends.lvm.host import LvmHost, close_device
from fake_backends.lvm.logical_volume import OpenVolume
from harness.errors import NotFound

_NO_IOCTL = {
    "--getsize64": "BLKGETSIZE64",
    "--getsz": "BLKGETSIZE64",
    "--getss": "BLKSSZGET",
    "--getro": "BLKROGET",
    "--flushbufs": "BLKFLSBUF",
}


def blockdev(host: LvmHost, arguments: list[str]) -> Result:
    """Sizes of devices, in bytes and sectors; flushing, which has nothing to do."""
    if len(arguments) < 2:
        return Result(stderr="blockdev: bad usage\nTry 'blockdev --help' for more information.\n", rc=1)
    query, *paths = arguments
    if query not in _NO_IOCTL:
        return Result(stderr=f"blockdev: Unknown command: {query}\n", rc=1)
    lines = []
    for path in paths:
        try:
            device = host.open(path)
        except NotFound:
            return Result(stderr=f"blockdev: cannot open {path}: No such file or directory\n", rc=1)
        size = device.size
        close_device(device)
        if not host.is_device(path):
            reason = "Inappropriate ioctl for device"
            return Result(stderr=f"blockdev: ioctl error on {_NO_IOCTL[query]}: {reason}\n", rc=1)
        read_only = isinstance(device, OpenVolume) and device.volume.read_only
        shown = {
            "--getsize64": size,
            "--getsz": size // 512,
            "--getss": 512,
            "--getro": int(read_only),
        }.get(query)
        if shown is not None:
            lines.append(f"{shown}\n")
    return Result("".join(lines))


def udevadm(host: LvmHost, arguments: list[str]) -> Result:
    """Settle: events are done with before a command ends, so there is nothing to wait for."""
    match arguments:
        case ["settle", *options] if all(option.startswith("-") for option in options):
            return Result()
        case ["--version"]:
            return Result("252\n")
        case []:
            return Result(stderr="udevadm: Command not specified.\n", rc=1)
        case [command, *_]:
            return Result(stderr=f"Unknown command verb {command}.\n", rc=1)
    raise AssertionError(arguments)
