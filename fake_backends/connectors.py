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
from fake_backends.host.initiator import by_path, disk_names
from fake_backends.host.paths import Handle
from fake_backends.lvm.host import close_device
from fake_backends.nfs import qemu_img
from fake_backends.targets import Chap
from fake_backends.world import World
from harness.errors import NotFound, StorageError
from harness.model import ConnectionInfo, Connector

_FC_PATH = "/dev/disk/by-path/pci-0000:05:00.0-fc-0x"

FabricAddress = tuple[str, str, int, str, Chap | None]
"""Target, initiator, number of the logical unit, udev's path of the disk, credentials."""


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
    if kind in ("iscsi", "iser"):
        return _connect_iscsi(world, data, connector)
    if kind in ("fibre_channel", "nvmeof"):
        return _connect_fabric(world, _addresses(kind, data, connector), connector)
    if kind == "rbd":
        return _connect_rbd(world, data)
    if kind == "nfs":
        return _connect_nfs(world, data, connection_info.get("mount_point_base") or "/mnt")
    if kind == "local":
        return _connect_local(world, data, connector)
    arrays = [array for array in world.arrays.values() if kind in array.PROTOCOLS]
    if arrays:
        device = _device_of(arrays, connection_info, connector)
        return _as_disk(world, f"/dev/disk/by-id/{kind}-{_digest(data)}", device, connector)
    known = [
        "fibre_channel", "iscsi", "local", "nfs", "nvmeof", "rbd",
        *(protocol for array in world.arrays.values() for protocol in array.PROTOCOLS),
    ]  # fmt: skip
    raise StorageError(f"no connector for driver_volume_type {kind!r}; there are {', '.join(known)}")


def _connect_iscsi(world: World, data: dict[str, Any], connector: Connector) -> Connection:
    address, _, _ = str(data.get("target_portal")).rpartition(":")
    if world.portal(address) is None:
        return _connect_fabric(world, _addresses("iscsi", data, connector), connector)
    initiator = world.node(connector["host"]).initiator
    chap = (data["auth_username"], data["auth_password"]) if data.get("auth_method") == "CHAP" else None
    login = initiator.login(data["target_portal"], data["target_iqn"], chap, initiator=connector["initiator"])
    return Connection(login.session.device, login.path, lambda: initiator.logout(login))


def _addresses(kind: str, data: dict[str, Any], connector: Connector) -> list[FabricAddress]:
    """Every way to a volume that its connection info names: where to, whence, and what the path is called."""
    chap = (data["auth_username"], data["auth_password"]) if data.get("auth_method") == "CHAP" else None
    if kind == "iscsi":
        iqns = data.get("target_iqns") or [data["target_iqn"]]
        portals = data.get("target_portals") or [data["target_portal"]]
        luns = data.get("target_luns") or [data["target_lun"]] * len(iqns)
        initiators, names = [connector["initiator"]], list(map(by_path, portals, iqns, luns))
    elif kind == "fibre_channel":
        iqns = [data["target_wwn"]] if isinstance(data["target_wwn"], str) else list(data["target_wwn"])
        luns = data.get("target_luns") or [data["target_lun"]] * len(iqns)
        initiators = connector["wwpns"]
        names = [f"{_FC_PATH}{wwn}-lun-{lun}" for wwn, lun in zip(iqns, luns, strict=True)]
    else:
        iqns, luns = [data.get("target_nqn") or data["nqn"]], [int(data.get("ns_id") or 0)]
        initiators, names = [connector["nqn"]], [f"/dev/disk/by-id/nvme-{_digest(data)}"]
    ways = zip(iqns, luns, names, strict=False)
    return [(iqn, initiator, int(lun), name, chap) for iqn, lun, name in ways for initiator in initiators]


def _connect_fabric(world: World, addresses: list[FabricAddress], connector: Connector) -> Connection:
    """The first way that leads to a logical unit, as with a single path."""
    missing = StorageError("the connection info names no target")
    for target, initiator, lun, path, chap in addresses:
        try:
            device = world.fabric.open(target, initiator, lun, chap)
        except NotFound as error:
            missing = error
        else:
            return _as_disk(world, path, device, connector)
    raise missing


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


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest()[:16]


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
