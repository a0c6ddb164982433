"""``crucible interface-changes``: what is printed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.documents import encode
from harness.signatures import Call, Contract, DriverSignatures, Parameter

VOLUME = Parameter("volume", "positional")


def release(directory: Path, name: str, calls: list[Call], drivers: list[str]) -> str:
    """A document of a release whose drivers have create_volume(volume)."""
    found = [
        DriverSignatures(
            driver=f"cinder.volume.drivers.{driver}",
            methods={"create_volume": [VOLUME]},
            own=["create_volume"],
            attributes={"VERSION": "1", "SUPPORTED": "True"},
        )
        for driver in drivers
    ]
    path = directory / f"{name}.json"
    path.write_bytes(
        encode(Contract(release=name, calls=calls, interfaces={"Core": {}}, core="Core", drivers=found))
    )
    return str(path)


def test_what_changed_and_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """By release, however the files are given: status 1 if a driver breaks."""
    new = release(tmp_path, "29.0.0", [Call("create_volume", 2)], ["lvm.LVM", "new.New"])
    old = release(tmp_path, "9.1.0", [Call("create_volume", 1)], ["lvm.LVM", "old.Old"])
    assert main(["interface-changes", new, old]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# What Cinder asks of drivers, 9.1.0 to 29.0.0"
    assert "| 29.0.0 | 2 | 1 | 1 | 1 | 2 |" in lines
    instead = "create\\_volume(..., ...) instead of create\\_volume(...)"
    assert f"- the manager calls {instead}; **breaks** lvm.LVM, old.Old" in lines
    assert "- New drivers: new.New" in lines
    assert "- Drivers that are gone: old.Old" in lines
    ci = "does not say the name of its third-party CI (CI\\_WIKI\\_NAME)"
    assert f"| old.Old | {ci} | wrong | . |" in lines
    assert f"| lvm.LVM | {ci} | wrong | wrong |" in lines


def test_nothing_that_breaks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Status 0."""
    paths = [release(tmp_path, name, [], ["lvm.LVM"]) for name in ("28.0.0", "29.0.0")]
    assert main(["interface-changes", *paths]) == 0
    assert "## 28.0.0 to 29.0.0\n\nNothing.\n" in capsys.readouterr().out


def test_bad_input_gets_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And status 2: one release alone, one that is none, the same twice, no document."""
    one, strange = release(tmp_path, "28.0.0", [], []), release(tmp_path, "yoga", [], [])
    (tmp_path / "other.json").write_text('{"schema": 1}')
    other = str(tmp_path / "other.json")
    for paths, complaint in (
        ([one], "28.0.0.json: is alone; give one for each release"),
        ([one, one], "28.0.0.json: is of Cinder 28.0.0, as another one"),
        ([one, strange], "yoga.json: is of Cinder 'yoga', which is no release"),
        ([one, other], "other.json: is no interface that crucible has written"),
        ([one, "none.json"], "none.json: cannot be read"),
    ):
        assert main(["interface-changes", *paths]) == 2
        error = capsys.readouterr().err
        assert complaint in error
        assert error.count("\n") == 1
