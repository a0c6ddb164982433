"""One seed, many named streams: a draw in the scheduler never changes what the guest draws."""

from __future__ import annotations

import hashlib
import random
import uuid
from functools import cached_property


def stream(seed: int, *names: str) -> random.Random:
    """A random stream that depends on the seed and the names alone, on any machine."""
    text = "\0".join((str(seed), *names))
    return random.Random(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big"))


class Ids:
    """Deterministic identifiers that look like the uuids they stand for."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name

    @cached_property
    def _stream(self) -> random.Random:
        """Made when the first identifier is wanted: of many services of a cell nobody wants one."""
        return stream(self._seed, "ids", self._name)

    def uuid(self) -> str:
        """The next one: always the same sequence for a seed and name."""
        return str(uuid.UUID(int=self._stream.getrandbits(128), version=4))
