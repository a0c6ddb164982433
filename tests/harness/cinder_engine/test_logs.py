"""What Cinder logs, as the timeline shows it."""

from __future__ import annotations

import pytest

from harness.cinder_engine.release import installed

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        ("<RequestContext object at 0x7ff25f3d4090>", "<RequestContext object>"),
        ("Remote error: E disk\nTraceback (most recent call last):\n  File here", "Remote error: E disk"),
    ],
)
def test_lines_say_nothing_of_this_process(logged: str, shown: str) -> None:
    """Neither addresses in its memory nor source lines of this machine: both differ from run to run."""
    from harness.cinder_engine.seams.logs import said

    assert said(logged) == shown
