"""The two oracles agree: on a sample here, on the whole default matrix whenever `crucible matrix` runs."""

from __future__ import annotations

import pytest

from harness.control_plane.deployment import Deployment
from harness.matrix.axes import AXES, PRECONDITION, TYPE
from harness.matrix.cells import Cell
from harness.matrix.expectations import expect
from harness.matrix.families import default_cells, facts_of, find
from harness.matrix.reproductions import REPRODUCTIONS
from harness.matrix.runner import run_cell

EVERY = 25
SAMPLES = 8


def _sample(deployment: Deployment) -> list[Cell]:
    """Every 25th cell, and the first of each rule."""
    cells = default_cells(deployment)
    first: dict[str, Cell] = {}
    for cell in cells:
        facts = (facts_of(deployment.backend(name)) for name in (cell.source, cell.destination))
        first.setdefault(expect(cell, *facts).rule, cell)
    return list(dict.fromkeys([*cells[::EVERY], *first.values()]))


@pytest.mark.parametrize("part", range(SAMPLES))
def test_simulation_and_expectation_agree(part: int, deployment: Deployment) -> None:
    """No cell differs, and none is an error."""
    results = [run_cell(deployment, cell) for cell in _sample(deployment)[part::SAMPLES]]
    assert [f"{each.id}: {each.difference}" for each in results if each.verdict in ("fail", "error")] == []


def test_the_default_matrix_is_large_and_has_everything(deployment: Deployment) -> None:
    """At least 2,000 cells with unique ids, and every value of every axis in one of them."""
    cells = default_cells(deployment)
    assert len(cells) >= 2000
    assert len({cell.id for cell in cells}) == len(cells)
    for axis in AXES:
        used = {getattr(cell, axis.name) for cell in cells}
        assert set(axis.values) <= used, axis.name
    assert {cell.precondition for cell in cells} == set(PRECONDITION.values)


@pytest.mark.parametrize("kind", TYPE.on_request)
def test_what_the_default_matrix_leaves_out_agrees_too(kind: str, deployment: Deployment) -> None:
    """Where the volume is, and elsewhere, with and without leave to go there."""
    for source, destination in (
        ("lvm-a", "lvm-a"),
        ("rbd-a", "rbd-a"),
        ("nfs-a", "nfs-a"),
        ("rbd-a", "lvm-zone"),
    ):
        for status, policy in (("available", "on-demand"), ("in-use", "on-demand"), ("available", "never")):
            cell_id = f"retype/{source}/{destination}/{status}/policy={policy}/type={kind}"
            result = run_cell(deployment, find(deployment, cell_id))
            assert result.verdict in ("pass", "known"), f"{cell_id}: {result.difference}"


@pytest.mark.parametrize(
    "cell_id",
    [
        "migrate/lvm-a/lvm-thin/multi-read-only",
        "migrate/lvm-a/nfs-a/multi-read-only",
        "migrate/rbd-a/rbd-b/multi-read-only",
        "retype/rbd-a/lvm-a/multi-read-only",
        "retype/rbd-a/rbd-a/multi-read-only/type=specs",
        "retype/lvm-a/rbd-a/in-use/precondition=release-fails",
        "retype/nfs-a/nfs-a/available/precondition=release-fails/type=specs",
        "retype/nfs-far/nfs-a/available/precondition=one-share/fill=empty",
    ],
)
def test_statuses_and_obstacles_on_request_agree_too(cell_id: str, deployment: Deployment) -> None:
    """Between back-ends of each kind."""
    result = run_cell(deployment, find(deployment, cell_id))
    assert result.verdict in ("pass", "known"), result.difference


def test_ids_lead_back_to_their_cells(deployment: Deployment) -> None:
    """What is printed can be typed."""
    for cell in default_cells(deployment)[::7]:
        assert find(deployment, cell.id) == cell


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_reproductions_come_out_as_their_cells_are_expected_to(name: str, deployment: Deployment) -> None:
    """Each is a possible cell, with a timeline and no difference."""
    reproduction = REPRODUCTIONS[name]
    result = run_cell(deployment, find(deployment, reproduction.cell.id), keep_timeline=True)
    assert result.difference == ""
    assert result.timeline
    assert reproduction.name == name


@pytest.mark.parametrize(
    ("nova", "outcome"), [("20", "failed-clean"), ("21", "succeeded"), ("23", "succeeded"), ("32", "succeeded")]
)
def test_lvm_to_rbd_in_use_depends_on_nova(nova: str, outcome: str, deployment: Deployment) -> None:
    """Up to Nova 20 only host devices could be swapped in."""
    cell = Cell(source="lvm-a", destination="rbd-a", status="in-use", nova=nova)
    assert run_cell(deployment, cell).observed.outcome == outcome
