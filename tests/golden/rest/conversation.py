"""A conversation with the Block Storage API: the same requests for the real Cinder and for ours.

A step is one request. What it keeps of the answer can be named in later steps as ``{name}``. In the answers
ids stand as the names that they were kept under, or as ``<id>``, and times as ``<time>``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PROJECT = "00000000000000000000000000000d30"
OTHER_PROJECT = "0000000000000000000000000000c0de"
ADMIN = f"admin:{PROJECT}"
MEMBER = f"alice@member:{PROJECT}"
READER = f"bob@reader:{PROJECT}"
STRANGER = f"mallory@member:{OTHER_PROJECT}"
HOST = "http://127.0.0.1:8776"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)?")


class Reply(NamedTuple):
    """What came back: the status, the headers that count, and the decoded body (text where it is no JSON)."""

    code: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Step:
    """One request, after `after_s` seconds of virtual time. `keep` has paths in the body by names."""

    method: str
    path: str
    body: Any = None
    token: str | None = ADMIN
    version: str | None = "3.71"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    keep: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0

    @property
    def name(self) -> str:
        """What the step is called in test ids and in the recording."""
        action = (
            f" {next(iter(self.body), None)}"
            if self.path.endswith("/action") and isinstance(self.body, dict)
            else ""
        )
        who = "" if self.token == ADMIN else f" as {(self.token or 'nobody').partition(':')[0]}"
        version = "" if self.version == "3.71" else f" in {self.version}"
        return f"{self.method} {self.path}{action}{who}{version}"


Ask = Callable[[Step, Mapping[str, str]], Reply]
"""Sends a step, with its names filled in, and gives the reply."""


def hold(steps: Iterable[Step], ask: Ask) -> list[dict[str, Any]]:
    """Go through the conversation; what was said, in a form that two of them can be compared in."""
    known: dict[str, str] = {}
    said = []
    for step in steps:
        reply = ask(step, known)
        for name, path in step.keep.items():
            known[name] = _find(reply.body, path)
        said.append(
            {
                "step": step.name,
                "code": reply.code,
                "headers": {
                    name: _plain(reply.headers[name], known)
                    for name in ("openstack-api-version", "vary", "retry-after", "x-auth-token", "location")
                    if name in reply.headers
                },
                "body": _plain(reply.body, known),
            }
        )
    return said


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """A path or body with the names in it replaced by what they stand for."""
    if isinstance(value, str):
        for name, meant in known.items():
            value = value.replace("{" + name + "}", meant)
        return value
    if isinstance(value, Mapping):
        return {filled(key, known): filled(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, known) for each in value]
    return value


def _find(body: Any, path: str) -> str:
    """What is at a path of keys; a text that no id is where the body has nothing there."""
    for part in path.split("."):
        if part not in body:
            return f"(no {path})"
        body = body[part]
    return str(body)


def _plain(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, meant in known.items():
            value = value.replace(meant, f"<{name}>")
        return _TIME.sub("<time>", _UUID.sub("<id>", value))
    if isinstance(value, Mapping):
        plain = {
            _plain(key, known): _plain(each, known)
            for key, each in sorted(value.items())
            if key != "request_id"  # a number that means nothing outside of Cinder's logs
        }
        if "pools" in plain:  # in the order in which services reported, which is nobody's business
            plain["pools"].sort(key=lambda pool: pool["name"])
        return plain
    if isinstance(value, (list, tuple)):
        return [_plain(each, known) for each in value]
    return value
