"""Filters and the weigher. The tables were run through Cinder 29.0.0's own filters and weigher."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.control_plane import filters, pools, weighers
from harness.control_plane.pools import PoolState, Request

POOL: dict[str, Any] = {
    "total_capacity_gb": 100, "free_capacity_gb": 60, "allocated_capacity_gb": 40,
    "provisioned_capacity_gb": 40, "reserved_percentage": 0, "thin_provisioning_support": False,
    "max_over_subscription_ratio": "20.0", "volume_backend_name": "a",
}  # fmt: skip
THIN = {"thin_provisioning_support": True}
THICK_TYPE = {"provisioning:type": "thick"}


def pool(changes: dict[str, Any] | None = None, *, address: str = "h@b#p", zone: str = "nova") -> PoolState:
    """A pool of 100 GiB that has 60 left, but for the changes; None takes a capability away."""
    capabilities = {key: value for key, value in {**POOL, **(changes or {})}.items() if value != "absent"}
    return PoolState(address, zone, capabilities)


# changes to the pool, extra specs, size, passes
CAPACITY: list[tuple[dict[str, Any], dict[str, str], int, bool]] = [
    # thick: what is free, and what is not provisioned
    ({}, {}, 60, True),
    ({}, {}, 61, False),
    ({"free_capacity_gb": 5}, {}, 6, False),
    ({"provisioned_capacity_gb": 95}, {}, 6, False),
    ({"provisioned_capacity_gb": "absent"}, {}, 60, True),
    # reserved, in whole GiB of the total
    ({"reserved_percentage": 20}, {}, 40, True),
    ({"reserved_percentage": 20}, {}, 41, False),
    ({"total_capacity_gb": 99.9, "reserved_percentage": 33}, {}, 27, True),
    ({"total_capacity_gb": 99.9, "reserved_percentage": 33}, {}, 28, False),
    ({"reserved_percentage": 100}, {}, 1, False),
    # what is not measured
    ({"free_capacity_gb": "unknown"}, {}, 10**6, True),
    ({"free_capacity_gb": "infinite", "total_capacity_gb": 0}, {}, 10**6, True),
    ({"total_capacity_gb": "unknown"}, {}, 10**6, True),
    ({"total_capacity_gb": "infinite", "reserved_percentage": 1}, {}, 1, False),
    ({"free_capacity_gb": None}, {}, 1, False),
    ({"total_capacity_gb": 0}, {}, 1, False),
    ({"total_capacity_gb": "absent"}, {}, 1, False),
    # managing an existing object asks for nothing
    ({"total_capacity_gb": 0}, {}, 0, True),
    # thin: what may be promised, whatever is free
    ({**THIN, "free_capacity_gb": 0}, {}, 1960, True),
    (THIN, {}, 1961, False),
    ({**THIN, "max_over_subscription_ratio": "1.0"}, {}, 60, True),
    ({**THIN, "max_over_subscription_ratio": "1.0"}, {}, 61, False),
    ({**THIN, "max_over_subscription_ratio": "0.9"}, {}, 1, False),
    ({**THIN, "max_over_subscription_ratio": "2.5", "reserved_percentage": 10}, {}, 185, True),
    ({**THIN, "max_over_subscription_ratio": "2.5", "reserved_percentage": 10}, {}, 186, False),
    ({**THIN, "max_over_subscription_ratio": None}, {}, 1960, True),
    # the ratio auto follows what is used: 1 + 40 / (100 - 60 + 1), so 157.56 of 197.56 GiB are left
    ({**THIN, "max_over_subscription_ratio": "auto"}, {}, 157, True),
    ({**THIN, "max_over_subscription_ratio": "auto"}, {}, 158, False),
    ({**THIN, "max_over_subscription_ratio": "auto", "provisioned_capacity_gb": 0}, {}, 2000, True),
    # a type that is thick is measured by what is free
    (THIN, THICK_TYPE, 60, True),
    (THIN, THICK_TYPE, 61, False),
    ({**THIN, "reserved_percentage": 100}, THICK_TYPE, 1, False),
]

# changes to the pool, extra specs, passes
CAPABILITIES: list[tuple[dict[str, Any], dict[str, str], bool]] = [
    ({}, {}, True),
    ({}, {"volume_backend_name": "a"}, True),
    ({}, {"volume_backend_name": "b"}, False),
    ({}, {"capabilities:volume_backend_name": "a"}, True),
    ({}, {"replication_speed": "fast"}, False),
    ({}, {"vendor:storage_tier": "gold", "qos:x": "1", "RESKEY:availability_zones": "z"}, True),
    ({"tier": ["gold", "silver"]}, {"tier": "silver"}, True),
    ({"tier": ["gold", "silver"]}, {"tier": "bronze"}, False),
    ({"tier": []}, {"tier": "bronze"}, False),
    ({"speed": {"read": 5}}, {"capabilities:speed:read": ">= 5"}, True),
    ({"speed": {"read": 5}}, {"speed:read": "<= 1"}, True),
    ({"speed": "high"}, {"capabilities:speed:read": ">= 5"}, False),
    ({"multiattach": True}, {"multiattach": "<is> True"}, True),
    ({"multiattach": False}, {"multiattach": "<is> True"}, False),
]


@pytest.mark.parametrize(("changes", "specs", "size", "passes"), CAPACITY)
def test_capacity_agrees_with_cinder(
    changes: dict[str, Any], specs: dict[str, str], size: int, passes: bool
) -> None:
    """`cinder.scheduler.filters.capacity_filter`."""
    reason = filters.passes(pool(changes), Request(size, specs))
    assert (reason is None) == passes
    assert passes or str(reason).startswith("CapacityFilter: ")


@pytest.mark.parametrize(("changes", "specs", "passes"), CAPABILITIES)
def test_capabilities_agree_with_cinder(changes: dict[str, Any], specs: dict[str, str], passes: bool) -> None:
    """`cinder.scheduler.filters.capabilities_filter`."""
    reason = filters.passes(pool(changes), Request(1, specs))
    assert (reason is None) == passes
    assert passes or str(reason).startswith("CapabilitiesFilter: ")


@pytest.mark.parametrize(
    ("zones", "passes"), [(None, True), ((), True), (("nova",), True), (("a", "nova"), True), (("a",), False)]
)
def test_a_zone_is_looked_at_only_when_asked_for(zones: tuple[str, ...] | None, passes: bool) -> None:
    """A migrate asks for none, so it may cross zones (`cinder.scheduler.filters.availability_zone_filter`)."""
    reason = filters.passes(pool(), Request(1, {}, zones))
    assert reason == (None if passes else "AvailabilityZoneFilter: nova is not in a")


def test_reasons_are_readable() -> None:
    """The filter that refuses first, then the numbers."""
    tight = pool({"free_capacity_gb": 3, "volume_backend_name": "b"})
    request = Request(5, {"volume_backend_name": "a"})
    assert filters.passes(tight, request) == "CapacityFilter: 5 GiB requested, 3.0 GiB available"
    assert filters.passes(pool({"volume_backend_name": "b"}), request) == (
        "CapabilitiesFilter: volume_backend_name is 'b', which does not match 'a'"
    )
    assert filters.passes(pool(), Request(1, {"x": "y"})) == "CapabilitiesFilter: x is not reported"


def test_a_thin_pool_reserved_as_a_whole_divides_by_zero() -> None:
    """So it does in Cinder, and every request that gets as far as this pool fails."""
    with pytest.raises(ZeroDivisionError):
        filters.passes(pool({**THIN, "reserved_percentage": 100}), Request(1))
    assert filters.passes(pool({**THIN, "reserved_percentage": 100}), Request(1, {}, ("a",))) is not None


def test_only_a_retype_is_exempt_from_capacity_where_the_volume_is() -> None:
    """`vol_exists_on` is set by find_retype_backend alone."""
    full = pool({"free_capacity_gb": 0})
    assert filters.passes(full, Request(1, {}, None, "retype", "h@b#p")) is None
    assert filters.passes(full, Request(1, {}, None, "retype", "h@b#q")) is not None
    assert filters.passes(full, Request(1, {}, None, "migrate", "h@b#p")) is not None


@pytest.mark.parametrize(
    ("operation", "attached", "support", "passes"),
    [("extend", True, False, False), ("extend", True, "absent", True), ("extend", False, False, True),
     ("create", True, False, True)],
)  # fmt: skip
def test_an_attached_volume_is_extended_where_that_is_possible(
    operation: str, attached: bool, support: object, passes: bool
) -> None:
    """online_extend_support counts for extends only, and is taken for granted."""
    request = Request(1, {}, None, operation, None, attached)
    assert (filters.passes(pool({"online_extend_support": support}), request) is None) == passes


def test_the_roomiest_pool_comes_first_and_equals_keep_their_order() -> None:
    """Thin pools count what they may promise; pools that do not say come last."""
    thick, other = pool(address="thick"), pool(address="other")
    thin = pool({**THIN, "free_capacity_gb": 1}, address="thin")
    vague = pool({"free_capacity_gb": "infinite"}, address="vague")
    order = weighers.weigh([vague, thick, other, thin], Request(1))
    assert [state.address for state in order] == ["thin", "thick", "other", "vague"]
    order = weighers.weigh([vague, thin, thick, other], Request(1, THICK_TYPE))
    assert [state.address for state in order] == ["thick", "other", "thin", "vague"]
    assert weighers.weigh([other, thick], Request(1)) == [other, thick]
    assert weighers.weigh([], Request(1)) == []


def test_pools_take_what_all_have_from_their_back_end() -> None:
    """Name, vendor, version, protocol with all its spellings, functions; nothing else."""
    stats = {
        "volume_backend_name": "b", "vendor_name": "v", "driver_version": "1", "storage_protocol": "iSCSI",
        "filter_function": "f", "sparse_copy_volume": True,
        "pools": [
            {"pool_name": "p", "free_capacity_gb": 1},
            {"pool_name": "q", "volume_backend_name": "own", "storage_protocol": "ceph",
             "filter_function": "g"},
        ],
    }  # fmt: skip
    first, second = pools.pool_states("h@b", "nova", stats)
    assert first == PoolState("h@b#p", "nova", {
        "pool_name": "p", "free_capacity_gb": 1, "volume_backend_name": "b", "vendor_name": "v",
        "driver_version": "1", "storage_protocol": ["iSCSI", "iscsi"], "filter_function": "f",
    })  # fmt: skip
    assert (second.address, second.capabilities["volume_backend_name"]) == ("h@b#q", "own")
    assert second.capabilities["storage_protocol"] == "ceph"
    assert second.capabilities["filter_function"] == "g"


@pytest.mark.parametrize(("name", "address"), [("RBD", "h@b#RBD"), (None, "h@b#_pool0"), ("", "h@b")])
def test_statistics_without_pools_are_those_of_one(name: str | None, address: str) -> None:
    """It is called as the back-end is (`cinder.scheduler.host_manager:BackendState.update_pools`)."""
    stats = {"volume_backend_name": name, "total_capacity_gb": 9}
    (only,) = pools.pool_states("h@b", "zone2", stats, "auto")
    assert (only.address, only.availability_zone, only.total_capacity_gb) == (address, "zone2", 9)
    assert only.default_ratio == "auto"


@pytest.mark.parametrize(
    ("changes", "ratio"),
    [
        ({}, 1.0),
        (THIN, 20.0),
        ({**THIN, "max_over_subscription_ratio": None}, 7.5),
        ({**THIN, "free_capacity_gb": "unknown"}, 1.0),
        ({**THIN, "max_over_subscription_ratio": "auto", "provisioned_capacity_gb": 82}, 3.0),
        ({**THIN, "max_over_subscription_ratio": "auto", "provisioned_capacity_gb": 0}, 20.0),
        ({**THIN, "max_over_subscription_ratio": "auto", "provisioned_capacity_gb": "absent",
          "allocated_capacity_gb": 41}, 2.0),
    ],
)  # fmt: skip
def test_ratio(changes: dict[str, Any], ratio: float) -> None:
    """`cinder.scheduler.sched_utils:calculate_max_over_subscription_ratio`."""
    assert replace(pool(changes), default_ratio="7.5").max_over_subscription_ratio == ratio


@given(
    total=st.integers(1, 10**5),
    used=st.integers(0, 10**5),
    reserved=st.integers(0, 100),
    size=st.integers(1, 10**5),
)
def test_a_thick_pool_that_passes_has_the_room(total: int, used: int, reserved: int, size: int) -> None:
    """No volume is sent where it would not fit or would eat what is reserved."""
    used = min(used, total)
    state = pool({
        "total_capacity_gb": total, "free_capacity_gb": total - used, "provisioned_capacity_gb": used,
        "reserved_percentage": reserved,
    })  # fmt: skip
    if filters.passes(state, Request(size)) is None:
        assert used + size + total * reserved // 100 <= total


@given(st.lists(st.integers(0, 100), max_size=6), st.integers(1, 100))
def test_weighing_neither_loses_nor_adds(free: list[int], size: int) -> None:
    """The order is descending, and the same pools come out."""
    states = [pool({"free_capacity_gb": gb}, address=f"h@b#{n}") for n, gb in enumerate(free)]
    order = weighers.weigh(states, Request(size))
    assert sorted(state.address for state in order) == [state.address for state in states]
    room = [pools.virtual_free_capacity(state, thin=True) for state in order]
    assert room == sorted(room, reverse=True)
