"""The ordinary client, unmodified, in processes of its own, rehearses a migration.

The clock of the server stands still unless the test moves it, so every stage can be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.rest.served import Served

pytest.importorskip("cinderclient")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server whose clock stands still."""
    with Served("--speed", "stopped") as running:
        yield running


def test_the_client_follows_a_migration_stage_by_stage(served: Served) -> None:
    """starting, migrating, completing, success; the host changes, and lock_volume shows as maintenance."""
    served.cinder("create", "1", "--name", "moving")
    served.pass_time(1)
    before = served.show("moving")
    assert (before["status"], before["migration_status"]) == ("available", "None")
    there = "node1@lvm-b#lvm-b"
    assert before["os-vol-host-attr:host"] != there

    said = served.cinder("migrate", "--lock-volume", "--force-host-copy", "True", "moving", there)
    assert said.strip() == f"Request to migrate volume {before['id']} has been accepted."
    assert _stage(served, before["id"]) == ("maintenance", "starting")
    served.pass_time(0.003)
    assert _stage(served, before["id"]) == ("maintenance", "migrating")
    temporary = served.cinder("list", "--all-tenants", "--migration_status", f"target:{before['id']}")
    assert "moving" in temporary
    assert "moving" not in served.cinder("list", "--migration_status", "success")
    stages = set()
    for _ in range(40):
        served.pass_time(0.5)
        stages.add(served.ask("GET", f"/v3/volumes/{before['id']}")["volume"]["migration_status"])
        if "success" in stages:
            break
    assert stages >= {"migrating", "success"}
    after = served.show(before["id"])
    assert (after["status"], after["migration_status"]) == ("available", "success")
    assert after["os-vol-host-attr:host"] == there


def _stage(served: Served, volume_id: str) -> tuple[str, str]:
    shown = served.show(volume_id)
    return shown["status"], shown["migration_status"]


def test_the_client_retypes_with_both_policies(served: Served) -> None:
    """`never` refuses what would have to move; `on-demand` moves it, and encrypts what the type says."""
    served.cinder("type-create", "thick")
    served.cinder("type-key", "thick", "set", "volume_backend_name=lvm-a")
    served.cinder("type-create", "thin")
    served.cinder("type-key", "thin", "set", "volume_backend_name=lvm-thin")
    served.cinder("type-create", "vault")
    served.cinder(
        "encryption-type-create", "--cipher", "aes-xts-plain64", "--key-size", "256",
        "--control-location", "front-end", "vault", "luks",
    )  # fmt: skip
    assert "luks" in served.cinder("encryption-type-list")
    served.cinder("create", "1", "--name", "changing", "--volume-type", "thick")
    served.pass_time(1)
    served.cinder("retype", "changing", "thin")
    served.pass_time(60)
    refused = served.show("changing")
    assert (refused["volume_type"], refused["status"]) == ("thick", "available")
    served.cinder("retype", "--migration-policy", "on-demand", "changing", "thin", user="alice@member")
    assert served.show("changing")["status"] == "retyping"
    served.pass_time(60)
    moved = served.show("changing")
    assert (moved["volume_type"], moved["status"]) == ("thin", "available")
    assert moved["os-vol-host-attr:host"] == "node1@lvm-thin#lvm-thin"


def test_what_is_refused_is_said(served: Served) -> None:
    """The client prints Cinder's words; a refused migration leaves its exit status at 0, as ever."""
    served.cinder("create", "1", "--name", "staying")
    served.pass_time(1)
    here = served.show("staying")["os-vol-host-attr:host"]
    done = served.run("cinder", "migrate", "staying", here)
    assert done.returncode == 0
    assert "destination host/cluster must be different than the current one" in done.stdout + done.stderr
    done = served.run("cinder", "migrate", "staying", "node1@lvm-b#lvm-b", user="alice@member")
    assert (
        "Policy doesn't allow volume_extension:volume_admin_actions:migrate_volume" in done.stdout + done.stderr
    )
    done = served.run("cinder", "retype", "staying", "nothing")
    assert done.returncode == 1
    assert "Volume type with name nothing could not be found." in done.stderr


def test_states_are_reset(served: Served) -> None:
    """And shown in lists."""
    served.cinder("create", "1", "--name", "stuck")
    served.pass_time(1)
    served.cinder("reset-state", "--state", "error", "stuck")
    assert served.show("stuck")["status"] == "error"
    served.cinder("reset-state", "--state", "available", "--reset-migration-status", "stuck")
    shown = served.show("stuck")
    assert (shown["status"], shown["migration_status"]) == ("available", "None")


def test_a_member_sees_less_than_an_administrator(served: Served) -> None:
    """migration_status, host and name_id are the administrator's; a reader may not write."""
    served.cinder("create", "1", "--name", "plain", user="alice@member")
    served.pass_time(1)
    admin, member = served.show("plain"), served.show("plain", user="alice@member")
    assert set(admin) - set(member) == {
        "migration_status", "os-vol-host-attr:host", "os-vol-mig-status-attr:migstat",
        "os-vol-mig-status-attr:name_id", "cluster_name", "provider_id",
    }  # fmt: skip
    assert not set(member) - set(admin)
    refused = served.run("cinder", "create", "1", user="bob@reader")
    assert "Policy doesn't allow volume:create to be performed." in refused.stderr


def test_an_attached_volume_migrates(served: Served) -> None:
    """Nova copies it while its server goes on."""
    served.cinder("create", "1", "--name", "busy")
    served.pass_time(1)
    volume_id = served.show("busy")["id"]
    served.ask("PUT", f"/servers/web/volumes/{volume_id}")
    served.cinder("migrate", "busy", "node1@lvm-b#lvm-b")
    served.pass_time(120)
    shown = served.show("busy")
    assert (shown["status"], shown["migration_status"]) == ("in-use", "success")
    assert shown["attached_servers"] == "['web']"


def test_the_other_commands_of_an_administrator_work(served: Served) -> None:
    """Services, pools, hosts, quotas, limits, zones and filters."""
    assert "node2@lvm-far" in served.cinder("service-list")
    assert "free_capacity_gb" in served.cinder("get-pools", "--detail")
    assert "gigabytes" in served.cinder("quota-show", "demo")
    served.cinder("quota-update", "--volumes", "99", "demo")
    assert "| volumes" in served.cinder("quota-usage", "demo")
    assert "maxTotalVolumes" in served.cinder("absolute-limits")
    assert "zone2" in served.cinder("availability-zone-list")
    assert "migration_status" in served.cinder("list-filters", "--resource", "volume")
