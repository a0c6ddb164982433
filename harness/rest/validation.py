"""Bodies are checked against their schema, and refused in Cinder's words.

Source: `cinder.api.validation.validators`. Cinder extends draft 4 in one respect: a number may come as a
string, and its bounds hold then, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft4Validator, FormatChecker, ValidationError
from jsonschema.exceptions import FormatError
from jsonschema.validators import extend

from harness.rest.faults import Fault
from harness.rest.formats import FORMATS, InvalidName
from harness.rest.schemas import Schema


class _Formats(FormatChecker):
    """Knows Cinder's formats and no others; a format may refuse in its own words by a Fault."""

    def check(self, instance: object, format: str) -> None:
        holds = FORMATS.get(format)
        try:
            good = holds is None or holds(instance)
        except InvalidName as error:
            raise FormatError(str(error), cause=error) from error
        except (TypeError, AttributeError):
            good = False  # no text where one belongs
        if not good:
            raise FormatError(f"{instance!r} is not a {format!r}")


def _number(value: Any) -> float | None:
    """Of a number, or of a string that reads as one."""
    for kind in (int, float):
        try:
            return kind(value)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def _bound(keyword: str) -> Any:
    original = Draft4Validator.VALIDATORS[keyword]

    def check(validator: Any, limit: float, value: object, schema: Schema) -> Iterator[ValidationError]:
        number = _number(value)
        if number is not None:
            yield from original(validator, limit, number, schema) or ()

    return check


_extended: Any = extend  # untyped in the stubs
_Validator = _extended(Draft4Validator, {keyword: _bound(keyword) for keyword in ("minimum", "maximum")})


def validate(body: Any, schema: Schema) -> None:
    """Fault 400 with the first violation."""
    try:
        error = next(_Validator(schema, format_checker=_Formats()).iter_errors(body), None)
    except TypeError as problem:
        # A pattern for keys, and a key that is none.
        raise Fault(400, str(problem)) from None
    if error is None:
        return
    if isinstance(error.cause, InvalidName):
        raise Fault(400, str(error.cause))
    if error.path:
        raise Fault(
            400,
            f"Invalid input for field/attribute {error.path[-1]}. Value: {error.instance}. {error.message}",
        )
    raise Fault(400, error.message)
