"""The storage network of a cloud: what arrays present to whom, and who has it.

An initiator addresses a *target*: an IQN, a WWPN of an array's port, an NQN. Behind it are logical units, and
every initiator sees those that were mapped for it, under numbers of its own (LUN masking). Volume groups that a
host exports are not here but in `fake_backends.targets`: LIO and tgt make a target for each.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from fake_backends.block_store import BlockDevice
from fake_backends.host.paths import Handle
from fake_backends.targets import Chap
from harness.errors import NotFound, StorageError
from harness.sim.points import QUIET, Points

LOGIN_US = 5_000
ANYBODY = "*"
"""In place of an initiator: the target lets in whoever comes."""


class LogicalUnit:
    """`device`, presented to `initiator` as number `lun` of `target`; `name` is what the volume is called.

    `openers` are the handles that the initiator's machine has on it.
    """

    __slots__ = ("chap", "device", "initiator", "lun", "name", "openers", "target")

    def __init__(
        self, name: str, device: BlockDevice, target: str, initiator: str, lun: int, chap: Chap | None
    ) -> None:
        self.name = name
        self.device = device
        self.target = target
        self.initiator = initiator
        self.lun = lun
        self.chap = chap
        self.openers: list[Handle] = []


class Fabric:
    """All logical units of all arrays of one world."""

    def __init__(self, points: Points = QUIET) -> None:
        self._points = points
        self._units: dict[tuple[str, str, int], LogicalUnit] = {}

    def __contains__(self, target: object) -> bool:
        """Whether any array presents something behind this target."""
        return any(unit.target == target for unit in self._units.values())

    def present(
        self,
        name: str,
        device: BlockDevice,
        *,
        target: str,
        initiator: str,
        lun: int | None = None,
        chap: Chap | None = None,
    ) -> int:
        """Let an initiator, or `ANYBODY`, have a volume as logical unit `lun`; returns its number.

        By default that is the lowest that is free.

        One that it has already keeps its number. `chap` are the (user, secret) that are asked for, if any are.
        """
        for unit in self._units.values():
            if (unit.name, unit.target, unit.initiator) == (name, target, initiator):
                return unit.lun
        if lun is None:
            lun = next(n for n in range(1 << 14) if (target, initiator, n) not in self._units)
        self._units[target, initiator, lun] = LogicalUnit(name, device, target, initiator, lun, chap)
        return lun

    def withdraw(self, name: str, initiator: str | None = None) -> None:
        """Take a volume from an initiator, or from all of them; who has it open reads errors. Absent is
        fine.
        """
        for key, unit in list(self._units.items()):
            if unit.name == name and initiator in (None, unit.initiator):
                del self._units[key]
                unit.openers.clear()

    def open(self, target: str, initiator: str, lun: int, chap: Chap | None = None) -> Handle:
        """What an initiator sees there; `Handle.close` ends it.

        NotFound (no such target, or no such unit for this initiator), StorageError with EACCES (wrong
        credentials). Passes ``fabric.login``.
        """
        self._points.visit("fabric.login", f"{target} lun {lun} from {initiator}", cost_us=LOGIN_US)
        unit = self._units.get((target, initiator, lun)) or self._units.get((target, ANYBODY, lun))
        if unit is None:
            raise NotFound(f"{target} has no logical unit {lun} for {initiator}")
        if unit.chap not in (None, chap):
            raise StorageError(f"{target}: authorization failure of {initiator}", errno=errno.EACCES)
        return Handle(unit.device, unit.openers)

    def presented(self) -> Iterator[tuple[str, str]]:
        """(target, volume) for every logical unit."""
        for unit in self._units.values():
            yield unit.target, unit.name

    def in_use(self) -> Iterator[tuple[str, str]]:
        """(volume, initiator) for every handle that is open."""
        for unit in self._units.values():
            for _ in unit.openers:
                yield unit.name, unit.initiator
