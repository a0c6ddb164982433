"""Laws on the whole control plane notice faults of the control plane, too: they see what a user sees."""

from __future__ import annotations

import pytest

import tests.harness.matrix.test_planted_faults as planted
from conformance.capabilities import Capabilities
from conformance.catalogue import catalogue
from conformance.guard import contained
from conformance.runner import check_law
from conformance.subjects import subject

LAWS = {law.name: law for law in catalogue()}
TO, IN_USE = "migration to/", "in use/"
FOUND_BY = {
    "M29 the status is not restored after a failure": TO + "a_failed_migration_here_keeps_the_volume",
    "M31 a temporary volume that could not be created is left": TO + "a_failed_creation_leaves_no_record",
    "M38 the attachment stays with the temporary volume": IN_USE + "a_guest_goes_on_through_a_migration",
    "M40 the old volume is not deleted": TO + "a_forced_copy_leaves_nothing_at_the_destination",
    "M42 after a failed swap the migration goes on for ever": IN_USE + "a_failed_swap_changes_nothing",
    "M46 the old type is kept": "retypes/a_retype_moves_record_and_data_together",
    "M54 Nova says it has swapped, and has not": IN_USE + "a_guest_goes_on_through_a_migration",
    "M27 the manager never lets the driver move a volume for a retype":
        "retypes/a_retype_for_the_back_end_alone_is_the_drivers",
}  # fmt: skip


@pytest.mark.parametrize("mutant", FOUND_BY)
def test_a_fault_of_the_control_plane_is_found(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law holds without the fault, and breaks with it."""
    under_test = subject("rbd")
    law, capabilities = LAWS[FOUND_BY[mutant]], Capabilities(under_test)
    with contained():
        assert check_law(under_test, law, capabilities, profile="smoke").status == "passed"
    _, mutations, _ = planted.MUTANTS[mutant]
    for mutation in mutations:
        mutation.plant(monkeypatch)
    with contained():
        result = check_law(under_test, law, capabilities, profile="ci")
    assert result.status == "failed", result
