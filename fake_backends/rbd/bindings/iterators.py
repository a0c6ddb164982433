"""What the listing calls of `rbd` return: they can be iterated, and have no length and no index.

librbd gathers the whole list when the call is made; a later change does not show in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class _Listing:
    def __init__(self, entries: Iterable[Any]) -> None:
        self._entries = list(entries)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries)


class ImageIterator(_Listing):
    __module__ = "rbd"


class TrashIterator(_Listing):
    __module__ = "rbd"


class SnapIterator(_Listing):
    __module__ = "rbd"


class ChildIterator(_Listing):
    __module__ = "rbd"


class WatcherIterator(_Listing):
    __module__ = "rbd"


class LockOwnerIterator(_Listing):
    __module__ = "rbd"


class MetadataIterator(_Listing):
    __module__ = "rbd"


class ConfigImageIterator(_Listing):
    __module__ = "rbd"


class ConfigPoolIterator(_Listing):
    __module__ = "rbd"


class PoolMetadataIterator(_Listing):
    __module__ = "rbd"


class GroupImageIterator(_Listing):
    __module__ = "rbd"


class GroupSnapIterator(_Listing):
    __module__ = "rbd"


class MirrorPeerIterator(_Listing):
    __module__ = "rbd"


class MirrorImageStatusIterator(_Listing):
    __module__ = "rbd"
