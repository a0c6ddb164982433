"""dd, as Cinder copies and clears volumes with it. Source: coreutils 9.1.

A copy moves chunks that hold something, and accounts for the rest, so it costs what was written. Only the store
of a snapshot is written block by block, because it may fill up inside a chunk.

A copy of whole chunks from one device or file to another passes the point ``copy.dd`` before each of up to 8
slices, everything else the point ``host.dd`` once.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from fake_backends.block_store import CHUNK, PAGE, BlockDevice, MemoryDevice, RegularFile, copy_range
from fake_backends.command_line import Result
from fake_backends.lvm.host import ENDLESS, LvmHost, NullDevice, RandomDevice, close_device
from fake_backends.lvm.logical_volume import OpenVolume, ThickSnapshot
from harness.errors import NoSpace, NotFound, StorageError
from harness.sim.points import Points

BYTES_PER_SECOND = 100 << 20
"""What a copy is said to have taken, in virtual time."""
SECTOR = 512
SLICES = 8
"""A copy lets others run this many times, however large it is, so its cost follows the bytes written."""
_FLAGS = {"direct", "count_bytes", "skip_bytes", "seek_bytes", "fullblock", "sync", "dsync", "nonblock"}
_CONVERSIONS = {"sparse", "fdatasync", "fsync", "notrunc", "nocreat"}
_IN_MEMORY = ("/run/", "/dev/", "/tmp/")
"""File systems in memory, whose regular files refuse direct access."""
_MULTIPLES = {
    "c": 1, "w": 2, "b": 512, "kB": 1000, "K": 1 << 10, "MB": 10**6, "M": 1 << 20, "GB": 10**9, "G": 1 << 30,
    "T": 1 << 40, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "k": 1 << 10,
}  # fmt: skip


class Stopped(Exception):
    """dd ends with status 1; the text goes to the standard error behind its name."""


@dataclass
class Operands:
    """What dd was asked for. Positions and `count` are bytes; without `count` it copies to the end."""

    source: str = ""
    target: str = ""
    block: int = SECTOR
    count: int | None = None
    skip: int = 0
    seek: int = 0
    input_flags: set[str] = field(default_factory=set)
    output_flags: set[str] = field(default_factory=set)
    conversions: set[str] = field(default_factory=set)


@dataclass
class Tally:
    """Bytes read and written, and what went wrong, if anything."""

    read: int = 0
    written: int = 0
    error: str = ""
    failed_block: int = 0
    """Bytes of the block that was read but could not be written."""


def dd(host: LvmHost, arguments: list[str]) -> Result:
    """Run dd. Exit status 1 and its messages for what it refuses."""
    try:
        operands = read_operands(arguments)
    except Stopped as error:
        return Result(stderr=f"dd: {error}\nTry 'dd --help' for more information.\n", rc=1)
    opened: list[BlockDevice] = []
    try:
        source = _open_source(host, operands)
        opened.append(source)
        target = _open_target(host, operands)
        opened.append(target)
        tally = _copied(host, operands, source, target)
    except Stopped as error:
        return Result(stderr=f"dd: {error}\n", rc=1)
    finally:
        for device in opened:
            close_device(device)
    message = f"dd: {tally.error}\n" if tally.error else ""
    return Result(stderr=message + _summary(operands, tally), rc=1 if tally.error else 0)


def read_operands(arguments: list[str]) -> Operands:
    """Sort ``name=value`` operands. Stopped for one that is unknown or unreadable."""
    operands = Operands()
    numbers: dict[str, int] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise Stopped(f"unrecognized operand '{argument}'")
        match name:
            case "if":
                operands.source = value
            case "of":
                operands.target = value
            case "bs" | "count" | "skip" | "seek":
                numbers[name] = _number(value)
            case "iflag":
                operands.input_flags |= _known(value, _FLAGS, "input flag")
            case "oflag":
                operands.output_flags |= _known(value, _FLAGS, "output flag")
            case "conv":
                operands.conversions |= _known(value, _CONVERSIONS, "conversion")
            case "status" if value in ("none", "noxfer", "progress"):
                pass
            case _:
                raise Stopped(f"unrecognized operand '{argument}'")
    operands.block = block = numbers.get("bs", SECTOR)
    if block == 0:
        raise Stopped("invalid number: '0'")
    if "count" in numbers:
        operands.count = numbers["count"] * (1 if "count_bytes" in operands.input_flags else block)
    operands.skip = numbers.get("skip", 0) * (1 if "skip_bytes" in operands.input_flags else block)
    operands.seek = numbers.get("seek", 0) * (1 if "seek_bytes" in operands.output_flags else block)
    return operands


def _number(text: str) -> int:
    found = re.fullmatch(r"(\d+)([a-zA-Z]*)", text)
    if not found or (found[2] and found[2] not in _MULTIPLES):
        raise Stopped(f"invalid number: '{text}'")
    return int(found[1]) * _MULTIPLES.get(found[2], 1)


def _known(text: str, known: set[str], what: str) -> set[str]:
    for flag in text.split(","):
        if flag not in known:
            raise Stopped(f"invalid {what}: '{flag}'")
    return set(text.split(","))


def _open_source(host: LvmHost, operands: Operands) -> BlockDevice:
    path = operands.source
    try:
        source = host.open(path)
    except NotFound:
        raise Stopped(f"failed to open '{path}': No such file or directory") from None
    if isinstance(source, RegularFile) and "direct" in operands.input_flags and path.startswith(_IN_MEMORY):
        raise Stopped(f"failed to open '{path}': Invalid argument")
    if operands.skip > source.size:
        close_device(source)
        raise Stopped(f"{path}: cannot skip: Invalid argument{_nothing_done()}")
    return source


def _open_target(host: LvmHost, operands: Operands) -> BlockDevice:
    path = operands.target
    try:
        target = host.open(path)
    except NotFound:
        try:
            target = host.create(path, 0)
        except NotFound:
            raise Stopped(f"failed to open '{path}': No such file or directory") from None
    if isinstance(target, RegularFile):
        if "direct" in operands.output_flags and path.startswith(_IN_MEMORY):
            raise Stopped(f"failed to open '{path}': Invalid argument")
        if "notrunc" not in operands.conversions:
            target.truncate(operands.seek)
    elif not isinstance(target, NullDevice) and operands.seek > target.size:
        close_device(target)
        raise Stopped(f"{path}: cannot seek: Invalid argument{_nothing_done()}")
    return target


def _nothing_done() -> str:
    return f"\n{_summary(Operands(), Tally()).rstrip()}"


# ------------------------------------------------------------------------------------------------ copying


def _copied(host: LvmHost, operands: Operands, source: BlockDevice, target: BlockDevice) -> Tally:
    available = source.size - operands.skip
    length = available if operands.count is None else min(available, operands.count)
    regular = isinstance(target, RegularFile)
    size_before = target.size
    if isinstance(target, RegularFile):
        length = min(length, ENDLESS - 1)
        target.truncate(max(target.size, operands.seek + length))
    room = ENDLESS if isinstance(target, NullDevice) else target.size - operands.seek
    unaligned = "direct" in operands.output_flags and not regular and operands.block % SECTOR
    if unaligned and length >= operands.block:
        return Tally(operands.block, 0, f"error writing '{operands.target}': Invalid argument", operands.block)
    tally = Tally()
    try:
        _move(operands, source, target, min(length, room), tally, host.points)
    except StorageError as error:
        if isinstance(target, RegularFile):
            target.truncate(max(size_before, operands.seek + tally.written))
        reason = os.strerror(error.errno)
        if tally.failed_block:
            tally.error = f"error writing '{operands.target}': {reason}"
        else:
            tally.error = f"error reading '{operands.source}': {reason}"
        return tally
    if length > room:
        tally.failed_block = min(operands.block, length - tally.written // operands.block * operands.block)
        tally.error = f"error writing '{operands.target}': {os.strerror(NoSpace.errno)}"
    return tally


def _move(
    operands: Operands, source: BlockDevice, target: BlockDevice, length: int, tally: Tally, points: Points
) -> None:
    """Copy `length` bytes, which both sides have. StorageError with the tally up to there."""
    line = f"dd if={operands.source} of={operands.target}"
    whole = _whole_chunks(operands, source, target, length)
    if whole:
        _move_chunks(operands, _bounded(source, length + operands.skip), target, whole, tally, points)
    else:
        points.visit("host.dd", line, cost_us=length * 1_000_000 // BYTES_PER_SECOND)
    while tally.written < length:
        size = min(operands.block, length - tally.written)
        data = source.read(operands.skip + tally.written, size)
        tally.failed_block = size
        if "sparse" not in operands.conversions or data.strip(b"\0"):
            target.write(operands.seek + tally.written, data)
        tally.failed_block = 0
        tally.written += size
        tally.read = tally.written


def _whole_chunks(operands: Operands, source: BlockDevice, target: BlockDevice, length: int) -> int:
    """How many chunks can be moved as they are; the rest goes block by block."""
    snapshot = isinstance(target, OpenVolume) and isinstance(target.volume, ThickSnapshot)
    aligned = operands.skip % CHUNK == 0 and operands.skip == operands.seek and operands.block % PAGE == 0
    movable = aligned and not snapshot and not _read_fails(source) and not isinstance(target, NullDevice)
    return length // CHUNK if movable else 0


def _move_chunks(
    operands: Operands, source: BlockDevice, target: BlockDevice, count: int, tally: Tally, points: Points
) -> None:
    first = operands.skip // CHUNK
    sparse = "sparse" in operands.conversions
    line = f"dd if={operands.source} of={operands.target}{' conv=sparse' if sparse else ''}"
    copying = not operands.source.startswith("/dev/zero")
    point, parts = ("copy.dd", min(SLICES, count)) if copying else ("host.dd", 1)
    cost_us = count * CHUNK * 1_000_000 // BYTES_PER_SECOND // parts
    for part in range(parts):
        start, end = first + count * part // parts, first + count * (part + 1) // parts
        tally.failed_block = operands.block
        points.visit(point, f"{line}, {part * 100 // parts} %" if copying else line, cost_us=cost_us)
        try:
            copy_range(source, target, start, end, sparse=sparse)
        except NoSpace as error:
            tally.written += error.written
            tally.read = tally.written
            raise
        tally.failed_block = 0
        tally.written = tally.read = (end - first) * CHUNK


def _read_fails(source: BlockDevice) -> bool:
    """Whether reading a snapshot fails: it does wherever one reads."""
    volume = source.volume if isinstance(source, OpenVolume) else None
    return isinstance(volume, ThickSnapshot) and volume.invalid


def _bounded(source: BlockDevice, size: int) -> BlockDevice:
    """Endless sources end where the copy does; the rest is as it is."""
    if source.size == ENDLESS and not isinstance(source, RandomDevice):
        return MemoryDevice(size)
    return source


# ---------------------------------------------------------------------------------------------- reporting


def _summary(operands: Operands, tally: Tally) -> str:
    block = operands.block
    whole_out, part_out = divmod(tally.written, block)
    whole_in, part_in = whole_out, bool(part_out)
    if tally.error and tally.failed_block:
        whole_in, part_in = whole_out + (tally.failed_block == block), tally.failed_block != block
    parts_out = 0 if tally.error else int(bool(part_out))
    seconds = tally.written / BYTES_PER_SECOND or 1e-6
    return (
        f"{whole_in}+{int(part_in)} records in\n{whole_out}+{parts_out} records out\n"
        f"{_amount(tally.written)} copied, {seconds:g} s, {_scaled(tally.written / seconds, 1000)}/s\n"
    )


def _amount(size: int) -> str:
    if size < 1000:
        return f"{size} byte{'' if size == 1 else 's'}"
    if size < 1024:
        return f"{size} bytes ({_scaled(size, 1000)})"
    return f"{size} bytes ({_scaled(size, 1000)}, {_scaled(size, 1024)})"


def _scaled(size: float, base: int) -> str:
    """One decimal below ten, none above, in powers of 1000 or 1024."""
    names = ("B", "kB", "MB", "GB", "TB", "PB") if base == 1000 else ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    power = 0
    while size >= base and power < len(names) - 1:
        size /= base
        power += 1
    if power == 0 and size == 0:
        return "0.0 kB"
    return f"{size:.1f} {names[power]}" if size < 9.95 and power else f"{size:.0f} {names[power]}"
