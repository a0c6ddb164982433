"""All wrong drivers."""

from __future__ import annotations

from tests.conformance.mutants import (
    answers,
    arriving,
    assisting,
    connections,
    copying,
    grouping,
    hiding,
    imaging,
    migrating,
    misconduct,
    moving,
    reporting,
    storing,
    volumes,
)
from tests.conformance.mutants.planted import Planted, planted_in

MODULES = (
    migrating,
    moving,
    arriving,
    assisting,
    volumes,
    copying,
    storing,
    hiding,
    connections,
    reporting,
    answers,
    imaging,
    grouping,
    misconduct,
)
MUTANTS: list[Planted] = [planted for module in MODULES for planted in planted_in(module)]
