"""Answers in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode


def json_answer(body: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`body`, as JSON writes it."""
    return Response(_encode(body), code, headers, media_type="application/json")
