"""The fake of the shelf: what its management port does, over memory."""

from __future__ import annotations

from fake_backends.array import Array, Place
from fake_backends.block_store import MemoryDevice, copy_range
from harness.errors import AlreadyExists, NoSpace, NotFound

GIB = 1 << 30


class FakeShelf(Array):
    """Volumes and snapshots by name; a snapshot is a copy. Each action passes a point, where it may fail."""

    SIZE_GB = 10_000
    PORTAL = "203.0.113.7:3260"
    IQN = "iqn.2026-11.example.shelf:all"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._devices: dict[str, MemoryDevice] = {}

    def objects(self) -> list[str]:
        return list(self._devices)

    def used_gb(self) -> int:
        return sum(device.size for device in self._devices.values()) // GIB

    def create(self, name: str, size_gb: int) -> None:
        self.place.points.visit("shelf.create", name)
        if name in self._devices:
            raise AlreadyExists(name)
        self._require(size_gb)
        self._devices[name] = MemoryDevice(size_gb * GIB)

    def delete(self, name: str) -> None:
        self.place.points.visit("shelf.delete", name)
        self.place.fabric.withdraw(name)
        self._devices.pop(name, None)

    def grow(self, name: str, size_gb: int) -> None:
        self.place.points.visit("shelf.grow", name)
        device = self._device(name)
        self._require(size_gb - device.size // GIB)
        device.size = max(device.size, size_gb * GIB)

    def copy(self, source: str, name: str) -> None:
        self.place.points.visit("shelf.copy", f"{source} to {name}")
        original = self._device(source)
        self._require(original.size // GIB)
        made = MemoryDevice(original.size)
        copy_range(original, made, 0, original.chunk_count)
        self._devices[name] = made

    def rename(self, name: str, new_name: str) -> None:
        self.place.points.visit("shelf.rename", f"{name} to {new_name}")
        if new_name in self._devices:
            raise AlreadyExists(new_name)
        self._devices[new_name] = self._device(name)
        del self._devices[name]

    def present(self, name: str, initiator: str) -> int:
        self.place.points.visit("shelf.present", name)
        return self.place.fabric.present(name, self._device(name), target=self.IQN, initiator=initiator)

    def withdraw(self, name: str, initiator: str | None) -> None:
        self.place.points.visit("shelf.withdraw", name)
        self.place.fabric.withdraw(name, initiator)

    def _device(self, name: str) -> MemoryDevice:
        try:
            return self._devices[name]
        except KeyError:
            raise NotFound(f"the shelf has no {name}") from None

    def _require(self, size_gb: int) -> None:
        if size_gb > self.SIZE_GB - self.used_gb():
            raise NoSpace
