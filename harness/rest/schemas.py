"""The forms of bodies that many operations share, as JSON schemas.

Source: `cinder.api.validation.parameter_types`. The order of the keywords matters: of several violations the
first is reported, and the client sees its text.
"""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]

DB_INT_MAX = 0x7FFFFFFF


def only(name: str, value: Schema) -> Schema:
    """An object with that one member."""
    return record({name: value}, name)


def record(properties: dict[str, Schema], *required: str, **more: Any) -> Schema:
    """An object with those members and no others, `required` among them."""
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {**schema, "additionalProperties": False, **more}


def any_of(*required: str) -> list[Schema]:
    """At least one of these members."""
    return [{"required": [name]} for name in required]


def mapping(keys: str, value: Schema, **more: Any) -> Schema:
    """An object whose keys match a pattern."""
    return {"type": "object", "patternProperties": {keys: value}, "additionalProperties": False, **more}


def nullable(schema: Schema) -> Schema:
    """The same type, or null."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Horizontal spaces, which Python does not count as printable."""


def _printable_text() -> str:
    """Matches printable characters and horizontal spaces of the basic plane."""
    good = [character.isprintable() or character in _SPACES for character in map(chr, range(0xFFFF))]
    edges = [code for code in range(1, len(good)) if good[code] != good[code - 1]]
    ranges = zip(edges[::2], edges[1::2], strict=True)  # from a good one to one that is not
    return f"^[{''.join(_range(first, last - 1) for first, last in ranges)}]*$"


def _range(first: int, last: int) -> str:
    return "-".join(re.escape(chr(code)) for code in dict.fromkeys((first, last)))


ANYTHING: Schema = {}
BOOLEAN: Schema = {
    "type": ["boolean", "string"],
    "enum": [
        True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t",
        False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f",
    ],
}  # fmt: skip
OPTIONAL_BOOLEAN: Schema = {"oneOf": [{"type": "null"}, BOOLEAN]}
UUID: Schema = {"type": "string", "format": "uuid"}
OPTIONAL_UUID: Schema = {"oneOf": [{"type": "null"}, UUID]}
UUID_OR_NULL: Schema = {"oneOf": [UUID, {"type": "null"}]}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
ANY_NAME: Schema = {"type": ["string", "null"], "minLength": 0, "maxLength": 255}
DESCRIPTION: Schema = {
    "type": ["string", "null"], "minLength": 0, "maxLength": 255, "pattern": _printable_text()
}  # fmt: skip
TRIMMED_NAME: Schema = {"type": ["string", "null"], "format": "name_non_mandatory_remove_white_spaces"}
TRIMMED_DESCRIPTION: Schema = {
    "type": ["string", "null"], "format": "description_non_mandatory_remove_white_spaces"
}  # fmt: skip
SIZE: Schema = {"type": ["integer", "string"], "pattern": "^[0-9]+$", "minimum": 1, "maximum": DB_INT_MAX}
HOST: Schema = {
    "type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-._#@:/+\[\]]*$"
}  # fmt: skip
HOST_NAME: Schema = {
    "type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9-._#@:/+]*$"
}  # fmt: skip
ZONE: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
SHORT_TEXT: Schema = {"type": "string", "maxLength": 255}
METADATA: Schema = mapping("^[a-zA-Z0-9-_:. /]{1,255}$", SHORT_TEXT)
METADATA_OR_NULL: Schema = nullable(METADATA)
SPECS_OR_NULL_VALUES: Schema = mapping("^[a-zA-Z0-9-_:. /]{1,255}$", nullable(SHORT_TEXT))
EXTRA_SPECS: Schema = mapping(
    "^[a-zA-Z0-9-_:.]{1,255}$", {"type": ["string", "null"], "minLength": 0, "maxLength": 255}
)
ONE_EXTRA_SPEC: Schema = {**EXTRA_SPECS, "minProperties": 1, "maxProperties": 1}
ONE_METADATUM: Schema = {**METADATA, "minProperties": 1, "maxProperties": 1}
