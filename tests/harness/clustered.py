"""cinder.conf files of an active/active cluster: two nodes drive one RBD back-end, and a third one has LVM."""

from __future__ import annotations

from pathlib import Path

from harness.control_plane.deployment import Deployment, load

FIRST, SECOND = "node1@ceph", "node2@ceph"
CLUSTERED = """
[DEFAULT]
cluster = both
enabled_backends = ceph
[ceph]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = ceph
"""
ALONE = """
[DEFAULT]
enabled_backends = lvm
[lvm]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_backend_name = lvm
lvm_type = default
"""


def deployment(directory: Path, *texts: str) -> Deployment:
    """One file and one node for each text."""
    files = [directory / f"{number}.conf" for number, _ in enumerate(texts, start=1)]
    for path, text in zip(files, texts, strict=True):
        path.write_text(text)
    return load(files)
