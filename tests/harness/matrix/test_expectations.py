"""The declared expectations: total, alive, and right where the right answer is known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.matrix.axes import BY_NAME, PRECONDITION
from harness.matrix.cells import BackendFacts, Cell
from harness.matrix.expectations import INVARIANTS, RULES, expect, is_possible
from harness.matrix.known_faults import KNOWN_FAULTS
from harness.matrix.rules_aftermath import AFTERMATH
from harness.matrix.rules_situation import Rule
from harness.results import Expectation, Outcome


def _lvm(name: str, node: str, group: str, *, thin: bool = False, zone: str = "nova") -> BackendFacts:
    return BackendFacts(
        name=name,
        address=f"{node}@{name}#{name}",
        kind="lvm",
        thin=thin,
        node=node,
        container=f"{node}/{group}",
        availability_zone=zone,
        volume_backend_name=name,
        exports=True,
    )


def _rbd(name: str, cluster: str, pool: str) -> BackendFacts:
    return BackendFacts(
        name=name,
        address=f"node1@{name}#{name}",
        kind="rbd",
        thin=True,
        node="node1",
        container=f"{cluster}/{pool}",
        cluster=cluster,
        volume_backend_name=name,
    )


def _nfs(name: str, node: str, export: str, *, qcow2: bool = False, snapshots: bool = True) -> BackendFacts:
    return BackendFacts(
        name=name,
        address=f"{node}@{name}#{name}",
        kind="nfs",
        thin=True,
        node=node,
        container=export,
        volume_backend_name=name,
        qcow2=qcow2,
        snapshots=snapshots,
        retypes=False,
        multiattach=False,
    )


BACKENDS = {
    facts.name: facts
    for facts in (
        _lvm("lvm-a", "node1", "vg-a"),
        _lvm("lvm-b", "node1", "vg-b"),
        _lvm("lvm-shared", "node1", "vg-a"),
        _lvm("lvm-thin", "node1", "vg-thin", thin=True),
        _lvm("lvm-far", "node2", "vg-a"),
        _lvm("lvm-zone", "node2", "vg-z", zone="zone2"),
        _rbd("rbd-a", "ceph", "volumes"),
        _rbd("rbd-shared", "ceph", "volumes"),
        _rbd("rbd-b", "ceph", "fast"),
        _rbd("rbd-other", "ceph2", "volumes"),
        _nfs("nfs-a", "node1", "192.0.2.101:/srv"),
        _nfs("nfs-qcow2", "node1", "192.0.2.101:/srv", qcow2=True),
        _nfs("nfs-far", "node2", "192.0.2.102:/srv", snapshots=False),
        _nfs("nfs-other", "node2", "192.0.2.102:/srv", qcow2=True),
    )
}

# One pair of each kind of relation between two back-ends.
PAIRS = (
    ("lvm-a", "lvm-a"),
    ("lvm-a", "lvm-b"),
    ("lvm-a", "lvm-shared"),
    ("lvm-a", "lvm-thin"),
    ("lvm-thin", "lvm-a"),
    ("lvm-a", "lvm-far"),
    ("lvm-a", "lvm-zone"),
    ("lvm-a", "rbd-a"),
    ("rbd-a", "lvm-a"),
    ("rbd-a", "rbd-a"),
    ("rbd-a", "rbd-b"),
    ("rbd-a", "rbd-shared"),
    ("rbd-a", "rbd-other"),
    ("lvm-a", "nfs-a"),
    ("lvm-a", "nfs-qcow2"),
    ("nfs-a", "lvm-a"),
    ("nfs-a", "nfs-a"),
    ("nfs-a", "nfs-far"),
    ("nfs-qcow2", "lvm-a"),
    ("nfs-qcow2", "nfs-other"),
)

# Values that matter only together: the product of each family, over all those pairs.
FAMILIES: tuple[dict[str, list[str]], ...] = (
    {"operation": ["migrate"], "lock": ["no", "yes"], "force": ["no", "yes"], "type": ["none", "same"]},
    {"operation": ["migrate"], "encryption": ["none", "luks", "luks2"], "fill": list(BY_NAME["fill"].values)},
    {"operation": ["migrate"], "lock": ["no", "yes"], "meanwhile": list(BY_NAME["meanwhile"].values)},
    {"operation": ["migrate"], "status": list(BY_NAME["status"].known), "nova": list(BY_NAME["nova"].values)},
    {"operation": ["retype"], "status": list(BY_NAME["status"].known), "type": list(BY_NAME["type"].known)},
    {
        "operation": ["retype"],
        "policy": ["on-demand", "never"],
        "encryption": list(BY_NAME["encryption"].values),
    },
    {"operation": ["retype"], "fill": ["empty", "full"], "encryption": list(BY_NAME["encryption"].values)},
    {
        "operation": ["retype"],
        "policy": ["on-demand", "never"],
        "type": ["none", "specs"],
        "status": ["available", "in-use"],
        "encryption": list(BY_NAME["encryption"].values),
    },
    {"operation": ["retype"], "policy": ["on-demand", "never"], "type": list(BY_NAME["type"].known)},
    {"operation": ["migrate"], "status": ["available", "in-use"], "casts": list(BY_NAME["casts"].values)},
    {"operation": ["retype"], "meanwhile": list(BY_NAME["meanwhile"].values)},
    {"operation": ["retype"], "status": ["read-only"], "precondition": ["member"]},
    {
        "operation": ["retype"],
        "encryption": ["none", "luks", "luks-none"],
        "precondition": list(PRECONDITION.known),
    },
    {
        "operation": ["migrate", "retype"],
        "status": ["available", "in-use"],
        "lock": ["no", "yes"],
        "precondition": list(PRECONDITION.known),
    },
)


def _expect(source: str, destination: str, **axes: Any) -> Expectation:
    cell = Cell(source=source, destination=destination, **axes)
    return expect(cell, BACKENDS[source], BACKENDS[destination])


@cache
def _enumeration() -> list[tuple[Cell, Expectation]]:
    """Every cell of the families once, impossible ones included, with its expectation."""
    cells = {cell.id: cell for cell in _cells()}
    return [(cell, expect(cell, BACKENDS[cell.source], BACKENDS[cell.destination])) for cell in cells.values()]


@cache
def _of_older_releases() -> list[Expectation]:
    """The same cells with hardly anything in the way, on releases that go different ways."""
    plain = [cell for cell in _cells() if cell.precondition in ("none", "create-fails")]
    return [
        expect(cell, BACKENDS[cell.source], BACKENDS[cell.destination], release=release)
        for cell in plain
        for release in ("22.1.0", "25.3.0", "27.0.0")
    ]


def _cells() -> Iterator[Cell]:
    for family in FAMILIES:
        for (source, destination), values in product(PAIRS, product(*family.values())):
            yield Cell(source=source, destination=destination, **dict(zip(family, values, strict=True)))


cells = st.builds(
    Cell,
    source=st.sampled_from(list(BACKENDS)),
    destination=st.sampled_from(list(BACKENDS)),
    **{
        name: st.sampled_from(list(axis.known))
        for name, axis in BY_NAME.items()
        if name not in ("source", "destination")
    },
)


# Laws of the whole


def test_every_rule_decides_at_least_one_cell() -> None:
    """A rule that decides nothing is dead, or hidden by an earlier one."""
    alive = {each.rule for each in [*(each for _, each in _enumeration()), *_of_older_releases()]}
    assert [rule.name for rule in RULES if rule.name not in alive] == []


def test_every_aftermath_shows_in_at_least_one_cell() -> None:
    """The same for what operations leave behind."""
    expectations = [*(each for _, each in _enumeration()), *_of_older_releases()]
    seen = {item for each in expectations for item in each.violations.items()}
    assert [each.fault for each in AFTERMATH if (each.invariant, each.fault) not in seen] == []


def test_every_known_fault_is_cited_and_every_cited_fault_is_known() -> None:
    """The catalogue and the rules speak of the same faults."""
    cited = {rule.fault for rule in RULES if rule.fault} | {each.fault for each in AFTERMATH}
    cited.update(fault for rule in RULES for fault in rule.violations.values())
    assert cited == set(KNOWN_FAULTS)


def test_names_and_reasons_are_distinct() -> None:
    """One rule per reason, one reason per rule."""
    names = [rule.name for rule in RULES]
    reasons = [rule.reason for rule in RULES]
    assert len(set(names)) == len(names)
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_complete(rule: Rule) -> None:
    """A sentence, a source, a code exactly where the API answers, and only known invariants."""
    assert rule.reason[0].isupper()
    assert rule.reason.endswith(".")
    assert rule.source
    assert (rule.code is not None) == (rule.outcome == "refused")
    assert set(rule.violations) <= set(INVARIANTS)


def test_every_precondition_decides_a_cell() -> None:
    """A precondition that changes no expectation anywhere would be an axis value without a rule."""
    default = {
        (cell.operation, cell.source, cell.destination, cell.status, cell.encryption): expectation.rule
        for cell, expectation in _enumeration()
        if cell.id.count("=") <= (cell.encryption != "none")
    }
    decided = {
        cell.precondition
        for cell, expectation in _enumeration()
        if expectation.rule != "impossible"
        and default.get((cell.operation, cell.source, cell.destination, cell.status, cell.encryption))
        not in (None, expectation.rule)
    }
    assert set(PRECONDITION.values) - decided - {"none"} == set()


@given(cells)
def test_every_cell_has_a_sound_expectation(cell: Cell) -> None:
    """`expect` is total, and outcome, code and violations never contradict one another."""
    source, destination = BACKENDS[cell.source], BACKENDS[cell.destination]
    expectation = expect(cell, source, destination)
    assert expectation.outcome in get_args(Outcome)
    assert (expectation.code is not None) == (expectation.outcome == "refused")
    assert set(expectation.violations) <= set(INVARIANTS)
    assert set(expectation.violations.values()) <= set(KNOWN_FAULTS)
    assert (expectation.rule == "impossible") == (not is_possible(cell, source, destination))
    assert ("data" in expectation.violations) == (expectation.outcome == "data-loss")
    if expectation.outcome == "refused":
        assert expectation.violations == {}
    if expectation.outcome == "failed-clean":
        assert set(expectation.violations) <= {"capacity"}
    if expectation.outcome == "failed-dirty":
        assert set(expectation.violations) - {"capacity"}


# What must be so


def test_a_cell_that_contradicts_itself_is_impossible() -> None:
    """lock_volume belongs to migrate, and RBD cannot create a luks2 volume to start with."""
    for source, axes in (
        ("lvm-a", {"operation": "retype", "lock": "yes"}),
        ("rbd-a", {"encryption": "luks2"}),
        ("lvm-a", {"precondition": "server-stopped"}),
        ("lvm-a", {"status": "in-use", "meanwhile": "attach"}),
        ("lvm-a", {"status": "multi-attached", "encryption": "luks2"}),
    ):
        assert _expect(source, "lvm-b", **axes).rule == "impossible"


@pytest.mark.parametrize(
    ("precondition", "operation", "code"),
    [
        ("absent-volume", "migrate", 404),
        ("foreign-member", "retype", 404),
        ("member", "migrate", 403),
        ("no-host", "migrate", 400),
        ("same-host", "migrate", 400),
        ("absent-type", "retype", 404),
        ("quota-volumes", "retype", 413),
        ("same-type", "retype", 400),
        ("snapshot", "migrate", 400),
    ],
)
def test_the_api_refuses_at_once(precondition: str, operation: str, code: int) -> None:
    """A synchronous refusal has a code and breaks nothing."""
    expectation = _expect("lvm-a", "rbd-a", operation=operation, precondition=precondition)
    assert (expectation.outcome, expectation.code, expectation.violations) == ("refused", code, {})


def test_a_frozen_service_is_refused_by_the_scheduler_only() -> None:
    """The API looks at disabled and at the heartbeat, not at frozen (`API.migrate_volume`)."""
    assert _expect("lvm-a", "lvm-b", precondition="service-frozen").outcome == "failed-clean"
    assert _expect("lvm-a", "lvm-b", precondition="service-disabled").outcome == "refused"


def test_a_retype_does_not_leave_the_zone_but_a_migration_does() -> None:
    """Only a retype's request carries the zone (`AvailabilityZoneFilter`)."""
    assert _expect("lvm-a", "lvm-zone").rule == "copied"
    assert _expect("lvm-a", "lvm-zone", operation="retype").rule == "retype-leaves-zone"


