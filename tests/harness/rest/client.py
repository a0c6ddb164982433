"""A client without a network: requests go straight into the application, and time passes only when told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.rest.pace import SECOND_US, STOPPED
from harness.rest.session import open_session

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PROJECT = "00000000000000000000000000000d30"


class Reply(NamedTuple):
    """What came back; the body is decoded where it is JSON."""

    code: int
    headers: Mapping[str, str]
    body: Any


class Client:
    """A served deployment, and somebody who asks it things. Use it in a ``with``."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        backends: Sequence[str] | None = ("lvm-a", "lvm-b", "rbd-a"),
        state: Path | None = None,
        now: datetime = EPOCH,
    ) -> None:
        self._opening = open_session(
            deployment, nova=PROFILES["32"], seed=0, speed=STOPPED, state=state, now=now, backends=backends
        )
        self.session = self._opening.__enter__()
        self.cloud = self.session.cloud

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """As a server that is told to end."""
        self._opening.__exit__(None, None, None)

    def pass_time(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        self.session.pace.pass_time(round(seconds * SECOND_US))

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str = "admin",
        project: str = PROJECT,
        version: str | None = "3.71",
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """One request. Paths that do not begin with ``/v3`` are below the project."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        sent = {"accept": "application/json", "host": "127.0.0.1:8776", "x-auth-token": f"{user}:{project}"}
        if version is not None:
            sent["openstack-api-version"] = f"volume {version}"
        if content:
            sent["content-type"] = "application/json"
        sent.update({name.lower(): value for name, value in (headers or {}).items()})
        return self.send(method, path if path.startswith("/v3") else f"/v3/{project}{path}", sent, content)

    def send(self, method: str, target: str, headers: Mapping[str, str], content: bytes = b"") -> Reply:
        """One request, exactly as it is given."""
        return asyncio.run(self._send(method, target, headers, content))

    async def _send(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Reply:
        parts = urlsplit(target)
        messages: list[Any] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": parts.path, "raw_path": parts.path.encode(), "root_path": "",
            "query_string": parts.query.encode(), "server": ("127.0.0.1", 8776), "client": ("127.0.0.1", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        time_passes = asyncio.create_task(self.session.timekeeper.run())
        try:
            await self.session.application(scope, receive, send)
        finally:
            time_passes.cancel()
        start, *rest = messages
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], answered, _decoded(b"".join(part.get("body", b"") for part in rest)))


def _decoded(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()
