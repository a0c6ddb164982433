"""Everything that the server has to offer, by path.

/             the versions document; the page for browsers
/v3/...       the API
/openapi.json what the API can be asked
/clock        at what pace virtual time passes
/ui/...       what the page shows
/healthcheck  whether anybody is there
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from harness.rest.application import Application, Perform, to_the_slash
from harness.rest.catalogue import OPERATIONS
from harness.rest.clock import Clock
from harness.rest.json_answers import json_answer
from harness.rest.microversions import headers
from harness.rest.openapi import document
from harness.rest.pace import Pace
from harness.rest.page.routes import Page
from harness.rest.routing import Routes
from harness.rest.servers import Servers
from harness.rest.versions import versions_document

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud


def build(cloud: Cloud, pace: Pace, perform: Perform, epoch: datetime) -> Starlette:
    """The application. `perform` runs what a request changes, `epoch` is when virtual time began."""
    api = Application(cloud, Routes(OPERATIONS), perform, epoch)
    page = Page(cloud, pace, epoch)

    async def root(request: Request) -> Response:
        """Browsers want to see something; clients ask for JSON, or for anything."""
        if "text/html" in request.headers.get("accept", ""):
            return page.html(request)
        return json_answer(versions_document(_host(request)), 300, headers("3.0"))

    async def versions(request: Request) -> Response:
        """Without a token, too, or openstacksdk does not find the API; Cinder's noauth gives one away first."""
        return json_answer(versions_document(_host(request)), 200, headers("3.0"))

    async def described(request: Request) -> Response:
        return json_answer(document(OPERATIONS))

    async def healthy(request: Request) -> Response:
        return PlainTextResponse("OK")

    async def slash(request: Request) -> Response:
        return to_the_slash(request)

    return Starlette(
        routes=[
            Route("/", root, methods=["GET"]),
            Route("/v3", slash, methods=["GET"]),
            Route("/v3/", versions, methods=["GET"]),
            Route("/openapi.json", described, methods=["GET"]),
            Route("/healthcheck", healthy, methods=["GET"]),
            *Clock(pace).routes(),
            *Servers(cloud, perform).routes(),
            *page.routes(),
            Mount("/v3", app=api),
        ]
    )


def _host(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"
