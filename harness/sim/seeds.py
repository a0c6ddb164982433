"""One seed, many named streams: a draw in the scheduler never changes what the guest draws."""

from __future__ import annotations

import hashlib
import random
import uuid


def stream(seed: int, *names: str) -> random.Random:
    """A random stream that depends on the seed and the names alone, on any machine."""
    text = "\0".join((str(seed), *names))
    return random.Random(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big"))


class Ids:
    """Deterministic identifiers that look like the uuids they stand for."""

    def __init__(self, seed: int, name: str) -> None:
        self._prefix = stream(seed, "ids", name).getrandbits(64) << 64
        self._count = 0

    def uuid(self) -> str:
        """The next one: never the same twice, always the same sequence for a seed and name."""
        self._count += 1
        mixed = (self._count * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        return str(uuid.UUID(int=self._prefix | mixed, version=4))
