"""A ceph.conf: the cluster that it leads to, its options, and the keyrings beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fake_backends.rbd.cluster import Cluster


@dataclass(frozen=True)
class User:
    """What a client may do with pools; None is all of them. `administrator` may give monitors orders."""

    writable: frozenset[str] | None = None
    readable: frozenset[str] = frozenset()
    administrator: bool = False

    def may_read(self, pool: str) -> bool:
        """True if the capabilities allow reading."""
        return self.may_write(pool) or pool in self.readable

    def may_write(self, pool: str) -> bool:
        """True if the capabilities allow writing."""
        return self.writable is None or pool in self.writable


ADMINISTRATOR = User(administrator=True)


@dataclass(frozen=True)
class Configuration:
    """`users` has the clients that have a keyring; without any, everybody is an administrator."""

    cluster: Cluster
    options: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, User] | None = None

    def user(self, name: str) -> User | None:
        """The user of that name (``cinder`` for ``client.cinder``), or None if there is no keyring."""
        return ADMINISTRATOR if self.users is None else self.users.get(name)

    def keyring(self, cluster_name: str, user: str) -> str:
        """Where the user's key is looked for."""
        return self.options.get("keyring", f"/etc/ceph/{cluster_name}.client.{user}.keyring")

    def defaults(self, cluster_name: str, user: str) -> dict[str, str]:
        """Every option that a client knows, with the values of this file."""
        monitors = ",".join(f"{host}:{port}" for host, port in self.cluster.monitors)
        return {
            "client_mount_timeout": "300",
            "cluster": cluster_name,
            "fsid": self.cluster.fsid,
            "mon_host": monitors,
            "name": f"client.{user}",
            "rados_mon_op_timeout": "0",
            "rados_osd_op_timeout": "0",
            "rbd_cache": "true",
            "rbd_default_clone_format": "auto",
            "rbd_default_data_pool": "",
            "rbd_default_features": "61",
            "rbd_default_format": "2",
            "rbd_default_order": "22",
            "rbd_default_pool": "rbd",
            "rbd_default_stripe_count": "0",
            "rbd_default_stripe_unit": "0",
            "rbd_move_parent_to_trash_on_remove": "false",
            **self.options,
            "keyring": self.keyring(cluster_name, user),
        }
