"""The qcow2 format against a bytearray, and against the real qemu-img where there is one."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.block_store import CHUNK, PAGE, BlockDevice, MemoryDevice, copy_range
from fake_backends.nfs import qcow2, qemu_img
from fake_backends.nfs.qcow2 import CLUSTER, Qcow2Image
from fake_backends.nfs.share import Share
from harness.errors import InvalidArgument, NoSpace, NotFound

GIB = 1 << 30

needs_qemu_img = pytest.mark.skipif(
    shutil.which("qemu-img") is None, reason="qemu-img is not installed (package qemu-utils)"
)


def share() -> Share:
    return Share("192.0.2.9:/srv", 1 << 44)


def image(size: int = GIB, *, preallocated: bool = False) -> Qcow2Image:
    one = share()
    qemu_img.create(one, "disk", size, preallocated=preallocated)
    return Qcow2Image(one.file("disk"))


def dump(one: Share, directory: Path) -> None:
    """The files of a share as files, holes as holes."""
    for name in one.names():
        file = one.file(name)
        with (directory / name).open("wb") as out:
            out.truncate(file.size)
            for number in file.occupied(0, file.chunk_count):
                for index, page in file.load(number).items():
                    at = number * CHUNK + index * PAGE
                    out.seek(at)
                    out.write(page[: file.size - at])


def real(directory: Path, *words: str) -> str:
    done = subprocess.run(["qemu-img", *words], cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout


# ------------------------------------------------------------------------------------------------ the disk


@pytest.mark.parametrize("preallocated", [False, True])
def test_a_new_image_reads_zero(preallocated: bool) -> None:
    """Nothing is mapped, or everything to holes; a read ends at the end of the disk."""
    disk = image(preallocated=preallocated)
    assert disk.size == GIB
    assert list(disk.occupied(0, disk.chunk_count)) == []
    assert disk.read(GIB - 3, 10) == bytes(3)
    assert len(list(disk.clusters())) == (GIB // CLUSTER if preallocated else 0)


def test_metadata_preallocation_makes_the_file_longer_than_the_disk() -> None:
    """1 GiB takes six clusters of header and tables, as qemu-img 7.2 lays it out: what a copy of 1 GiB cuts."""
    disk = image(preallocated=True)
    assert disk.file.size == GIB + 6 * CLUSTER
    assert disk.file.allocated == 5 * CLUSTER + PAGE


def test_a_disk_of_more_than_one_refcount_block_can_be_preallocated() -> None:
    """A refcount block counts 2 GiB of file."""
    disk = image(5 * GIB, preallocated=True)
    disk.write(5 * GIB - 4, b"last")
    assert disk.read(5 * GIB - 5, 9) == b"\0last"


@pytest.mark.parametrize(
    ("size", "end", "l1", "tables", "blocks"),
    [
        (CLUSTER, 6, 3, [4], [2]),
        (3 * GIB, 49163, 3, [4, 8197, 16390, 24583, 32777, 40970], [2, 32776]),
        (20 * GIB + 512, 327736, 3, [4, 8197, 16390, 24583, 32777], [2, 32776, 65549, 98322]),
        (4097 * GIB, None, 3, [5, 8198, 16391, 24584, 32778], [2, 32777, 65550, 98323]),
    ],
)
def test_a_preallocated_image_lies_as_qemu_lays_it(
    size: int, end: int | None, l1: int, tables: list[int], blocks: list[int]
) -> None:
    """Clusters of the file, as found in the first rows of images that qemu-img 7.2.22 made."""
    file = image(size, preallocated=True).file

    def offsets(at: int, count: int) -> list[int]:
        entries = struct.unpack(f">{count}Q", file.read(at * CLUSTER, 8 * count))
        return [(entry & 0x00FF_FFFF_FFFF_FE00) // CLUSTER for entry in entries]

    assert end is None or file.size == end * CLUSTER
    assert offsets(l1, len(tables)) == tables
    assert offsets(1, len(blocks)) == blocks
    assert offsets(tables[0], 1) == [tables[0] + 1]


def test_the_largest_disk_is_written_and_read_without_reading_all_its_tables() -> None:
    """16 TiB have 2 GiB of tables, and need a refcount table of two clusters."""
    disk = image(1 << 44, preallocated=True)
    disk.write((1 << 43) + 5, b"in the middle")
    disk.write((1 << 44) - 3, b"end")
    again = Qcow2Image(disk.file)
    assert again.read((1 << 43) + 5, 13) == b"in the middle"
    assert again.read((1 << 44) - 3, 3) == b"end"
    assert list(again.occupied(0, again.chunk_count)) == [(1 << 43) // CHUNK, again.chunk_count - 1]


def test_writes_go_where_the_tables_lead(tmp_path: Path) -> None:
    """Over the border of two clusters, at the start and at the very end; a second reader sees them."""
    disk = image()
    for at, data in ((0, b"start"), (CLUSTER - 2, b"border"), (GIB - 3, b"end")):
        disk.write(at, data)
        assert Qcow2Image(disk.file).read(at, len(data)) == data
    assert len(list(disk.clusters())) == 3
    with pytest.raises(NoSpace):
        disk.write(GIB - 1, b"ab")
    with pytest.raises(NoSpace):
        disk.store(GIB // CHUNK, {})


def test_a_cut_file_reads_zero_behind_its_end_and_takes_new_clusters_behind_all() -> None:
    """Entries that lead behind the end of the file stay what they are."""
    disk = image(preallocated=True)
    disk.write(GIB - 4, b"last")
    disk.file.truncate(GIB)
    cut = Qcow2Image(disk.file)
    assert cut.read(GIB - 4, 4) == bytes(4)
    cut.resize(2 * GIB)
    cut.write(GIB, b"new")
    cut.write(GIB - 4, b"LAST")
    assert cut.read(GIB - 4, 8) == b"LASTnew\0"


@pytest.mark.parametrize(
    "content", [b"", b"raw bytes", b"QFI\xfb" + bytes(200), b"QFI\xfb\0\0\0\2" + bytes(200)]
)
def test_what_is_no_image_of_version_3_is_refused(content: bytes) -> None:
    """Raw bytes, a header of zeros, and version 2."""
    one = share()
    one.truncate("disk", 0)
    one.file("disk").write(0, content)
    with pytest.raises(InvalidArgument):
        Qcow2Image(one.file("disk"))


SIZE = 6 * CLUSTER + 512
WRITES = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 2 * CLUSTER)), max_size=6)


def _same(disk: BlockDevice, model: bytearray) -> bool:
    """A bool, because pytest would explain at length where two long strings differ."""
    return disk.read(0, disk.size) == bytes(model)


def _write(disk: Qcow2Image, model: bytearray, writes: list[tuple[int, int]], salt: int) -> None:
    for number, (at, length) in enumerate(writes):
        data = bytes([salt + number]) * min(length, len(model) - at)
        disk.write(at, data)
        model[at : at + len(data)] = data


@settings(max_examples=50)
@given(preallocated=st.booleans(), below=WRITES, above=WRITES)
def test_an_image_over_an_image_is_what_was_written_last(
    preallocated: bool, below: list[tuple[int, int]], above: list[tuple[int, int]]
) -> None:
    """The one below does not change; commit, pull and convert lead to the same disk."""
    one = share()
    qemu_img.create(one, "base", SIZE, preallocated=preallocated)
    base = Qcow2Image(one.file("base"))
    frozen = bytearray(SIZE)
    _write(base, frozen, below, 1)
    qemu_img.create(one, "top", SIZE, backing="base")
    top = qemu_img.open_image(one, "top")
    assert isinstance(top, Qcow2Image)
    model = bytearray(frozen)
    _write(top, model, above, 100)
    if len(above) > 3:
        top.store(0, {7: b"z" * PAGE})
        model[:] = bytes(SIZE)
        model[7 * PAGE : 8 * PAGE] = b"z" * PAGE
    assert _same(qemu_img.open_image(one, "top"), model)
    assert _same(Qcow2Image(one.file("base")), frozen)
    copy = MemoryDevice(SIZE)
    copy_range(top, copy, 0, top.chunk_count)
    assert _same(copy, model)
    for format in ("raw", "qcow2"):
        qemu_img.convert(one, "top", (one, format), format)
        assert _same(qemu_img.open_image(one, format), model)
    qemu_img.create(one, "higher", SIZE, backing="top")
    qemu_img.pull(one, "higher", down_to="base")
    assert qemu_img.chain(one, "higher") == ["higher", "base"]
    assert _same(qemu_img.open_image(one, "higher"), model)
    qemu_img.pull(one, "higher", down_to=None)
    assert qemu_img.chain(one, "higher") == ["higher"]
    assert _same(qemu_img.open_image(one, "higher"), model)
    qemu_img.commit(one, "top")
    assert _same(Qcow2Image(one.file("base")), model)


def test_what_is_pulled_takes_no_clusters_for_zeros() -> None:
    """As in QEMU, which only marks clusters that read zero, also where the base has them."""
    one = share()
    qemu_img.create(one, "base", GIB, preallocated=True)
    Qcow2Image(one.file("base")).write(3 * CLUSTER, b"below")
    qemu_img.create(one, "top", GIB, backing="base")
    top = Qcow2Image(one.file("top"))
    top.write(5 * CLUSTER, b"above")
    qemu_img.pull(one, "top", down_to=None)
    assert list(top.clusters()) == [3, 5]
    assert top.read(3 * CLUSTER, 5) == b"below"


# --------------------------------------------------------------------------------------------- the commands


def test_the_content_decides_what_a_file_is_unless_somebody_says() -> None:
    """A guest can write a header into a raw disk; who says raw is not fooled."""
    one = share()
    one.truncate("disk", 4 * CLUSTER)
    assert qemu_img.info(one, "disk") == ("raw", 4 * CLUSTER, None, None)
    other = image(GIB)
    one.file("disk").write(0, other.file.read(0, 4 * CLUSTER))
    assert qemu_img.info(one, "disk").file_format == "qcow2"
    assert qemu_img.info(one, "disk", "raw") == ("raw", 4 * CLUSTER, None, None)
    with pytest.raises(InvalidArgument, match="not in qcow2 format"):
        qemu_img.resize(share_with_raw(), "raw", GIB, "qcow2")


def share_with_raw() -> Share:
    one = share()
    one.truncate("raw", CLUSTER)
    return one


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_resize_grows_and_never_shrinks(format: str) -> None:
    """What is new reads zero; also where the L1 table of 64 KiB has no room for 5 TiB."""
    one = share()
    if format == "raw":
        one.truncate("disk", GIB)
    else:
        qemu_img.create(one, "disk", GIB)
    qemu_img.open_image(one, "disk").write(GIB - 1, b"x")
    qemu_img.resize(one, "disk", 5 << 40, format)
    disk = qemu_img.open_image(one, "disk")
    assert (disk.size, disk.read(GIB - 1, 3)) == (5 << 40, b"x\0\0")
    disk.write((5 << 40) - 1, b"y")
    assert disk.read((5 << 40) - 2, 5) == b"\0y"
    with pytest.raises(InvalidArgument, match="shrink"):
        qemu_img.resize(one, "disk", GIB)


def test_commit_grows_what_is_below() -> None:
    """An image that was extended above its snapshot brings its size down, over raw and over qcow2."""
    for below in ("raw", "qcow2"):
        one = share()
        if below == "raw":
            one.truncate("base", GIB)
        else:
            qemu_img.create(one, "base", GIB)
        qemu_img.create(one, "top", GIB, backing="base")
        qemu_img.resize(one, "top", 2 * GIB)
        qemu_img.open_image(one, "top").write(2 * GIB - 1, b"x")
        qemu_img.commit(one, "top")
        base = qemu_img.open_image(one, "base")
        assert (base.size, base.read(2 * GIB - 1, 1)) == (2 * GIB, b"x")


def test_a_chain_that_is_broken_or_bites_its_tail_is_refused() -> None:
    """A missing backing file, and one that stands over itself."""
    one = share()
    qemu_img.create(one, "base", GIB)
    qemu_img.create(one, "top", GIB, backing="base")
    assert qemu_img.above(one, "top", "base") == "top"
    with pytest.raises(NotFound):
        qemu_img.above(one, "top", "elsewhere")
    qemu_img.rebase(one, "base", "top")
    with pytest.raises(NotFound):
        qemu_img.chain(one, "top")
    one.remove("base")
    with pytest.raises(NotFound):
        qemu_img.open_image(one, "top")
    for refused in (qemu_img.commit, lambda where, name: qemu_img.pull(where, name, down_to=None)):
        with pytest.raises(InvalidArgument):
            refused(share_with_raw(), "raw")


# --------------------------------------------------------------------------------------- the real qemu-img


def _filled(one: Share, preallocated: bool) -> bytearray:
    size = 16 << 20
    qemu_img.create(one, "base", size, preallocated=preallocated)
    qemu_img.open_image(one, "base").write(0, b"b" * (3 * CLUSTER + 5))
    qemu_img.create(one, "top", size, backing="base")
    top = qemu_img.open_image(one, "top")
    top.write(CLUSTER + 7, b"t" * CLUSTER)
    top.write(size - 9, b"the end..")
    model = bytearray(size)
    model[: 3 * CLUSTER + 5] = b"b" * (3 * CLUSTER + 5)
    model[CLUSTER + 7 : 2 * CLUSTER + 7] = b"t" * CLUSTER
    model[-9:] = b"the end.."
    return model


@needs_qemu_img
@pytest.mark.parametrize("preallocated", [False, True])
def test_the_real_tool_finds_the_same_disk_and_no_errors(preallocated: bool, tmp_path: Path) -> None:
    """info, check, and convert of a chain of two."""
    one = share()
    model = _filled(one, preallocated)
    dump(one, tmp_path)
    info: dict[str, Any] = json.loads(real(tmp_path, "info", "--output=json", "top"))
    assert (info["format"], info["virtual-size"]) == ("qcow2", len(model))
    assert (info["backing-filename"], info["backing-filename-format"]) == ("base", "qcow2")
    for name in ("base", "top"):
        check: dict[str, Any] = json.loads(real(tmp_path, "check", "--output=json", name))
        assert (check["check-errors"], check.get("leaks", 0), check.get("corruptions", 0)) == (0, 0, 0)
    real(tmp_path, "convert", "-O", "raw", "top", "disk")
    assert _same(qemu_img.open_image(one, "top"), model)
    assert bool((tmp_path / "disk").read_bytes() == bytes(model))


@needs_qemu_img
@pytest.mark.parametrize("options", [[], ["-o", "preallocation=metadata"]])
def test_images_of_the_real_tool_are_read(options: list[str], tmp_path: Path) -> None:
    """What qemu-img made and wrote is the same disk here, and our layout has the length of its own."""
    (tmp_path / "raw").write_bytes(b"r" * 70_000 + bytes(200_000) + b"s" * 5_120)
    real(tmp_path, "create", "-q", "-f", "qcow2", *options, "empty", "16M")
    real(tmp_path, "convert", "-O", "qcow2", "raw", "disk")
    one = share()
    for name in ("empty", "disk"):
        one.truncate(name, 0)
        one.file(name).write(0, (tmp_path / name).read_bytes())
    disk = Qcow2Image(one.file("disk"))
    assert disk.read(0, disk.size) == (tmp_path / "raw").read_bytes().ljust(disk.size, b"\0")
    ours = share()
    qemu_img.create(ours, "empty", 16 << 20, preallocated=bool(options))
    assert ours.file("empty").size == one.file("empty").size


@needs_qemu_img
def test_what_was_resized_and_committed_here_is_sound_there(tmp_path: Path) -> None:
    """Tables that have moved, and clusters that were taken one by one."""
    one = share()
    model = _filled(one, True)
    qemu_img.resize(one, "top", 5 << 40)
    qemu_img.commit(one, "top")
    one.remove("top")
    dump(one, tmp_path)
    check: dict[str, Any] = json.loads(real(tmp_path, "check", "--output=json", "base"))
    assert (check["check-errors"], check.get("leaks", 0), check.get("corruptions", 0)) == (0, 0, 0)
    assert qcow2.is_qcow2(one.file("base"))
    assert bool(Qcow2Image(one.file("base")).read(0, len(model)) == bytes(model))


def test_a_file_forgets_what_was_learned_of_it_when_others_write() -> None:
    """A raw write over the tables is seen by the next who opens the image."""
    disk = image()
    disk.write(0, b"data")
    copy = disk.file
    head = bytearray(copy.read(0, 32))
    head[24:32] = (2 * GIB).to_bytes(8, "big")
    copy.write(0, bytes(head))
    assert Qcow2Image(copy).size == 2 * GIB
