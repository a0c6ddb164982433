"""A library that a driver goes on without is found all the same."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cinder_engine import libraries

Driver = Callable[[str], type]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A class in a module, of a package of its own, that begins with the text given."""

    def made(text: str) -> type:
        home = tmp_path / f"vendor_{tmp_path.name}"
        home.mkdir()
        (home / "__init__.py").touch()
        (home / "driver.py").write_text(f"{text}\n\nclass Driver:\n    pass\n")
        monkeypatch.syspath_prepend(tmp_path)
        found: type = importlib.import_module(f"{home.name}.driver").Driver
        return found

    return made


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        (
            "try:\n    import no_such_sdk.client\nexcept ImportError:\n    no_such_sdk = None",
            "no_such_sdk.client",
        ),
        ("try:\n    from rsd_lib import RSDLib\nexcept (ImportError, OSError):\n    RSDLib = None", "rsd_lib"),
        ("from oslo_utils import importutils\nx = importutils.try_import('no_such_sdk')", "no_such_sdk"),
        ("try:\n    import json\nexcept ImportError:\n    json = None", None),
        ("try:\n    import json\n    json.loads('')\nexcept ValueError:\n    import csv", None),
        ("def later():\n    import no_such_sdk", None),
    ],
)
def test_what_is_imported_only_if_it_is_there_is_looked_for(
    driver: Driver, text: str, absent: str | None
) -> None:
    """By ``except ImportError``, or by oslo.utils' `try_import`."""
    pytest.importorskip("oslo_utils")
    assert libraries.absent(driver(text)) == absent


@pytest.mark.parametrize(
    ("module", "package"), [("rsd_lib", "rsd-lib"), ("hpe3parclient.client", "python-3parclient"), ("a.b", "a")]
)
def test_a_module_may_be_in_a_package_of_another_name(module: str, package: str) -> None:
    """What pip knows it by."""
    assert libraries.package(module) == package
