"""The machines and clusters that the back-ends of one deployment stand on.

In a directory they are kept as

    nodes/<host>/node.json                    name and address
    nodes/<host>/lvm/<volume group>/          the disks that the group was made with (`lvm.in_files`)
    nodes/<host>/disks/                       disks that were plugged in by themselves
    clusters/<cluster>/                       see `fake_backends.rbd.reopening`

with every name as `fake_backends.files.names` writes it; the true one is in the records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Protocol

import msgspec

from fake_backends.array import Array
from fake_backends.command_line import Result
from fake_backends.fabric import Fabric
from fake_backends.files.directory import TEMPORARY, Directory
from fake_backends.files.names import safe_name, true_name
from fake_backends.host.commands import HostCommands, Program
from fake_backends.host.initiator import Initiator, Network
from fake_backends.host.paths import Host
from fake_backends.lvm.extents import PhysicalVolume
from fake_backends.lvm.in_files.disk import FileDisk
from fake_backends.lvm.in_files.group import FileBacking, create_disk, create_group, groups_of, open_disk
from fake_backends.lvm.on_disk.label import has_label
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.nfs.share import RECORD as SHARE_RECORD
from fake_backends.nfs.share import Share
from fake_backends.rbd.bindings import Modules
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.reopening import open_cluster
from fake_backends.targets import TargetPortal
from harness.errors import AlreadyExists, InputError, Unreadable
from harness.sim.points import QUIET, Points

NODES, CLUSTERS, SHARES, LVM, DISKS = "nodes", "clusters", "shares", "lvm", "disks"
NODE_RECORD = "node.json"
IMAGE = ".img"


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of a node, beside its volume groups."""

    hostname: str
    address: str


class Node(Host):
    """A machine at an address: it exports its devices, logs in at the portals of others, runs commands."""

    def __init__(
        self, hostname: str, address: str, points: Points, network: Network, home: Directory | None = None
    ) -> None:
        super().__init__(hostname, points)
        if home is not None:
            self.backing = FileBacking()
        self.address = address
        self.targets = TargetPortal(hostname, address, points=points)
        self.initiator = Initiator(self, network)
        self._network = network
        self._home = home

    @cached_property
    def _commands(self) -> HostCommands:
        """Made when the first program runs: many worlds live and die without one."""
        return HostCommands(self, self.targets, exports=self._network.shares)

    def execute(self, argv: Sequence[object], stdin: str | bytes = b"") -> Result:
        """Run a command line, wrappers and all, as a process on this machine; see `HostCommands.execute`."""
        return self._commands.execute(argv, stdin)

    def add_disk(self, path: str, size: int) -> PhysicalVolume:
        if self._home is None:
            return super().add_disk(path, size)
        self.disks[path] = create_disk(self._home.directory(DISKS), safe_name(path) + IMAGE, path, size)
        return self.disks[path]

    def install(self, name: str, program: Program) -> None:
        """Have one more program, or another one of that name."""
        self._commands.install(name, program)

    def install_ceph(self, bindings: Modules) -> None:
        """Have Ceph's programs, which reach the clusters that `bindings` reach."""
        self._commands.install_ceph(bindings)

    def add_volume_group(self, name: str, pv_sizes: Sequence[int]) -> VolumeGroup:
        """The volume group of that name; it is made, with a physical volume of each size, if there is none.

        AlreadyExists if there was one that was removed, and whose disks are still there.
        """
        if name not in self.volume_groups:
            if self._home is None:
                self.volume_groups[name] = VolumeGroup(name, pv_sizes, points=self.points)
            else:
                self.volume_groups[name] = self._made(self._home.directory(LVM), name, pv_sizes)
        return self.volume_groups[name]

    def _made(self, home: Directory, name: str, pv_sizes: Sequence[int]) -> VolumeGroup:
        """Made out of sight, and shown when it is whole."""
        if safe_name(name) in home:
            raise AlreadyExists(
                f"volume group {name} of {self.hostname} was removed, but its disks are still there; "
                "make it with vgcreate, or give another directory"
            )
        home.remove_directory(TEMPORARY)
        group = create_group(home.directory(TEMPORARY), name, pv_sizes, points=self.points)
        home.rename(TEMPORARY, safe_name(name))
        return group

    def reopen(self) -> None:
        """Bring back what an earlier process has left. InputError for a damaged disk or volume group.

        Groups are found as lvm2 finds them: by what is on the disks, wherever these are.
        """
        assert self._home is not None
        groups = self._home.directory(LVM)
        groups.sweep()
        homes = {f"{LVM}/{name}": groups.directory(name) for name in groups.names()}
        if DISKS in self._home:
            homes[DISKS] = self._home.directory(DISKS)
        try:
            disks = {
                f"{where}/{name}": _disk_in(home, where, name)
                for where, home in homes.items()
                for name in home.names()
                if name.endswith(IMAGE)
            }
            labelled = {where: disk for where, disk in disks.items() if disk.labelled}
            found, left = groups_of(labelled, points=self.points)
        except Unreadable as error:
            raise InputError(f"volume groups of {self.hostname}: {error}; give another directory") from error
        self.volume_groups.update((group.name, group) for group in found)
        unused = [*left.values(), *(disk for disk in disks.values() if not disk.labelled)]
        self.disks.update((disk.name, disk) for disk in unused)


