"""The invariants, on evidence made by hand: quiet where all is well, and loud where one thing is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import checkers
from harness.checkers import CHECKERS, Evidence, Wanted, judge
from harness.record import service_host

HERE = "node@lvm#pool"
THERE = "ceph@rbd#rbd"
VOLUME = "4c1f"
OTHER = "0bad"


def row(row_id: str = VOLUME, **changes: Any) -> dict[str, Any]:
    """A detached volume of 1 GiB on HERE, as the database has it."""
    return {
        "id": row_id, "_name_id": None, "host": HERE, "size": 1, "status": "available",
        "migration_status": None,
        "attach_status": "detached", "volume_type_id": "t", "multiattach": False, "display_name": "data",
        "metadata": {}, "project_id": "project", "use_quota": True, "encryption_key_id": None,
        "provider_location": None, **changes,
    }  # fmt: skip


def attachment(volume_id: str = VOLUME, **changes: Any) -> dict[str, Any]:
    """A complete attachment, read/write."""
    return {"volume_id": volume_id, "attach_status": "attached", "attach_mode": "rw",
            "connector": {"host": "c1"},
            **changes}  # fmt: skip


WANTED = Wanted(
    status="available", migration_statuses=(None,), host=HERE, type_id="t", multiattach=False, size=1,
    display_name="data", metadata={},
)  # fmt: skip


def evidence(**changes: Any) -> Evidence:
    """One detached volume in order, on the exporting back-end of two."""
    values: dict[str, Any] = {
        "subject": VOLUME, "known": frozenset({VOLUME}), "wanted": WANTED, "volumes": {VOLUME: row()},
        "snapshots": {}, "attachments": {}, "type_names": {"t": "gold"}, "projects": frozenset({"project"}),
        "containers": {HERE: "vg", THERE: "pool"}, "objects": {"vg": [f"volume-{VOLUME}"], "pool": []},
        "exporting": frozenset({"vg"}), "exports": [], "sessions": [], "disks": [],
        "allocated": {HERE: 1, THERE: 0},
        "usages": dict.fromkeys(("volumes", "volumes_gold", "gigabytes", "gigabytes_gold"), (1, 0)),
        "open_reservations": [], "keys": frozenset(), "life": [],
    }  # fmt: skip
    return Evidence(**{**values, **changes})


def attached(**changes: Any) -> Evidence:
    """The same volume, attached to a server."""
    values: dict[str, Any] = {
        "volumes": {VOLUME: row(status="in-use", attach_status="attached")},
        "wanted": msgspec.structs.replace(WANTED, status="in-use"),
        "attachments": {"a": attachment()},
        "disks": [("server", VOLUME, "a", "rw")],
        "exports": [("node", f"volume-{VOLUME}")],
        "sessions": [(f"volume-{VOLUME}", "c1")],
    }
    return evidence(**{**values, **changes})


def verdicts(found: Evidence) -> dict[str, bool | None]:
    """What each checker says."""
    return {judgement.name: judgement.holds for judgement in judge(found)}


def broken(found: Evidence) -> set[str]:
    """The names of those that do not hold."""
    return {name for name, holds in verdicts(found).items() if holds is False}


@pytest.mark.parametrize("whole", [evidence(), attached()], ids=["detached", "attached"])
def test_all_is_well_where_nothing_is_wrong(whole: Evidence) -> None:
    """Ten checkers, in the order of the report, all content, none with anything to say."""
    judgements = judge(whole)
    assert [judgement.name for judgement in judgements] == [
        "data", "objects", "exports", "attachments", "capacity", "quota", "keys", "statuses", "names",
        "life_after",
    ]  # fmt: skip
    assert all(judgement.holds and not judgement.details for judgement in judgements)


ONE_THING_WRONG: dict[str, tuple[Evidence, set[str], str]] = {
    "bytes are lost": (evidence(lost=["3 pages are gone"]), {"data"}, "3 pages are gone"),
    "bytes are another's": (evidence(foreign=["page 7"]), {"data"}, "page 7"),
    "an object has no record": (
        evidence(objects={"vg": [f"volume-{VOLUME}"], "pool": ["volume-x"]}), {"objects"},
        "pool: volume-x belongs to no record",
    ),
    "another's object is missing": (
        evidence(
            volumes={VOLUME: row(), OTHER: row(OTHER, project_id="theirs")}, known=frozenset({VOLUME, OTHER}),
            allocated={HERE: 2},
        ),
        {"objects"}, f"vg: volume-{OTHER} is missing",
    ),
    "the object is too small": (evidence(short=["half a GiB"]), {"objects"}, "half a GiB"),
    "an export is left": (
        evidence(exports=[("node", "volume-x")]), {"exports"}, "volume-x is exported, but not attached",
    ),
    "the export is missing": (
        attached(exports=[], sessions=[(f"volume-{VOLUME}", "c1")]), {"exports"},
        f"volume-{VOLUME} is attached, but not exported",
    ),
    "a host is still logged in": (
        evidence(sessions=[("volume-x", "c1")]), {"exports"}, "volume-x: 1 connections, but 0 attachments",
    ),
    "no host is logged in": (
        attached(sessions=[]), {"exports"}, f"volume-{VOLUME}: 0 connections, but 1 attachments",
    ),
    "a disk has no attachment": (
        attached(disks=[("server", VOLUME, "a", "rw"), ("server", VOLUME, "b", "rw")]), {"attachments"},
        f"server has {VOLUME} attached, but there is no attachment row",
    ),
    "the attachment is of another volume": (
        attached(disks=[("server", "other", "a", "rw")]), {"attachments"},
        f"the attachment of server is of {VOLUME}, but should be of other",
    ),
    "the attachment is not complete": (
        attached(attachments={"a": attachment(attach_status="attaching")}), {"attachments"},
        "the attachment of server is attaching, but should be attached",
    ),
    "the mode is lost": (
        attached(disks=[("server", VOLUME, "a", "ro")]), {"attachments"},
        "the attachment of server is rw, but should be ro",
    ),
    "an attachment is of no server": (
        attached(disks=[]), {"attachments"}, "attachment row a (attached) is of no server",
    ),
    "the volume says attached": (
        evidence(volumes={VOLUME: row(attach_status="attached")}), {"attachments"},
        f"{VOLUME} has attach_status attached, but should be detached",
    ),
    "the counter is wrong": (
        evidence(allocated={HERE: 2}), {"capacity"},
        f"allocated_capacity_gb of {HERE} is 2, but its volumes have 1",
    ),
    "the driver miscounts": (
        evidence(free={HERE: (5.0, 4.0)}), {"capacity"}, f"{HERE} reports 5.0 GiB free, but has 4.0",
    ),
    "usage is too high": (
        evidence(usages={**evidence().usages, "volumes": (2, 0)}), {"quota"},
        "usage of volumes is off the recount by +1",
    ),
    "a usage is missing": (
        evidence(usages=dict.fromkeys(("volumes", "volumes_gold", "gigabytes"), (1, 0))), {"quota"},
        "gigabytes_gold: 1 should be counted",
    ),
    "a reservation is open": (
        evidence(open_reservations=["volumes +1"]), {"quota"}, "reservation left open: volumes +1",
    ),
    "a key is left": (evidence(keys=frozenset({"k"})), {"keys"}, "key k belongs to no record"),
    "a key is gone": (
        evidence(volumes={VOLUME: row(encryption_key_id="k")}), {"keys"}, "key k is gone, but needed",
    ),
    "the status is stuck": (
        evidence(volumes={VOLUME: row(status="retyping")}), {"statuses"},
        "status is retyping, but should be available",
    ),
    "the migration is stuck": (
        evidence(volumes={VOLUME: row(migration_status="completing")}), {"statuses"},
        "migration_status is completing, but should be None",
    ),
    "the type is not the new one": (
        evidence(wanted=msgspec.structs.replace(WANTED, type_id="new")), {"statuses"},
        "volume_type_id is t, but should be new",
    ),
    "the metadata are another's": (
        evidence(volumes={VOLUME: row(metadata={"a": "b"})}), {"statuses"},
        "metadata is {'a': 'b'}, but should be {}",
    ),
    "a temporary record is left": (
        evidence(volumes={VOLUME: row(), OTHER: row(OTHER, host=None, use_quota=False, status="deleting")}),
        {"statuses"}, f"a record of nobody's is left: {OTHER} (deleting/None)",
    ),
    "the name leads nowhere": (
        evidence(volumes={VOLUME: row(_name_id="x")}), {"objects", "names"},
        "vg: volume-4c1f belongs to no record",
    ),
    "another service is named": (
        evidence(
            volumes={VOLUME: row(service_uuid="there")},
            services={service_host(HERE): "here", service_host(THERE): "there"},
        ),
        {"names"}, f"service_uuid leads to {service_host(THERE)}, but the volume is at {service_host(HERE)}",
    ),
    "life is hard": (evidence(life=["extend: no"]), {"life_after"}, "extend: no"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", ONE_THING_WRONG)
def test_one_thing_wrong_is_told_by_its_checker(wrong: str) -> None:
    """The checker whose business it is speaks, in a sentence with what is and what should be; no other does."""
    found, who, said = ONE_THING_WRONG[wrong]
    assert broken(found) == who
    assert said in [detail for judgement in judge(found) for detail in judgement.details]


def test_every_checker_speaks_somewhere() -> None:
    """The table above leaves none out."""
    assert {name for _, who, _ in ONE_THING_WRONG.values() for name in who} == set(CHECKERS)


def test_a_record_that_is_gone_is_told() -> None:
    """By everybody who needs it, and its object belongs to no record."""
    found = evidence(volumes={}, allocated={HERE: 0}, usages={})
    assert broken(found) == {"objects", "statuses", "names"}
    assert checkers.names(found) == checkers.statuses(found) == ["the record of the volume is gone"]


def test_the_name_may_be_another_ids() -> None:
    """After a migration of an attached volume, `_name_id` names the object; every checker follows it."""
    name = "volume-x"
    moved = {
        "volumes": {VOLUME: row(_name_id="x", status="in-use", attach_status="attached")},
        "objects": {"vg": [name], "pool": []},
        "exports": [("node", name)],
        "sessions": [(name, "c1")],
    }
    assert broken(attached(**moved)) == set()


def test_back_ends_of_one_container_share_its_objects() -> None:
    """The object is found through either; each back-end's counter is its own."""
    twin = "node@twin#pool"
    found = evidence(containers={HERE: "vg", twin: "vg", THERE: "pool"}, allocated={HERE: 1, twin: 0})
    assert broken(found) == set()


