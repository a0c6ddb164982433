"""The catalogue of known faults."""

from __future__ import annotations

import re

import pytest

from harness.matrix.known_faults import KNOWN_FAULTS, KnownFault


def test_every_fault_is_found_under_its_own_id() -> None:
    """An id in a report leads to one fault."""
    assert [fault.id for fault in KNOWN_FAULTS.values()] == list(KNOWN_FAULTS)


@pytest.mark.parametrize("fault", KNOWN_FAULTS.values(), ids=lambda fault: fault.id)
def test_a_fault_is_one_sentence_with_a_source(fault: KnownFault) -> None:
    """A title is one sentence, and the source names a module and what does it there."""
    assert re.fullmatch(r"\w[^.]*\.", fault.title)
    assert re.fullmatch(r"[a-z_.0-9]+:\w+(\.\w+)?", fault.source)
    assert fault.component


@pytest.mark.parametrize("fault", KNOWN_FAULTS.values(), ids=lambda fault: fault.id)
def test_only_launchpad_bugs_have_a_launchpad_number(fault: KnownFault) -> None:
    """LP ids carry the bug's number, the others carry none."""
    family, _, rest = fault.id.partition("-")
    assert family in ("LP", "OPEN", "CRU")
    assert fault.launchpad == (rest if family == "LP" else "")


def test_titles_are_distinct() -> None:
    """Two ids never say the same."""
    titles = [fault.title for fault in KNOWN_FAULTS.values()]
    assert len(set(titles)) == len(titles)
