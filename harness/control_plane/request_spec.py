"""What travels with a request for a new volume, from the API to scheduler and volume service, and back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class RequestSpec(NamedTuple):
    """What of a new volume its record does not say (`cinder.objects.request_spec:RequestSpec`).

    `zones` are the availability zones that are allowed; None leaves it to the record. `backend` is where it
    has to be, with or without a pool; empty for anywhere. `tried` are the pools that the scheduler has chosen
    so far; None if nothing shall come back to it. `hints` are what the user tells the scheduler.
    """

    zones: tuple[str, ...] | None = None
    backend: str = ""
    image_id: str | None = None
    backup_id: str | None = None
    tried: tuple[str, ...] | None = None
    hints: Mapping[str, Any] = MappingProxyType({})
