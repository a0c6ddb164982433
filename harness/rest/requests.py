"""A request, as an operation sees it: who asks for what, in which microversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from harness.model import Context
from harness.rest.faults import Fault

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

_TRUE = ("1", "t", "true", "on", "y", "yes")
_FALSE = ("0", "f", "false", "off", "n", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`minor` is the microversion 3.minor, `path` the parameters in the path, `base` what links begin with.

    `project_in_url` is the project id of the URL with a slash in front, empty where the URL has none: links
    have it where the request had it. `epoch` is when virtual time began.
    """

    cloud: Cloud
    context: Context
    minor: int
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    host: str
    project_in_url: str
    epoch: datetime

    def since(self, minor: int) -> bool:
        """Whether the caller asked for microversion 3.minor or a newer one."""
        return self.minor >= minor

    def at(self, instant_us: int | None) -> str | None:
        """A virtual time as Cinder writes times: UTC, with microseconds and without a zone."""
        if instant_us is None:
            return None
        return (self.epoch + timedelta(microseconds=instant_us)).strftime("%Y-%m-%dT%H:%M:%S.%f")

    def instant_us(self, moment: datetime) -> int:
        """The virtual time of a moment; one without a zone is in UTC."""
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - self.epoch) // timedelta(microseconds=1)

    def links(self, collection: str, identifier: str) -> list[dict[str, str]]:
        """The two links that most of Cinder's resources carry."""
        where = f"{self.project_in_url}/{collection}/{identifier}"
        return [
            {"rel": "self", "href": f"{self.host}/v3{where}"},
            {"rel": "bookmark", "href": f"{self.host}{where}"},
        ]

    def flag(self, name: str) -> bool:
        """A boolean in the query, False by default. Fault 400 (`cinder.utils:get_bool_param`)."""
        value = self.query.get(name, "0")
        try:
            return to_bool(value)
        except Fault:
            raise Fault(400, f"Value '{value}' for '{name}' is not a boolean.") from None

    def loose_flag(self, name: str) -> bool:
        """The same where Cinder takes any other text for False (`oslo_utils.strutils:bool_from_string`)."""
        return self.query.get(name, "").strip().lower() in _TRUE


def to_bool(value: object, what: str = "value") -> bool:
    """What oslo takes for True and False (`oslo_utils.strutils:bool_from_string`, strict). Fault 400."""
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Fault(400, f"Invalid input received: {what} is not a boolean: {value}")
