"""The modules that stand in for rados and rbd, where the transcripts do not reach."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fake_backends.rbd.bindings import Modules, modules
from fake_backends.rbd.bindings.configuration import Configuration
from fake_backends.rbd.cluster import Cluster

MIB = 1 << 20


def a_host(cluster: Cluster | None = None) -> tuple[Modules, Any]:
    """The modules, and an io context of the pool `volumes`."""
    cluster = cluster or Cluster("ceph")
    cluster.create_pool("volumes")
    pair = modules({"/etc/ceph/ceph.conf": Configuration(cluster)})
    client = pair.rados.Rados(rados_id="cinder", conffile="/etc/ceph/ceph.conf")
    client.connect()
    return pair, client.open_ioctx("volumes")


def an_image(name: str = "v", size: int = 8 * MIB) -> tuple[Modules, Any, Any]:
    """The same, and an image that is open."""
    pair, ioctx = a_host()
    pair.rbd.RBD().create(ioctx, name, size)
    return pair, ioctx, pair.rbd.Image(ioctx, name)


def test_two_pairs_of_modules_share_nothing() -> None:
    """An image of one host's cluster is not seen on another's."""
    (one, ioctx), (other, elsewhere) = a_host(), a_host()
    one.rbd.RBD().create(ioctx, "v", MIB)
    assert list(other.rbd.RBD().list(elsewhere)) == []


def test_a_write_across_the_end_writes_what_fits() -> None:
    """librbd clips it, and the binding calls that incomplete, without a number."""
    pair, _, image = an_image()
    with pytest.raises(pair.rbd.IncompleteWriteError) as caught:
        image.write(b"a" * 20, 8 * MIB - 10)
    assert str(caught.value) == "RBD incomplete write (Wrote only 10 out of 20 bytes)"
    assert caught.value.errno is None
    assert image.read(8 * MIB - 12, 100) == b"\0\0" + b"a" * 10


def test_nothing_is_read_or_written_behind_the_end() -> None:
    """EINVAL, but no bytes at all are always fine."""
    pair, _, image = an_image()
    with pytest.raises(pair.rbd.InvalidArgument, match="error writing to b'v'"):
        image.write(b"a", 8 * MIB)
    with pytest.raises(pair.rbd.InvalidArgument, match="error reading b'v' 8388608~1"):
        image.read(8 * MIB, 1)
    assert image.write(b"", 9 * MIB) == 0
    assert image.read(9 * MIB, 0) == b""


def test_a_discard_clears_whole_granules() -> None:
    """64 KiB; what lies around them keeps its bytes."""
    _, _, image = an_image()
    image.write(b"a" * (192 << 10), 0)
    image.discard(4096, 128 << 10)
    assert image.read(0, 64 << 10) == b"a" * (64 << 10)
    assert image.read(64 << 10, 64 << 10) == bytes(64 << 10)
    assert image.read(128 << 10, 64 << 10) == b"a" * (64 << 10)


def test_write_zeroes_clears_every_byte() -> None:
    """Unlike a discard."""
    _, _, image = an_image()
    image.write(b"a" * 300, 0)
    image.write_zeroes(100, 100)
    assert image.read(0, 300) == b"a" * 100 + bytes(100) + b"a" * 100


@pytest.mark.parametrize("method", ["size", "stat", "list_snaps", "features", "flush"])
def test_a_closed_image_refuses(method: str) -> None:
    """Closing again is nothing."""
    pair, _, image = an_image()
    image.close()
    image.close()
    with pytest.raises(pair.rbd.InvalidArgument, match=r"RBD invalid argument \(image is closed\)"):
        getattr(image, method)()


def test_a_difference_is_what_was_written_since() -> None:
    """Extents of the write, or the whole object where the caller asks for that."""
    _, _, image = an_image()
    image.write(b"a" * 4096, 0)
    image.create_snap("s")
    image.write(b"z" * 5000, 3000)
    found: list[tuple[int, int, bool]] = []
    image.diff_iterate(0, image.size(), "s", lambda *extent: found.append(extent))
    assert found == [(3000, 5000, True)]
    found.clear()
    image.diff_iterate(0, image.size(), None, lambda *extent: found.append(extent), True, True)
    assert found == [(0, 4 * MIB, True)]


def test_a_deep_copy_has_the_snapshots() -> None:
    """And their content."""
    pair, ioctx, image = an_image()
    image.write(b"old", 0)
    image.create_snap("s")
    image.write(b"new", 0)
    image.deep_copy(ioctx, "copy")
    with pair.rbd.Image(ioctx, "copy", snapshot="s", read_only=True) as copied:
        assert copied.read(0, 3) == b"old"
    with pair.rbd.Image(ioctx, "copy") as copied:
        assert copied.read(0, 3) == b"new"


def test_namespaces_keep_images_apart() -> None:
    """One with images cannot be removed."""
    pair, ioctx = a_host()
    rbd = pair.rbd.RBD()
    rbd.namespace_create(ioctx, "n1")
    with pytest.raises(pair.rbd.ImageExists, match="error creating namespace"):
        rbd.namespace_create(ioctx, "n1")
    ioctx.set_namespace("n1")
    rbd.create(ioctx, "inside", MIB)
    ioctx.set_namespace("")
    assert rbd.list(ioctx) == []
    with pytest.raises(pair.rbd.ImageBusy, match="error removing namespace"):
        rbd.namespace_remove(ioctx, "n1")


def test_a_missing_key_is_a_key_error() -> None:
    """As of a mapping: the binding turns ENOENT into KeyError."""
    _, _, image = an_image()
    with pytest.raises(KeyError, match="no metadata b'k' for image b'v'"):
        image.metadata_get("k")
    with pytest.raises(KeyError, match="no config rbd_qos_iops_limit for image b'v'"):
        image.config_remove("rbd_qos_iops_limit")


def test_an_image_refuses_options_that_it_does_not_have() -> None:
    """And values that are no numbers."""
    pair, _, image = an_image()
    for option, value in (("nosuch", "1"), ("rbd_qos_iops_limit", "abc")):
        with pytest.raises(pair.rbd.InvalidArgument, match=f"error setting config {option} for image b'v'"):
            image.config_set(option, value)


def test_a_change_takes_a_free_lock_and_keeps_to_the_owner_of_a_taken_one() -> None:
    """Of two clients, the one that has the lock does the other's work."""
    pair, ioctx, first = an_image()
    first.create_snap("a")
    second = pair.rbd.Image(ioctx, "v")
    second.create_snap("b")
    assert (first.is_exclusive_lock_owner(), second.is_exclusive_lock_owner()) == (True, False)
    first.close()
    assert not second.is_exclusive_lock_owner()
    second.metadata_set("a", "1")
    assert second.is_exclusive_lock_owner()


def test_purging_the_trash_removes_what_it_can() -> None:
    """And then tells of what could not go."""
    pair, ioctx = a_host()
    for name in "abc":
        pair.rbd.RBD().create(ioctx, name, MIB)
    with pair.rbd.Image(ioctx, "b") as image:
        image.create_snap("s")
    for name in "bac":
        pair.rbd.RBD().trash_move(ioctx, name, 0)
    with pytest.raises(pair.rbd.ImageHasSnapshots, match="error purging images from trash"):
        pair.rbd.RBD().trash_purge(ioctx)
    assert [entry["name"] for entry in pair.rbd.RBD().trash_list(ioctx)] == ["b"]


def test_an_image_without_overrides_has_no_limits() -> None:
    """Ceph's defaults are zero: Cinder takes any other value for a limit that it has to remove."""
    _, _, image = an_image()
    in_force = {option["name"]: option["value"] for option in image.config_list()}
    limits = [option for option in in_force if re.fullmatch(r"rbd_qos_.*(limit|burst)", option)]
    assert len(limits) == 12
    assert {in_force[option] for option in limits} == {"0"}
