"""The conversation with the real Cinder's API, held with ours: the same codes and the same bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.control_plane.deployment import Deployment
from tests.golden.rest.conversation import Reply, Step, filled, hold
from tests.golden.rest.steps import BACKENDS, STEPS
from tests.harness.rest.client import Client

ANSWERS = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))["answers"]


@pytest.fixture(scope="module")
def ours() -> list[dict[str, Any]]:
    """What our API says in the same conversation."""
    with Client(Deployment.default(), backends=BACKENDS) as client:

        def ask(step: Step, known: Mapping[str, str]) -> Reply:
            if step.after_s:
                client.pass_time(step.after_s)
            headers = {"Accept": "application/json", "Host": "127.0.0.1:8776"}
            if step.token is not None:
                headers["X-Auth-Token"] = step.token
            if step.version is not None:
                headers["OpenStack-API-Version"] = f"volume {step.version}"
            content = b""
            if step.body is not None or step.raw is not None:
                headers["Content-Type"] = "application/json"
                content = step.raw if step.raw is not None else json.dumps(filled(step.body, known)).encode()
            headers.update(step.headers)
            return Reply(*client.send(step.method, filled(step.path, known), headers, content))

        return hold(STEPS, ask)


def test_everything_was_recorded() -> None:
    """The recording has an answer for each step, in their order."""
    assert [answer["step"] for answer in ANSWERS] == [step.name for step in STEPS]


@pytest.mark.parametrize("number", range(len(STEPS)), ids=lambda number: f"{number}: {STEPS[number].name}")
def test_we_answer_as_cinder_does(number: int, ours: list[dict[str, Any]]) -> None:
    """Status, headers and body, with ids and times by what they are.

    Where Cinder fails with 500 over what a client has sent, ours refuses it with 400, or says that there is no
    such thing with 501.
    """
    if STEPS[number].path == "/v3/" and STEPS[number].token is None:
        pytest.skip("who has no token yet is shown the versions, or openstacksdk does not find the API")
    if ANSWERS[number]["code"] == 500:
        assert ours[number]["code"] in (400, 501)
    else:
        assert ours[number] == ANSWERS[number]
