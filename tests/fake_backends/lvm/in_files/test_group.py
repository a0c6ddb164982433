"""A volume group in files is what it was when somebody opens it again."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from fake_backends.block_store import CHUNK, PAGE, BlockDevice, copy_range
from fake_backends.files.directory import Directory
from fake_backends.files.real import RealDirectory
from fake_backends.host.paths import Host
from fake_backends.lvm.commands import execute
from fake_backends.lvm.in_files.group import create_group, open_group
from fake_backends.lvm.logical_volume import ThickSnapshot
from fake_backends.lvm.thin_pool import ThinVolume
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import Unreadable

Image: TypeAlias = Callable[[VolumeGroup], dict[str, Any]]

MIB = 1 << 20
SIZES = (65 * MIB, 45 * MIB)


def furnished(home: Directory) -> VolumeGroup:
    """A group with a volume of every kind, all of them written to."""
    group = create_group(home, "vg", SIZES)
    group.create("origin", 12 * MIB)
    group.volume("origin").write(5 * MIB - 7, b"before " * 100)
    group.snapshot("origin", "thick", 8 * MIB)
    group.volume("origin").write(5 * MIB, b"after " * 100)
    group.volume("thick").write(0, b"written")
    group.create_thin_pool("pool", 16 * MIB)
    group.create_thin("thin", 100 * MIB, "pool")
    group.volume("thin").write(70 * MIB + 5, b"shared " * 20_000)
    group.snapshot("thin", "copy", None)
    group.volume("thin").write(70 * MIB, b"own " * 20_000)
    group.tags.append("rack1")
    group.volume("thin").tags.append("fast")
    group.rename("origin", "renamed")
    return group


def test_an_opened_group_shows_what_it_showed(home: Directory, image: Image) -> None:
    """Names, sizes, extents, contents, snapshots, thin volumes, tags; twice in a row."""
    before = image(furnished(home))
    assert image(open_group(home)) == before
    assert image(open_group(home)) == before


def test_an_opened_group_goes_on(home: Directory, image: Image) -> None:
    """What is done to it afterwards is there the next time."""
    furnished(home)
    group = open_group(home)
    group.volume("renamed").write(0, b"again")
    group.volume("thin").write(0, b"again")
    group.activate("copy")
    group.volume("copy").write(MIB, b"again")
    group.create("new", 4 * MIB)
    group.remove("thick")
    group.extend("renamed", 20 * MIB)
    group.deactivate("copy")
    assert image(open_group(home)) == image(group)


def test_a_disk_that_has_grown_is_larger_the_next_time(home: Directory, image: Image) -> None:
    """File, label and metadata follow (``pvresize``)."""
    group = furnished(home)
    group.disks[1].size += 20 * MIB
    group.disks[1].grow(group.extent_size)
    group.touch()
    group.create("more", 24 * MIB)
    assert home.open("pv1.img").size == SIZES[1] + 20 * MIB
    assert image(open_group(home)) == image(group)


def test_a_pool_knows_that_it_has_volumes(home: Directory) -> None:
    """Their devices are mapped through one of the pool's own."""
    group = furnished(home)
    assert group.pool("pool").layered
    assert open_group(home).pool("pool").layered


def test_what_a_command_says_of_a_new_volume_is_kept(home: Directory) -> None:
    """Tags and permission of lvcreate, and what lvchange makes of them."""
    host = Host("node1")
    host.volume_groups["vg"] = create_group(home, "vg", SIZES)
    for command in (
        "lvcreate -n one -L 4m vg --addtag red -p r",
        "lvcreate -n two -L 4m vg",
        "lvchange --addtag blue vg/two",
        "vgchange --addtag rack1 vg",
    ):
        assert execute(host, command.split()).rc == 0
    group = open_group(home)
    one, two = group.volume("one"), group.volume("two")
    assert (one.tags, one.read_only, two.tags, group.tags) == (["red"], True, ["blue"], ["rack1"])


def test_what_lvcreate_says_of_a_volume_is_one_change(home: Directory) -> None:
    """There is no moment at which the volume is there without its tags and its permission."""
    host = Host("node1")
    group = host.volume_groups["vg"] = create_group(home, "vg", SIZES)
    before = group.seqno
    command = "lvcreate -n one -L 4m vg --addtag red --addtag blue -p r"
    assert execute(host, command.split()).rc == 0
    assert group.seqno == before + 1 == open_group(home).seqno
    assert open_group(home).volume("one").tags == ["red", "blue"]


