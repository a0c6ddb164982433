"""A pool of RBD images, its trash, and the space that it takes of its cluster.

Every operation passes a point named after it (``rbd.create``, ``rbd.rename``, ...) before it changes
anything, and from then on is atomic. A full pool or cluster makes a write fail at once; the real one makes
the client wait, for ever by default, which no simulation could show.
"""

from __future__ import annotations

import errno
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fake_backends.block_store import CHUNK, chunks_between
from fake_backends.files.directory import Directory
from fake_backends.files.names import check_text, safe_name
from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.groups import Group
from fake_backends.rbd.handle import ImageHandle
from fake_backends.rbd.image import OPERATION_US, Image, size_option
from fake_backends.rbd.image_files import ImageFiles
from fake_backends.rbd.layers import ImageHasSnapshots, Layer, Parent
from fake_backends.rbd.objects import MemoryStore, Store
from fake_backends.rbd.records import NAMESPACE_PREFIX, POOL_RECORD, record_of_pool
from fake_backends.rbd.written import seen
from harness.errors import AlreadyExists, Busy, InvalidArgument, NoSpace, NotFound, StorageError

if TYPE_CHECKING:
    from fake_backends.rbd.cluster import Cluster

_COPY_VISITS = 8
_COPY_BYTES_PER_SECOND = 200 << 20


class Statistics(NamedTuple):
    """Bytes. A pool with a quota has the quota as its total, otherwise all of the cluster."""

    total: int
    used: int
    free: int


class Trashed(NamedTuple):
    """An image in the trash since `moved_s`. Before its delay is over it can only be removed by force."""

    image: Image
    delay_s: int
    moved_s: int = 0

    @property
    def until_s(self) -> int:
        """When its delay is over."""
        return self.moved_s + self.delay_s


