"""Drivers of Cinder's tree over small fakes of their arrays: they run, and cells show what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cinder_engine import foreign
from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import installed
from harness.matrix import families
from harness.results import CellResult

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "tree"

FOUND = {
    "migrate/spdk/lvm/available/encryption=luks": "",
    "migrate/storpool/storpool-2/available": "",
    "retype/storpool/storpool/available/policy=never/type=specs": "",
    # The target looks for the volume by its id, and what was migrated is called otherwise.
    "migrate/lvm/spdk/available": "data broken: the data cannot be reached through the record: Bad",
    # The old volume is deleted under the id of the record, and it is called by the other one's.
    "migrate/storpool/lvm/available": "objects broken: array cluster: volume-",
}
"""Cells, and what differs; nothing, where the driver does what is expected."""


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, CellResult]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        deployment = foreign.load([EXAMPLE / "cinder.conf"])
        cells = [families.find(deployment, cell_id) for cell_id in FOUND]
        yield {result.id: result for result in CinderEngine().run_cells(deployment, cells)}


@pytest.mark.parametrize("cell_id", FOUND)
def test_a_driver_of_the_tree_does_what_is_known_of_it(results: dict[str, CellResult], cell_id: str) -> None:
    """NVMe over a fabric, and a protocol of the vendor's own; requests, and http.client."""
    result, found = results[cell_id], FOUND[cell_id]
    assert found in result.difference
    assert (result.verdict == "fail") == bool(found), result.difference
