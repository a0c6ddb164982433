"""Limits, usages and reservations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import errors
from harness.control_plane.quota import Quotas, Reservation

DAY_US = 86_400_000_000


def test_a_committed_reservation_is_usage() -> None:
    """Reserved at once, in use after commit."""
    quotas = Quotas()
    ids = quotas.reserve("p", {"volumes": 1, "gigabytes": 5}, 0, DAY_US)
    assert (quotas.usage("p", "gigabytes"), quotas.usage("q", "gigabytes")) == ((0, 5), (0, 0))
    quotas.commit(ids)
    assert (quotas.usage("p", "volumes"), quotas.usage("p", "gigabytes")) == ((1, 0), (5, 0))
    assert quotas.open_reservations() == []
    assert quotas.usages("p") == {"gigabytes": (5, 0), "volumes": (1, 0)}


def test_a_reservation_that_is_rolled_back_leaves_nothing() -> None:
    """Of more or of less."""
    quotas = Quotas()
    quotas.commit(quotas.reserve("p", {"volumes": 2}, 0, DAY_US))
    quotas.rollback(quotas.reserve("p", {"volumes": 1, "gigabytes": -5}, 0, DAY_US))
    assert (quotas.usage("p", "volumes"), quotas.usage("p", "gigabytes")) == ((2, 0), (0, 0))


def test_a_rollback_that_looks_in_another_project_changes_nothing() -> None:
    """`cinder.db.api:reservation_rollback` finds no usage there, and the error is only logged."""
    quotas = Quotas()
    ids = quotas.reserve("p", {"volumes": 1}, 0, DAY_US)
    quotas.rollback(ids, "q")
    assert (quotas.usage("p", "volumes"), len(quotas.open_reservations())) == ((0, 1), 1)
    quotas.rollback(ids, "p")
    assert (quotas.usage("p", "volumes"), quotas.open_reservations()) == ((0, 0), [])


def test_less_counts_only_when_committed_and_never_below_zero() -> None:
    """`cinder.db.api:reservation_commit`."""
    quotas = Quotas()
    quotas.commit(quotas.reserve("p", {"gigabytes": 5}, 0, DAY_US))
    ids = quotas.reserve("p", {"gigabytes": -7}, 0, DAY_US)
    assert quotas.usage("p", "gigabytes") == (5, 0)
    quotas.commit(ids)
    assert quotas.usage("p", "gigabytes") == (0, 0)


def test_ids_are_the_same_in_every_run() -> None:
    """They are counted."""
    quotas = Quotas()
    assert quotas.reserve("p", {"volumes": 1, "gigabytes": 5}, 3, DAY_US) == ["reservation-1", "reservation-2"]
    assert quotas.open_reservations() == [
        Reservation("reservation-1", "p", "volumes", 1, 3, DAY_US),
        Reservation("reservation-2", "p", "gigabytes", 5, 3, DAY_US),
    ]


def test_a_reservation_expires_after_its_time() -> None:
    """At its very time it still holds; committing it afterwards does nothing."""
    quotas = Quotas()
    ids = quotas.reserve("p", {"volumes": 1}, 0, 100)
    less = quotas.reserve("p", {"gigabytes": -1}, 0, 200)
    quotas.expire(100)
    assert quotas.usage("p", "volumes") == (0, 1)
    quotas.expire(101)
    assert quotas.usage("p", "volumes") == (0, 0)
    quotas.commit(ids)
    quotas.rollback(ids)
    assert quotas.usage("p", "volumes") == (0, 0)
    assert [reservation.id for reservation in quotas.open_reservations()] == less


@pytest.mark.parametrize(
    ("deltas", "resource", "size_gb", "error", "text"),
    [
        (
            {"volumes": 2, "volumes_gold": 1}, "volumes", 1, errors.VolumeLimitExceeded,
            "Maximum number of volumes allowed (2) exceeded for quota 'volumes'.",
        ),
        (
            {"volumes": 1, "volumes_gold": 5}, "volumes", 1, errors.VolumeLimitExceeded,
            "Maximum number of volumes allowed (4) exceeded for quota 'volumes_gold'.",
        ),
        (
            {"volumes": 9, "gigabytes": 6}, "volumes", 6, errors.VolumeSizeExceedsAvailableQuota,
            ("Requested volume or snapshot exceeds allowed gigabytes quota. "
            "Requested 6G, quota is 10G and 5G has been consumed."),
        ),
        (
            {"gigabytes_gold": 8}, "volumes", None, errors.VolumeSizeExceedsAvailableQuota,
            ("Requested volume or snapshot exceeds allowed gigabytes_gold quota. "
            "Requested 8G, quota is 7G and 0G has been consumed."),
        ),
        (
            {"snapshots": 2, "gigabytes": 1}, "snapshots", 1, errors.SnapshotLimitExceeded,
            "Maximum number of snapshots allowed (1) exceeded",
        ),
        ({"snapshots": 2}, "volumes", 1, errors.UnexpectedOverQuota, "Unexpected over quota on snapshots."),
        # what is over is told by substrings, the type's name included
        (
            {"volumes_gigabytes": 1}, "volumes", 1, errors.VolumeSizeExceedsAvailableQuota,
            ("Requested volume or snapshot exceeds allowed volumes_gigabytes quota. "
            "Requested 1G, quota is 0G and 0G has been consumed."),
        ),
    ],
)  # fmt: skip
def test_over_quota_is_refused_as_cinder_refuses(
    deltas: dict[str, int], resource: str, size_gb: int | None, error: type[errors.OverQuota], text: str
) -> None:
    """413, gigabytes first, nothing reserved (`cinder.quota_utils:process_reserve_over_quota`)."""
    quotas = Quotas({"volumes": 2, "gigabytes": 10, "snapshots": 1})
    for name, limit in {"volumes_gold": 4, "gigabytes_gold": 7, "volumes_gigabytes": 0}.items():
        quotas.set_limit("p", name, limit)
    quotas.commit(quotas.reserve("p", {"volumes": 1, "gigabytes": 5}, 0, DAY_US))
    with pytest.raises(error) as refusal:
        quotas.reserve("p", deltas, 0, DAY_US, resource=resource, size_gb=size_gb)
    assert (str(refusal.value), refusal.value.code) == (text, 413)
    assert quotas.open_reservations() == []


def test_who_is_over_may_still_have_less() -> None:
    """A negative change is never refused; no change is."""
    quotas = Quotas()
    quotas.commit(quotas.reserve("p", {"volumes": 3}, 0, DAY_US))
    quotas.set_limit("p", "volumes", 1)
    quotas.commit(quotas.reserve("p", {"volumes": -1}, 0, DAY_US))
    assert quotas.usage("p", "volumes") == (2, 0)
    with pytest.raises(errors.VolumeLimitExceeded):
        quotas.reserve("p", {"volumes": 0}, 0, DAY_US)


def test_what_is_reserved_counts() -> None:
    """The limit holds for both together."""
    quotas = Quotas({"volumes": 1})
    quotas.reserve("p", {"volumes": 1}, 0, DAY_US)
    with pytest.raises(errors.VolumeLimitExceeded):
        quotas.reserve("p", {"volumes": 1}, 0, DAY_US)
    assert quotas.reserve("q", {"volumes": 1}, 0, DAY_US)


def test_limits() -> None:
    """Cinder's defaults; what is per type is unlimited; a project may have its own."""
    quotas = Quotas()
    names = ("volumes", "snapshots", "gigabytes", "per_volume_gigabytes", "volumes_gold", "gigabytes_gold")
    assert [quotas.limit("p", name) for name in names] == [10, 10, 1000, -1, -1, -1]
    quotas.set_limit("p", "volumes", 0)
    assert (quotas.limit("p", "volumes"), quotas.limit("q", "volumes")) == (0, 10)
    with pytest.raises(errors.QuotaResourceUnknown, match=r"Unknown quota resources \['volume'\]"):
        quotas.reserve("p", {"volume": 1}, 0, DAY_US)


