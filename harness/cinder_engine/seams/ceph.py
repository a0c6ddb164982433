"""Ceph: the modules `rados` and `rbd` over the clusters of the running cell, and how os-brick finds them.

The real RBD driver and os-brick's real connector run on them. Where a client is told to read a ceph.conf, that
path leads to a cluster of the world; os-brick's own temporary one, made of monitor addresses, leads by the
cluster's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fake_backends.rbd import bindings
from fake_backends.rbd.bindings.configuration import Configuration
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage

OS_BRICKS = "/run/brickrbd/"
"""Where os-brick's configuration of a cluster would be."""


class CephConfFiles(Mapping[str, Configuration]):
    """What a ceph.conf leads to, by its path, in the running cell."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def _clusters(self) -> dict[str, str]:
        """Path -> name of the cluster."""
        plans = [plan for plan in self._stage.playing.deployment.backends if plan.cluster]
        found = {f"{OS_BRICKS}{plan.cluster}": str(plan.cluster) for plan in plans}
        for plan in plans:
            path = plan.configuration.rbd_ceph_conf or f"/etc/ceph/{plan.cluster}.conf"
            found.setdefault(path, str(plan.cluster))
        return found

    def __getitem__(self, path: str) -> Configuration:
        return Configuration(self._stage.playing.world.cluster(self._clusters()[path]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._clusters())

    def __len__(self) -> int:
        return len(self._clusters())


def install(patches: Patches, stage: Stage) -> bindings.Modules:
    """Before Cinder and os-brick are imported: they look for the modules then."""
    made = bindings.modules({})
    vars(made.rados)["Rados"].host_files = CephConfFiles(stage)
    patches.module("rados", made.rados)
    patches.module("rbd", made.rbd)
    return made


def install_connector(patches: Patches) -> None:
    """os-brick needs no keyring and writes no file."""
    from os_brick.initiator.connectors import rbd

    def create_ceph_conf(
        cls: Any, monitor_ips: Any, monitor_ports: Any, cluster_name: str, user: str, keyring: Any
    ) -> str:
        return OS_BRICKS + cluster_name

    patches.replace(rbd.RBDConnector, "_create_ceph_conf", classmethod(create_ceph_conf))
