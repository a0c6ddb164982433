"""Creating and deleting volumes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.attached import compare, must_show_nothing_of
from conformance.bench import ADMIN, HOST, Bench
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import Chapter, same
from fake_backends.block_store import PAGE
from harness.control_plane.manager_base import host_connector
from harness.model import GIB, VolumeType

law = Chapter("volumes", level="core", stage=Bench)
MANAGER = "cinder.volume.manager:VolumeManager"
CREATE = "cinder.interface.volume_driver:VolumeDriverCore.create_volume"
DELETE = "cinder.interface.volume_driver:VolumeDriverCore.delete_volume"
CHECKLIST = "Cinder's new-driver checklist, common gotchas"
CINDERS_OWN = (
    "status", "attach_status", "migration_status", "size", "host", "_name_id", "display_name", "project_id",
    "user_id", "volume_type_id", "encryption_key_id", "metadata", "bootable",
)  # fmt: skip


@law(source=CREATE, needs=["data path"], size=st.integers(1, 64))
def a_volume_has_exactly_its_size(bench: Bench, size: int) -> None:
    """A volume of N GiB has N x 2^30 bytes."""
    bench.must_have_size(bench.create(size), size, "the new volume")


@law(source=CREATE, needs=["data path"], size=st.sampled_from([1, 100, 1023, 1024, 4097, 16384]))
def any_size_is_made_exactly_or_refused(bench: Bench, size: int) -> None:
    """From 1 GiB to 16 TiB a volume has exactly its size, or is refused and leaves nothing that keeps it from
    being
    deleted."""
    volume = bench.record(size)
    try:
        bench.fill_in(volume)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        bench.delete(volume)
        return
    bench.must_have_size(volume, size, "the new volume")
    bench.delete(volume)


@law(source=CREATE, needs=["data path"], size=sizes(), written=contents())
def what_is_written_is_read_again(bench: Bench, size: int, written: Contents) -> None:
    """What was written to a volume is there when it is connected again."""
    volume = bench.create(size)
    bench.write(volume, written)
    bench.must_hold(volume, written, "the volume")


@law(source=CREATE, needs=["data path"], one=contents("one"), two=contents("two"))
def volumes_share_nothing(bench: Bench, one: Contents, two: Contents) -> None:
    """What is written to one volume does not show in another."""
    volumes = [bench.create(1), bench.create(2)]
    bench.write(volumes[0], one)
    bench.write(volumes[1], two)
    bench.must_hold(volumes[0], one, "the first volume")
    bench.must_hold(volumes[1], two, "the second volume")


@law(source=f"{CREATE}; names, targets and units are counted", needs=["data path"], count=st.integers(17, 40),
     weight=0.25)  # fmt: skip
def many_volumes_share_nothing(bench: Bench, count: int) -> None:
    """Dozens of volumes can be in use at once, on one host, and each keeps its own data."""
    attached = [bench.attach(bench.create()) for _ in range(count)]
    held = [pages_of(Contents(f"owner {number}", ("first", "last")), GIB) for number in range(count)]
    for each, pages in zip(attached, held, strict=True):
        each.write(pages)
    for number, (each, pages) in enumerate(zip(attached, held, strict=True)):
        compare(each.read(pages), pages, f"volume {number} of {count}")
    for each in list(attached):
        bench.detach(each)
    for number, each in enumerate(attached):
        bench.must_hold(each.volume, Contents(f"owner {number}", ("first", "last")), f"volume {number}")


@law(
    source="OSSN-0064 and volume_clear; " + DELETE,
    needs=["data path"],
    size=sizes(3),
    more=st.sampled_from([1, 0]),
    secret=contents("former owner"),
    count=st.integers(1, 3),
    weight=1.5,
)
def a_new_volume_shows_nothing_of_a_deleted_one(
    bench: Bench, size: int, more: int, secret: Contents, count: int
) -> None:
    """No byte of a deleted volume, extended or not, can be read in one that is created later."""
    volumes = [bench.create(size) for _ in range(count)]
    size += more
    for volume in volumes:
        if more:
            bench.extend(volume, size)
        bench.write(volume, secret)
    for volume in volumes:
        bench.delete(volume)
    attached = bench.attach(bench.create(size))
    must_show_nothing_of(attached, pages_of(secret, size * GIB), "the new volume")
    bench.detach(attached)


@law(source=f"{MANAGER}.delete_volume", needs=["inventory"], count=st.integers(1, 4), which=st.integers(0, 3))
def deleting_removes_the_object_and_no_other(bench: Bench, count: int, which: int) -> None:
    """Deleting a volume removes exactly its object."""
    before = bench.objects()
    volumes = [bench.create() for _ in range(count)]
    made = [name for name in bench.objects() if name not in before]
    same("the number of objects of the new volumes", len(made), count)
    bench.delete(volumes[which % count])
    same("the number of objects after a deletion", len(bench.objects()), len(before) + count - 1)


@law(source=DELETE, needs=["data path"], kept=contents("kept"))
def deleting_leaves_other_volumes_alone(bench: Bench, kept: Contents) -> None:
    """The data of other volumes outlive a deletion."""
    one, two, three = (bench.create() for _ in range(3))
    bench.write(two, kept)
    bench.delete(one)
    bench.delete(three)
    bench.must_hold(two, kept, "the volume that stays")


@law(source=f"{DELETE}; {CHECKLIST}", size=sizes())
def deleting_an_absent_volume_succeeds(bench: Bench, size: int) -> None:
    """Deleting a volume that was never created succeeds: a failed creation is cleaned up so."""
    bench.delete(bench.record(size, status="error"))


@law(source=f"{DELETE}; {CHECKLIST}", size=sizes())
def deleting_twice_succeeds(bench: Bench, size: int) -> None:
    """Deleting a volume that is gone already succeeds: a restarted service deletes again."""
    volume = bench.create(size)
    bench.delete_object(volume)
    bench.delete_object(volume)


@law(source=f"{MANAGER}.delete_volume")
def delete_volume_returns_nothing(bench: Bench) -> None:
    """delete_volume and remove_export have nothing to return."""
    volume = bench.create()
    bench.nothing(bench.driver.remove_export(ADMIN, volume), "remove_export")
    bench.nothing(bench.driver.delete_volume(volume), "delete_volume")


@law(source=f"{MANAGER}.create_volume", size=sizes())
def a_name_is_free_again_after_deletion(bench: Bench, size: int) -> None:
    """A volume that was deleted can be created again under the same id."""
    volume = bench.create(size)
    bench.delete_object(volume)
    bench.fill_in(volume)
    bench.delete(volume)


@law(source=f"{CREATE}: create_volume does not export", needs=["data path"], size=sizes())
def creating_exports_nothing(bench: Bench, size: int) -> None:
    """A volume is not exported before create_export is called."""
    before = bench.exports()
    bench.create(size)
    same("the targets after create_volume", bench.exports(), before)


@law(source=f"{MANAGER}.create_volume", needs=["data path"], written=contents())
def a_taken_name_loses_no_data(bench: Bench, written: Contents) -> None:
    """Creating a volume whose object is there already never harms the data in it, whatever the answer."""
    volume = bench.create()
    bench.write(volume, written)
    try:
        bench.driver.create_volume(bench.fresh(volume))
    except Exception as error:
        if not bench.is_foreign(error):
            raise
    bench.must_hold(volume, written, "the volume that was there")


@law(
    source="cinder.objects.volume:Volume; no status is the driver's business",
    needs=["data path"],
    bootable=st.booleans(),
    written=contents(),
)
def flags_of_the_record_change_nothing(bench: Bench, bootable: bool, written: Contents) -> None:
    """Bootable, description, metadata and owner of a volume do not matter to its data."""
    volume = bench.create(1, bootable=bootable, project_id="p1", user_id="u1")
    bench.write(volume, written)
    volume = bench.fresh(volume)
    volume.update(
        {"bootable": not bootable, "project_id": "p2", "metadata": {"a": "b"}, "display_description": "d"}
    )
    volume.save()
    bench.must_hold(volume, written, "the volume of another owner")
    bench.delete(volume)


@law(
    source=f"{MANAGER}: statuses, sizes and hosts of records are its own",
    needs=["snapshots", "clones"],
    operation=st.sampled_from(["create", "extend", "snapshot", "clone", "connect", "remove export"]),
)
def the_record_is_cinders(bench: Bench, operation: str) -> None:
    """A driver leaves status, size, host, names, owner, metadata and type of a volume's record to Cinder."""
    fields: dict[str, Any] = {"display_name": "data", "metadata": {"of": "the user"}}
    volume = bench.record(1, **fields) if operation == "create" else bench.create(1, **fields)
    connector = host_connector(HOST)
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: bench.driver.create_volume(volume),
        "extend": lambda: bench.driver.extend_volume(volume, 2),
        "snapshot": lambda: bench.driver.create_snapshot(bench.snapshot_record(volume)),
        "clone": lambda: bench.driver.create_cloned_volume(bench.record(1), volume),
        "connect": lambda: bench.connect(volume, connector),
        "remove export": lambda: bench.driver.remove_export(ADMIN, volume),
    }
    before = {field: getattr(bench.fresh(volume), field) for field in CINDERS_OWN}
    calls[operation]()
    same("the record", {field: getattr(bench.fresh(volume), field) for field in CINDERS_OWN}, before)


