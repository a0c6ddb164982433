"""Active/active: services of several nodes drive one back-end, and any of them answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import errors
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.control_plane.scheduler import CleanupFilter
from harness.model import Volume
from harness.sim.faults import Fault, FaultPlan
from harness.sim.simulation import Simulation
from tests.harness.clustered import ALONE, CLUSTERED, FIRST, SECOND, deployment
from tests.harness.control_plane.conftest import SECOND_US, Lab


class Pair(Lab):
    """Two nodes with one RBD back-end, and a third one with LVM."""

    def __init__(self, planned: Deployment) -> None:
        self.deployment = planned
        self.simulation = Simulation()
        self.kernel = self.simulation.kernel
        self.cloud = Cloud(planned, self.simulation, nova=PROFILES["32"])
        self.database = self.cloud.database
        self.api = self.cloud.api
        self.attachments = self.cloud.attachments

    def create(self) -> Volume:
        """A volume of the cluster's, placed by the scheduler."""
        made: Volume = self.act(self.api.create_volume, self.owner, 1, volume_type="ceph")
        return self.now(made)

    def who(self, step: str) -> list[str]:
        """The actors of a step, in order."""
        return [event.actor for event in self.simulation.history if event.step == step]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Fresh, with a type that leads to the cluster."""
    made = Pair(deployment(tmp_path, CLUSTERED, CLUSTERED, ALONE))
    made.cloud.create_type("ceph", extra_specs={"volume_backend_name": "ceph"})
    yield made
    made.close()


def test_the_scheduler_knows_the_cluster_as_one_pool(pair: Pair) -> None:
    """The first service that is up speaks for it."""
    pools = {pool.address: pool.host for pool in pair.cloud.scheduler.pools()}
    assert pools == {"both@ceph#ceph": "node1@ceph#ceph", "node3@lvm#lvm": "node3@lvm#lvm"}
    pair.cloud.services.stop(FIRST, seconds_ago=3600)
    assert {pool.host for pool in pair.cloud.scheduler.pools()} == {"node2@ceph#ceph", "node3@lvm#lvm"}


def test_its_services_take_turns(pair: Pair) -> None:
    """The volume is the cluster's, and its host is the service that has made it (`_set_resource_host`)."""
    volumes = [pair.create() for _ in range(4)]
    assert {volume.cluster_name for volume in volumes} == {"both@ceph#ceph"}
    assert [volume.host for volume in volumes] == [f"{host}#ceph" for host in (FIRST, SECOND, FIRST, SECOND)]
    assert {volume.status for volume in volumes} == {"available"}


def test_the_other_goes_on_when_one_dies(pair: Pair) -> None:
    """Messages are the cluster's, so that none waits for the dead service."""
    volume = pair.create()
    assert volume.host == f"{FIRST}#ceph"
    pair.cloud.services.stop(FIRST)
    pair.act(pair.api.extend_volume, pair.owner, volume.id, 2)
    assert pair.now(volume).size == 2
    pair.act(pair.api.delete_volume, pair.owner, volume.id)
    assert volume.id not in pair.database.volumes
    assert set(pair.who("driver.delete_volume")) == {"c-vol@ceph@node2"}


def test_the_other_takes_up_what_was_begun(pair: Pair) -> None:
    """When an admin asks for it, and a service of the cluster is up (`SchedulerManager.work_cleanup`)."""
    volume = pair.create()
    pair.simulation.faults = FaultPlan([Fault(point="driver.delete_volume", kind="crash", actor="c-vol@*")])
    pair.act(pair.api.delete_volume, pair.owner, volume.id)
    assert pair.states(volume)[0] == "deleting"
    dead = next(host for host in (FIRST, SECOND) if not pair.cloud.services.is_running(host))
    ask = pair.cloud.scheduler.work_cleanup
    assert pair.act(ask, CleanupFilter(), pair.kernel.now_us) == ([], []), "it does not seem to be down yet"
    pair.kernel.sleep(61 * SECOND_US)
    assert pair.act(ask, CleanupFilter(), pair.kernel.now_us) == ([dead], [])
    assert volume.id not in pair.database.volumes
    assert pair.database.workers == {}


