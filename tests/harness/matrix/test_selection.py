"""What `--select`, `--shard`, `--spread` and `--nova` choose, and how they refuse what they cannot read."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.matrix import axes
from harness.matrix.cells import Cell
from harness.matrix.selection import select, shard, spread

BACKENDS = ("lvm-1", "lvm-2", "rbd-1")
CELLS = [
    Cell(operation=operation, source=source, destination=destination, status=status)
    for operation in ("migrate", "retype")
    for source in BACKENDS
    for destination in BACKENDS
    for status in axes.STATUS.values
]


def ids(expression: str) -> list[str]:
    return [cell.id for cell in select(CELLS, expression, BACKENDS)]


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("operation=retype", lambda c: c.operation == "retype"),
        ("operation != retype", lambda c: c.operation != "retype"),
        ("source~lvm", lambda c: "lvm" in c.source),
        ("source !~ lvm", lambda c: "lvm" not in c.source),
        ("status in (in-use, read-only)", lambda c: c.status in ("in-use", "read-only")),
        ("status not in (in-use)", lambda c: c.status != "in-use"),
        ("status='in-use'", lambda c: c.status == "in-use"),
        ('source="lvm-1" AND destination=rbd-1', lambda c: (c.source, c.destination) == ("lvm-1", "rbd-1")),
        (
            "operation=retype and source~lvm and status=in-use",
            lambda c: c.operation == "retype" and "lvm" in c.source and c.status == "in-use",
        ),
        (
            "operation=migrate or source=rbd-1 and status=in-use",
            lambda c: c.operation == "migrate" or (c.source == "rbd-1" and c.status == "in-use"),
        ),
        (
            "(operation=migrate or source=rbd-1) and status=in-use",
            lambda c: (c.operation == "migrate" or c.source == "rbd-1") and c.status == "in-use",
        ),
        (
            "not source~lvm and not (status=in-use or not operation=retype)",
            lambda c: c.source == "rbd-1" and c.status != "in-use" and c.operation == "retype",
        ),
        ("not not operation=retype", lambda c: c.operation == "retype"),
    ],
)
def test_an_expression_selects_what_it_says(expression: str, rule: object) -> None:
    """Every operator, and the precedence not > and > or."""
    assert callable(rule)
    assert ids(expression) == [cell.id for cell in CELLS if rule(cell)]


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["source=lvm-1", "status=in-use", "operation=retype"]), min_size=1, max_size=5))
def test_and_is_intersection_or_is_union(conditions: list[str]) -> None:
    """Sets obey the expression; the order of the cells stays."""
    alone: list[set[str]] = [set(ids(condition)) for condition in conditions]
    assert set(ids(" and ".join(conditions))) == set.intersection(*alone)
    any_of = {cell_id for matching in alone for cell_id in matching}
    assert set(ids(" or ".join(conditions))) == any_of
    assert set(ids(f"not ({' or '.join(conditions)})")) == {c.id for c in CELLS} - any_of


def test_an_unknown_axis_suggests_the_nearest() -> None:
    """The text names the axis, the nearest one and all of them, on one line."""
    with pytest.raises(InputError) as caught:
        ids("sorce=lvm-1")
    text = str(caught.value)
    assert text.startswith("unknown axis 'sorce' in --select; did you mean 'source'? axes: operation, source,")
    assert "\n" not in text


def test_an_unknown_value_suggests_the_nearest() -> None:
    """Values are checked against the axis, those of source and destination against the deployment."""
    with pytest.raises(InputError, match=r"'in-us' of axis 'status'.*did you mean 'in-use'\?"):
        ids("status=in-us")
    with pytest.raises(InputError, match=r"'lvm-3' of axis 'source'.*back-ends: lvm-1, lvm-2, rbd-1"):
        ids("source in (lvm-1, lvm-3)")
    with pytest.raises(InputError, match="'nothing-like-it' of axis 'destination' in --select; back-ends"):
        ids("destination != nothing-like-it")


@pytest.mark.parametrize(
    "expression",
    ["", "  ", "status", "status=", "=x", "status==in-use", "(status=in-use", "status=in-use)", "status in ()",
     "status=in-use source=lvm-1", "and", "status=in-use and", "not", "status in in-use", "status='in-use",
     "status=not", "\x00", "(" * 5000],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_on_one_line(expression: str) -> None:
    """Broken expressions, however deep, are the user's error."""
    with pytest.raises(InputError, match=r"^--select") as caught:
        ids(expression)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(expression: str) -> None:
    """No text breaks the parser."""
    try:
        ids(expression)
    except InputError:
        pass


@pytest.mark.parametrize("count", [1, 2, 7])
def test_shards_partition_the_cells(count: int) -> None:
    """Each cell is in exactly one of n shards."""
    parts = [shard(CELLS, f"{number}/{count}") for number in range(1, count + 1)]
    assert sorted(cell.id for part in parts for cell in part) == sorted(cell.id for cell in CELLS)


def test_a_shard_is_stable_when_cells_are_added() -> None:
    """A cell's shard depends on its own id alone."""
    some = CELLS[::3]
    assert shard(some, "1/3") == [cell for cell in shard(CELLS, "1/3") if cell in some]


def test_a_shard_does_not_depend_on_the_process() -> None:
    """The hash is a fixed one: this very assignment holds on every machine."""
    assert [cell.id for cell in shard(CELLS[:6], "1/2")] == [
        "migrate/lvm-1/lvm-1/available",
        "migrate/lvm-1/lvm-1/in-use",
        "migrate/lvm-1/lvm-2/available",
    ]


KINDS = {"lvm-1": "lvm", "lvm-2": "lvm", "rbd-1": "rbd"}


def test_a_spread_sample_shows_every_value() -> None:
    """Each status with each pair of kinds in a fourth of the cells; the order is that of the cells."""
    sample = spread(CELLS, KINDS, len(CELLS) // 4)
    assert len(sample) == len(CELLS) // 4
    assert sample == [cell for cell in CELLS if cell in sample]
    for axis in ("operation", "source", "destination", "status"):
        assert {getattr(cell, axis) for cell in sample} == {getattr(cell, axis) for cell in CELLS}
    pairs = {(KINDS[cell.source], KINDS[cell.destination], cell.status) for cell in sample}
    assert len(pairs) == 4 * len(axes.STATUS.values)


def test_a_larger_sample_holds_the_smaller_ones() -> None:
    """The best cells are the best in every number."""
    samples = [set(spread(CELLS, KINDS, count)) for count in range(1, len(CELLS) + 1)]
    assert all(smaller < larger for smaller, larger in pairwise(samples))
    assert spread(CELLS, KINDS, len(CELLS) + 1) == CELLS


@pytest.mark.parametrize(
    "part", ["", "1", "0/2", "3/2", "a/b", "1/0", "-1/2", "1/2/3", " 1/2", "1/9999999", "²/3"]
)
def test_a_bad_shard_is_refused(part: str) -> None:
    """Only i/n with 1 <= i <= n is a shard."""
    with pytest.raises(InputError, match="--shard"):
        shard(CELLS, part)
