"""Which release of Nova behaves how."""

from __future__ import annotations

import pytest

from harness.control_plane.nova_profiles import nova_profile
from harness.errors import InputError
from harness.matrix import axes


@pytest.mark.parametrize(
    ("release", "profile"),
    [(12, "20"), (20, "20"), (21, "21"), (22, "21"), (23, "23"), (28, "23"), (29, "32"), (33, "32")],
)
def test_a_release_of_nova_has_a_profile(release: int, profile: str) -> None:
    """The bounds of every range, each leading to a value of the axis."""
    assert nova_profile(release) == profile
    assert profile in axes.NOVA.values


@pytest.mark.parametrize("release", [-1, 11, 34, 2025])
def test_an_unknown_release_of_nova_is_refused(release: int) -> None:
    """The text names the known range."""
    with pytest.raises(InputError, match="12 to 33"):
        nova_profile(release)
