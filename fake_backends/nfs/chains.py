"""Opening an image with all that is under it: the one place that follows the names of backing files."""

from __future__ import annotations

from collections.abc import Callable

from fake_backends.block_store import BlockDevice, RegularFile
from fake_backends.nfs import qcow2
from fake_backends.nfs.qcow2 import Qcow2Image
from harness.errors import InvalidArgument, NotFound


def beside(image: str, name: str) -> str:
    """Where the name of a backing file leads: from the directory of the image that names it."""
    directory, slash, _ = image.rpartition("/")
    return name if name.startswith("/") else f"{directory}{slash}{name}"


def open_chain(
    open_file: Callable[[str], BlockDevice], name: str, format: str | None = None, above: tuple[str, ...] = ()
) -> BlockDevice:
    """The virtual disk of an image, with the images and files under it.

    `open_file` opens one of them by its name; closing is up to the caller. Without `format` the content
    decides. `above` are the images over this one. NotFound for a file that is not there, InvalidArgument for
    one that is no such image, or that stands, in the end, over itself.
    """
    if name in above:
        raise InvalidArgument(f"Backing file '{name}' creates an infinite loop.")
    try:
        device = open_file(name)
    except NotFound:
        if not above:
            raise
        text = f"Could not open backing file: Could not open '{name}': No such file or directory"
        raise NotFound(text) from None
    if format != "qcow2" and (format is not None or not qcow2.is_qcow2(device)):
        return device
    if not isinstance(device, RegularFile):
        raise InvalidArgument("Image is not in qcow2 format")
    image = Qcow2Image(device)
    if image.backing_name is not None:
        below = beside(name, image.backing_name)
        image.backing = open_chain(open_file, below, image.backing_format, (*above, name))
    return image
