"""Sets of object numbers behave like sets of integers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.rbd.object_set import ObjectSet

RANGES = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 40)), max_size=12)


def members(objects: ObjectSet) -> set[int]:
    return {number for first, last in objects.ranges() for number in range(first, last)}


def build(changes: list[tuple[bool, int, int]]) -> tuple[ObjectSet, set[int]]:
    objects, model = ObjectSet(), set[int]()
    for adding, first, last in changes:
        before = len(model)
        if adding:
            model.update(range(first, last))
            assert objects.add(first, last) == len(model) - before
        else:
            model.difference_update(range(first, last))
            assert objects.remove(first, last) == before - len(model)
    return objects, model


@settings(max_examples=60, deadline=None)
@given(RANGES, RANGES, st.integers(0, 40), st.integers(0, 40))
def test_object_sets_agree_with_integer_sets(
    changes: list[tuple[bool, int, int]], others: list[tuple[bool, int, int]], first: int, last: int
) -> None:
    """Adding, removing, counting and intersecting ranges agree with plain sets."""
    objects, model = build(changes)
    other, other_model = build(others)
    assert members(objects) == model
    assert len(objects) == len(model)
    assert all((number in objects) == (number in model) for number in range(42))
    assert members(objects.between(first, last)) == model & set(range(first, last))
    assert objects.common(other) == len(model & other_model)
    union, rest = objects.copy(), objects.copy()
    union.update(other)
    rest.difference_update(other)
    assert members(union) == model | other_model
    assert members(rest) == model - other_model
    assert members(objects) == model


def test_ranges_that_touch_are_one() -> None:
    """A fully written image is one range, however it was written."""
    objects = ObjectSet()
    for number in (3, 1, 0, 2):
        objects.add(number, number + 1)
    assert list(objects.ranges()) == [(0, 4)]
