"""What can be done to a volume while it migrates: every action at every stage of real migrations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fake_backends.block_store import MemoryDevice
from harness import errors
from harness.model import Backup, Group, Volume
from tests.golden.api.requests import REQUESTS
from tests.golden.api.stages import ADMIN, OWNER, STAGES, Stage, word
from tests.harness.control_plane.api.calls import CALLS

if TYPE_CHECKING:
    from tests.harness.control_plane.conftest import Lab

TABLE: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[3] / "golden" / "api" / "during_migration.json").read_text()
)
CELLS = [(name, stage, expected) for name in TABLE for stage, expected in zip(STAGES, TABLE[name], strict=True)]


class Midway(Stage):
    """A lab's cloud at a stage, and one of everything that requests name."""

    def __init__(self, name: str, lab: Lab) -> None:
        super().__init__(name, lab.cloud, (lab.address("lvm-a"), lab.address("rbd-a")))
        self.lab = lab
        database = lab.database
        volume = database.get_volume(self.volume_id)
        pairs = {"kept": "yes"}
        database.update(Volume, self.volume_id, {"metadata": pairs, "glance_metadata": pairs})
        image = lab.cloud.images.create("project", name="image")
        group = {"status": "available", "host": self.host, "volume_type_ids": (volume.volume_type_id,)}
        backup = {"volume_id": self.volume_id, "status": "available"}
        self.ids = {
            "volume": self.volume_id,
            "target": self.other_id,
            "host": self.elsewhere,
            "type": lab.cloud.create_type("other").id,
            "image": lab.cloud.images.fill(image.id, MemoryDevice(1024)).id,
            "backup": database.create(Backup, backup),
            "group": database.create(Group, group),
        }

    def answer(self, name: str) -> tuple[int, bool]:
        """The HTTP code, 0 if there was no refusal, and whether anything changed or was sent."""
        database, sent = self.lab.database, []
        messaging = self.lab.cloud.messaging
        cast, call = messaging.cast, messaging.call
        tables = {
            table: {key: dict(row) for key, row in rows.items()} for table, rows in database._tables.items()
        }
        messaging.cast = lambda *message: sent.append(message)  # type: ignore[method-assign]
        messaging.call = lambda *message: {"sent": sent.append(message)}  # type: ignore[func-returns-value,method-assign]
        code = 0
        try:
            who = ADMIN if REQUESTS[name].admin else OWNER
            self.now(lambda: CALLS[name](self.lab.cloud, who, self.ids))
        except errors.ServiceError as error:
            code = error.code
        messaging.cast, messaging.call = cast, call  # type: ignore[method-assign]
        return code, bool(sent) or tables != database._tables


@pytest.mark.parametrize(("name", "stage", "expected"), CELLS)
def test_what_can_be_done_while_a_volume_migrates(
    make_lab: Callable[..., Lab], name: str, stage: str, expected: str
) -> None:
    """A refusal changes nothing, and the migration goes on to its success."""
    with make_lab() as lab:
        midway = Midway(stage, lab)
        code, changed = midway.answer(name)
        assert word(code, changed, may_ignore=name == "begin-detaching") == expected
        if expected == "allowed":
            return
        assert not changed
        lab.kernel.run()
        user_volume = midway.other_id if stage == "temporary" else midway.volume_id
        assert lab.database.volumes[user_volume]["migration_status"] == "success"
        assert list(lab.database.volumes) == [user_volume]


def test_the_table_has_a_word_for_every_stage() -> None:
    """Its rows are requests that are known."""
    assert set(TABLE) <= set(REQUESTS)
    assert all(len(words) == len(STAGES) for words in TABLE.values())


# --------------------------------------------------------------------------------------------- consequences


def _go_on(lab: Lab, midway: Midway, action: Callable[[], Any]) -> dict[str, Any]:
    """Do it, let the migration come to its end, and give back the volume's row."""
    midway._begin(action)
    lab.kernel.run()
    return dict(lab.database.volumes[midway.volume_id])


def test_what_a_user_changes_meanwhile_is_lost_at_the_swap(lab: Lab) -> None:
    """Name, metadata and bootable flag go over to the temporary record, and away with it."""
    midway = Midway("unlocked", lab)

    def change() -> None:
        lab.api.update_volume(OWNER, midway.volume_id, name="new name")
        lab.api.create_metadata(OWNER, midway.volume_id, {"color": "blue"})
        lab.api.set_bootable(OWNER, midway.volume_id, True)

    row = _go_on(lab, midway, change)
    assert (row["display_name"], row["metadata"], row["bootable"]) == (None, {}, False)
    assert row["migration_status"] == "success"


def test_a_volume_extended_meanwhile_shrinks_on_record_and_its_quota_does_not(lab: Lab) -> None:
    """The record is that of the temporary volume again."""
    midway = Midway("unlocked", lab)
    row = _go_on(lab, midway, lambda: lab.api.extend_volume(OWNER, midway.volume_id, 3))
    assert (row["size"], row["migration_status"]) == (1, "success")
    assert lab.cloud.quotas.usage("project", "gigabytes").in_use == 3


def test_membership_of_a_group_is_lost_at_the_swap(lab: Lab) -> None:
    """`group_id` is exchanged like any other field."""
    midway = Midway("unlocked", lab)
    add = [midway.volume_id]
    row = _go_on(lab, midway, lambda: lab.cloud.groups.update(OWNER, midway.ids["group"], add_volumes=add))
    assert (row["group_id"], row["migration_status"]) == (None, "success")


def test_a_backup_that_outlasts_the_migration_fails(lab: Lab) -> None:
    """The volume is available again while its old object is still read, whose export then goes."""
    midway = Midway("unlocked", lab)
    row = _go_on(lab, midway, lambda: lab.cloud.backups.create(OWNER, midway.volume_id))
    assert (row["status"], row["migration_status"]) == ("available", "success")
    assert [backup["status"] for backup in lab.database.backups.values()] == ["available", "error"]


def test_a_retype_before_its_migration_can_be_cut_short_by_force(lab: Lab) -> None:
    """While migration_status is idle a detached volume can be deleted by force; begin_detaching is refused."""
    volume = lab.volume()
    lab.cloud.create_type("elsewhere", extra_specs={"volume_backend_name": "rbd-a"})
    lab.api.retype(lab.owner, volume.id, "elsewhere", "on-demand")
    assert lab.states(volume) == ("retyping", "detached", None)
    with pytest.raises(errors.InvalidVolume):
        lab.api.begin_detaching(lab.owner, volume.id)
    lab.api.delete_volume(lab.admin, volume.id, force=True)
    assert lab.states(volume)[0] == "deleting"


def test_the_temporary_volume_is_hidden_from_lists_of_users_only(lab: Lab) -> None:
    """As long as it is a target; who knows its id can see it, and an admin sees it everywhere."""
    midway = Midway("unlocked", lab)
    shown = {volume.id for volume in lab.api.list_volumes(OWNER)}
    assert shown == {midway.volume_id}
    assert lab.api.get(OWNER, midway.other_id).id == midway.other_id
    every = {volume.id for volume in lab.api.list_volumes(ADMIN, all_tenants=True)}
    assert every == {midway.volume_id, midway.other_id}
    lab.database.update(Volume, midway.other_id, {"migration_status": "deleting"})
    assert {volume.id for volume in lab.api.list_volumes(OWNER)} == every
