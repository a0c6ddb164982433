"""`rbd.Group`: images that are snapshotted together."""

from __future__ import annotations

from fake_backends.rbd.bindings.arguments import quoted, text
from fake_backends.rbd.bindings.client import Ioctx
from fake_backends.rbd.bindings.iterators import GroupImageIterator, GroupSnapIterator
from fake_backends.rbd.bindings.refusals import told
from fake_backends.rbd.groups import Group as StoredGroup
from harness.errors import AlreadyExists, InvalidArgument, NotFound


class Group:
    """A group of a pool, which need not be there yet."""

    __module__ = "rbd"

    def __init__(self, ioctx: Ioctx, name: str) -> None:
        self.name = text(name, "name")
        self._ioctx = ioctx

    def add_image(self, image_ioctx: Ioctx, image_name: str) -> None:
        """Again is fine; an image is in one group at most."""
        image_name = text(image_name, "image_name")
        with told("error adding image to group", of_group=True):
            group, image = self._group(), image_ioctx.writable().image(image_name)
            if image in group.images:
                return
            if image.traits.group:
                raise AlreadyExists("RBD object already exists")
            group.images.append(image)
            image.traits.group, image.traits.group_pool = self.name, self._place()
            image.save()

    def remove_image(self, image_ioctx: Ioctx, image_name: str) -> None:
        """The image and its snapshots stay."""
        image_name = text(image_name, "image_name")
        with told("error removing image from group", of_group=True):
            group, image = self._group(), image_ioctx.writable().image(image_name)
            if image in group.images:
                group.images.remove(image)
                image.traits.group = ""
                image.save()

    def list_images(self) -> GroupImageIterator:
        """Name, pool and state."""
        with told(f"error listing images for group {quoted(self.name)}", of_group=True):
            groups = self._ioctx.readable().groups
            images = groups[self.name].images if self.name in groups else []
            return GroupImageIterator(
                {"name": image.name, "pool": image.pool.number, "state": 0}
                for image in sorted(images, key=lambda image: image.name)
            )

    def create_snap(self, snap_name: str, flags: int = 0) -> None:
        """Of all its images, under a made-up name."""
        snap_name = text(snap_name, "snap_name")
        with told("error creating group snapshot", of_group=True):
            group = self._group()
            if snap_name in group.snapshots:
                raise AlreadyExists("RBD object already exists")
            number = len(group.snapshots) + 1
            for image in group.images:
                name = f".group.{image.pool.number:x}_{group.number:012x}_{number:012x}"
                image.create_snapshot(name).group = self.name, snap_name
                image.save()
            group.snapshots[snap_name] = number
            self._ioctx.writable().save()

    def remove_snap(self, snap_name: str) -> None:
        """From all its images."""
        snap_name = text(snap_name, "snap_name")
        with told("error removing group snapshot", of_group=True):
            group = self._group()
            if snap_name not in group.snapshots:
                raise NotFound("RBD object not found")
            del group.snapshots[snap_name]
            for image in group.images:
                for snapshot in [each for each in image.snapshots if each.group == (self.name, snap_name)]:
                    image.remove_snapshot(snapshot.name)
            self._ioctx.writable().save()

    def rename_snap(self, old_snap_name: str, new_snap_name: str) -> None:
        """The images' snapshots follow."""
        old_snap_name, new_snap_name = (
            text(old_snap_name, "old_snap_name"),
            text(new_snap_name, "new_snap_name"),
        )
        with told("error renaming group snapshot", of_group=True):
            group = self._group()
            if old_snap_name not in group.snapshots:
                raise NotFound("RBD object not found")
            if new_snap_name in group.snapshots:
                raise AlreadyExists("RBD object already exists")
            group.snapshots[new_snap_name] = group.snapshots.pop(old_snap_name)
            for image in group.images:
                for snapshot in image.snapshots:
                    if snapshot.group == (self.name, old_snap_name):
                        snapshot.group = self.name, new_snap_name
                        image.save()
            self._ioctx.writable().save()

    def list_snaps(self) -> GroupSnapIterator:
        """Name and state."""
        with told(f"error listing snapshots for group {quoted(self.name)}", of_group=True):
            return GroupSnapIterator({"name": name, "state": 1} for name in sorted(self._group().snapshots))

    def rollback_to_snap(self, name: str) -> None:
        """All its images. InvalidArgument if one of them was not in the group then."""
        name = text(name, "name")
        with told("error rolling back group to snapshot", of_group=True):
            group = self._group()
            if name not in group.snapshots:
                raise NotFound("RBD object not found")
            chosen = [
                (image, snapshot)
                for image in group.images
                for snapshot in image.snapshots
                if snapshot.group == (self.name, name)
            ]
            if len(chosen) < len(group.images):
                raise InvalidArgument("RBD invalid argument")
            for image, snapshot in chosen:
                image.rollback(snapshot.name)

    def _place(self) -> str:
        pool = self._ioctx.writable()
        return f"{pool.name}/{pool.namespace_name}" if pool.namespace_name else pool.name

    def _group(self) -> StoredGroup:
        groups = self._ioctx.writable().groups
        if self.name not in groups:
            raise NotFound("RBD object not found")
        return groups[self.name]
