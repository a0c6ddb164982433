"""What Cinder has on record of a new volume, of a connection, and of what a driver answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.altered import Altered
from conformance.contents import Contents
from conformance.law import Chapter, holds, same
from conformance.laws.retype_moves import encrypted, kinds
from conformance.move import OWNER, Move
from harness.control_plane.manager_base import host_connector
from harness.model import QosSpecs
from harness.record import service_host

law = Chapter("on record", level="core", stage=Move, needs=["data path", "simulated Cinder"], weight=0.3)
MANAGER = "cinder.volume.manager:VolumeManager"


@law(
    source=f"{MANAGER}.create_volume: service_uuid, launched_at; glance metadata", needs=["clones", "snapshots"]
)
def a_copy_boots_if_its_origin_does(move: Move) -> None:
    """A volume from an image boots, with what is on record of the image; so do its clone, a volume from its
    snapshot, and a clone that has moved. Each belongs to the service of its host and has its time of launch."""
    move.open("subject", "lvm")
    api, database, host = move.cloud.api, move.cloud.database, move.plan("subject").address
    image = move.act(api.upload_image, OWNER, move.create("subject"), "image")
    volume = move.act(api.create_volume, OWNER, 1, image_id=image.id, host=host).id
    origin = move.volume(volume)
    holds(origin.bootable and origin.glance_metadata, "a volume that was made from an image does not boot")
    snapshot = move.act(api.create_snapshot, OWNER, volume).id
    same("the progress of a snapshot", database.get_snapshot(snapshot).progress, "100%")
    clone = move.act(api.create_volume, OWNER, 1, source_volid=volume).id
    copy = move.act(api.create_volume, OWNER, 1, snapshot_id=snapshot).id
    boots = (True, origin.glance_metadata)
    service = database.service(service_host(host)).uuid
    for each in (volume, clone, copy):
        row = move.volume(each)
        same("(bootable, glance_metadata)", (row.bootable, row.glance_metadata), boots)
        same("service_uuid", row.service_uuid, service)
        holds(row.launched_at is not None, "launched_at is not set, but should be")
    move.migrate(clone, "lvm", force_host_copy=True)
    moved = move.volume(clone)
    same("(bootable, glance_metadata) of what has moved", (moved.bootable, moved.glance_metadata), boots)


@law(
    source=f"{MANAGER}._parse_connection_options",
    consumer=st.sampled_from(["front-end", "back-end", "both"]),
    read_only=st.booleans(),
)
def a_server_is_told_how_to_use_a_volume(move: Move, consumer: str, read_only: bool) -> None:
    """The driver sees the connector before it exports and connects the volume. What is on record of the
    connection says whether it is read-only or encrypted, and which limits the hypervisor has to set: those that
    are not the back-end's business."""
    move.open("subject")
    limits = (("read_iops_sec", "1000"),)
    move.cloud.create_type("limited", qos_specs=QosSpecs("qos", "limits", consumer, limits))
    volume = move.create("subject", volume_type="limited")
    if read_only:
        move.act(move.cloud.api.update_readonly_flag, OWNER, volume, True)
    begun = len(move.watch.steps)
    move.attach(volume)
    calls = ("validate_connector", "create_export", "initialize_connection")
    asked = [step.removeprefix("subject.").partition("(")[0] for step in move.watch.steps[begun:]]
    same("what the driver was asked", [each for each in asked if each in calls], list(calls))
    (row,) = move.cloud.database.attachments.values()
    told = {name: row["connection_info"].get(name) for name in ("access_mode", "encrypted", "qos_specs")}
    wanted = {
        "access_mode": "ro" if read_only else "rw",
        "encrypted": False,
        "qos_specs": None if consumer == "back-end" else dict(limits),
    }
    same("what the server is told", told, wanted)
    holds(row["connector"], "the connector of the server is not on record")


ITS_ID = "known to the array by this"


