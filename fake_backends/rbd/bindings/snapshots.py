"""Snapshots of an open image, and its clones."""

from __future__ import annotations

import errno
from datetime import datetime
from typing import Any

from fake_backends.rbd.bindings import constants
from fake_backends.rbd.bindings.arguments import optional_text, quoted, text, unsigned
from fake_backends.rbd.bindings.images import stamp
from fake_backends.rbd.bindings.iterators import ChildIterator, SnapIterator
from fake_backends.rbd.bindings.opened import OpenImage
from fake_backends.rbd.image import Image as StoredImage
from fake_backends.rbd.layers import Snapshot
from harness.errors import InvalidArgument, NotFound, StorageError

_UNLIMITED = (1 << 64) - 1


class Snapshots(OpenImage):
    """The snapshots of an image."""

    def create_snap(self, name: str, flags: int = 0) -> None:
        """Of the image, also while the handle shows a snapshot."""
        name = text(name, "name")
        with self._told(f"error creating snapshot {quoted(name)} from {self._quoted}"):
            if not self._ioctx.rados.cluster.storage_answers:
                raise StorageError("bad message", errno=errno.EBADMSG)
            self._change().create_snapshot(name)

    def remove_snap(self, name: str) -> None:
        """One that is not protected."""
        name = text(name, "name")
        with self._told(f"error removing snapshot {quoted(name)} from {self._quoted}"):
            self._change().remove_snapshot(name)

    def remove_snap2(self, name: str, flags: int) -> None:
        """The same; `flags` flatten clones and lift the protection before."""
        name = text(name, "name")
        message = f"error removing snapshot {quoted(name)} from {self._quoted} with flags {flags:x}"
        with self._told(message):
            image = self._change()
            if flags & constants.RBD_SNAP_REMOVE_FLATTEN:
                for child in image.children(name):
                    child.flatten()
            if flags & constants.RBD_SNAP_REMOVE_UNPROTECT and image.snapshot(name).protected:
                image.unprotect_snapshot(name)
            image.remove_snapshot(name)

    def remove_snap_by_id(self, snap_id: int) -> None:
        """The same by its id."""
        with self._told(f"error removing snapshot {snap_id} from {self._quoted}"):
            self._change().remove_snapshot(self._by_id(snap_id).name)

    def rename_snap(self, srcname: str, dstname: str) -> None:
        """Protected or not."""
        srcname, dstname = text(srcname, "srcname"), text(dstname, "dstname")
        message = f"error renaming snapshot of {self._quoted} from {quoted(srcname)} to {quoted(dstname)}"
        with self._told(message):
            self._change().rename_snapshot(srcname, dstname)

    def protect_snap(self, name: str) -> None:
        """Keep a snapshot from being removed."""
        name = text(name, "name")
        with self._told(f"error protecting snapshot {self._quoted}@{quoted(name)}"):
            self._change().protect_snapshot(name)

    def unprotect_snap(self, name: str) -> None:
        """One without clones of format 1."""
        name = text(name, "name")
        with self._told(f"error unprotecting snapshot {self._quoted}@{quoted(name)}"):
            self._change().unprotect_snapshot(name)

    def is_protected_snap(self, name: str) -> bool:
        """True if it is protected."""
        name = text(name, "name")
        with self._told(f"error checking if snapshot {self._quoted}@{quoted(name)} is protected"):
            return self._image.snapshot(name).protected

    def rollback_to_snap(self, name: str) -> None:
        """Only the owner of the exclusive lock may, and nobody while the handle shows a snapshot."""
        name = text(name, "name")
        with self._told(f"error rolling back image {self._quoted} to snapshot {quoted(name)}"):
            self._change(snapshot_too=False).rollback(name, by=self._handle)

    def set_snap(self, name: str | None) -> None:
        """Show a snapshot from now on, or the image itself."""
        name = optional_text(name, "name")
        with self._told(f"error setting image {self._quoted} to snapshot {quoted(name)}"):
            self._handle.show(name or None)

    def set_snap_by_id(self, snap_id: int | None) -> None:
        """The same by its id."""
        with self._told(f"error setting image {self._quoted} to snapshot {snap_id}"):
            self._handle.show(None if snap_id is None else self._by_id(snap_id).name)

    def list_snaps(self) -> SnapIterator:
        """All, in the order of their ids, those in the trash namespace included."""
        with self._told(f"error listing snapshots for image {self._quoted}"):
            return SnapIterator(self._entry(snapshot) for snapshot in self._image.snapshots)

    def snap_exists(self, name: str) -> bool:
        """True if there is one of that name."""
        name = text(name, "name")
        with self._told(f"error getting snapshot exists for {self._quoted}"):
            return any(snapshot.name == name for snapshot in self._image.snapshots)

    def snap_get_id(self, snap_name: str) -> int:
        """The id of a snapshot."""
        with self._told("error snap_get_id."):
            return self._image.snapshot(text(snap_name, "snap_name")).id

    def snap_get_name(self, snap_id: int) -> str:
        """The name of a snapshot."""
        with self._told("error snap_get_name."):
            return self._by_id(snap_id).name

    def snap_get_namespace_type(self, snap_id: int) -> int:
        """RBD_SNAP_NAMESPACE_TYPE_USER, _GROUP or _TRASH."""
        with self._told(f"error getting snapshot namespace type for image: {self._quoted}, snap_id: {snap_id}"):
            return _namespace(self._by_id(snap_id))

    def get_snap_timestamp(self, snap_id: int) -> datetime:
        """When it was made."""
        with self._told(f"error getting snapshot timestamp for image: {self._quoted}, snap_id: {snap_id}"):
            return stamp(self._by_id(snap_id).created_s)

    def get_snap_limit(self) -> int:
        """How many snapshots there may be; 2^64 - 1 for any number."""
        with self._told(f"error getting snapshot limit for {self._quoted}"):
            limit = self._image.traits.snapshot_limit
            return _UNLIMITED if limit is None else limit

    def set_snap_limit(self, limit: int) -> int:
        """Allow no more snapshots than that; always 0."""
        limit = unsigned(limit)
        with self._told(f"error setting snapshot limit for {self._quoted}"):
            image = self._change()
            image.traits.snapshot_limit = None if limit == _UNLIMITED else limit
            image.save()
        return 0

    def remove_snap_limit(self) -> int:
        """Allow any number; always 0."""
        with self._told(f"error removing snapshot limit for {self._quoted}"):
            image = self._change()
            image.traits.snapshot_limit = None
            image.save()
        return 0

    # -------------------------------------------------------------------------------------------- clones

    def list_children(self) -> list[tuple[str, str]]:
        """(pool, image) of the clones of the snapshot that is shown, or of all."""
        with self._told("error listing children."):
            return [(child.pool.name, child.name) for child in self._children() if not child.trashed]

    def list_children2(self) -> ChildIterator:
        """The same with ids, and those in the trash too."""
        with self._told("error listing children."):
            return ChildIterator(_child_entry(child) for child in self._children())

    def list_descendants(self) -> ChildIterator:
        """Clones, and clones of clones."""
        with self._told("error listing children."):
            found: list[StoredImage] = []
            waiting = self._children()
            while waiting:
                child = waiting.pop(0)
                found.append(child)
                waiting = [clone for snapshot in child.snapshots for clone in snapshot.children] + waiting
            return ChildIterator(_child_entry(child) for child in _in_order(found))

    def flatten(self, on_progress: object = None) -> None:
        """Make the clone independent."""
        with self._told(f"error flattening {self._quoted}"):
            if self._handle.layer is not self._image.head:
                raise InvalidArgument("RBD invalid argument")
            self._change().flatten()

    def parent_info(self) -> tuple[str, str, str]:
        """(pool, image, snapshot)."""
        with self._told(f"error getting parent info for image {self._quoted}"):
            parent = self._parent()
            return parent[0].pool.name, parent[0].name, parent[1].name

    def parent_id(self) -> str:
        """The id of the parent."""
        with self._told(f"error getting parent info for image {self._quoted}"):
            return self._parent()[0].id

    def get_parent_image_spec(self) -> dict[str, str]:
        """Pool, namespace, image and snapshot."""
        with self._told(f"error getting parent info for image {self._quoted}"):
            image, snapshot = self._parent()
            return {
                "pool_name": image.pool.name,
                "pool_namespace": "",
                "image_name": image.name,
                "snap_name": snapshot.name,
            }

    # ------------------------------------------------------------------------------------------- insides

    def _parent(self) -> tuple[StoredImage, Snapshot]:
        parent = self._handle.layer.parent
        if parent is None:
            raise NotFound("RBD image not found")
        return parent.image, parent.snapshot

    def _children(self) -> list[StoredImage]:
        layer = self._handle.layer
        snapshots = [layer] if isinstance(layer, Snapshot) else self._image.snapshots
        return _in_order([child for snapshot in snapshots for child in snapshot.children])

    def _by_id(self, snap_id: int) -> Snapshot:
        for snapshot in self._image.snapshots:
            if snapshot.id == snap_id:
                return snapshot
        raise NotFound(f"RBD image not found (no snapshot {snap_id})")

    def _entry(self, snapshot: Snapshot) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": snapshot.id,
            "size": snapshot.size,
            "name": snapshot.name,
            "namespace": _namespace(snapshot),
        }
        if snapshot.trashed_from is not None:
            entry["trash"] = {"original_name": snapshot.trashed_from}
        if snapshot.group is not None:
            group, name = snapshot.group
            entry["group"] = {"pool": self._pool.number, "name": group, "snap_name": name}
        return entry


def _namespace(snapshot: Snapshot) -> int:
    if snapshot.trashed_from is not None:
        return constants.RBD_SNAP_NAMESPACE_TYPE_TRASH
    if snapshot.group is not None:
        return constants.RBD_SNAP_NAMESPACE_TYPE_GROUP
    return constants.RBD_SNAP_NAMESPACE_TYPE_USER


def _in_order(images: list[StoredImage]) -> list[StoredImage]:
    return sorted(images, key=lambda image: (image.pool.name, image.name))


def _child_entry(child: StoredImage) -> dict[str, Any]:
    return {
        "pool": child.pool.name,
        "pool_namespace": "",
        "image": child.name,
        "id": child.id,
        "trash": child.trashed,
    }
