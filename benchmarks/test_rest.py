"""The Block Storage API over 10,000 volumes: lists, single volumes, and how long a server takes to start."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.control_plane.deployment import Deployment
from harness.model import Volume
from tests.harness.rest.client import PROJECT, Client
from tests.harness.rest.served import ROOT, START, Served

VOLUMES = 10_000


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A deployment with many volumes on one back-end; every tenth is attached to nothing but has metadata."""
    with Client(Deployment.default()) as made:
        database = made.cloud.database
        kind = next(iter(database.volume_types))
        address = made.cloud.deployment.backend("lvm-a").address
        for number in range(VOLUMES):
            database.create(
                Volume,
                {
                    "project_id": PROJECT,
                    "display_name": f"volume {number}",
                    "status": "available",
                    "host": address,
                    "volume_type_id": kind,
                    "created_at": number,
                    "metadata": {"number": str(number)} if number % 10 == 0 else {},
                },
            )
        yield made


def test_a_page_of_a_thousand_volumes_with_details(benchmark: BenchmarkFixture, client: Client) -> None:
    """GET /volumes/detail?limit=1000: under 200 ms is the aim."""
    reply = benchmark(client.ask, "GET", "/volumes/detail?limit=1000")
    assert len(reply.body["volumes"]) == 1000


def test_one_volume(benchmark: BenchmarkFixture, client: Client) -> None:
    """GET /volumes/{id}, without a network."""
    volume_id = next(iter(client.cloud.database.volumes))
    assert benchmark(client.ask, "GET", f"/volumes/{volume_id}").code == 200


def test_one_volume_over_the_network(benchmark: BenchmarkFixture) -> None:
    """The same from a server, over one connection: 2 ms each are 500 requests per second."""
    with Served() as served:
        volume_id = served.ask("POST", "/v3/demo/volumes", {"volume": {"size": 1}})["volume"]["id"]
        connection = http.client.HTTPConnection("127.0.0.1", int(served.url.rpartition(":")[2]))

        def show() -> int:
            connection.request("GET", f"/v3/demo/volumes/{volume_id}", headers={"X-Auth-Token": "admin:demo"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

        assert benchmark(show) == 200
        connection.close()


def test_start_of_a_server(benchmark: BenchmarkFixture) -> None:
    """From nothing to the first line: Python, imports, thirteen back-ends, a listening port."""

    def start() -> str:
        with subprocess.Popen(
            [sys.executable, "-c", START, "serve", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.terminate()
        return line

    assert benchmark.pedantic(start, rounds=5).startswith("listening on")
