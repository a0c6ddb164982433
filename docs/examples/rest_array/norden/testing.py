"""A fake of Norden's array, for Crucible: its REST API over volumes in memory.

It does what the array's manual says, no more: what it must get right is every rule that a driver can break.

    POST   /sessions                         {user, password} -> {token}, good for half an hour
    GET    /pools/POOL                       -> {name, capacity, provisioned}
    POST   /volumes                          {name, pool, size} -> {task}
    GET    /volumes/NAME                     -> {name, size, state, exports, snapshots}
    PATCH  /volumes/NAME                     {size} to grow, {name} to rename -> {task}
    DELETE /volumes/NAME                     -> {task}; not while it is exported or has snapshots
    POST   /volumes/NAME/clone               {name, size, snapshot?} -> {task}
    POST   /volumes/NAME/snapshots           {name} -> {task}
    DELETE /volumes/NAME/snapshots/SNAPSHOT  -> {task}
    PUT    /volumes/NAME/exports/INITIATOR   -> {iqn, portal, lun, user, secret}
    DELETE /volumes/NAME/exports/INITIATOR   -> {task}
    GET    /tasks/ID                         -> {state: running, done or failed, error}

Sizes are bytes. Errors are {message} with 400, 401, 404, 409 or 507.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from fake_backends.array import Array, Place, Request, Response
from fake_backends.block_store import MemoryDevice

CAPACITY = 100 << 40
PORTAL = "203.0.113.10:3260"
SESSION_US = 30 * 60 * 1_000_000
BASE = "/api/v1"

Answer = dict[str, Any]


class Refusal(Exception):
    """The array says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Volume:
    """A volume; `exports` has the CHAP secret of each initiator, `ready` is False until its task is done."""

    def __init__(self, name: str, device: MemoryDevice) -> None:
        self.name = name
        self.device = device
        self.ready = False
        self.exports: dict[str, str] = {}
        self.snapshots: dict[str, MemoryDevice] = {}


class Task:
    """Something that the array does in the background, until `done_us`."""

    def __init__(self, done_us: int, finish: Callable[[], None]) -> None:
        self.done_us = done_us
        self.finish = finish
        self.state = "running"
        self.error = ""