def test_a_retype_that_the_scheduler_refuses_leaves_a_reservation() -> None:
    """The old type's reservations are not rolled back (`SchedulerManager.retype`)."""
    expectation = _expect("lvm-a", "lvm-b", operation="retype", policy="never")
    assert expectation.outcome == "failed-dirty"
    assert expectation.violations == {"quota": "CRU-RETYPE-REFUSED-RESERVATIONS"}


def test_one_volume_group_behind_two_back_ends_fails_unless_cinder_copies() -> None:
    """The LVM driver raises there, and is not asked for locked volumes or forced copies."""
    assert _expect("lvm-a", "lvm-shared").rule == "lvm-same-group"
    assert _expect("lvm-a", "lvm-shared", lock="yes").rule == "lvm-locked"
    assert _expect("lvm-a", "lvm-shared", force="yes").rule == "same-container"
    assert _expect("lvm-a", "lvm-far").rule == "copied"


def test_thin_to_thick_leaks_only_when_the_driver_copies() -> None:
    """The driver is sparse as its own side is, the generic copy as the destination is."""
    assert _expect("lvm-thin", "lvm-a").violations["data"] == "CRU-THIN-TO-THICK-SPARSE"
    assert _expect("lvm-thin", "lvm-a", force="yes").outcome == "succeeded"
    assert _expect("lvm-a", "lvm-thin").outcome == "succeeded"


