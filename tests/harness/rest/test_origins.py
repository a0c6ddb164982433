"""New volumes: what they are made of, and where the user wants them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.control_plane.deployment import Deployment, load
from tests.harness.rest.client import Client

OTHER = "0000000000000000000000000000c0de"
CONF = """
[DEFAULT]
enabled_backends = one, two
scheduler_default_filters = AvailabilityZoneFilter, CapacityFilter, DifferentBackendFilter

[one]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_group = one

[two]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_group = two
"""


@pytest.fixture
def client() -> Iterator[Client]:
    """A served deployment that nothing has been done to."""
    with Client(Deployment.default()) as made:
        yield made


def made(client: Client, **wish: Any) -> dict[str, Any]:
    """A volume as it is when it is made."""
    reply = client.ask("POST", "/volumes", {"volume": wish})
    assert reply.code == 202, reply.body
    client.pass_time(120)
    found: dict[str, Any] = client.ask("GET", f"/volumes/{reply.body['volume']['id']}").body["volume"]
    return found


def image_of(client: Client, volume_id: str, name: str) -> str:
    """The id of an image that a volume was uploaded to."""
    body = {"os-volume_upload_image": {"image_name": name}}
    reply = client.ask("POST", f"/volumes/{volume_id}/action", body)
    client.pass_time(120)
    found: str = reply.body["os-volume_upload_image"]["image_id"]
    return found


def test_a_volume_of_an_image(client: Client) -> None:
    """By id, by name or by a URL; it boots, and says what it is made of."""
    image_id = image_of(client, made(client, size=1)["id"], "bare")
    for reference in (image_id, "bare", f"http://glance/v2/images/{image_id}"):
        volume = made(client, size=2, imageRef=reference)
        assert (volume["status"], volume["bootable"]) == ("available", "true")
        assert volume["volume_image_metadata"]["image_id"] == image_id


@pytest.mark.parametrize(
    ("wish", "code"),
    [({"size": 1}, 400), ({"size": 2, "name": "small"}, 202), ({"size": 2, "source_volid": "SOURCE"}, 400)],
)
def test_an_image_has_to_fit(client: Client, wish: dict[str, Any], code: int) -> None:
    """And to be the only origin."""
    source = made(client, size=2)["id"]
    wish = {key: source if value == "SOURCE" else value for key, value in wish.items()}
    image_id = image_of(client, source, "large")
    assert client.ask("POST", "/volumes", {"volume": {**wish, "imageRef": image_id}}).code == code


def test_two_images_of_one_name_are_no_name(client: Client) -> None:
    """409; and an image of another project is none at all."""
    volume_id = made(client, size=1)["id"]
    for _ in range(2):
        image_of(client, volume_id, "twin")
    wish = {"volume": {"size": 1, "imageRef": "twin"}}
    assert client.ask("POST", "/volumes", wish).code == 409
    assert client.ask("POST", "/volumes", wish, user="mallory@member", project=OTHER).code == 400


def test_a_volume_of_a_backup(client: Client) -> None:
    """It has the backup's size where nobody says another one."""
    source = made(client, size=2)
    backup = client.ask("POST", "/backups", {"backup": {"volume_id": source["id"]}}).body["backup"]
    client.pass_time(120)
    volume = made(client, backup_id=backup["id"])
    assert (volume["status"], volume["size"]) == ("available", 2)
    assert volume["metadata"]["src_backup_id"] == backup["id"]


def test_a_hint_keeps_volumes_apart(tmp_path: Path) -> None:
    """Where the deployment has a filter for it; a hint of no form is refused."""
    (tmp_path / "cinder.conf").write_text(CONF)
    with Client(load([tmp_path / "cinder.conf"]), backends=None) as client:
        first = made(client, size=1)
        for _ in range(3):
            hints = {"different_host": first["id"]}
            body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": hints}
            other = client.ask("POST", "/volumes", body).body["volume"]["id"]
            client.pass_time(5)
            there = client.ask("GET", f"/volumes/{other}").body["volume"]["os-vol-host-attr:host"]
            assert there != first["os-vol-host-attr:host"]
        body["OS-SCH-HNT:scheduler_hints"] = {"different_host": "no uuid"}
        assert client.ask("POST", "/volumes", body).code == 400
