"""Images: a driver may write them to its volumes and read them from there by its own means.

The image service is the simulated one; what comes out of the volume, and what went into it, is compared page by
page. A driver that has no means of its own leaves it to Cinder, which laws on the whole look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from hypothesis import strategies as st

from conformance.attached import compare
from conformance.bench import ADMIN, Bench
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import Chapter, holds, same
from conformance.laws.faults import every_step, kinds
from fake_backends.block_store import PAGE, MemoryDevice
from harness.control_plane.images import Image, ImageService
from harness.model import GIB, Volume

law = Chapter("images", level="core", stage=Bench, needs=["data path", "image copies", "simulated Cinder"])
UPLOAD = "cinder.interface.volume_driver:VolumeDriverCore.copy_volume_to_image"
DOWNLOAD = "cinder.interface.volume_driver:VolumeDriverCore.copy_image_to_volume"


def image_of(images: ImageService, size: int, pages: Mapping[int, bytes]) -> Image:
    """An active image of so many GiB with these pages in it."""
    disk = MemoryDevice(size * GIB)
    for page, data in pages.items():
        disk.write(page * PAGE, data)
    return images.fill(images.create("project", name="image").id, disk)


def upload(bench: Bench, images: ImageService, volume: Volume) -> Image:
    image = images.create("project", name="upload")
    answer = bench.driver.copy_volume_to_image(ADMIN, bench.fresh(volume), images, {"id": image.id})
    bench.nothing(answer, "copy_volume_to_image")
    return images.show(image.id)


def download(bench: Bench, images: ImageService, volume: Volume, image: Image) -> None:
    answer = bench.driver.copy_image_to_volume(
        ADMIN, bench.fresh(volume), images, image.id, disable_sparse=True
    )
    bench.nothing(answer, "copy_image_to_volume")


def service(bench: Bench) -> ImageService:
    return ImageService(0, bench.simulation)


@law(source=UPLOAD, size=sizes(3), written=contents(), migrated=st.booleans())
def an_upload_is_the_whole_volume(bench: Bench, size: int, written: Contents, migrated: bool) -> None:
    """The image has the size and the data of the volume, also of one that has a _name_id."""
    images, volume = service(bench), bench.create(size)
    bench.write(volume, written)
    image = upload(bench, images, bench.another_name_for(volume) if migrated else volume)
    same("the size of the image in bytes", image.size, size * GIB)
    disk, wanted = images.disks[image.id], pages_of(written, size * GIB)
    compare({page: disk.read(page * PAGE, PAGE) for page in wanted}, wanted, "the image")
    bench.must_hold(volume, written, "the uploaded volume")


@law(
    source=DOWNLOAD,
    size=sizes(2),
    more=st.integers(0, 2),
    written=contents("image"),
    before=contents("before"),
    migrated=st.booleans(),
)
def an_image_is_written_over_the_volume(
    bench: Bench, size: int, more: int, written: Contents, before: Contents, migrated: bool
) -> None:
    """A volume that an image was written to begins with the image, and is as large as it was."""
    images, volume = service(bench), bench.create(size + more)
    bench.write(volume, before)
    target = bench.another_name_for(volume) if migrated else volume
    download(bench, images, target, image_of(images, size, pages_of(written, size * GIB)))
    bench.must_hold(volume, written, "the volume with the image", size)
    bench.must_have_size(volume, size + more, "the volume with the image")


@law(source=f"{UPLOAD}; {DOWNLOAD}", needs=["inventory"], written=contents())
def images_leave_nothing(bench: Bench, written: Contents) -> None:
    """After an upload and a download there is no export and no helper, and the volume can be deleted."""
    images, objects, exports = service(bench), bench.objects(), bench.exports()
    volume = bench.create()
    bench.write(volume, written)
    made = bench.objects()
    download(bench, images, volume, upload(bench, images, volume))
    same("the objects", bench.objects(), made)
    same("the targets", bench.exports(), exports)
    bench.delete(volume)
    same("the objects in the end", bench.objects(), objects)


@law(source=DOWNLOAD, written=contents("image"), kept=contents("kept"))
def an_image_leaves_other_volumes_alone(bench: Bench, written: Contents, kept: Contents) -> None:
    """An image is written to the volume that is meant, and to no other."""
    images, volume, other = service(bench), bench.create(), bench.create()
    bench.write(other, kept)
    download(bench, images, volume, image_of(images, 1, pages_of(written, GIB)))
    bench.must_hold(other, kept, "another volume")


@law(
    source=f"{UPLOAD}; {DOWNLOAD}: exceptions",
    kind=kinds,
    written=contents(),
    downloads=st.booleans(),
    weight=0.25,
)
def a_failed_image_is_told(bench: Bench, kind: str, written: Contents, downloads: bool) -> None:
    """A copy that fails at any step raises, and can be repeated; one that does not raise is whole."""
    images, volume = service(bench), bench.create()
    pages = pages_of(written, GIB)
    image = image_of(images, 1, pages)
    if not downloads:
        bench.write(volume, written)
    for step in every_step(bench, kind):
        if downloads:
            volume = bench.create()
            step.attempt(partial(download, bench, images, volume, image))
            if step.failed:
                download(bench, images, volume, image)
            bench.must_hold(volume, written, "the volume with the image")
        else:
            step.attempt(partial(upload, bench, images, volume))
            last = list(images.images.values())[-1] if not step.failed else upload(bench, images, volume)
            holds(last.id in images.disks, "copy_volume_to_image succeeded, but the image has no data")
            disk = images.disks[last.id]
            compare({page: disk.read(page * PAGE, PAGE) for page in pages}, pages, "the image")