@law(
    source="cinder.volume.manager:VolumeManager.attachment_update: attach_mode; microversion 3.54",
    mode=st.sampled_from(["ro", "rw"]),
)
def the_mode_that_was_asked_for_counts(move: Move, mode: str) -> None:
    """An attachment has the mode that it was made with, whatever the connector says; so it was before Queens,
    and further connections have that mode, too."""
    move.open("subject")
    api, attachments = move.cloud.api, move.cloud.attachments
    volume, older = move.create("subject"), move.create("subject")
    other = {"ro": "rw", "rw": "ro"}[mode]
    connector = {**host_connector("host"), "mode": other}
    made = move.act(attachments.create, OWNER, volume, "server", mode)
    move.act(attachments.update, OWNER, made.id, connector)
    same("the mode of the attachment", move.cloud.database.get_attachment(made.id).attach_mode, mode)
    move.act(api.reserve, OWNER, older)
    move.act(api.initialize_connection, OWNER, older, host_connector("host"))
    move.act(api.attach, OWNER, older, instance_uuid="server", mountpoint="/dev/vdb", mode=mode)
    info = move.act(api.initialize_connection, OWNER, older, host_connector("host"))
    same("the access_mode of the connection", info["data"]["access_mode"], mode)
    (row,) = [each for each in move.cloud.database.attachments.values() if each["volume_id"] == older]
    got = (row["attach_mode"], row["mountpoint"], move.volume(older).status)
    same("(mode, mountpoint, status)", got, (mode, "/dev/vdb", "in-use"))


@law(
    source=f"{MANAGER}._parse_connection_options: encrypted",
    level="encryption",
    provider=st.sampled_from(["luks", "luks2"]),
)
def a_server_is_told_that_a_volume_is_encrypted(move: Move, provider: str) -> None:
    """A server that is not told writes plaintext."""
    volume = encrypted(move, "subject", "subject", provider, None)
    move.attach(volume)
    (row,) = move.cloud.database.attachments.values()
    same("whether the connection is encrypted", row["connection_info"].get("encrypted"), True)


def naming_an_id(own: Callable[..., Any]) -> Callable[..., Any]:
    """The driver answers as it does, and names an id of its own besides."""
    return lambda *arguments, **keywords: _with_id(own(*arguments, **keywords))


def _with_id(answer: Any) -> Any:
    """A model update, or (yes, model update) where the driver may say no."""
    if isinstance(answer, bool):
        return (answer, {"provider_id": ITS_ID}) if answer else answer
    if isinstance(answer, tuple):
        return (answer[0], {**(answer[1] or {}), "provider_id": ITS_ID}) if answer[0] else answer
    return {**(answer or {}), "provider_id": ITS_ID}


@law(source=f"{MANAGER}: model_update", needs=["clones", "snapshots"])
def what_a_driver_answers_is_on_record(move: Move) -> None:
    """The fields that a driver answers with are on record of what was made, copied, exported, retyped
    or moved."""
    move.open("subject", "twin")
    kinds(move, "subject", "subject", **{"vendor:tier": "gold"})
    api, database = move.cloud.api, move.cloud.database
    manager = move.cloud.managers[move.plan("subject").service]
    origin = move.create("subject", volume_type="old")
    snapshot = move.act(api.create_snapshot, OWNER, origin).id
    volume, mover = move.create("subject", volume_type="old"), move.create("subject")
    host = move.plan("subject").address
    requests: dict[str, Callable[[], object]] = {
        "create_volume": lambda: move.act(api.create_volume, OWNER, 1, host=host).id,
        "create_cloned_volume": lambda: move.act(api.create_volume, OWNER, 1, source_volid=origin).id,
        "create_volume_from_snapshot": lambda: move.act(api.create_volume, OWNER, 1, snapshot_id=snapshot).id,
        "create_snapshot": lambda: move.act(api.create_snapshot, OWNER, origin).id,
        "create_export": lambda: move.write(volume, Contents("owner", ("first",))),
        "retype": lambda: move.retype(volume, "new", "never"),
        "migrate_volume": lambda: move.migrate(mover, "twin"),
    }
    driver = manager.driver
    for method, request in requests.items():
        for row in database.volumes.values():
            row["provider_id"] = None
        answered = len(move.watch.steps)
        manager.driver = Altered(driver, method, naming_an_id)
        made = request() or (mover if method == "migrate_volume" else volume)
        manager.driver = driver
        said = [step for step in move.watch.steps[answered:] if step.startswith(f"subject.{method}(")]
        holds(said, f"the driver was not asked to {method}")
        if not said[-1].endswith(("-> False", "-> (False, None)")):
            row = {**database.volumes, **database.snapshots}[made]
            same(f"the provider_id that {method} answered with", row["provider_id"], ITS_ID)