def _disk_in(home: Directory, where: str, file_name: str) -> FileDisk:
    """A disk, under the path that it was made with. Unreadable."""
    stem = file_name.removesuffix(IMAGE)
    directory = where.rpartition("/")[2]
    if where == DISKS:
        name = true_name(stem) or stem
    else:
        name = f"/dev/{true_name(directory) or directory}-disk{stem.removeprefix('pv')}"
    file = home.open(file_name)
    try:
        return open_disk(file, name) if where != DISKS or has_label(file) else FileDisk(file, name)
    except Unreadable as error:
        raise Unreadable(f"{where}/{file_name}: {error}") from error


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

    `arrays` are the fakes of storage arrays by name, and `fabric` is the network between them and the machines;
    both are kept in memory always. `keys` are the volume encryption keys by id: what a driver that encrypts by
    itself gets from the key manager. `shares` are the NFS exports by ``address:/path``: one may be there under
    several names. `compute` is Nova, where there is one. `lock` gives the coordination lock of a name, which
    keeps nobody out where there is but one task. With a `home` storage is kept in that directory, otherwise in
    memory.
    """

    def __init__(self, points: Points = QUIET, home: Directory | None = None) -> None:
        """Whatever is in `home` is there again. InputError if something in it is damaged."""
        self.points = points
        self.home = home
        self.nodes: dict[str, Node] = {}
        self.clusters: dict[str, Cluster] = {}
        self.shares: dict[str, Share] = {}
        self.fabric = Fabric(points)
        self.arrays: dict[str, Array] = {}
        self.compute: Compute | None = None
        self.keys: dict[str, bytes] = {}
        self.lock: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext()
        if home is not None:
            self._reopen(home)

    def _reopen(self, home: Directory) -> None:
        nodes = home.directory(NODES)
        nodes.sweep()
        for name in nodes.names():
            directory = nodes.directory(name)
            if NODE_RECORD not in directory:
                # Its process was killed before anything was made on it.
                nodes.remove_directory(name)
                continue
            try:
                record = msgspec.json.decode(directory.read(NODE_RECORD), type=NodeRecord)
            except msgspec.DecodeError as error:
                raise InputError(
                    f"{NODE_RECORD} in {directory!r} is damaged: {error}; give another directory"
                ) from error
            node = Node(record.hostname, record.address, self.points, self, directory)
            node.reopen()
            self.nodes[record.hostname] = node
        clusters = home.directory(CLUSTERS)
        for name in clusters.names():
            cluster = open_cluster(name, clusters.directory(name), self.points)
            self.clusters[cluster.name] = cluster
        shares = home.directory(SHARES)
        for name in shares.names():
            directory = shares.directory(name)
            if SHARE_RECORD not in directory:
                # Its process was killed before anything was made on it.
                shares.remove_directory(name)
                continue
            share = Share.reopen(directory, points=self.points)
            self.shares[share.export] = share

    def share(self, export: str, capacity: int) -> Share:
        """The NFS share that is exported as ``address:/path``, made with `capacity` bytes if there is none."""
        if export not in self.shares:
            home = self.home.directory(SHARES).directory(safe_name(export)) if self.home is not None else None
            self.shares[export] = Share(export, capacity, points=self.points, home=home)
        return self.shares[export]

    def node(self, hostname: str) -> Node:
        """The host of that name; it comes into being when it is first named."""
        if hostname not in self.nodes:
            address = f"192.0.2.{len(self.nodes) + 1}"
            home = None
            if self.home is not None:
                home = self.home.directory(NODES).directory(safe_name(hostname))
                record = NodeRecord(hostname=hostname, address=address)
                home.replace(NODE_RECORD, msgspec.json.encode(record))
            self.nodes[hostname] = Node(hostname, address, self.points, self, home)
        return self.nodes[hostname]

    def portal(self, address: str) -> TargetPortal | None:
        """The iSCSI portal at this address; None if no machine has it."""
        return next((node.targets for node in self.nodes.values() if node.address == address), None)

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
        for node in self.nodes.values():
            for disk in node.all_disks():
                disk.close()
        for share in self.shares.values():
            share.close()
