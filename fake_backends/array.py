"""A fake of somebody's storage array: what a driver that Crucible does not know talks to.

Whoever maintains such a driver writes a subclass of `Array`, names it in the driver's section of cinder.conf,

    [mine]
    volume_driver = my_pkg.driver.MyDriver
    crucible_array = my_pkg.testing:FakeArray

and overrides what its array has: a REST API (`http`), a command line over SSH (`ssh`), programs on the hosts
(`programs`), a vendor's SDK (`modules`). All of it runs in the process of the driver, without a socket.

The bytes: an array keeps its volumes as block devices (`fake_backends.block_store.MemoryDevice`) and presents
them through `Place.fabric`; a driver that returns connection info of ``iscsi``, ``iser``, ``fibre_channel`` or
``nvmeof`` needs no more. What is connected in another way is opened by `connect`. An ``rbd``, ``nfs`` or
``local`` volume lives in what the world has already.

An array is made anew for each cell, and is the same for every run with the same seed: chance comes from
`Place.chance`, time from `Place.now_us`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from fake_backends.block_store import BlockDevice
from fake_backends.command_line import Result
from fake_backends.fabric import Fabric
from harness import registry
from harness.errors import InputError, StorageError
from harness.model import ConnectionInfo, Connector
from harness.sim.points import QUIET, Points

if TYPE_CHECKING:
    from fake_backends.host.commands import Program
    from fake_backends.world import Node


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an array stands: what it is given, and all that it may ask.

    `name` is the section that it serves, or its ``crucible_array_name``. `options` are that section's, as they
    are written in cinder.conf, those of ``[backend_defaults]`` included. `points` is where it may pass named
    points, at which time passes, others run and faults strike. `now_us` is virtual time, `chance` comes from
    the seed.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    fabric: Fabric = field(default_factory=Fabric)
    points: Points = QUIET
    now_us: Callable[[], int] = lambda: 0
    chance: random.Random = field(default_factory=lambda: random.Random(0))


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request. `path` has no query, `query` is what follows it; `headers` have names in lower case."""

    method: str
    host: str
    port: int
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The decoded body; None for an empty one. ValueError if it is no JSON."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, kw_only=True)
class Response:
    """An HTTP response."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of_json(cls, value: Any, status: int = 200, **headers: str) -> Response:
        """One with `value` as its JSON."""
        return cls(
            status=status,
            headers={"Content-Type": "application/json", **headers},
            body=json.dumps(value).encode(),
        )


class Array:
    """The base of all fakes of arrays. Nothing in it is there: a subclass overrides what its array has."""

    PROTOCOLS: ClassVar[tuple[str, ...]] = ()
    """Values of ``driver_volume_type`` whose connections `connect` opens."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @classmethod
    def modules(cls, current: Callable[[], Any]) -> Mapping[str, ModuleType]:
        """Modules that the driver imports and that are not installed, by name: the vendor's SDK.

        They are there for as long as a process lives, longer than any array: `current()` is the array of the
        back-end whose service is running.
        """
        return {}

    @classmethod
    def install(cls, replace: Callable[[Any, str, Any], Any], current: Callable[[], Any]) -> None:
        """The last resort: replace functions of libraries, such as one that reads a vendor's file in /etc.

        ``replace(owner, name, value)`` sets an attribute for as long as the process lives.
        """

    def http(self, request: Request) -> Response:
        """Answer a request that the driver sends with requests, urllib3, urllib or http.client, TLS or not.

        Any OSError is what happens to the connection: ConnectionRefusedError, TimeoutError.
        """
        raise ConnectionRefusedError(f"the fake array {type(self).__name__} has no HTTP handler")

    def ssh(self, command: str, user: str) -> Result:
        """Run a command line that came over SSH (paramiko, `cinder.ssh_utils`). Any OSError as for `http`."""
        raise ConnectionRefusedError(f"the fake array {type(self).__name__} has no SSH handler")

    def programs(self, node: Node) -> Mapping[str, Program]:
        """Programs that the driver starts on the hosts, by name, as they are on `node`.

        A program takes its arguments and its standard input and returns a `Result`.
        """
        return {}

    def connect(self, connection_info: ConnectionInfo, connector: Connector) -> BlockDevice:
        """What the machine of `connector` gets, for a ``driver_volume_type`` in `PROTOCOLS`.

        NotFound if there is no such volume here, StorageError if the machine may not have it. If the device has
        a ``close``, that is called in the end.
        """
        raise StorageError(f"the fake array {type(self).__name__} connects nothing")

    def objects(self) -> Iterable[str] | None:
        """Names of the volumes and snapshots that the array has, as Cinder calls them (``volume-<id>``).

        None: it cannot tell, and nobody checks what is left behind.
        """
        return None


def load(path: str) -> type[Array]:
    """The class at ``package.module:Class``. InputError if there is none, or it is no fake of an array."""
    found = getattr(registry.imported(path), path.partition(":")[2], None)
    if not (isinstance(found, type) and issubclass(found, Array)):
        what = "there is no such class" if found is None else "it is no subclass of fake_backends.array.Array"
        raise InputError(f"crucible_array = {path}: {what}")
    return found
