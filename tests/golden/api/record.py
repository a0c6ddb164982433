"""Records what the installed Cinder's API answers to every request in every state, and who may ask.

    python -m tests.golden.api.record [NAME...]

writes ``conditions.json`` and ``policies.json`` beside this file. Only the API runs: what it sends to the
scheduler and to the services is noted and goes nowhere. Takes some minutes of one core.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from harness.cinder_engine.boot import Process
from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.model import Context, Volume
from harness.sim.simulation import Simulation
from tests.golden.api.requests import REQUESTS, SERVER, Request
from tests.golden.api.stages import ADMIN, OWNER, STAGES, Stage, word
from tests.golden.api.table import MIGRATION_STATUSES, STATUSES, Answer, Table, written_out

HERE = Path(__file__).parent
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
IMAGE = "1a9e0000-0000-4000-8000-000000000001"


class Requester:
    """Makes requests of the real API; what that sends to others is noted and goes nowhere."""

    def __init__(self, process: Process, deployment: Deployment, backends: tuple[str, str]) -> None:
        from harness.cinder_engine.cloud import CinderCloud

        self.here, self.there = (deployment.backend(name).address for name in backends)
        self.cloud = CinderCloud(process, deployment, Simulation(), nova=PROFILES["32"], backends=backends)
        self._connection = process.connection
        self._application = process.application
        self.sent: list[str] = []
        self.names: dict[str, str] = {}
        _give_images(process)

    def freeze(self, names: dict[str, str]) -> None:
        """From here on only the API works. `names` are the ids that requests name."""
        self.cloud.messaging.cast = self._cast  # type: ignore[method-assign]
        self.cloud.messaging.call = self._call  # type: ignore[method-assign]
        self.names = names
        self._bare = _copy(self._connection)

    def thaw(self) -> None:
        """Everything is as it was when it froze."""
        self._bare.backup(self._connection)

    def ask(self, request: Request, context: Context | None = None) -> Answer:
        """What comes back, what is written to the volume, and what is sent."""
        self.sent = []
        before = dict(self.cloud.database.volumes[self.names["volume"]])
        code, body = self._act(lambda: self._exchange(request, context or (ADMIN if request.admin else OWNER)))
        after = dict(self.cloud.database.volumes.get(self.names["volume"]) or {})
        written = {
            name: self._plain(after[name])
            for name in ("status", "attach_status", "migration_status", "previous_status")
            if after and after[name] != before[name]
        }
        message = None if code < 400 else self._plain(next(iter(body.values()))["message"])
        return Answer(code, message, written if after else {"gone": "yes"}, tuple(self.sent))

    def _exchange(self, request: Request, context: Context) -> tuple[int, Any]:
        from cinder.api.openstack import wsgi

        from harness.cinder_engine.rest import request_context

        self.cloud.report()
        made = wsgi.Request.blank(
            "/" + request.path.format(**self.names), base_url="http://controller/v3", method=request.method
        )
        made.headers["OpenStack-API-Version"] = f"volume {request.version}"
        made.environ["cinder.context"] = request_context(context)
        if request.body is not None:
            text = json.dumps(request.body)
            for name, value in self.names.items():
                text = text.replace("{" + name + "}", value)
            made.body = text.encode()
            made.content_type = "application/json"
        response = made.get_response(self._application)
        return response.status_int, json.loads(response.body) if response.body else None

    def _plain(self, text: str | None) -> str | None:
        """Ids by the names of what they are."""
        for name, value in self.names.items():
            text = text and text.replace(value, f"<{name}>")
        return text and UUID.sub("<id>", text)

    def _cast(self, address: str, method: str, *arguments: Any) -> None:
        self.sent.append(method)

    def _call(self, address: str, method: str, *arguments: Any) -> str:
        self.sent.append(f"{method}, waiting")
        return json.dumps(({}, None))

    def _act(self, function: Callable[[], Any]) -> Any:
        """While everybody else stands still."""
        kernel = self.cloud.simulation.kernel
        task = kernel.spawn("user", function)
        kernel.run(horizon_us=kernel.now_us)
        if task.error is not None:
            raise task.error
        return task.result


class Recording(Requester):
    """One small cloud, with a volume in any state and one of everything that requests on it name."""

    def __init__(self, process: Process, deployment: Deployment) -> None:
        super().__init__(process, deployment, ("lvm-a", "lvm-b"))
        cloud = self.cloud
        volume, target = (
            cloud.act("user", partial(cloud.api.create_volume, OWNER, 1, host=place))
            for place in (self.here, self.there)
        )
        cloud.database.update(Volume, target.id, {"migration_status": f"target:{volume.id}"})
        kind = cloud.create_type("other").id
        names = {"volume": volume.id, "target": target.id, "type": kind, "image": IMAGE}
        names.update(_dependents(volume.id), **_companions(volume.id))
        self.freeze({**names, "host": self.there})

    def situation(self, name: str, status: str, migration_status: str | None) -> None:
        """Put the volume into that state; everything else is as it was."""
        self.thaw()
        values: dict[str, Any] = {"status": status, "migration_status": migration_status}
        if migration_status == "target":
            values["migration_status"] = f"target:{self.names['target']}"
        if name in ("attached", "multiattach"):
            values["attach_status"] = "attached"
            values["multiattach"] = name == "multiattach"
        else:
            self._connection.execute("DELETE FROM volume_attachment")
        if name != "snapshot":
            self._connection.execute("DELETE FROM snapshots")
        self.cloud.database.update(Volume, self.names["volume"], values)


class Paused(Requester):
    """A migration that stands still at one of `tests.golden.api.stages.STAGES`."""

    def __init__(self, process: Process, deployment: Deployment, stage: str) -> None:
        super().__init__(process, deployment, ("lvm-a", "rbd-a"))
        reached = Stage(stage, self.cloud, (self.here, self.there))
        kind = self.cloud.create_type("other").id
        names = {"volume": reached.volume_id, "target": reached.other_id, "type": kind, "image": IMAGE}
        self.freeze({**names, "host": reached.elsewhere, **_companions(reached.volume_id)})

    def answer(self, name: str) -> str:
        """The word for it in the table."""
        self.thaw()
        answer = self.ask(REQUESTS[name])
        return word(answer.code, bool(answer.written or answer.sent), may_ignore=name == "begin-detaching")


def _copy(connection: Any) -> Any:
    import sqlite3

    copy = sqlite3.connect(":memory:", check_same_thread=False)
    connection.backup(copy)
    return copy


def _dependents(volume_id: str) -> dict[str, str]:
    """A snapshot and an attachment; their ids by name."""
    from cinder import objects

    from harness.cinder_engine.rest import request_context

    owner = request_context(OWNER)
    volume = objects.Volume.get_by_id(owner, volume_id)
    snapshot = objects.Snapshot(
        owner, volume_id=volume_id, user_id="user", project_id="project", status="available", volume_size=1,
        volume_type_id=volume.volume_type_id,
    )  # fmt: skip
    snapshot.create()
    attachment = objects.VolumeAttachment(
        owner, volume_id=volume_id, instance_uuid=SERVER, attach_status="attached", attached_host="compute1",
        mountpoint="/dev/vdb", attach_mode="rw",
    )  # fmt: skip
    attachment.create()
    return {"snapshot": snapshot.id, "attachment": attachment.id}


def _companions(volume_id: str) -> dict[str, str]:
    """Metadata, a backup, a group on the same pool, and a service for backups; their ids by name."""
    from cinder import context as cinder_context
    from cinder import objects
    from cinder.db import api as db

    from harness.cinder_engine.rest import request_context

    admin, owner = cinder_context.get_admin_context(), request_context(OWNER)
    volume = objects.Volume.get_by_id(admin, volume_id)
    db.volume_update(admin, volume_id, {"bootable": True, "metadata": {"kept": "yes"}})
    db.volume_glance_metadata_create(admin, volume_id, "kept", "yes")
    service = objects.Service(
        admin, host="controller", binary="cinder-backup", topic="cinder-backup", report_count=1,
        availability_zone="nova",
    )  # fmt: skip
    service.create()
    backup = objects.Backup(
        owner, user_id="user", project_id="project", volume_id=volume_id, status="available", size=1,
        host="controller", service="backup",
    )  # fmt: skip
    backup.create()
    kind = db.group_type_create(admin, {"name": "group type"})
    group = objects.Group(
        owner, user_id="user", project_id="project", status="available", name="group", host=volume.host,
        group_type_id=kind["id"], volume_type_ids=[volume.volume_type_id], availability_zone="nova",
    )  # fmt: skip
    group.create()
    return {"backup": backup.id, "group": group.id}


def _give_images(process: Process) -> None:
    """The image service has one image, and takes every other."""
    from harness.cinder_engine.seams.images import Glance

    image = {
        "id": IMAGE, "name": "image", "status": "active", "size": 1024, "min_disk": 0, "min_ram": 0,
        "disk_format": "raw", "container_format": "bare", "properties": {},
    }  # fmt: skip
    process.patches.replace(Glance, "show", lambda self, context, image_id: dict(image))
    process.patches.replace(Glance, "create", lambda self, context, meta, data=None: {**image, **meta})


@contextmanager
def recording() -> Iterator[Recording]:
    """The installed Cinder, ready to be asked."""
    deployment = Deployment.default()
    with Process(deployment, drivers="reference") as process:
        made = Recording(process, deployment)
        try:
            yield made
        finally:
            made.cloud.close()


def during_migration(cells: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(request, stage) -> the word for the installed Cinder's answer. To be called in a process of its own."""
    deployment = Deployment.default()
    result: dict[tuple[str, str], str] = {}
    with Process(deployment, drivers="reference") as process:
        for stage in STAGES:
            names = [name for name, at in cells if at == stage]
            if not names:
                continue
            paused = Paused(process, deployment, stage)
            try:
                result.update({(name, stage): paused.answer(name) for name in names})
            finally:
                paused.cloud.close()
    return result


