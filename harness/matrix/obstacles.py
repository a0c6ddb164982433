"""Preconditions: what is put in the way of the request, one small function each (see the axis).

An obstacle changes the world or the request before it is sent, and leaves in `undo` what has to be put right
before the volume can be used again. Failures on the way are faults at named points.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.control_plane.servers import Server
from harness.model import Cluster, Context, Service, Volume

if TYPE_CHECKING:
    from harness.matrix.scenario import Scenario

Obstacle = Callable[["Scenario"], None]

NO_SUCH_ID = "00000000-0000-4000-8000-000000000000"
LARGEST_GB = 500 * 1024
FILE_LENGTH_MAX = 8 << 40
"""Half of what ext4 takes."""


def _record(**values: Any) -> Obstacle:
    """The volume's record says something that stands in the way."""

    def put(scenario: Scenario) -> None:
        database = scenario.cloud.database
        row = database.volumes[scenario.volume_id]
        before = {field: row[field] for field in values}
        database.update(Volume, scenario.volume_id, values)

        def restore() -> None:
            # What has moved on since is not put back.
            now = database.volumes[scenario.volume_id]
            changed = {field: value for field, value in before.items() if now[field] == values[field]}
            database.update(Volume, scenario.volume_id, changed)

        scenario.undo.append(restore)

    return put


def _service(**flags: bool) -> Obstacle:
    """The row of the destination's service, or of its cluster, says something that stands in the way."""

    def put(scenario: Scenario) -> None:
        database, plan = scenario.cloud.database, scenario.destination
        kind = Cluster if plan.service_cluster else Service
        address = plan.service_cluster or plan.service
        database.update(kind, address, flags)
        before = {flag: not value for flag, value in flags.items()}
        scenario.undo.append(lambda: database.update(kind, address, before))

    return put


def _request(**values: Any) -> Obstacle:
    """The operator asks for something else, or is somebody else."""

    def put(scenario: Scenario) -> None:
        for field, value in values.items():
            setattr(scenario.request, field, value)

    return put


def _server(state: str) -> Obstacle:
    def put(scenario: Scenario) -> None:
        for server in scenario.servers:
            server.state = state

    return put


def _nova(**values: Any) -> Obstacle:
    def put(scenario: Scenario) -> None:
        for field, value in values.items():
            setattr(scenario.cloud.nova, field, value)

    return put


def _snapshot(scenario: Scenario) -> None:
    snapshot = scenario.act("owner", scenario.cloud.api.create_snapshot, scenario.owner, scenario.volume_id)
    scenario.undo.append(
        lambda: scenario.act("owner", scenario.cloud.api.delete_snapshot, scenario.owner, snapshot.id)
    )


def _same_host(scenario: Scenario) -> None:
    scenario.request.host = scenario.volume().host


def _absent_pool(scenario: Scenario) -> None:
    scenario.request.host = f"{scenario.destination.service}#nowhere"


def _service_down(scenario: Scenario) -> None:
    name = scenario.destination.name
    scenario.cloud.stop(name, seconds_ago=3600)
    scenario.undo.append(lambda: scenario.cloud.start_again(name))


def _quota(resource: str) -> Obstacle:
    def put(scenario: Scenario) -> None:
        name = f"{resource}_{scenario.request.type_name}"
        scenario.cloud.quotas.set_limit(scenario.owner.project_id, name, 0)

    return put


def _no_capacity(scenario: Scenario) -> None:
    """Another tenant's volume takes all that the destination can promise."""
    cloud, plan = scenario.cloud, scenario.destination
    manager = cloud.manager(plan.name)
    if plan.kind == "nfs":
        _fill_shares(scenario)
        return
    stats = manager.driver.get_volume_stats(refresh=True)
    pool = (stats.get("pools") or [stats])[0]
    if plan.thin:
        ratio = pool.get("max_over_subscription_ratio") or plan.configuration.max_over_subscription_ratio
        promised_gb = pool["total_capacity_gb"] * float(ratio)
    else:
        promised_gb = pool["free_capacity_gb"]
    tenant = Context("other", "other-project", is_admin=False)
    for resource in ("volumes", "gigabytes"):
        cloud.quotas.set_limit(tenant.project_id, resource, -1)
    fillers = [
        scenario.act("tenant", cloud.api.create_volume, tenant, size, host=plan.address)
        for size in _in_parts(int(promised_gb))
    ]
    manager.publish_service_capabilities()
    for filler in fillers:
        scenario.undo.append(partial(scenario.act, "tenant", cloud.api.delete_volume, tenant, filler.id))


def _fill_shares(scenario: Scenario) -> None:
    """Somebody else keeps files in each share, together as long as all that may be promised of it: a driver
    would not make a volume that takes the very last of it. A file system has a limit to one file's length.
    """
    plan = scenario.destination
    publish = scenario.cloud.manager(plan.name).publish_service_capabilities
    scenario.undo.append(publish)
    for export in plan.shares:
        share = scenario.cloud.world.shares[export]
        promised = int(share.statistics().total * float(plan.configuration.max_over_subscription_ratio))
        for start in range(0, promised, FILE_LENGTH_MAX):
            name = f"somebody else's {start // FILE_LENGTH_MAX + 1}"
            share.truncate(name, min(FILE_LENGTH_MAX, promised - start))
            scenario.undo.append(partial(share.remove, name))
    publish()


