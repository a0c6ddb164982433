"""Errors that are answered before Cinder's own format begins: by webob, in the form that the client prefers.

A path that leads nowhere and a body that is too large are refused by routers and middleware that know nothing
of Cinder (`oslo_service.wsgi:Router`, `oslo_middleware.sizelimit`); webob then words the answer
(`webob.exc:WSGIHTTPException.generate_response`).
"""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from harness.rest.faults import Fault


def plain_error(http: Request, code: int, explanation: str | None = None) -> Response:
    """The error page of webob: JSON, HTML or text."""
    title = HTTPStatus(code).phrase if code != 413 else "Request Entity Too Large"
    explanation = explanation or str(Fault(code))
    accept = http.headers.get("accept", "")
    if "html" in accept:
        page = (
            f"<html>\n <head>\n  <title>{code} {title}</title>\n </head>\n <body>\n  <h1>{code} {title}</h1>\n"
            f"  {escape(explanation)}<br /><br />\n\n\n\n </body>\n</html>"
        )
        return Response(page, code, media_type="text/html")
    if "application/json" in accept:
        page = json.dumps(
            {"message": f"{escape(explanation)}<br /><br />\n\n\n", "code": f"{code} {title}", "title": title}
        )
        return Response(page, code, media_type="application/json")
    return Response(f"{code} {title}\n\n{explanation}\n\n\n\n\n", code, media_type="text/plain")
