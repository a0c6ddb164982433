"""A questioner for the embedded deployment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.control_plane.deployment import Deployment
from harness.rehearsal import words
from harness.rehearsal.answer import Answer, answer
from harness.rehearsal.question import Question, Questioner, named

Ask = Callable[..., list[Answer]]


@pytest.fixture(scope="session")
def questioner() -> Questioner:
    """Its deployment is immutable, and so is what its scheduler knows at first."""
    return Questioner(Deployment.default())


@pytest.fixture(scope="session")
def ask(questioner: Questioner) -> Ask:
    """``ask("1,-,available", to="lvm-b", sources=["lvm-a"])``: the answers."""

    def asked(volume: str, *define: str, release: str = "29", **question: Any) -> list[Answer]:
        types = named([words.volume_type(text) for text in define])
        made = Question(volume=words.volume(volume), types=types, **question)
        deployment = questioner.deployment
        return [answer(deployment, made, each, release) for each in questioner.asked(made)]

    return asked
