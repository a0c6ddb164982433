"""os-brick's part: from the connection info that a driver returns to a device that can be read and written.

An iSCSI, Fibre Channel or NVMe connection becomes a host device with a path. An RBD connection is a handle
without a path in the volume service; QEMU on a compute host opens the image over the network, also without a
path. An NFS connection is a file with a path on a mounted share, in the volume service
(`os_brick.initiator.connectors.remotefs`) and on a compute host
(`nova.virt.libvirt.volume.nfs:LibvirtNFSVolumeDriver.get_config` sets source_path, so that "Swap only supports
host devices" never meets it).

os-brick and dd know nothing of image formats: they see the bytes of the file. QEMU is told the format, and
shows what is in the image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from fake_backends.array import Array
from fake_backends.block_store import BlockDevice
from fake_backends.fabric_paths import WAYS, Way, by_id, chap_of
from fake_backends.host.initiator import disk_names
from fake_backends.host.paths import Handle
from fake_backends.lvm.host import close_device
from fake_backends.nfs import qemu_img
from fake_backends.world import World
from harness.errors import NotFound, StorageError
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
    if kind == "iscsi" and world.portal(str(data.get("target_portal")).rpartition(":")[0]) is not None:
        return _connect_iscsi(world, data, connector)
    if kind in WAYS:
        return _connect_fabric(world, WAYS[kind](data, connector), connector)
    if kind == "rbd":
        return _connect_rbd(world, data)
    if kind == "nfs":
        return _connect_nfs(world, data, connection_info.get("mount_point_base") or "/mnt")
    if kind == "local":
        return _connect_local(world, data, connector)
    arrays = [array for array in world.arrays.values() if kind in array.PROTOCOLS]
    if arrays:
        device = _device_of(arrays, connection_info, connector)
        return _as_disk(world, by_id(str(kind), data), device, connector)
    own = {protocol for array in world.arrays.values() for protocol in array.PROTOCOLS}
    known = ", ".join(sorted({*WAYS, "local", "nfs", "rbd", *own}))
    raise StorageError(f"no connector for driver_volume_type {kind!r}; there are {known}")


def _connect_iscsi(world: World, data: dict[str, Any], connector: Connector) -> Connection:
    """At the portal of a host that exports its volume groups; NotFound if the target has no such LUN."""
    initiator = world.node(connector["host"]).initiator
    login = initiator.login(
        data["target_portal"], data["target_iqn"], chap_of(data), initiator=connector["initiator"]
    )
    lun = data.get("target_lun", login.session.target.lun)
    if lun != login.session.target.lun:
        initiator.logout(login)
        raise NotFound(f"{data['target_iqn']} has no disk with LUN {lun}")
    return Connection(login.session.device, login.path, lambda: initiator.logout(login))


def _connect_fabric(world: World, ways: list[Way], connector: Connector) -> Connection:
    """The first way that leads to a logical unit, as with a single path."""
    failure = NotFound("the connection info names no target")
    for way in ways:
        try:
            device = world.fabric.open(way.target, way.initiator, way.lun, way.chap)
        except NotFound as error:
            failure = error
        else:
            return _as_disk(world, way.path, device, connector)
    raise failure


def _as_disk(world: World, path: str, device: BlockDevice, connector: Connector) -> Connection:
    """A disk appears on the machine of the connector, under `path` as udev would link it."""
    node = world.node(connector["host"])
    disk = next(name for name in disk_names() if not node.exists(name))
    openers: list[Handle] = []
    node.add_device(disk, lambda: Handle(device, openers))
    node.link(path, disk)

    def disconnect() -> None:
        node.remove_device(disk)
        openers.clear()
        close_device(device)

    return Connection(device, path, disconnect)


def _device_of(arrays: list[Array], connection_info: ConnectionInfo, connector: Connector) -> BlockDevice:
    """From the first array that has it: connection info need not say which."""
    *others, last = arrays
    for array in others:
        try:
            return array.connect(connection_info, connector)
        except NotFound:
            pass  # another one has it
    return last.connect(connection_info, connector)


def _connect_local(world: World, data: dict[str, Any], connector: Connector) -> Connection:
    """A device that the machine has anyway."""
    device = world.node(connector["host"]).open(data["device_path"])
    return Connection(device, data["device_path"], lambda: close_device(device))


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
