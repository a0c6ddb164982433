"""update_migrated_volume: the driver at the destination gives the copy its final name.

The bench plays the end of a generic migration: there is the user's record, whose object is elsewhere, and a
temporary record, whose object was just written here. What the driver answers is stored as the
manager stores it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.attached import must_show_nothing_of
from conformance.bench import ADMIN, Bench
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.foreign.guard import shortened
from conformance.law import Broken, Chapter, holds, same
from conformance.laws.retype import kind, limits
from conformance.properties import properties
from harness.control_plane.manager_base import host_connector
from harness.model import Attachment, QosSpecs, Volume

law = Chapter("destination", level="migration-destination", stage=Bench)
UPDATE = "cinder.volume.manager:VolumeManager.update_migrated_volume"
CREATE = "cinder.volume.manager:VolumeManager._migrate_volume_generic: the temporary record"
STATUSES = ("available", "in-use", "maintenance", "retyping")
ELSEWHERE = {
    "provider_location": "192.0.2.9:3260,1 iqn.2010-10.org.openstack:volume-elsewhere 0",
    "provider_auth": "CHAP user secret",
    "provider_id": "elsewhere",
}
"""What a source of another kind had on record: it comes along on the temporary record."""


def arrive(
    bench: Bench, written: Contents, *, name_id: str | None = None, size: int = 1
) -> tuple[Volume, Volume]:
    """(the user's record, the temporary record), the object of the latter written."""
    fields: dict[str, Any] = {
        "host": "elsewhere@other#pool",
        "status": "available",
        "migration_status": "completing",
    }
    user = bench.record(size, **fields, _name_id=name_id, **ELSEWHERE)
    temporary = bench.create(size, migration_status=f"target:{user.id}", **ELSEWHERE)
    bench.write(temporary, written)
    return user, bench.fresh(temporary)


def finish(bench: Bench, user: Volume, temporary: Volume, status: str) -> dict[str, Any]:
    """Ask the driver, store its answer crosswise, and let the user's record be here. Returns the answer."""
    wanted = {"_name_id": temporary.name_id, "provider_location": temporary.provider_location}
    try:
        answer = bench.driver.update_migrated_volume(None, user, temporary, status)
    except NotImplementedError:
        answer = dict(wanted)
    holds(
        isinstance(answer, dict) and answer,
        f"update_migrated_volume returned {shortened(answer)}, but should return a dict with _name_id and "
        "provider_location: with nothing, the temporary record keeps what leads to the copy",
    )
    unknown = sorted(key for key in answer if key not in Volume.DEFAULTS)
    holds(not unknown, f"update_migrated_volume returned the fields {unknown}, which no volume has")
    wanted.update(answer)
    user.update({**wanted, "host": bench.plan.address})
    for field in ("provider_auth", "provider_id", "admin_metadata"):
        if field not in answer:
            setattr(user, field, getattr(temporary, field))
    user.save()
    bench.database.destroy_volume(temporary.id)
    return wanted


@law(source=UPDATE, needs=["data path"], written=contents(), status=st.sampled_from(STATUSES), size=sizes(3))
def the_record_leads_to_the_copy(bench: Bench, written: Contents, status: str, size: int) -> None:
    """Whatever the original status, what update_migrated_volume answers leads to the data that was copied."""
    user, temporary = arrive(bench, written, size=size)
    finish(bench, user, temporary, status)
    bench.must_hold(user, written, "the migrated volume")
    bench.must_have_size(user, size, "the migrated volume")


@law(source=UPDATE, needs=["data path"], written=contents(), status=st.sampled_from(STATUSES))
def a_second_migration_arrives_too(bench: Bench, written: Contents, status: str) -> None:
    """A volume that has a _name_id from an earlier migration is found after the next one."""
    earlier = bench.record(1).id
    user, temporary = arrive(bench, written, name_id=earlier)
    finish(bench, user, temporary, status)
    bench.must_hold(user, written, "the volume that was migrated again")


@law(source=UPDATE, needs=["inventory"], status=st.sampled_from(STATUSES))
def a_migrated_volume_is_deleted_without_trace(bench: Bench, status: str) -> None:
    """When the migrated volume is deleted, nothing is left of the copy, whatever it was called."""
    before = bench.objects()
    user = bench.record(1, host="elsewhere@other#pool", **ELSEWHERE)
    temporary = bench.create(1, **ELSEWHERE)
    finish(bench, user, bench.fresh(temporary), status)
    same("the number of objects", len(bench.objects()), len(before) + 1)
    bench.delete(user)
    same("the objects in the end", bench.objects(), before)


@law(source=f"{UPDATE}; LP 1866935", needs=["data path"], written=contents(), after=contents("guest"))
def an_object_in_use_stays_where_its_guest_finds_it(bench: Bench, written: Contents, after: Contents) -> None:
    """For a volume that is in use the connection of the guest stays valid, also for one that connects anew, and
    ends with the guest."""
    user, temporary = arrive(bench, written)
    before = bench.exports()
    attached = bench.attach(temporary)
    finish(bench, user, bench.fresh(temporary), "in-use")
    attached.write(pages_of(after, attached.size))
    assert bench.subject.path is not None

    try:
        again = bench.subject.path(bench.world, attached.info, host_connector(attached.host))
    except Exception as error:
        raise Broken(
            f"the connection info of the guest leads nowhere after update_migrated_volume ({error}), but "
            "should "
            "lead to the object as long as the guest has it"
        ) from error
    again.close()
    attached.close()
    bench.attached.clear()
    # Its attachment is the user's now (`VolumeManager.migrate_volume_completion`).
    fields = {"volume_id": user.id, "attached_host": attached.host, "connector": attached.connector}
    row = bench.database.create(Attachment, {**fields, "attach_status": "attached"})
    bench.driver.terminate_connection(bench.fresh(user), attached.connector, force=False)
    del bench.database.attachments[row]
    bench.driver.remove_export(ADMIN, bench.fresh(user))
    same("the targets when the guest is gone", bench.exports(), before)
    bench.must_hold(user, after, "what the guest wrote, read through the record,")


@law(
    source=f"{UPDATE}; LP 1792339, LP 1798468",
    needs=["data path"],
    written=contents(),
    kept=contents("kept"),
    status=st.sampled_from(STATUSES),
)
def a_taken_name_is_no_obstacle(bench: Bench, written: Contents, kept: Contents, status: str) -> None:
    """If the original name is taken (source and destination in one container), the copy keeps its own, and the
    object that has the name is not touched."""
    user = bench.create(1)
    bench.write(user, kept)
    temporary = bench.create(1, migration_status=f"target:{user.id}")
    bench.write(temporary, written)
    source = bench.fresh(user)
    user, temporary = bench.fresh(user), bench.fresh(temporary)
    finish(bench, user, temporary, status)
    bench.must_hold(user, written, "the migrated volume")
    source = bench.another_name_for(source)
    bench.must_hold(source, kept, "the object that had the name")
    bench.delete(source)
    bench.must_hold(user, written, "the migrated volume, when the source is deleted,")


@law(
    source=UPDATE,
    needs=["data path"],
    nth=st.integers(1, 4),
    kind=st.sampled_from(["eio", "ebusy", "enospc"]),
    written=contents(),
    status=st.sampled_from(STATUSES),
)
def a_failed_rename_loses_nothing(bench: Bench, nth: int, kind: str, written: Contents, status: str) -> None:
    """If the storage fails meanwhile, the driver raises and nothing has changed, or answers what leads to the
    data."""
    user, temporary = arrive(bench, written)
    bench.fail_at("*", nth=nth, kind=kind)
    try:
        finish(bench, user, temporary, status)
    except Broken:
        raise
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        bench.heal()
        bench.must_hold(temporary, written, "the temporary volume")
        return
    bench.heal()
    bench.must_hold(user, written, "the migrated volume")


@law(
    source=f"{UPDATE}; LP 1356608",
    needs=["data path"],
    qos=limits,
    status=st.sampled_from(STATUSES),
)
def a_migrated_volume_is_what_its_type_says(bench: Bench, qos: QosSpecs | None, status: str) -> None:
    """A volume that was migrated has the limits of its type, like the temporary volume that it was."""
    limited = kind(bench, "limited", {}, qos).id
    user = bench.record(1, host="elsewhere@other#pool", volume_type_id=limited, **ELSEWHERE)
    temporary = bench.create(1, volume_type_id=limited, **ELSEWHERE)
    before = properties(bench.world, bench.plan, temporary.name)
    finish(bench, user, bench.fresh(temporary), status)
    if before is not None:
        found = properties(bench.world, bench.plan, bench.fresh(user).name)
        same("what the migrated volume is like", found, before)


@law(source=UPDATE, needs=["update_migrated_volume"], status=st.sampled_from(STATUSES))
def the_answer_names_both_fields(bench: Bench, status: str) -> None:
    """update_migrated_volume answers with _name_id and provider_location, and no key twice: what it leaves out
    is not exchanged between the records."""
    user, temporary = arrive_unwritten(bench)
    before = [(each.status, each.host, each._name_id) for each in (user, temporary)]
    try:
        answer = bench.driver.update_migrated_volume(None, user, temporary, status)
    except NotImplementedError:
        return
    holds(
        isinstance(answer, dict) and {"_name_id", "provider_location"} <= set(answer),
        f"update_migrated_volume returned {shortened(answer)}, but should return a dict with _name_id and "
        "provider_location",
    )
    records = [bench.fresh(each) for each in (user, temporary)]
    got = [(each.status, each.host, each._name_id) for each in records]
    same("(status, host, _name_id) of both records, which are Cinder's,", got, before)
    named = answer["_name_id"]
    holds(
        named is None or named == temporary.name_id,
        f"_name_id is {named!r}, but should be None, or the temporary volume's, {temporary.name_id!r}",
    )


def arrive_unwritten(bench: Bench) -> tuple[Volume, Volume]:
    """The same as `arrive`, for drivers whose data cannot be reached."""
    user = bench.record(1, host="elsewhere@other#pool", **ELSEWHERE)
    return user, bench.fresh(bench.create(1, migration_status=f"target:{user.id}", **ELSEWHERE))


@law(source=UPDATE, needs=["data path"], written=contents(), status=st.sampled_from(["available", "in-use"]))
def a_migrated_volume_survives_a_restart(bench: Bench, written: Contents, status: str) -> None:
    """The record alone leads a new process to the migrated volume."""
    user, temporary = arrive(bench, written)
    finish(bench, user, temporary, status)
    bench.restart()
    bench.must_hold(user, written, "the migrated volume")


@law(
    source=UPDATE,
    needs=["data path"],
    one=contents("one"),
    two=contents("two"),
    status=st.sampled_from(STATUSES),
)
def two_migrations_do_not_meet(bench: Bench, one: Contents, two: Contents, status: str) -> None:
    """Of two volumes that arrive, each record leads to its own copy."""
    first, second = arrive(bench, one), arrive(bench, two)
    finish(bench, *second, status)
    finish(bench, *first, status)
    bench.must_hold(first[0], one, "the first volume")
    bench.must_hold(second[0], two, "the second volume")


@law(source=CREATE, needs=["data path"], written=contents(), size=sizes(3))
def fields_of_another_driver_do_no_harm(bench: Bench, written: Contents, size: int) -> None:
    """create_volume works on a record whose provider fields are those of another driver's volume, and replaces
    what it depends on."""
    volume = bench.create(size, **ELSEWHERE)
    bench.write(volume, written)
    bench.must_hold(volume, written, "the temporary volume")
    bench.delete(volume)


@law(source=CREATE, needs=["inventory"])
def a_temporary_volume_can_be_deleted(bench: Bench) -> None:
    """A temporary volume that is not needed any more is deleted like any other."""
    before = bench.objects()
    made = bench.create(1, migration_status="target:x", use_quota=False, **ELSEWHERE)
    bench.delete(made)
    same("the objects in the end", bench.objects(), before)


@law(
    source="cinder.volume.manager:VolumeManager._copy_volume_data: a copy writes every byte",
    needs=["data path"],
    written=contents(),
    secret=contents("former owner"),
)
def a_copy_hides_what_was_before(bench: Bench, written: Contents, secret: Contents) -> None:
    """What lies behind the pages that were copied is zeros or nobody's: no page of a deleted volume shows."""
    former = bench.create()
    bench.write(former, secret)
    bench.delete(former)
    user, temporary = arrive(bench, written)
    finish(bench, user, temporary, "available")
    attached = bench.attach(user)
    must_show_nothing_of(attached, pages_of(secret, attached.size), "the migrated volume")
    bench.detach(attached)
