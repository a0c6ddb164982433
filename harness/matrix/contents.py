"""What owners, guests and former tenants write: bytes that tell where they belong."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK

FORMER_TENANT = b"left behind by a former tenant.." * (PAGE // 32)
STALE_PAGES = (3, PAGES_PER_CHUNK - 4)
"""Where in an aged extent the former tenant's bytes are: near its start and near its end."""
STALE = MappingProxyType(dict.fromkeys(STALE_PAGES, FORMER_TENANT))
FOREIGN = frozenset({FORMER_TENANT})
STALE_EXTENTS = 600
"""Enough to lie under a volume of 1 GiB, and under what it is extended to."""
STALE_EVERY = 16
"""One extent in so many is aged: enough to be seen, few enough to be cheap. A volume's last one is."""
AGED_CHUNK = STALE_EVERY - 1


@cache
def stamped(page: int, writer: str = "owner") -> bytes:
    """One page whose bytes depend on its place and writer."""
    digest = hashlib.blake2b(f"{writer} {page}".encode(), digest_size=64).digest()
    return digest * (PAGE // len(digest))


@cache
def owners_pages(fill: str, size: int) -> Mapping[int, bytes]:
    """Page number -> bytes for a device of `size` bytes (see the axis `fill`).

    One page is written with zeros, where a former tenant may have written before: to read it back as
    anything else is a loss like any other.
    """
    if fill == "empty":
        return MappingProxyType({})
    zeros = {AGED_CHUNK * PAGES_PER_CHUNK + STALE_PAGES[0]: bytes(PAGE)}
    if fill == "full":
        last = size // PAGE - 1
        numbers = [*range(0, last, PAGES_PER_CHUNK), last]
    else:
        half = size // CHUNK // 2
        numbers = [0, 1, *(chunk * PAGES_PER_CHUNK + chunk for chunk in (1, half // 3, half // 2, half - 1))]
    return MappingProxyType({**{page: stamped(page) for page in numbers}, **zeros})
