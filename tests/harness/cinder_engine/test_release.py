"""Which Cinder may run, and what is said of others."""

from __future__ import annotations

import pytest

from harness.cinder_engine.release import supported
from harness.errors import InputError


@pytest.mark.parametrize("version", ["22.1.0", "24.0.0", "26.1.0", "29.0.0", "29.0.1.dev3"])
def test_supported_releases_are_taken(version: str) -> None:
    """Antelope to 2026.2, whatever the point release."""
    assert supported(version) == version


@pytest.mark.parametrize("version", [None, "21.3.2", "30.0.0", "2014.1", "unknown"])
def test_other_releases_are_refused_in_one_line_that_says_what_to_install(version: str | None) -> None:
    """Without Cinder, too."""
    with pytest.raises(InputError, match=r"pip install 'cinder-crucible\[cinder\]'") as refusal:
        supported(version)
    assert "\n" not in str(refusal.value)