@law(
    source=f"{MANAGER}: what a driver answers is stored as it is",
    needs=["snapshots", "clones"],
    operation=st.sampled_from(["create", "snapshot", "clone", "from a snapshot", "export"]),
)
def an_answer_leaves_to_cinder_what_is_cinders(bench: Bench, operation: str) -> None:
    """What a driver answers says nothing else of status, size, host, names, owner, metadata and type than what
    is on record."""
    source = bench.create(1)
    snapshot = bench.snapshot_record(source) if operation == "snapshot" else bench.snapshot(source)
    kind = bench.database.create(VolumeType, {"id": "type-1", "name": "a type", "extra_specs": {}})
    made = bench.record(1, display_name="data", metadata={"of": "the user"}, volume_type_id=kind)
    record: Any = snapshot if operation == "snapshot" else made
    if operation == "export":
        bench.fill_in(made)
    fields = [field for field in (*CINDERS_OWN, "volume_size", "volume_id") if field in record.DEFAULTS]
    before = {field: getattr(bench.fresh(record), field) for field in fields}
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: bench.driver.create_volume(made),
        "snapshot": lambda: bench.driver.create_snapshot(snapshot),
        "clone": lambda: bench.driver.create_cloned_volume(made, bench.fresh(source)),
        "from a snapshot": lambda: bench.driver.create_volume_from_snapshot(made, bench.fresh(snapshot)),
        "export": lambda: bench.driver.create_export(ADMIN, made, host_connector(HOST)),
    }
    bench.store(record, calls[operation](), f"the call ({operation})")
    same("the record", {field: getattr(bench.fresh(record), field) for field in fields}, before)


