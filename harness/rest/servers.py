"""``/servers``: the servers that Nova runs, as far as volumes are concerned.

    GET     /servers                            [{"id": ..., "host": ..., "state": ..., "volumes": [...]}]
    PUT     /servers/{server}/volumes/{volume}  attach, as ``openstack server add volume`` would
    DELETE  /servers/{server}/volumes/{volume}  detach

There is no compute API here. But a volume in use migrates in Nova's hands, so whoever rehearses that needs a
server that has it attached: an attachment that a client makes by itself leads to no server, and a migration of
its volume is refused by Nova.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness import errors
from harness.rest.application import Perform
from harness.rest.faults import fault_of
from harness.rest.json_answers import json_answer

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud


class Servers:
    """The resource over a cloud's Nova."""

    def __init__(self, cloud: Cloud, perform: Perform) -> None:
        self._cloud = cloud
        self._perform = perform

    def routes(self) -> list[Route]:
        """Both paths."""
        return [
            Route("/servers", self.index, methods=["GET"]),
            Route("/servers/{server}/volumes/{volume}", self.change, methods=["PUT", "DELETE"]),
        ]

    async def index(self, request: Request) -> Response:
        """All servers and what they have attached."""
        return json_answer({"servers": [self._view(name) for name in self._cloud.nova.servers]})

    async def change(self, request: Request) -> Response:
        """Attach or detach, and wait until it is done. A refusal has the API's fault format."""
        name, volume_id = request.path_params["server"], request.path_params["volume"]
        action: Callable[[str, str], None] = self._attach if request.method == "PUT" else self._detach
        try:
            await self._perform(lambda: action(name, volume_id))
        except errors.ServiceError as error:
            fault = fault_of(error)
            return json_answer(fault.body(), fault.code)
        return json_answer({"server": self._view(name)})

    def _attach(self, name: str, volume_id: str) -> None:
        """A server comes into being when it is first named."""
        nova = self._cloud.nova
        nova.attach_volume(nova.servers.get(name) or nova.create_server(name), volume_id)

    def _detach(self, name: str, volume_id: str) -> None:
        server = self._cloud.nova.servers.get(name)
        if server is None or volume_id not in server.disks:
            raise errors.NotFoundError(f"Server {name} has no volume {volume_id}.")
        self._cloud.nova.detach_volume(server, volume_id)

    def _view(self, name: str) -> dict[str, Any]:
        server = self._cloud.nova.servers[name]
        return {"id": server.id, "host": server.host, "state": server.state, "volumes": list(server.disks)}
