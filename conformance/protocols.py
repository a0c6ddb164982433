"""What the connection data of each protocol must have, for os-brick and Nova to connect by it.

Sources: `os_brick.initiator.connectors` (iscsi, fibre_channel, nvmeof, remotefs, rbd, local) and
`nova.virt.libvirt.volume`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _portal(value: Any) -> bool:
    return _text(value) and ":" in value


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _several(check: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and bool(value) and all(check(each) for each in value)


def _either(one: Check, other: Check) -> Check:
    return lambda value: one(value) or other(value)


_RBD: Mapping[str, Check] = {
    "name": lambda value: _text(value) and value.count("/") >= 1,
    "hosts": _several(_text),
    "ports": _several(_either(_text, _number)),
    "cluster_name": _text,
}

REQUIRED: Mapping[str, tuple[Mapping[str, Check], ...]] = {
    "iscsi": (
        {"target_portal": _portal, "target_iqn": _text, "target_lun": _number},
        {"target_portals": _several(_portal), "target_iqns": _several(_text), "target_luns": _several(_number)},
    ),
    "fibre_channel": (
        {"target_wwn": _either(_text, _several(_text)), "target_lun": _number},
        {"target_wwns": _several(_text), "target_luns": _several(_number)},
    ),
    "nvmeof": (
        {"target_nqn": _text, "portals": lambda value: isinstance(value, list | tuple) and bool(value)},
        {"nqn": _text, "target_portal": _text, "target_port": _either(_text, _number)},
        {"vol_uuid": _text, "portals": lambda value: isinstance(value, list | tuple) and bool(value)},
    ),
    "rbd": (
        {**_RBD, "auth_enabled": lambda value: not value},
        {**_RBD, "auth_enabled": lambda value: value is True, "auth_username": _text, "secret_uuid": _text},
    ),
    "nfs": ({"export": _portal, "name": _text, "format": _text},),
    "local": ({"device_path": _text},),
}
"""Alternatives; one of them has to be there as a whole."""
REQUIRED = {**REQUIRED, "iser": REQUIRED["iscsi"], "smbfs": ({"export": _text, "name": _text},)}


def missing_from(protocol: str, data: Mapping[str, Any]) -> list[str]:
    """The keys that are missing, or are not what they should be, in the alternative that lacks fewest.

    A protocol that is not in the table has no such rules: nothing is missing.
    """
    alternatives = REQUIRED.get(protocol, ({},))
    lacking = [[key for key, check in each.items() if not check(data.get(key))] for each in alternatives]
    return min(lacking, key=len)
