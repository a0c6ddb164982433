"""What a refusal looks like on the wire.

Sources: `cinder.api.openstack.wsgi:Fault`, `ResourceExceptionHandler` and
`cinder.api.middleware.fault:FaultWrapper`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from harness import errors

_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
    413: "The body of your request was too large for this server.",
    500: "The server has either erred or is incapable of performing the requested operation.",
}
"""What webob says where Cinder says nothing."""


class Fault(Exception):
    """A refusal by the REST layer itself. `code` is the HTTP status, the text what the client is told.

    `version` is the microversion that the answer names, where it is not the one that it was given in.
    """

    def __init__(
        self,
        code: int,
        message: str | None = None,
        *,
        retry_after: str | None = None,
        version: str | None = None,
    ) -> None:
        super().__init__(_EXPLANATIONS.get(code, HTTPStatus(code).phrase) if message is None else message)
        self.code = code
        self.retry_after = retry_after
        self.version = version

    def body(self) -> dict[str, Any]:
        """``{"badRequest": {"code": 400, "message": ...}}``."""
        fault: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.retry_after is not None:
            fault["retryAfter"] = self.retry_after
        return {_NAMES.get(self.code, "computeFault"): fault}


def fault_of(error: errors.ServiceError) -> Fault:
    """What becomes of an exception of the control plane.

    Most refusals carry their own text. Quota errors, which no controller catches, get their class's name in
    front; of all others a client learns that something went wrong, and no more.
    """
    if isinstance(error, errors.OverQuota):
        return Fault(error.code, f"{type(error).__name__}: {error}", retry_after="0")
    if error.code < 500:
        return Fault(error.code, str(error))
    return Fault(error.code)
