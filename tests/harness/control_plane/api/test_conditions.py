"""Every action in every (status, migration_status): the simulated API answers as the real one did.

The recording is `tests/golden/api/conditions.json`; `tests.golden.api.record` makes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fake_backends.block_store import MemoryDevice
from harness import errors
from harness.control_plane import policy
from harness.control_plane.api.conditions import ACTIONS
from harness.model import Attachment, Backup, Context, Group, Snapshot, Volume
from tests.golden.api.requests import REQUESTS, SERVER
from tests.golden.api.table import MIGRATION_STATUSES, STATUSES, Answer, Table
from tests.harness.control_plane.api.calls import CALLS

if TYPE_CHECKING:
    from tests.harness.control_plane.conftest import Lab

GOLDEN = Path(__file__).parents[3] / "golden" / "api"
CONDITIONS: dict[str, dict[str, Any]] = json.loads((GOLDEN / "conditions.json").read_text())
POLICIES: dict[str, str] = json.loads((GOLDEN / "policies.json").read_text())
TOLD = ("status", "attach_status", "migration_status", "previous_status")


class Asked:
    """A cloud whose messages go nowhere, with a volume and one of everything that requests on it name."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.volume = lab.volume()
        self.target = lab.volume("lvm-b")
        lab.write(self.volume, metadata={"kept": "yes"}, glance_metadata={"kept": "yes"}, bootable=True)
        for resource in ("volumes", "snapshots", "backups", "gigabytes", "backup_gigabytes"):
            for project in ("project", "admin-project"):
                lab.cloud.quotas.set_limit(project, resource, -1)
        lab.write(self.target, migration_status=f"target:{self.volume.id}")
        database = lab.database
        self.ids = {
            "volume": self.volume.id,
            "target": self.target.id,
            "type": lab.cloud.create_type("other").id,
            "host": lab.address("lvm-b"),
            "image": self._image(),
            "backup": database.create(
                Backup, {"volume_id": self.volume.id, "status": "available", "host": "backup"}
            ),
            "group": database.create(
                Group,
                {
                    "status": "available",
                    "host": self.volume.host,
                    "volume_type_ids": (self.volume.volume_type_id,),
                },
            ),
        }
        self.rows = {
            "attachment": {
                "volume_id": self.volume.id, "instance_uuid": SERVER, "attach_status": "attached",
                "attached_host": "compute1", "mountpoint": "/dev/vdb", "attach_mode": "rw",
            },
            "snapshot": {"volume_id": self.volume.id, "status": "available"},
        }  # fmt: skip
        self._saved = {name: dict(table) for name, table in database._tables.items()}
        self.sent: list[str] = []
        lab.cloud.messaging.cast = self._cast  # type: ignore[method-assign]
        lab.cloud.messaging.call = self._call  # type: ignore[method-assign]

    def _image(self) -> str:
        images = self.lab.cloud.images
        image = images.create("project", name="image")
        return images.fill(image.id, MemoryDevice(1024)).id

    def _cast(self, address: str, method: str, *arguments: Any) -> None:
        self.sent.append(method)

    def _call(self, address: str, method: str, *arguments: Any) -> Any:
        self.sent.append(f"{method}, waiting")
        return {}

    def situation(self, name: str, status: str, migration_status: str | None) -> None:
        """Put the volume into that state; everything else is as it was."""
        database = self.lab.database
        for table, rows in self._saved.items():
            database._tables[table].clear()
            for row_id, row in rows.items():
                database._tables[table][row_id] = row
        values: dict[str, Any] = {"status": status, "migration_status": migration_status}
        if migration_status == "target":
            values["migration_status"] = f"target:{self.target.id}"
        if name in ("attached", "multiattach"):
            values.update(attach_status="attached", multiattach=name == "multiattach")
            self.ids["attachment"] = database.create(Attachment, self.rows["attachment"])
        elif name == "snapshot":
            self.ids["snapshot"] = database.create(Snapshot, self.rows["snapshot"])
        database.update(Volume, self.volume.id, values)

    def ask(self, name: str, context: Context) -> Answer:
        """What the request does, as `tests.golden.api.record` tells it of the real API."""
        self.sent = []
        before = dict(self.lab.database.volumes[self.volume.id])
        code, message = 0, None
        try:
            CALLS[name](self.lab.cloud, context, self.ids)
        except errors.ServiceError as error:
            code, message = error.code, str(error)
        after = self.lab.database.volumes.get(self.volume.id)
        written = {field: after[field] for field in TOLD if after and after[field] != before[field]}
        for what, record_id in self.ids.items():
            message = message and message.replace(record_id, f"<{what}>")
        return Answer(code, message, written if after else {"gone": "yes"}, tuple(self.sent))


@pytest.fixture(scope="module")
def asked(make_lab: Callable[..., Lab]) -> Iterator[Asked]:
    """One cloud for all; every question is asked of the same state."""
    with make_lab() as lab:
        yield Asked(lab)


@pytest.mark.parametrize("name", REQUESTS)
def test_every_action_in_every_state_is_answered_as_cinder_answers(asked: Asked, name: str) -> None:
    """Code, text, what is written to the volume at once, and what is sent to whom."""
    context = asked.lab.admin if REQUESTS[name].admin else asked.lab.owner
    for situation, told in CONDITIONS[name].items():
        for (status, migration_status), expected in Table.read(told).items():
            asked.situation(situation, status, migration_status)
            answer = asked.ask(name, context).about(status).to_json()
            if expected["code"] < 300:
                # How the REST layer says yes is not the API's business.
                answer["code"] = expected["code"] if answer["code"] == 0 else answer["code"]
            assert answer == expected, f"{name}, {situation}, {status}/{migration_status}"


def test_the_recording_has_every_action_in_every_state() -> None:
    """None is left out, neither of the recording nor of this test."""
    assert set(CONDITIONS) == set(REQUESTS) == set(CALLS)
    for name, situations in CONDITIONS.items():
        assert set(situations) == set(REQUESTS[name].situations)
        for told in situations.values():
            assert len(Table.read(told)) == len(STATUSES) * len(MIGRATION_STATUSES)


def test_policies_are_cinders() -> None:
    """Every rule of Cinder's has the least role that it has there, and every rule used is one of Cinder's."""
    callers = {
        "reader": Context("r", "project", is_admin=False, roles=("reader",)),
        "member": Context("m", "project", is_admin=False),
        "admin": Context("a", "other", is_admin=True),
    }
    helpers = {rule for rule in POLICIES if ":" not in rule}
    for rule, least in POLICIES.items():
        if rule not in helpers:
            assert next(name for name, who in callers.items() if policy.may(who, rule)) == least, rule
    assert {action.rule for action in ACTIONS.values()} | policy.ADMIN_RULES | policy.READER_RULES <= set(
        POLICIES
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_strangers_find_nothing_and_readers_change_nothing(asked: Asked, name: str) -> None:
    """404 for another project's volume; 403 for a reader, and for a member where an admin is needed."""
    asked.situation(REQUESTS[name].situations[-1], "available", None)
    stranger = asked.ask(name, asked.lab.stranger)
    assert (stranger.code, stranger.written, stranger.sent) == (404, {}, ())
    reader = asked.ask(name, Context("reader", "project", is_admin=False, roles=("reader",)))
    assert reader.code == {"show": 0, "snapshot-create-force-false": 400}.get(name, 403)
    if REQUESTS[name].admin:
        assert asked.ask(name, asked.lab.owner).code == 403
