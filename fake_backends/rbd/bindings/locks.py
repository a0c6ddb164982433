"""The exclusive lock of an open image, advisory locks, and who watches it."""

from __future__ import annotations

import errno
from typing import Any

from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.bindings.arguments import text
from fake_backends.rbd.bindings.iterators import LockOwnerIterator, WatcherIterator
from fake_backends.rbd.bindings.opened import OpenImage
from fake_backends.rbd.layers import ReadOnlyImage
from fake_backends.rbd.traits import Locker
from harness.errors import AlreadyExists, Busy, InvalidArgument, NotFound, StorageError


class Locks(OpenImage):
    """The locks of an image."""

    def is_exclusive_lock_owner(self) -> bool:
        """True if this handle has the exclusive lock."""
        with self._told(f"error getting lock status for image {self._quoted}"):
            return self._image.lock_owner is self._handle

    def lock_acquire(self, lock_mode: int) -> None:
        """Take the exclusive lock and keep it when others want it."""
        with self._told("error acquiring lock on image"):
            self._need_feature()
            image = self._image
            if self._handle.read_only or lock_mode != 0:
                raise InvalidArgument("RBD invalid argument")
            if image.lock_kept and image.lock_owner is not self._handle:
                raise ReadOnlyImage("RBD read-only image")
            image.lock_owner, image.lock_kept = self._handle, True

    def lock_release(self) -> None:
        """Give the exclusive lock back."""
        with self._told("error releasing lock on image"):
            if self._image.lock_owner is not self._handle:
                raise InvalidArgument("RBD invalid argument")
            self._image.give_up_lock()

    def lock_get_owners(self) -> LockOwnerIterator:
        """Mode and address of the owner."""
        with self._told(f"error listing lock owners for image {self._quoted}"):
            self._need_feature()
            owner = self._image.lock_owner
            return LockOwnerIterator([] if owner is None else [{"mode": 0, "owner": owner.client}])

    def lock_break(self, lock_mode: int, lock_owner: str) -> None:
        """Take the exclusive lock from a client. Busy if it is another's."""
        with self._told("error breaking lock on image"):
            owner = self._image.lock_owner
            if owner is None:
                raise NotFound("RBD image not found")
            if owner.client != text(lock_owner, "lock_owner"):
                raise Busy("RBD image is busy")
            self._image.give_up_lock()

    # ---------------------------------------------------------------------------------- advisory locks

    def list_lockers(self) -> dict[str, Any] | list[Any]:
        """Who has the image locked, the exclusive lock included; an empty list if nobody has."""
        with self._told("error listing images"):
            image = self._image
            lockers = [(each.client, each.cookie, each.address) for each in image.traits.lockers]
            lockers.sort()
            tag, exclusive = image.traits.lock_tag, not image.traits.lock_shared
            owner = image.lock_owner
            if owner is not None and owner is not self._handle:
                lockers = [(f"client.{owner.client_id}", f"auto {owner.cookie}", owner.client)]
                tag, exclusive = "internal", True
            return {"tag": tag, "exclusive": exclusive, "lockers": lockers} if lockers else []

    def lock_exclusive(self, cookie: str) -> None:
        """An advisory lock for this client alone."""
        with self._told("error acquiring exclusive lock on image"):
            self._lock(text(cookie, "cookie"), "", shared=False)

    def lock_shared(self, cookie: str, tag: str) -> None:
        """An advisory lock that others with the same tag can have too."""
        with self._told("error acquiring shared lock on image"):
            self._lock(text(cookie, "cookie"), text(tag, "tag"), shared=True)

    def unlock(self, cookie: str) -> None:
        """Give an advisory lock back."""
        with self._told("error unlocking image"):
            self._unlock(self._me, text(cookie, "cookie"))

    def break_lock(self, client: str, cookie: str) -> None:
        """Take an advisory lock from another client."""
        with self._told("error unlocking image"):
            self._unlock(text(client, "client"), text(cookie, "cookie"))

    def watchers_list(self) -> WatcherIterator:
        """Address, number and cookie of the clients that have the image open read-write."""
        with self._told("error listing watchers."):
            return WatcherIterator(
                {"addr": handle.client, "id": handle.client_id, "cookie": handle.cookie}
                for handle in reversed(self._image.watchers)
            )

    # ------------------------------------------------------------------------------------------- insides

    @property
    def _me(self) -> str:
        return f"client.{self._ioctx.rados.instance_id}"

    def _lock(self, cookie: str, tag: str, *, shared: bool) -> None:
        image = self._image
        traits = image.traits
        if image.lock_owner is not None:
            raise Busy("RBD image is busy")
        me = Locker(self._me, cookie, self._ioctx.rados.address)
        if me in traits.lockers and traits.lock_shared == shared:
            raise AlreadyExists("RBD image already exists")
        if traits.lockers and not (shared and traits.lock_shared and tag == traits.lock_tag):
            raise Busy("RBD image is busy")
        traits.lockers = [*traits.lockers, me]
        traits.lock_tag, traits.lock_shared = tag, shared
        image.save()

    def _unlock(self, client: str, cookie: str) -> None:
        traits = self._image.traits
        rest = [each for each in traits.lockers if (each.client, each.cookie) != (client, cookie)]
        if len(rest) == len(traits.lockers):
            raise NotFound("RBD image not found")
        traits.lockers = rest
        self._image.save()

    def _need_feature(self) -> None:
        if not self._image.base_features & feature_bits.EXCLUSIVE_LOCK:
            raise StorageError("RBD invalid argument", errno=errno.EINVAL)
