"""What counts as a difference between two engines, and how it is told."""

from __future__ import annotations

import pytest

from harness.matrix.comparison import Difference, differences
from harness.matrix.picture import CALLS
from harness.results import Picture

FIRST = "c-vol@a: create_volume volume-<temporary>"
LAST = "c-vol@b: delete_volume volume-<volume>"
ONE: Picture = {
    "outcome": "succeeded",
    "volume: status": "available",
    "keys": ["key of volume", "nobody's"],
    CALLS: [FIRST, LAST],
}


def test_equal_pictures_do_not_differ() -> None:
    """In whatever order the engines found things out."""
    assert differences(ONE, dict(reversed(ONE.items()))) == []


@pytest.mark.parametrize(
    ("aspect", "value", "told"),
    [
        ("outcome", "refused", "outcome: succeeded, but refused"),
        ("HTTP code", "400", "HTTP code: nothing, but 400"),
        ("keys", ["key of volume"], "keys: nobody's, but nothing"),
        ("keys", ["nobody's", "nobody's"], "keys: key of volume, but nobody's"),
        (CALLS, [FIRST], f"driver calls: call 2 is {LAST}, but call 2 is nothing more"),
        (CALLS, [LAST, FIRST], f"driver calls: call 1 is {FIRST}, but call 1 is {LAST}"),
    ],
)
def test_a_difference_names_what_each_engine_shows(aspect: str, value: str | list[str], told: str) -> None:
    """Of lists only what the other does not have; of calls, which have an order, only where they part."""
    assert [str(each) for each in differences(ONE, {**ONE, aspect: value})] == [told]


def test_what_only_one_engine_shows_is_a_difference() -> None:
    """A record that is left, for instance."""
    other = {name: value for name, value in ONE.items() if name != "volume: status"}
    assert differences(ONE, other) == [Difference("volume: status", "available", "nothing")]
