"""Groups: volumes that are snapshotted, copied and deleted together.

A driver that knows nothing of groups is asked volume by volume, and these laws hold for what comes of it, too.
What is consistent only a driver can see to: it says so with consistent_group_snapshot_enabled.
"""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from conformance.bench import ADMIN as SERVICE
from conformance.bench import Bench
from conformance.contents import Contents, contents, sizes
from conformance.foreign.guard import shortened
from conformance.law import Chapter, holds, same
from conformance.move import OWNER, Move
from harness import errors
from harness.model import Group, GroupSnapshot, GroupType, Snapshot, Volume

law = Chapter(
    "groups",
    level="consistency",
    stage=Move,
    needs=["data path", "snapshots", "clones"],
    weight=0.4,
)
consistent = Chapter(
    "consistent groups",
    level="consistency",
    stage=Move,
    needs=["data path", "consistent groups"],
    weight=0.4,
)
MANAGER = "cinder.volume.manager:VolumeManager"
INTERFACE = "cinder.interface.volume_group_driver:VolumeGroupDriver"
PLAIN, CONSISTENT = {"group": "<is> True"}, {"consistent_group_snapshot_enabled": "<is> True"}
ALL = ("first", "middle", "last")
OWN = ("create_group", "create_group_snapshot", "delete_group_snapshot")
"""What a driver that takes consistent snapshots has of its own."""


def opened(move: Move, specs: dict[str, str] = PLAIN) -> str:
    """A cloud with an empty group on the driver's back-end; returns its id."""
    move.open("subject")
    extra = {"volume_backend_name": move.plan("subject").volume_backend_name}
    move.cloud.create_type("grouped", extra_specs=extra | (specs if specs is CONSISTENT else {}))
    move.act(move.cloud.groups.create_type, SERVICE, "together", group_specs=specs)
    group: Group = move.act(move.cloud.groups.create, OWNER, "together", ["grouped"])
    must_be(move, group.id, "available")
    return group.id


def must_be(move: Move, group_id: str, status: str) -> None:
    same("the status of the group", move.cloud.database.get_group(group_id).status, status)


def members(move: Move, group_id: str) -> list[Volume]:
    found: list[Volume] = move.cloud.database.volumes_of_group(group_id)
    return found


def filled(move: Move, group_id: str, sizes_gb: Iterable[int], writer: str) -> dict[str, Contents]:
    """Volumes of these sizes in the group, each written; returns what each holds."""
    held = {}
    for number, size in enumerate(sizes_gb):
        made = move.act(
            move.cloud.api.create_volume, OWNER, size, volume_type="grouped", group_id=group_id,
            host=move.plan("subject").address,
        )  # fmt: skip
        same("the status of a volume of the group", move.volume(made.id).status, "available")
        held[made.id] = Contents(f"{writer} {number}", ALL)
        move.write(made.id, held[made.id])
    return held


def snapshot_of(move: Move, group_id: str) -> str:
    made: GroupSnapshot = move.act(move.cloud.groups.create_group_snapshot, OWNER, group_id)
    same(
        "the status of the group's snapshot",
        move.cloud.database.get_group_snapshot(made.id).status,
        "available",
    )
    rows = move.cloud.database.snapshots_of_group_snapshot(made.id)
    same("the statuses of its snapshots", {row.status for row in rows}, {"available"})
    same("the volumes that it has snapshots of", sorted(row.volume_id for row in rows),
         sorted(volume.id for volume in members(move, group_id)))  # fmt: skip
    return made.id


def drop_snapshot(move: Move, group_snapshot_id: str) -> None:
    move.act(move.cloud.groups.delete_group_snapshot, OWNER, group_snapshot_id)
    holds(group_snapshot_id not in move.cloud.database.group_snapshots, "the group's snapshot is not gone")
    same("the snapshots on record", list(move.cloud.database.snapshots), [])


def drop(move: Move, group_id: str) -> None:
    """Delete the group with its volumes."""
    move.act(move.cloud.groups.delete, OWNER, group_id, delete_volumes=True)
    holds(group_id not in move.cloud.database.groups, "the deleted group is still on record")


