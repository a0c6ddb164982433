"""Images: a driver may write them to its volumes and read them from there by its own means.

The image service is the simulated one; what comes out of the volume, and what went into it, is compared page by
page. A driver that has no means of its own leaves it to Cinder, which laws on the whole look at.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial

from hypothesis import strategies as st

from conformance.attached import compare
from conformance.bench import ADMIN, Bench, Lacking
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.foreign.guard import shortened
from conformance.law import Chapter, holds, same
from conformance.laws.faults import every_step, kinds
from fake_backends.block_store import PAGE, MemoryDevice
from harness.control_plane.images import Image, ImageService
from harness.model import GIB, Volume

law = Chapter("images", level="core", stage=Bench, needs=["data path", "image copies"])
cloning = Chapter("image clones", level="core", stage=Bench, needs=["image clones"])
CLONE = "cinder.interface.volume_driver:VolumeDriverCore.clone_image"
ELSEWHERE = (
    None, "", "http://192.0.2.1/image", "file:///var/lib/glance/image", "cinder://store/volume", "rbd://",
    "rbd://image", "rbd:///pool/image/snap", "rbd://other-cluster/images/image/snap", "rbd://a/b/c/d/e",
)  # fmt: skip
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
    meta = {"id": image.id, "disk_format": image.disk_format, "container_format": image.container_format}
    answer = bench.driver.copy_volume_to_image(ADMIN, bench.fresh(volume), images, meta)
    bench.nothing(answer, "copy_volume_to_image")
    return images.show(image.id)


def download(bench: Bench, images: ImageService, volume: Volume, image: Image) -> None:
    # Before Cinder 23.1.0 managers say nothing of it, and drivers do not take it.
    taken = inspect.signature(bench.subject.driver.copy_image_to_volume).parameters
    how = {"disable_sparse": True} if "disable_sparse" in taken else {}
    answer = bench.driver.copy_image_to_volume(ADMIN, bench.fresh(volume), images, image.id, **how)
    bench.nothing(answer, "copy_image_to_volume")


def service(bench: Bench) -> ImageService:
    return ImageService(0, bench.simulation)


@law(source=UPLOAD, size=sizes(3), written=contents(), migrated=st.booleans(), snapshotted=st.booleans())
def an_upload_is_the_whole_volume(
    bench: Bench, size: int, written: Contents, migrated: bool, snapshotted: bool
) -> None:
    """The image has the size and the newest data of the volume, also of one that has a _name_id, or a
    snapshot."""
    images, volume = service(bench), bench.create(size)
    if snapshotted and bench.subject.has("create_snapshot"):
        bench.write(volume, Contents("before", written.places))
        bench.snapshot(volume)
    bench.write(volume, written)
    target = bench.another_name_for(bench.fresh(volume)) if migrated else volume
    status = bench.fresh(target).status
    image = upload(bench, images, target)
    same("the status of the record after an upload, which is Cinder's,", bench.fresh(target).status, status)
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


@law(source=DOWNLOAD, more=sizes(2), written=contents("image"))
def a_volume_with_an_image_can_be_extended(bench: Bench, more: int, written: Contents) -> None:
    """A volume that an image was written to grows like any other."""
    images, volume = service(bench), bench.create()
    download(bench, images, volume, image_of(images, 1, pages_of(written, GIB)))
    bench.extend(volume, 1 + more)
    bench.must_have_size(volume, 1 + more, "the extended volume")
    bench.must_hold(volume, written, "the extended volume", 1)


@law(source=DOWNLOAD, needs=["snapshots"], before=contents("before"), written=contents("image"))
def an_image_leaves_snapshots_alone(bench: Bench, before: Contents, written: Contents) -> None:
    """A volume that has a snapshot can have an image written over it, and the snapshot keeps its data."""
    images, volume = service(bench), bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    download(bench, images, volume, image_of(images, 1, pages_of(written, GIB)))
    bench.must_hold(volume, written, "the volume with the image")
    bench.must_hold(bench.from_snapshot(snapshot), before, "the volume from the snapshot")


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


# -------------------------------------------------------------------------------------------------- clones


def clone(bench: Bench, volume: Volume, url: str | None, *, listed: bool, disk_format: str = "raw") -> bool:
    """Ask the driver, and store what it says. Broken unless the answer is (dict or None, bool)."""
    location = (None, [{"url": url}]) if listed and url is not None else (url, None)
    meta = {"id": "image", "disk_format": disk_format, "container_format": "bare"}
    answer = bench.driver.clone_image(ADMIN, volume, location, meta, service(bench))
    well_formed = (
        isinstance(answer, tuple | list)
        and len(answer) == 2
        and (answer[0] is None or isinstance(answer[0], dict))
        and isinstance(answer[1], bool)
    )
    holds(
        well_formed,
        f"clone_image returned {shortened(answer)}, but should return (dict or None, True or False)",
    )
    update, cloned = answer
    if cloned:
        bench.store(volume, update, "clone_image")
    return bool(cloned)


def stored(bench: Bench, size: int, pages: Mapping[int, bytes]) -> str:
    """Keep an image where the driver can clone it from; returns its URL. Lacking if nobody knows where."""
    if bench.plan.kind != "rbd":
        raise Lacking("nobody says where images are kept that the driver could clone")
    cluster = bench.world.cluster(bench.plan.cluster or "")
    pool = cluster.create_pool("images")
    pool.create("image", size * GIB)
    with pool.open("image") as handle:
        for page, data in pages.items():
            handle.write(page * PAGE, data)
        handle.image.create_snapshot("snap")
        handle.image.protect_snapshot("snap")
    return f"rbd://{cluster.fsid}/images/image/snap"


@cloning(
    source=f"{CLONE}; an exception fails the creation, (None, False) leads to a copy",
    needs=["inventory"],
    url=st.sampled_from(ELSEWHERE),
    listed=st.booleans(),
    disk_format=st.sampled_from(["raw", "qcow2"]),
)
def an_image_elsewhere_is_not_cloned(bench: Bench, url: str | None, listed: bool, disk_format: str) -> None:
    """An image that the driver cannot clone is refused with False, and nothing is made of it."""
    before = bench.objects()
    cloned = clone(bench, bench.record(1), url, listed=listed, disk_format=disk_format)
    same("whether the image was cloned", cloned, False)
    same("the objects", bench.objects(), before)


@cloning(
    source=CLONE,
    needs=["data path", "inventory"],
    size=sizes(2),
    more=st.integers(0, 2),
    written=contents("image"),
    after=contents("after"),
    listed=st.booleans(),
    disk_format=st.sampled_from(["raw", "qcow2"]),
)
def a_cloned_image_is_whole(
    bench: Bench, size: int, more: int, written: Contents, after: Contents, listed: bool, disk_format: str
) -> None:
    """A volume that was cloned from an image has its data and the size that was asked for; what is written to
    it does not reach another clone. An image that is no disk as it is stored, such as qcow2, is not cloned."""
    before = bench.objects()
    url = stored(bench, size, pages_of(written, size * GIB))
    volumes = [bench.record(size + more), bench.record(size + more)]
    cloned = [clone(bench, each, url, listed=listed, disk_format=disk_format) for each in volumes]
    if not all(cloned):
        same("the objects when nothing was cloned", bench.objects(), before)
        return
    same("the format of what was cloned", disk_format, "raw")
    bench.must_have_size(volumes[0], size + more, "the volume from the image")
    bench.must_hold(volumes[0], written, "the volume from the image", size)
    bench.write(volumes[0], after)
    bench.must_hold(volumes[1], written, "a second volume from the image", size)
    for volume in volumes:
        bench.delete(volume)
    same("the objects in the end", bench.objects(), before)


@cloning(source=CLONE, listed=st.booleans())
def an_image_at_hand_is_cloned(bench: Bench, listed: bool) -> None:
    """A driver that clones images does so where it can: a raw image in its own storage."""
    url = stored(bench, 1, {})
    same("whether the image was cloned", clone(bench, bench.record(1), url, listed=listed), True)
