"""All wrong drivers."""

from __future__ import annotations

from tests.conformance.mutants import connections, copying, grouping, hiding, migrating, misconduct, volumes
from tests.conformance.mutants.planted import Planted, planted_in

MUTANTS: list[Planted] = [
    planted
    for module in (migrating, volumes, copying, hiding, connections, grouping, misconduct)
    for planted in planted_in(module)
]
