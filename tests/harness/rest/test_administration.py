"""What an administrator sets: default types, log levels, records of backups; and who is told of failures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.control_plane.deployment import Deployment
from tests.harness.rest.client import PROJECT, Client

OTHER = "0000000000000000000000000000c0de"


@pytest.fixture
def client() -> Iterator[Client]:
    """A served deployment that nothing has been done to."""
    with Client(Deployment.default()) as made:
        yield made


def made(client: Client, collection: str, kind: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a creation is answered with; it must be accepted."""
    reply = client.ask("POST", collection, {kind: body}, **more)
    assert reply.code < 300, reply.body
    found: dict[str, Any] = reply.body[kind]
    return found


def test_a_project_has_a_default_type(client: Client) -> None:
    """A volume without a type gets it, in that project only, and the type cannot be deleted meanwhile."""
    kind = made(client, "/types", "volume_type", {"name": "thick"})
    client.ask("PUT", f"/default-types/{PROJECT}", {"default_type": {"volume_type": "thick"}})
    assert made(client, "/volumes", "volume", {"size": 1})["volume_type"] == "thick"
    assert client.ask("GET", "/types/default").body["volume_type"]["name"] == "thick"
    elsewhere = made(client, "/volumes", "volume", {"size": 1}, project=OTHER)
    assert elsewhere["volume_type"] == "__DEFAULT__"
    unused = made(client, "/types", "volume_type", {"name": "unused"})
    for chosen in ("unused", unused["id"]):
        client.ask("PUT", f"/default-types/{OTHER}", {"default_type": {"volume_type": chosen}})
        assert client.ask("DELETE", f"/types/{unused['id']}").code == 400
    client.ask("DELETE", f"/default-types/{OTHER}")
    assert client.ask("DELETE", f"/types/{unused['id']}").code == 202
    assert client.ask("GET", "/default-types").body == {
        "default_types": [{"project_id": PROJECT, "volume_type_id": kind["id"]}]
    }


def test_default_types_are_kept(client: Client, tmp_path: Any) -> None:
    """They are records like any other."""
    with Client(Deployment.default(), state=tmp_path) as before:
        before.ask("PUT", f"/default-types/{PROJECT}", {"default_type": {"volume_type": "__DEFAULT__"}})
        found = before.ask("GET", "/default-types").body
    with Client(Deployment.default(), state=tmp_path) as after:
        assert after.ask("GET", "/default-types").body == found
    assert len(found["default_types"]) == 1


def levels(client: Client, **which: str) -> dict[str, dict[str, str]]:
    """The levels of loggers by host."""
    found = client.ask("PUT", "/os-services/get-log", which).body["log_levels"]
    return {each["host"]: each["levels"] for each in found}


def test_log_levels_are_those_of_a_process(client: Client) -> None:
    """Set by binary, server and prefix; a service that starts again has forgotten them."""
    wish = {"binary": "cinder-volume", "server": "node1@lvm-a", "prefix": "cinder.volume.m", "level": "debug"}
    assert client.ask("PUT", "/os-services/set-log", wish).code == 202
    client.pass_time(1)
    volume = levels(client, prefix="cinder.volume.manager")
    assert volume["node1@lvm-a"] == {"cinder.volume.manager": "DEBUG"}
    assert volume["node1@lvm-b"] == {"cinder.volume.manager": "INFO"}
    assert "INFO" in levels(client, server="node1@lvm-a")["node1@lvm-a"].values()
    assert list(levels(client, binary="cinder-api")) == ["node1"]
    client.cloud.stop("lvm-a")
    client.cloud.start_again("lvm-a")
    client.pass_time(1)
    assert "DEBUG" not in levels(client, server="node1@lvm-a")["node1@lvm-a"].values()


def test_an_exported_backup_is_imported_again(client: Client) -> None:
    """Where its record is gone; where it is not, the import is refused."""
    volume = made(client, "/volumes", "volume", {"size": 1})
    client.pass_time(5)
    backup = made(client, "/backups", "backup", {"volume_id": volume["id"], "name": "kept"})
    assert client.ask("GET", f"/backups/{backup['id']}/export_record").code == 400
    client.pass_time(60)
    record = client.ask("GET", f"/backups/{backup['id']}/export_record").body["backup-record"]
    refused = client.ask("POST", "/backups/import_record", {"backup-record": record})
    assert (refused.code, refused.body["badRequest"]["message"]) == (
        400, "Invalid backup: Backup already exists in database."
    )  # fmt: skip
    client.cloud.database.backups.pop(backup["id"])
    imported = client.ask("POST", "/backups/import_record", {"backup-record": record}, project=OTHER)
    assert (imported.code, imported.body["backup"]["id"]) == (201, backup["id"])
    client.pass_time(5)
    found = client.ask("GET", f"/backups/{backup['id']}", project=OTHER).body["backup"]
    assert (found["status"], found["name"], found["volume_id"]) == ("available", "kept", volume["id"])
    restored = client.ask("POST", f"/backups/{backup['id']}/restore", {"restore": {"volume_id": volume["id"]}})
    assert restored.code == 202
    client.pass_time(60)
    assert client.ask("GET", f"/volumes/{volume['id']}").body["volume"]["status"] == "available"


@pytest.mark.parametrize(
    ("service", "fields", "reason"),
    [
        ("stone", {"id": "b", "size": 1}, "cannot find backup service"),
        ("cinder.backup.drivers.nfs.NFSBackupDriver", {"id": "b", "size": 1}, "there are missing fields"),
    ],
)
def test_an_import_that_fails_leaves_a_backup_in_error(
    client: Client, service: str, fields: dict[str, Any], reason: str
) -> None:
    """The record says why."""
    url = base64.b64encode(json.dumps(fields).encode()).decode()
    wish = {"backup-record": {"backup_service": service, "backup_url": url}}
    assert client.ask("POST", "/backups/import_record", wish).code == 201
    client.pass_time(5)
    found = client.ask("GET", "/backups/b").body["backup"]
    assert found["status"] == "error"
    assert reason in found["fail_reason"]


@pytest.mark.parametrize(
    "fields",
    [
        [], "text", {"size": 1}, {"id": "b"}, {"id": 5, "size": 1}, {"id": "b", "size": "large"},
        {"id": "b", "size": -1}, {"id": "b", "size": 1, "metadata": 5},
        {"id": "b", "size": 1, "data_timestamp": "today"},
    ],
)  # fmt: skip
def test_what_is_no_record_of_a_backup_is_refused(client: Client, fields: Any) -> None:
    """At once."""
    url = base64.b64encode(json.dumps(fields).encode()).decode()
    wish = {"backup-record": {"backup_service": "", "backup_url": url}}
    assert client.ask("POST", "/backups/import_record", wish).code == 400


def test_who_asked_is_told(client: Client) -> None:
    """A message is for the project of whoever asked, be the volume another's."""
    made(client, "/types", "volume_type", {"name": "nowhere", "extra_specs": {"volume_backend_name": "no"}})
    mine = made(client, "/volumes", "volume", {"size": 1}, user="alice@member")
    client.pass_time(5)
    client.cloud.manager("lvm-a").initialized = False
    client.cloud.manager("lvm-b").initialized = False
    client.cloud.manager("rbd-a").initialized = False
    client.ask("POST", "/snapshots", {"snapshot": {"volume_id": mine["id"]}}, project=OTHER)
    client.pass_time(5)
    assert client.ask("GET", "/messages").body["messages"] == []
    told = client.ask("GET", "/messages", project=OTHER).body["messages"]
    assert [each["resource_type"] for each in told] == ["VOLUME_SNAPSHOT"]
