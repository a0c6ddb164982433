"""All faults of the control plane."""

from __future__ import annotations

from tests.conformance.mutants.control_plane import FAULTS
from tests.conformance.mutants.refusing import OF_REFUSALS
from tests.conformance.mutants.swapping import OF_SWAPS
from tests.conformance.mutants.telling import OF_TELLING
from tests.conformance.mutants.temporary import OF_TEMPORARY_VOLUMES
from tests.conformance.mutants.ways import OF_WAYS

EVERY_FAULT = {**FAULTS, **OF_REFUSALS, **OF_TEMPORARY_VOLUMES, **OF_SWAPS, **OF_WAYS, **OF_TELLING}
"""By what is wrong."""
