"""What an RBD image is beside its size, content and snapshots: kept in the image's record as it stands here."""

from __future__ import annotations

import msgspec


class Locker(msgspec.Struct, frozen=True):
    """Who holds an advisory lock: a client's entity name, its cookie and its address."""

    client: str
    cookie: str
    address: str


class Traits(msgspec.Struct, kw_only=True):
    """Striping in bytes (0: the object size), times in seconds since 1970, and what librbd notes of an image.

    `flags` tell of an object map that does not fit the objects. `mirror_id` is the global id of an image that
    is mirrored, `primary` its side. `group` names the group that the image is in, and `group_pool` the pool of
    that group, with a namespace ``pool/namespace``. `lockers` hold
    the advisory lock, which keeps nobody from writing, together if it is shared.
    """

    stripe_unit: int = 0
    stripe_count: int = 1
    data_pool: int | None = None
    created_s: int = 0
    flags: int = 0
    snapshot_limit: int | None = None
    mirror_id: str = ""
    primary: bool = False
    group: str = ""
    group_pool: str = ""
    lockers: list[Locker] = []
    lock_tag: str = ""
    lock_shared: bool = False
