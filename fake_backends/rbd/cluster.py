"""A Ceph cluster: its pools, its monitors, and the space that all pools share."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from fake_backends.block_store import CHUNK
from fake_backends.files.directory import Directory
from fake_backends.files.names import check_text, safe_name
from fake_backends.rbd.pool import Pool, Statistics
from harness.errors import NotFound
from harness.sim.points import QUIET, Points

TIB = 1 << 40
EPOCH_S = 1_600_000_000
"""What the clock of a cluster says where nobody set another."""


class Cluster:
    """A cluster of `size` usable bytes; replication is not modelled.

    `clone_format` is what ``rbd_default_clone_format=auto`` comes to: 1 in a cluster as it is installed, 2
    where the operator demands clients of mimic or later. `monitors` are (host, port). `home` is the
    empty directory of a cluster that is to be kept in files (see `fake_backends.rbd.reopening`). `now_s` is
    what the cluster's clock says, in seconds since 1970. `storage_answers` and `monitors_answer` are False
    while the daemons are stopped: clients then wait until they time out.
    """

    def __init__(
        self,
        name: str,
        *,
        points: Points = QUIET,
        size: int = 100 * TIB,
        clone_format: int = 1,
        home: Directory | None = None,
    ) -> None:
        self.name = name
        self.home = home
        self.points = points
        self.size = size
        self.clone_format = clone_format
        self.fsid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"ceph://{name}"))
        self.monitors = [("198.51.100.1", "6789"), ("198.51.100.2", "6789"), ("198.51.100.3", "6789")]
        self.pools: dict[str, Pool] = {}
        self.used_objects = 0
        self.now_s: Callable[[], int] = _no_time_passes
        self.clients_seen = 0
        self.storage_answers = True
        self.monitors_answer = True

    def create_pool(self, name: str, max_bytes: int | None = None) -> Pool:
        """The pool of that name; it is made, with a quota of `max_bytes`, if there is none."""
        if name not in self.pools:
            number = len(self.pools) + 1
            home = None
            if self.home is not None:
                home = self.home.directory(safe_name(check_text(name)))
            self.pools[name] = Pool(self, name, max_bytes, number, home)
            self.pools[name].save()
        return self.pools[name]

    def pool(self, name: str) -> Pool:
        """The pool of that name. Raises NotFound."""
        try:
            return self.pools[name]
        except KeyError:
            raise NotFound(f"RADOS object not found (error opening pool '{name}')") from None

    def statistics(self) -> Statistics:
        """What all pools use."""
        used = self.used_objects * CHUNK
        return Statistics(self.size, used, max(0, self.size - used))


def _no_time_passes() -> int:
    return EPOCH_S
