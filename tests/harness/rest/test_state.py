"""What is there after a restart."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fake_backends.block_store import PAGE
from harness.control_plane.deployment import Deployment
from harness.errors import InputError
from tests.harness.rest.client import EPOCH, PROJECT, Client

PATHS = (
    "/volumes/detail", "/types", "/types/{kind}/encryption", "/qos-specs", "/snapshots/detail", "/os-services",
    f"/os-quota-sets/{PROJECT}?usage=True", "/scheduler-stats/get_pools?detail=true", "/attachments",
)  # fmt: skip


def _volume(client: Client, **fields: Any) -> str:
    reply = client.ask("POST", "/volumes", {"volume": {"size": 1, **fields}})
    assert reply.code == 202
    client.pass_time(10)
    return str(reply.body["volume"]["id"])


def _everything(client: Client, kind: str) -> list[Any]:
    answers = [client.ask("GET", path.format(kind=kind)).body for path in PATHS]
    for service in answers[5]["services"]:
        service["updated_at"] = ""  # a heartbeat is no record
    return answers


def test_everything_is_there_again(tmp_path: Path) -> None:
    """Records, quotas, encryption, QoS specs, capacity: after a restart all lists are as they were."""
    with Client(Deployment.default(), state=tmp_path) as client:
        kind = client.ask("POST", "/types", {"volume_type": {"name": "vault"}}).body["volume_type"]["id"]
        client.ask(
            "POST",
            f"/types/{kind}/encryption",
            {"encryption": {"provider": "luks", "control_location": "front-end"}},
        )
        qos = client.ask("POST", "/qos-specs", {"qos_specs": {"name": "slow", "read_iops_sec": "9"}}).body
        client.ask("GET", f"/qos-specs/{qos['qos_specs']['id']}/associate?vol_type_id={kind}")
        volume_id = _volume(client, name="kept", volume_type="vault", metadata={"a": "b"})
        client.ask("POST", "/snapshots", {"snapshot": {"volume_id": volume_id, "name": "s"}})
        client.ask("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {"volumes": 77}})
        client.pass_time(70)
        before = _everything(client, kind)
    with Client(Deployment.default(), state=tmp_path, now=EPOCH + timedelta(seconds=200)) as client:
        assert _everything(client, kind) == before
        fresh = _volume(client)
        assert fresh != volume_id
        assert client.ask("GET", f"/volumes/{fresh}").body["volume"]["status"] == "available"


def test_a_server_keeps_its_disk(tmp_path: Path) -> None:
    """A volume in use can still migrate after a restart."""
    with Client(Deployment.default(), state=tmp_path) as client:
        volume_id = _volume(client)
        assert client.send("PUT", f"/servers/web/volumes/{volume_id}", {}).code == 200
    with Client(Deployment.default(), state=tmp_path) as client:
        assert client.send("GET", "/servers", {}).body["servers"][0]["volumes"] == [volume_id]
        here = client.ask("GET", f"/volumes/{volume_id}").body["volume"]["os-vol-host-attr:host"]
        there = next(
            pool["name"]
            for pool in client.ask("GET", "/scheduler-stats/get_pools").body["pools"]
            if pool["name"] != here
        )
        client.ask("POST", f"/volumes/{volume_id}/action", {"os-migrate_volume": {"host": there}})
        client.pass_time(60)
        volume = client.ask("GET", f"/volumes/{volume_id}").body["volume"]
        assert (volume["status"], volume["migration_status"]) == ("in-use", "success")
        assert volume["os-vol-host-attr:host"] == there


def test_what_is_in_backups_and_images_is_kept(tmp_path: Path) -> None:
    """A backup can be restored after a restart, and the image is there."""
    written = b"precious".ljust(PAGE)
    with Client(Deployment.default(), state=tmp_path) as client:
        volume_id = _volume(client)
        assert client.send("PUT", f"/servers/web/volumes/{volume_id}", {}).code == 200
        client.cloud.nova.servers["web"].disks[volume_id].write(5, written)
        assert client.send("DELETE", f"/servers/web/volumes/{volume_id}", {}).code == 200
        backup = client.ask("POST", "/backups", {"backup": {"volume_id": volume_id}}).body["backup"]["id"]
        client.pass_time(60)
        upload = {"os-volume_upload_image": {"image_name": "golden"}}
        image = client.ask("POST", f"/volumes/{volume_id}/action", upload).body["os-volume_upload_image"][
            "image_id"
        ]
        client.pass_time(60)
    with Client(Deployment.default(), state=tmp_path) as client:
        assert client.cloud.images.disks[image].read(5 * PAGE, PAGE) == written
        body = client.ask("POST", f"/backups/{backup}/restore", {"restore": {}}).body
        client.pass_time(60)
        restored = body["restore"]["volume_id"]
        assert client.ask("GET", f"/volumes/{restored}").body["volume"]["status"] == "available"
        assert client.send("PUT", f"/servers/web/volumes/{restored}", {}).code == 200
        assert client.cloud.nova.servers["web"].disks[restored].device.read(5 * PAGE, PAGE) == written


def test_messages_are_kept(tmp_path: Path) -> None:
    """A user can read after a restart why his volume is in error."""
    with Client(Deployment.default(), state=tmp_path) as client:
        nowhere = {"name": "nowhere", "extra_specs": {"volume_backend_name": "absent"}}
        client.ask("POST", "/types", {"volume_type": nowhere})
        _volume(client, volume_type="nowhere")
        before = client.ask("GET", "/messages").body
        assert len(before["messages"]) == 1
    with Client(Deployment.default(), state=tmp_path) as client:
        assert client.ask("GET", "/messages").body == before


def test_a_migration_that_was_cut_off_stays_where_it_was(tmp_path: Path) -> None:
    """As in Cinder: nothing takes it up, an administrator resets it."""
    with Client(Deployment.default(), state=tmp_path) as client:
        volume_id = _volume(client)
        client.ask("POST", f"/volumes/{volume_id}/action", {"os-migrate_volume": {"host": "node1@lvm-b#lvm-b"}})
        client.pass_time(3)
        client.session.cloud.close()
    with Client(Deployment.default(), state=tmp_path) as client:
        client.pass_time(600)
        volume = client.ask("GET", f"/volumes/{volume_id}").body["volume"]
        assert volume["migration_status"] == "migrating"


def test_a_directory_of_others_is_left_alone(tmp_path: Path) -> None:
    """One line, and nothing touched."""
    (tmp_path / "precious").write_text("data")
    with pytest.raises(InputError, match="is not empty"):
        Client(Deployment.default(), state=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_damaged_file_of_records_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with Client(Deployment.default(), state=tmp_path):
        pass
    for name in ("records.sqlite-wal", "records.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "records.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=r"records\.sqlite"):
        Client(Deployment.default(), state=tmp_path)


def test_records_of_a_newer_release_are_refused(tmp_path: Path) -> None:
    """They may mean something that this release does not know."""
    with Client(Deployment.default(), state=tmp_path):
        pass
    with sqlite3.connect(tmp_path / "records.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="schema 99"):
        Client(Deployment.default(), state=tmp_path)


def test_groups_and_their_snapshots_are_kept(tmp_path: Path) -> None:
    """And a group can still be made of one."""
    lists = ("/groups/detail", "/group_snapshots/detail", "/group_types", "/snapshots/detail")
    with Client(Deployment.default(), state=tmp_path) as before:
        kind = {"volume_type": {"name": "thick", "extra_specs": {"volume_backend_name": "lvm-a"}}}
        type_id = before.ask("POST", "/types", kind).body["volume_type"]["id"]
        group_type = before.ask("POST", "/group_types", {"group_type": {"name": "pack"}}).body["group_type"]
        wish = {"group_type": group_type["id"], "volume_types": [type_id]}
        group = before.ask("POST", "/groups", {"group": wish}).body["group"]
        before.pass_time(5)
        volume = {"size": 1, "volume_type": "thick", "group_id": group["id"]}
        before.ask("POST", "/volumes", {"volume": volume})
        before.pass_time(5)
        taken = before.ask("POST", "/group_snapshots", {"group_snapshot": {"group_id": group["id"]}})
        before.pass_time(20)
        found = [before.ask("GET", path).body for path in lists]
    with Client(Deployment.default(), state=tmp_path) as after:
        assert [after.ask("GET", path).body for path in lists] == found
        source = {"group_snapshot_id": taken.body["group_snapshot"]["id"]}
        copy = after.ask("POST", "/groups/action", {"create-from-src": source}).body["group"]
        after.pass_time(60)
        shown = after.ask("GET", f"/groups/{copy['id']}?list_volume=True").body["group"]
        assert (shown["status"], len(shown["volumes"])) == ("available", 1)
