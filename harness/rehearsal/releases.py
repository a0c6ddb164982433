"""Where another release of Cinder goes another way than 29, which the simulation and its rules speak of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import InputError
from harness.matrix.releases import (
    KEEPS_SERVICE_UUID,
    LVM_WANTS_AVAILABLE,
    NO_ASSISTED_RETYPES,
    OFFERS_ATTACHED,
)
from harness.matrix.rules_situation import Rule, Situation, Stage

FIRST, LAST = 22, 29


class Difference(NamedTuple):
    """What `releases` do otherwise where it applies, and where it can be read."""

    releases: SpecifierSet
    applies: Callable[[Situation, Rule], bool]
    text: str
    source: str


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        NO_ASSISTED_RETYPES,
        lambda s, rule: s.retype and s.moves and s.offered,
        "A retype is never offered to the driver: Cinder copies through a temporary volume.",
        "cinder.volume.manager:VolumeManager.migrate_volume",
    ),
    Difference(
        OFFERS_ATTACHED,
        lambda s, rule: s.migrate and s.in_use and s.same_cluster and s.cell.force == "no",
        "An attached volume is offered to the RBD driver too: in one pool only the record changes, otherwise "
        "the driver refuses and Nova copies.",
        "cinder.volume.drivers.rbd:RBDDriver.migrate_volume",
    ),
    Difference(
        SpecifierSet("<22.1.2"),
        lambda s, rule: s.retype and s.in_use and s.same_cluster and not s.in_place,
        "DATA LOSS: the RBD driver moves the image under the running guest (LP 2019190).",
        "cinder.volume.manager:VolumeManager.migrate_volume",
    ),
    Difference(
        SpecifierSet("==23.0.*"),
        lambda s, rule: s.retype and s.in_use and s.same_cluster and not s.in_place,
        "DATA LOSS: the RBD driver moves the image under the running guest (LP 2019190).",
        "cinder.volume.manager:VolumeManager.migrate_volume",
    ),
    Difference(
        LVM_WANTS_AVAILABLE,
        lambda s, rule: s.retype and s.available and s.lvm_offered,
        "The LVM driver does not move what is being retyped: Cinder copies through a temporary volume.",
        "cinder.volume.drivers.lvm:LVMVolumeDriver.migrate_volume",
    ),
    Difference(
        KEEPS_SERVICE_UUID,
        lambda s, rule: rule.stage is Stage.ASSISTED,
        "service_uuid keeps naming the old service after a move by the driver.",
        "cinder.volume.manager:VolumeManager.migrate_volume",
    ),
)


def checked(release: str) -> str:
    """A release such as ``25`` or ``25.3.1``. InputError unless it is one that is known of."""
    try:
        version = Version(release)
    except InvalidVersion:
        version = None
    if version is None or not FIRST <= version.major <= LAST:
        raise InputError(
            f"--cinder {release} is not a known release of Cinder; known are {FIRST} to {LAST}, such as 25.3.1"
        )
    return release


def differences(release: str, s: Situation, rule: Rule) -> list[str]:
    """Sentences on what that release does otherwise; its source in brackets."""
    found = [each for each in DIFFERENCES if each.releases.contains(release) and each.applies(s, rule)]
    return [f"{each.text} ({each.source})" for each in found]
