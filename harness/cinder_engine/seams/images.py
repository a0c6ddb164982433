"""The image service that Cinder talks to: Glance's part over the images of one cell."""

from __future__ import annotations

from typing import Any

from cinder import exception
from cinder.image import glance

from fake_backends.block_store import CHUNK, MemoryDevice
from harness import errors
from harness.cinder_engine.seams.copying import SlowReader
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.control_plane.copying import copy_time_us
from harness.control_plane.images import Image, ImageService

_FIELDS = ("name", "disk_format", "container_format", "visibility", "protected", "properties")


class Glance:
    """What Cinder uses of `cinder.image.glance.GlanceImageService`. Everybody may see every image."""

    temp_images = None

    def __init__(self, stage: Stage, images: ImageService | None = None) -> None:
        """`images` are those of whatever is on stage, unless somebody brings others."""
        self._stage = stage
        self._brought = images

    @property
    def _images(self) -> ImageService:
        return self._stage.playing.images if self._brought is None else self._brought

    def show(self, context: Any, image_id: str) -> dict[str, Any]:
        """What is known of an image. ImageNotFound."""
        try:
            return _described(self._images.show(image_id))
        except errors.ImageNotFound:
            raise exception.ImageNotFound(image_id=image_id) from None

    def get_location(self, context: Any, image_id: str) -> tuple[None, list[Any]]:
        """Where it lies is not told."""
        return None, []

    def create(self, context: Any, image_meta: dict[str, Any], data: Any = None) -> dict[str, Any]:
        """A queued image."""
        fields = {name: image_meta[name] for name in _FIELDS if name in image_meta}
        return _described(self._images.create(context.project_id, **fields))

    def update(
        self, context: Any, image_id: str, image_meta: dict[str, Any], data: Any = None, **others: Any
    ) -> dict[str, Any]:
        """Upload `data`, a file object, to its end, at the pace of a copy."""
        if data is not None:
            simulation = self._stage.playing.simulation
            simulation.visit("image.upload", image_id)
            data.seek(0, 2)
            content = MemoryDevice(data.tell())
            data.seek(0)
            source = SlowReader(data, content.size, simulation)
            for offset in range(0, content.size, CHUNK):
                content.write(offset, source.read(min(CHUNK, content.size - offset)))
            self._images.fill(image_id, content)
        return self.show(context, image_id)

    def download(self, context: Any, image_id: str, data: Any) -> None:
        """Write the image into a file; what is zero becomes a hole. ImageNotFound."""
        content = self._images.disks.get(image_id)
        if content is None:
            raise exception.ImageNotFound(image_id=image_id)
        self._stage.playing.simulation.visit("image.download", image_id, cost_us=copy_time_us(content.size))
        for number in content.occupied(0, content.chunk_count):
            data.seek(number * CHUNK)
            data.write(content.read(number * CHUNK, CHUNK))
        data.truncate(content.size)

    def delete(self, context: Any, image_id: str) -> bool:
        """Image and disk. ImageNotFound."""
        self.show(context, image_id)
        self._images.delete(image_id)
        return True


def _described(image: Image) -> dict[str, Any]:
    """An image as `GlanceImageService` returns it."""
    return {
        **{name: getattr(image, name) for name in _FIELDS},
        "id": image.id,
        "owner": image.owner,
        "status": image.status,
        "size": image.size,
        "min_disk": image.min_disk,
        "min_ram": 0,
        "virtual_size": image.size or None,
    }


def install(patches: Patches, stage: Stage) -> None:
    """One image service, whatever an image's address says."""
    patches.replace(glance, "get_default_image_service", lambda: Glance(stage))
    patches.replace(glance, "get_remote_image_service", lambda context, name: (Glance(stage), name))
