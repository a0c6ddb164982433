"""An RBD cluster obeys its laws, in memory and in files; and the machine sees when one is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fake_backends.block_store import CHUNK, PAGE, Chunk
from fake_backends.rbd import image
from fake_backends.rbd import pool as real_pool
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.image import Image
from fake_backends.rbd.image_files import ImageFiles
from fake_backends.rbd.layers import Layer, Parent
from fake_backends.rbd.objects import MemoryObjects
from fake_backends.rbd.pool import Pool
from tests.fake_backends.laws.cluster import ClusterLaws, in_files, in_memory, machine
from tests.fake_backends.laws.machine import Medium, obey

MEDIA = {"memory": in_memory, "files": in_files}


@pytest.mark.parametrize("medium", MEDIA.values(), ids=MEDIA)
def test_a_cluster_obeys_its_laws(medium: Callable[[], Medium[Cluster]]) -> None:
    """Any sequence of operations, writes, faults and kills leaves what a model of images and pages says."""
    obey(machine(medium))


def tour(medium: Medium[Cluster]) -> None:
    """One of each: enough for a planted fault to show."""
    laws = ClusterLaws(medium)
    laws.furnish("large")  # large/a
    laws.write(0, 2 * CHUNK, 70_144, False, None)
    laws.create_snapshot(0, "s1", True, None)
    laws.write(0, 512, PAGE, False, None)
    laws.clone(0, 0, "small", 0, True, 1, None)  # small/a
    laws.write(1, PAGE, PAGE, False, None)
    laws.set_protection("large", "a", "s1", False, None)  # has a clone
    laws.resize(0, 2 * CHUNK + 5 * 512, None)
    laws.resize(0, 4 * CHUNK, None)
    laws.rollback(0, 0, None)
    laws.flatten(0, None)
    laws.copy(1, "large", 0, None)  # large/b
    laws.create_snapshot(2, "s2", False, None)
    laws.write(2, 0, PAGE, False, None)
    laws.remove_snapshot(1, 0, None)
    laws.open(2)
    laws.remove(2, None)  # is open
    laws.close()
    laws.rename(2, 0, None)
    laws.move_to_trash(2, 0, None)
    laws.restore_from_trash(0, None)
    if medium.survives:
        laws.boot()
    laws.remove(2, None)


@pytest.mark.parametrize("medium", MEDIA.values(), ids=MEDIA)
def test_a_tour_passes(medium: Callable[[], Medium[Cluster]]) -> None:
    """Without a planted fault."""
    tour(medium())


def _nothing(*args: object, **kwargs: object) -> None:
    """What should happen does not."""


def _shared(*args: object) -> bool:
    """A file that a snapshot needs is written in place."""
    return False


def _takes_less(self: Layer, other: Layer) -> None:
    _take(self, other)
    if self.chunks:
        del self.chunks[min(self.chunks)]


def _uncut(chunk: Chunk, length: int) -> Chunk:
    return chunk


def _for_all(self: MemoryObjects, number: int, chunk: Chunk) -> None:
    _put(self, number, chunk)
    if number + 1 in self:
        self[number + 1] = chunk


def _unknown(self: Image, parent: Parent) -> None:
    _become_clone(self, parent)
    parent.snapshot.children.clear()


_take, _put, _become_clone = Layer.take, MemoryObjects.put, Image.become_clone

PLANTED = {
    "a snapshot misses an object": (in_memory, Layer, "take", _takes_less, "content"),
    "a write goes to two places": (in_memory, MemoryObjects, "put", _for_all, "content"),
    "a smaller image keeps what was cut off": (in_memory, image, "first_bytes", _uncut, "content"),
    "what a removed snapshot held is still counted": (in_memory, Image, "recount", _nothing, "uses"),
    "a write takes no space": (in_memory, Pool, "account", _nothing, "uses"),
    "an open image can be removed": (in_memory, real_pool, "_check_removable", _nothing, "Busy"),
    "a clone is not known to its parent": (in_memory, Image, "become_clone", _unknown, "clones"),
    "operations pass no point": (in_memory, Image, "_visit", _nothing, "named point"),
    "what was acknowledged is not kept": (in_files, ImageFiles, "save", _nothing, "names|content"),
    "a write changes the file of a snapshot": (in_files, ImageFiles, "is_shared", _shared, "content"),
}


@pytest.mark.parametrize(("medium", "owner", "name", "fault", "words"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_caught(
    monkeypatch: pytest.MonkeyPatch,
    medium: Callable[[], Medium[Cluster]],
    owner: object,
    name: str,
    fault: object,
    words: str,
) -> None:
    """Each law is worth something: a cluster that breaks it is told from a good one, by this law."""
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError, match=words):
        tour(medium())
