"""Laws as plain functions."""

from __future__ import annotations

import pytest

import conformance
from tests.conformance.mutants.connections import OwnName
from tests.conformance.mutants.volumes import DeletesNothing


def test_a_correct_driver_gets_its_results() -> None:
    """One for each law of the group; what an RBD driver has no options for is skipped."""
    results = conformance.check_exports(conformance.subject("rbd"), profile="smoke")
    assert {result.status for result in results} == {"passed", "skipped"}
    assert {result.group for result in results} == {"exports"}


def test_a_wrong_driver_raises_with_everything() -> None:
    """The law, what was found, and the steps that led there."""
    with pytest.raises(AssertionError, match="volumes/deleting_removes_the_object_and_no_other") as caught:
        conformance.check_volumes(conformance.subject(DeletesNothing), profile="smoke")
    assert "but should be" in str(caught.value)
    assert "delete_volume(v1 of 1 GiB) -> None" in str(caught.value)


def test_what_the_reference_is_known_to_fail_does_not_count() -> None:
    """For a driver that derives from it."""
    with pytest.raises(AssertionError) as caught:
        conformance.check_stats(conformance.subject(OwnName), profile="smoke")
    assert str(caught.value).count("(see ") == 1


def test_laws_that_are_all_skipped_are_no_pass() -> None:
    """Nothing was checked then."""
    without = conformance.subject("nfs", capabilities={"snapshots": False})
    with pytest.raises(ValueError, match="nfs is said to lack snapshots"):
        conformance.check_snapshots(without, profile="smoke")
