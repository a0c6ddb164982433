"""Microversions: the header that asks for one, and what Cinder answers to one that it does not have.

All of them are 3.x, so a version is its minor number here. Source: `cinder.api.openstack.wsgi:Request.
set_api_version_request`, `cinder.api.openstack.api_version_request`.
"""

from __future__ import annotations

import re

from harness.rest.faults import Fault

HEADER = "OpenStack-API-Version"
SERVICE = "volume"
MAXIMUM = 71
"""The newest of Cinder 24 to 29."""
UPDATED = "2023-08-31T00:00:00Z"
_FORM = re.compile(r"([1-9]\d*)\.([1-9]\d*|0)")


def requested(header: str | None) -> int:
    """The minor version that a request wants; without the header the oldest.

    Fault 400 for what is no version or names other services only, 406 for one that is not supported.
    """
    if header is None:
        return 0
    wanted = next((part.split() for part in header.split(",") if SERVICE in part), None)
    if wanted is None or len(wanted) != 2:
        raise Fault(400)
    version = wanted[1]
    if version == "latest":
        return MAXIMUM
    match = _FORM.fullmatch(version)
    if match is None:
        raise Fault(
            400,
            f"API Version String {version} is of invalid format. Must be of format MajorNum.MinorNum.",
        )
    major, minor = map(int, match.groups())
    if major != 3 or minor > MAXIMUM:
        raise Fault(
            406,
            f"Version {version} is not supported by the API. Minimum is 3.0 and maximum is 3.{MAXIMUM}.",
            version=version,
        )
    return minor


def headers(version: str) -> dict[str, str]:
    """What an answer says about the microversion that it is in; nothing of what looks like version 1 or 2."""
    if "1.0" in version or "2.0" in version:
        return {}
    return {HEADER: f"{SERVICE} {version}", "Vary": HEADER}
