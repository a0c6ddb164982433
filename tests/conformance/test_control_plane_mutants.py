"""Laws on the whole control plane notice faults of the control plane, too."""

from __future__ import annotations

import pytest

from conformance.capabilities import Capabilities
from conformance.catalogue import catalogue
from conformance.foreign.guard import contained
from conformance.runner import check_law
from conformance.subjects import subject
from tests.conformance.mutants.every_fault import EVERY_FAULT

LAWS = {law.name: law for law in catalogue()}


@pytest.mark.parametrize("name", EVERY_FAULT)
def test_a_fault_of_the_control_plane_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law holds without the fault, and breaks with it."""
    fault = EVERY_FAULT[name]
    under_test = subject(fault.subject)
    law, capabilities = LAWS[fault.law], Capabilities(under_test)
    with contained():
        assert check_law(under_test, law, capabilities, profile="smoke").status == "passed"
    for mutation in fault.mutations:
        mutation.plant(monkeypatch)
    with contained():
        result = check_law(under_test, law, capabilities, profile="ci")
    assert result.status == "failed", result
