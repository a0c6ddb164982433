"""Conformance: laws that a volume driver must keep, and a runner that holds it to them.

Start with `subject`, then `check_level` or one of the other functions; ``crucible certify`` and the pytest
plug-in `conformance.plugin` are thin shells over the same.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.elsewhere import any_subject as subject
    from conformance.functions import (
        check_clones,
        check_connections,
        check_exports,
        check_extend,
        check_laws,
        check_level,
        check_migration,
        check_names,
        check_snapshots,
        check_stats,
        check_volumes,
    )
    from conformance.subjects import Subject

__all__ = [
    "Subject",
    "check_clones",
    "check_connections",
    "check_exports",
    "check_extend",
    "check_laws",
    "check_level",
    "check_migration",
    "check_names",
    "check_snapshots",
    "check_stats",
    "check_volumes",
    "subject",
]


_PLACES = {
    "Subject": ("conformance.subjects", "Subject"),
    "subject": ("conformance.elsewhere", "any_subject"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: pytest loads the plug-in of this package in every run."""
    if name in __all__:
        module, attribute = _PLACES.get(name, ("conformance.functions", name))
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
