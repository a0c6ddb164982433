"""From an HTTP request to an operation and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.control_plane.deployment import Deployment
from tests.harness.rest.client import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A served deployment that nothing has been done to."""
    with Client(Deployment.default()) as made:
        yield made


def test_a_client_finds_the_versions(client: Client) -> None:
    """Without a token, and with whatever it accepts."""
    reply = client.send("GET", "/", {"host": "here:1", "accept": "*/*"})
    assert reply.code == 300
    assert reply.body["versions"][0]["version"] == "3.71"


def test_the_callers_project_may_have_any_name(client: Client) -> None:
    """Cinder itself wants hexadecimal digits in a URL."""
    assert client.ask("GET", "/volumes", project="demo").code == 200
    assert client.ask("GET", "/v3/demo/volumes", project="other").code == 404
