"""`rbd.RBD`: what is done to images by their names, and to the trash, namespaces and groups of a pool."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.bindings import constants
from fake_backends.rbd.bindings.arguments import quoted, text, unsigned
from fake_backends.rbd.bindings.client import Ioctx
from fake_backends.rbd.bindings.iterators import ImageIterator, TrashIterator
from fake_backends.rbd.bindings.pool_settings import PoolSettings
from fake_backends.rbd.bindings.rbd_errors import InvalidArgument
from fake_backends.rbd.bindings.refusals import told
from fake_backends.rbd.groups import Group
from fake_backends.rbd.pool import Pool, Trashed
from harness.errors import StorageError

Progress = Callable[[int, int], None]

FEATURE_NAMES = {
    feature_bits.LAYERING: "layering",
    feature_bits.STRIPING: "striping",
    feature_bits.EXCLUSIVE_LOCK: "exclusive-lock",
    feature_bits.OBJECT_MAP: "object-map",
    feature_bits.FAST_DIFF: "fast-diff",
    feature_bits.DEEP_FLATTEN: "deep-flatten",
    feature_bits.JOURNALING: "journaling",
    feature_bits.DATA_POOL: "data-pool",
    feature_bits.OPERATIONS: "operations",
    512: "migrating",
    1024: "non-primary",
    2048: "dirty-cache",
}


class RBD(PoolSettings):
    """Operations on the images of a pool."""

    __module__ = "rbd"

    def version(self) -> tuple[int, int, int]:
        """Of librbd's interface."""
        return (1, 16, 0)

    # -------------------------------------------------------------------------------------------- images

    def create(
        self,
        ioctx: Ioctx,
        name: str,
        size: int,
        order: int | None = None,
        old_format: bool = False,
        features: int | None = None,
        stripe_unit: int | None = None,
        stripe_count: int | None = None,
        data_pool: str | None = None,
    ) -> None:
        """`size` in bytes. librbd 16 makes an image of format 2 even if the old one is asked for."""
        name = text(name, "name")
        size = unsigned(size)
        context = _context(ioctx)
        if old_format and (features or stripe_unit or stripe_count or data_pool):
            raise InvalidArgument(
                "format 1 images do not support feature masks, non-default striping, nor data pool"
            )
        with told("error creating image"):
            context.writable().create(
                name,
                size,
                features=_wanted_features(ioctx, features, stripe_unit, stripe_count),
                order=order or int(ioctx.rados.options["rbd_default_order"]),
                stripe_unit=stripe_unit or 0,
                stripe_count=stripe_count or 0,
                data_pool=data_pool or ioctx.rados.options["rbd_default_data_pool"] or None,
            )

    def clone(
        self,
        p_ioctx: Ioctx,
        p_name: str,
        p_snapname: str,
        c_ioctx: Ioctx,
        c_name: str,
        features: int | None = None,
        order: int | None = None,
        stripe_unit: int | None = None,
        stripe_count: int | None = None,
        data_pool: str | None = None,
    ) -> None:
        """A new image that starts as a snapshot of another."""
        p_snapname = text(p_snapname, "p_snapname")
        p_name = text(p_name, "p_name")
        c_name = text(c_name, "c_name")
        parents, children = _context(p_ioctx), _context(c_ioctx)
        asked = c_ioctx.rados.options["rbd_default_clone_format"]
        with told("error creating clone"):
            parents.readable().clone(
                p_name,
                p_snapname,
                c_name,
                children.writable(),
                features=_wanted_features(c_ioctx, features, None, None),
                order=order or 0,
                clone_format=int(asked) if asked.isdigit() else 0,
            )

    def list(self, ioctx: Ioctx) -> list[str]:
        """Names, sorted."""
        with told("error listing images"):
            return _listed(ioctx).names()

    def list2(self, ioctx: Ioctx) -> ImageIterator:
        """Ids and names, in the order of the names."""
        with told("error listing images."):
            pool = _listed(ioctx)
            return ImageIterator({"id": pool.image(name).id, "name": name} for name in pool.names())

    def remove(self, ioctx: Ioctx, name: str, on_progress: Progress | None = None) -> None:
        """An image with snapshots or watchers stays."""
        name = text(name, "name")
        with told("error removing image"):
            pool = _context(ioctx).writable()
            objects = _object_count(pool, name)
            pool.remove(name)
        _report(on_progress, objects)

    def rename(self, ioctx: Ioctx, src: str, dest: str) -> None:
        """In use or not."""
        src, dest = text(src, "src"), text(dest, "dest")
        with told("error renaming image"):
            _context(ioctx).writable().rename(src, dest)

    def features_to_string(self, features: int) -> str:
        """Names, sorted, with commas."""
        if features & ~sum(FEATURE_NAMES):
            raise InvalidArgument("error converting features bitmask to str", errno.EINVAL)
        return ",".join(sorted(name for bit, name in FEATURE_NAMES.items() if features & bit))

    def features_from_string(self, str_features: str) -> int:
        """The bits of names."""
        bits = {name: bit for bit, name in FEATURE_NAMES.items()}
        names = [name.strip() for name in text(str_features, "str_features").split(",")]
        if any(name not in bits for name in names):
            raise InvalidArgument("error getting features bitmask from str", errno.EINVAL)
        return sum(bits[name] for name in set(names))

    # -------------------------------------------------------------------------------------------- trash

    def trash_move(self, ioctx: Ioctx, name: str, delay: int = 0) -> None:
        """Put an image aside; for `delay` seconds only force removes it."""
        name, delay = text(name, "name"), unsigned(delay)
        with told("error moving image to trash"):
            _context(ioctx).writable().trash_move(name, delay)

    def trash_list(self, ioctx: Ioctx) -> TrashIterator:
        """In the order of the ids."""
        with told("error listing trash entries"):
            pool = _context(ioctx).readable()
            return TrashIterator(_trash_entry(pool.trash[image_id]) for image_id in sorted(pool.trash))

    def trash_get(self, ioctx: Ioctx, image_id: str) -> dict[str, Any]:
        """One entry."""
        image_id = text(image_id, "image_id")
        with told("error retrieving image from trash"):
            return _trash_entry(_context(ioctx).readable().trashed(image_id, "retrieving image from trash"))

    def trash_remove(
        self, ioctx: Ioctx, image_id: str, force: bool = False, on_progress: Progress | None = None
    ) -> None:
        """For good."""
        image_id = text(image_id, "image_id")
        with told("error deleting image from trash"):
            _context(ioctx).writable().trash_remove(image_id, force=force)

    def trash_restore(self, ioctx: Ioctx, image_id: str, name: str) -> None:
        """Under another name, or its own if `name` is empty."""
        image_id, name = text(image_id, "image_id"), text(name, "name")
        with told("error restoring image from trash"):
            _context(ioctx).writable().trash_restore(image_id, name)

    def trash_purge(self, ioctx: Ioctx, expire_ts: datetime | None = None, threshold: float = -1) -> None:
        """Remove what has waited for its delay. What cannot go stays, and is told when the rest is gone."""
        with told("error purging images from trash"):
            pool = _context(ioctx).writable()
            now_s = (
                pool.cluster.now_s() if expire_ts is None else int(expire_ts.replace(tzinfo=UTC).timestamp())
            )
            refused: StorageError | None = None
            for image_id, entry in sorted(pool.trash.items()):
                if entry.until_s <= now_s:
                    try:
                        pool.trash_remove(image_id)
                    except StorageError as error:
                        refused = refused or error
            if refused is not None:
                raise refused

    # ------------------------------------------------------------------------------- namespaces, metadata

    def namespace_create(self, ioctx: Ioctx, name: str) -> None:
        """In the pool."""
        with told("error creating namespace"):
            _context(ioctx).writable().create_namespace(text(name, "name"))

    def namespace_remove(self, ioctx: Ioctx, name: str) -> None:
        """An empty one."""
        with told("error removing namespace"):
            _context(ioctx).writable().remove_namespace(text(name, "name"))

    def namespace_list(self, ioctx: Ioctx) -> list[str]:  # type: ignore[valid-type]  # `list` is a method here
        """Names, sorted."""
        with told("error listing namespaces"):
            return sorted(_context(ioctx).readable().namespaces)

    def namespace_exists(self, ioctx: Ioctx, name: str) -> bool:
        """True if there is one of that name."""
        with told("error verifying namespace"):
            return text(name, "name") in _context(ioctx).readable().namespaces

    def pool_init(self, ioctx: Ioctx, force: bool) -> None:
        """Pools are ready for images from the start."""
        with told("error initializing pool"):
            _context(ioctx).writable()

    def pool_stats_get(self, ioctx: Ioctx) -> dict[str, int]:
        """Numbers and bytes of the images, and of those in the trash."""
        with told("error retrieving pool stats"):
            pool = _context(ioctx).readable()
        images = list_of(pool.images.values())
        trash = [entry.image for entry in pool.trash.values()]
        sizes = {"image": images, "trash": trash}
        figures: dict[str, int] = {}
        for kind, members in sizes.items():
            largest = sum(max([each.size, *(snap.size for snap in each.snapshots)]) for each in members)
            figures[f"{kind}_count"] = len(members)
            figures[f"{kind}_provisioned_bytes"] = sum(each.size for each in members)
            figures[f"{kind}_max_provisioned_bytes"] = largest
            figures[f"{kind}_snap_count"] = sum(len(each.snapshots) for each in members)
        return figures

    # --------------------------------------------------------------------------------------- mirroring

    def mirror_mode_get(self, ioctx: Ioctx) -> int:
        """RBD_MIRROR_MODE_DISABLED, _IMAGE or _POOL."""
        with told("error getting mirror mode"):
            return _context(ioctx).readable().mirror_mode

    def mirror_mode_set(self, ioctx: Ioctx, mirror_mode: int) -> None:
        """EINVAL for another value, or while images are mirrored that would stop being so."""
        with told("error setting mirror mode"):
            pool = _context(ioctx).writable()
            mirrored = any(image.traits.mirror_id for image in pool.images.values())
            off = mirror_mode == constants.RBD_MIRROR_MODE_DISABLED
            if mirror_mode not in (0, 1, 2) or (off and mirrored and pool.mirror_mode == 1):
                raise StorageError("mirror mode", errno=errno.EINVAL)
            pool.mirror_mode = mirror_mode
            pool.save()

    # -------------------------------------------------------------------------------------------- groups

    def group_create(self, ioctx: Ioctx, name: str) -> None:
        """An empty group."""
        name = text(name, "name")
        with told(f"error creating group {quoted(name)}", of_group=True):
            pool = _context(ioctx).writable()
            if name in pool.groups:
                raise StorageError("group exists", errno=errno.EEXIST)
            pool.groups_made += 1
            pool.groups[name] = Group(pool.groups_made)
            pool.save()

    def group_remove(self, ioctx: Ioctx, name: str) -> None:
        """Its images and their snapshots stay; one that is not there is fine."""
        name = text(name, "name")
        with told("error removing group", of_group=True):
            pool = _context(ioctx).writable()
            group = pool.groups.pop(name, None)
            pool.save()
            for image in group.images if group else []:
                image.traits.group = ""
                image.save()

    def group_list(self, ioctx: Ioctx) -> list[str]:  # type: ignore[valid-type]  # `list` is a method here
        """Names, sorted."""
        with told("error listing groups", of_group=True):
            return sorted(_context(ioctx).readable().groups)

    def group_rename(self, ioctx: Ioctx, src: str, dest: str) -> None:
        """The group must be there."""
        src, dest = text(src, "src"), text(dest, "dest")
        with told("error renaming group"):
            pool = _context(ioctx).writable()
            groups = pool.groups
            if src not in groups:
                raise StorageError("no group", errno=errno.ENOENT)
            if dest in groups:
                raise StorageError("group exists", errno=errno.EEXIST)
            groups[dest] = groups.pop(src)
            pool.save()
            for image in groups[dest].images:
                image.traits.group = dest
                image.save()


