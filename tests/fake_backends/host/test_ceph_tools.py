"""The rbd command: what 16.2.15 said on a one-node cluster, and what its streams hold."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.block_store import MemoryFile
from fake_backends.command_line import Result
from fake_backends.host.commands import HostCommands
from fake_backends.host.paths import Host
from fake_backends.rbd.bindings import modules
from fake_backends.rbd.bindings.configuration import Configuration
from fake_backends.rbd.bindings.image import Image
from fake_backends.rbd.cluster import Cluster

MIB = 1 << 20


class Machine:
    """A host with a client of a cluster with one pool."""

    def __init__(self) -> None:
        cluster = Cluster("ceph")
        cluster.create_pool("volumes")
        self.bindings = modules({"/etc/ceph/ceph.conf": Configuration(cluster)})
        self.commands = HostCommands(Host("host"), bindings=self.bindings)
        client = self.bindings.rados.Rados(conffile="/etc/ceph/ceph.conf")
        client.connect()
        self.ioctx = client.open_ioctx("volumes")

    def image(self, name: str, size: int = 9_000_000, *, create: bool = True) -> Image:
        """An image, open."""
        if create:
            self.bindings.rbd.RBD().create(self.ioctx, name, size)
        image = self.bindings.rbd.Image(self.ioctx, name)
        assert isinstance(image, Image)
        return image

    def rbd(self, *words: str, stdin: bytes = b"") -> Result:
        """Run rbd."""
        return self.commands.execute(["rbd", *words], stdin)


def bytes_of(text: str) -> bytes:
    """Standard output as it was."""
    return text.encode("utf-8", "surrogateescape")


def test_a_difference_is_a_stream_in_the_format_v1() -> None:
    """The end snapshot, the size, zeros and data."""
    machine = Machine()
    image = machine.image("v", 20 * MIB)
    image.write(bytes(8192), 0)
    image.write(b"a" * 8192, 5 * MIB)
    image.create_snap("s1")
    done = machine.rbd("export-diff", "volumes/v@s1", "-")
    expected = (
        b"rbd diff v1\nt\x02\0\0\0s1" + b"s" + struct.pack("<Q", 20 * MIB)
        + b"z" + struct.pack("<QQ", 0, 8192)
        + b"w" + struct.pack("<QQ", 4 * MIB, 1056768) + bytes(MIB) + b"a" * 8192 + b"e"
    )  # fmt: skip
    assert bytes_of(done.stdout) == expected
    assert done.stderr == "\rExporting image: 20% complete...\rExporting image: 100% complete...done.\n"


def test_progress_of_an_imported_difference() -> None:
    """By place in the image from a pipe, by place in the file otherwise."""
    machine = Machine()
    machine.image("source").write(b"x" * 9_000_000, 0)
    stream = bytes_of(machine.rbd("export-diff", "volumes/source", "-").stdout)
    machine.commands.host.write("/tmp/d1", stream)
    machine.image("target", MIB)
    doing = "\rImporting image diff: "
    piped = machine.rbd("import-diff", "-", "volumes/target", stdin=stream)
    assert piped.stderr == f"{doing}46% complete...{doing}93% complete...{doing}100% complete...done.\n"
    of_file = machine.rbd("import-diff", "/tmp/d1", "volumes/target")
    assert of_file.stderr == piped.stderr.replace(f"{doing}100%", f"{doing}99% complete...{doing}100%")
    assert machine.image("target", create=False).read(0, 9_000_000) == b"x" * 9_000_000


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8 * MIB), st.integers(1, 200_000)), max_size=8))
def test_an_imported_difference_makes_the_images_equal(changes: list[tuple[bool, int, int]]) -> None:
    """Whatever was written and discarded in between."""
    machine = Machine()
    source, target = machine.image("source"), machine.image("target")
    for image in (source, target):
        image.write(b"old" * 300_000, 4 * MIB - 1000)
        image.create_snap("before")
    for discarded, offset, length in changes:
        if discarded:
            source.discard(offset, length)
        else:
            source.write(b"n" * length, offset)
    source.create_snap("after")
    stream = machine.rbd("export-diff", "--from-snap", "before", "volumes/source@after", "-").stdout
    assert machine.rbd("import-diff", "-", "volumes/target", stdin=bytes_of(stream)).rc == 0
    assert target.read(0, 9_000_000) == source.read(0, 9_000_000)
    assert [snapshot["name"] for snapshot in target.list_snaps()] == ["before", "after"]


def test_a_stream_that_is_none_is_refused() -> None:
    """And so is one that ends too early; nothing of it was begun."""
    machine = Machine()
    machine.image("v")
    assert machine.rbd("import-diff", "-", "volumes/v").stderr == (
        "rbd: failed to decode diff banner\nrbd: import-diff failed: (74) Bad message\n"
    )
    done = machine.rbd("import-diff", "-", "volumes/v", stdin=b"x" * 100)
    assert done.rc == 22
    assert done.stderr == (
        "rbd: invalid or unexpected diff banner\nrbd: import-diff failed: (22) Invalid argument\n"
    )


def test_disk_usage_is_counted_in_objects() -> None:
    """The last one ends with the image; what did not change since a snapshot counts nothing."""
    machine = Machine()
    image = machine.image("st9")
    image.write(b"x" * 9_000_000, 0)
    image.create_snap("a")
    assert machine.rbd("du", "volumes/st9").stdout == (
        "NAME     PROVISIONED  USED   \n"
        "st9@a        8.6 MiB  8.6 MiB\n"
        "st9          8.6 MiB      0 B\n"
        "<TOTAL>      8.6 MiB  8.6 MiB\n"
    )
    missing = machine.rbd("du", "volumes/nope")
    assert (
        missing.stderr == "specified image nope is not found.\nrbd: du failed: (2) No such file or directory\n"
    )


def test_standard_input_and_output() -> None:
    """Any bytes go in and come out, and the size is that of the input."""
    machine = Machine()
    content = bytes(range(256)) * 40 + b"\0" * 5000 + b"end"
    assert machine.rbd("import", "-", "volumes/v", stdin=content).rc == 0
    assert bytes_of(machine.rbd("export", "volumes/v", "-").stdout) == content


def test_unmapping_what_is_not_mapped() -> None:
    """A device by its path, an image by its name."""
    machine = Machine()
    assert machine.rbd("unmap", "/dev/rbd0").stderr.startswith("rbd: '/dev/rbd0' is not a block device\n")
    assert machine.rbd("unmap", "volumes/v").stderr.startswith(
        "rbd: volumes/v: not a mapped image or snapshot\n"
    )


def test_qemu_img_makes_and_reads_images() -> None:
    """A raw file becomes an image, and a LUKS container on an image is opened."""
    machine = Machine()
    host = machine.commands.host
    host.create("/tmp/raw", 9 * MIB).write(5 * MIB, b"data")
    name = "rbd:volumes/new:conf=/etc/ceph/ceph.conf:id=admin"
    done = machine.commands.execute(["qemu-img", "convert", "-f", "raw", "-O", "raw", "/tmp/raw", name])
    assert done == Result()
    assert machine.image("new", create=False).read(5 * MIB, 4) == b"data"
    again = machine.commands.execute(["qemu-img", "convert", "-f", "raw", "-O", "raw", "/tmp/raw", name])
    assert (again.rc, "error rbd create: File exists" in again.stderr) == (1, True)
    host.write("/tmp/key", b"key")
    secret = ["--object", "secret,id=s,file=/tmp/key"]
    luks = ["-O", "luks", "-o", "key-secret=s", *secret]
    encrypted = "rbd:volumes/encrypted:conf=/etc/ceph/ceph.conf:id=admin"
    assert machine.commands.execute(["qemu-img", "convert", "-f", "raw", *luks, name, encrypted]).rc == 0
    assert machine.image("encrypted", create=False).read(0, 4) == b"LUKS"
    options = f"driver=luks,key-secret=s,file.filename={encrypted}"
    back = ["qemu-img", "convert", "--image-opts", *secret, "-O", "raw", options, "/tmp/back"]
    assert machine.commands.execute(back) == Result()
    file = host.file("/tmp/back")
    assert isinstance(file, MemoryFile)
    assert file.read(5 * MIB, 4) == b"data"
