"""Choosing cells: the expression of ``--select``, the parts of ``--shard``, the sample of ``--spread``, the
releases of ``--nova``.

    operation=retype and source~lvm and not (status in (read-only, multi-attached) or fill=full)

A condition is ``axis = value``, ``!=``, ``~`` (contains), ``!~``, ``in (a, b)`` or ``not in (a, b)``.
``not`` binds closer than ``and``, ``and`` closer than ``or``. Quotes are needed only for values with
blanks or with the names of these operators.
"""

from __future__ import annotations

import difflib
import hashlib
import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import pyparsing as pp

from harness.errors import InputError
from harness.matrix.axes import BY_NAME
from harness.matrix.cells import Cell

BACKEND_AXES = ("source", "destination")


# ------------------------------------------------------------------------------------------- the grammar


class Condition(NamedTuple):
    """One comparison. `operator` is = != ~ !~ in or "not in"; only the last two take several values."""

    axis: str
    operator: str
    values: tuple[str, ...]

    def matches(self, cell: Cell) -> bool:
        actual: str = getattr(cell, self.axis)
        if "~" in self.operator:
            return (self.values[0] in actual) == (self.operator == "~")
        return (actual in self.values) == (self.operator in ("=", "in"))

    def conditions(self) -> Iterator[Condition]:
        yield self


class Combination(NamedTuple):
    """Parts joined by `and` or by `or`."""

    joint: str
    parts: tuple[Node, ...]

    def matches(self, cell: Cell) -> bool:
        matches = (part.matches(cell) for part in self.parts)
        return all(matches) if self.joint == "and" else any(matches)

    def conditions(self) -> Iterator[Condition]:
        for part in self.parts:
            yield from part.conditions()


class Negation(NamedTuple):
    """`not` and what follows."""

    part: Node

    def matches(self, cell: Cell) -> bool:
        return not self.part.matches(cell)

    def conditions(self) -> Iterator[Condition]:
        yield from self.part.conditions()


Node: TypeAlias = Condition | Combination | Negation


def _grammar() -> pp.ParserElement:
    """Written out, one level per precedence: `infix_notation` takes exponential time in nested parentheses."""
    inside_words = pp.alphanums + "_.@#:/+-"
    conj, disj, neg, among = (pp.CaselessKeyword(word, inside_words) for word in ("and", "or", "not", "in"))
    keyword = conj | disj | neg | among
    quoted = pp.QuotedString('"') | pp.QuotedString("'")
    axis = (~keyword + pp.Regex(r"[\w-]+")).set_name("an axis")
    value = (quoted | ~keyword + pp.Regex(r"[\w.@#:/+-]+")).set_name("a value")
    comparison = pp.one_of("= != ~ !~").set_name("an operator (= != ~ !~ in)")
    values = pp.Suppress("(") + pp.DelimitedList(value) + pp.Suppress(")")
    membership = pp.Combine(pp.Optional(neg) + among, adjacent=False, join_string=" ")
    condition = axis + (membership + values | comparison + value)
    condition.set_parse_action(lambda tokens: Condition(tokens[0], tokens[1], tuple(tokens[2:])))

    anything = pp.Forward()
    negation = pp.Forward()
    negation <<= (
        (pp.Suppress(neg) + negation).set_parse_action(lambda tokens: Negation(tokens[0]))
        | pp.Suppress("(") + anything + pp.Suppress(")")
        | condition
    )
    conjunction = pp.DelimitedList(negation, conj).set_parse_action(
        lambda tokens: Combination("and", tuple(tokens))
    )
    anything <<= pp.DelimitedList(conjunction, disj).set_parse_action(
        lambda tokens: Combination("or", tuple(tokens))
    )
    return anything


_EXPRESSION = _grammar()


