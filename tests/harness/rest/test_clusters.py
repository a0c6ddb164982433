"""What an administrator sees of an active/active cluster, and the clean-up that he asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sim.faults import Fault, FaultPlan
from tests.harness.clustered import CLUSTERED, FIRST, SECOND, deployment
from tests.harness.rest.client import Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Two nodes with one RBD back-end."""
    with Client(deployment(tmp_path, CLUSTERED, CLUSTERED), backends=None) as made:
        yield made


def test_a_cluster_is_shown_with_its_services_counted(client: Client) -> None:
    """One of the two is down: the cluster is up."""
    client.cloud.services.stop(FIRST, seconds_ago=3600)
    (cluster,) = client.ask("GET", "/clusters/detail").body["clusters"]
    assert cluster == client.ask("GET", "/clusters/both@ceph").body["cluster"]
    assert (cluster["name"], cluster["state"], cluster["num_hosts"], cluster["num_down_hosts"]) == (
        "both@ceph", "up", 2, 1
    )  # fmt: skip
    assert client.ask("GET", "/clusters").body["clusters"] == [
        {
            "name": "both@ceph",
            "binary": "cinder-volume",
            "state": "up",
            "status": "enabled",
            "replication_status": "disabled",
        }
    ]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("name=both", 1), ("name=bot", 0), ("is_up=true", 1), ("is_up=false", 0), ("num_hosts=2", 1),
        ("num_down_hosts=1", 0), ("disabled=true", 0), ("frozen=False", 1),
    ],
)  # fmt: skip
def test_clusters_are_filtered(client: Client, query: str, count: int) -> None:
    """By what the view has; a name may leave out the back-end."""
    assert len(client.ask("GET", f"/clusters?{query}").body["clusters"]) == count


def test_what_is_refused(client: Client) -> None:
    """Filters that are none, names that nothing has, callers who are no admins, and old microversions."""
    assert client.ask("GET", "/clusters?colour=red").code == 400
    assert client.ask("GET", "/clusters?frozen=False", version="3.7").code == 400
    assert client.ask("GET", "/clusters/other").code == 404
    assert client.ask("GET", "/clusters", user="alice@member").code == 403
    assert client.ask("GET", "/clusters", version="3.6").code == 404
    assert client.ask("POST", "/workers/cleanup", {}, user="alice@member").code == 403
    assert client.ask("POST", "/workers/cleanup", {"resource_type": "planet"}).code == 400
    assert client.ask("POST", "/workers/cleanup", {"resource_id": "5" * 32}).code == 400


def _dead_in_the_middle(client: Client) -> tuple[str, str]:
    """A volume in deletion, and the service that died over it."""
    volume_id = str(client.ask("POST", "/volumes", {"volume": {"size": 1}}).body["volume"]["id"])
    client.pass_time(10)
    client.cloud.simulation.faults = FaultPlan(
        [Fault(point="driver.delete_volume", kind="crash", actor="c-vol@*")]
    )
    assert client.ask("DELETE", f"/volumes/{volume_id}").code == 202
    client.pass_time(1)
    dead = next(host for host in (FIRST, SECOND) if not client.cloud.services.is_running(host))
    return volume_id, dead


@pytest.mark.parametrize("by_resource", [False, True], ids=["all", "one resource"])
def test_the_work_of_a_dead_service_is_taken_up(client: Client, by_resource: bool) -> None:
    """By the other one of the cluster, once the dead one is seen to be down."""
    volume_id, dead = _dead_in_the_middle(client)
    wish = {"resource_id": volume_id, "resource_type": "volume"} if by_resource else {}
    nothing: dict[str, list[object]] = {"cleaning": [], "unavailable": []}
    assert client.ask("POST", "/workers/cleanup", wish).body == nothing, "it does not seem to be down yet"
    client.pass_time(61)
    assert client.ask("POST", "/workers/cleanup", {**wish, "host": "node9"}).body == nothing
    assert client.ask("POST", "/workers/cleanup", {"binary": "cinder-scheduler"}).body == nothing
    reply = client.ask("POST", "/workers/cleanup", wish)
    assert reply.code == 202
    number = 1 if dead == FIRST else 2
    assert reply.body["cleaning"] == [
        {"id": number, "host": dead, "binary": "cinder-volume", "cluster_name": "both@ceph"}
    ]
    client.pass_time(10)
    assert client.ask("GET", f"/volumes/{volume_id}").code == 404


def test_nobody_is_there_to_take_it_up(client: Client) -> None:
    """Both services are down: they are named as unavailable."""
    for host in (FIRST, SECOND):
        client.cloud.services.stop(host, seconds_ago=3600)
    found = client.ask("POST", "/workers/cleanup", {"service_id": 2}).body
    assert [each["host"] for each in found["unavailable"]] == [SECOND]
    found = client.ask("POST", "/workers/cleanup", {"cluster_name": "both@ceph"}).body
    assert [each["host"] for each in found["unavailable"]] == [FIRST, SECOND]


def _new_status(client: Client) -> str:
    """What becomes of a volume that is asked for now."""
    made = client.ask("POST", "/volumes", {"volume": {"size": 1}}).body["volume"]
    client.pass_time(10)
    return str(client.ask("GET", f"/volumes/{made['id']}").body["volume"]["status"])


def test_a_disabled_cluster_gets_no_volumes(client: Client) -> None:
    """Until it is enabled again; the reason shows meanwhile."""
    wish = {"name": "both@ceph", "disabled_reason": " maintenance "}
    reply = client.ask("PUT", "/clusters/disable", wish)
    assert (reply.code, reply.body["cluster"]["status"]) == (200, "disabled")
    shown = client.ask("GET", "/clusters/both@ceph").body["cluster"]
    assert (shown["status"], shown["disabled_reason"]) == ("disabled", "maintenance")
    assert len(client.ask("GET", "/clusters?disabled=true").body["clusters"]) == 1
    assert _new_status(client) == "error"
    assert client.ask("PUT", "/clusters/enable", {"name": "both@ceph"}).code == 200
    assert client.ask("GET", "/clusters/both@ceph").body["cluster"]["disabled_reason"] is None
    assert _new_status(client) == "available"
    for refused, code in (({"name": "both@ceph", "binary": "cinder-backup"}, 404), ({"name": "other"}, 404)):
        assert client.ask("PUT", "/clusters/disable", refused).code == code
    assert client.ask("PUT", "/clusters/disable", wish, user="alice@member").code == 403


def test_a_cluster_is_frozen_as_a_whole(client: Client) -> None:
    """The scheduler leaves it out; thawing it twice is refused."""
    assert client.ask("PUT", "/os-services/freeze", {"cluster": "both@ceph"}).code == 200
    assert client.ask("GET", "/clusters/both@ceph").body["cluster"]["frozen"] is True
    assert _new_status(client) == "error"
    assert client.ask("PUT", "/os-services/thaw", {"cluster": "both@ceph"}).code == 200
    assert client.ask("PUT", "/os-services/thaw", {"cluster": "both@ceph"}).code == 400
    assert client.ask("GET", "/clusters/both@ceph").body["cluster"]["frozen"] is False