class Pool:
    """A pool of images. `max_bytes` is its quota, None for none; `trash` is keyed by image id.

    `home` is the directory of a pool that is kept in files. `metadata` are key/value pairs; an option that the
    pool overrides for its images is kept under its name with ``conf_`` before it.
    """

    def __init__(
        self, cluster: Cluster, name: str, max_bytes: int | None, number: int, home: Directory | None
    ) -> None:
        self.cluster = cluster
        self.name = name
        self.max_bytes = max_bytes
        self.images: dict[str, Image] = {}
        self.trash: dict[str, Trashed] = {}
        self.used_objects = 0
        self.number = number
        self.images_made = 0
        self.mirror_mode = 0
        self.metadata: dict[str, str] = {}
        self.groups: dict[str, Group] = {}
        self.groups_made = 0
        self.namespaces: dict[str, Pool] = {}
        self.whole: Pool | None = None
        self.namespace_name = ""
        self.home = home

    def store(self, image_id: str) -> Store:
        """Where an image of that id is kept."""
        return MemoryStore() if self.home is None else ImageFiles(self.home, image_id)

    def __contains__(self, name: str) -> bool:
        return name in self.images

    def namespace(self, name: str) -> Pool:
        """The images of a namespace of this pool, which are counted with the pool's. Raises NotFound."""
        try:
            return self.namespaces[name]
        except KeyError:
            raise NotFound(f"RBD image not found (no namespace {name} in pool {self.name})") from None

    def create_namespace(self, name: str) -> None:
        """AlreadyExists."""
        if name in self.namespaces:
            raise AlreadyExists("RBD image already exists (error creating namespace)")
        part = self.add_namespace(name)
        part.save()

    def add_namespace(self, name: str) -> Pool:
        """The same without its record: it is there, or will be written."""
        home = None if self.home is None else self.home.directory(NAMESPACE_PREFIX + safe_name(name))
        part = Pool(self.cluster, self.name, None, self.number, home)
        part.whole = self
        part.namespace_name = name
        self.namespaces[name] = part
        return part

    def remove_namespace(self, name: str) -> None:
        """NotFound; Busy while it holds images."""
        part = self.namespace(name)
        if part.images or part.trash:
            raise Busy("RBD image is busy (error removing namespace)")
        del self.namespaces[name]
        if self.home is not None:
            self.home.remove_directory(NAMESPACE_PREFIX + safe_name(name))

    def set_quota(self, max_bytes: int | None) -> None:
        """Limit the pool to so many bytes; None takes the limit away."""
        self.max_bytes = max_bytes
        self.save()

    def save(self) -> None:
        """What the pool is now, but for its images, is what it will be found as."""
        if self.home is not None:
            self.home.replace(POOL_RECORD, msgspec.json.encode(record_of_pool(self)))

    def names(self) -> list[str]:
        """The images, sorted; those in the trash are left out."""
        return sorted(self.images)

    def image(self, name: str) -> Image:
        """The image of that name, for operations on it. Raises NotFound."""
        try:
            return self.images[name]
        except KeyError:
            raise NotFound(f"RBD image not found (error opening image {name})") from None

    def open(self, name: str, *, read_only: bool = False, snapshot: str | None = None) -> ImageHandle:
        """The image, or a snapshot of it, as a block device; close it after use. Raises NotFound."""
        return ImageHandle(self.image(name), read_only=read_only, snapshot=snapshot)

    # ------------------------------------------------------------------------------------------- images

    def create(
        self,
        name: str,
        size: int,
        *,
        features: int = feature_bits.DEFAULT,
        order: int = 22,
        stripe_unit: int = 0,
        stripe_count: int = 0,
        data_pool: str | None = None,
    ) -> Image:
        """An empty image of `size` bytes.

        AlreadyExists; EDOM for an order outside of 12 to 25; InvalidArgument for an empty name or features
        or stripes that do not go together; NotFound for the data pool. Data is kept in objects of 4 MiB
        whatever the order and the stripes.
        """
        self._visit("create", f"create {self.name}/{name} {size_option(size)}")
        data = None if data_pool is None else self.cluster.pool(data_pool)
        striped = feature_bits.striped(features, order, stripe_unit, stripe_count)
        image = self.add_image(name, size, features, order)
        if striped:
            image.base_features |= feature_bits.STRIPING
            image.traits.stripe_unit, image.traits.stripe_count = stripe_unit, stripe_count
        if data is not None:
            image.base_features |= feature_bits.DATA_POOL
            image.traits.data_pool = data.number
        image.save()
        return image

    def add_image(self, name: str, size: int, features: int, order: int) -> Image:
        """`create` without its point, and not saved yet: a part of other operations."""
        if not name:
            raise InvalidArgument("RBD invalid argument (error creating image)")
        if not 12 <= order <= 25:
            raise StorageError("RBD arguments out of range (error creating image)", errno=errno.EDOM)
        bits = feature_bits.initial(features, size, order)
        if name in self.images:
            raise AlreadyExists("RBD image already exists (error creating image)")
        self.images_made += 1
        image_id = f"{self.number:x}{self.images_made:011x}"
        image = Image(self, image_id, name, size, bits, order, self.store(image_id))
        image.traits.created_s = self.cluster.now_s()
        self.images[name] = image
        return image

    def remove(self, name: str) -> None:
        """NotFound; ImageHasSnapshots; Busy while a client has it open read-write."""
        self._visit("remove", f"rm {self.name}/{name}")
        image = self._existing(name, "removing image")
        _check_removable(image, "removing image")
        del self.images[name]
        image.destroy()

    def rename(self, name: str, new_name: str) -> None:
        """Rename, in use or not. NotFound, AlreadyExists."""
        self._visit("rename", f"rename {self.name}/{name} {self.name}/{new_name}")
        image = self._existing(name, "renaming image")
        if not new_name:
            raise InvalidArgument("RBD invalid argument (error renaming image)")
        if new_name in self.images:
            raise AlreadyExists("RBD image already exists (error renaming image)")
        del self.images[name]
        image.name = new_name
        self.images[new_name] = image
        image.save()

    def clone(
        self,
        parent: str,
        snapshot: str,
        child: str,
        pool: Pool | None = None,
        *,
        features: int = feature_bits.DEFAULT,
        order: int = 0,
        clone_format: int = 0,
    ) -> Image:
        """A new image `child`, in this pool or another, that starts as the parent's snapshot.

        `order` and `clone_format` 0: the parent's and the cluster's. NotFound; AlreadyExists; ENOSYS if the
        parent or the child has no layering; InvalidArgument for a smaller order, an empty snapshot or, with
        format 1, one that is not protected.
        """
        destination = pool or self
        self._visit("clone", f"clone {self.name}/{parent}@{snapshot} {destination.name}/{child}")
        source = self._existing(parent, "creating clone")
        frozen = source.snapshot(snapshot)
        chosen_format = clone_format or self.cluster.clone_format
        if not features & source.base_features & feature_bits.LAYERING:
            raise StorageError("RBD function not supported (error creating clone)", errno=errno.ENOSYS)
        too_small = frozen.size == 0 or 0 < order < source.order
        if too_small or (chosen_format == 1 and not frozen.protected):
            raise InvalidArgument("RBD invalid argument (error creating clone)")
        image = destination.add_image(child, frozen.size, features, order or source.order)
        if image.order > source.order:
            # The parent's object size goes on as the stripe unit.
            image.base_features |= feature_bits.STRIPING
            image.traits.stripe_unit = source.stripe_unit
        image.become_clone(Parent(source, frozen, chosen_format))
        return image

    def copy(self, name: str, pool: Pool, new_name: str, *, snapshot: str | None = None) -> Image:
        """A full copy of an image, or of a snapshot of it, in `pool`: content and metadata, no parent.

        Takes the time of the stored objects at 200 MiB/s. A copy that fails on the way leaves the part that
        it has made, as librbd does. NotFound, AlreadyExists, NoSpace.
        """
        return self.copy_image(self._existing(name, "copying image"), pool, new_name, snapshot=snapshot)

    def copy_image(
        self,
        image: Image,
        pool: Pool,
        new_name: str,
        *,
        snapshot: str | None = None,
        features: int | None = None,
        order: int = 0,
    ) -> Image:
        """`copy` of an image that is known, whatever its name is by now; `order` 0 is its own."""
        layer = image.head if snapshot is None else image.snapshot(snapshot)
        parts = _copy_parts(layer)
        copied: Image | None = None
        handle: ImageHandle | None = None
        try:
            for number, (first, last, cost_us) in enumerate(parts, start=1):
                detail = f"cp {image.path} {pool.name}/{new_name} ({number}/{len(parts)})"
                self._visit("copy", detail, cost_us)
                if handle is None:
                    copied = pool.add_image(
                        new_name,
                        layer.size,
                        image.base_features if features is None else features,
                        order or image.order,
                    )
                    copied.metadata = dict(image.metadata)
                    copied.save()
                    handle = ImageHandle(copied, read_only=False)
                _copy_objects(layer, handle, first, last)
        finally:
            if handle is not None:
                handle.close()
        assert copied is not None
        copied.head.filled = seen(layer)
        copied.save()
        return copied

    def deep_copy(self, image: Image, pool: Pool, new_name: str) -> Image:
        """A full copy of an image with its snapshots, and without a parent."""
        self._visit("deep_copy", f"deep cp {image.path} {pool.name}/{new_name}")
        copied = pool.add_image(new_name, image.size, image.base_features, image.order)
        copied.metadata = dict(image.metadata)
        for snapshot in image.snapshots:
            if snapshot.trashed_from is None:
                copied.take(snapshot)
                copied.create_snapshot(snapshot.name)
        copied.take(image.head)
        copied.save()
        return copied

    # -------------------------------------------------------------------------------------------- trash

    def trash_move(self, name: str, delay_s: int = 0) -> str:
        """Put an image aside, with its snapshots and clones, in use or not; returns its id. NotFound."""
        self._visit("trash_move", f"trash mv {self.name}/{name}")
        image = self._existing(name, "moving image to trash")
        if image.lock_kept:
            raise Busy("RBD image is busy (error moving image to trash)")
        del self.images[name]
        self.trash[image.id] = Trashed(image, delay_s, self.cluster.now_s())
        image.save()
        return image.id

    def trash_restore(self, image_id: str, name: str = "") -> None:
        """Bring it back, under its old name by default. NotFound, AlreadyExists."""
        self._visit("trash_restore", f"trash restore {self.name}/{image_id} {name}".rstrip())
        image = self.trashed(image_id, "restoring image from trash").image
        name = name or image.name
        if name in self.images:
            raise AlreadyExists("RBD image already exists (error restoring image from trash)")
        del self.trash[image_id]
        image.name = name
        self.images[name] = image
        image.save()

    def trash_remove(self, image_id: str, *, force: bool = False) -> None:
        """NotFound; EPERM if it was put there with a delay; ImageHasSnapshots; Busy."""
        self._visit("trash_remove", f"trash rm {self.name}/{image_id}")
        trashed = self.trashed(image_id, "deleting image from trash")
        image = trashed.image
        if self.cluster.now_s() < trashed.until_s and not force:
            raise StorageError("RBD permission error (error deleting image from trash)", errno=errno.EPERM)
        _check_removable(image, "deleting image from trash")
        del self.trash[image_id]
        image.destroy()

    # -------------------------------------------------------------------------------------------- space

    def statistics(self) -> Statistics:
        """What the pool uses, and what may still be written to it."""
        if self.whole is not None:
            return self.whole.statistics()
        used = self.used_objects * CHUNK
        free = self.cluster.statistics().free
        if self.max_bytes:
            return Statistics(self.max_bytes, used, max(0, min(free, self.max_bytes - used)))
        return Statistics(self.cluster.size, used, free)

    def free_objects(self) -> int:
        """How many more objects may be written: what is free in `statistics`."""
        if self.whole is not None:
            return self.whole.free_objects()
        free = self.cluster.size // CHUNK - self.cluster.used_objects
        if self.max_bytes:
            free = min(free, self.max_bytes // CHUNK - self.used_objects)
        return max(0, free)

    def require(self, objects: int) -> None:
        """NoSpace if that many more objects do not fit."""
        if objects > self.free_objects():
            raise self.no_space()

    def no_space(self, *, written: int = 0) -> NoSpace:
        """What to raise when the pool is full: EDQUOT where its quota is what ended, else ENOSPC."""
        if self.cluster.statistics().free >= CHUNK:
            error = NoSpace(f"Disk quota exceeded (pool {self.name})", written=written)
            error.errno = errno.EDQUOT
            return error
        return NoSpace(f"No space left on device (cluster {self.cluster.name})", written=written)

    def account(self, objects: int) -> None:
        """So many objects more (or fewer) are stored."""
        if self.whole is not None:
            self.whole.account(objects)
            return
        self.used_objects += objects
        self.cluster.used_objects += objects

    # ------------------------------------------------------------------------------------------- insides

    def _visit(self, point: str, command: str, cost_us: int = 0) -> None:
        if self.home is not None:
            check_text(command)
        self.cluster.points.visit(f"rbd.{point}", f"rbd {command}", cost_us=OPERATION_US + cost_us)

    def _existing(self, name: str, doing: str) -> Image:
        if name not in self.images:
            raise NotFound(f"RBD image not found (error {doing})")
        return self.images[name]

    def trashed(self, image_id: str, doing: str) -> Trashed:
        """What is in the trash under that id. Raises NotFound, which names what was being done."""
        if image_id not in self.trash:
            raise NotFound(f"RBD image not found (error {doing})")
        return self.trash[image_id]


def _check_removable(image: Image, doing: str) -> None:
    if image.lock_kept:
        raise Busy(f"RBD image is busy (error {doing})")
    if any(snapshot.trashed_from is None for snapshot in image.snapshots):
        raise ImageHasSnapshots(f"RBD image has snapshots (error {doing})")
    if image.traits.mirror_id and not image.traits.primary:
        raise InvalidArgument(f"RBD invalid argument (error {doing})")
    if image.watchers:
        # The attempt alone makes the owner of the exclusive lock give it back.
        image.lock_owner = None
        raise Busy(f"RBD image is busy (error {doing})")
    if image.snapshots:
        raise ImageHasSnapshots(f"RBD image has snapshots (error {doing})")
    if image.traits.group:
        raise StorageError(f"error {doing}", errno=errno.EMLINK)


def _copy_parts(layer: Layer) -> list[tuple[int, int, int]]:
    """A copy in up to 8 parts: (first object, object after the last, microseconds)."""
    stored = layer.visible()
    count = -(-layer.size // CHUNK)
    parts = max(1, min(_COPY_VISITS, len(stored)))
    bounds = [count * part // parts for part in range(parts + 1)]
    return [
        (first, last, len(stored.between(first, last)) * CHUNK * 1_000_000 // _COPY_BYTES_PER_SECOND)
        for first, last in pairwise(bounds)
    ]


def _copy_objects(layer: Layer, target: ImageHandle, first: int, last: int) -> None:
    for number in chunks_between(layer.chunks, first, last):
        target.store(number, layer.chunks[number])
    for start, end in layer.visible().between(first, last).ranges():
        target.allocate(start, end)
