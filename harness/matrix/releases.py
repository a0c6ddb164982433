"""Where releases of Cinder go different ways, as far as the rules of the expectations know.

Ranges are those of the releases whose code was read or run: `docs/releases.md` has both.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

NEWEST = "29.0.0"
"""The release that the simulation is of."""

NO_ASSISTED_RETYPES = SpecifierSet(">=22.1.2,<25.3.1,!=23.0.*")
OFFERS_ATTACHED = SpecifierSet("<25.3.1")
LVM_WANTS_AVAILABLE = SpecifierSet("<28")
KEEPS_SERVICE_UUID = SpecifierSet("<28")
NFS_PROBES_FORMATS = SpecifierSet("<28")


class Ways(NamedTuple):
    """How a release goes about a migration.

    | field | what | source |
    |---|---|---|
    | `assisted_retypes` | a retype asks the driver to move the volume | `VolumeManager.migrate_volume` |
    | `offers_attached` | attached volumes are offered to the driver, too | `VolumeManager.migrate_volume` |
    | `lvm_moves_retyped` | the LVM driver takes volumes of status retyping | `LVMVolumeDriver.migrate_volume` |
    | `writes_service_uuid` | after a move by the driver, too | `VolumeManager.migrate_volume` |
    | `nfs_believes_record` | of the format of a file | `NfsDriver.initialize_connection` |
    """

    assisted_retypes: bool
    offers_attached: bool
    lvm_moves_retyped: bool
    writes_service_uuid: bool
    nfs_believes_record: bool


@cache
def ways(release: str) -> Ways:
    """Of a release such as ``25.3.1``."""
    return Ways(
        assisted_retypes=not NO_ASSISTED_RETYPES.contains(release),
        offers_attached=OFFERS_ATTACHED.contains(release),
        lvm_moves_retyped=not LVM_WANTS_AVAILABLE.contains(release),
        writes_service_uuid=not KEEPS_SERVICE_UUID.contains(release),
        nfs_believes_record=not NFS_PROBES_FORMATS.contains(release),
    )
