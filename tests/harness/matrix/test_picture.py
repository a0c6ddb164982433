"""What the final picture of a cell shows, and that it does not depend on what an engine draws for itself."""

from __future__ import annotations

import pytest

from harness.control_plane.deployment import Deployment
from harness.matrix.families import find
from harness.matrix.picture import CALLS
from harness.matrix.runner import run_cell
from harness.results import Picture


def picture_of(deployment: Deployment, cell_id: str, seed: int = 0) -> Picture:
    """The picture that the simulation leaves."""
    return run_cell(deployment, find(deployment, cell_id), seed=seed, keep_timeline=True).picture


@pytest.mark.parametrize(
    "cell_id",
    [
        "migrate/lvm-a/lvm-b/in-use",
        "migrate/lvm-a/rbd-a/available/precondition=copy-fails",
        "retype/lvm-a/lvm-b/available/encryption=luks2-luks",
        "migrate/lvm-a/lvm-b/available/precondition=snapshot",
    ],
)
def test_identifiers_are_the_parts_that_they_play(deployment: Deployment, cell_id: str) -> None:
    """Another seed draws other identifiers, and the picture stays."""
    assert picture_of(deployment, cell_id) == picture_of(deployment, cell_id, seed=1)


def test_a_migration_in_use_shows_records_exports_and_calls(deployment: Deployment) -> None:
    """The object keeps the temporary record's name, which the volume's record leads to."""
    shown = picture_of(deployment, "migrate/lvm-a/lvm-b/in-use")
    assert shown["outcome"] == "succeeded"
    assert shown["volume: migration_status"] == "success"
    assert shown["volume: _name_id"] == "<temporary>"
    assert shown["volume: volume_type"] == "__DEFAULT__"
    assert "volume-<temporary>" in shown["volume: provider_location"]
    assert shown["disks"] == ["volume at server-1, rw"]
    assert shown["connections"] == ["volume-<temporary> at iqn.1994-05.com.example:compute1"]
    assert shown["quota in use: gigabytes___DEFAULT__"] == "1"
    assert shown[CALLS][0] == "c-vol@lvm-b: create_volume volume-<temporary>"
    assert shown[CALLS][-1] == "c-vol@lvm-a: delete_volume volume-<volume>"
    assert not any(aspect.startswith("temporary: ") for aspect in shown)


def test_what_is_left_behind_shows(deployment: Deployment) -> None:
    """A key that no record leads to any more, after a retype with another encryption."""
    shown = picture_of(deployment, "retype/lvm-a/lvm-b/available/encryption=luks2-luks")
    assert shown["keys"] == ["key of volume", "nobody's"]
    assert shown["broken: keys"] == ["key <nobody's> belongs to no record"]


def test_a_refusal_shows_its_code(deployment: Deployment) -> None:
    """And that nothing was asked of a driver."""
    shown = picture_of(deployment, "migrate/lvm-a/lvm-b/available/precondition=snapshot")
    assert (shown["outcome"], shown["HTTP code"]) == ("refused", "400")
    assert shown["snapshots"] == ["snapshot 1 of volume: available, 1 GiB, type __DEFAULT__, no key"]
    assert CALLS not in shown


def test_no_picture_is_kept_where_no_timeline_is(deployment: Deployment) -> None:
    """A matrix of thousands of cells keeps neither by default."""
    assert run_cell(deployment, find(deployment, "migrate/lvm-a/lvm-b/available")).picture == {}
