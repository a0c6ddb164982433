"""Life after: whatever became of the request, the volume must be as usable as any other.

Attach, read, write, detach, snapshot, extend, clone, move again, delete, through the same API as a user, and
in the end nothing of it may be left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from harness import checkers, errors
from harness.checkers import Evidence
from harness.control_plane.deployment import BackendPlan
from harness.matrix.cells import Cell
from harness.matrix.contents import stamped
from harness.matrix.expectations import expect
from harness.matrix.families import facts_of
from harness.matrix.gathering import gather, read_through_record
from harness.matrix.scenario import Scenario
from harness.model import is_migrating

USABLE = ("available", "in-use")
RESIDUE = (
    checkers.objects,
    checkers.exports,
    checkers.attachments,
    checkers.quota,
    checkers.keys,
    checkers.free_space,
)
"""What must be as clean after the deletion as it was before life after began."""
LAST_WRITTEN = 9
KEPT_FOR_CLONES = ".deleted"
"""A volume that was ever cloned stays behind under this suffix when it is deleted, migrated or not.

Deleting the clone returns before it removes the snapshot that the clone came from
(`cinder.volume.drivers.rbd:RBDDriver._delete_volume`), so this says nothing of the migration.
"""


class Broken(Exception):
    """A step of life after went wrong; the text says how."""


def live_on(scenario: Scenario, before: Evidence) -> list[str] | None:
    """What went wrong, in sentences; None if the volume is in no state in which a user may expect more.

    `before` is the evidence on which the cell was judged: what was left behind already is not told twice.
    """
    row = scenario.cloud.database.volumes.get(scenario.volume_id)
    if row is None or row["status"] not in USABLE or is_migrating(row["migration_status"]):
        return None
    for undo in reversed(scenario.undo):
        undo()
    steps = _steps(scenario, before)
    try:
        for name, step in steps:
            scenario.simulation.record(f"life after: {name}")
            try:
                step()
            except (Broken, errors.ServiceError) as error:
                # What the API answers is told in its words: engines know it by different classes.
                return [f"{name}: {error}"]
            except Exception as error:  # noqa: BLE001 (a driver may raise anything)
                return [f"{name}: {type(error).__name__}: {error}"]
    finally:
        scenario.simulation.kernel.failures.clear()
    return _left_over(scenario, before)


def _steps(scenario: Scenario, before: Evidence) -> Iterator[tuple[str, Callable[[], None]]]:
    data_is_whole = not before.lost
    yield "detach", lambda: _detach(scenario)
    yield "attach, read, write, detach", lambda: _use(scenario, data_is_whole)
    if _home(scenario).takes_snapshots:
        yield "snapshot", lambda: _snapshot(scenario)
    yield "extend", lambda: _extend(scenario)
    yield "clone", lambda: _clone(scenario)
    target = _next_home(scenario)
    # What is wrong already, or was left where the volume would go, is not told a second time.
    if target is not None and data_is_whole and not checkers.objects(before):
        yield "migrate again", lambda: _move_again(scenario, target)
    if _home(scenario).kind == "nfs" and _home(scenario).takes_snapshots:
        yield "snapshot while attached, reboot", lambda: _snapshot_in_use(scenario, data_is_whole)
    yield "delete", lambda: _delete(scenario)


def _settled(scenario: Scenario, status: str, what: str) -> None:
    """The volume must have come to rest in `status`."""
    row = scenario.cloud.database.volumes[scenario.volume_id]
    if row["status"] != status:
        raise Broken(f"status after {what} is {row['status']}, but should be {status}")


def _detach(scenario: Scenario) -> None:
    for server in scenario.servers:
        if scenario.volume_id in server.disks:
            scenario.act("nova", scenario.cloud.nova.detach_volume, server, scenario.volume_id)
    scenario.servers.clear()
    _settled(scenario, "available", "detaching")


def _use(scenario: Scenario, data_is_whole: bool) -> None:
    nova = scenario.cloud.nova
    server = nova.create_server("next-server")
    disk = scenario.act("nova", nova.attach_volume, server, scenario.volume_id)
    disk.ledger = scenario.ledger
    if data_is_whole and (pages := scenario.ledger.lost(disk.device.load)):
        raise Broken(f"{len(pages)} written pages do not read back")
    if disk.mode == "rw":
        disk.write(LAST_WRITTEN, stamped(LAST_WRITTEN, "life after"))
    _settled(scenario, "in-use", "attaching")
    scenario.act("nova", nova.detach_volume, server, scenario.volume_id)
    _settled(scenario, "available", "detaching")


def _snapshot(scenario: Scenario) -> None:
    api, database = scenario.cloud.api, scenario.cloud.database
    snapshot = scenario.act("owner", api.create_snapshot, scenario.owner, scenario.volume_id)
    status = database.get_snapshot(snapshot.id).status
    if status != "available":
        raise Broken(f"the snapshot is {status}, but should be available")
    scenario.act("owner", api.delete_snapshot, scenario.owner, snapshot.id)
    if snapshot.id in database.snapshots:
        raise Broken(f"the snapshot is {database.get_snapshot(snapshot.id).status}, but should be gone")


def _snapshot_in_use(scenario: Scenario, data_is_whole: bool) -> None:
    """A snapshot of an attached NFS volume gives the server another file, of another format.

    What the attachment says must lead there, or the server loses its disk when it starts again (LP 1860913,
    1989514).
    """
    api, nova = scenario.cloud.api, scenario.cloud.nova
    server = nova.create_server("last-server")
    disk = scenario.act("nova", nova.attach_volume, server, scenario.volume_id)
    disk.ledger = scenario.ledger

    def reboot(when: str) -> None:
        scenario.act("nova", nova.reboot, server)
        if data_is_whole and (pages := scenario.ledger.lost(disk.device.load)):
            raise Broken(f"{len(pages)} written pages do not read back after a reboot {when}")

    snapshot = scenario.act("owner", api.create_snapshot, scenario.owner, scenario.volume_id)
    status = scenario.cloud.database.get_snapshot(snapshot.id).status
    if status != "available":
        raise Broken(f"the snapshot is {status}, but should be available")
    if disk.mode == "rw":
        disk.write(LAST_WRITTEN, stamped(LAST_WRITTEN, "behind a snapshot"))
    reboot("with a snapshot")
    scenario.act("owner", api.delete_snapshot, scenario.owner, snapshot.id)
    if snapshot.id in scenario.cloud.database.snapshots:
        status = scenario.cloud.database.get_snapshot(snapshot.id).status
        raise Broken(f"the snapshot is {status}, but should be gone")
    reboot("without the snapshot")
    scenario.act("nova", nova.detach_volume, server, scenario.volume_id)


def _extend(scenario: Scenario) -> None:
    size = scenario.volume().size + 1
    scenario.act("owner", scenario.cloud.api.extend_volume, scenario.owner, scenario.volume_id, size)
    _settled(scenario, "available", "extending")
    if scenario.volume().size != size:
        raise Broken(f"size is {scenario.volume().size}, but should be {size}")


def _clone(scenario: Scenario) -> None:
    api, database = scenario.cloud.api, scenario.cloud.database
    volume = scenario.volume()
    kind = volume.volume_type
    clone = scenario.act(
        "owner",
        api.create_volume,
        scenario.owner,
        volume.size,
        name="clone",
        volume_type=kind.id if kind else None,
        source_volid=volume.id,
    )
    status = database.get_volume(clone.id).status
    if status != "available":
        raise Broken(f"the clone is {status}, but should be available")
    scenario.act("owner", api.delete_volume, scenario.owner, clone.id)
    if clone.id in database.volumes:
        raise Broken(f"the clone is {database.get_volume(clone.id).status}, but should be gone")


def _home(scenario: Scenario) -> BackendPlan:
    """The back-end that the volume is on."""
    host = scenario.volume().host
    return next((plan for plan in scenario.deployment.backends if plan.address == host), scenario.source)


def _next_home(scenario: Scenario) -> BackendPlan | None:
    """Back where it came from or, if it never left, where it should have gone.

    Only if that should succeed without a blemish: what is wrong with that move is another cell's matter.
    """
    cell = scenario.cell
    if cell.operation != "migrate" or cell.encryption != "none" or cell.precondition == "specs-mismatch":
        return None
    here, there = scenario.source, scenario.destination
    if scenario.volume().host != here.address:
        here, there = there, here
    if cell.multi_attached and not facts_of(there).multiattach:
        return None
    onward = Cell(operation="migrate", source=here.name, destination=there.name)
    # With snapshots an NFS volume becomes a qcow2 one, and may stay so.
    is_qcow2 = here.kind == "nfs" and scenario.volume().admin_metadata.get("format") == "qcow2"
    expected = expect(onward, msgspec.structs.replace(facts_of(here), qcow2=is_qcow2), facts_of(there))
    plain = expected.outcome == "succeeded" and set(expected.violations) <= {"capacity"}
    return there if plain else None


def _move_again(scenario: Scenario, target: BackendPlan) -> None:
    scenario.act(
        "operator", scenario.cloud.api.migrate_volume, scenario.admin, scenario.volume_id, target.address
    )
    row = scenario.cloud.database.volumes[scenario.volume_id]
    if (row["migration_status"], row["host"]) != ("success", target.address):
        raise Broken(f"migration_status is {row['migration_status']}, host {row['host']}")
    if lost := read_through_record(scenario).lost:
        raise Broken("; ".join(lost))


def _delete(scenario: Scenario) -> None:
    scenario.act("owner", scenario.cloud.api.delete_volume, scenario.owner, scenario.volume_id)
    row = scenario.cloud.database.volumes.get(scenario.volume_id)
    if row is not None:
        raise Broken(f"the volume is {row['status']}, but should be gone")


def _left_over(scenario: Scenario, before: Evidence) -> list[str]:
    """What the deletion left, beyond what the cell itself had left behind."""
    after = gather(scenario, before.wanted, read=False)
    left: list[str] = []
    for checker in RESIDUE:
        known = set(checker(before))
        left += [
            f"left over: {each}"
            for each in checker(after)
            if each not in known and f"{KEPT_FOR_CLONES} belongs" not in each
        ]
    return left
