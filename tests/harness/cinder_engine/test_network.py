"""What a driver sends reaches the fake of its array, whichever library it uses, and nobody else."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fake_backends.array import Array, Place, Request, Response
from fake_backends.command_line import Result
from harness.cinder_engine.release import installed
from harness.sim.faults import Fault
from harness.sim.simulation import Simulation

if installed() is None:
    pytest.skip("Cinder is not installed: pip install 'cinder-crucible[cinder]'", allow_module_level=True)

import paramiko
import requests

from harness.cinder_engine.seams import network
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage


class Echo(Array):
    """Answers with what it was asked."""

    def http(self, request: Request) -> Response:
        if request.path == "/late":
            raise TimeoutError("too late")
        asked = [request.method, request.host, request.port, request.path, dict(request.query)]
        said = {"asked": asked, "body": request.body.decode(), "type": request.headers.get("content-type")}
        return Response.of_json(said, 404 if request.path == "/absent" else 200)

    def ssh(self, command: str, user: str) -> Result:
        return Result(f"{user}: {command}\n", "careful\n", 3)


class Alone(Stage):
    """A stage with one array and nothing else."""

    array: Array | None = Echo(Place(name="mine"))

    def __init__(self, simulation: Simulation) -> None:
        super().__init__()
        self.cloud: Any = SimpleNamespace(simulation=simulation)


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with Simulation() as made:
        yield made


@pytest.fixture
def stage(simulation: Simulation) -> Iterator[Stage]:
    patches = Patches()
    made = Alone(simulation)
    network.install(patches, made)
    yield made
    patches.undo()


def test_requests_reaches_the_array(stage: Stage, simulation: Simulation) -> None:
    """With TLS and a body; it takes time, and is in the timeline."""
    session = requests.Session()
    for _ in range(2):  # the second time the pool has a used connection
        answer = session.post("https://array.example:8443/volumes?limit=2", json={"size": 1}, timeout=3)
    said = answer.json()
    assert said["asked"] == ["POST", "array.example", 8443, "/volumes", {"limit": "2"}]
    assert (said["body"], said["type"]) == ('{"size": 1}', "application/json")
    assert [(event.step, event.detail) for event in simulation.history] == [("http.post", "/volumes")] * 2
    assert simulation.kernel.now_us == 2 * network.LATENCY_US


def test_a_body_of_unknown_length_arrives_whole(stage: Stage) -> None:
    """In chunks."""
    answer = requests.put("http://array.example/image", data=iter([b"one, ", b"two"]), timeout=3)
    assert answer.json()["body"] == "one, two"


def test_http_client_reaches_the_array(stage: Stage) -> None:
    """As zadara and lightos use it."""
    connection = http.client.HTTPSConnection("array.example", 444)
    connection.request("GET", "/pools")
    assert json.load(connection.getresponse())["asked"] == ["GET", "array.example", 444, "/pools", {}]


def test_urllib_reaches_the_array(stage: Stage) -> None:
    """As hedvig and netapp use it."""
    with urllib.request.urlopen("http://array.example/pools") as answer:
        assert json.load(answer)["asked"][0] == "GET"


def test_an_error_of_the_array_is_one_of_http(stage: Stage, simulation: Simulation) -> None:
    """And its text is in the timeline."""
    assert requests.get("http://array.example/absent", timeout=3).status_code == 404
    assert simulation.history[-1].step == "http 404"


def test_an_array_may_be_late(stage: Stage) -> None:
    """Then the library says what it says of sockets."""
    with pytest.raises(requests.Timeout):
        requests.get("http://array.example/late", timeout=3)


def test_a_fault_can_be_planned_for_a_request(stage: Stage, simulation: Simulation) -> None:
    """The connection breaks off."""
    simulation.faults = type(simulation.faults)([Fault(point="http.delete", kind="eio", nth=1)])
    with pytest.raises(requests.ConnectionError):
        requests.delete("http://array.example/volumes/1", timeout=3)


def test_without_an_array_nobody_is_there(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is noted who was asked for."""
    monkeypatch.setattr(Alone, "array", None)
    with pytest.raises(requests.ConnectionError, match="crucible_array"):
        requests.get("http://array.example:88/", timeout=3)
    assert "array.example:88" in stage.unanswered


def test_a_socket_leads_nowhere(stage: Stage) -> None:
    """No connection leaves this process, and no name is looked up."""
    with socket.socket() as plain:
        with pytest.raises(ConnectionRefusedError):
            plain.connect(("192.0.2.1", 80))
        assert plain.connect_ex(("192.0.2.1", 80)) != 0
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("array.example", 80)


def test_ssh_reaches_the_array(stage: Stage) -> None:
    """Through `processutils.ssh_execute`, as Cinder's SAN drivers use it."""
    from oslo_concurrency import processutils

    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("array.example", username="admin", password="secret-of-admin")
    assert client.get_transport().is_active()
    stdout, stderr = processutils.ssh_execute(client, "show volumes", check_exit_code=False)
    assert (stdout, stderr) == ("admin: show volumes\n", "careful\n")
    with pytest.raises(processutils.ProcessExecutionError) as failure:
        processutils.ssh_execute(client, "show volumes")
    assert failure.value.exit_code == 3
