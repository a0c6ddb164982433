"""Driver names: which are known, what they lead to, and what is said of those that lead nowhere."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness import registry
from harness.errors import InputError

KNOWN = (
    "lvm, rbd, nfs, cinder.volume.drivers.lvm.LVMVolumeDriver, cinder.volume.drivers.rbd.RBDDriver, "
    "cinder.volume.drivers.nfs.NfsDriver"
)

MODULE = """
from fake_backends.lvm.driver import LvmDriver
from harness.driver import VolumeDriver

class ArrayDriver(VolumeDriver):
    @classmethod
    def get_driver_options(cls):
        return ["an option"]

class BetterLvm(LvmDriver):
    pass

class NotADriver:
    pass
"""

OF_CINDER = """
from cinder.volume import driver

class ArrayDriver(driver.VolumeDriver):
    pass
"""


@pytest.fixture
def arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable module with drivers in it."""
    (tmp_path / "some_arrays.py").write_text(MODULE)
    (tmp_path / "broken_arrays.py").write_text("import some_array_sdk_that_is_absent\n")
    (tmp_path / "failing_arrays.py").write_text("raise RuntimeError('no\\nlicence')\n")
    (tmp_path / "cinder_arrays.py").write_text(OF_CINDER)
    monkeypatch.syspath_prepend(tmp_path)
    return "some_arrays"


@pytest.mark.parametrize(
    ("name", "is_of_cinder"),
    [
        ("cinder.volume.drivers.lvm.LVMVolumeDriver", True),
        ("cinder_arrays:ArrayDriver", True),
        ("some_arrays:ArrayDriver", False),
        ("absent_arrays:ArrayDriver", False),
        ("lvm", False),
    ],
)
def test_drivers_of_cinder_are_told_apart(
    arrays: str, name: str, is_of_cinder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what their modules import, and without importing Cinder."""
    monkeypatch.delitem(sys.modules, "cinder", raising=False)
    assert registry.is_of_cinder(name) is is_of_cinder
    assert "cinder" not in sys.modules


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lvm", registry.LVM),
        ("rbd", registry.RBD),
        ("nfs", registry.NFS),
        ("cinder.volume.drivers.nfs.NfsDriver", registry.NFS),
        ("cinder.volume.drivers.lvm.LVMVolumeDriver", registry.LVM),
        ("cinder.volume.drivers.rbd.RBDDriver", registry.RBD),
    ],
)
def test_reference_drivers_are_known_by_short_and_by_real_name(name: str, path: str) -> None:
    """A cinder.conf of a real deployment runs on the reference drivers."""
    assert registry.find(name) == path
    assert registry.load(path).__name__ == path.rpartition(":")[2]
    assert registry.kind(path) == path.split(".")[1]
    assert registry.declared_options(path) == []


def test_a_driver_is_found_by_its_path(arrays: str) -> None:
    """Both package.module:Class and package.module.Class."""
    assert registry.find(f"{arrays}:ArrayDriver") == f"{arrays}:ArrayDriver"
    assert registry.find(f"{arrays}.ArrayDriver") == f"{arrays}:ArrayDriver"
    assert registry.kind(f"{arrays}:ArrayDriver") == "other"
    assert registry.declared_options(f"{arrays}:ArrayDriver") == ["an option"]


def test_what_is_derived_from_a_reference_driver_is_of_its_kind(arrays: str) -> None:
    """The storage under it is known, then."""
    assert registry.kind(registry.find(f"{arrays}:BetterLvm")) == "lvm"


def test_an_entry_point_names_a_driver(arrays: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed packages declare drivers in the group crucible.drivers."""
    point = EntryPoint("array", f"{arrays}:ArrayDriver", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    assert registry.find("array") == f"{arrays}:ArrayDriver"
    assert registry.names() == [*registry.REFERENCE_DRIVERS, "array"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lvn", f"unknown driver 'lvn'; did you mean lvm? use one of {KNOWN}, or package.module:Class"),
        ("solidfire", f"unknown driver 'solidfire'; use one of {KNOWN}, or package.module:Class"),
        (
            "cinder.volume.drivers.rbd.RDBDriver",
            (
                "cinder.volume.drivers.rbd.RDBDriver has no reference driver here; "
                "did you mean cinder.volume.drivers.rbd.RBDDriver? run it with --engine cinder, "
                f"use one of {KNOWN}, or name a subclass of harness.driver.VolumeDriver as package.module:Class"
            ),
        ),
        (
            "absent_package.driver:Driver",
            (
                "cannot import absent_package.driver:Driver: there is no module absent_package; install the "
                "package that has it, or correct the path"
            ),
        ),
        (
            "broken_arrays:Driver",
            (
                "cannot import broken_arrays:Driver: there is no module some_array_sdk_that_is_absent; install "
                "the package that has it, or correct the path"
            ),
        ),
        (
            "failing_arrays:Driver",
            (
                "cannot import failing_arrays:Driver: RuntimeError: no licence; "
                "`python -c 'import failing_arrays'` must succeed"
            ),
        ),
        (
            "some_arrays:ArayDriver",
            (
                "module some_arrays has no class ArayDriver; did you mean ArrayDriver? it has the drivers "
                "ArrayDriver, BetterLvm, LvmDriver"
            ),
        ),
        (
            "some_arrays.NotADriver",
            (
                "some_arrays.NotADriver is no driver; it must be a subclass of harness.driver.VolumeDriver, "
                "or one of Cinder's and run with --engine cinder"
            ),
        ),
        ("a..b", "'a..b' is no path of a class; it must have the form package.module:Class"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_in_one_line(arrays: str, name: str, text: str) -> None:
    """What is wrong, and what to use or install instead."""
    with pytest.raises(InputError) as refusal:
        registry.find(name)
    assert str(refusal.value) == text