def test_a_back_end_that_cannot_list_its_objects_is_not_blamed() -> None:
    """A foreign driver need not tell what it has: neither objects nor names are judged there."""
    assert broken(evidence(objects={"pool": []})) == set()


def test_back_ends_that_do_not_export_need_no_export() -> None:
    """RBD has no exports and no sessions."""
    found = attached(
        volumes={VOLUME: row(status="in-use", attach_status="attached", host=THERE)},
        wanted=msgspec.structs.replace(WANTED, status="in-use", host=THERE),
        objects={"vg": [], "pool": [f"volume-{VOLUME}"]},
        allocated={HERE: 0, THERE: 1},
        exports=[],
        sessions=[],
    )
    assert broken(found) == set()


def test_an_attachment_without_connector_is_not_connected() -> None:
    """Reserved: no export is needed yet."""
    found = attached(attachments={"a": attachment(connector=None)}, exports=[], sessions=[])
    assert checkers.exports(found) == []


def test_snapshots_are_counted_and_no_orphans() -> None:
    """Their objects carry their ids; their quota is snapshots and gigabytes of their type."""
    snapshot = {
        "id": "5a5a",
        "volume_id": VOLUME,
        "volume_type_id": "t",
        "volume_size": 1,
        "encryption_key_id": None,
    }
    usages = {"volumes": (1, 0), "volumes_gold": (1, 0), "gigabytes": (2, 0), "gigabytes_gold": (2, 0),
              "snapshots": (1, 0), "snapshots_gold": (1, 0)}  # fmt: skip
    objects = {"vg": [f"volume-{VOLUME}", "_snapshot-5a5a"], "pool": []}
    assert broken(evidence(snapshots={"5a5a": snapshot}, usages=usages, objects=objects)) == set()


