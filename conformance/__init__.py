"""Conformance: laws that a volume driver must keep, and a runner that holds it to them.

Start with `subject`, then `check_level` or one of the other functions; ``crucible certify`` and the pytest
plug-in `conformance.plugin` are thin shells over the same.
"""

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
from conformance.subject import Subject, subject

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