def parse(expression: str) -> Node:
    """The expression as a tree. InputError shows the place where it cannot be read."""
    try:
        node: Node = _EXPRESSION.parse_string(expression, parse_all=True)[0]
    except pp.ParseBaseException as error:
        rest = expression[error.loc :].strip()
        where = f"at {rest!r} (column {error.loc + 1})" if rest else "at its end"
        raise InputError(
            f"--select cannot be read {where}; write conditions such as "
            "operation=retype and source~lvm and status in (in-use, read-only)"
        ) from None
    except RecursionError:
        raise InputError("--select is nested too deeply; use fewer parentheses") from None
    return node


# ---------------------------------------------------------------------------------------------- choosing


def select(cells: Sequence[Cell], expression: str, deployment_backends: Sequence[str]) -> list[Cell]:
    """The cells that match, in their order; none may be left over.

    `deployment_backends` are the names that `source` and `destination` can have. InputError for an
    expression that cannot be read, and for an axis or a value that does not exist.
    """
    node = parse(expression)
    for condition in node.conditions():
        _check(condition, deployment_backends)
    return [cell for cell in cells if node.matches(cell)]


def shard(cells: Sequence[Cell], part: str) -> list[Cell]:
    """The i-th of n parts, for ``i/n``. A cell's part depends on its id alone, so it never moves."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", part)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count:
        raise InputError(f"--shard {part!r} is not i/n with 1 <= i <= n, such as 1/4")
    return [cell for cell in cells if _bucket(cell.id, count) == number - 1]


def spread(cells: Sequence[Cell], kinds: Mapping[str, str], count: int) -> list[Cell]:
    """A sample of `count` cells that have as little in common as possible, in their order.

    `kinds` are those of the back-ends, by name. Each cell is the one that shows most of what no other has
    shown: values of axes, and these together with the kinds of both back-ends, or with operation and status.
    """
    left = {cell: _shown(cell, kinds) for cell in cells}
    gains = [(-len(shown), number, cell) for number, (cell, shown) in enumerate(left.items())]
    heapq.heapify(gains)
    seen: set[tuple[str, ...]] = set()
    chosen: set[Cell] = set()
    while gains and len(chosen) < count:
        gain, number, cell = heapq.heappop(gains)
        now = -len(left[cell] - seen)
        if now == gain:
            chosen.add(cell)
            seen |= left[cell]
        else:
            # What was computed before can only be too much, so what comes out on top is the best.
            heapq.heappush(gains, (now, number, cell))
    return [cell for cell in cells if cell in chosen]


def _shown(cell: Cell, kinds: Mapping[str, str]) -> set[tuple[str, ...]]:
    axes = {**cell.axes, "source": kinds[cell.source], "destination": kinds[cell.destination]}
    pair, asked = (axes["source"], axes["destination"]), (axes["operation"], axes["status"])
    together = [(*company, *value) for company in (pair, asked) for value in axes.items()]
    return {*cell.axes.items(), (*pair, *asked), *together}


def nearest(word: str, known: Sequence[str]) -> str:
    """``; did you mean 'x'?`` for the best of `known`, or nothing where none is near."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ";"


def _bucket(cell_id: str, count: int) -> int:
    return int.from_bytes(hashlib.blake2b(cell_id.encode(), digest_size=8).digest(), "big") % count


def _check(condition: Condition, deployment_backends: Sequence[str]) -> None:
    axis, operator, values = condition
    if axis not in BY_NAME:
        raise InputError(
            f"unknown axis {axis!r} in --select{nearest(axis, list(BY_NAME))} axes: {', '.join(BY_NAME)}"
        )
    if "~" in operator:
        return
    known = list(deployment_backends) if axis in BACKEND_AXES else list(BY_NAME[axis].values)
    for value in values:
        if value not in known:
            what = "back-ends" if axis in BACKEND_AXES else "values"
            raise InputError(
                f"unknown value {value!r} of axis {axis!r} in --select{nearest(value, known)} "
                f"{what}: {', '.join(known)}"
            )
