"""Where a new volume may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import errors
from harness.control_plane.availability_zones import zones_for
from harness.control_plane.database import Database
from harness.model import VolumeType
from tests.harness.control_plane.conftest import Lab

OPTIONS: dict[str, Any] = {
    "default_availability_zone": None,
    "storage_availability_zone": "nova",
    "allow_availability_zone_fallback": False,
    "cloned_volume_same_az": True,
}
KNOWN = ("nova", "z1", "z2")


def kind(zones: str | None = None) -> VolumeType:
    """A type, that may be limited to zones."""
    database = Database(0)
    specs = {} if zones is None else {"RESKEY:availability_zones": zones}
    return database.get_volume_type(database.create(VolumeType, {"name": "t", "extra_specs": specs}))


@pytest.mark.parametrize(
    ("wanted", "of_type", "places", "options", "zones"),
    [
        (None, None, {}, {}, ("nova",)),
        (None, None, {}, {"default_availability_zone": "z1"}, ("z1",)),
        ("z2", None, {}, {}, ("z2",)),
        (None, "z1, z2", {}, {}, ("z1", "z2")),
        ("z2", "z1,z2", {}, {}, ("z2",)),
        (None, "z1,elsewhere", {}, {}, ("z1",)),
        (None, None, {"origin": "z1"}, {}, ("z1",)),
        ("z2", None, {"group": "z1"}, {}, ("z1",)),
        ("elsewhere", None, {}, {"allow_availability_zone_fallback": True}, ("nova",)),
        ("z2", None, {"origin": "z1"}, {"cloned_volume_same_az": False}, ("z2",)),
    ],
)
def test_who_has_a_say(
    wanted: str | None,
    of_type: str | None,
    places: dict[str, str],
    options: dict[str, Any],
    zones: tuple[str, ...],
) -> None:
    """The group before the request, the request before the origin, and the type's zones hold for all."""
    assert zones_for(wanted, kind(of_type), KNOWN, OPTIONS | options, **places) == zones


@pytest.mark.parametrize(
    ("wanted", "of_type", "places", "error"),
    [
        ("elsewhere", None, {}, errors.InvalidAvailabilityZone),
        ("z2", "z1", {}, errors.InvalidAvailabilityZone),
        (None, "elsewhere", {}, errors.InvalidTypeAvailabilityZones),
        ("z2", None, {"origin": "z1"}, errors.InvalidInput),
    ],
)
def test_what_cannot_be(
    wanted: str | None, of_type: str | None, places: dict[str, str], error: type[errors.Invalid]
) -> None:
    """400, whatever is wrong."""
    with pytest.raises(error) as refusal:
        zones_for(wanted, kind(of_type), KNOWN, OPTIONS, **places)
    assert refusal.value.code == 400


def test_the_scheduler_chooses_among_the_zones_of_the_type(make_lab: Callable[..., Lab]) -> None:
    """And writes the zone that it has chosen."""
    with make_lab(backends=("lvm-a", "lvm-zone")) as lab:
        lab.cloud.create_type("far", extra_specs={"RESKEY:availability_zones": "zone2"})
        lab.cloud.create_type("both", extra_specs={"RESKEY:availability_zones": "zone2,nova"})
        far = lab.now(lab.act(lab.api.create_volume, lab.owner, 1, volume_type="far"))
        assert (far.status, far.availability_zone, far.host) == ("available", "zone2", lab.address("lvm-zone"))
        both = lab.now(lab.act(lab.api.create_volume, lab.owner, 1, volume_type="both"))
        assert (both.status, both.availability_zone in ("zone2", "nova")) == ("available", True)
        with pytest.raises(errors.InvalidAvailabilityZone):
            lab.act(lab.api.create_volume, lab.owner, 1, availability_zone="nowhere")


def test_a_retry_stays_within_the_zones(make_lab: Callable[..., Lab]) -> None:
    """What was allowed at first still is, and nothing else."""
    with make_lab(backends=("lvm-a", "lvm-zone")) as lab:
        lab.cloud.create_type("far", extra_specs={"RESKEY:availability_zones": "zone2"})
        lab.fail("driver.create_volume")
        far = lab.now(lab.act(lab.api.create_volume, lab.owner, 1, volume_type="far"))
        assert (far.status, far.availability_zone) == ("available", "zone2")
