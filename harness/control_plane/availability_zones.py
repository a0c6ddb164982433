"""Where a new volume may be: what was asked for, its origin, its type and the configuration have a say.

Source: `cinder.volume.flows.api.create_volume:ExtractVolumeRequestTask._extract_availability_zones`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from harness import errors
from harness.model import VolumeType

RESERVED_KEY = "RESKEY:availability_zones"


def zones_of_type(kind: VolumeType) -> tuple[str, ...] | None:
    """The zones that a type allows; None if it allows all."""
    words = kind.extra_specs.get(RESERVED_KEY)
    return None if words is None else tuple(word.strip() for word in words.split(",") if word)


def zones_for(
    wanted: str | None,
    kind: VolumeType,
    known: Collection[str],
    options: Mapping[str, Any],
    *,
    origin: str | None = None,
    group: str | None = None,
) -> tuple[str, ...]:
    """The zones among which the scheduler chooses.

    `known` are those that services are in, `origin` that of the snapshotted or cloned volume, `group` that of
    the volume's group. InvalidTypeAvailabilityZones, InvalidAvailabilityZone, InvalidInput (400).
    """
    default: str = options["default_availability_zone"] or options["storage_availability_zone"]
    known = {*known, options["storage_availability_zone"]}
    of_type = zones_of_type(kind)
    safe = tuple(known) if of_type is None else tuple(zone for zone in of_type if zone in known)
    if not safe:
        raise errors.InvalidTypeAvailabilityZones(az=list(of_type or ()))
    zone = group or wanted or origin
    if zone is None and of_type is None:
        zone = default
    if zone is not None and zone not in safe:
        if not options["allow_availability_zone_fallback"]:
            raise errors.InvalidAvailabilityZone(az=zone)
        zone = default
    if zone is not None and origin not in (None, zone) and options["cloned_volume_same_az"]:
        raise errors.InvalidInput(
            reason="Volume must be in the same availability zone as the snapshot or the source volume"
        )
    return safe if zone is None else (zone,)
