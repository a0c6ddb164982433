"""Versioned JSON documents: how results and certificates are written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.errors import InputError

_Document = TypeVar("_Document", bound=msgspec.Struct)


def encode(document: msgspec.Struct) -> bytes:
    """The document as JSON, indented by two, with a line feed at the end (see `compact`)."""
    return msgspec.json.format(compact(document), indent=2) + b"\n"


def compact(document: msgspec.Struct) -> bytes:
    """The document as JSON on one line.

    Text from a driver that is no Unicode (undecodable bytes of a file name, say) is written with escapes.
    """
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(_printable(msgspec.to_builtins(document)))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value


def load(path: Path, kind: type[_Document], *, schema: int, noun: str, otherwise: str) -> _Document:
    """Read a document of that kind. InputError if it cannot be read, is none, or is of another schema.

    `noun` is what messages call such a document, `otherwise` what they say of a file that is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        header = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        found = msgspec.json.decode(header.get("schema", b"null"))
        if found != schema:
            raise InputError(f"{path}: {noun} schema {found!r}, but this version reads schema {schema}")
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {otherwise}: {error}") from None