list_of = list
"""The builtin, which a method hides inside of `RBD`."""


def stamp(seconds: int) -> datetime:
    """Seconds since 1970 as the bindings give them: a naive time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _context(ioctx: Any) -> Ioctx:
    if not isinstance(ioctx, Ioctx):
        raise TypeError(f"Cannot convert {type(ioctx).__name__} to rados.Ioctx")
    return ioctx


def _listed(ioctx: Any) -> Pool:
    """The pool to list; a namespace that does not exist holds no images."""
    context = _context(ioctx)
    try:
        return context.readable()
    except StorageError as error:
        if error.errno == errno.ENOENT:
            return Pool(context.rados.cluster, context.name, None, context.get_pool_id(), None)
        raise


def _wanted_features(
    ioctx: Ioctx, features: int | None, stripe_unit: int | None, stripe_count: int | None
) -> int:
    """What the caller asks for, else the configuration's default."""
    if features is None:
        return int(ioctx.rados.options["rbd_default_features"])
    return unsigned(features)


def _object_count(pool: Pool, name: str) -> int:
    if name not in pool:
        return 0
    image = pool.image(name)
    return -(-image.size // (1 << image.order))


def _report(on_progress: Progress | None, total: int) -> None:
    """Tell the caller's callback of each object."""
    for done in range(total) if on_progress else ():
        assert on_progress is not None
        on_progress(done, total)


def _trash_entry(entry: Trashed) -> dict[str, Any]:
    return {
        "id": entry.image.id,
        "name": entry.image.name,
        "source": "USER",
        "deletion_time": stamp(entry.moved_s),
        "deferment_end_time": stamp(entry.until_s),
    }