def test_a_volume_may_have_a_largest_size() -> None:
    """per_volume_gigabytes is a limit without a usage."""
    quotas = Quotas({"per_volume_gigabytes": 5})
    quotas.check_size("p", 5)
    with pytest.raises(errors.VolumeSizeExceedsLimit) as refusal:
        quotas.check_size("p", 6)
    assert str(refusal.value) == "Requested volume size 6G is larger than maximum allowed limit 5G."
    Quotas().check_size("p", 10**9)


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from(["commit", "rollback", "leave"])), max_size=20))
def test_usage_is_what_was_committed(steps: list[tuple[int, str]]) -> None:
    """Nothing is counted twice, and what is reserved is the sum of what is open."""
    quotas = Quotas({"volumes": -1})
    expected = 0
    for delta, fate in steps:
        ids = quotas.reserve("p", {"volumes": delta}, 0, DAY_US)
        if fate == "commit":
            quotas.commit(ids)
            expected = max(0, expected + delta)
        elif fate == "rollback":
            quotas.rollback(ids)
    waiting = sum(max(0, reservation.delta) for reservation in quotas.open_reservations())
    assert quotas.usage("p", "volumes") == (expected, waiting)


def test_the_default_class_holds_for_everybody() -> None:
    """But not for a project that has a limit of its own."""
    quotas = Quotas()
    quotas.set_limit("mine", "volumes", 3)
    quotas.set_class_limit("default", "volumes", 7)
    quotas.set_class_limit("other", "volumes", 99)
    assert (quotas.limit("mine", "volumes"), quotas.limit("yours", "volumes")) == (3, 7)
    quotas.drop_limits("mine")
    assert quotas.limit("mine", "volumes") == 7
    assert quotas.class_limit("other", "volumes") == 99
