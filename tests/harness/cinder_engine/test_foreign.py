"""Drivers that Crucible does not know, on the real Cinder: the example's, and its relatives with mistakes.

Each needs processes of its own, so the cells of all run once for all tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cinder_engine import foreign
from harness.cinder_engine.engine import CinderEngine
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import Deployment
from harness.errors import InputError
from harness.matrix import families
from harness.results import CellResult

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "rest_array"
SECTION = """
[{name}]
volume_driver = {driver}
volume_backend_name = {name}
san_ip = 203.0.113.1
san_login = admin
san_password = not-for-anybody
norden_pool = pool-1
crucible_array = norden.testing:NordenArray
crucible_array_name = {array}
"""
LVM = """
[lvm]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_backend_name = lvm
volume_group = cinder-volumes
target_helper = lioadm
"""

GOOD = (
    "migrate/norden/lvm/available",
    "migrate/lvm/norden/in-use",
    "migrate/norden/norden-2/in-use",
    "migrate/norden/norden-2/available/encryption=luks",
    "migrate/norden/norden-2/multi-attached",
    "retype/norden/rbd/available",
    "migrate/norden/lvm/available/precondition=source-delete-fails",
    "migrate/lvm/norden/available/precondition=no-capacity",
    "retype/norden/norden/available/policy=never/type=specs",
)
MISTAKES = {
    "Forgets": ("migrate/Forgets/lvm/available", "objects broken"),
    "KeepsExports": ("migrate/lvm/KeepsExports/available", "exports broken"),
    "Hasty": ("migrate/lvm/Hasty/available", "is not ready"),
    "FirstUnit": ("migrate/FirstUnit/FirstUnit-2/in-use", ""),
    "LosesName": ("migrate/lvm/LosesName/available", "objects broken"),
    "Small": ("migrate/lvm/Small/available", ""),
    "Leaves": ("migrate/lvm/Leaves/available", "SystemExit: not today"),
    "Dies": ("migrate/lvm/Dies/available", "ended its process (exit status 7)"),
    "Nonsense": ("migrate/Nonsense/lvm/available", ""),
    "Refuses": (
        "migrate/lvm/Refuses/available",
        "[Refuses], Refuses, does not initialise: VolumeBackendAPIExc",
    ),
    "Waits": (
        "migrate/lvm/Waits/available",
        "does not initialise: it had not come back after 3600 s of virtual",
    ),
    "LeavesAtOnce": ("migrate/lvm/LeavesAtOnce/available", "does not initialise: SystemExit: 4"),
}
"""What goes wrong with each mistake: a cell that shows it, and words of the finding."""


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """The example and its relatives, also in the processes that are started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        patch.syspath_prepend(str(Path(__file__).parent))
        yield


def _deployment(path: Path, drivers: dict[str, str]) -> Deployment:
    sections = [
        SECTION.format(name=name, driver=driver, array=name.removesuffix("-2"))
        for name, driver in drivers.items()
    ]
    path.write_text(f"[DEFAULT]\nenabled_backends = {', '.join([*drivers, 'lvm'])}\n{LVM}{''.join(sections)}")
    return foreign.load([path])


def _run(deployment: Deployment, ids: list[str]) -> dict[str, CellResult]:
    cells = [families.find(deployment, cell_id) for cell_id in ids]
    results = CinderEngine().run_cells(deployment, cells, keep_timelines=True)
    return {result.id: result for result in results}


@pytest.fixture(scope="module")
def good() -> dict[str, CellResult]:
    return _run(foreign.load([EXAMPLE / "cinder.conf"]), list(GOOD))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CellResult]:
    drivers = {name: f"norden_mistakes.{name}" for name in MISTAKES}
    drivers["FirstUnit-2"] = drivers["FirstUnit"]
    deployment = _deployment(tmp_path_factory.mktemp("mistakes") / "cinder.conf", drivers)
    return _run(deployment, [cell_id for cell_id, _ in MISTAKES.values()])


