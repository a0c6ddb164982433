"""os-brick's part: from the connection info that a driver returns to a device that can be read and written.

An iSCSI connection becomes a host device with a path. An RBD connection is a handle without a path in the
volume service; QEMU on a compute host opens the image over the network, also without a path. An NFS connection
is a file with a path on a mounted share, in the volume service (`os_brick.initiator.connectors.remotefs`) and
on a compute host (`nova.virt.libvirt.volume.nfs:LibvirtNFSVolumeDriver.get_config` sets source_path, so that
"Swap only supports host devices" never meets it).

os-brick and dd know nothing of image formats: they see the bytes of the file. QEMU is told the format, and
shows what is in the image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from fake_backends.block_store import BlockDevice
from fake_backends.nfs import qemu_img
from fake_backends.world import World
from harness.errors import StorageError
from harness.model import ConnectionInfo, Connector


class Connection:
    """An open device. `path` is None where the host has neither a block device nor a file for it."""

    __slots__ = ("_close", "_open_disk", "device", "path")

    def __init__(
        self,
        device: BlockDevice,
        path: str | None,
        close: Callable[[], None],
        open_disk: Callable[[], BlockDevice] | None = None,
    ) -> None:
        self.device = device
        self.path = path
        self._close = close
        self._open_disk = open_disk

    def disk(self) -> BlockDevice:
        """What QEMU shows a guest: the virtual disk of an image, else the device itself.

        StorageError if the device is no image of the format that it is said to be.
        """
        return self.device if self._open_disk is None else self._open_disk()

    def disconnect(self) -> None:
        """Close the device; the driver's `terminate_connection` comes after this."""
        self._close()


def connect(world: World, connection_info: ConnectionInfo, connector: Connector) -> Connection:
    """Open what `connection_info` describes, from the host of `connector`.

    Raises StorageError if the back-end refuses or the protocol is not known here.
    """
    kind = connection_info.get("driver_volume_type")
    data = connection_info.get("data", connection_info)
    if kind == "iscsi":
        return _connect_iscsi(world, data, connector)
    if kind == "rbd":
        return _connect_rbd(world, data)
    if kind == "nfs":
        return _connect_nfs(world, data, connection_info.get("mount_point_base") or "/mnt")
    raise StorageError(f"no connector for driver_volume_type {kind!r}; there are iscsi, nfs and rbd")


def _connect_iscsi(world: World, data: dict[str, Any], connector: Connector) -> Connection:
    initiator = world.node(connector["host"]).initiator
    chap = (data["auth_username"], data["auth_password"]) if data.get("auth_method") == "CHAP" else None
    login = initiator.login(data["target_portal"], data["target_iqn"], chap, initiator=connector["initiator"])
    return Connection(login.session.device, login.path, lambda: initiator.logout(login))


def _connect_rbd(world: World, data: dict[str, Any]) -> Connection:
    pool_name, _, image_name = data["name"].partition("/")
    image = world.cluster(data["cluster_name"]).pool(pool_name).open(image_name)
    return Connection(image, None, image.close)


def _connect_nfs(world: World, data: dict[str, Any], mount_point_base: str) -> Connection:
    """Mount the share, under the digest of its name, and find the file; nothing is to be undone later."""
    export, name = data["export"], data["name"]
    if export not in world.shares:
        raise StorageError(f"mount.nfs: mounting {export} failed, no such export")
    share = world.shares[export]
    mount_point = hashlib.md5(export.encode(), usedforsecurity=False).hexdigest()
    return Connection(
        share.file(name),
        f"{mount_point_base}/{mount_point}/{name}",
        lambda: None,
        lambda: qemu_img.open_image(share, name, data.get("format", "raw")),
    )