def test_nothing_is_counted_wrongly_when_the_driver_retypes() -> None:
    """A retype in place breaks no invariant at all."""
    for name, kind in product(("lvm-a", "rbd-a"), ("none", "specs", "qos", "multiattach")):
        assert _expect(name, name, operation="retype", type=kind).violations == {}


def test_multiattach_keeps_the_wrong_flag_after_success_and_after_failure() -> None:
    """The swap brings the old flag back, a failure leaves the new one."""
    moved = _expect("lvm-a", "lvm-b", operation="retype", type="multiattach")
    assert (moved.outcome, moved.violations["statuses"]) == ("succeeded", "OPEN-MULTIATTACH-FLAG")
    failed = _expect("lvm-a", "lvm-b", operation="retype", type="multiattach", precondition="copy-fails")
    assert (failed.outcome, failed.violations["statuses"]) == ("failed-dirty", "CRU-MULTIATTACH-KEPT")


def test_encrypting_leaks_the_new_key_and_decrypting_the_old_one() -> None:
    """A failed none-luks leaves its new key, a successful luks-none leaves the old one."""
    failed = _expect("lvm-a", "lvm-b", operation="retype", encryption="none-luks")
    assert (failed.rule, failed.outcome) == ("luks-header-no-space", "failed-dirty")
    assert failed.violations["keys"] == "OPEN-KEY-LEAK"
    done = _expect("lvm-a", "rbd-a", operation="retype", encryption="luks-none")
    assert (done.outcome, done.violations["keys"]) == ("succeeded", "OPEN-KEY-LEAK")