@pytest.mark.parametrize("cell_id", GOOD)
def test_the_examples_driver_does_what_is_expected(good: dict[str, CellResult], cell_id: str) -> None:
    """Between it and itself, LVM and RBD; the array's objects, exports and bytes are judged as anybody's."""
    assert good[cell_id].verdict in ("pass", "known"), good[cell_id].difference


def test_requests_are_in_the_timeline_and_secrets_are_not(good: dict[str, CellResult]) -> None:
    """Neither the password of the section, nor a token of the array, nor CHAP's secret."""
    result = good["migrate/norden/lvm/available"]
    assert "http.put" in {event.step for event in result.timeline}
    assert "not-for-anybody" not in repr(list(good.values()))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_finding(bad: dict[str, CellResult], name: str) -> None:
    """And never a crash of Crucible; what a driver prints or raises is no secret's way out."""
    cell_id, words = MISTAKES[name]
    result = bad[cell_id]
    assert result.verdict == "fail"
    assert words in f"{result.difference} ({result.observed.reason})"
    assert "not-for-anybody" not in repr(result)


def test_what_a_driver_prints_is_in_the_timeline(
    bad: dict[str, CellResult], capfd: pytest.CaptureFixture[str]
) -> None:
    """And nowhere else."""
    result = bad[MISTAKES["Leaves"][0]]
    assert "straight" not in repr(bad)
    printed = [event.detail for event in result.timeline if event.step == "printed"]
    assert set(printed) == {"this is no place for a volume; the password is ***"}
    assert capfd.readouterr() == ("", "")


def test_what_is_only_known_of_a_running_driver_is_seen(tmp_path: Path) -> None:
    """Its pool, its name, and what it can do."""
    plan = _deployment(tmp_path / "cinder.conf", {"mine": "norden.driver:NordenISCSIDriver"}).backend("mine")
    assert plan.address == "node1@mine#pool-1"
    assert plan.seen is not None
    assert (plan.seen.multiattach, plan.seen.retypes, plan.seen.failure) == (True, False, "")


def test_a_driver_may_talk_to_its_array_in_every_way(tmp_path: Path) -> None:
    """By a vendor's SDK, over SSH, and through a program on its host."""
    section = SECTION.format(name="mine", driver="norden_mistakes.Talkative", array="mine")
    section = section.replace("norden.testing:NordenArray", "norden_mistakes:TalkativeArray")
    path = tmp_path / "cinder.conf"
    path.write_text(f"[DEFAULT]\nenabled_backends = mine\n{section}")
    seen = foreign.load([path]).backend("mine").seen
    assert seen is not None
    assert seen.failure == ""


Spoil = Callable[[str], str]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("norden.driver", "absent.driver"), "there is no module absent; install"),
        (
            lambda text: text.replace("NordenISCSIDriver", "Absent"),
            "has no class Absent; it has the drivers Norden",
        ),
        (
            lambda text: text.replace("norden.driver.NordenISCSIDriver", "norden_mistakes.NoDriver"),
            "is no driver",
        ),
        (
            lambda text: text.replace("norden.driver.NordenISCSIDriver", "norden_mistakes.Rejects"),
            "norden_tier must",
        ),
        (lambda text: text.replace("norden_pool = pool-1", ""), "norden_pool must be set"),
        (
            lambda text: text.replace("crucible_array =", "option ="),
            "talks to 203.0.113.1:443, .*crucible_array =",
        ),
        (lambda text: text.replace("norden.testing", "absent.testing"), "there is no module absent"),
    ],
    ids=["module", "class", "no-driver", "rejected", "missing-option", "no-array", "array-module"],
)
def test_what_cannot_be_meant_is_refused_in_one_line(spoil: Spoil, message: str, tmp_path: Path) -> None:
    """With the section, and what would be right."""
    section = SECTION.format(name="mine", driver="norden.driver.NordenISCSIDriver", array="mine")
    path = tmp_path / "cinder.conf"
    path.write_text(f"[DEFAULT]\nenabled_backends = mine\n{spoil(section)}")
    with pytest.raises(InputError, match=message) as refusal:
        foreign.load([path])
    assert "\n" not in str(refusal.value)
