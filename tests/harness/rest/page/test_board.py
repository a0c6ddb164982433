"""What the page says, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.control_plane.deployment import Deployment
from harness.rest.page.board import Migration, board
from tests.harness.rest.client import Client


@pytest.fixture
def client() -> Iterator[Client]:
    """A served deployment that nothing has been done to."""
    with Client(Deployment.default()) as made:
        yield made


def volume(client: Client, name: str, **more: Any) -> str:
    """The id of a volume on lvm-a."""
    made = client.ask("POST", "/volumes", {"volume": {"size": 1, "name": name, **more}})
    client.pass_time(5)
    found: str = made.body["volume"]["id"]
    return found


def moving(client: Client, volume_id: str, **flags: Any) -> Migration:
    """How its migration shows, in the middle of the copy."""
    body = {"os-migrate_volume": {"host": "node1@lvm-b#lvm-b", **flags}}
    assert client.ask("POST", f"/volumes/{volume_id}/action", body).code == 202
    assert "scheduler" in board(client.cloud).migrations[0].happening
    client.pass_time(5)
    (found,) = board(client.cloud).migrations
    return found


@pytest.fixture
def thick(client: Client) -> str:
    """A type that leads to lvm-a, and is encrypted."""
    specs = {"volume_backend_name": "lvm-a", "RESKEY:availability_zones": "nova"}
    kind = client.ask("POST", "/types", {"volume_type": {"name": "thick", "extra_specs": specs}})
    client.ask(
        "POST",
        f"/types/{kind.body['volume_type']['id']}/encryption",
        {"encryption": {"provider": "luks", "control_location": "front-end"}},
    )
    client.ask("DELETE", f"/types/{kind.body['volume_type']['id']}/extra_specs/volume_backend_name")
    return "thick"


def test_a_locked_volume_cannot_be_attached_meanwhile(client: Client, thick: str) -> None:
    """Its tags say that, and that it is encrypted."""
    shown = moving(client, volume(client, "safe", volume_type=thick), lock_volume=True, force_host_copy=True)
    assert list(shown.tags) == ["encrypted", "locked"]
    assert "no server can attach it" in shown.happening
    assert (shown.status, shown.tone) == ("maintenance", "busy")
    assert shown.percent is not None
    copies = [line.copy_of for line in board(client.cloud).volumes]
    assert sorted(copies) == ["", shown.volume_id[:8]]


def test_an_unlocked_volume_is_in_danger(client: Client) -> None:
    """What a server writes that attaches it meanwhile is lost."""
    shown = moving(client, volume(client, "bold"), force_host_copy=True)
    assert "loses what it writes" in shown.happening


def test_nova_moves_what_a_server_has(client: Client) -> None:
    """The page names the server."""
    volume_id = volume(client, "busy")
    client.send("PUT", f"/servers/web/volumes/{volume_id}", {"host": "here:1"})
    shown = moving(client, volume_id)
    assert list(shown.tags) == ["attached to web"]
    assert shown.happening.startswith("Nova mirrors")
