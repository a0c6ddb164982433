"""The API as an ASGI application: from an HTTP request to an operation and back.

The order of the checks is that of Cinder's pipeline for `noauth`: size, token, route, microversion, content
type, action, JSON, project, schema; then the operation (`etc/cinder/api-paste.ini`,
`cinder.api.openstack.wsgi:Resource`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from harness import errors
from harness.model import Context
from harness.rest import microversions
from harness.rest.faults import Fault, fault_of
from harness.rest.json_answers import json_answer
from harness.rest.noauth import caller
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.routing import NOTHING, Routes, choose
from harness.rest.webob_errors import plain_error

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

CONTENT_TYPES = ("application/json", "application/vnd.openstack.volume+json")
BODY_MAX = 114_688
"""Bytes (`oslo_middleware.sizelimit`, max_request_body_size)."""
TOO_LARGE = "Request is too large. Larger than max_request_body_size (%s)."
"""In its own words: oslo forgets to put the number in."""

Perform = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function as a task of the simulation; what it returns or raises comes back."""

_decode = msgspec.json.Decoder().decode


class Application:
    """What is under ``/v3``."""

    def __init__(self, cloud: Cloud, routes: Routes, perform: Perform, epoch: datetime) -> None:
        self._cloud = cloud
        self._routes = routes
        self._perform = perform
        self._epoch = epoch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.answer(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def answer(self, http: HttpRequest) -> Response:
        """Never raises for anything that a client can send."""
        try:
            content = await _content(http)
        except OverflowError:
            return plain_error(http, 413, TOO_LARGE)
        token = http.headers.get("X-Auth-Token")
        if token is None:
            return _give_token(http)
        context = caller(token)
        path = http.scope["path"].removeprefix(http.scope.get("root_path", "")) or "/"
        if not path.startswith("/"):
            path = "/" + path
        project, path = self._routes.split_project(path, context.project_id)
        found = self._routes.find(http.method, path)
        if found is None:
            return plain_error(http, 404)
        minor = None
        try:
            minor = microversions.requested(http.headers.get(microversions.HEADER))
            body, operation = _understand(http, content, found.operations, minor)
            if project and project != context.project_id:
                raise Fault(400, "Malformed request url")
            schema = operation.body_schema(minor)
            if schema is not None:
                from harness.rest.validation import validate  # jsonschema takes a tenth of a second to load

                validate(body, schema)
            request = self._request(http, context, minor, found.parameters, body, project)
            answer = await self._run(operation, request)
        except Fault as fault:
            version = fault.version if minor is None else f"3.{minor}"
            return _respond(fault.code, fault.body(), version, retry_after=fault.retry_after)
        return _respond(operation.code, answer, f"3.{minor}")

    def _request(
        self, http: HttpRequest, context: Context, minor: int, path: Any, body: Any, project: str
    ) -> Request:
        return Request(
            cloud=self._cloud,
            context=context,
            minor=minor,
            path=path,
            query=dict(http.query_params),
            body=body,
            host=f"{http.url.scheme}://{http.headers.get('host', http.url.netloc)}",
            project_in_url=f"/{project}" if project else "",
            epoch=self._epoch,
        )

    async def _run(self, operation: Operation, request: Request) -> Any:
        """What only reads is done at once; what may change something, or wait, is a task of the simulation."""
        try:
            if operation.method == "GET" and not operation.calls:
                return operation.handler(request)
            return await self._perform(lambda: self._handle(operation, request))
        except errors.ServiceError as error:
            raise fault_of(error) from None

    def _handle(self, operation: Operation, request: Request) -> Any:
        """As a task, which knows for whom it is; messages to users go by that."""
        task = self._cloud.simulation.kernel.current
        if task is not None:
            task.asking = request.context
        return operation.handler(request)


async def _content(http: HttpRequest) -> bytes:
    """The body. OverflowError as soon as it is larger than it may be."""
    length = http.headers.get("content-length", "0")
    if length.isdigit() and int(length) > BODY_MAX:
        raise OverflowError
    parts = bytearray()
    async for part in http.stream():
        parts += part
        if len(parts) > BODY_MAX:
            raise OverflowError
    return bytes(parts)


def _understand(http: HttpRequest, content: bytes, operations: Any, minor: int) -> tuple[Any, Operation]:
    """The decoded body, NOTHING without one, and the operation."""
    if "content-type" in http.headers and content:
        kind = http.headers["content-type"].partition(";")[0].strip()
        if kind not in CONTENT_TYPES:
            raise Fault(415, "Unsupported Content-Type")
    elif content:
        content = b""  # without a type it is not looked at
    body = NOTHING
    if content:
        try:
            body = _decode(content)
        except (msgspec.DecodeError, RecursionError):
            raise Fault(400, "Malformed request body") from None
    operation = choose(operations, minor, body)
    if body is NOTHING and operation.bodies:
        # The controller's method lacks an argument then, and Python's TypeError becomes this.
        raise Fault(400)
    return body, operation


def _give_token(http: HttpRequest) -> Response:
    """A token for whoever has none (`cinder.api.middleware.auth:NoAuthMiddlewareBase`)."""
    user = http.headers.get("X-Auth-User", "admin")
    project = http.headers.get("X-Auth-Project-Id", "admin")
    return Response(
        status_code=204,
        headers={
            "X-Auth-Token": f"{user}:{project}",
            "X-Server-Management-Url": str(http.url).rstrip("/"),
        },
        media_type="text/plain",
    )


def _respond(code: int, body: Any, version: str | None, *, retry_after: str | None = None) -> Response:
    headers = microversions.headers(version) if version is not None else {}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    if body is None:
        return Response(status_code=code, headers=headers)
    return json_answer(body, code, headers)


def to_the_slash(http: HttpRequest) -> Response:
    """``/v3`` is at ``/v3/``."""
    return RedirectResponse(str(http.url) + "/", 302)