def _in_parts(size_gb: int) -> list[int]:
    """One volume of it all would be larger than back-ends can make."""
    whole, rest = divmod(size_gb, LARGEST_GB)
    return [LARGEST_GB] * whole + ([rest] if rest else [])


def _uninitialised(which: str) -> Obstacle:
    def put(scenario: Scenario) -> None:
        manager = scenario.cloud.manager(getattr(scenario.cell, which))
        manager.initialized = False

        def initialise() -> None:
            manager.initialized = True

        scenario.undo.append(initialise)

    return put


def _locked_server(scenario: Scenario) -> None:
    for server in scenario.servers:
        server.locked = True


def _cross_az_forbidden(scenario: Scenario) -> None:
    scenario.cloud.nova.cross_az_attach = False
    for server in scenario.servers:
        server.availability_zone = f"not-{scenario.destination.availability_zone}"
    scenario.undo.append(lambda: setattr(scenario.cloud.nova, "cross_az_attach", True))


def _absent_server(scenario: Scenario) -> None:
    """The server went away without a word to Cinder; its host still holds the device."""
    for server in scenario.servers:
        del scenario.cloud.nova.servers[server.id]


def _not_attached(scenario: Scenario) -> None:
    """Nova's own record of the disk is lost; the host still holds the device."""
    for server in scenario.servers:
        scenario.cloud.nova.servers[server.id] = Server(server.id, server.host, server.availability_zone)


MEMBER = Context("user", "project", is_admin=False)
STRANGER = Context("stranger", "other-project", is_admin=False)

OBSTACLES: dict[str, tuple[Obstacle, ...]] = {
    "snapshot": (_snapshot,),
    "group": (_record(group_id=NO_SUCH_ID),),
    "consistencygroup": (_record(consistencygroup_id=NO_SUCH_ID),),
    "replicated": (_record(replication_status="enabled"),),
    "migrating": (_record(migration_status="migrating"),),
    "temporary": (_record(migration_status=f"target:{NO_SUCH_ID}"),),
    "attaching": (_record(status="attaching"),),
    "error": (_record(status="error"),),
    "maintenance": (_record(status="maintenance"),),
    "same-host": (_same_host,),
    "absent-volume": (_request(volume_id=NO_SUCH_ID),),
    "member": (_request(context=MEMBER),),
    "foreign-member": (_request(context=STRANGER),),
    "absent-host": (_request(host="nowhere@nothing#nothing"),),
    "absent-pool": (_absent_pool,),
    "service-down": (_service_down,),
    "service-disabled": (_service(disabled=True),),
    "service-frozen": (_service(frozen=True),),
    "no-host": (_request(host=None),),
    "host-and-cluster": (_request(cluster="cluster@backend"),),
    "absent-type": (_request(type_name="no-such-type"),),
    "same-type": (_request(type_name="old"),),
    "quota-volumes": (_quota("volumes"),),
    "quota-gigabytes": (_quota("gigabytes"),),
    "no-capacity": (_no_capacity,),
    "source-uninitialised": (_uninitialised("source"),),
    "destination-uninitialised": (_uninitialised("destination"),),
    "server-stopped": (_server("SHUTOFF"),),
    "server-shelved": (_server("SHELVED_OFFLOADED"),),
    "server-paused": (_server("PAUSED"),),
    "server-resized": (_server("RESIZED"),),
    "server-locked": (_locked_server,),
    "swap-forbidden": (_nova(swap_allowed=False),),
    "cross-az-forbidden": (_cross_az_forbidden,),
    "absent-server": (_absent_server,),
    "not-attached": (_not_attached,),
}

FAULTS: dict[str, tuple[tuple[str, int, str], ...]] = {
    "release-fails": (("quota.reserve", 2, "operator"),),
    "create-fails": (("driver.create_volume", 1, "{destination}"),),
    "destination-export-fails": (("driver.create_export", 1, "{destination}"),),
    "source-export-fails": (("driver.create_export", 1, "{source}"),),
    "copy-fails": (
        ("copy.*", 5, "*"), ("lvm.dd", 4, "*"), ("rbd.copy", 2, "*"), ("nova.block_copy", 5, "*"),
    ),
    "rename-fails": (
        ("lvm.lvrename", 1, "{destination}"), ("rbd.rename", 1, "{destination}"),
        ("nfs.rename", 1, "{destination}"),
    ),
    # The LVM driver tries a removal six times.
    "source-delete-fails": (
        *(("lvm.lvremove", visit, "{source}") for visit in range(1, 7)),
        ("rbd.remove", 1, "{source}"), ("nfs.rm", 1, "{source}"),
    ),
}  # fmt: skip
"""(point, n-th visit, actor) of the planned faults; every one is an I/O error."""