class NordenArray(Array):
    """One array with one pool, which is the one that the section names."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.iqn = f"iqn.2010-10.org.example:norden-{place.name}"
        self.pool = place.options.get("norden_pool", "pool-1")
        self.volumes: dict[str, Volume] = {}
        self.tasks: dict[str, Task] = {}
        self.sessions: dict[str, int] = {}

    def objects(self) -> Iterator[str]:
        self._work()
        for volume in self.volumes.values():
            yield volume.name
            yield from volume.snapshots

    # ----------------------------------------------------------------------------------------------- HTTP

    def http(self, request: Request) -> Response:
        self._work()
        try:
            if request.path != f"{BASE}/sessions":
                self._check_session(request.headers.get("x-session-token", ""))
            answer = self._answer(request.method, request.path.removeprefix(BASE), request.json() or {})
        except Refusal as refusal:
            return Response.of_json({"message": str(refusal)}, refusal.status)
        return Response.of_json(answer, 202 if "task" in answer else 200)

    def _answer(self, method: str, path: str, body: Answer) -> Answer:
        for known, pattern, handler in ROUTES:
            found = re.fullmatch(pattern, path)
            if known == method and found:
                return handler(self, *found.groups(), **body)
        raise Refusal(404, f"there is no {method} {path}")

    def _check_session(self, token: str) -> None:
        if self.sessions.get(token, -1) < self.place.now_us():
            raise Refusal(401, "log in first")

    def log_in(self, user: str, password: str) -> Answer:
        options = self.place.options
        if (user, password) != (options.get("san_login", "admin"), options.get("san_password")):
            raise Refusal(401, "wrong user or password")
        token = self._random()
        self.sessions[token] = self.place.now_us() + SESSION_US
        return {"token": token}

    # ------------------------------------------------------------------------------------------- resources

    def get_pool(self, name: str) -> Answer:
        if name != self.pool:
            raise Refusal(404, f"no pool {name}")
        return {"name": name, "capacity": CAPACITY, "provisioned": self._provisioned()}

    def create_volume(self, name: str, pool: str, size: int) -> Answer:
        if pool != self.pool:
            raise Refusal(404, f"no pool {pool}")
        return self._add(Volume(name, MemoryDevice(size)))

    def clone(self, source: str, name: str, size: int, snapshot: str | None = None) -> Answer:
        volume = self._volume(source)
        device = volume.device if snapshot is None else self._snapshot(volume, snapshot)
        if size < device.size:
            raise Refusal(400, f"a clone of {device.size} bytes cannot have {size}")
        return self._add(Volume(name, MemoryDevice(size, device.chunks)))

    def get_volume(self, name: str) -> Answer:
        volume = self._volume(name)
        return {
            "name": name,
            "size": volume.device.size,
            "state": "ready" if volume.ready else "creating",
            "exports": list(volume.exports),
            "snapshots": list(volume.snapshots),
        }

    def change_volume(self, old_name: str, name: str | None = None, size: int | None = None) -> Answer:
        volume = self._volume(old_name)
        if size is not None:
            if size < volume.device.size:
                raise Refusal(400, "a volume cannot shrink")
            self._check_room(size - volume.device.size)
            volume.device.size = size
        if name is not None:
            if name in self.volumes:
                raise Refusal(409, f"there is a volume {name}")
            if volume.exports:
                raise Refusal(409, f"{old_name} is exported")
            del self.volumes[old_name]
            volume.name = name
            self.volumes[name] = volume
        return self._task()

    def delete_volume(self, name: str) -> Answer:
        volume = self._volume(name)
        if volume.exports or volume.snapshots:
            raise Refusal(409, f"{name} is exported or has snapshots")
        volume.ready = False
        return self._removal(self.volumes, name)

    def create_snapshot(self, volume_name: str, name: str) -> Answer:
        volume = self._volume(volume_name)
        if name in volume.snapshots:
            raise Refusal(409, f"there is a snapshot {name}")
        volume.snapshots[name] = MemoryDevice(volume.device.size, volume.device.chunks)
        return self._task()

    def delete_snapshot(self, volume_name: str, name: str) -> Answer:
        volume = self._volume(volume_name)
        self._snapshot(volume, name)
        return self._removal(volume.snapshots, name)

    def export(self, volume_name: str, initiator: str) -> Answer:
        volume = self._volume(volume_name)
        if not volume.ready:
            raise Refusal(409, f"{volume_name} is not ready")
        secret = volume.exports.setdefault(initiator, self._random())
        lun = self.place.fabric.present(
            volume_name, volume.device, target=self.iqn, initiator=initiator, chap=("norden", secret)
        )
        return {"iqn": self.iqn, "portal": PORTAL, "lun": lun, "user": "norden", "secret": secret}

    def unexport(self, volume_name: str, initiator: str) -> Answer:
        volume = self._volume(volume_name)
        if initiator not in volume.exports:
            raise Refusal(404, f"{volume_name} is not exported to {initiator}")
        del volume.exports[initiator]
        self.place.fabric.withdraw(volume_name, initiator)
        return self._task()

    def get_task(self, task_id: str) -> Answer:
        task = self.tasks.get(task_id)
        if task is None:
            raise Refusal(404, f"no task {task_id}")
        return {"state": task.state, "error": task.error}

    # --------------------------------------------------------------------------------------------- insides

    def _work(self) -> None:
        """Whatever was to be done by now is done."""
        for task in self.tasks.values():
            if task.state == "running" and task.done_us <= self.place.now_us():
                task.finish()
                task.state = "done"

    def _task(self, finish: Callable[[], None] = lambda: None) -> Answer:
        """Begin something that takes one to three seconds; `finish` is its end."""
        task_id = str(len(self.tasks) + 1)
        duration_us = self.place.chance.randrange(1_000_000, 3_000_000)
        self.tasks[task_id] = Task(self.place.now_us() + duration_us, finish)
        return {"task": task_id}

    def _removal(self, things: dict[str, Any], name: str) -> Answer:
        """Whoever asks again while it goes waits for it a second time, and does not hit what comes after it."""
        thing = things[name]

        def finish() -> None:
            if things.get(name) is thing:
                del things[name]

        return self._task(finish)

    def _add(self, volume: Volume) -> Answer:
        if volume.name in self.volumes:
            raise Refusal(409, f"there is a volume {volume.name}")
        self._check_room(volume.device.size)
        self.volumes[volume.name] = volume
        return self._task(lambda: setattr(volume, "ready", True))

    def _check_room(self, size: int) -> None:
        if self._provisioned() + size > CAPACITY:
            raise Refusal(507, f"pool {self.pool} is full")

    def _provisioned(self) -> int:
        return sum(volume.device.size for volume in self.volumes.values())

    def _volume(self, name: str) -> Volume:
        if name not in self.volumes:
            raise Refusal(404, f"no volume {name}")
        return self.volumes[name]

    def _snapshot(self, volume: Volume, name: str) -> MemoryDevice:
        if name not in volume.snapshots:
            raise Refusal(404, f"no snapshot {name} of {volume.name}")
        return volume.snapshots[name]

    def _random(self) -> str:
        return f"{self.place.chance.getrandbits(64):016x}"


_NAME = r"([\w.-]+)"
_INITIATOR = r"([\w.:-]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", "/sessions", NordenArray.log_in),
    ("GET", f"/pools/{_NAME}", NordenArray.get_pool),
    ("POST", "/volumes", NordenArray.create_volume),
    ("GET", f"/volumes/{_NAME}", NordenArray.get_volume),
    ("PATCH", f"/volumes/{_NAME}", NordenArray.change_volume),
    ("DELETE", f"/volumes/{_NAME}", NordenArray.delete_volume),
    ("POST", f"/volumes/{_NAME}/clone", NordenArray.clone),
    ("POST", f"/volumes/{_NAME}/snapshots", NordenArray.create_snapshot),
    ("DELETE", f"/volumes/{_NAME}/snapshots/{_NAME}", NordenArray.delete_snapshot),
    ("PUT", f"/volumes/{_NAME}/exports/{_INITIATOR}", NordenArray.export),
    ("DELETE", f"/volumes/{_NAME}/exports/{_INITIATOR}", NordenArray.unexport),
    ("GET", rf"/tasks/{_NAME}", NordenArray.get_task),
)
