"""`rados.Rados`, a client of a cluster, and `rados.Ioctx`, its way to one pool.

A client that cannot reach what it needs waits for its time-out and fails: here at once, because nothing would
change while it waits.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

from fake_backends.rbd.bindings import monitor, rados_errors
from fake_backends.rbd.bindings.configuration import Configuration, User
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.pool import Pool
from harness.errors import StorageError

_FIRST_INSTANCE = 4100


class Version(NamedTuple):
    """Of librados."""

    major: int
    minor: int
    extra: int


Version.__module__ = "rados"


class Rados:
    """A client. `host_files` are the configuration files that it finds, by their paths."""

    __module__ = "rados"
    host_files: ClassVar[Mapping[str, Configuration]]
    NO_CONF_FILE: ClassVar[int] = -1
    DEFAULT_CONF_FILES: ClassVar[int] = -2

    def __init__(
        self,
        rados_id: str | None = None,
        name: str | None = None,
        clustername: str | None = None,
        conf_defaults: Mapping[str, str] | None = None,
        conffile: str | int | None = NO_CONF_FILE,
        conf: Mapping[str, str] | None = None,
        flags: int = 0,
        context: object = None,
    ) -> None:
        if rados_id is not None and name is not None:
            raise rados_errors.Error("Rados(): can't supply both rados_id and name")
        self.rados_id = rados_id or (name or "client.admin").partition(".")[2]
        self.clustername = clustername or "ceph"
        if conffile in (None, "", self.NO_CONF_FILE, self.DEFAULT_CONF_FILES):
            conffile = f"/etc/ceph/{self.clustername}.conf"
        found = self.host_files.get(str(conffile))
        if found is None:
            raise rados_errors.by_errno(errno.ENOENT, "error calling conf_read_file")
        self.configuration = found
        self.conffile = conffile
        self.state = "configuring"
        self.options = {**(conf_defaults or {}), **found.defaults(self.clustername, self.rados_id)}
        self.instance_id = 0
        for option, value in (conf or {}).items():
            self.conf_set(option, value)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    @property
    def cluster(self) -> Cluster:
        """What the client is connected to."""
        return self.configuration.cluster

    @property
    def user(self) -> User:
        """What the client may do."""
        user = self.configuration.user(self.rados_id)
        assert user is not None
        return user

    # --------------------------------------------------------------------------------------- connection

    def version(self) -> Version:
        """Of librados 16."""
        return Version(3, 0, 0)

    def connect(self, timeout: int = 0) -> None:
        """ObjectNotFound without a keyring, PermissionDeniedError with a wrong one, TimedOut."""
        self._require("configuring")
        if self.configuration.user(self.rados_id) is None:
            # Without any keyring it gives up at once; with one that has no key of its name it goes on trying.
            number = errno.ETIMEDOUT if "keyring" in self.configuration.options else errno.ENOENT
            raise rados_errors.by_errno(number, "error connecting to the cluster")
        known = self.configuration.defaults(self.clustername, self.rados_id)
        if self.options["mon_host"] != known["mon_host"] or not self.cluster.monitors_answer:
            raise rados_errors.by_errno(errno.ETIMEDOUT, "error connecting to the cluster")
        if self.options["keyring"] != known["keyring"]:
            raise rados_errors.by_errno(errno.EACCES, "error connecting to the cluster")
        self.cluster.clients_seen += 1
        self.instance_id = _FIRST_INSTANCE + self.cluster.clients_seen
        self.state = "connected"

    def shutdown(self) -> None:
        """End the connection; again is nothing."""
        self.state = "shutdown"

    def get_instance_id(self) -> int:
        """The number of this client: it is ``client.<number>`` to others."""
        self._require("connected")
        return self.instance_id

    def get_addrs(self) -> str:
        """The address of this client."""
        self._require("connected")
        return f"{self.address}"

    @property
    def address(self) -> str:
        """As watchers and owners of locks show it."""
        return f"198.51.100.{100 + self.instance_id % 100}:0/{self.instance_id * 7919 % (1 << 31)}"

    # ------------------------------------------------------------------------------------ configuration

    def conf_get(self, option: str) -> str | None:
        """None for an unknown option."""
        _require_text(option, "option")
        return self.options.get(option)

    def conf_set(self, option: str, val: str) -> None:
        """ObjectNotFound for an unknown option."""
        _require_text(option, "option")
        _require_text(val, "val")
        if option not in self.options:
            raise rados_errors.by_errno(errno.ENOENT, "error calling conf_set")
        self.options[option] = val

    def conf_read_file(self, path: str | None = None) -> None:
        """Read another configuration file. ObjectNotFound."""
        found = self.host_files.get(path or f"/etc/ceph/{self.clustername}.conf")
        if found is None:
            raise rados_errors.by_errno(errno.ENOENT, "error calling conf_read_file")
        self.options.update(found.defaults(self.clustername, self.rados_id))

    # ---------------------------------------------------------------------------------- the cluster, pools

    def get_fsid(self) -> str:
        """Known since the connection was made."""
        self._require("connected")
        return self.cluster.fsid

    def get_cluster_stats(self) -> dict[str, int]:
        """KiB, and the number of objects."""
        self._require("connected")
        if not self.cluster.monitors_answer:
            raise rados_errors.by_errno(
                errno.ETIMEDOUT, f"Rados.get_cluster_stats({self.rados_id}): get_stats failed"
            )
        total, used, free = self.cluster.statistics()
        return {
            "kb": total >> 10,
            "kb_used": used >> 10,
            "kb_avail": free >> 10,
            "num_objects": self.cluster.used_objects,
        }

    def list_pools(self) -> list[str]:
        """Names, oldest first."""
        self._require("connected")
        return list(self.cluster.pools)

    def pool_exists(self, pool_name: str) -> bool:
        """True if there is a pool of that name."""
        self._require("connected")
        _require_text(pool_name, "pool_name")
        return pool_name in self.cluster.pools

    def pool_lookup(self, pool_name: str) -> int | None:
        """The number of a pool, or None."""
        self._require("connected")
        _require_text(pool_name, "pool_name")
        pool = self.cluster.pools.get(pool_name)
        return None if pool is None else pool.number

    def pool_reverse_lookup(self, pool_id: int) -> str | None:
        """The name of a pool, or None."""
        self._require("connected")
        return next((pool.name for pool in self.cluster.pools.values() if pool.number == pool_id), None)

    def create_pool(self, pool_name: str, crush_rule: int | None = None, auid: int | None = None) -> None:
        """ObjectExists."""
        self._require("connected")
        _require_text(pool_name, "pool_name")
        if pool_name in self.cluster.pools:
            raise rados_errors.by_errno(errno.EEXIST, f"error creating pool '{pool_name}'")
        self.cluster.create_pool(pool_name)

    def open_ioctx(self, ioctx_name: str) -> Ioctx:
        """ObjectNotFound; TimedOut if the monitors would have to be asked and do not answer."""
        self._require("connected")
        if ioctx_name is None:
            raise TypeError("ioctx_name must be a string")
        _require_text(ioctx_name, "ioctx_name")
        if ioctx_name not in self.cluster.pools:
            number = errno.ENOENT if self.cluster.monitors_answer else errno.ETIMEDOUT
            raise rados_errors.by_errno(number, f"error opening pool '{ioctx_name}'")
        return Ioctx(self, self.cluster.pools[ioctx_name])

    def open_ioctx2(self, pool_id: int) -> Ioctx:
        """The same by the pool's number. ObjectNotFound."""
        self._require("connected")
        for pool in self.cluster.pools.values():
            if pool.number == pool_id:
                return Ioctx(self, pool)
        raise rados_errors.by_errno(errno.ENOENT, f"error opening pool id '{pool_id}'")

    def mon_command(
        self, cmd: str, inbuf: bytes, timeout: int = 0, target: object = None
    ) -> tuple[int, bytes, str]:
        """Status (0 or -errno), output and message: a refused command raises nothing."""
        self._require("connected")
        return monitor.answer(self.cluster, self.user, cmd)

    def _require(self, state: str) -> None:
        if self.state != state:
            raise rados_errors.RadosStateError(
                f"You cannot perform that operation on a Rados object in state {self.state}."
            )


