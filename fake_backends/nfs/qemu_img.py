"""What Cinder runs qemu-img for on the files of a share. Names are those of files; a chain stays in its share.

Every change first passes the point ``nfs.qemu_img``. Refusals carry qemu-img's words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fake_backends.block_store import CHUNK, PAGE, BlockDevice
from fake_backends.nfs import qcow2
from fake_backends.nfs.chains import open_chain
from fake_backends.nfs.qcow2 import Qcow2Image
from fake_backends.nfs.share import File, Share
from harness.errors import InvalidArgument, NotFound

BYTES_PER_SECOND = 100 << 20


class Info(NamedTuple):
    """What ``qemu-img info`` tells: format, size of the virtual disk in bytes, backing file and its format."""

    file_format: str
    virtual_size: int
    backing_file: str | None
    backing_format: str | None


def info(share: Share, name: str, format: str | None = None) -> Info:
    """Look at a file. Without `format` the content decides, so a guest's own bytes can pass for an image."""
    file = share.file(name)
    if _format(file, format) == "raw":
        return Info("raw", file.size, None, None)
    image = Qcow2Image(file)
    return Info("qcow2", image.size, image.backing_name, image.backing_format)


def open_image(share: Share, name: str, format: str | None = None) -> BlockDevice:
    """The virtual disk of a file, with the backing files under it; see `chains.open_chain`."""
    return open_chain(share.file, name, format)


def chain(share: Share, name: str) -> list[str]:
    """The file and its backing files, the topmost first (``qemu-img info --backing-chain``)."""
    names = [name]
    while (below := info(share, names[-1]).backing_file) is not None:
        if below in names or below not in share:
            raise NotFound(f"Could not open backing file: Could not open '{below}'")
        names.append(below)
    return names


def create(
    share: Share, name: str, size: int, *, preallocated: bool = False, backing: str | None = None
) -> None:
    """``qemu-img create -f qcow2``: a new image of `size` bytes, standing over `backing`, if given."""
    share.visit("qemu_img", f"qemu-img create -f qcow2 {name} {size}")
    backing_format = info(share, backing).file_format if backing is not None else None
    qcow2.create(
        share.create(name), size, preallocated=preallocated, backing=backing, backing_format=backing_format
    )


def convert(share: Share, source: str, destination: tuple[Share, str], format: str) -> None:
    """``qemu-img convert -O FORMAT``: what the source's disk holds, in a new file without backing file."""
    target, name = destination
    disk = open_image(share, source)
    cost_us = disk.size * 1_000_000 // BYTES_PER_SECOND
    share.visit("qemu_img", f"qemu-img convert -O {format} {source} {name}", cost_us=cost_us)
    file = target.create(name)
    if format == "raw":
        file.open_truncated(disk.size)
        copy: BlockDevice = file
    else:
        qcow2.create(file, disk.size)
        copy = Qcow2Image(file)
    _fill(copy, disk)


def overwrite(share: Share, name: str, disk: BlockDevice) -> None:
    """``qemu-img convert -O raw`` of a disk from elsewhere: the file holds its bytes then, and nothing else."""
    share.visit("qemu_img", f"qemu-img convert -O raw {name}")
    file = share.create(name)
    file.open_truncated(disk.size)
    _fill(file, disk)


def resize(share: Share, name: str, size: int, format: str | None = None) -> None:
    """``qemu-img resize``. InvalidArgument for an image that is not of the format given, or to shrink."""
    share.visit("qemu_img", f"qemu-img resize {name} {size}")
    file = share.file(name)
    if _format(file, format) == "raw":
        if size < file.size:
            raise InvalidArgument("Use the --shrink option to perform a shrink operation.")
        file.truncate(size)
    else:
        Qcow2Image(file).resize(size)


def commit(share: Share, name: str) -> None:
    """``qemu-img commit -d``: write what the image holds into its backing file, which grows if need be."""
    share.visit("qemu_img", f"qemu-img commit -d {name}")
    image = open_image(share, name)
    if not isinstance(image, Qcow2Image):
        raise InvalidArgument("Image does not have a backing file")
    image.commit()


def pull(share: Share, name: str, *, down_to: str | None) -> None:
    """Take over what the backing files above `down_to` hold, of all if None (QEMU's ``block-stream``).

    The image then stands over `down_to`, or alone.
    """
    share.visit("qemu_img", f"block-stream {name}")
    image = open_image(share, name)
    if not isinstance(image, Qcow2Image):
        raise InvalidArgument("Image does not have a backing file")
    if down_to is None:
        image.flatten()
        image.rebase(None, None)
        return
    names = chain(share, name)
    for below in names[1 : names.index(down_to)]:
        image.take_over(_held(open_image(share, below)))
    image.rebase(down_to, info(share, down_to).file_format)


def above(share: Share, name: str, backing: str) -> str:
    """The file in the chain of `name` that stands directly over `backing`. NotFound."""
    for each in chain(share, name):
        if info(share, each).backing_file == backing:
            return each
    raise NotFound(f"No file found with {backing} as backing file.")


def rebase(share: Share, name: str, backing: str) -> None:
    """``qemu-img rebase -u -b BACKING``: only the header changes."""
    share.visit("qemu_img", f"qemu-img rebase -u -b {backing} {name}")
    Qcow2Image(share.file(name)).rebase(backing, info(share, backing).file_format)


def _fill(copy: BlockDevice, disk: BlockDevice) -> None:
    for number in disk.occupied(0, disk.chunk_count):
        copy.store(number, disk.load(number))


def _held(disk: BlockDevice) -> Iterable[int]:
    """The clusters that an image itself holds, or that a raw file has anything in."""
    if isinstance(disk, Qcow2Image):
        return disk.clusters()
    return sorted({
        (number * CHUNK + index * PAGE) // qcow2.CLUSTER
        for number in disk.occupied(0, disk.chunk_count)
        for index in disk.load(number)
    })  # fmt: skip


def _format(file: File, format: str | None) -> str:
    if format is not None:
        return format
    return "qcow2" if qcow2.is_qcow2(file) else "raw"
