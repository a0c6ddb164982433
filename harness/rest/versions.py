"""The versions documents: what a client reads before it does anything else.

Source: `cinder.api.versions`.
"""

from __future__ import annotations

from typing import Any

from harness.rest.microversions import MAXIMUM, UPDATED


def versions_document(host: str) -> dict[str, Any]:
    """What is at ``/`` (with status 300) and at ``/v3/``. `host` is the address of the server."""
    return {
        "versions": [
            {
                "id": "v3.0",
                "status": "CURRENT",
                "version": f"3.{MAXIMUM}",
                "min_version": "3.0",
                "updated": UPDATED,
                "links": [
                    {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                    {"rel": "self", "href": f"{host}/v3/"},
                ],
                "media-types": [
                    {"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}
                ],
            }
        ]
    }
