"""The general client of OpenStack, as far as it does without an identity service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.rest.served import Served

pytest.importorskip("openstackclient")


def test_the_general_client_moves_a_volume() -> None:
    """Create, migrate and show: it sends no token, and so is an administrator."""
    with Served("--speed", "stopped") as served:

        def openstack(*words: str) -> Any:
            access = ("--os-auth-type", "none", "--os-endpoint", f"{served.url}/v3")
            # Without the variables for the other client: they say who one is, and here nobody is anybody.
            done = subprocess.run(
                [Path(sys.executable).parent / "openstack", *access, "--os-volume-api-version", "3.71", *words],
                env={"PATH": os.environ["PATH"], "HOME": "/"}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout) if "json" in words else done.stdout

        volume_id = openstack("volume", "create", "--size", "1", "moving", "-f", "json")["id"]
        served.pass_time(1)
        openstack("volume", "migrate", "--host", "node1@lvm-b#lvm-b", volume_id)
        served.pass_time(60)
        assert openstack("volume", "show", volume_id, "-f", "json")["status"] == "available"
        moved = served.ask("GET", f"/v3/volumes/{volume_id}")["volume"]
        assert (moved["migration_status"], moved["os-vol-host-attr:host"]) == ("success", "node1@lvm-b#lvm-b")
        assert [each["ID"] for each in openstack("volume", "list", "-f", "json")] == [volume_id]
