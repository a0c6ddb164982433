"""`crucible certify` of Cinder's own drivers, unmodified, and of drivers that are derived from them.

Each subject has an interpreter of its own. A law is tried on one of the subjects, on another one for each value
of CRUCIBLE_SAMPLE; `crucible certify` checks all of them on each.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance import check_laws, xfail
from conformance.catalogue import catalogue
from conformance.elsewhere import Elsewhere, any_subject
from harness.certificates import Certificate, LawResult
from harness.cinder_engine.release import installed
from harness.cli import main
from tests.orphans import killed_in_a_call, must_end

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)

LVM = "cinder.volume.drivers.lvm.LVMVolumeDriver"
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "rest_array"
SUBJECTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "lvm": (LVM, {}),
    "lvm-thin": (LVM, {"options": {"lvm_type": "thin"}}),
    "rbd": ("cinder.volume.drivers.rbd.RBDDriver", {}),
    "nfs": ("cinder.volume.drivers.nfs.NfsDriver", {}),
    "norden": (
        "norden.driver:NordenISCSIDriver",
        {"configs": [EXAMPLE / "cinder.conf"], "backend": "norden"},
    ),
}
MOVES = (
    "migration from/a_volume_arrives_elsewhere",
    "in use/an_in_use_migration_leaves_nothing",
    "records/what_users_wrote_moves_along",
    "groups/volumes_come_and_go",
    "manage/what_can_be_taken_over_is_listed",
)
LAWS = {law.name: law for law in catalogue()}
TURN = int(os.environ.get("CRUCIBLE_SAMPLE", "0"))
CASES = [
    (law.name, list(SUBJECTS)[(number + TURN) % len(SUBJECTS)])
    for number, law in enumerate(LAWS.values())
    if law.level == "core" or law.name in MOVES
]
MISTAKES = {
    "volumes/a_new_volume_shows_nothing_of_a_deleted_one": "shows what somebody else's volume held",
    "clones/cloning_adds_one_volume": "the driver ends the process (exit status 9)",
    "snapshots/delete_snapshot_returns_nothing": "create_snapshot writes /nowhere/notes, outside of",
    "names/a_migrated_volume_is_deleted": "the objects after the deletion",
}
"""The laws that the wrong driver breaks, and words of what is found."""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example and the wrong drivers, also in the interpreters that are started."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def of_cinder(driver: str, **asked: Any) -> Elsewhere:
    made = any_subject(driver, **asked)
    assert isinstance(made, Elsewhere)
    return made


@cache
def started(name: str) -> Elsewhere:
    """One of the subjects, whose interpreter runs until this one ends."""
    driver, asked = SUBJECTS[name]
    return of_cinder(driver, **asked)


@cache
def checked(name: str) -> tuple[list[xfail.Expected], dict[str, LawResult]]:
    """What a subject is known to fail, and what came of the laws whose turn it is."""
    under_test = started(name)
    results = under_test.check([LAWS[law] for law, chosen in CASES if chosen == name], profile="smoke")
    return xfail.known_of(under_test), {result.law: result for result in results}


@cache
def mistaken() -> dict[str, LawResult]:
    """What came of the laws that the wrong driver breaks."""
    results = of_cinder("lvm_mistakes:Careless").check([LAWS[law] for law in MISTAKES], profile="ci")
    return {result.law: result for result in results}


@pytest.mark.parametrize(("law", "name"), CASES)
def test_a_driver_of_cinder_keeps_the_law(law: str, name: str) -> None:
    """Passed, skipped for a reason, or broken in the way that is known."""
    known, results = checked(name)
    result = results[law]
    expected = [entry for entry in known if entry.law == law]
    if expected and expected[0].strict:
        assert result.status == "failed"
    elif not expected:
        assert result.status in ("passed", "skipped"), f"{result.reason}\n" + "\n".join(result.steps)


@pytest.mark.parametrize("law", MISTAKES)
def test_a_mistake_in_a_real_driver_is_found(law: str) -> None:
    """By the law that is about it, which tells how; a driver that ends its process does not end the run."""
    result = mistaken()[law]
    assert result.status == "failed"
    assert MISTAKES[law] in result.reason


def test_a_certificate_names_the_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the real driver; Cinder is not imported here. What another test has imported does not count."""
    before = set(sys.modules)
    path = tmp_path / "certificate.json"
    assert main(["certify", LVM, "--profile", "ci", "-k", "delete_volume_returns", "--json", str(path)]) == 0
    made = msgspec.json.decode(path.read_bytes(), type=Certificate)
    assert made.cinder == installed()
    assert made.driver == LVM.replace(".LVM", ":LVM")
    assert made.version == "3.0.0"
    assert f"on Cinder {installed()}" in capsys.readouterr().out
    assert not {name for name in set(sys.modules) - before if name.partition(".")[0] in ("cinder", "os_brick")}


def test_plain_functions_take_a_driver_of_cinder() -> None:
    """As any subject; what is broken is told."""
    laws = [LAWS["volumes/delete_volume_returns_nothing"]]
    assert [result.status for result in check_laws(started("lvm"), laws)] == ["passed"]


def test_what_cannot_be_had_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """And exit status 2."""
    assert main(["certify", "lvm_mistakes:Absent"]) == 2
    assert capsys.readouterr().err == (
        "crucible: lvm_mistakes.Absent: lvm_mistakes has no class Absent; it has the drivers Careless\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parents")
def test_who_is_killed_leaves_no_interpreter_behind(tmp_path: Path) -> None:
    """Neither the interpreter that runs Cinder nor the process that checks a law outlives who wants to know."""
    for pid in killed_in_a_call(tmp_path, LVM, signal.SIGTERM):
        must_end(pid)
