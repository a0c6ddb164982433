"""The operators of extra specs: ``">= 500"``, ``"<is> True"``, ``"<or> ssd <or> nvme"``.

Source: `cinder.scheduler.filters.extra_specs_ops:match`, `oslo_utils.strutils:bool_from_string`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_TRUE_WORDS = frozenset({"1", "t", "true", "on", "y", "yes"})


def as_bool(value: object) -> bool:
    """True for True and for the words that mean it; anything else is false."""
    return value if isinstance(value, bool) else str(value).strip().lower() in _TRUE_WORDS


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[Any, str], bool]:
    return lambda value, word: compare(float(value), float(word))


_OPERATORS: Mapping[str, Callable[[Any, str], bool]] = MappingProxyType({
    "=": _numeric(operator.ge),  # sic: at least as much
    "==": _numeric(operator.eq),
    "!=": _numeric(operator.ne),
    ">=": _numeric(operator.ge),
    "<=": _numeric(operator.le),
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
    "<in>": lambda value, word: word in value,
    "<is>": lambda value, word: as_bool(value) is as_bool(word),
})  # fmt: skip


def match(value: object, requirement: str | None) -> bool:
    """True if a capability of that value satisfies the requirement.

    The first word is the operator, the second the operand; further words count for ``<or>`` only. Without an
    operator, value and requirement must be equal. A value that is no number satisfies no numeric operator.
    As in Cinder, ``<or>`` on its own raises IndexError, and an operator that cannot be applied to the type of
    the value (``s<`` to an integer) raises TypeError: the whole scheduling request then fails.
    """
    if requirement is None:
        return value is None
    name, *words = requirement.split() or [""]
    compare = _OPERATORS.get(name)
    if compare is None and name != "<or>":
        return value == requirement
    if value is None:
        return False
    if compare is None:
        return _is_one_of(value, words)
    try:
        return bool(words) and bool(compare(value, words[0]))
    except ValueError:
        return False


def _is_one_of(value: object, words: list[str]) -> bool:
    """The words at even places are the choices; those between, meant to be ``<or>``, are not looked at."""
    if not words:
        raise IndexError("pop from empty list")
    return value in words[::2]
