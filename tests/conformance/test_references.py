"""The reference drivers keep the laws, but for the failures that are known; so does the example."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from conformance import xfail
from conformance.capabilities import Capabilities
from conformance.catalogue import catalogue
from conformance.contents import Contents
from conformance.foreign.guard import contained
from conformance.law import Law
from conformance.runner import check_law
from conformance.subjects import Subject, subject

REFERENCES = ("lvm", "lvm-thin", "rbd", "nfs", "lvm-file", "rbd-file", "nfs-file")
EXAMPLE = "shelf.driver:ShelfDriver"
"""The driver of docs/examples/shelf, which is derived from nothing of ours."""
SUBJECTS = (*REFERENCES, EXAMPLE)


@pytest.fixture(scope="module")
def references() -> Iterator[dict[str, tuple[Subject, Capabilities]]]:
    """Each reference subject, and what is known of its capabilities."""
    place = str(Path(__file__).parents[2] / "docs" / "examples" / "shelf")
    sys.path.insert(0, place)
    subjects = {name: subject(name) for name in REFERENCES}
    subjects[EXAMPLE] = subject(EXAMPLE, array="shelf.testing:FakeShelf")
    yield {name: (each, Capabilities(each)) for name, each in subjects.items()}
    sys.path.remove(place)


CASES = [(law, SUBJECTS[number % len(SUBJECTS)]) for number, law in enumerate(catalogue())]
"""Each law on one of the drivers: `crucible certify` checks all on each."""


@pytest.mark.parametrize(("law", "name"), CASES, ids=lambda each: getattr(each, "name", each))
def test_a_reference_driver_keeps_the_law(
    references: dict[str, tuple[Subject, Capabilities]], law: Law, name: str
) -> None:
    """Passed, skipped for a reason, or broken in the way that is known."""
    under_test, capabilities = references[name]
    with contained():
        result = check_law(under_test, law, capabilities, profile="smoke")
    known = [entry for entry in xfail.known(under_test.reference) if entry.law == law.name]
    if known and known[0].strict:
        assert result.status == "failed"
    elif not known:
        assert result.status in ("passed", "skipped"), f"{result.reason}\n" + "\n".join(result.steps)
        assert result.reason or result.status == "passed"


CLONE_OF_SNAPSHOTTED = {"plan": [("snapshot", 0), ("clone", 0), ("extend", 1)]}
WRITTEN = {"written": Contents("owner", ("first", "last"))}
RARE = [
    ("nfs", "sequences/any_sequence_keeps_all_data", CLONE_OF_SNAPSHOTTED),
    ("nfs", "sequences/any_sequence_can_be_cleaned_up", CLONE_OF_SNAPSHOTTED),
    (
        "nfs-qcow2", "migration from/a_volume_arrives_on_used_storage",
        {"there": "lvm", "secret": Contents("former owner", ("first", "last")), **WRITTEN},
    ),
    ("nfs-qcow2", "in use/a_volume_in_use_migrates_twice", {"away": "twin", "detached": True, **WRITTEN}),
    *(
        (name, "groups/a_failed_group_snapshot_is_told", {"nth": 5, "kind": "ebusy", "deletes": True})
        for name in ("nfs", "nfs-qcow2")
    ),
    ("rbd", "records/a_change_of_encryption_is_done_or_undone", {"old": "luks", "new": "luks", **WRITTEN}),
]  # fmt: skip
"""What drivers that are as Cinder's break with one seed in several, and not with the first."""


@pytest.mark.parametrize(
    ("name", "law", "values"), RARE, ids=lambda each: each if isinstance(each, str) else ""
)
def test_what_few_seeds_find_is_known(name: str, law: str, values: dict[str, Any]) -> None:
    """The failure is there, and is excused whichever seed meets it."""
    under_test = subject(name)
    (found,) = [each for each in catalogue() if each.name == law]
    certain = dataclasses.replace(found, draws={key: st.just(value) for key, value in values.items()})
    with contained():
        result = check_law(under_test, certain, Capabilities(under_test), profile="smoke")
    assert result.status == "failed"
    assert any(entry.covers(result) and not entry.strict for entry in xfail.known_of(under_test))


def test_every_known_failure_is_of_a_law() -> None:
    """No list names a law that there is not."""
    names = {law.name for law in catalogue()}
    for name in REFERENCES:
        assert {entry.law for entry in xfail.known(name)} <= names


def test_every_law_is_a_sentence_with_a_source() -> None:
    """Laws are sentences, say where they come from, and have names of their own."""
    laws = catalogue()
    assert len({law.name for law in laws}) == len(laws)
    assert all(law.sentence.endswith(".") and law.source for law in laws)
