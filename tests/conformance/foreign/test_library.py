"""A driver that replaces functions of the standard library changes the service that it runs in."""

from __future__ import annotations

import random
import time
from typing import Any

from conformance.catalogue import select
from conformance.runner import check
from conformance.subjects import subject
from fake_backends.rbd.driver import RbdDriver


class NeverSleeps(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> Any:
        time.sleep = lambda seconds: None  # noqa: TID251 (that is the fault)
        return super().extend_volume(volume, new_size)


class IsPredictable(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> Any:
        random.random = lambda: 0.5  # noqa: TID251 (that is the fault)
        raise ValueError("no")


LAWS = [*select([], "extend/an_extended_volume_has"), *select([], "volumes/deleting_twice")]


def test_a_replaced_function_is_a_verdict_and_is_put_back() -> None:
    """Of the law that met it; the next one has the function that it knows."""
    sleep = time.sleep  # noqa: TID251 (not called)
    results = check(subject(NeverSleeps), LAWS, profile="smoke")
    assert [(each.status, each.reason) for each in results] == [
        ("failed", "the driver replaces time.sleep, which all of its process uses"),
        ("passed", ""),
    ]
    assert time.sleep is sleep  # noqa: TID251 (not called)


def test_it_is_put_back_as_well_if_the_law_breaks_otherwise() -> None:
    """The law says what it found; nobody else is to suffer."""
    before = random.random  # noqa: TID251 (not called)
    results = check(subject(IsPredictable), LAWS, profile="smoke")
    assert [each.reason for each in results] == ["ValueError: no", ""]
    assert random.random is before  # noqa: TID251 (not called)
