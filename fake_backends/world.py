"""The machines and clusters that the back-ends of one deployment stand on."""

from __future__ import annotations

from typing import Any, Protocol

from fake_backends.files.directory import Directory
from fake_backends.files.names import safe_name
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.nfs.share import Share
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.reopening import open_cluster
from fake_backends.targets import TargetPortal
from harness.sim.points import QUIET, Points

CLUSTERS = "clusters"


class Node:
    """A storage host: its volume groups, by name, and the portal that exports their volumes."""

    def __init__(self, hostname: str, address: str, points: Points) -> None:
        self.hostname = hostname
        self.address = address
        self.volume_groups: dict[str, VolumeGroup] = {}
        self.targets = TargetPortal(hostname, address, points=points)


class Compute(Protocol):
    """What a driver asks Nova for: to take part in a snapshot of a volume that a server has attached.

    Source: `nova.api.openstack.compute.assisted_volume_snapshots`.
    """

    def create_volume_snapshot(self, volume_id: str, create_info: dict[str, Any]) -> None:
        """From now on the server writes to ``create_info["new_file"]``, beside the file it has written to."""

    def delete_volume_snapshot(self, volume_id: str, delete_info: dict[str, Any]) -> None:
        """Merge ``file_to_merge`` into ``merge_target_file``.

        None as the latter: merge all that is below the active file into it, down to ``file_to_merge``.
        """


class World:
    """All storage of one deployment. Two worlds share nothing.

    `keys` are the volume encryption keys by id: what a driver that encrypts by itself gets from the key
    manager. `shares` are the NFS exports by ``address:/path``: one may be there under several names.
    `compute` is Nova, where there is one. With a `home` storage lives in that directory, otherwise in memory.
    """

    def __init__(self, points: Points = QUIET, home: Directory | None = None) -> None:
        self.points = points
        self.home = home
        self.nodes: dict[str, Node] = {}
        self.clusters: dict[str, Cluster] = {}
        self.shares: dict[str, Share] = {}
        self.compute: Compute | None = None
        self.keys: dict[str, bytes] = {}
        if home is not None:
            self._reopen(home)

    def _reopen(self, home: Directory) -> None:
        """Bring back what an earlier process has left."""
        clusters = home.directory(CLUSTERS)
        for name in clusters.names():
            cluster = open_cluster(name, clusters.directory(name), self.points)
            self.clusters[cluster.name] = cluster

    def node(self, hostname: str) -> Node:
        """The host of that name; it comes into being when it is first named."""
        if hostname not in self.nodes:
            address = f"192.0.2.{len(self.nodes) + 1}"
            self.nodes[hostname] = Node(hostname, address, self.points)
        return self.nodes[hostname]

    def cluster(self, name: str) -> Cluster:
        """The Ceph cluster of that name; it comes into being when it is first named."""
        if name not in self.clusters:
            if self.home is None:
                self.clusters[name] = Cluster(name, points=self.points)
            else:
                home = self.home.directory(CLUSTERS).directory(safe_name(name))
                self.clusters[name] = open_cluster(name, home, self.points)
        return self.clusters[name]

    def close(self) -> None:
        """Let go of the files. Closing twice is nothing."""