def test_text_that_outgrows_the_metadata_area_is_refused(home: Directory, image: Image) -> None:
    """In lvm2's words; the group stays what it was, open volumes stay open, and it can be used on."""
    host = Host("node1")
    group = host.volume_groups["vg"] = furnished(home)
    device = group.open("renamed")
    group.tags.extend(f"{number:0>1000}" for number in range(480))
    group.touch()
    before = image(group)
    tags = [word for number in range(40) for word in ("--addtag", f"{number:x>1000}")]
    result = execute(host, ["lvcreate", "-n", "big", "-L", "4m", "vg", *tags])
    assert result.rc == 5
    assert re.search(
        r"  VG vg \d+ metadata on /dev/vg-disk0 \(\d+ bytes\) exceeds maximum metadata size \(521472 bytes\)\n"
        r"  Failed to write VG vg\.\n$",
        result.stderr,
    )
    assert image(group) == before == image(open_group(home)) | {"renamed": before["renamed"]}
    device.write(0, b"still open")
    assert execute(host, ["lvremove", "-f", "vg/renamed"]).rc == 5
    device.close()
    assert execute(host, ["lvcreate", "-n", "small", "-L", "4m", "vg"]).rc == 0
    assert open_group(home).volume("renamed").read(0, 10) == b"still open"


def test_volumes_are_activated_as_at_boot(home: Directory) -> None:
    """All of them but thin snapshots; nothing is open."""
    group = furnished(home)
    group.deactivate("renamed")
    group.activate("copy")
    group.open("thin")
    found = open_group(home).volumes
    assert {name: volume.active for name, volume in found.items()} == {
        "renamed": True,
        "thick": True,
        "thin": True,
        "copy": False,
    }
    assert not any(volume.openers for volume in found.values())


def test_merges_that_waited_take_place(home: Directory, image: Image) -> None:
    """The next activation of the origin is the one at boot."""
    group = furnished(home)
    group.open("renamed")
    group.open("thin")
    assert not group.merge("thick")
    assert not group.merge("copy")
    merged = open_group(home)
    assert merged.names() == ["renamed", "thin"]
    assert merged.volume("renamed").read(0, 7) == b"written"
    assert merged.volume("renamed").read(5 * MIB - 7, 14) == b"before before "
    assert merged.volume("thin").read(70 * MIB, 12) == b"\0\0\0\0\0shared "
    assert image(open_group(home)) == image(merged)


def test_an_invalid_snapshot_stays_invalid(home: Directory) -> None:
    """Its store was full before."""
    group = create_group(home, "vg", SIZES)
    group.create("origin", 12 * MIB)
    group.snapshot("origin", "thick", 4 * MIB)
    group.volume("origin").write(0, b"x" * 5 * MIB)
    snapshot = open_group(home).volume("thick")
    with pytest.raises(Exception, match="snapshot thick is invalid"):
        snapshot.read(0, 1)


def test_new_thick_volumes_show_what_the_extents_held(home: Directory) -> None:
    """Also after the group was opened again; thin volumes and copies of shared blocks do not."""
    group = create_group(home, "vg", SIZES)
    group.create("old", 60 * MIB)
    copy_range(_full(60 * MIB), group.volume("old"), 0, 15)
    group.remove("old")
    group = open_group(home)
    group.create("new", 8 * MIB)
    group.create_thin_pool("pool", 16 * MIB)
    group.create_thin("thin", 16 * MIB, "pool")
    group.volume("thin").write(MIB, b"x")
    assert group.volume("new").read(0, 2 * PAGE) == bytes(PAGE) + b"o" * PAGE
    assert group.volume("thin").read(0, 2 * MIB) == bytes(MIB) + b"x" + bytes(MIB - 1)


def _full(size: int) -> BlockDevice:
    group = VolumeGroup("other", [size + 5 * MIB])
    group.create("full", size)
    group.volume("full").write(0, b"o" * size)
    return group.volume("full")


def test_extents_lie_where_lvm2_puts_them(home: Directory) -> None:
    """The n-th extent of a disk begins at 1 MiB and n times 4 MiB, and data is written in place."""
    group = create_group(home, "vg", SIZES)
    group.create("one", 4 * MIB)
    group.create("two", 8 * MIB)
    group.volume("two").write(CHUNK + 4096, b"here")
    assert home.open("pv0.img").read(MIB + 2 * CHUNK + 4096, 4) == b"here"
    assert home.open("pv0.img").size == SIZES[0]


def test_copies_between_volumes_keep_holes(home: Directory) -> None:
    """A copy of a volume takes the space of what is written in it."""
    group = create_group(home, "vg", SIZES)
    group.create("source", 20 * MIB)
    group.create("target", 20 * MIB)
    group.volume("source").write(9 * MIB, b"x" * 2 * MIB)
    before = home.open("pv0.img").allocated
    copy_range(group.volume("source"), group.volume("target"), 0, 5)
    assert home.open("pv0.img").allocated - before in range(2 * MIB, 2 * MIB + 64 * PAGE)
    assert open_group(home).volume("target").read(9 * MIB - 1, 3) == b"\0xx"


