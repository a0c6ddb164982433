"""Connection info of protocols that go over a fabric: which ways lead to the volume, and what udev calls them.

Source: `os_brick.initiator.connectors` (iscsi, fibre_channel, nvmeof), and what drivers return for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fake_backends.host.initiator import by_path
from fake_backends.targets import Chap
from harness.model import Connector

FC_PATH = "/dev/disk/by-path/pci-0000:05:00.0-fc-0x"


class Way(NamedTuple):
    """One way from a machine to a logical unit, the credentials that it takes, and the disk's link."""

    target: str
    initiator: str
    lun: int
    chap: Chap | None
    path: str


def iscsi(data: Mapping[str, Any], connector: Connector) -> list[Way]:
    """One way for each portal. KeyError if something is missing."""
    portals = data.get("target_portals") or [data["target_portal"]]
    iqns = data.get("target_iqns") or [data["target_iqn"]]
    luns = data.get("target_luns") or [data["target_lun"]] * len(iqns)
    return [
        Way(iqn, connector["initiator"], int(lun), chap_of(data), by_path(portal, iqn, lun))
        for portal, iqn, lun in zip(portals, iqns, luns, strict=True)
    ]


def fibre_channel(data: Mapping[str, Any], connector: Connector) -> list[Way]:
    """One way from each adapter to each port of the array. KeyError if something is missing."""
    wwns = [data["target_wwn"]] if isinstance(data["target_wwn"], str) else data["target_wwn"]
    luns = data.get("target_luns") or [data["target_lun"]] * len(wwns)
    return [
        Way(wwn, wwpn, int(lun), None, f"{FC_PATH}{wwn}-lun-{lun}")
        for wwn, lun in zip(wwns, luns, strict=True)
        for wwpn in connector["wwpns"]
    ]


def nvmeof(data: Mapping[str, Any], connector: Connector) -> list[Way]:
    """To a namespace of a subsystem, in both forms of connection info. KeyError if something is missing."""
    nqn = data.get("target_nqn") or data["nqn"]
    return [Way(nqn, connector["nqn"], int(data.get("ns_id") or 0), None, by_id("nvme", data))]


WAYS: dict[str, Callable[[Mapping[str, Any], Connector], list[Way]]] = {
    "iscsi": iscsi, "iser": iscsi, "fibre_channel": fibre_channel, "nvmeof": nvmeof,
}  # fmt: skip
"""By ``driver_volume_type``."""


def chap_of(data: Mapping[str, Any]) -> Chap | None:
    """The credentials in connection info of iSCSI."""
    return (data["auth_username"], data["auth_password"]) if data.get("auth_method") == "CHAP" else None


def by_id(kind: str, data: Mapping[str, Any]) -> str:
    """A link for a disk whose true name is not known here."""
    digest = hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest()
    return f"/dev/disk/by-id/{kind}-{digest[:16]}"
