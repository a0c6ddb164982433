"""Drivers that Crucible does not know, on the real Cinder: the example's, and its relatives with mistakes.

Each needs processes of its own, so the cells of all run once for all tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from harness.cinder_engine import foreign
from harness.cinder_engine.boot import Process
from harness.cinder_engine.engine import CinderEngine, Worker
from harness.cinder_engine.release import installed
from harness.cli import main
from harness.control_plane import deployment as deployments
from harness.control_plane.deployment import BackendPlan, Deployment, Seen
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
target_helper = lioadm
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
DERIVED = "retype/OwnLvm/OwnLvm/available/type=specs"


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
    drivers["OwnLvm"] = "norden_mistakes.OwnLvm"
    deployment = _deployment(tmp_path_factory.mktemp("mistakes") / "cinder.conf", drivers)
    return _run(deployment, [*(cell_id for cell_id, _ in MISTAKES.values()), DERIVED])


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


def test_a_driver_that_is_derived_from_cinders_has_its_storage(bad: dict[str, CellResult]) -> None:
    """It needs the volume group, and is judged as an LVM driver."""
    assert bad[DERIVED].verdict == "pass", bad[DERIVED].difference


SETUPS = {
    "absent.driver.Driver": "there is no module absent; install the package",
    "norden.driver.Absent": "norden.driver has no class Absent; it has the drivers NordenISCSIDriver",
    "norden_mistakes.NoDriver": "is no driver of Cinder",
    "norden_mistakes.NeedsLibrary": "needs no_such_library, .* pip install no_such_library",
    "norden_mistakes.Rejects": "rejects its section: InvalidInput: .*norden_tier must be set",
    "norden_mistakes.WantsOption": "rejects its section: .*norden_tier",
    "norden_mistakes.Alone": "talks to 203.0.113.1:443, and nobody is there; set crucible_array =",
    "norden_mistakes.Refuses": "",
    "norden_mistakes.Talkative": "",
}
"""What is said of a driver when it is looked at; nothing, if there is nothing that the user can put right."""


def _look(path: Path, line: Connection) -> None:
    """All of them in one process."""
    deployment = deployments.load([path], partial(foreign.recognise, {}))
    with Process(deployment) as process:
        for plan in deployment.backends:
            try:
                line.send(foreign._observed(process, deployment, plan))
            except InputError as error:
                line.send(str(error))


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BackendPlan | str]:
    path = tmp_path_factory.mktemp("looks") / "cinder.conf"
    sections = [
        SECTION.format(name=f"s{number}", driver=driver, array=f"s{number}")
        for number, driver in enumerate(SETUPS)
    ]
    sections[6] = sections[6].replace("crucible_array = ", "other_option = ")
    sections[8] = sections[8].replace("norden.testing:NordenArray", "norden_mistakes:TalkativeArray")
    names = ", ".join(f"s{number}" for number in range(len(SETUPS)))
    path.write_text(f"[DEFAULT]\nenabled_backends = {names}\n{''.join(sections)}")
    worker = Worker(partial(_look, path))
    found = {driver: worker.line.recv() for driver in SETUPS}
    worker.end()
    return found


@pytest.mark.parametrize("driver", [driver for driver, message in SETUPS.items() if message])
def test_what_cannot_be_meant_is_said_in_one_line(looks: dict[str, BackendPlan | str], driver: str) -> None:
    """With file, section and option, and what would be right."""
    said = looks[driver]
    assert isinstance(said, str)
    assert re.match(rf"/.*cinder.conf: \[s\d\] volume_driver = {driver}: ", said)
    assert re.search(SETUPS[driver], said)
    assert "\n" not in said


def test_any_other_failure_is_a_finding(looks: dict[str, BackendPlan | str]) -> None:
    """And without secrets."""
    plan = looks["norden_mistakes.Refuses"]
    assert isinstance(plan, BackendPlan)
    assert plan.seen is not None
    assert plan.seen.failure.endswith("the array is on strike; secret=***")


def test_a_driver_may_talk_to_its_array_in_every_way(looks: dict[str, BackendPlan | str]) -> None:
    """By a vendor's SDK, over SSH, and through a program on its host; what it is, is seen."""
    plan = looks["norden_mistakes.Talkative"]
    assert isinstance(plan, BackendPlan), plan
    assert plan.address == "node1@s8#pool-1"
    assert plan.seen == Seen(driver="Talkative", multiattach=True)


def test_bad_input_ends_the_command_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and nothing else."""
    path = tmp_path / "cinder.conf"
    section = SECTION.format(name="mine", driver="norden.driver.Absent", array="mine")
    path.write_text(f"[DEFAULT]\nenabled_backends = mine\n{section}")
    assert main(["matrix", "--engine", "cinder", "--config", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        f"crucible: {path}: [mine] volume_driver = norden.driver.Absent: norden.driver has no"
    )
    assert err.count("\n") == 1
