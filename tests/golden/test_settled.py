"""What was inferred of Cinder, and what the real one did: the table of docs/settled.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.results import Picture
from tests.golden.pictures import load

RETYPE_RBD = "retype/rbd-a/lvm-a/available/encryption=luks-none"
RETYPE_TO_RBD = "retype/lvm-a/rbd-a/available/encryption=none-luks"


@pytest.fixture(scope="module")
def cells() -> dict[str, Picture]:
    """Read once."""
    return load().cells


@pytest.mark.parametrize("cell_id", [RETYPE_RBD, RETYPE_TO_RBD])
def test_a_handle_cannot_be_deciphered(cell_id: str, cells: dict[str, Picture]) -> None:
    """The retype fails before anything is copied, and the temporary volume goes."""
    calls = cells[cell_id]["driver calls"]
    assert cells[cell_id]["volume: migration_status"] == "error"
    assert cells[cell_id]["volume: volume_type"] == "old"
    assert calls[-1].endswith("delete_volume volume-<temporary>")
    assert not any("update_migrated_volume" in call for call in calls)


@pytest.mark.parametrize(
    ("cell_id", "left"),
    [
        ("retype/lvm-a/lvm-b/available/encryption=luks2-luks", ["key of volume", "nobody's"]),
        (RETYPE_TO_RBD, ["nobody's"]),
    ],
)
def test_keys_leak(cell_id: str, left: list[str], cells: dict[str, Picture]) -> None:
    """The old one when the retype succeeds, the new one when it fails."""
    assert cells[cell_id]["keys"] == left


@pytest.mark.parametrize(
    "cell_id",
    ["retype/rbd-a/rbd-shared/available/encryption=luks/fill=full", "migrate/nfs-qcow2/lvm-a/available"],
)
def test_headers_in_the_volume_cost_data(cell_id: str, cells: dict[str, Picture]) -> None:
    """An encrypted RBD image is larger than its record, and a qcow2 file is no disk."""
    assert cells[cell_id]["outcome"] == "data-loss"
    assert cells[cell_id]["volume: migration_status"] == "success"


@pytest.mark.parametrize(
    ("cell_id", "new_type"),
    [
        ("retype/rbd-a/rbd-a/available/policy=never/type=front-end-qos", "old"),
        ("retype/rbd-a/rbd-a/in-use/policy=never/type=qos", "new"),
    ],
)
def test_qos_settings_that_are_not_there_cannot_be_removed(
    cell_id: str, new_type: str, cells: dict[str, Picture]
) -> None:
    """Which is tried for front-end QoS only."""
    assert cells[cell_id]["volume: volume_type"] == new_type


def test_the_table_names_cells_that_are_on_record(cells: dict[str, Picture]) -> None:
    """Each that stands in the last column."""
    rows = (Path(__file__).parents[2] / "docs" / "settled.md").read_text(encoding="utf-8").splitlines()
    named = [word for row in rows if row.startswith("| ") for word in row.rpartition(" | ")[2].split("`")[1::2]]
    cells_named = {name for name in named if name.startswith(("migrate/", "retype/"))}
    assert len(cells_named) > 5
    assert cells_named <= set(cells)