def copied(move: Move, held: dict[str, Contents], **source: str) -> str:
    """A group made of another one or of its snapshot; Broken unless each volume holds what its original did."""
    group: Group = move.act(move.cloud.groups.create_from_source, OWNER, **source)
    must_be(move, group.id, "available")
    made = members(move, group.id)
    same("the number of volumes of the new group", len(made), len(held))
    for volume in made:
        original = volume.source_volid
        if volume.snapshot_id:
            original = move.cloud.database.get_snapshot(volume.snapshot_id).volume_id
        same("the status of a volume of the new group", volume.status, "available")
        move.must_hold(volume.id, held[original or ""], "a volume of the new group")
    return group.id


def lives(move: Move, specs: dict[str, str], sizes_gb: list[int]) -> None:
    """A group, its snapshot, a group from that, and the end of all."""
    group = opened(move, specs)
    objects = move.objects()
    held = filled(move, group, sizes_gb, "before")
    taken = snapshot_of(move, group)
    newest = {volume: Contents(f"after {number}", ALL) for number, volume in enumerate(held)}
    for volume, written in newest.items():
        move.write(volume, written)
    copy = copied(move, held, group_snapshot_id=taken)
    for volume, written in newest.items():
        move.must_hold(volume, written, "a volume whose group was snapshotted")
    drop(move, copy)
    drop_snapshot(move, taken)
    for volume, written in newest.items():
        move.must_hold(volume, written, "a volume whose group's snapshot was deleted")
    drop(move, group)
    same("the volumes on record", list(move.cloud.database.volumes), [])
    move.must_be_tidy(objects)


some_sizes = st.lists(sizes(2), min_size=1, max_size=3)


@law(source=f"{MANAGER}.create_group_snapshot, create_group_from_src", needs=["inventory"], sizes_gb=some_sizes)
def a_group_lives_and_leaves_nothing(move: Move, sizes_gb: list[int]) -> None:
    """Volumes are snapshotted as a group, made into another one, each from its own snapshot, and deleted."""
    lives(move, PLAIN, sizes_gb)


@law(source=f"{MANAGER}.create_group_from_src: source_group", sizes_gb=some_sizes)
def a_group_is_copied_as_a_whole(move: Move, sizes_gb: list[int]) -> None:
    """A group made of another group has a clone of each of its volumes, and shares nothing with it."""
    group = opened(move)
    held = filled(move, group, sizes_gb, "owner")
    copy = copied(move, held, source_group_id=group)
    for number, volume in enumerate(members(move, copy)):
        move.write(volume.id, Contents(f"clone {number}", ALL))
    for volume_id, written in held.items():
        move.must_hold(volume_id, written, "a volume of the first group")
    drop(move, group)
    for number, volume in enumerate(members(move, copy)):
        move.must_hold(volume.id, Contents(f"clone {number}", ALL), "a volume of the second group")


def come_and_go(move: Move, specs: dict[str, str], written: Contents) -> None:
    group = opened(move, specs)
    volume = move.create("subject", volume_type="grouped")
    move.write(volume, written)
    for member, change in ((group, {"add_volumes": [volume]}), (None, {"remove_volumes": [volume]})):
        move.act(move.cloud.groups.update, OWNER, group, **change)
        must_be(move, group, "available")
        row = move.volume(volume)
        same("(group, status) of the volume", (row.group_id, row.status), (member, "available"))
        move.must_hold(volume, written, "the volume")
    move.act(move.cloud.groups.delete, OWNER, group)
    holds(group not in move.cloud.database.groups, "the deleted group is still on record")
    move.must_hold(volume, written, "the volume that had left the group")
    move.delete(volume)


@law(source=f"{MANAGER}.update_group", written=contents())
def volumes_come_and_go(move: Move, written: Contents) -> None:
    """A volume joins a group and leaves it, keeps its data, and outlives the group."""
    come_and_go(move, PLAIN, written)


