"""The general client of OpenStack, as far as it does without an identity service."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.harness.rest.served import Served
from tests.harness.rest.typed import Said, Typist

pytest.importorskip("openstackclient")

LINES = """
    volume type create --property volume_backend_name=lvm-a thick
    volume type set --description slow thick
    volume create --size 1 --type thick moving
    pass 3
    volume set --property a=b moving
    volume migrate --host node1@lvm-b#lvm-b moving
    pass 60
    volume snapshot create --volume moving before
    pass 10
    volume create --snapshot before copy
    pass 60
    volume snapshot delete before
    volume backup create --name kept moving
    pass 60
    volume backup record export kept
    volume backup delete kept
    volume transfer request create copy
    volume backend capability show node1@lvm-a
    volume service list
    volume group type create pack
    volume group create --volume-group-type pack --volume-type thick
    volume group snapshot list
    block storage cluster list
    block storage log level list
    block storage volume manageable list node1@lvm-a#lvm-a
    consistency group list
    volume summary
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server whose clock stands still."""
    with Served("--speed", "stopped") as running:
        yield running


@pytest.fixture(scope="module")
def typist() -> Iterator[Typist]:
    """Who types all lines."""
    with Typist("openstack") as made:
        yield made


def openstack(served: Served, typist: Typist, line: str) -> Said:
    """One command line. The client sends no token, and so is an administrator."""
    access = f"--os-auth-type none --os-endpoint {served.url}/v3 --os-volume-api-version 3.71"
    return typist.type({}, f"{access} {line}")


def test_the_general_client_moves_a_volume(served: Served, typist: Typist) -> None:
    """Create, migrate and show."""
    made = openstack(served, typist, "volume create --size 1 travelling -f json")
    volume_id = json.loads(made.text)["id"]
    served.pass_time(1)
    assert not openstack(served, typist, f"volume migrate --host node1@lvm-b#lvm-b {volume_id}").error
    served.pass_time(60)
    shown = openstack(served, typist, f"volume show {volume_id} -f json")
    assert json.loads(shown.text)["status"] == "available"
    moved = served.ask("GET", f"/v3/volumes/{volume_id}")["volume"]
    assert (moved["migration_status"], moved["os-vol-host-attr:host"]) == ("success", "node1@lvm-b#lvm-b")
    listed = openstack(served, typist, "volume list -f json")
    assert [each["ID"] for each in json.loads(listed.text)] == [volume_id]


def test_the_general_client_is_answered(served: Served, typist: Typist) -> None:
    """Some commands of each kind, one after another."""
    for line in (line.strip() for line in LINES.strip().splitlines()):
        if line.startswith("pass "):
            served.pass_time(float(line.removeprefix("pass ")))
            continue
        said = openstack(served, typist, line)
        assert not said.error, (line, said)
