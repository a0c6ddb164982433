"""What the compiled bindings do with their arguments before they call librbd."""

from __future__ import annotations

from typing import Any

from fake_backends.rbd.bindings.rbd_errors import InvalidArgument

_LIMIT = 1 << 64


def text(value: Any, name: str) -> str:
    """A name, given as str or bytes. InvalidArgument for anything else; what follows a NUL is lost."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} must be a string")
    return value.partition("\0")[0]


def optional_text(value: Any, name: str) -> str | None:
    """The same, or None."""
    return None if value is None else text(value, name)


def quoted(name: str | None) -> str:
    """A name as messages have it, ``b'name'``: the bindings hold bytes."""
    return "None" if name is None else repr(name.encode("utf-8", "surrogateescape"))


def unsigned(value: Any, kind: str = "uint64_t") -> int:
    """A C integer of 64 bits: fractions are cut. TypeError, OverflowError."""
    if isinstance(value, float):
        value = int(value)
    if not isinstance(value, int):
        raise TypeError("an integer is required")
    if value < 0:
        raise OverflowError(f"can't convert negative value to {kind}")
    if value >= _LIMIT:
        raise OverflowError("Python int too large to convert to C unsigned long")
    return value