def test_nobody_takes_up_the_work_of_a_service_that_is_alone(pair: Pair) -> None:
    """It is named as unavailable, and does so itself when it starts."""
    host = "node3@lvm"
    pair.cloud.services.stop(host, seconds_ago=3600)
    assert pair.act(pair.cloud.scheduler.work_cleanup, CleanupFilter(), pair.kernel.now_us) == ([], [host])


def test_a_migration_to_one_of_them_is_one_to_the_cluster(pair: Pair) -> None:
    """Whichever way it is asked for; and back again."""
    for wanted in ({"host": "node2@ceph#ceph"}, {"host": None, "cluster": "both@ceph"}):
        volume = pair.volume("lvm")
        pair.act(pair.api.migrate_volume, pair.admin, volume.id, **wanted)
        moved = pair.now(volume)
        assert (moved.migration_status, moved.cluster_name) == ("success", "both@ceph#ceph")
        pair.migrate(moved, "lvm")
        back = pair.now(volume)
        assert (back.migration_status, back.host, back.cluster_name) == ("success", "node3@lvm#lvm", None)


def test_an_attached_volume_moves_between_them_and_others(pair: Pair) -> None:
    """Nova, the destination's and the source's service all find one another."""
    volume = pair.volume("lvm")
    pair.server_with(volume)
    pair.act(pair.api.migrate_volume, pair.admin, volume.id, "node1@ceph#ceph")
    assert pair.states(volume) == ("in-use", "attached", "success")
    assert pair.objects("lvm") == set()


def test_a_cluster_is_frozen_as_a_whole(pair: Pair) -> None:
    """Nothing of it may be deleted, and nothing is placed there; of its services one has disabled itself."""
    volume = pair.create()
    pair.act(pair.api.freeze_host, pair.admin, SECOND)
    rows = [pair.database.services[host] for host in (FIRST, SECOND)]
    assert [row["frozen"] for row in rows] == [True, True]
    assert [row["disabled"] for row in rows].count(True) == 1
    assert pair.create().status == "error"
    with pytest.raises(errors.InvalidInput, match="frozen storage backends"):
        pair.act(pair.api.delete_volume, pair.owner, volume.id)


def test_a_cluster_is_disabled_as_a_whole(pair: Pair) -> None:
    """What a service's row says does not matter where there is a cluster (`_clustered_bool_field_filter`)."""
    pair.database.services[FIRST]["disabled"] = pair.database.services[SECOND]["disabled"] = True
    assert pair.create().status == "available"
    cluster = pair.api.set_cluster_disabled(pair.admin, "both@ceph", disabled=True, reason="new disks")
    assert (cluster.disabled, cluster.disabled_reason) == (True, "new disks")
    assert pair.create().status == "error"
    pair.api.set_cluster_disabled(pair.admin, "both@ceph", disabled=False)
    assert pair.create().status == "available"
    with pytest.raises(errors.NotFoundError, match="Cluster none could not be found"):
        pair.api.set_cluster_disabled(pair.admin, "none", disabled=True)


def test_no_cluster_of_that_name(pair: Pair) -> None:
    """400."""
    volume = pair.volume("lvm")
    with pytest.raises(errors.InvalidHost, match="No available service named 'other@ceph'"):
        pair.act(pair.api.migrate_volume, pair.admin, volume.id, None, cluster="other@ceph")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ALONE.replace("[DEFAULT]", "[DEFAULT]\ncluster = x"), "does not support active/active"),
        (CLUSTERED.replace("= both", "= bo@th"), "must have no @ and no #"),
    ],
)
def test_what_cannot_be_a_cluster(tmp_path: Path, text: str, complaint: str) -> None:
    """One line: file, section, option."""
    with pytest.raises(errors.InputError, match=complaint):
        deployment(tmp_path, text)