State = tuple[str, str, str, str | None]
"""Request, situation, status and migration_status."""


def answers(states: Iterable[State]) -> dict[State, dict[str, Any]]:
    """What the installed Cinder answers there. To be called in a process of its own."""
    result: dict[State, dict[str, Any]] = {}
    with recording() as cloud:
        for state in states:
            name, situation, status, migration_status = state
            cloud.situation(situation, status, migration_status)
            result[state] = cloud.ask(REQUESTS[name]).about(status).to_json()
    return result


def conditions(cloud: Recording, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Request -> situation -> table, as JSON."""
    result: dict[str, dict[str, Any]] = {}
    for name in names:
        request = REQUESTS[name]
        result[name] = {}
        for situation in request.situations:
            table = Table()
            for status in STATUSES:
                for migration_status in MIGRATION_STATUSES:
                    cloud.situation(situation, status, migration_status)
                    table.add(status, migration_status, cloud.ask(request))
            result[name][situation] = table.to_json()
        print(name, file=sys.stderr)
    return result


def policies() -> dict[str, str]:
    """Rule -> the least that may: reader, member, admin, or nobody."""
    from cinder import policy

    from harness.cinder_engine.rest import request_context

    policy.init()
    callers: Mapping[str, Context] = {
        "reader": Context("r", "project", is_admin=False, roles=("reader",)),
        "member": Context("m", "project", is_admin=False),
        "admin": Context("a", "admin-project", is_admin=True),
    }
    target = {"project_id": "project", "user_id": "other"}
    result = {}
    for rule in sorted(policy._ENFORCER.registered_rules):
        allowed = (
            name
            for name, context in callers.items()
            if policy.authorize(request_context(context), rule, target, do_raise=False)
        )
        result[rule] = next(allowed, "nobody")
    return result


def main(names: list[str]) -> None:
    """Write both files, or with names only print what was recorded."""
    with recording() as cloud:
        if names:
            print(json.dumps(conditions(cloud, names), indent=1))
            return
        found = conditions(cloud, REQUESTS)
        (HERE / "conditions.json").write_text(written_out(found))
        (HERE / "policies.json").write_text(json.dumps(policies(), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