def test_a_failed_decryption_leaks_no_key() -> None:
    """There is no new key, and the old one is still in use."""
    expectation = _expect("rbd-a", "lvm-a", operation="retype", encryption="luks-none")
    assert expectation.rule == "rbd-source-cipher"
    assert "keys" not in expectation.violations


def test_the_longer_volume_without_luks_shows_its_end_on_thick_volumes_only() -> None:
    """Thin volumes and RBD read zero there."""
    outcomes = [
        _expect("lvm-a", destination, operation="retype", encryption="luks2-none").outcome
        for destination in ("lvm-a", "lvm-b", "lvm-thin", "rbd-a")
    ]
    assert outcomes == ["data-loss", "data-loss", "succeeded", "succeeded"]


def test_an_encrypted_rbd_volume_loses_its_end_only_where_something_is_written_there() -> None:
    """The image is longer than the record; the driver copies all of it, Cinder does not."""
    assert _expect("rbd-a", "lvm-a", encryption="luks", fill="full").outcome == "data-loss"
    assert _expect("rbd-a", "lvm-a", encryption="luks", fill="sparse").outcome == "succeeded"
    assert _expect("rbd-a", "rbd-b", encryption="luks", fill="full").outcome == "succeeded"


def test_old_nova_swaps_host_devices_only() -> None:
    """Up to Train a swap needs a host path at the destination."""
    assert _expect("lvm-a", "rbd-a", status="in-use", nova="20").rule == "swap-needs-host-device"
    assert _expect("rbd-a", "lvm-a", status="in-use", nova="20").outcome == "succeeded"
    assert _expect("lvm-a", "rbd-a", status="in-use", nova="21").outcome == "succeeded"


