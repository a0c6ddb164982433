"""The laws prove themselves: every wrong driver is found out by the law that claims to find it."""

from __future__ import annotations

import pytest

from conformance.capabilities import Capabilities
from conformance.catalogue import catalogue
from conformance.foreign.guard import contained
from conformance.law import Broken, Chapter, Law
from conformance.runner import check_law
from conformance.subjects import subject
from harness.certificates import LawResult
from tests.conformance.mutants.catalogue import MUTANTS
from tests.conformance.mutants.planted import Planted
from tests.conformance.mutants.table import PLACE, table

LAWS = {law.name: law for law in catalogue()}


def verdict(planted: Planted, law: Law, profile: str = "ci") -> LawResult:
    """What comes of one law on a wrong driver."""
    under_test = planted.subject
    with contained():
        return check_law(under_test, law, Capabilities(under_test), profile=profile)


@pytest.mark.parametrize("planted", MUTANTS, ids=lambda planted: planted.id)
def test_a_wrong_driver_is_found_out(planted: Planted) -> None:
    """By the law that is named, with a reason, and with the steps that led there."""
    result = verdict(planted, LAWS[planted.law])
    assert result.status == "failed", f"{planted.change}: {result.status} {result.reason}"
    assert result.reason


def test_mutants_have_names_of_their_own() -> None:
    """And there are more than forty that have nothing to do with migration."""
    assert len({planted.id for planted in MUTANTS}) == len(MUTANTS)
    assert sum(planted.id[0] != "M" for planted in MUTANTS) >= 40


def test_the_canary_dies() -> None:
    """A law that nobody can keep fails, with its values: failures are noticed."""
    from conformance.bench import Bench
    from conformance.contents import sizes

    law = Chapter("canary", level="core", stage=Bench)

    @law(source="a canary", size=sizes())
    def nobody_can_keep_this(bench: Bench, size: int) -> None:
        """Every volume has no bytes."""
        bench.must_have_size(bench.create(size), 0, "the volume")

    under_test = subject("rbd")
    with contained():
        result = check_law(under_test, nobody_can_keep_this, Capabilities(under_test), profile="dev")
    assert (result.status, result.values) == ("failed", {"size": "1"})
    assert result.reason == "the size of the volume in bytes is 1073741824, but should be 0"
    assert any("create_volume(v1 of 1 GiB)" in step for step in result.steps)


def test_a_defect_of_a_law_is_not_the_drivers() -> None:
    """An exception that comes out of no driver is an error, and no verdict on the driver."""
    from conformance.bench import Bench

    law = Chapter("canary", level="core", stage=Bench)

    @law(source="a defect")
    def defective(bench: Bench) -> None:
        """A law that fails itself."""
        raise ZeroDivisionError

    under_test = subject("rbd")
    with contained():
        assert check_law(under_test, defective, Capabilities(under_test)).status == "error"
    assert issubclass(Broken, AssertionError)


def test_the_documentation_has_every_mutant() -> None:
    """The page is what `python -m tests.conformance.mutants.table` writes."""
    assert PLACE.read_text() == table()
