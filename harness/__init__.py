"""Crucible's control plane, matrix and command line.

The ground floor (`model`, `driver`, `results`, `checkers`, `sim`, `registry`, `errors`) knows nothing of
what stands on it; `docs/architecture.md` says who may import whom.
"""

__version__ = "0.1.0"