def test_a_late_failure_of_nova_leaves_the_quota_moved() -> None:
    """A synchronous refusal moves no usage, a failed block job has moved it."""
    early = _expect("lvm-a", "lvm-b", operation="retype", status="in-use", precondition="server-stopped")
    late = _expect("lvm-a", "lvm-b", operation="retype", status="in-use", precondition="copy-fails")
    assert (early.outcome, early.violations["quota"]) == ("failed-dirty", "CRU-RETYPE-FOREIGN-RESERVATIONS")
    assert (late.outcome, late.violations["quota"]) == ("failed-dirty", "OPEN-INUSE-QUOTA")


def test_interference_hurts_unlocked_migrations_only() -> None:
    """lock_volume excludes it, and so does status retyping, except for a rename."""
    hurt = {"attach": "data-loss", "extend": "succeeded", "rename": "succeeded"}
    for action, outcome in hurt.items():
        unlocked = _expect("lvm-a", "rbd-a", meanwhile=action)
        locked = _expect("lvm-a", "rbd-a", meanwhile=action, lock="yes")
        assert unlocked.outcome == outcome
        assert set(unlocked.violations) - {"capacity"}
        assert (locked.outcome, set(locked.violations)) == ("succeeded", {"capacity"})
    assert "statuses" in _expect("lvm-a", "rbd-a", operation="retype", meanwhile="rename").violations


def test_records_that_stay_keep_the_counters_right() -> None:
    """The source counts a volume that is still recorded there."""
    for axes in ({"meanwhile": "attach"}, {"precondition": "source-delete-fails"}):
        assert "capacity" not in _expect("lvm-a", "rbd-a", **axes).violations
    assert _expect("lvm-a", "rbd-a").violations == {"capacity": "OPEN-ALLOC"}


# Other releases than the newest

RETYPE_IN_USE = {"operation": "retype", "status": "in-use"}


@pytest.mark.parametrize(
    ("pair", "axes", "release", "rule", "outcome"),
    [
        (("rbd-a", "rbd-b"), RETYPE_IN_USE, "23.0.0", "rbd-moved-under-server", "data-loss"),
        (("rbd-a", "rbd-b"), RETYPE_IN_USE, "23.1.0", "swapped-in-cluster", "succeeded"),
        (("rbd-a", "rbd-b"), {"status": "in-use"}, "23.0.0", "swapped-in-cluster", "succeeded"),
        (("rbd-a", "rbd-shared"), {"status": "in-use"}, "25.3.0", "rbd-same-pool", "succeeded"),
        (("rbd-a", "rbd-shared"), {"status": "in-use"}, "25.3.1", "swapped-in-cluster", "succeeded"),
        (("rbd-a", "rbd-b"), {"operation": "retype"}, "25.3.0", "retype-not-offered", "succeeded"),
        (("rbd-a", "rbd-b"), {"operation": "retype"}, "25.3.1", "rbd-moves", "succeeded"),
        (("lvm-a", "lvm-b"), {"operation": "retype"}, "27.0.0", "retype-not-moved", "succeeded"),
        (("lvm-a", "lvm-b"), {"operation": "retype"}, "28.0.0", "lvm-moves", "succeeded"),
        (("nfs-qcow2", "nfs-far"), {}, "27.0.0", "qcow2-container-kept", "succeeded"),
        (("nfs-qcow2", "nfs-far"), {"fill": "full"}, "27.0.0", "qcow2-container-cut", "data-loss"),
        (("nfs-qcow2", "nfs-far"), {}, "28.0.0", "qcow2-container-copied", "data-loss"),
    ],
)  # fmt: skip
def test_older_releases_go_their_own_ways(
    pair: tuple[str, str], axes: dict[str, str], release: str, rule: str, outcome: str
) -> None:
    """As was seen on them: docs/releases.md."""
    cell = Cell(source=pair[0], destination=pair[1], **axes)
    expected = expect(cell, BACKENDS[pair[0]], BACKENDS[pair[1]], release=release)
    assert (expected.rule, expected.outcome) == (rule, outcome)


@pytest.mark.parametrize(("release", "fault"), [("27.0.0", "LP-2117273"), ("28.0.0", None)])
def test_a_move_by_the_driver_leaves_the_service_behind_up_to_27(release: str, fault: str | None) -> None:
    """`names` breaks, and nothing else that did not break before."""
    cell = Cell(source="rbd-a", destination="rbd-b")
    violations = expect(cell, BACKENDS["rbd-a"], BACKENDS["rbd-b"], release=release).violations
    assert violations.get("names") == fault
    assert set(violations) - {"names"} == {"capacity"}
