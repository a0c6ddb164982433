"""Filter and goodness functions: ``"stats.total_capacity_gb > 500 and volume.size < 10"``.

An operator writes them into a back-end's section, or a driver reports them. Source:
`cinder.scheduler.evaluator.evaluator:evaluate`, as it is with pyparsing up to 3.3.2. (With 3.3.3 the same code
takes the name of a variable for that of a function, and refuses whatever has a variable in it:
``docs/bugs/filter-function-refused.md``.)
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import pyparsing as pp

Names = Mapping[str, Mapping[str, Any] | None]
"""What is after the dot, by what is before it: stats, capabilities, volume, extra, qos."""
_Term = Callable[[Names], Any]

_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType({
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / float(right),
})  # fmt: skip
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType({
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "!=": operator.ne,
    "==": operator.eq, "<>": operator.ne,
})  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType({"abs": abs, "max": max, "min": min})
_VARIABLE = re.compile(r"[a-zA-Z_]+\.[a-zA-Z_]+")


def evaluate(function: str, names: Names) -> Any:
    """The value of a function: a number, a text, or a boolean.

    Whatever is wrong with it raises something: ParseException, KeyError for a name that is not known, TypeError
    for one that has no value, ZeroDivisionError, ...
    """
    (term,) = _grammar().parse_string(function, parse_all=True)
    return term(names)


def _word(text: str) -> _Term:
    """A number, a text or a variable. Numbers with a fraction that a back-end reports lose it."""

    def value(names: Names) -> Any:
        found: Any = text
        if _VARIABLE.fullmatch(text):
            which, name = text.split(".")
            found = names[which][name]  # type: ignore[index]  # None raises TypeError, as it should
        for number in (int, float):
            try:
                return number(found)
            except ValueError:
                continue
        return found.replace('"', "").replace("'", "")

    return value


def _call(name: str, argument: _Term) -> _Term:
    def value(names: Names) -> Any:
        given = argument(names)
        return _FUNCTIONS[name](*given) if isinstance(given, list) else _FUNCTIONS[name](given)

    return value


def _calculation(first: _Term, *rest: Any) -> _Term:
    """From left to right, whatever is between."""

    def value(names: Names) -> Any:
        result = first(names)
        for sign, term in zip(rest[::2], rest[1::2], strict=True):
            result = _ARITHMETIC[sign](result, term(names))
        return result

    return value


def _comparison(first: _Term, *rest: Any) -> _Term:
    """A chain holds if each pair of neighbours does."""
    terms = (first, *rest[1::2])

    def value(names: Names) -> Any:
        pairs = zip(rest[::2], pairwise(terms), strict=True)
        return all(_COMPARISONS[sign](left(names), right(names)) for sign, (left, right) in pairs)

    return value if rest else first


def _choice(condition: _Term, *rest: Any) -> _Term:
    """What follows the first three terms is not looked at: ``a ? b : c ? d : e`` is ``a ? b : c``."""
    if not rest:
        return condition
    return lambda names: (rest[1] if condition(names) else rest[3])(names)


def _both(left: _Term, *rest: Any) -> _Term:
    """``a and b and c`` is ``a and b``: a third term is parsed and forgotten. Both sides are evaluated."""

    def value(names: Names) -> Any:
        sides = left(names), rest[1](names)
        return sides[0] and sides[1]

    return value if rest else left


def _either(left: _Term, *rest: Any) -> _Term:
    """The same of ``or``."""

    def value(names: Names) -> Any:
        sides = left(names), rest[1](names)
        return sides[0] or sides[1]

    return value if rest else left


def _list(first: _Term, *rest: Any) -> _Term:
    """Arguments, from right to left."""

    def value(names: Names) -> Any:
        others = rest[1](names)
        return [first(names), *(others if isinstance(others, list) else [others])]

    return value if rest else first


@cache
def _grammar() -> pp.ParserElement:
    """Written out, one level per precedence: `infix_notation` takes exponential time in nested parentheses."""
    expression = pp.Forward()
    name = pp.Word(pp.alphas + "_.")
    number = pp.Combine(pp.Word(pp.nums) + "." + pp.Word(pp.nums)) | pp.Word(pp.nums)
    word = (number | name | pp.quoted_string).set_parse_action(lambda found: _word(found[0]))
    atom = word | pp.Suppress("(") + expression + pp.Suppress(")")

    function, power, sign, negation = pp.Forward(), pp.Forward(), pp.Forward(), pp.Forward()
    function <<= (name + function).set_parse_action(lambda found: _call(*found)) | atom
    power <<= (function + pp.Optional("^" + power)).set_parse_action(_power)
    sign <<= (pp.one_of("+ -") + sign).set_parse_action(_sign) | power
    product = _level(sign, pp.one_of("* /"), _calculation)
    total = _level(product, pp.one_of("+ -"), _calculation)
    negation <<= (pp.one_of("NOT not !") + negation).set_parse_action(
        lambda found: lambda names: not found[1](names)
    ) | total
    comparison = _level(negation, pp.one_of(list(_COMPARISONS)), _comparison)
    choice = (comparison + pp.ZeroOrMore("?" + comparison + ":" + comparison)).set_parse_action(
        lambda found: _choice(*found)
    )
    both = _level(choice, pp.one_of("AND and &&"), _both)
    either = _level(both, pp.one_of("OR or ||"), _either)
    expression <<= (either + pp.Optional("," + expression)).set_parse_action(lambda found: _list(*found))
    return expression


def _level(
    operand: pp.ParserElement, sign: pp.ParserElement, meaning: Callable[..., _Term]
) -> pp.ParserElement:
    return (operand + pp.ZeroOrMore(sign + operand)).set_parse_action(lambda found: meaning(*found))


def _power(found: pp.ParseResults) -> _Term:
    base, *rest = found
    return (lambda names: base(names) ** rest[1](names)) if rest else base


def _sign(found: pp.ParseResults) -> _Term:
    sign, term = found
    return lambda names: -term(names) if sign == "-" else term(names)
