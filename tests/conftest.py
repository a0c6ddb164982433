"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A time limit says how busy the machine is, and nothing of the code: benchmarks measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# For machines that look for what breaks a law (`tests/fake_backends/laws`), many fresh examples each night.
settings.register_profile("nightly", deadline=None, max_examples=2000, stateful_step_count=50)