@law(
    source=f"{MANAGER}.delete_group_snapshot: error",
    needs=["inventory"],
    nth=st.integers(2, 8),
    kind=st.sampled_from(["eio", "ebusy"]),
    deletes=st.booleans(),
)
def a_failed_group_snapshot_is_told(move: Move, nth: int, kind: str, deletes: bool) -> None:
    """If the storage fails while a group is snapshotted, or its snapshot deleted, that is in error or done; the
    volumes keep their data."""
    group = opened(move)
    held = filled(move, group, (1, 1), "owner")
    taken = snapshot_of(move, group) if deletes else ""
    move.fail_at("*", nth, kind, f"c-vol@{move.plan('subject').name}")
    try:
        if deletes:
            move.act(move.cloud.groups.delete_group_snapshot, OWNER, taken)
        else:
            taken = move.act(move.cloud.groups.create_group_snapshot, OWNER, group).id
    except errors.CrucibleError as error:
        move.note(f"refused: {error}")
    move.heal()
    row = move.cloud.database.group_snapshots.get(taken)
    stands = row["status"] if row else "gone"
    wanted = ("error", "gone") if deletes else ("error", "available")
    holds(stands in wanted, f"the group's snapshot is {stands}, but should be {' or '.join(wanted)}")
    for volume, written in held.items():
        move.must_hold(volume, written, "a volume of the group")


# ---------------------------------------------------------------------------------------------- consistency


@consistent(source=f"{INTERFACE}.create_group_snapshot", needs=["inventory"], sizes_gb=some_sizes)
def a_consistent_group_lives_and_leaves_nothing(move: Move, sizes_gb: list[int]) -> None:
    """A group whose type asks for consistent snapshots is snapshotted, made into another one, and deleted."""
    lives(move, CONSISTENT, sizes_gb)


@consistent(source=f"{INTERFACE}.update_group", written=contents())
def volumes_of_a_consistent_group_come_and_go(move: Move, written: Contents) -> None:
    """A volume joins a consistent group and leaves it, keeps its data, and outlives the group."""
    come_and_go(move, CONSISTENT, written)


@consistent(
    source="consistent_group_snapshot_enabled: all snapshots are of the same point in time",
    count=st.integers(2, 3),
    pause_us=st.sampled_from([1, 50, 400]),
)
def a_consistent_snapshot_is_of_one_moment(move: Move, count: int, pause_us: int) -> None:
    """While guests write to the volumes of a group one after the other, round after round, its snapshot catches
    them in one round: none is ahead of one that is written before it."""
    group = opened(move, CONSISTENT)
    volumes = list(filled(move, group, [1] * count, "before"))
    disks = [move.attach(volume, f"server {number}").disks[volume] for number, volume in enumerate(volumes)]
    rounds = {0: b"\0" * 4096}

    def write() -> None:
        while True:
            number = len(rounds)
            rounds[number] = number.to_bytes(8, "big") * 512
            for disk in disks:
                disk.write(0, rounds[number])
                move.simulation.kernel.sleep(pause_us)

    for disk in disks:
        disk.write(0, rounds[0])
    writer = move.simulation.kernel.spawn("guests", write, daemon=True)
    taken = snapshot_of(move, group)
    move.simulation.kernel.kill(writer)
    copy: Group = move.act(move.cloud.groups.create_from_source, OWNER, group_snapshot_id=taken)
    must_be(move, copy.id, "available")
    caught = []
    for volume in sorted(members(move, copy.id), key=lambda each: volumes.index(_origin(move, each))):
        server = move.attach(volume.id, "reader")
        page = server.disks[volume.id].device.read(0, 4096)
        caught.append(next(number for number, data in rounds.items() if data == page))
        move.detach(server, volume.id)
    ordered = caught == sorted(caught, reverse=True) and caught[0] - caught[-1] <= 1
    holds(ordered, f"the volumes are of rounds {caught}, but should be of one moment")


def _origin(move: Move, volume: Volume) -> str:
    return str(move.cloud.database.get_snapshot(volume.snapshot_id or "").volume_id)


# ------------------------------------------------------------------------------------------------- answers


