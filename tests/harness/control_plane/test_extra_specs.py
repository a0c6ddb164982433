"""The operators of extra specs. The pairs were run through Cinder 29.0.0's own function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.control_plane import extra_specs

# value, requirement, satisfied
OBSERVED: list[tuple[object, str | None, bool]] = [
    # no operator: equality of the whole, type included
    ("gold", "gold", True),
    ("gold", "silver", False),
    ("gold", " gold", False),
    ("gold plated", "gold plated", True),
    (5, "5", False),
    (True, "True", False),
    ("> 5", "> 5", True),
    ("", "", True),
    (None, "", False),
    # "=" means at least
    (10, "= 5", True),
    (5, "= 5", True),
    (4, "= 5", False),
    ("10", ">= 9", True),
    (10, "== 10.0", True),
    (10, "!= 10", False),
    (2.5, "<= 2.5", True),
    (True, "== 1", True),
    ("nan", "!= nan", True),
    ("abc", ">= 1", False),
    (1, ">= abc", False),
    (1, ">=", False),
    (5, ">= 3 9", True),
    # ">" and "<" are no operators
    (5, "> 3", False),
    # strings
    ("10", "s== 10", True),
    ("10", "s< 9", True),
    ("b", "s> a", True),
    ("b", "s!= b", False),
    (5, "s== 5", False),
    # substrings
    ("iSCSI", "<in> SCSI", True),
    ("iSCSI", "<in> scsi", False),
    (["a", "b"], "<in> a", True),
    # booleans
    (True, "<is> True", True),
    ("yes", "<is> on", True),
    (False, "<is> no", True),
    ("maybe", "<is> False", True),
    (1, "<is> t", True),
    (None, "<is> False", False),
    # choices, which are compared as strings
    ("ssd", "<or> ssd <or> nvme", True),
    ("nvme", "<or> ssd <or> nvme", True),
    ("hdd", "<or> ssd <or> nvme", False),
    (5, "<or> 5", False),
    ("<or>", "<or> a <or> b", False),
    ("c", "<or> a b c", True),
    # None
    (None, None, True),
    ("a", None, False),
    (None, "== 1", False),
]


@pytest.mark.parametrize(("value", "requirement", "satisfied"), OBSERVED)
def test_match_agrees_with_cinder(value: object, requirement: str | None, satisfied: bool) -> None:
    """`cinder.scheduler.filters.extra_specs_ops:match`."""
    assert extra_specs.match(value, requirement) is satisfied


@pytest.mark.parametrize(
    ("value", "requirement", "error"),
    [
        ("a", "<or>", IndexError),
        (5, "s< 9", TypeError),
        (5, "<in> 5", TypeError),
        (["a"], ">= 1", TypeError),
    ],
)
def test_an_operator_that_cannot_be_applied_raises_as_in_cinder(
    value: object, requirement: str, error: type[Exception]
) -> None:
    """Only ValueError is caught there; the rest fails the scheduling request."""
    with pytest.raises(error):
        extra_specs.match(value, requirement)


@given(value=st.integers(-(10**6), 10**6), bound=st.integers(-(10**6), 10**6))
def test_numeric_operators_compare_numbers(value: int, bound: int) -> None:
    """The law behind the table."""
    assert extra_specs.match(value, f"= {bound}") == (value >= bound)
    assert extra_specs.match(str(value), f">= {bound}") == (value >= bound)
    assert extra_specs.match(value, f"<= {bound}") == (value <= bound)
    assert extra_specs.match(value, f"== {bound}") == (not extra_specs.match(value, f"!= {bound}"))


@given(st.lists(st.sampled_from(["ssd", "nvme", "hdd"]), min_size=1), st.sampled_from(["ssd", "nvme", "hdd"]))
def test_or_is_membership(choices: list[str], value: str) -> None:
    """Whatever the number of choices."""
    assert extra_specs.match(value, " ".join(f"<or> {choice}" for choice in choices)) == (value in choices)