def test_only_what_uses_quota_is_counted() -> None:
    """Neither a temporary volume nor another project's."""
    volumes = {VOLUME: row(), OTHER: row(OTHER, use_quota=False), "c": row("c", project_id="theirs")}
    assert checkers.quota(evidence(volumes=volumes)) == []


@pytest.mark.parametrize("allowed", [("success",), (None, "success"), (None, "error", "success")])
def test_one_of_several_migration_statuses_may_be_right(allowed: tuple[str | None, ...]) -> None:
    """A retype says success only if it came to a migration."""
    wanted = msgspec.structs.replace(WANTED, migration_statuses=allowed)
    for status in ("success", None, "error"):
        found = evidence(wanted=wanted, volumes={VOLUME: row(migration_status=status)})
        assert (checkers.statuses(found) == []) is (status in allowed)


def test_life_after_that_was_not_tried_is_undecided() -> None:
    """None is no pass and no failure, and says so."""
    judgement = judge(evidence(life=None))[-1]
    assert (judgement.name, judgement.holds, judgement.details) == ("life_after", None, ["not tried"])


@pytest.mark.parametrize("name", CHECKERS)
def test_a_checker_that_fails_could_not_tell(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of one checker gives None with its text; the others judge on."""

    def fails(found: Evidence) -> list[str]:
        raise ZeroDivisionError("of the checker itself")

    monkeypatch.setitem(CHECKERS, name, fails)
    judgements = {judgement.name: judgement for judgement in judge(evidence())}
    assert judgements[name].holds is None
    assert judgements[name].details == ["the checker failed: ZeroDivisionError('of the checker itself')"]
    assert all(judgement.holds for other, judgement in judgements.items() if other != name)


def test_evidence_that_makes_no_sense_is_undecided() -> None:
    """A row without its fields is no reason to stop: whoever needs the field cannot tell."""
    found = verdicts(evidence(volumes={VOLUME: {"id": VOLUME, "host": HERE, "_name_id": None}}))
    assert {name for name, holds in found.items() if holds is None} == {
        "attachments", "capacity", "quota", "keys", "statuses", "names",
    }  # fmt: skip


# ----------------------------------------------------------------------------------------------------- laws

VOLUMES = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(
        lambda size, host, name_id, key: {
            "size": size, "host": host, "_name_id": name_id, "encryption_key_id": key
        },
        st.integers(1, 50), st.sampled_from([HERE, THERE]), st.sampled_from([None, "x", "y", "z"]),
        st.sampled_from([None, "k1", "k2"]),
    ),
)  # fmt: skip


def cloud_of(volumes: Mapping[str, dict[str, Any]]) -> Evidence:
    """Evidence in which objects, counters, keys and quota are exactly those of the records."""
    rows = {VOLUME: row(), **{each: row(each, **fields) for each, fields in volumes.items()}}
    gigabytes = sum(each["size"] for each in rows.values())
    found = evidence(volumes=rows, known=frozenset(rows))
    return msgspec.structs.replace(
        found,
        objects={
            container: [checkers.object_name(each) for each in rows.values() if each["host"] == host]
            for host, container in found.containers.items()
        },
        allocated={
            host: sum(each["size"] for each in rows.values() if each["host"] == host)
            for host in found.containers
        },
        usages={name: (gigabytes if "giga" in name else len(rows), 0) for name in found.usages},
        keys=frozenset(each["encryption_key_id"] for each in rows.values() if each["encryption_key_id"]),
    )


@settings(max_examples=50)
@given(VOLUMES)
def test_a_world_made_of_its_records_is_in_order(volumes: dict[str, dict[str, Any]]) -> None:
    """Whatever the records are: counted and listed right, nobody complains."""
    assert broken(cloud_of(volumes)) == set()


@settings(max_examples=50)
@given(VOLUMES, st.data())
def test_one_object_more_or_less_is_always_seen(
    volumes: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    """In any container, with any name: `objects` names it, and the others stay quiet."""
    found = cloud_of(volumes)
    container = data.draw(st.sampled_from(sorted(found.objects)))
    more = {**found.objects, container: [*found.objects[container], "volume-stray"]}
    assert broken(msgspec.structs.replace(found, objects=more)) == {"objects"}
    others = [name for name in dict.fromkeys(found.objects[container]) if name != f"volume-{VOLUME}"]
    if others:
        gone = data.draw(st.sampled_from(others))
        less = {**found.objects, container: [name for name in found.objects[container] if name != gone]}
        assert broken(msgspec.structs.replace(found, objects=less)) == {"objects"}


@settings(max_examples=50)
@given(VOLUMES, st.integers(-3, 3), st.integers(-3, 3))
def test_counters_are_right_only_if_they_are_exact(
    volumes: dict[str, dict[str, Any]], drift: int, surplus: int
) -> None:
    """A drift of any counter by any amount is seen, and nothing else is."""
    found = cloud_of(volumes)
    allocated = {**found.allocated, HERE: found.allocated[HERE] + drift}
    in_use, reserved = found.usages["gigabytes"]
    usages = {**found.usages, "gigabytes": (in_use + surplus, reserved)}
    moved = msgspec.structs.replace(found, allocated=allocated, usages=usages)
    assert broken(moved) == {name for name, off in (("capacity", drift), ("quota", surplus)) if off}


@settings(max_examples=50)
@given(VOLUMES, st.randoms(use_true_random=False))
def test_the_order_of_the_evidence_does_not_matter(volumes: dict[str, dict[str, Any]], random: Any) -> None:
    """Records and objects in any order: the same judgements."""
    found = cloud_of(volumes)
    rows = list(found.volumes.items())
    random.shuffle(rows)
    shuffled = msgspec.structs.replace(
        found,
        volumes=dict(rows),
        objects={container: names[::-1] for container, names in reversed(found.objects.items())},
        keys=frozenset({"stray", *found.keys}),
    )
    same = msgspec.structs.replace(found, keys=shuffled.keys)
    assert judge(shuffled) == judge(same)
