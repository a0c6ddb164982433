"""A disk shelf, its driver and its fake: a worked example for docs/conformance.md."""
