"""RBD image features: bits, and which of them go together."""

from __future__ import annotations

import errno

from harness.errors import InvalidArgument, StorageError

LAYERING = 1
STRIPING = 2
EXCLUSIVE_LOCK = 4
OBJECT_MAP = 8
FAST_DIFF = 16
DEEP_FLATTEN = 32
JOURNALING = 64
DATA_POOL = 128
OPERATIONS = 256
"""Set by librbd itself while an operation feature is in use; never asked for."""

DEFAULT = LAYERING | EXCLUSIVE_LOCK | OBJECT_MAP | FAST_DIFF | DEEP_FLATTEN

OP_CLONE_PARENT = 1
OP_CLONE_CHILD = 2
OP_GROUP = 4
OP_SNAP_TRASH = 8

_KNOWN = 0xFFF
_AT_CREATION = DEFAULT | JOURNALING
MAPS = OBJECT_MAP | FAST_DIFF
MAPS_INVALID = 3
"""The flags of an image whose object map and fast diff have to be rebuilt."""
_NEED_LOCK = MAPS | JOURNALING
_SWITCHABLE_ON = EXCLUSIVE_LOCK | _NEED_LOCK
_SWITCHABLE_OFF = _SWITCHABLE_ON | DEEP_FLATTEN
_OBJECT_MAP_LIMIT = 256_000_000


def initial(bits: int, size: int, order: int) -> int:
    """The features that an image of `size` bytes in objects of 2^`order` gets when `bits` are asked for.

    What librbd sets by itself is dropped, and so is a fast diff without an object map. ENOSYS for unknown
    bits; InvalidArgument for an object map or a journal without the exclusive lock, or an object map over
    too many objects.
    """
    if bits & ~_KNOWN:
        raise StorageError("RBD function not supported (error creating image)", errno=errno.ENOSYS)
    bits &= _AT_CREATION
    if bits & (OBJECT_MAP | JOURNALING) and not bits & EXCLUSIVE_LOCK:
        raise InvalidArgument("RBD invalid argument (error creating image)")
    if bits & OBJECT_MAP and size >> order > _OBJECT_MAP_LIMIT:
        raise InvalidArgument("RBD invalid argument (error creating image)")
    return bits if bits & OBJECT_MAP else bits & ~FAST_DIFF


def switched(features: int, bits: int, enabled: bool) -> int:
    """The features after all `bits` were switched on or off.

    Object map and fast diff go together. InvalidArgument if a bit cannot be switched, is that way already,
    or if something would be left that needs the exclusive lock.
    """
    unknown = bits & ~(_SWITCHABLE_ON if enabled else _SWITCHABLE_OFF)
    unchanged = bits & (features if enabled else ~features)
    change = bits | MAPS if bits & MAPS else bits
    after = features | change if enabled else features & ~change
    if not bits or unknown or unchanged or (after & _NEED_LOCK and not after & EXCLUSIVE_LOCK):
        raise InvalidArgument("RBD invalid argument (error updating features for image)")
    return after


def striped(bits: int, order: int, unit: int, count: int) -> bool:
    """True if stripes of `unit` bytes over `count` objects differ from objects one after the other.

    InvalidArgument for only one of the two, a unit that does not divide the object, or stripes that differ
    without the feature.
    """
    size = 1 << order
    if (unit == 0) != (count == 0) or (unit and (unit > size or size % unit)):
        raise InvalidArgument("RBD invalid argument (error creating image)")
    return unit != 0 and (unit, count) != (size, 1)
