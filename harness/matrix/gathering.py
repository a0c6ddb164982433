"""Gathering the evidence on which a cell is judged, when everything has come to rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fake_backends.block_store import BlockDevice
from fake_backends.connectors import connect
from fake_backends.luks import LuksDevice
from harness.checkers import Evidence, Wanted
from harness.control_plane.manager_base import host_connector
from harness.matrix.contents import FOREIGN
from harness.matrix.scenario import Scenario
from harness.model import Volume
from harness.sim.ledger import foreign_pages

SHOWN = 3
"""Of many pages that are wrong, so many are named."""


def gather(scenario: Scenario, wanted: Wanted, *, read: bool = True) -> Evidence:
    """Everything that the invariants may look at; `read` includes reading the volume's data."""
    cloud = scenario.cloud
    database = cloud.database
    plans = [manager.plan for manager in cloud.managers.values()]
    lost: list[str] = []
    foreign: list[str] = []
    if read:
        lost, foreign = _read_back(scenario)
    project = scenario.owner.project_id
    usages = {name: (usage.in_use, usage.reserved) for name, usage in cloud.quotas.usages(project).items()}
    return Evidence(
        subject=scenario.volume_id,
        known=frozenset({scenario.volume_id, *scenario.others}),
        wanted=wanted,
        volumes=_rows(database.volumes),
        snapshots=_rows(database.snapshots),
        attachments=_rows(database.attachments),
        type_names={row["id"]: row["name"] for row in database.volume_types.values()},
        projects=frozenset({project}),
        containers={plan.address: plan.container for plan in plans},
        objects=_objects(scenario),
        exporting=frozenset(plan.container for plan in plans if plan.kind == "lvm"),
        exports=list(_exports(scenario)),
        sessions=list(_sessions(scenario)),
        disks=[
            (server.id, volume_id, disk.attachment_id, disk.mode)
            for server in scenario.servers
            for volume_id, disk in server.disks.items()
        ],
        allocated={
            f"{manager.host}#{pool}": counted
            for manager in cloud.managers.values()
            for pool, counted in manager.allocated_capacity_gb.items()
        },
        usages=usages,
        open_reservations=[
            f"{each.resource} {each.delta:+d}"
            for each in cloud.quotas.open_reservations()
            if each.project == project
        ],
        keys=frozenset(cloud.key_manager.keys),
        lost=lost,
        foreign=foreign,
    )


def _rows(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The rows as they are now; life goes on after they were gathered."""
    return {row_id: dict(row) for row_id, row in table.items()}


def _objects(scenario: Scenario) -> dict[str, list[str]]:
    """Names by container, of the back-ends that can tell."""
    found: dict[str, list[str]] = {}
    for manager in scenario.cloud.managers.values():
        listing = getattr(manager.driver, "objects", None)
        if listing is not None and manager.plan.container not in found:
            found[manager.plan.container] = list(listing())
    return found


def _exports(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for name, node in scenario.cloud.world.nodes.items():
        if name == node.hostname:
            for iqn in node.targets.targets:
                yield name, iqn.rpartition(":")[2]


def _sessions(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for name, node in scenario.cloud.world.nodes.items():
        if name == node.hostname:
            for session in node.targets.sessions:
                yield session.iqn.rpartition(":")[2], session.initiator


# ------------------------------------------------------------------------------------------------ the data


def _read_back(scenario: Scenario) -> tuple[list[str], list[str]]:
    """(lost, foreign): by the guests' own disks, and through the record as it stands now."""
    lost: list[str] = []
    for server in scenario.servers:
        disk = server.disks.get(scenario.volume_id)
        if disk is not None:
            lost += _lost(scenario, disk.device, f"{server.id} reads")
    lost_there, foreign = read_through_record(scenario)
    return lost + lost_there, foreign


def read_through_record(scenario: Scenario) -> tuple[list[str], list[str]]:
    """Connect where the record points, whatever its status says, and compare with the ledger."""
    if scenario.volume_id not in scenario.cloud.database.volumes:
        return ["the record of the volume is gone"], []
    if not scenario.ledger.pages:
        return [], []
    volume = scenario.volume()
    plan_service = (volume.host or "").partition("#")[0]
    manager = scenario.cloud.managers.get(plan_service)
    if manager is None:
        return [f"the record's host {volume.host} is no service of this deployment"], []
    driver = manager.driver
    connector = host_connector("verifier")
    attached = bool(volume.volume_attachment)
    try:
        driver_update = driver.create_export(manager.admin, volume, connector)
        volume.update(driver_update or {})
        info = driver.initialize_connection(volume, connector)
        connection = connect(scenario.cloud.world, info, connector)
    except Exception as error:
        return [f"the data cannot be reached through the record: {error}"], []
    try:
        device = _plaintext(scenario, volume, connection.device)
        lost = _lost(scenario, device, "the record leads to")
        chunks = device.occupied(0, device.chunk_count)
        shown = foreign_pages(device.load, chunks, FOREIGN) - scenario.shown_before
    except Exception as error:
        return [f"the data cannot be read through the record: {error}"], []
    finally:
        connection.disconnect()
        driver.terminate_connection(volume, connector, force=False)
        if not attached:
            driver.remove_export(manager.admin, volume)
    foreign = [f"{len(shown)} pages of a former tenant can be read, first page {min(shown)}"] if shown else []
    return lost, foreign


def _plaintext(scenario: Scenario, volume: Volume, device: BlockDevice) -> BlockDevice:
    if volume.encryption_key_id is None:
        return device
    return LuksDevice(device, scenario.cloud.key_manager.keys[volume.encryption_key_id])


def _lost(scenario: Scenario, device: BlockDevice, where: str) -> list[str]:
    pages = scenario.ledger.lost(device.load)
    if not pages:
        return []
    named = ", ".join(str(page) for page in pages[:SHOWN])
    return [
        f"{where} {len(pages)} of {len(scenario.ledger.pages)} written pages that are not as written "
        f"({named}{', ...' if len(pages) > SHOWN else ''})"
    ]
