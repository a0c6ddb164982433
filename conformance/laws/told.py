"""Who is told: those who listen, such as a bill, of what begins and ends; users of what failed later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.law import Chapter, same
from conformance.move import ADMIN, OWNER, Move
from harness.model import Context

law = Chapter("told", level="core", stage=Move, needs=["data path", "simulated Cinder"], weight=0.3)
MANAGER = "cinder.volume.manager:VolumeManager"
FAILURES = {
    "create volume from backend storage": "driver.create_volume",
    "create snapshot": "driver.create_snapshot",
    "delete snapshot": "driver.delete_snapshot",
    "extend volume": "driver.extend_volume",
}
"""What fails after it was accepted, in the words of a message, and the driver's call that fails."""


@law(source=f"{MANAGER}._notify_about_volume_usage, _notify_about_snapshot_usage", needs=["snapshots"])
def who_listens_hears_of_a_whole_life(move: Move) -> None:
    """Of a volume and of a snapshot that are made, used and deleted who listens hears when each of that begins
    and ends, in order, with the volume's id and size."""
    move.open("subject")
    api = move.cloud.api
    volume = move.create("subject", 1)
    move.extend(volume, 2)
    server = move.attach(volume)
    move.detach(server, volume)
    snapshot = move.act(api.create_snapshot, OWNER, volume).id
    move.act(api.delete_snapshot, OWNER, snapshot)
    move.delete(volume)
    events = (
        ("volume", "create.start", 1), ("volume", "create.end", 1),
        ("volume", "resize.start", 1), ("volume", "resize.end", 2), ("volume", "attach.start", 2),
        ("volume", "detach.start", 2), ("volume", "detach.end", 2),
        *(("snapshot", f"{what}.{when}", 2) for what in ("create", "delete") for when in ("start", "end")),
        ("volume", "delete.start", 2), ("volume", "delete.end", 2),
    )  # fmt: skip
    heard = []
    for each in move.cloud.notifications.sent:
        kind, _, event = each.event_type.partition(".")
        if kind in ("volume", "snapshot"):
            same("the volume of the notification", each.payload["volume_id"], volume)
            heard.append((kind, event, each.payload["size" if kind == "volume" else "volume_size"]))
    same("what was told", tuple(heard), events)


@law(
    source="cinder.message.message_field; cinder.message.api:API.create",
    needs=["snapshots"],
    kind=st.sampled_from(["eio", "enospc"]),
)
def users_are_told_what_failed(move: Move, kind: str) -> None:
    """Of a request that fails after it was accepted its user finds a message, which says what was being done
    and names what it was about; others do not see it. Of a migration that fails there is none."""
    move.open("subject", "twin")
    api, host = move.cloud.api, move.plan("subject").address
    volume = move.create("subject")
    snapshot = move.act(api.create_snapshot, OWNER, volume).id
    requests: dict[str, Callable[[], Any]] = {
        "create volume from backend storage": lambda: move.act(api.create_volume, OWNER, 1, host=host).id,
        "create snapshot": lambda: move.act(api.create_snapshot, OWNER, volume).id,
        "delete snapshot": lambda: move.act(api.delete_snapshot, OWNER, snapshot) or snapshot,
        "extend volume": lambda: move.act(api.extend_volume, OWNER, volume, 2) or volume,
    }
    for what, request in requests.items():
        before = {each.id for each in move.cloud.user_messages.all(OWNER)}
        move.fail_at(FAILURES[what], 1, kind)
        about = request()
        move.heal()
        new = [each for each in move.cloud.user_messages.all(OWNER) if each.id not in before]
        told = [(each.action.value[1], each.resource_uuid) for each in new]
        same(f"what the user is told of a failure to {what}", told, [(what, about)])
    strangers = Context("stranger", "another-project", is_admin=False)
    same("what others are told", move.cloud.user_messages.all(strangers), [])
    moved = move.create("subject")
    move.fail_at("driver.create_volume", 1, kind)
    move.migrate(moved, "twin", force_host_copy=True)
    move.heal()
    told_of = {each.resource_uuid for each in move.cloud.user_messages.all(ADMIN)}
    same("whether anybody is told of the migration", moved in told_of, False)
