"""A driver of somebody else may do anything: the matrix goes on, and the driver gets the verdict."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.control_plane.deployment import Deployment, load
from harness.driver import VolumeDriver
from harness.matrix.cells import Cell
from harness.matrix.runner import run_cell
from harness.model import Volume
from harness.results import CellResult


class Exits(VolumeDriver):
    """Calls sys.exit where it should create."""

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {"volume_backend_name": "foreign", "total_capacity_gb": 100, "free_capacity_gb": 100}

    def create_volume(self, volume: Volume) -> None:
        sys.exit("not today")


class Babbles(Exits):
    """Returns nonsense from everywhere."""

    def get_volume_stats(self, refresh: bool = False) -> Any:
        return "plenty"


class Throws(Exits):
    """Raises what no service expects."""

    def create_volume(self, volume: Volume) -> None:
        raise ZeroDivisionError("in the driver")


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An importable module of drivers."""
    module = ModuleType("foreign_drivers")
    for driver in (Exits, Babbles, Throws):
        setattr(module, driver.__name__, type(driver.__name__, (driver,), {"__module__": module.__name__}))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def _deployment(path: Path, driver: str) -> Deployment:
    path.write_text(
        "[DEFAULT]\nenabled_backends = lvm, foreign\n"
        "[lvm]\nvolume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver\nvolume_backend_name = lvm\n"
        f"[foreign]\nvolume_driver = foreign_drivers:{driver}\nvolume_backend_name = foreign\n"
    )
    return load([path])


def _run(path: Path, driver: str, source: str, destination: str) -> CellResult:
    cell = Cell(source=source, destination=destination)
    return run_cell(_deployment(path, driver), cell)


@pytest.mark.parametrize("driver", ["Exits", "Babbles", "Throws"])
@pytest.mark.parametrize("pair", [("lvm", "foreign"), ("foreign", "lvm")])
def test_a_foreign_driver_gets_the_verdict(
    driver: str, pair: tuple[str, str], foreign: ModuleType, tmp_path: Path
) -> None:
    """Whatever it does is a finding, and neither an exception nor a defect of Crucible."""
    result = _run(tmp_path / "cinder.conf", driver, *pair)
    assert result.verdict == "fail"
    assert result.difference


def test_a_defect_of_ours_is_an_error(monkeypatch: pytest.MonkeyPatch, deployment: Deployment) -> None:
    """With reference drivers on both sides nobody else can have done it."""

    def breaks(self: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("harness.matrix.scenario.Scenario.run", breaks)
    result = run_cell(deployment, Cell(source="lvm-a", destination="lvm-b"))
    assert result.verdict == "error"
    assert "Crucible failed" in result.difference
