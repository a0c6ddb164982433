"""Filter and goodness functions. The table was run through Cinder 29.0.0's evaluator, with pyparsing 3.2.5."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.control_plane.functions import evaluate

NAMES: dict[str, dict[str, Any] | None] = {
    "stats": {"free_capacity_gb": 3.7, "total_capacity_gb": 10, "name": "abc", "flag": True,
              "storage_protocol": "iSCSI"},
    "capabilities": {"nothing": None, "several": [1]}, "volume": {"size": 5}, "extra": {}, "qos": None,
}  # fmt: skip

VALUES: list[tuple[str, Any]] = [
    ("1+2*3", 7), ("2^3^2", 512), ("-2^2", -4), ("10/4", 2.5), ("7 - 2 - 1", 4), ("8/2/2", 2.0), ("- - 3", 3),
    ("2 * -3", -6), ("1.5", 1.5), ("(((((1)))))", 1),
    ("max(1,2,3)", 3), ("abs(-3)", 3), ("min(5, volume.size*2)", 5), ("1,2", [1, 2]),
    ("1 < 2 < 3", True), ("3 > 2 > 2", False), ("2 <> 3", True), ("1 == 1 == 1", True),
    ("not 1", False), ("! 0", True), ("!1 < 2", True), ("not 1 == 2", False), ("not (1 == 2)", True),
    ("1 ? 2 : 3", 2), ("0 ? 2 : (0 ? 4 : 5)", 5), ("1 || 0", 1), ("volume.size < 10 && 1", 1),
    ("volume.size < 10 AND stats.total_capacity_gb > 3", True), ("-volume.size + 3", -2),
    ("'abc' == stats.name", True), ("stats.storage_protocol=='iSCSI'", True), ("stats.flag == 1", True),
    # words of the code: fractions are lost, a third term is not looked at, and what is no variable is a text
    ("stats.free_capacity_gb * 2", 6), ("1 and 1 and 0", 1), ("0 or 0 or 1", 0), ("0 ? 2 : 0 ? 4 : 5", 0),
    ("volume_size", "volume_size"), ("abc.def.ghi", "abc.def.ghi"), ("nothing", False), ("not1", False),
]  # fmt: skip


@pytest.mark.parametrize(("function", "value"), VALUES)
def test_the_value_of_a_function(function: str, value: Any) -> None:
    """As Cinder evaluates it."""
    assert evaluate(function, NAMES) == value


@pytest.mark.parametrize(
    "function",
    ["1 +", "1 ? 2", "", "a b", "foo(3)", "max(1)", "1/0", '"5" + 1', "stats.nothing > 1", "host.x",
     "qos.iops > 1", "capabilities.nothing", "capabilities.several == 1", "volume.size2 < 1"],
)  # fmt: skip
def test_a_function_that_has_no_value(function: str) -> None:
    """It raises; what, nobody looks at."""
    with pytest.raises(Exception):  # noqa: B017 (anything)
        evaluate(function, NAMES)


@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        max_leaves=8,
    )
)
def test_arithmetic_is_arithmetic(function: str) -> None:
    """In any nesting."""
    assert evaluate(function, {}) == eval(function)
