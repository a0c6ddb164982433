"""Laws as tests for runners of their own, such as HypoFuzz."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

import pytest
from hypothesis import is_hypothesis_test

from conformance.capabilities import Capabilities
from conformance.catalogue import select
from conformance.runner import as_test
from conformance.subjects import subject
from tests.conformance.mutants.misconduct import Prints
from tests.conformance.mutants.volumes import DecimalSize


def test_a_law_is_a_test_of_hypothesis() -> None:
    """It passes for a correct driver, and fails for a wrong one, whatever the driver does besides."""
    cases: list[tuple[str | type[Any], str, str]] = [
        ("rbd", "a_volume_has_exactly", ""),
        (DecimalSize, "a_volume_has_exactly", "the size of the new volume in bytes is 999997440"),
        (Prints, "what_is_written_is_read_again", "create_volume prints 'creating"),
    ]
    for driver, law, complaint in cases:
        under_test = subject(driver)
        test = as_test(under_test, select((), law)[0], Capabilities(under_test), profile="smoke")
        assert is_hypothesis_test(test)
        if complaint:
            with pytest.raises(Exception, match=complaint):
                test()
        else:
            test()


def test_a_law_about_what_is_lacking_is_skipped() -> None:
    """With the reason."""
    without = subject("nfs", capabilities={"snapshots": "no snapshots here"})
    law = select((), "a_snapshot_keeps_what_was")[0]
    with pytest.raises(SkipTest, match="no snapshots here"):
        as_test(without, law, Capabilities(without), profile="smoke")()
