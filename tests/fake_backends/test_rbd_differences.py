"""What differs between states of an image, as librbd 16.2.15 told it on a one-node cluster."""

from __future__ import annotations

import pytest

from fake_backends.rbd.bindings import modules
from fake_backends.rbd.bindings.client import Ioctx
from fake_backends.rbd.bindings.configuration import Configuration
from fake_backends.rbd.bindings.image import Image
from fake_backends.rbd.bindings.images import RBD
from fake_backends.rbd.cluster import Cluster

MIB = 1 << 20
Extents = list[tuple[int, int, bool]]


def a_pool() -> Ioctx:
    """A client's way to an empty pool."""
    cluster = Cluster("ceph")
    cluster.create_pool("volumes")
    rados, _ = modules({"/etc/ceph/ceph.conf": Configuration(cluster)})
    client = rados.Rados(conffile="/etc/ceph/ceph.conf")
    client.connect()
    ioctx = client.open_ioctx("volumes")
    assert isinstance(ioctx, Ioctx)
    return ioctx


def an_image(size: int = 20 * MIB, order: int = 22) -> Image:
    """A new image."""
    ioctx = a_pool()
    RBD().create(ioctx, "v", size, order, features=61)
    return Image(ioctx, "v")


def differences(
    image: Image, snapshot: str | None = None, *, whole: bool = False, parent: bool = True
) -> Extents:
    """All that `diff_iterate` calls back with."""
    found: Extents = []
    image.diff_iterate(0, image.size(), snapshot, lambda *extent: found.append(extent), parent, whole)
    return found


def test_extents_are_those_of_writes_and_discards() -> None:
    """Zeros count where they were written; a new object counts from its first byte."""
    image = an_image()
    image.write(bytes(8192), 0)
    image.write(b"a" * 8192, 5 * MIB)
    image.write(b"b" * MIB, 9 * MIB)
    image.create_snap("s1")
    image.discard(4 * MIB, 4 * MIB)
    image.write_zeroes(9 * MIB, 65536)
    image.discard(9 * MIB + 65536, 65536)
    image.write(b"c" * 100, 9 * MIB + 524288)
    assert differences(image, "s1") == [
        (4194304, 1056768, False),
        (9437184, 131072, True),
        (9961472, 100, True),
    ]
    assert differences(image) == [(0, 8192, True), (8388608, 2097152, True)]
    assert differences(image, "s1", whole=True) == [(4194304, 4194304, False), (8388608, 4194304, True)]
    assert differences(image, whole=True) == [(0, 4194304, True), (8388608, 4194304, True)]


@pytest.mark.parametrize(
    ("order", "whole", "extents"),
    [
        (
            12,
            [(2093056, 4096), (2097152, 4096), (2101248, 4096)],
            [(2093056, 4096), (2097152, 4096), (2101248, 804)],
        ),
        (20, [(1048576, 1048576), (2097152, 1048576)], [(1048576, 1048576), (2097152, 4900)]),
        (25, [(0, 10490760)], [(0, 2102052)]),
    ],
)
def test_objects_are_as_large_as_the_order_says(
    order: int, whole: list[tuple[int, int]], extents: list[tuple[int, int]]
) -> None:
    """From 4 KiB to 32 MiB; the last one ends with the image."""
    image = an_image(10 * MIB + 5000, order)
    image.write(b"a" * 5000, 2 * MIB - 100)
    image.write_zeroes(0, 8192)
    assert differences(image, whole=True) == [(*extent, True) for extent in whole]
    assert differences(image) == [(*extent, True) for extent in extents]


def test_the_same_bytes_again_are_a_difference() -> None:
    """RADOS notes what was written, not what changed."""
    image = an_image()
    image.write(b"a" * 8192, 0)
    image.create_snap("s")
    assert differences(image, "s") == []
    image.write(b"a" * 4096, 4096)
    assert differences(image, "s") == [(4096, 4096, True)]


def test_what_a_removed_snapshot_separated_belongs_together() -> None:
    """Writes before and after it both count from the snapshot before."""
    image = an_image()
    image.write(b"a" * 8192, 0)
    image.create_snap("s1")
    image.write(b"b" * 100, 0)
    image.create_snap("s2")
    image.write(b"c" * 100, 1000)
    image.remove_snap("s2")
    assert differences(image, "s1") == [(0, 100, True), (1000, 100, True)]


def test_zeros_behind_the_end_of_an_object_are_nothing() -> None:
    """And those that reach over its end cut it off."""
    image = an_image(12 * MIB)
    image.write(b"a" * 70000, 6292233)
    image.write_zeroes(6 * MIB + 500_000, MIB)
    assert differences(image) == [(4194304, 2167929, True)]
    image.write_zeroes(6292233, MIB)
    assert differences(image) == [(4194304, 2097929, True)]


def test_a_clone_stores_a_whole_object_of_its_parent() -> None:
    """When it is first written to; without the parent only that counts as the clone's."""
    ioctx = a_pool()
    RBD().create(ioctx, "parent", 12 * MIB, 22, features=61)
    with Image(ioctx, "parent") as parent:
        parent.write(b"p" * 4096, 0)
        parent.write(b"p" * 4096, 4 * MIB)
        parent.create_snap("s")
        parent.protect_snap("s")
    RBD().clone(ioctx, "parent", "s", ioctx, "clone", features=61)
    with Image(ioctx, "clone") as clone:
        clone.write(b"c", 100)
        assert differences(clone, parent=False) == [(0, 4 * MIB, True)]
        assert differences(clone) == [(0, 4 * MIB, True), (4 * MIB, 4096, True)]
