"""Filters and weighers that have to be asked for, alone and in a deployment that asks for them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness import errors
from harness.control_plane.configuration import ConfigurationFile
from harness.control_plane.deployment import load
from harness.control_plane.filters import passes
from harness.control_plane.pools import Request
from harness.control_plane.weighers import STOCHASTIC, Criteria, weigh
from harness.model import Volume
from tests.harness.control_plane.conftest import Lab
from tests.harness.control_plane.test_filters import pool

SMALL = "volume.size < 10"


@pytest.mark.parametrize(
    ("function", "size", "reason"),
    [
        (SMALL, 9, None),
        (SMALL, 10, "is not met"),
        ("volume.size <", 1, "Expected"),
        ("qos.iops > 1", 1, "NoneType"),
        ("stats.storage_protocol == 'iscsi'", 1, None),
        (None, 99, None),
    ],
)
def test_what_a_back_end_says_of_a_volume(function: str | None, size: int, reason: str | None) -> None:
    """DriverFilter: any spelling of the protocol will do, and a function that fails refuses."""
    state = pool({"filter_function": function, "storage_protocol": ["iSCSI", "iscsi"]})
    said = passes(state, Request(size), ("DriverFilter",))
    assert (said is None) if reason is None else (said is not None and reason in said)


HERE, THERE = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
PLACES = {HERE: "h@b#p", THERE: "elsewhere@b#p"}


@pytest.mark.parametrize(
    ("name", "hints", "ok"),
    [
        ("DifferentBackendFilter", {}, True),
        ("DifferentBackendFilter", {"different_host": HERE}, False),
        ("DifferentBackendFilter", {"different_host": [THERE]}, True),
        ("DifferentBackendFilter", {"different_host": [THERE, "no uuid"]}, False),
        ("SameBackendFilter", {}, True),
        ("SameBackendFilter", {"same_host": [HERE, THERE]}, True),
        ("SameBackendFilter", {"same_host": THERE}, False),
        ("SameBackendFilter", {"same_host": "no uuid"}, False),
        ("JsonFilter", {}, True),
        ("JsonFilter", {"query": '[">=", "$free_capacity_gb", 60]'}, True),
        ("JsonFilter", {"query": '["and", ["=", "$host", "h@b#p"], ["<", "$free_capacity_gb", 9]]'}, False),
        ("JsonFilter", {"query": '["not", ["in", "$backend_id", "h@b#p", "x"]]'}, False),
        ("JsonFilter", {"query": '["or", ["=", "$capabilities.x", 1], ["<", "$free_capacity_gb", 99]]'}, True),
        ("IgnoreAttemptedHostsFilter", {}, False),
        ("InstanceLocalityFilter", {"local_to_instance": HERE}, False),
        ("InstanceLocalityFilter", {}, True),
    ],
)  # fmt: skip
def test_hints(name: str, hints: dict[str, Any], ok: bool) -> None:
    """What the user wants beside other volumes, and what failed before."""
    request = Request(1, hints=hints, places=PLACES, tried=("h@b#p",))
    assert (passes(pool(), request, (name,)) is None) == ok


@pytest.mark.parametrize(
    ("name", "hints", "error"),
    [
        ("InstanceLocalityFilter", {"local_to_instance": "no uuid"}, errors.Invalid),
        ("InstanceLocalityFilter", {"local_to_instance": HERE.replace("1", "3")}, errors.ServerNotFound),
        ("JsonFilter", {"query": "no json"}, ValueError),
        ("JsonFilter", {"query": '["xor", 1]'}, KeyError),
    ],
)
def test_hints_that_fail(name: str, hints: dict[str, Any], error: type[Exception]) -> None:
    """Nobody catches it: the whole request fails."""
    with pytest.raises(error):
        passes(pool(), Request(1, hints=hints, places=PLACES), (name,))


def order(criteria: Criteria, *changes: dict[str, Any]) -> list[str]:
    states = [pool(change, address=f"h@b#{number}") for number, change in enumerate(changes)]
    return [state.address[-1] for state in weigh(states, Request(1), criteria)]


UNKNOWN = {"free_capacity_gb": "unknown"}


def good(function: str) -> dict[str, Any]:
    return {"goodness_function": function}


@pytest.mark.parametrize(
    ("criteria", "changes", "expected"),
    [
        (Criteria(), ({"free_capacity_gb": 5}, {}, UNKNOWN), "102"),
        (Criteria(capacity=-1), ({"free_capacity_gb": 5}, {}, UNKNOWN), "012"),
        (Criteria(weighers=("AllocatedCapacityWeigher",)), ({}, {"allocated_capacity_gb": 3}), "10"),
        (Criteria(weighers=("GoodnessWeigher",)),
         (good("20"), good("volume.size == 1"), good("101"), good("1 +"), {}), "10234"),
        (Criteria(weighers=("VolumeNumberWeigher",), volumes=lambda each: int(each.address[-1])),
         ({}, {}, {}), "012"),
        (Criteria(weighers=("CapacityWeigher", "GoodnessWeigher")),
         ({"free_capacity_gb": 30, **good("100")}, good("0"), good("60")), "201"),
        (Criteria(weighers=()), ({"free_capacity_gb": 5}, {}), "01"),
    ],
)  # fmt: skip
def test_the_best_comes_first(criteria: Criteria, changes: tuple[dict[str, Any], ...], expected: str) -> None:
    """Each weigher's weights count from 0 to 1, times its multiplier; equals stay in order."""
    assert "".join(order(criteria, *changes)) == expected


