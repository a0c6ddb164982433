"""qcow2 images by the paths of a machine, with the files under them: opening and merging them.

The format itself is in `fake_backends.nfs.qcow2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fake_backends.block_store import BlockDevice
from fake_backends.host.paths import Host
from fake_backends.lvm.host import close_device
from fake_backends.nfs import qcow2
from fake_backends.nfs.qcow2 import Qcow2Image
from harness.errors import InvalidArgument, NotFound


def beside(path: str, name: str) -> str:
    """Where the name of a backing file leads: from the directory of the image that names it."""
    return name if name.startswith("/") else f"{path.rpartition('/')[0]}/{name}"


@contextmanager
def header(host: Host, path: str) -> Iterator[Qcow2Image]:
    """The image alone. NotFound, InvalidArgument if it is none."""
    file = host.file(path)
    if file is None:
        raise InvalidArgument("Image is not in qcow2 format")
    try:
        yield Qcow2Image(file)
    finally:
        close_device(file)


@contextmanager
def opened(host: Host, path: str) -> Iterator[Qcow2Image]:
    """The image and what is under it, all the way down. NotFound for a file that is not there."""
    with header(host, path) as image:
        if image.backing_name is None:
            yield image
            return
        below = beside(path, image.backing_name)
        if not host.exists(below):
            text = f"Could not open backing file: Could not open '{below}': No such file or directory"
            raise NotFound(text)
        with _backing(host, below, image.backing_format) as image.backing:
            yield image


@contextmanager
def _backing(host: Host, path: str, format: str | None) -> Iterator[BlockDevice]:
    with host.opened(path) as device:
        found = format or ("qcow2" if qcow2.is_qcow2(device) else "raw")
        if found != "qcow2":
            yield device
            return
    with opened(host, path) as image:
        yield image


def commit(host: Host, path: str) -> None:
    """Write what the image holds into its backing file, which grows if need be, and leave the image as it is.

    InvalidArgument without a backing file.
    """
    with opened(host, path) as image:
        image.commit()
