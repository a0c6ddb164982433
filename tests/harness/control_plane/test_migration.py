"""Migrations as their records tell them: which states the two records pass through, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness import errors
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.migration import can_use_driver_migration, finish_volume_migration
from harness.control_plane.nova_profiles import PROFILES
from harness.matrix.cells import Cell
from harness.matrix.runner import run_cell
from harness.matrix.scenario import Scenario
from harness.model import Volume
from harness.results import TimelineEvent
from harness.sim.faults import Fault, FaultPlan
from harness.sim.simulation import Simulation


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    """Immutable, so read once."""
    return Deployment.default()


def _path(states: Iterable[tuple[str, str | None] | None]) -> list[str]:
    """The distinct states in order, as status/migration_status; ids are left out."""
    path: list[str] = []
    for state in states:
        text = "gone" if state is None else f"{state[0]}/{str(state[1]).partition(':')[0]}"
        if not path or path[-1] != text:
            path.append(text)
    return path


def _timeline(deployment: Deployment, cell: Cell) -> list[TimelineEvent]:
    return run_cell(deployment, cell, keep_timeline=True).timeline


SOURCE_PATHS = {
    "offline, unlocked": (
        Cell(source="lvm-a", destination="rbd-a"),
        ["available/starting", "available/migrating", "available/completing", "available/success"],
    ),
    "offline, locked": (
        Cell(source="lvm-a", destination="rbd-a", lock="yes"),
        ["maintenance/starting", "maintenance/migrating", "maintenance/completing", "available/success"],
    ),
    "in use": (
        Cell(source="lvm-a", destination="rbd-a", status="in-use"),
        ["in-use/starting", "in-use/migrating", "in-use/completing", "in-use/success"],
    ),
    "retype of a volume in use": (
        Cell(operation="retype", source="lvm-a", destination="rbd-a", status="in-use"),
        ["retyping/None", "retyping/starting", "retyping/migrating", "retyping/completing", "in-use/success"],
    ),
    "driver-assisted": (
        Cell(source="rbd-a", destination="rbd-b"),
        ["available/starting", "available/migrating", "available/success"],
    ),
    "copy fails, locked": (
        Cell(source="lvm-a", destination="rbd-a", lock="yes", precondition="copy-fails"),
        ["maintenance/starting", "maintenance/migrating", "available/error"],
    ),
    "block job fails": (
        Cell(source="lvm-a", destination="rbd-a", status="in-use", precondition="copy-fails"),
        ["in-use/starting", "in-use/migrating", "in-use/error"],
    ),
    "scheduler refuses a migration": (
        Cell(source="lvm-a", destination="rbd-a", lock="yes", precondition="no-capacity"),
        ["maintenance/starting", "available/error"],
    ),
    "scheduler refuses a retype": (
        Cell(operation="retype", source="lvm-a", destination="rbd-a", precondition="no-capacity"),
        ["retyping/None", "available/None"],
    ),
}


@pytest.mark.parametrize("name", SOURCE_PATHS)
def test_the_source_passes_through_the_states_that_cinder_shows(name: str, deployment: Deployment) -> None:
    """The golden traces: `status` and `migration_status` of the user's volume."""
    cell, path = SOURCE_PATHS[name]
    assert _path(event.source for event in _timeline(deployment, cell)) == path


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ("available", ["gone", "creating/target", "available/target", "deleting/deleting", "gone"]),
        (
            "in-use",
            ["gone", "creating/target", "available/target", "reserved/target", "attaching/target",
             "in-use/target", "deleting/deleting", "gone"],
        ),
    ],
)  # fmt: skip
def test_the_temporary_volume_comes_and_goes(status: str, path: list[str], deployment: Deployment) -> None:
    """Its own golden trace, to the end."""
    events = _timeline(deployment, Cell(source="lvm-a", destination="rbd-a", status=status))
    assert _path(event.temporary for event in events) == path