def told(answer: object, method: str, ids: Iterable[str], parts: int) -> None:
    """Broken unless the manager can unpack it: fields of the group, and lists of fields with their ids."""
    holds(
        isinstance(answer, tuple | list) and len(answer) == parts,
        f"{method} returned {shortened(answer)}, but should return {parts} things, each of which may be None",
    )
    assert isinstance(answer, tuple | list)
    update, *lists = answer
    holds(
        update is None or (isinstance(update, dict) and (not update or isinstance(update.get("status"), str))),
        f"{method} says {shortened(update)} of the group, but should say None, or a dict with its status",
    )
    known = set(ids)
    for each in lists:
        fits = each is None or (
            isinstance(each, list)
            and all(
                isinstance(entry, dict) and entry.get("id") in known and "status" in entry for entry in each
            )
        )
        holds(
            fits,
            f"{method} says {shortened(each)} of the members, but should say None, or a list of dicts, each "
            "with the id of a member and its status",
        )
        holds(not each or bool(update), f"{method} has members' statuses, but none of the group")


@consistent(
    source=f"{MANAGER}.create_group ... delete_group_snapshot: model updates",
    stage=Bench,
    needs=["simulated Cinder"],
    count=st.integers(1, 3),
)
def answers_have_the_form_that_the_manager_takes(bench: Bench, count: int) -> None:
    """What the methods on groups return can be unpacked, has statuses, and speaks of members by their ids."""
    driver, database = bench.driver, bench.database
    fields = {"group_specs": CONSISTENT, "name": "together"}
    kind = database.create(GroupType, fields)
    group = database.get_group(database.create(Group, {"group_type_id": kind, "host": bench.plan.address}))
    answer = driver.create_group(SERVICE, group)
    told((answer,), "create_group", (), 1)
    volumes = [bench.create(1) for _ in range(count)]
    ids = [volume.id for volume in volumes]
    told(driver.update_group(SERVICE, group, add_volumes=volumes, remove_volumes=[]), "update_group", ids, 3)
    for volume in volumes:
        database.update(Volume, volume.id, {"group_id": group.id})
    made = {"group_id": group.id, "group_type_id": kind}
    taken = database.get_group_snapshot(database.create(GroupSnapshot, made))
    snapshots = [bench.snapshot_record(volume, group_snapshot_id=taken.id) for volume in volumes]
    of_snapshots = [snapshot.id for snapshot in snapshots]
    told(driver.create_group_snapshot(SERVICE, taken, snapshots), "create_group_snapshot", of_snapshots, 2)
    for snapshot in snapshots:
        database.update(Snapshot, snapshot.id, {"status": "available"})
    snapshots = [bench.fresh(snapshot) for snapshot in snapshots]
    copies = [bench.record(1, snapshot_id=snapshot.id) for snapshot in snapshots]
    copy = database.get_group(database.create(Group, {"group_type_id": kind, "host": bench.plan.address}))
    answer = driver.create_group_from_src(SERVICE, copy, copies, taken, snapshots, None, None)
    told(answer, "create_group_from_src", [volume.id for volume in copies], 2)
    told(driver.delete_group(SERVICE, copy, copies), "delete_group", [volume.id for volume in copies], 2)
    told(driver.delete_group_snapshot(SERVICE, taken, snapshots), "delete_group_snapshot", of_snapshots, 2)
    volumes = [bench.fresh(volume) for volume in volumes]
    told(driver.update_group(SERVICE, group, add_volumes=[], remove_volumes=volumes), "update_group", ids, 3)
    told(driver.delete_group(SERVICE, group, []), "delete_group", (), 2)


@law(
    source="consistent_group_snapshot_enabled; the manager falls back to one after the other",
    stage=Bench,
    needs=(),
)
def who_says_consistent_snapshots_groups(bench: Bench) -> None:
    """A driver that reports consistent_group_snapshot_enabled snapshots groups itself: the manager would do it
    volume by volume."""
    stats = bench.driver.get_volume_stats(refresh=True)
    said = [pool.get("consistent_group_snapshot_enabled") for pool in (stats, *(stats.get("pools") or ()))]
    missing = [name for name in OWN if not bench.subject.has(name)] if any(said) else []
    holds(not missing, f"the driver reports consistent_group_snapshot_enabled, but has no {', '.join(missing)}")
