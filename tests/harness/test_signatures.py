"""Signatures, and the calls that fit them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.signatures import Call, misfit, signature_of


def plain(self: Any, volume: Any, connector: Any) -> None: ...
def forceful(self: Any, volume: Any, connector: Any, **kwargs: Any) -> None: ...
def optional(self: Any, volume: Any, connector: Any = None, *, force: bool = False) -> None: ...
def anything(self: Any, *args: Any) -> None: ...
def more(self: Any, volume: Any, connector: Any, secret: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "call", "reason"),
    [
        (plain, Call("f", 2), ""),
        (plain, Call("f", 2, ("force",)), "does not take the keyword force"),
        (plain, Call("f", 3), "takes 2 arguments, and is given 3"),
        (plain, Call("f", 1, ("connector",)), ""),
        (plain, Call("f", 2, ("volume",)), "is given volume twice"),
        (forceful, Call("f", 2, ("force",)), ""),
        (optional, Call("f", 1), ""),
        (optional, Call("f", 2, ("force",)), ""),
        (anything, Call("f", 7), ""),
        (more, Call("f", 2), "wants secret, which nobody passes"),
    ],
)
def test_a_call_fits_as_python_says(function: Any, call: Call, reason: str) -> None:
    """The reason is empty exactly where Python would make the call."""
    assert misfit(signature_of(function, bound=False), call) == reason
    try:
        function(None, *[None] * call.positional, **dict.fromkeys(call.keywords))
    except TypeError:
        assert reason
    else:
        assert not reason


def test_signatures_can_be_read() -> None:
    """As in the source, without self."""
    assert ", ".join(map(str, signature_of(optional, bound=False))) == "volume, connector=..., force=..."
    assert str(Call("f", 2, ("force",))) == "f(..., ..., force=)"