def test_there_is_no_temporary_volume_when_the_driver_moves(deployment: Deployment) -> None:
    """Driver-assisted migration knows one record only."""
    events = _timeline(deployment, Cell(source="lvm-a", destination="lvm-b"))
    assert {event.temporary for event in events} == {None}


def test_the_temporary_volume_is_waited_for_with_growing_pauses(deployment: Deployment) -> None:
    """Polls after 0, 1, 5, 14, 30... seconds; `available` counts even behind the deadline of 300 s."""
    scenario = Scenario(deployment, Cell(source="lvm-a", destination="rbd-a"))
    delay = Fault(point="driver.create_volume", kind="delay", nth=1, delay_us=380 * 1_000_000)
    scenario.simulation.faults = FaultPlan([delay])
    scenario.act(
        "operator", scenario.cloud.api.migrate_volume, scenario.admin, scenario.volume_id,
        scenario.destination.address,
    )  # fmt: skip
    assert scenario.volume().migration_status == "success"
    assert scenario.simulation.kernel.now_us > 385 * 1_000_000
    scenario.simulation.close()


def test_a_temporary_volume_that_comes_too_late_becomes_an_orphan(deployment: Deployment) -> None:
    """After the timeout only the record is destroyed; the object appears later."""
    scenario = Scenario(deployment, Cell(source="lvm-a", destination="rbd-a"))
    delay = Fault(point="driver.create_volume", kind="delay", nth=1, delay_us=400 * 1_000_000)
    scenario.simulation.faults = FaultPlan([delay])
    scenario.act(
        "operator", scenario.cloud.api.migrate_volume, scenario.admin, scenario.volume_id,
        scenario.destination.address,
    )  # fmt: skip
    assert (scenario.volume().status, scenario.volume().migration_status) == ("available", "error")
    assert len(scenario.cloud.database.volumes) == 1
    assert len(scenario.cloud.world.cluster("ceph").pool("volumes").names()) == 1
    scenario.simulation.close()


def test_a_service_that_dies_leaves_the_volume_stuck(deployment: Deployment) -> None:
    """Nothing ever times out of `migrating`; only reset-status helps."""
    scenario = Scenario(deployment, Cell(source="lvm-a", destination="rbd-a", lock="yes"))
    scenario.simulation.faults = FaultPlan([Fault(point="copy.*", kind="crash", nth=3)])
    scenario.act(
        "operator", scenario.cloud.api.migrate_volume, scenario.admin, scenario.volume_id,
        scenario.destination.address, lock_volume=True,
    )  # fmt: skip
    assert (scenario.volume().status, scenario.volume().migration_status) == ("maintenance", "migrating")
    scenario.cloud.api.reset_status(
        scenario.admin, scenario.volume_id, status="available", migration_status="none"
    )
    assert (scenario.volume().status, scenario.volume().migration_status) == ("available", None)
    scenario.simulation.close()


@pytest.mark.parametrize(
    "values", [{}, {"migration_status": "target"}, {"migration_status": "deleting"}, {"status": "deleting"},
               {"status": "in-use"}, {"attach_status": "reserved"}],
)  # fmt: skip
def test_reset_status_refuses_what_cinder_refuses(values: dict[str, str], deployment: Deployment) -> None:
    """InvalidInput, 400."""
    scenario = Scenario(deployment, Cell(source="lvm-a", destination="rbd-a"))
    with pytest.raises(errors.Invalid):
        scenario.cloud.api.reset_status(scenario.admin, scenario.volume_id, **values)
    with pytest.raises(errors.PolicyNotAuthorized):
        scenario.cloud.api.reset_status(scenario.owner, scenario.volume_id, status="available")
    scenario.simulation.close()


