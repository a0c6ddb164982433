"""What a step shows of foreign values."""

from __future__ import annotations

from conformance.foreign.guard import described, shortened


def test_where_an_object_is_in_memory_is_not_shown() -> None:
    """It differs from run to run, and the same seed writes the same certificate."""
    assert shortened([object()]) == "[<object object>]"
    assert described(ValueError(f"{object()} is no volume")) == "ValueError: <object object> is no volume"
