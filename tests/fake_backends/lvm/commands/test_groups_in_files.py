"""Volume groups that are made and removed by command, on a node that keeps its disks in files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.real import RealDirectory
from fake_backends.files.watched import WatchedDirectory
from fake_backends.lvm.commands import execute
from fake_backends.world import Node, World
from harness.errors import AlreadyExists, InputError, StorageError

MIB = 1 << 20
DISKS = ("/dev/vdb", "/dev/vdc")


@pytest.fixture(params=["real", "fake"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    """An empty directory, on a real file system and in pyfakefs."""
    return RealDirectory(tmp_path) if request.param == "real" else fake_directory()


def new_node(home: Directory) -> Node:
    """A node with two disks of 41 MiB."""
    node = World(home=home).node("node1")
    for path in DISKS:
        node.add_disk(path, 41 * MIB)
    return node


def reopened(home: Directory) -> Node:
    """The node as the next process finds it."""
    return World(home=home).nodes["node1"]


def done(node: Node, *lines: str) -> str:
    out = ""
    for line in lines:
        result = execute(node, line.split())
        assert result.rc == 0, (line, result)
        out = result.stdout
    return out


def pvs(node: Node) -> dict[str, list[str]]:
    """Group, size and free MiB of each physical volume."""
    command = "pvs --noheadings --units m --nosuffix --separator : -o pv_name,vg_name,pv_size,pv_free"
    rows = [line.strip().split(":") for line in done(node, command).splitlines()]
    return {name: more for name, *more in rows}


def test_a_group_that_vgcreate_makes_is_kept(home: Directory) -> None:
    """With its tags, the size of its extents, and what is in it."""
    node = new_node(home)
    done(node, "vgcreate -s 8m --addtag rack1 vg /dev/vdb /dev/vdc", "lvcreate -n one -L 16m vg")
    node.volume_groups["vg"].volume("one").write(0, b"here")
    found = reopened(home)
    group = found.volume_groups["vg"]
    assert (group.extent_size, group.tags, group.names()) == (8 * MIB, ["rack1"], ["one"])
    assert group.volume("one").read(0, 4) == b"here"
    assert (
        pvs(found) == pvs(node) == {"/dev/vdb": ["vg", "40.00", "24.00"], "/dev/vdc": ["vg", "40.00", "40.00"]}
    )


def test_disks_without_a_group_are_kept(home: Directory) -> None:
    """With a label they are physical volumes, without one they are disks."""
    done(new_node(home), "pvcreate /dev/vdc")
    node = reopened(home)
    assert set(node.disks) == set(DISKS)
    assert pvs(node) == {"/dev/vdc": ["", "41.00", "41.00"]}
    done(node, "vgcreate vg /dev/vdb /dev/vdc")
    assert pvs(reopened(home)) == {path: ["vg", "40.00", "40.00"] for path in DISKS}


def test_vgremove_leaves_physical_volumes(home: Directory) -> None:
    """Also those that a deployment made with the group; another group can have them."""
    node = new_node(home)
    node.add_volume_group("old", [41 * MIB])
    done(node, "lvcreate -n one -L 16m old", "vgremove -f old")
    found = reopened(home)
    assert found.volume_groups == {}
    assert pvs(found) == pvs(node) == {"/dev/old-disk0": ["", "41.00", "41.00"]}
    with pytest.raises(AlreadyExists, match="volume group old of node1 was removed, but its disks are still"):
        found.add_volume_group("old", [41 * MIB])
    done(found, "vgcreate new /dev/old-disk0 /dev/vdb", "lvcreate -n two -L 60m new")
    assert reopened(home).volume_groups["new"].names() == ["two"]
    done(found, "vgremove -f new", "vgcreate old /dev/old-disk0")
    assert reopened(home).add_volume_group("old", [41 * MIB]).size == 40 * MIB


def test_pvresize_notices_a_file_that_has_grown(home: Directory) -> None:
    """In a group, and without one."""
    done(new_node(home), "pvcreate /dev/vdc", "vgcreate vg /dev/vdb")
    node = reopened(home)
    assert pvs(node) == {"/dev/vdb": ["vg", "40.00", "40.00"], "/dev/vdc": ["", "41.00", "41.00"]}
    for path in DISKS:
        home.directory("nodes").directory("node1").directory("disks").open(
            f"{path.replace('/', '%2F')}.img"
        ).truncate(61 * MIB)
        done(node, f"pvresize {path}")
    assert pvs(node)["/dev/vdb"] == ["vg", "60.00", "60.00"]
    assert pvs(reopened(home)) == pvs(node)


class Killed(BaseException):
    """The process ends here."""


CHANGES = {
    "pvcreate": ((), "pvcreate /dev/vdb"),
    "vgcreate": (("pvcreate /dev/vdc",), "vgcreate vg /dev/vdb /dev/vdc"),
    "vgremove": (("vgcreate vg /dev/vdb /dev/vdc",), "vgremove vg"),
}


@pytest.mark.parametrize("kind", [Killed, StorageError], ids=["killed", "refused"])
@pytest.mark.parametrize(("before", "line"), CHANGES.values(), ids=CHANGES)
def test_there_is_a_group_or_there_is_none(
    before: tuple[str, ...], line: str, kind: Callable[[str], BaseException]
) -> None:
    """Killed before each step on files, or with a disk that refuses it: the next process has all or nothing."""
    states: list[set[str]] = []
    while True:
        home = fake_directory()
        done(new_node(home), *before)
        steps = itertools.count(-1 << 30)

        def step(operation: str) -> None:
            if next(steps) == len(states):  # noqa: B023 - called before the next round
                raise kind(operation)

        node = World(home=WatchedDirectory(home, step)).nodes["node1"]
        steps = itertools.count()
        try:
            if execute(node, line.split()).rc == 0:
                break
            assert set(node.volume_groups) == set(reopened(home).volume_groups)
        except Killed:
            pass
        found = reopened(home)
        assert all(group.size == 80 * MIB for group in found.volume_groups.values())
        states.append(set(found.volume_groups))
    assert len(states) > 1
    assert sum(one != other for one, other in itertools.pairwise(states)) <= 1


def test_a_damaged_disk_is_named(tmp_path: Path) -> None:
    """The file, and what is wrong with it."""
    done(new_node(RealDirectory(tmp_path)), "vgcreate vg /dev/vdb")
    with (tmp_path / "nodes/node1/disks/%2Fdev%2Fvdb.img").open("r+b") as file:
        file.seek(600)
        file.write(b"#")
    expected = "^volume groups of node1: disks/%2Fdev%2Fvdb.img: has an LVM2 label with a wrong checksum; give"
    with pytest.raises(InputError, match=expected):
        reopened(RealDirectory(tmp_path))
