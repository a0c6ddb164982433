"""Requests of any form that the OpenAPI document allows, and mutations of them: the server never fails.

schemathesis makes them from the document that is served; they are the same at each run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from harness.control_plane.deployment import Deployment
from harness.rest.catalogue import OPERATIONS
from harness.rest.openapi import document
from tests.harness.rest.client import PROJECT, Client

schemathesis = pytest.importorskip("schemathesis")
NotSet = pytest.importorskip("schemathesis.core").NotSet
GenerationMode = pytest.importorskip("schemathesis.generation").GenerationMode

SCHEMA = schemathesis.openapi.from_dict(document(OPERATIONS))
FOUND = {f"{each.ok().method.upper()} {each.ok().path}": each.ok() for each in SCHEMA.get_all_operations()}
EXAMPLES = 3
ROUNDS = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """One server takes it all."""
    with Client(Deployment.default()) as made:
        yield made


@pytest.fixture(scope="module")
def known(client: Client) -> dict[str, str]:
    """Parameters that lead to something, by their names in paths."""

    def made(path: str, what: str, **wish: Any) -> str:
        reply = client.ask("POST", path, {what: wish})
        client.pass_time(20)
        return str(reply.body[what]["id"])

    kind = made("/types", "volume_type", name="any")
    volume = made("/volumes", "volume", size=1, volume_type=kind)
    pack = made("/group_types", "group_type", name="pack")
    group = made("/groups", "group", group_type=pack, volume_types=[kind])
    made("/volumes", "volume", size=1, volume_type=kind, group_id=group)
    group_snapshot = made("/group_snapshots", "group_snapshot", group_id=group)
    return {
        "volume_id": volume,
        "type_id": kind,
        "project": PROJECT,
        "snapshot_id": made("/snapshots", "snapshot", volume_id=volume),
        "backup_id": made("/backups", "backup", volume_id=volume),
        "transfer_id": made("/volume-transfers", "transfer", volume_id=made("/volumes", "volume", size=1)),
        "group_id": group,
        "group_snapshot_id": group_snapshot,
        "cgsnapshot_id": group_snapshot,
        "host": "node1@lvm-b",
        "key": "any",
    }


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("name", sorted(FOUND))
def test_no_request_makes_the_server_fail(name: str, mode: Any, client: Client, known: dict[str, str]) -> None:
    """Below 500, and in Cinder's fault format where it is a refusal of the API itself."""

    @ROUNDS
    @given(FOUND[name].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        query = "?" + urlencode({key: str(value) for key, value in (case.query or {}).items()})
        for parameters in (case.path_parameters, {**case.path_parameters, **known}):
            reply = client.ask(case.method, _path(case.path, parameters) + query, raw=_content(case.body))
            assert reply.code < 500 or reply.code == 501, reply
            if reply.code >= 400 and "title" not in reply.body:
                (fault,) = reply.body.values()
                assert fault["code"] == reply.code

    ask()


def _path(template: str, parameters: dict[str, Any]) -> str:
    for name, value in parameters.items():
        template = template.replace("{" + name + "}", quote(str(value), safe="") or "-")
    return template


def _content(body: Any) -> bytes:
    if isinstance(body, NotSet):
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()
