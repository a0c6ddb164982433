"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A time limit says how busy the machine is, and nothing of the code: benchmarks measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