@pytest.mark.parametrize("source", ["plain", "thin"])
def test_sparse_copies_write_what_dd_writes(home: Directory, source: str) -> None:
    """Blocks of 1 MiB that are not all zero, in files as in memory; the rest is kept, and takes no space."""
    shown = []
    for group in (VolumeGroup("vg", SIZES), create_group(home, "vg", SIZES)):
        group.create("plain", 8 * MIB)
        group.create("target", 8 * MIB)
        group.create_thin_pool("pool", 16 * MIB)
        group.create_thin("thin", 8 * MIB, "pool")
        group.create_thin("thin-target", 8 * MIB, "pool")
        group.volume(source).write(MIB, bytes(MIB) + b"x" * 5 + bytes(3 * MIB))
        group.volume(source).write(7 * MIB, b"y" * MIB)
        group.volume("target").write(0, b"stale" * (8 * MIB // 5))
        group.snapshot("target", "before", 12 * MIB)
        for name in ("target", "thin-target"):
            copy_range(group.volume(source), group.volume(name), 0, 2, sparse=True)
        target, thin, before = (group.volume(name) for name in ("target", "thin-target", "before"))
        assert isinstance(thin, ThinVolume)
        assert isinstance(before, ThickSnapshot)
        shown.append((target.read(0, 8 * MIB), thin.read(0, 8 * MIB), thin.data_used, before.used))
    assert shown[0] == shown[1]
    content, copy, taken, _ = shown[0]
    assert copy == group.volume(source).read(0, 8 * MIB)
    assert taken == 2 * MIB
    assert content == (b"stale" * (8 * MIB // 5))[: 2 * MIB] + copy[2 * MIB : 3 * MIB] + (
        (b"stale" * (8 * MIB // 5)).ljust(8 * MIB, b"\0")[3 * MIB : 7 * MIB] + copy[7 * MIB :]
    )


def overwrite(name: str, offset: int, data: bytes) -> Callable[[Directory], None]:
    def damage(home: Directory) -> None:
        home.open(name).write(offset, data)

    return damage


def both(offset: int, data: bytes) -> Callable[[Directory], None]:
    def damage(home: Directory) -> None:
        for name in home.names():
            home.open(name).write(offset, data)

    return damage


def add_stranger(home: Directory) -> None:
    """A disk of another group."""
    create_group(home.directory("elsewhere"), "other", [20 * MIB])
    raw = home.directory("elsewhere").open("pv0.img").read(0, 20 * MIB)
    home.create("pv7.img").write(0, raw)
    home.open("pv7.img").truncate(20 * MIB)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (overwrite("pv1.img", 512, bytes(512)), "^pv1.img: is no physical volume: it has no LVM2 label$"),
        (overwrite("pv0.img", 600, b"#"), "^pv0.img: has an LVM2 label with a wrong checksum$"),
        (lambda home: home.remove("pv1.img"), r"^vg: physical volume \S+ \(/dev/vg-disk1\) is missing$"),
        (lambda home: home.open("pv0.img").truncate(20 * MIB), "^pv0.img: has 20971520 bytes where"),
        (both(4100, b"#"), "^pv0.img: has no metadata area where its label says$"),
        (both(4140, b"#"), "^pv0.img: has a metadata area header with a wrong checksum$"),
        (both(4096 + 512, b"#" * 100_000), "^pv0.img: has text metadata with a wrong checksum$"),
        (add_stranger, r"^there are several volume groups: other, vg$"),
    ],
)
def test_a_group_that_cannot_be_opened_says_why(
    home: Directory, damage: Callable[[Directory], None], reason: str
) -> None:
    """One line with the file, and nothing is touched."""
    furnished(home)
    damage(home)
    files = [name for name in home.names() if name.endswith(".img")]
    before = {name: home.open(name).read(0, 8 * MIB) for name in files}
    with pytest.raises(Unreadable, match=reason) as caught:
        open_group(home)
    assert "\n" not in str(caught.value)
    assert {name: home.open(name).read(0, 8 * MIB) for name in files} == before


def test_an_empty_directory_is_no_group(home: Directory) -> None:
    """There is nothing to open."""
    with pytest.raises(Unreadable, match=r"there is no file of a physical volume"):
        open_group(home)


@pytest.mark.parametrize("name", ["pv0.img", "pv1.img"])
def test_one_good_copy_of_the_metadata_is_enough(home: Directory, image: Image, name: str) -> None:
    """The next change writes the other one anew."""
    before = image(furnished(home))
    home.open(name).write(4100, b"#")
    group = open_group(home)
    assert image(group) == before
    group.create("more", 4 * MIB)
    other = {"pv0.img": "pv1.img", "pv1.img": "pv0.img"}[name]
    home.open(other).write(4100, b"#")
    assert image(open_group(home)) == image(group)


@pytest.mark.skipif(
    not shutil.which("pvck") and not Path("/sbin/pvck").exists(), reason="pvck of lvm2 is not installed"
)
def test_the_real_pvck_reads_a_group(tmp_path: Path) -> None:
    """All kinds of volumes are in the text, and headers and checksums hold."""
    furnished(RealDirectory(tmp_path))
    pvck = shutil.which("pvck") or "/sbin/pvck"

    def dump(what: str) -> str:
        command = [pvck, "--dump", what, str(tmp_path / "pv1.img")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    text = dump("metadata")
    for line in ('cow_store = "thick"', 'type = "thin-pool"', 'origin = "thin"', 'tags = ["rack1"]'):
        assert line in text
    assert "# vgname vg seqno" in dump("headers")
