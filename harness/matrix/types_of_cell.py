"""The volume types that a cell needs: the one before, and for a retype the one after."""

from __future__ import annotations

from typing import Any

from harness.control_plane.deployment import BackendPlan
from harness.matrix.cells import Cell
from harness.model import Encryption, QosSpecs

TIER = "vendor:storage_tier"
MULTIATTACH = {"multiattach": "<is> True"}

TypeFields = dict[str, Any]


def types_of(
    cell: Cell, source: BackendPlan, destination: BackendPlan
) -> tuple[TypeFields | None, TypeFields | None]:
    """(old, new) as fields of volume types; None where the cell has none."""
    old = _fields("old", _old_specs(cell, source), _encryption(cell, before=True))
    if cell.operation == "migrate":
        return (old if old["extra_specs"] or old["encryption"] else None), None
    new = _fields("new", _new_specs(cell, destination), _encryption(cell, before=False))
    if cell.type == "qos":
        new["qos_specs"] = QosSpecs("qos-1", "fast", "back-end", (("read_iops_sec", "1000"),))
    elif cell.type == "front-end-qos":
        new["qos_specs"] = QosSpecs("qos-1", "fast", "front-end", (("read_iops_sec", "1000"),))
    elif cell.type == "no-qos":
        old["qos_specs"] = QosSpecs("qos-1", "fast", "back-end", (("read_iops_sec", "1000"),))
    elif cell.type == "no-front-end-qos":
        old["qos_specs"] = QosSpecs("qos-1", "fast", "front-end", (("read_iops_sec", "1000"),))
    if cell.precondition == "multiattach-encrypted":
        new["encryption"] = Encryption("luks")
    return old, new


def _fields(name: str, specs: dict[str, str], encryption: Encryption | None) -> TypeFields:
    return {"name": name, "extra_specs": specs, "encryption": encryption, "qos_specs": None}


def _old_specs(cell: Cell, source: BackendPlan) -> dict[str, str]:
    specs: dict[str, str] = {}
    if cell.operation == "retype" or cell.precondition == "specs-mismatch":
        specs["volume_backend_name"] = source.volume_backend_name
    if cell.type in ("same", "specs", "shared"):
        specs[TIER] = "gold"
    if cell.multi_attached:
        specs.update(MULTIATTACH)
    return specs


def _new_specs(cell: Cell, destination: BackendPlan) -> dict[str, str]:
    specs = {"volume_backend_name": destination.volume_backend_name}
    if cell.type in ("specs", "shared"):
        specs[TIER] = "silver" if cell.type == "specs" else "gold"
    if cell.type == "multiattach" or cell.multi_attached:
        specs.update(MULTIATTACH)
    if cell.type == "zone":
        specs["RESKEY:availability_zones"] = destination.availability_zone
    specs.update(_OBSTRUCTING_SPECS.get(cell.precondition, {}))
    return specs


_OBSTRUCTING_SPECS = {
    "min-size": {"provisioning:min_vol_size": "100"},
    "max-size": {"provisioning:max_vol_size": "0"},
    "multiattach-in-use": MULTIATTACH,
    "multiattach-encrypted": MULTIATTACH,
    "specs-mismatch": {"replication_speed": "fast"},
    "other-zone": {"RESKEY:availability_zones": "elsewhere"},
}


def _encryption(cell: Cell, *, before: bool) -> Encryption | None:
    old, _, new = cell.encryption.partition("-")
    provider = old if before or not new else new
    return None if provider == "none" else Encryption(provider)