def test_a_diff_of_equal_keys_forbids_driver_assistance() -> None:
    """The diff contains what two types have in common, which is taken for a change."""
    name = {"volume_backend_name": ("a", "b")}
    assert can_use_driver_migration(None)
    assert can_use_driver_migration({"extra_specs": name, "qos_specs": {}, "encryption": {}})
    shared = {**name, "multiattach": ("<is> True", "<is> True")}
    assert not can_use_driver_migration({"extra_specs": shared, "qos_specs": {}, "encryption": {}})
    luks = {"provider": ("luks", "luks")}
    assert not can_use_driver_migration({"extra_specs": name, "qos_specs": {}, "encryption": luks})


def test_the_swap_takes_user_edits_and_sizes_with_it(deployment: Deployment) -> None:
    """What was changed on the source while it was copied goes to the record that is thrown away."""
    cloud = Cloud(deployment, Simulation(), nova=PROFILES["32"], backends=["lvm-a"])
    ours = {"id": "src", "size": 5, "display_name": "edited", "host": "a", "multiattach": True}
    theirs = {"id": "tmp", "size": 3, "display_name": "old", "host": "b", "status": "available"}
    for values in (ours, theirs):
        cloud.database.create(Volume, values)
    source, temporary = (cloud.database.get_volume(each) for each in ("src", "tmp"))
    finish_volume_migration(source, temporary)
    rows = cloud.database.volumes
    assert (rows["src"]["size"], rows["src"]["display_name"], rows["src"]["host"]) == (3, "old", "b")
    assert (rows["tmp"]["size"], rows["tmp"]["display_name"], rows["tmp"]["host"]) == (5, "edited", "a")
    assert (rows["src"]["status"], rows["src"]["migration_status"]) == ("available", None)
    assert (rows["tmp"]["status"], rows["tmp"]["migration_status"]) == ("deleting", "deleting")
    assert rows["tmp"]["_name_id"] == "src"
    assert not rows["src"]["multiattach"]


@pytest.mark.parametrize(("source", "allocated"), [("lvm-thin", 0), ("nfs-far", 0), ("rbd-a", 1 << 30)])
def test_a_copy_to_nfs_leaves_holes_where_dd_makes_it(
    deployment: Deployment, source: str, allocated: int
) -> None:
    """LP 1455595: dd skips what is zero, in pieces of 1 MiB; the file loop of an RBD handle writes it all."""
    scenario = Scenario(deployment, Cell(source=source, destination="nfs-a", fill="empty"))
    scenario.run()
    volume = scenario.volume()
    assert volume.migration_status == "success"
    file = scenario.cloud.world.shares[volume.provider_location or ""].file(volume.name)
    assert (file.size, file.allocated) == (1 << 30, allocated)
    scenario.close()


@pytest.mark.parametrize(("source", "closed"), [("rbd-a", False), ("lvm-b", True)])
def test_a_copy_through_file_objects_that_fails_keeps_luks_open(
    source: str, closed: bool, deployment: Deployment
) -> None:
    """The error's own frames hold the file, so cryptsetup cannot close below it; dd has ended by then."""
    cell = Cell(
        operation="retype", policy="on-demand", source=source, destination="lvm-a", encryption="none-luks"
    )
    calls = [event.step for event in _timeline(deployment, cell) if event.actor == "c-vol@lvm-a"]
    assert ("driver.terminate_connection" in calls) is closed


@pytest.mark.parametrize(("precondition", "status", "found"), [
    ("none", "available", "raw"), ("member", "available", None), ("member", "in-use", "raw"),
])  # fmt: skip
def test_the_retype_of_a_member_does_not_reach_admin_metadata(
    precondition: str, status: str, found: str | None, deployment: Deployment
) -> None:
    """What the NFS driver notes on the temporary record is not swapped, unless Nova completes, as an admin."""
    cell = Cell(
        operation="retype", policy="on-demand", source="rbd-a", destination="nfs-a", status=status,
        precondition=precondition,
    )  # fmt: skip
    picture = run_cell(deployment, cell, keep_timeline=True).picture
    assert picture.get("volume: admin_metadata") == (f"format={found}" if found else None)
