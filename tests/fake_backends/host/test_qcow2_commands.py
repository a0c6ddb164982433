"""qemu-img on qcow2 images by path, beside the real qemu-img: the same command lines, on the same names."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fake_backends.block_store import CHUNK, PAGE, RegularFile
from fake_backends.command_line import Result
from fake_backends.host.commands import HostCommands
from fake_backends.host.paths import Host
from fake_backends.nfs.share import Share

needs_qemu_img = pytest.mark.skipif(
    shutil.which("qemu-img") is None, reason="qemu-img is not installed (package qemu-utils)"
)
CHAIN = """
create -f qcow2 {D}/volume 4M
create -f qcow2 -o backing_file={D}/volume,backing_fmt=qcow2 {D}/snapshot
rebase -u -b volume -F qcow2 {D}/snapshot
create -f qcow2 -o backing_file={D}/snapshot,backing_fmt=qcow2 {D}/next
create -f qcow2 -o preallocation=metadata {D}/full 1M
create -f qcow2 -b {D}/volume {D}/no-format
create -f qcow2 -b {D}/absent -F raw {D}/nothing
create -f qcow2 {D}/nothing
create -f raw -b {D}/volume {D}/raw 1M
create -f qcow2 -o colour=red {D}/nothing 1M
info {D}/snapshot
info --output=json {D}/snapshot
info --backing-chain {D}/next
info --output=json --backing-chain {D}/next
info --output=json -f raw {D}/volume
info --output=json -f luks {D}/volume
resize {D}/next 8M
resize -f qcow2 {D}/next 1M
info --output=json {D}/next
convert -O raw {D}/next {D}/raw
convert -f qcow2 -O qcow2 {D}/next {D}/flat
info --output=json {D}/flat
commit {D}/volume
commit -d {D}/next
info --output=json {D}/snapshot
rebase -u -b  {D}/next
info --output=json {D}/next
create -f qcow2 {D}/over 1M
create -f qcow2 -o backing_file={D}/over,backing_fmt=qcow2 {D}/under
rebase -u -b under -F qcow2 {D}/over
info --backing-chain {D}/over
commit -d {D}/absent
convert -O raw {D}/absent {D}/raw
"""


def lines(directory: Path) -> list[list[str]]:
    """An empty word where two blanks are."""
    return [line.replace("{D}", str(directory)).split(" ") for line in CHAIN.strip().splitlines()]


def normalised(result: Result) -> tuple[str, str, int]:
    """Without the space that a file takes: it depends on the file system."""
    text = re.sub(r'"actual-size": \d+', '"actual-size": N', result.stdout)
    return re.sub(r"disk size: .*", "disk size: N", text), result.stderr, result.rc


def copy_out(file: RegularFile, path: Path) -> None:
    with path.open("wb") as out:
        out.truncate(file.size)
        for number in file.occupied(0, file.chunk_count):
            for index, page in file.load(number).items():
                out.seek(number * CHUNK + index * PAGE)
                out.write(page[: file.size - number * CHUNK - index * PAGE])


@needs_qemu_img
def test_answers_are_those_of_the_real_qemu_img(tmp_path: Path) -> None:
    """Both streams and the status of every command; then the real one finds our images sound."""
    host = Host("host")
    host.mount(str(tmp_path), Share("files", 1 << 40))
    commands = HostCommands(host)
    for words in lines(tmp_path):
        done = subprocess.run(["qemu-img", *words], capture_output=True, text=True, check=False)
        theirs = normalised(Result(done.stdout, done.stderr, done.returncode))
        assert (words, normalised(commands.execute(["qemu-img", *words]))) == (words, theirs)
    for name in ("volume", "snapshot", "next", "full", "flat"):
        file = host.file(f"{tmp_path}/{name}")
        assert file is not None
        copy_out(file, tmp_path / name)
        subprocess.run(["qemu-img", "check", tmp_path / name], capture_output=True, check=True)


@needs_qemu_img
def test_the_real_qemu_img_reads_what_a_chain_holds(tmp_path: Path) -> None:
    """Data below, above and over one another, before and after a commit."""
    host = Host("host")
    host.mount(str(tmp_path), Share("files", 1 << 40))
    commands = HostCommands(host)

    def run(line: str) -> Result:
        return commands.execute(f"qemu-img {line.replace('{D}', str(tmp_path))}".split())

    host.write(f"{tmp_path}/disk", b"below".ljust(9 << 20, b"\1"))
    assert run("convert -f raw -O qcow2 {D}/disk {D}/base").rc == 0
    assert run("create -f qcow2 -o backing_file={D}/base,backing_fmt=qcow2 {D}/top").rc == 0
    assert run("convert -O raw {D}/top {D}/copy").rc == 0
    assert host.read(f"{tmp_path}/copy") == host.read(f"{tmp_path}/disk")
    for name in ("base", "top"):
        file = host.file(f"{tmp_path}/{name}")
        assert file is not None
        copy_out(file, tmp_path / name)
    subprocess.run(["qemu-img", "convert", "-O", "raw", tmp_path / "top", tmp_path / "real"], check=True)
    assert (tmp_path / "real").read_bytes() == host.read(f"{tmp_path}/disk")


def test_an_image_that_stands_over_itself_is_refused() -> None:
    """In one line; the real qemu-img opens the two of them until it has no more file descriptors."""
    host = Host("host")
    commands = HostCommands(host)
    for line in (
        "create -f qcow2 {}/over 1M",
        "create -f qcow2 -b {}/over -F qcow2 {}/under",
        "rebase -u -b under -F qcow2 {}/over",
    ):
        assert commands.execute(["qemu-img", *line.replace("{}", "/tmp").split()]).rc == 0
    loop = "Could not open '/tmp/over': Backing file '/tmp/over' creates an infinite loop."
    for line in ("commit -d /tmp/over", "convert -O raw /tmp/over /tmp/raw"):
        assert commands.execute(["qemu-img", *line.split()]) == Result("", f"qemu-img: {loop}\n", 1)


def test_a_share_without_room_is_an_error_of_the_command() -> None:
    """Of the making of an image, as well as of a conversion."""
    host = Host("host")
    host.mount("/mnt", Share("192.0.2.101:/srv", 256 << 10))
    commands = HostCommands(host)
    host.write("/tmp/disk", b"data".ljust(5 << 20, b"\2"))
    for line in (
        "create -q -f qcow2 -o preallocation=metadata /mnt/image 100G",
        "convert -O qcow2 /tmp/disk /mnt/copy",
    ):
        result = commands.execute(["qemu-img", *line.split()])
        assert result.rc == 1, line
        assert "No space left on device" in result.stderr


def test_images_in_files_that_are_not_on_a_share() -> None:
    """In the root file system: an image converted there and back, and merged into a raw file."""
    host = Host("host")
    commands = HostCommands(host)
    host.write("/tmp/disk", b"data".ljust(5 << 20, b"\2"))
    for line in (
        "convert -f raw -O qcow2 /tmp/disk /tmp/image",
        "create -f qcow2 -o backing_file=/tmp/disk,backing_fmt=raw /tmp/top",
        "resize /tmp/top 6M",
        "commit -d /tmp/top",
        "convert -O raw /tmp/image /tmp/again",
    ):
        assert commands.execute(["qemu-img", *line.split()]).rc == 0, line
    assert host.read("/tmp/again") == b"data".ljust(5 << 20, b"\2")
    assert host.read("/tmp/disk") == b"data".ljust(5 << 20, b"\2") + bytes(1 << 20)
