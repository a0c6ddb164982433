"""Sizes as lvm2 reads and prints them. Source: `_size_arg` in lvmcmdline.c and lib/display of lvm2 2.03.16."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

SECTOR = 512
_UNITS = "bskmgtpe"
_FACTORS = {"b": 1, "s": SECTOR} | {unit: 1024**power for power, unit in enumerate("kmgtpe", 1)}
_DECIMAL = {unit.upper(): 1000**power for power, unit in enumerate("kmgtpe", 1)}
_LONG = {"k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB", "p": "PiB", "e": "EiB", "b": "B", "s": "S"}
_LIMIT = 16 << 60
_NUMBER = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)")
_SUFFIX = re.compile(r"([bBsSkKmMgGtTpPeE])(i?[bB])?")


class SizeError(ValueError):
    """A size that lvm2 does not read; the text is what it says first."""


def parsed(text: str) -> tuple[str, int]:
    """Sign and bytes (whole sectors) of an argument such as ``1.5g``; without a unit it is MiB. SizeError."""
    if text.startswith("-"):
        raise SizeError("Size may not be negative.")
    if not re.match(r"[+]?[\d.]", text):
        raise SizeError("Size requires number argument.")
    number = _NUMBER.match(text)
    if number is None:
        raise SizeError("Can't parse size argument.")
    digits = number[0].lstrip("+")
    value = float.fromhex(digits) if digits[:2].lower() == "0x" else float(digits)
    suffix = text[number.end() :]
    if suffix and not _SUFFIX.fullmatch(suffix):
        raise SizeError("Can't parse size argument.")
    unit = suffix[:1].lower() or "m"
    size = value * _FACTORS[unit]
    if size >= _LIMIT:
        raise SizeError("Size is too big (>=16EiB).")
    if unit == "b" and int(size) % SECTOR:
        below = int(size) // SECTOR * SECTOR
        raise SizeError(f"Size is not a multiple of 512. Try using {below} or {below + SECTOR}.")
    return "+" if text.startswith("+") else "", int(size / SECTOR) * SECTOR


def shown(size: int) -> str:
    """In the largest unit below, with two decimals, and ``<`` where that says too much: ``<10.00 GiB``."""
    number, unit = _human(size)
    return f"{number} {_LONG[unit]}"


def printed(size: int, units: str, *, suffix: bool) -> str:
    """A cell of a report in `units` (one of ``rhbskmgtpe`` or upper case for powers of 1000)."""
    return printer(units, suffix=suffix)(size)


def printer(units: str, *, suffix: bool) -> Callable[[int], str]:
    """What prints the cells of a column."""
    if units in "rRhH":
        return lambda size: _human_cell(size, suffix=suffix, sign=units in "rR")
    factor = _DECIMAL.get(units) or _FACTORS[units.lower()]
    if units in "bBsS":
        tail = units.upper() if suffix else ""
        return lambda size: f"{size // factor}{tail}"
    tail = units if suffix else ""
    nothing = "0 " if suffix else "0"
    return lambda size: f"{size / factor:.2f}{tail}" if size else nothing


def _human_cell(size: int, *, suffix: bool, sign: bool) -> str:
    if size == 0:
        return "0 " if suffix else "0"
    number, unit = _human(size)
    return (number if sign else number.lstrip("<")) + (unit if suffix else "")


def _human(size: int) -> tuple[str, str]:
    unit = next((unit for unit in reversed(_UNITS[2:]) if size >= _FACTORS[unit]), "k")
    value = size / _FACTORS[unit]
    rounded = f"{value:.2f}"
    return ("<" if math.fsum((float(rounded), -value)) > 0 else "") + rounded, unit


def percent(value: float) -> str:
    """Two decimals; nothing but 0 and 100 themselves is shown as such."""
    if 0 < value < 0.01:
        return "0.01"
    if 99.99 < value < 100:
        return "99.99"
    return f"{value:.2f}"