@law(
    source="OSSA-2024-001: what a guest writes is no image's header",
    needs=["data path"],
    size=sizes(3),
    operation=st.sampled_from(["connect", "extend", "clone", "restart"]),
)
def what_a_guest_writes_is_no_format(bench: Bench, size: int, operation: str) -> None:
    """A volume whose first page says that it is an image of another size and format is what it was, page by
    page, whatever is done to it; a clone of it, too, unless the driver refuses to make one."""
    volume = bench.create(size)
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", 2, 0, 0, 16, (size + 1) * GIB).ljust(PAGE, b"\0")
    attached = bench.attach(volume)
    attached.write({0: header})
    bench.detach(attached)
    if operation == "extend":
        size += 1
        bench.extend(volume, size)
    elif operation == "restart":
        bench.restart()
    elif operation == "clone" and bench.subject.has("create_cloned_volume"):
        try:
            volume = bench.clone(volume)
        except Exception as error:
            if not bench.is_foreign(error):
                raise
    bench.must_have_size(volume, size, "the volume that looks like an image")
    attached = bench.attach(volume)
    compare(attached.read([0]), {0: header}, "the volume that looks like an image")
    bench.detach(attached)


@law(
    source=f"{MANAGER}.create_volume",
    needs=["inventory"],
    order=st.integers(1, 5).flatmap(lambda count: st.permutations(range(count))),
)
def everything_deleted_leaves_nothing(bench: Bench, order: list[int]) -> None:
    """When all volumes are deleted, in any order, the back-end holds what it held before."""
    before = bench.objects()
    volumes = [bench.create() for _ in order]
    for number in order:
        bench.delete(volumes[number])
    same("the objects in the end", bench.objects(), before)
