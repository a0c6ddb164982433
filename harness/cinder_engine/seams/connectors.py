"""os-brick's initiators: how the machine of a volume service reaches a volume that it copies.

iSCSI, Fibre Channel, NVMe and whatever a fake array connects by itself are replaced by a connector to what the
machine can reach, because the real ones look for their devices under /dev and /sys. RBD runs os-brick's own
connector on the fake `rados` and `rbd` modules, NFS its own on the fake mounts.
"""

from __future__ import annotations

from typing import Any

from os_brick.exception import BrickException
from os_brick.initiator import connector

from fake_backends.connectors import Connection, connect
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.control_plane.manager_base import host_connector

_TARGETS = ("target_iqn", "target_wwn", "target_nqn", "nqn", "device_path")


class DiskConnector:
    """What Cinder uses of `os_brick.initiator.connectors.iscsi.ISCSIConnector` and of its likes.

    `kind` is the ``driver_volume_type``.
    """

    def __init__(self, stage: Stage, kind: str) -> None:
        self._stage = stage
        self._kind = kind
        self._connections: dict[str, Connection] = {}

    def connect_volume(self, properties: dict[str, Any]) -> dict[str, str]:
        """Log in; the device appears under its name in /dev/disk/by-path."""
        cloud, hostname = self._stage.playing, self._stage.hostname
        cloud.simulation.visit("os-brick.connect_volume", _target(properties))
        try:
            connection = connect(
                cloud.world, {"driver_volume_type": self._kind, "data": properties}, host_connector(hostname)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BrickException(f"connection info is not of {self._kind}: {error!r}") from error
        assert connection.path is not None
        self._connections[_target(properties)] = connection
        return {"type": "block", "path": connection.path}

    def disconnect_volume(
        self, properties: dict[str, Any], device: Any = None, force: bool = False, ignore_errors: bool = False
    ) -> None:
        """Log out; a session that is not there is fine."""
        self._stage.playing.simulation.visit("os-brick.disconnect_volume", _target(properties))
        connection = self._connections.pop(_target(properties), None)
        if connection is not None:
            connection.disconnect()

    def check_valid_device(self, path: str, run_as_root: bool = True) -> bool:
        """True for a device that this machine has connected."""
        return self._stage.playing.world.node(self._stage.hostname).exists(path)


def _target(properties: dict[str, Any]) -> str:
    """What a connection leads to, in a word or two. A target of an array has many logical units."""
    name = next((properties[key] for key in _TARGETS if properties.get(key)), properties.get("volume_id"))
    lun = properties.get("target_lun")
    return f"{name} lun {lun}" if lun else str(name)


def install(patches: Patches, stage: Stage) -> None:
    """Replace iSCSI, and the description of this machine."""
    real_factory = connector.InitiatorConnector.factory

    def factory(protocol: str, *arguments: Any, **keywords: Any) -> Any:
        ours = {name for array in stage.playing.world.arrays.values() for name in array.PROTOCOLS}
        if protocol.lower() in {"iscsi", "iser", "fibre_channel", "nvmeof", *ours}:
            return DiskConnector(stage, protocol.lower())
        return real_factory(protocol, *arguments, **keywords)

    def properties(*arguments: Any, **keywords: Any) -> dict[str, Any]:
        return host_connector(stage.hostname)

    patches.replace(connector.InitiatorConnector, "factory", staticmethod(factory))
    patches.replace(connector, "get_connector_properties", properties)
