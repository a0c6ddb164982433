"""The qcow2 image format, version 3: what QEMU calls an image, as the bytes of a file.

The file is cut into clusters of 64 KiB. The first holds the header; a two-level table leads from a cluster
of the virtual disk to a cluster of the file (L1 entry -> L2 table -> L2 entry), and another one counts how
often each cluster of the file is used. A cluster that no entry leads to is read from the backing file, or is
zero. Clusters are taken from the end of the file and never reused.

Source: QEMU's docs/interop/qcow2.rst. Internal snapshots, compression, encryption, external data files and
extended L2 entries are refused.
"""

from __future__ import annotations

from fake_backends.nfs.qcow2.format import CLUSTER, is_qcow2
from fake_backends.nfs.qcow2.image import Qcow2Image
from fake_backends.nfs.qcow2.new_image import create

__all__ = ["CLUSTER", "Qcow2Image", "create", "is_qcow2"]
