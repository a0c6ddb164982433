"""Groups of images that are snapshotted together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_backends.rbd.image import Image


class Group:
    """Images, of one pool or several. `snapshots` are numbers of group snapshots by their names."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.images: list[Image] = []
        self.snapshots: dict[str, int] = {}
