"""Gathering the evidence on which a cell is judged, when everything has come to rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fake_backends import luks
from fake_backends.block_store import CHUNK, BlockDevice
from fake_backends.connectors import connect
from fake_backends.world import World
from harness import errors
from harness.checkers import Evidence, Wanted
from harness.control_plane.deployment import BackendPlan
from harness.control_plane.manager_base import host_connector
from harness.matrix.contents import FOREIGN
from harness.matrix.scenario import Scenario, free_space
from harness.model import GIB, Volume
from harness.record import service_host
from harness.sim.ledger import foreign_pages

SHOWN = 3
"""Of many pages that are wrong, so many are named."""


def gather(scenario: Scenario, wanted: Wanted, *, read: bool = True) -> Evidence:
    """Everything that the invariants may look at; `read` includes reading the volume's data."""
    cloud = scenario.cloud
    database = cloud.database
    plans = [manager.plan for manager in cloud.managers.values()]
    # To read connects and disconnects: what is exported is looked at first.
    exports, sessions = list(_exports(scenario)), list(_sessions(scenario))
    fabric = cloud.world.fabric
    exports += fabric.presented()
    sessions += fabric.in_use()
    reading = read_back(scenario) if read else Reading()
    project = scenario.owner.project_id
    objects = _objects(scenario)
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
        services={host: row["uuid"] for host, row in database.services.items()},
        objects=objects,
        exporting=frozenset(plan.container for plan in plans if _exporting(plan, cloud.world)),
        exports=exports,
        sessions=sessions,
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
        free=_free(scenario, objects),
        usages=usages,
        open_reservations=[
            f"{each.resource} {each.delta:+d}"
            for each in cloud.quotas.open_reservations()
            if each.project == project
        ],
        keys=frozenset(cloud.key_manager.keys),
        short=reading.short,
        lost=reading.lost,
        foreign=reading.foreign,
    )


def _rows(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The rows as they are now; life goes on after they were gathered."""
    return {row_id: dict(row) for row_id, row in table.items()}


def _objects(scenario: Scenario) -> dict[str, list[str]]:
    """Names by container, of the back-ends that can tell."""
    found: dict[str, list[str]] = {}
    for manager in scenario.cloud.managers.values():
        listing = getattr(manager.driver, "objects", None)
        names = listing() if listing is not None and manager.plan.container not in found else None
        if names is not None:
            found[manager.plan.container] = list(names)
    return found


def _exporting(plan: BackendPlan, world: World) -> bool:
    """Whether all that leads to the volumes of a back-end can be seen: portals of hosts, and the fabric."""
    return plan.kind == "lvm" or (plan.array is not None and not world.arrays[plan.array_name].PROTOCOLS)


def _free(scenario: Scenario, objects: Mapping[str, list[str]]) -> dict[str, tuple[float, float]]:
    """What drivers report as free, and what they did at first: where all is gone that was made since.

    As long as anything is there, nobody but the driver knows what it takes. Pools share the space of a cluster.
    """
    plans = [manager.plan for manager in scenario.cloud.managers.values()]
    taken = {_space(plan) for plan in plans if objects.get(plan.container, True)}
    addresses = {plan.address for plan in plans if _space(plan) not in taken}
    first = scenario.free_at_first
    return {
        address: (now, first[address])
        for address, now in free_space(scenario.cloud).items()
        if address in first and address in addresses
    }


def _space(plan: BackendPlan) -> str:
    return plan.cluster or plan.container


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


class Reading(NamedTuple):
    """What reading the volume showed to be wrong, in sentences."""

    lost: list[str] = []
    foreign: list[str] = []
    short: list[str] = []


def read_back(scenario: Scenario) -> Reading:
    """By the guests' own disks, and through the record as it stands now."""
    lost: list[str] = []
    for server in scenario.servers:
        disk = server.disks.get(scenario.volume_id)
        if disk is not None:
            lost += _lost(scenario, disk.device, f"{server.id} reads")
    reading = read_through_record(scenario)
    return reading._replace(lost=lost + reading.lost)


def read_through_record(scenario: Scenario) -> Reading:
    """Connect where the record points, whatever its status says, and compare with the ledger."""
    if scenario.volume_id not in scenario.cloud.database.volumes:
        return Reading(lost=["the record of the volume is gone"])
    volume = scenario.volume()
    manager = scenario.cloud.managers.get(service_host(volume.host or ""))
    if manager is None:
        return Reading(lost=[f"the record's host {volume.host} is no service of this deployment"])
    driver, connector = manager.driver, host_connector("verifier")
    attached = bool(volume.volume_attachment)
    try:
        volume.update(driver.create_export(manager.admin, volume, connector) or {})
        info = driver.initialize_connection(volume, connector)
        connection = connect(scenario.cloud.world, info, connector)
    except Exception as error:  # noqa: BLE001 (a driver may raise anything: the data is out of reach)
        return Reading(lost=[f"the data cannot be reached through the record: {error}"])
    try:
        return _compare(scenario, volume, connection.disk())
    except Exception as error:  # noqa: BLE001 (a device may fail with anything: the data is out of reach)
        return Reading(lost=[f"the data cannot be read through the record: {error}"])
    finally:
        connection.disconnect()
        driver.terminate_connection(volume, connector, force=False)
        if not attached:
            driver.remove_export(manager.admin, volume)


def _compare(scenario: Scenario, volume: Volume, device: BlockDevice) -> Reading:
    """Size, the owner's pages, and whether anybody else's can be seen that the volume did not show before."""
    short = []
    if device.size < volume.size * GIB:
        short = [f"{volume.name} has {device.size} bytes, but should have {volume.size} GiB"]
    if volume.encryption_key_id is not None:
        if luks.provider_of(device) is None and not scenario.ledger.pages:
            # Never attached, so never formatted: there is nothing to read yet.
            return Reading(short=short)
        device = luks.LuksDevice(device, scenario.cloud.key_manager.keys[volume.encryption_key_id])
    # What lies behind the original size was never copied, only added by an extension.
    chunks = device.occupied(0, min(device.chunk_count, scenario.size_gb * GIB // CHUNK))
    shown = foreign_pages(device.load, chunks, FOREIGN) - scenario.shown_before
    foreign = [f"{len(shown)} pages of a former tenant can be read, first page {min(shown)}"] if shown else []
    return Reading(_lost(scenario, device, "the record leads to"), foreign, short)


def _lost(scenario: Scenario, device: BlockDevice, where: str) -> list[str]:
    """Pages of the ledger that this device does not show as they were acknowledged."""
    try:
        pages = scenario.ledger.lost(device.load)
    except errors.StorageError as error:
        return [f"{where} nothing at all: {error}"]
    if not pages:
        return []
    named = ", ".join(str(page) for page in pages[:SHOWN])
    more = ", ..." if len(pages) > SHOWN else ""
    written = len(scenario.ledger.pages)
    return [f"{where} {len(pages)} of {written} written pages that are not as written ({named}{more})"]
