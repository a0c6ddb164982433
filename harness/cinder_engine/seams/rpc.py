"""Messages between Cinder's services: the real clients, serialisers and dispatchers, over Crucible's bus.

Only the transport is replaced. What is sent makes the round trip through JSON that a broker would make of it,
and an exception comes back as `oslo_messaging` would rebuild it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cinder import rpc
from oslo_config import cfg
from oslo_messaging import Target
from oslo_messaging._drivers import common
from oslo_messaging.rpc import dispatcher
from oslo_messaging.transport import RPCTransport
from oslo_serialization import jsonutils

from harness import errors
from harness.cinder_engine.seams.stage import Stage
from harness.control_plane.scheduler import TOPIC

if TYPE_CHECKING:
    from harness.cinder_engine.cloud import CinderCloud

VOLUME_TOPIC = "cinder-volume"
_UNTOLD = ("update_service_capabilities", "notify_service_capabilities", "publish_service_capabilities")


class _NoDriver:
    """What `oslo_messaging` asks of a transport's driver before it sends anything."""

    conf = cfg.CONF

    def require_features(self, requeue: bool = False) -> None:
        return None


class Transport(RPCTransport):  # type: ignore[misc]  # oslo.messaging is untyped
    """Where the real RPC clients leave their messages."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(_NoDriver())
        self._stage = stage

    def _send(
        self, target: Target, ctxt: dict[str, Any], message: dict[str, Any],
        wait_for_reply: bool | None = None, timeout: int | None = None, **others: Any,
    ) -> Any:  # fmt: skip
        """A cast, or a call if there is a reply to wait for. Raises what the other side raised."""
        cloud = self._stage.playing
        payload = jsonutils.dumps((ctxt, message))
        if not wait_for_reply:
            for address in _addresses(target, list(cloud.managers)):
                cloud.messaging.cast(address, message["method"], payload)
            return None
        (address,) = _addresses(target, list(cloud.managers))
        try:
            answer = cloud.messaging.call(address, message["method"], payload)
        except errors.MessagingTimeout as error:
            raise rpc.messaging.MessagingTimeout(str(error)) from None
        result, failure = jsonutils.loads(answer)
        if failure is not None:
            raise common.deserialize_remote_exception(failure, rpc.get_allowed_exmods())
        return result


def _addresses(target: Target, services: list[str]) -> list[str]:
    """Where a target leads: ``host@backend`` or the scheduler's topic; all volume services for a fanout."""
    topic, _, host = target.topic.partition(".")
    if topic == VOLUME_TOPIC:
        return services if target.fanout else [host]
    return [TOPIC if topic == "cinder-scheduler" else target.topic]


class Endpoint:
    """The server side of one service: every attribute is a handler that takes one message.

    A service logs what a handler raises and goes on, as oslo.messaging's server does; a caller is told, and so
    is the cloud. The end of each handler is a line of the timeline.
    """

    def __init__(self, manager: Any, cloud: CinderCloud) -> None:
        serializer = rpc.RequestContextSerializer(rpc.base.CinderObjectSerializer())
        endpoints = [manager, *manager.additional_endpoints]
        self._dispatcher = dispatcher.RPCDispatcher(endpoints, serializer, dispatcher.DefaultRPCAccessPolicy)
        self._cloud = cloud

    def __getattr__(self, method: str) -> Callable[[str], str]:
        return lambda payload: self._handle(method, payload)

    def _handle(self, method: str, payload: str) -> str:
        incoming = _Incoming(*jsonutils.loads(payload))
        self._cloud.report()
        try:
            answer = self._dispatcher.dispatch(incoming)
            if method not in _UNTOLD:
                self._cloud.simulation.record(f"{method} ends")
            return str(jsonutils.dumps((answer, None)))
        except dispatcher.ExpectedException as expected:
            failure = expected.exc_info
        except Exception as error:  # noqa: BLE001 (whatever a manager raises goes to whoever waits)
            failure = sys.exc_info()
            self._cloud.told(method, error)
        return str(jsonutils.dumps((None, common.serialize_remote_exception(failure))))


class _Incoming:
    """A message as the dispatcher wants to see it."""

    client_timeout = None

    def __init__(self, ctxt: dict[str, Any], message: dict[str, Any]) -> None:
        self.ctxt = ctxt
        self.message = message
