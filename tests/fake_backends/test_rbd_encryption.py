"""LUKS inside of images, as librbd 16.2.15 showed it on a one-node cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fake_backends.rbd.bindings import Modules, modules
from fake_backends.rbd.bindings.configuration import Configuration
from fake_backends.rbd.cluster import Cluster

MIB = 1 << 20
FORMATS = [(0, "luks1", 4 * MIB), (1, "luks2", 16 * MIB)]
"""Number, name, and where the payload begins: with an object of 4 MiB."""


def an_image(size: int = 64 * MIB) -> tuple[Modules, Any, Any]:
    """Modules, the way to the pool, and an open image ``e``."""
    cluster = Cluster("ceph")
    cluster.create_pool("volumes")
    pair = modules({"/etc/ceph/ceph.conf": Configuration(cluster)})
    client = pair.rados.Rados(conffile="/etc/ceph/ceph.conf")
    client.connect()
    ioctx = client.open_ioctx("volumes")
    pair.rbd.RBD().create(ioctx, "e", size)
    return pair, ioctx, pair.rbd.Image(ioctx, "e")


@pytest.mark.parametrize(("number", "name", "offset"), FORMATS)
def test_a_formatted_image_shows_its_plaintext(number: int, name: str, offset: int) -> None:
    """The container is smaller by what lies before the payload, and only the passphrase opens it."""
    pair, ioctx, image = an_image()
    image.encryption_format(number, "secret")
    assert image.size() == 64 * MIB - offset
    image.write(b"hello" * 100, 100)
    image.close()
    with pair.rbd.Image(ioctx, "e") as raw:
        assert raw.size() == 64 * MIB
        assert raw.read(0, 4) == b"LUKS"
        assert b"hello" not in raw.read(offset, 4096)
        message = f"error loading encryption on image b'e' with format {name}"
        with pytest.raises(pair.rbd.PermissionError, match=message):
            raw.encryption_load(number, "wrong")
        raw.encryption_load(number, b"secret")
        assert raw.read(100, 10) == b"hellohello"
        with pytest.raises(pair.rbd.ImageExists, match=message):
            raw.encryption_load(number, "secret")


def test_the_size_that_is_set_is_that_of_the_container() -> None:
    """As librbd 16 has it: a larger plaintext needs the header added by hand."""
    _, _, image = an_image()
    image.encryption_format(0, "secret")
    image.resize(63 * MIB)
    assert image.size() == 59 * MIB
    image.create_snap("s")
    assert [snapshot["size"] for snapshot in image.list_snaps()] == [63 * MIB]


def test_differences_and_discards_are_places_in_the_plaintext() -> None:
    """The header is left out."""
    _, _, image = an_image()
    image.encryption_format(0, "secret")
    image.write(b"x" * 65536, 8 * MIB)
    found: list[tuple[int, int, bool]] = []
    image.diff_iterate(0, image.size(), None, lambda *extent: found.append(extent))
    assert found == [(8 * MIB, 65536, True)]
    image.discard(8 * MIB, 65536)
    assert image.read(8 * MIB, 10) == bytes(10)


def test_what_cannot_be_formatted_or_loaded() -> None:
    """Each with the exception that librbd has for it."""
    pair, ioctx, image = an_image()
    rbd = pair.rbd
    with pytest.raises(rbd.OperationNotSupported, match=r"errno 95.*\(Unsupported encryption format\)"):
        image.encryption_format(7, "pw")
    with pytest.raises(rbd.InvalidArgument, match="passphrase must be a string"):
        image.encryption_format(0, 5)
    with pytest.raises(rbd.InvalidArgument, match="error formatting image b'e' with format luks1"):
        image.encryption_format(0, "pw", 9)
    with pytest.raises(rbd.InvalidArgument, match="error loading encryption on image b'e' with format luks2"):
        image.encryption_load(1, "pw")
    with rbd.Image(ioctx, "e", read_only=True) as reader, pytest.raises(rbd.ReadOnlyImage):
        reader.encryption_format(0, "pw")
    image.create_snap("s")
    image.protect_snap("s")
    rbd.RBD().clone(ioctx, "e", "s", ioctx, "c", features=61)
    with rbd.Image(ioctx, "c") as clone, pytest.raises(rbd.OperationNotSupported):
        clone.encryption_format(0, "pw")
    rbd.RBD().create(ioctx, "small", 3 * MIB)
    with rbd.Image(ioctx, "small") as small, pytest.raises(rbd.NoSpace):
        small.encryption_format(0, "pw")


@pytest.mark.skipif(shutil.which("cryptsetup") is None, reason="no cryptsetup")
@pytest.mark.parametrize(("number", "name", "offset"), FORMATS)
def test_cryptsetup_opens_the_container(tmp_path: Path, number: int, name: str, offset: int) -> None:
    """The real one accepts header and passphrase."""
    pair, ioctx, image = an_image(24 * MIB)
    image.encryption_format(number, "secret")
    image.close()
    with pair.rbd.Image(ioctx, "e", read_only=True) as raw:
        (tmp_path / "container").write_bytes(raw.read(0, raw.size()))
    command = ["cryptsetup", "open", "--test-passphrase", "--key-file", "-", str(tmp_path / "container")]
    assert subprocess.run(command, input=b"secret", check=False).returncode == 0
    command = ["cryptsetup", "luksDump", str(tmp_path / "container")]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"Version:       \t{name[-1]}\n" in dump
    assert str(offset) in dump or str(offset // 512) in dump
