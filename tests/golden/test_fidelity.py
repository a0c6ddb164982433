"""The README says how much of what was recorded the fakes repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden import fidelity

README = (Path(__file__).parents[2] / "README.md").read_text().splitlines()


@pytest.mark.parametrize("source", fidelity.SOURCES)
def test_table_in_the_readme_is_true(source: str) -> None:
    """Every row as it comes out today, and no step that differs without being declared."""
    rows = fidelity.rows(source)
    assert not any(row.differ for row in rows)
    assert [line for line in README if line.startswith(f"| {source} |")] == fidelity.markdown(rows)
