"""The table of wrong drivers and the laws that find them: ``python -m tests.conformance.mutants.table``."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.mutants.catalogue import MUTANTS
from tests.conformance.mutants.every_fault import EVERY_FAULT
from tests.conformance.mutants.planted import Planted

PLACE = Path(__file__).parents[3] / "docs" / "laws-and-mutants.md"
HEAD = """# Laws and mutants

Each wrong driver of `tests/conformance/mutants` has one fault, and the law that is named must find it:
`pytest tests/conformance/test_mutants.py`. Those whose names begin with M are what bugs of Cinder's
drivers were made of.

| mutant | reference driver | what is wrong | law that finds it |
|---|---|---|---|
"""
CONTROL_PLANE = """
## Faults of the control plane

They are planted in the simulated Cinder and Nova (`tests/conformance/mutants/every_fault.py`), and found
by laws on the whole: `pytest tests/conformance/test_control_plane_mutants.py`.

| what is wrong | driver | law that finds it |
|---|---|---|
"""


def table() -> str:
    """The page, in the order of the catalogue."""
    drivers = "".join(
        f"| {planted.id} | {_reference(planted)} | {planted.change} | {planted.law} |\n" for planted in MUTANTS
    )
    faults = "".join(f"| {name} | {fault.subject} | {fault.law} |\n" for name, fault in EVERY_FAULT.items())
    return HEAD + drivers + CONTROL_PLANE + faults


def _reference(planted: Planted) -> str:
    """LVM, RBD or NFS, the class below `VolumeDriver`; with the kind of its volumes, if that matters."""
    name = planted.driver.__mro__[-3].__name__.removesuffix("Driver").upper()
    return f"{name} {planted.on.partition('-')[2]}" if planted.on else name


if __name__ == "__main__":
    PLACE.write_text(table())