def test_nothing_known_and_little_wanted() -> None:
    """Cinder's weigher fails over it, whatever its comment says."""
    with pytest.raises(ValueError, match="empty"):
        order(Criteria(capacity=-1), UNKNOWN, UNKNOWN)


def test_by_lot() -> None:
    """A pool's chance is its weight: with StochasticHostWeightHandler the larger one wins more often."""
    criteria = Criteria(handler=STOCHASTIC, chance=Random(0))
    wins = [order(criteria, {"free_capacity_gb": 20}, {"free_capacity_gb": 60})[0] for _ in range(400)]
    assert 60 < wins.count("0") < 140
    shuffled = {
        tuple(order(Criteria(weighers=("ChanceWeigher",), chance=Random(n)), {}, {})) for n in range(20)
    }
    assert len(shuffled) == 2


CONF = """
[DEFAULT]
enabled_backends = big, small
scheduler_default_filters = AvailabilityZoneFilter, CapacityFilter, CapabilitiesFilter, DriverFilter, DifferentBackendFilter, IgnoreAttemptedHostsFilter
scheduler_default_weighers = GoodnessWeigher
[backend_defaults]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
lvm_type = default
[big]
volume_group = vg-big
volume_backend_name = big
filter_function = "volume.size >= 10"
[small]
volume_group = vg-small
volume_backend_name = small
filter_function = "volume.size < 100"
goodness_function = "volume.size < 10 ? 100 : 30"
"""  # noqa: E501 (one option is one line)


@pytest.fixture
def configured(tmp_path: Path) -> Lab:
    """A node that sends small volumes to one back-end and large ones to the other."""
    path = tmp_path / "cinder.conf"
    path.write_text(CONF)
    return Lab(load([path]), backends=("big", "small"))


def test_a_deployment_that_asks_for_them(configured: Lab) -> None:
    """The filter functions of both, the goodness of one, and hints."""
    lab = configured
    lab.cloud.quotas.set_limit("project", "gigabytes", -1)

    def placed(size: int, **hints: Any) -> str:
        made: Volume = lab.act(lab.api.create_volume, lab.owner, size, scheduler_hints=hints)
        return str(lab.now(made).host or lab.now(made).status)

    assert placed(1) == "node1@small#small"
    assert placed(50) == "node1@small#small"
    assert placed(100) == "node1@big#big"
    first = next(iter(lab.database.volumes))
    assert placed(50, different_host=[first]) == "node1@big#big"
    assert placed(1, different_host=[first]) == "error"
    lab.close()


def test_a_pool_that_failed_is_not_tried_again(configured: Lab) -> None:
    """With IgnoreAttemptedHostsFilter the second attempt goes elsewhere."""
    lab = configured
    lab.fail("driver.create_volume")
    made: Volume = lab.act(lab.api.create_volume, lab.owner, 50)
    assert lab.now(made).host == "node1@big#big"
    lab.close()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("scheduler_default_filters = CapacityFilter, RetryFilter", "must be some of AvailabilityZoneFilter, "),
        ("scheduler_default_weighers = Best", "must be some of AllocatedCapacityWeigher, CapacityWeigher"),
        ("scheduler_weight_handler = x", "must be one of cinder.scheduler.weights.OrderedHostWeightHandler"),
        ("capacity_weight_multiplier = many", "must be a number"),
        ("scheduler_max_attempts = 0", "at least 1"),
    ],
)
def test_what_no_scheduler_starts_with(tmp_path: Path, line: str, complaint: str) -> None:
    """One line: file, section, option, and what would be right."""
    path = tmp_path / "cinder.conf"
    path.write_text(f"[DEFAULT]\nenabled_backends = a\n{line}\n[a]\n")
    with pytest.raises(errors.InputError, match=complaint):
        ConfigurationFile(path, host="h", address="192.0.2.1").defaults()
