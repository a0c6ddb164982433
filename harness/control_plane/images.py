"""The image service: what Glance is for Cinder.

An image here is the disk that its file holds; disk_format and container_format are labels. Source:
`cinder.image.glance:GlanceImageService`, `cinder.image.image_utils`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from fake_backends.block_store import BlockDevice, MemoryDevice, copy_range
from harness import errors
from harness.control_plane.copying import copy_time_us, copy_volume
from harness.model import GIB, Context
from harness.sim.points import Points
from harness.sim.seeds import Ids

_OPEN = ("public", "community")
"""Visibilities that let every project use an image. Shared ones have members, and none has any here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image. `size` is in bytes, `min_disk` in GiB; status is queued, active or deleted."""

    id: str
    name: str
    owner: str
    status: str = "queued"
    disk_format: str = "raw"
    container_format: str = "bare"
    visibility: str = "shared"
    protected: bool = False
    size: int = 0
    min_disk: int = 0
    properties: dict[str, str] = field(default_factory=dict)


class ImageService:
    """Images by id, and the disks that are in them."""

    def __init__(self, seed: int, points: Points) -> None:
        self._ids = Ids(seed, "images")
        self._points = points
        self.images: dict[str, Image] = {}
        self.disks: dict[str, MemoryDevice] = {}

    def create(self, owner: str, **fields: Any) -> Image:
        """A queued image without a disk."""
        image = Image(id=self._ids.uuid(), owner=owner, **fields)
        self.images[image.id] = image
        return image

    def show(self, image_id: str) -> Image:
        """ImageNotFound."""
        if image_id not in self.images:
            raise errors.ImageNotFound(image_id=image_id)
        return self.images[image_id]

    def visible(self, context: Context) -> list[Image]:
        """Those that the caller may use: the project's own and those of others that are not private."""
        return [
            image
            for image in self.images.values()
            if context.is_admin or image.owner == context.project_id or image.visibility in _OPEN
        ]

    def upload(self, image_id: str, disk: BlockDevice, size_gb: int) -> Image:
        """Copy the first `size_gb` GiB of a disk into the image, at the pace of a copy."""
        self._points.visit("image.upload", image_id)
        content = MemoryDevice(min(size_gb * GIB, disk.size))
        copy_volume(disk, content, size_gb, paths=False, sparse=False, points=self._points)
        return self.fill(image_id, content)

    def fill(self, image_id: str, content: MemoryDevice) -> Image:
        """Make a disk the image's, which becomes active."""
        self.disks[image_id] = content
        self.images[image_id] = replace(self.show(image_id), status="active", size=content.size)
        return self.images[image_id]

    def download(self, image_id: str, destination: BlockDevice) -> None:
        """Write the image over a disk that is large enough. ImageNotFound if there is nothing in it."""
        if image_id not in self.disks:
            raise errors.ImageNotFound(image_id=image_id)
        content = self.disks[image_id]
        self._points.visit("image.download", image_id, cost_us=copy_time_us(content.size))
        copy_range(content, destination, 0, content.chunk_count)

    def delete(self, image_id: str) -> None:
        """Forget image and disk; an absent one is fine."""
        self.images.pop(image_id, None)
        self.disks.pop(image_id, None)


def metadata_of(image: Image) -> dict[str, str]:
    """What a volume remembers of the image that it was made of (`volume_utils:get_volume_image_metadata`)."""
    return {
        **image.properties,
        "image_id": image.id,
        "image_name": image.name,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
    }


def check_image(image: Image, size_gb: int) -> None:
    """InvalidInput unless the image is active and fits (`volume_utils:check_image_metadata`)."""
    if image.status != "active":
        raise errors.InvalidInput(reason=f"Image {image.id} is not active.")
    image_gb = -(-image.size // GIB)
    if image_gb > size_gb:
        raise errors.InvalidInput(
            reason=f"Size of specified image {image_gb}GB is larger than volume size {size_gb}GB."
        )
    if size_gb < image.min_disk:
        raise errors.InvalidInput(
            reason=f"Volume size {size_gb}GB cannot be smaller than the image minDisk size {image.min_disk}GB."
        )
