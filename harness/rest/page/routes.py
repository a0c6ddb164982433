"""The page's addresses: the page, the board in it, and what they are dressed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.rest.clock import write_speed
from harness.rest.page.board import board

if TYPE_CHECKING:
    from jinja2 import Environment

    from harness.control_plane.cloud import Cloud
    from harness.rest.pace import Pace

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:"
STATIC = {"page.css": "text/css", "page.js": "text/javascript"}


class Page:
    """Renders how things stand."""

    def __init__(self, cloud: Cloud, pace: Pace, epoch: datetime) -> None:
        self._cloud = cloud
        self._pace = pace
        self._epoch = epoch

    def routes(self) -> list[Route]:
        """Everything under ``/ui``."""
        return [
            Route("/ui", self._whole, methods=["GET"]),
            Route("/ui/board", self._board, methods=["GET"]),
            Route("/ui/{name}", self._static, methods=["GET"]),
        ]

    @cached_property
    def _templates(self) -> Environment:
        """Made for the first browser: jinja2 takes its time to load, and most servers are never looked at."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        templates = Environment(
            loader=PackageLoader("harness.rest.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.filters |= {"gib": gib, "span": span}
        return templates

    def html(self, request: Request) -> Response:
        """The page with the board in it, so that it says something without any script."""
        return self._render("page.html")

    async def _whole(self, request: Request) -> Response:
        return self.html(request)

    async def _board(self, request: Request) -> Response:
        return self._render("board.html")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            return Response("no such file", 404, media_type="text/plain")
        text = (files("harness.rest.page") / "static" / name).read_text(encoding="utf-8")
        return Response(text, media_type=STATIC[name])

    def _render(self, template: str) -> Response:
        now = board(self._cloud)
        text = self._templates.get_template(template).render(
            board=now,
            moment=(self._epoch + timedelta(seconds=now.now_s)).strftime("%Y-%m-%d %H:%M:%S"),
            speed=write_speed(self._pace.speed),
        )
        headers = {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return Response(text, headers=headers, media_type="text/html")


def gib(size: float | None) -> str:
    """GiB or TiB, short."""
    if size is None:
        return "unknown"
    return f"{size / 1024:.2f} TiB" if size >= 1024 else f"{size:.4g} GiB"


def span(seconds: float) -> str:
    """How long, in the two largest units."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
