"""The commands of ``crucible``, one module each, joined in `harness.cli`."""
