"""Names from outside: storage takes them, or refuses them with one error and is as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_backends.block_store import CHUNK
from fake_backends.files.real import RealDirectory
from fake_backends.lvm.in_files.group import create_group, open_group
from fake_backends.nfs.share import Share
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.reopening import open_cluster
from harness.errors import InvalidArgument, StorageError

NAMES = {
    "a separator": "a/b",
    "the way up": "../up",
    "an absolute path": "/etc/up",
    "the parent": "..",
    "the directory": ".",
    "nothing": "",
    "a new line": "a\nb",
    "NUL": "a\0b",
    "an escape": "\x1b[2J\x7f",
    "quotes": "a\"b\\c'",
    "an encoded way up": "%2e%2e%2Fup",
    "another script": "том",
    "half a pair": "a\ud800",
    "too long": "x" * 300,
    "too many bytes": "ä" * 300,
}
named = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


def taken(operation: Callable[..., object], *arguments: object) -> bool:
    """Whether an operation was done; False if it was refused, with one line."""
    try:
        operation(*arguments)
    except StorageError as error:
        lines = str(error).splitlines()
    else:
        return True
    assert len(lines) == 1
    return False


def outside(path: Path) -> list[str]:
    """What lies beside the directory of the storage."""
    return sorted(os.listdir(path.parent))


@named
def test_a_volume_group_in_files(tmp_path: Path, name: str) -> None:
    """lvm2 takes letters, digits and ``.+_-``, up to 127 of them; the group can be opened again."""
    home = tmp_path / "home"
    home.mkdir()
    assert not taken(create_group, RealDirectory(home), name, [20 * CHUNK])
    assert os.listdir(home) == []
    group = create_group(RealDirectory(home), "vg", [20 * CHUNK])
    group.create("a", CHUNK)
    assert not taken(group.create, name, CHUNK)
    assert not taken(group.create_thin_pool, name, CHUNK)
    assert not taken(group.snapshot, "a", name, CHUNK)
    assert not taken(group.rename, "a", name)
    assert open_group(RealDirectory(home)).names() == group.names() == ["a"]
    assert outside(home) == ["home"]


@named
def test_a_cluster_in_files(tmp_path: Path, name: str) -> None:
    """librbd takes any text as a name, but for none at all; it is the same when it is opened again."""
    home = tmp_path / "home"
    home.mkdir()
    cluster = open_cluster("ceph", RealDirectory(home))
    pool = cluster.create_pool("pool")
    pool.create("image", CHUNK)
    good = "\ud800" not in name
    assert taken(cluster.create_pool, name) == good
    assert taken(pool.create, name, CHUNK) == (good and name != "")
    assert taken(pool.image("image").create_snapshot, name) == good
    assert taken(pool.image("image").metadata_set, name, name) == good
    if good and name:
        pool.remove(name)
        pool.rename("image", name)
    found = open_cluster("ceph", RealDirectory(home))
    assert list(found.pools) == list(cluster.pools)
    assert found.pool("pool").names() == pool.names()
    image = pool.image(pool.names()[0])
    assert [each.name for each in found.pool("pool").image(image.name).snapshots] == [name] * good
    assert outside(home) == ["home"]


def test_a_cluster_in_memory_takes_what_bytes_become() -> None:
    """The bindings pass names on that are no UTF-8, as librbd does; nobody has to write them down."""
    pool = Cluster("ceph").create_pool("pool")
    pool.create("a\udcff", CHUNK)
    assert pool.names() == ["a\udcff"]


@named
def test_a_share_in_files(tmp_path: Path, name: str) -> None:
    """A file system takes anything but a path, and up to 255 bytes; the file is there again."""
    home = tmp_path / "home"
    home.mkdir()
    share = Share("server:/export", 1 << 30, home=RealDirectory(home))
    done = [taken(share.truncate, name, CHUNK), taken(share.write_text, name, "text")]
    assert done[0] == done[1]
    share.truncate("file", CHUNK)
    assert taken(share.rename, "file", name) == done[0]
    share.close()
    found = Share.reopen(RealDirectory(home))
    assert found.names() == share.names() == [name if done[0] else "file"]
    found.close()
    assert outside(home) == ["home"]


def test_half_a_surrogate_pair_in_a_text_changes_nothing() -> None:
    """A file holds UTF-8."""
    share = Share("server:/export", 1 << 30)
    share.write_text("info", "{}")
    with pytest.raises(InvalidArgument, match="UTF-8"):
        share.write_text("info", "\ud800")
    assert share.read_text("info") == "{}"