class Ioctx:
    """One pool, or a namespace in it, as one client sees it."""

    __module__ = "rados"

    def __init__(self, rados: Rados, pool: Pool) -> None:
        self.rados = rados
        self._pool = pool
        self._namespace = ""
        self._closed = False

    @property
    def name(self) -> str:
        """The pool."""
        return self._pool.name

    def pool(self) -> Pool:
        """The images that are reached through this. StorageError if the storage does not answer."""
        if not self.rados.cluster.storage_answers:
            raise StorageError("RADOS timed out", errno=errno.ETIMEDOUT)
        return self._pool if not self._namespace else self._pool.namespace(self._namespace)

    def readable(self) -> Pool:
        """`pool`; StorageError (EPERM) if the client may not read."""
        pool = self.pool()
        if not self.rados.user.may_read(pool.name):
            raise StorageError("Operation not permitted", errno=errno.EPERM)
        return pool

    def writable(self) -> Pool:
        """`pool`; StorageError (EPERM) if the client may not write."""
        pool = self.pool()
        if not self.rados.user.may_write(pool.name):
            raise StorageError("Operation not permitted", errno=errno.EPERM)
        return pool

    def require_ioctx_open(self) -> None:
        """IoctxStateError after close."""
        if self._closed:
            raise rados_errors.IoctxStateError("The pool is closed")

    def close(self) -> None:
        """Again is nothing. Images that were opened through this go on."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set_namespace(self, nspace: str) -> None:
        """What follows happens in this namespace of the pool; ``""`` is the default one."""
        self.require_ioctx_open()
        self._namespace = nspace or ""

    def get_namespace(self) -> str:
        """The namespace."""
        self.require_ioctx_open()
        return self._namespace

    def get_pool_id(self) -> int:
        """The number of the pool."""
        self.require_ioctx_open()
        return self._pool.number

    def get_pool_name(self) -> str:
        """The pool."""
        self.require_ioctx_open()
        return self._pool.name

    def get_last_version(self) -> int:
        """Of the object last read or written through this: none."""
        self.require_ioctx_open()
        return 0

    def get_stats(self) -> dict[str, int]:
        """What the pool holds. Operations are not counted."""
        self.require_ioctx_open()
        used = self._pool.statistics().used
        return {
            "num_bytes": used,
            "num_kb": used >> 10,
            "num_objects": self._pool.used_objects,
            "num_object_clones": 0,
            "num_object_copies": self._pool.used_objects,
            "num_objects_missing_on_primary": 0,
            "num_objects_unfound": 0,
            "num_objects_degraded": 0,
            "num_rd": 0,
            "num_rd_kb": 0,
            "num_wr": 0,
            "num_wr_kb": 0,
        }


def _require_text(value: Any, name: str) -> None:
    """The compiled binding's check of a str parameter."""
    if not isinstance(value, str):
        raise TypeError(f"Argument '{name}' has incorrect type (expected str, got {type(value).__name__})")
