"""Cells: records of axis values with stable, readable ids, and the facts about the back-ends they name."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.matrix.axes import AXES, BY_NAME


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of axis values (see `harness.matrix.axes`)."""

    operation: str = "migrate"
    source: str
    destination: str
    status: str = "available"
    policy: str = "on-demand"
    lock: str = "no"
    force: str = "no"
    type: str = "none"
    encryption: str = "none"
    fill: str = "sparse"
    nova: str = "32"
    meanwhile: str = "nothing"
    precondition: str = "none"
    casts: str = "ordered"

    @property
    def id(self) -> str:
        """``operation/source/destination/status``, then ``axis=value`` for what is not the default."""
        head = [self.operation, self.source, self.destination, self.status]
        tail = [
            f"{axis.name}={getattr(self, axis.name)}"
            for axis in AXES[4:]
            if getattr(self, axis.name) != axis.default
        ]
        return "/".join(head + tail)

    @property
    def multi_attached(self) -> bool:
        """Two servers have the volume, which is of a multiattach type."""
        return self.status in ("multi-attached", "multi-read-only")

    @property
    def axes(self) -> dict[str, str]:
        """All values by axis name, in the order of the axes."""
        return {name: getattr(self, name) for name in BY_NAME}


class BackendFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the expectations may know of a back-end: its configuration, nothing that a run would tell.

    `container` is where its objects live: ``<node>/<volume group>``, ``<cluster>/<pool>`` or NFS exports. Two
    back-ends with the same container share one name space. `cluster` is the Ceph cluster (rbd only), `node`
    the host name of the volume service. `wipes` is False where volume_clear is none; `over_subscription` is
    max_over_subscription_ratio. `qcow2` is nfs_qcow2_volumes, `snapshots` False where nfs_snapshot_support is.
    `retypes`: the driver changes a volume's type in place; `multiattach`: it reports that; `measured`: its free
    space is a number; `exports`: whether a volume is exported can be seen. `service_cluster` is the cluster of
    services (active/active) that it is served by.
    """

    name: str
    address: str
    kind: Literal["lvm", "rbd", "nfs", "other"]
    thin: bool
    node: str
    container: str
    cluster: str | None = None
    availability_zone: str = "nova"
    volume_backend_name: str = ""
    wipes: bool = True
    over_subscription: str = "20.0"
    qcow2: bool = False
    snapshots: bool = True
    retypes: bool = True
    multiattach: bool = True
    measured: bool = True
    exports: bool = False
    service_cluster: str | None = None
