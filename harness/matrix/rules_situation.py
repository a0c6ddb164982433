"""What the rules of the expectations speak about: a situation, how far an operation gets, and a rule.

A situation is a cell with the facts about its two back-ends, and what follows from them by arithmetic. Nothing
here runs anything. Cinder has default options, the volume has 1 GiB.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from harness.matrix.cells import BackendFacts, Cell
from harness.matrix.releases import NEWEST, Ways, ways
from harness.results import Outcome

LUKS_HEADER_MIB = {"none": 0, "luks": 2, "luks2": 16}
"""What cryptsetup takes off a device; `qemu-img` adds about the same to an RBD image instead."""


class Stage(enum.Enum):
    """How far the operation gets. What it leaves behind follows from this."""

    API = "the API refuses"
    SCHEDULER = "the scheduler refuses"
    SERVICE = "the source's service fails before it makes a temporary volume"
    TEMPORARY = "it fails with a temporary volume, and Cinder knows before it is done with the request"
    SWAP = "it fails after Nova has accepted to swap volumes"
    IN_PLACE = "retyped where it is, without a copy"
    ASSISTED = "moved by the driver"
    GENERIC = "moved through a temporary volume"

    @property
    def done(self) -> bool:
        """True where the operation reaches its goal."""
        return self in (Stage.IN_PLACE, Stage.ASSISTED, Stage.GENERIC)


@dataclass(frozen=True)
class Situation:
    """A cell, the facts about its back-ends, the release of Cinder, and what follows."""

    cell: Cell
    source: BackendFacts
    destination: BackendFacts
    release: str = field(default=NEWEST, kw_only=True)

    @property
    def ways(self) -> Ways:
        """How this release goes about it."""
        return ways(self.release)

    @property
    def precondition(self) -> str:
        return self.cell.precondition

    @cached_property
    def migrate(self) -> bool:
        return self.cell.operation == "migrate"

    @cached_property
    def retype(self) -> bool:
        return self.cell.operation == "retype"

    @cached_property
    def available(self) -> bool:
        return self.cell.status == "available"

    @property
    def in_use(self) -> bool:
        """Attached, in whatever way."""
        return not self.available

    @property
    def locked(self) -> bool:
        """In status maintenance while it migrates: lock_volume means nothing to a volume in use."""
        return self.migrate and self.available and self.cell.lock == "yes"

    @property
    def unlocked(self) -> bool:
        """Status available while it migrates, so that a user may do what he likes with it."""
        return self.migrate and self.available and self.cell.lock == "no"

    # the two back-ends

    @cached_property
    def in_place(self) -> bool:
        """Source and destination are one back-end."""
        return self.source.name == self.destination.name

    @property
    def same_container(self) -> bool:
        """One volume group or pool: one name space, whatever the back-ends are called."""
        return self.source.container == self.destination.container

    @property
    def same_node(self) -> bool:
        return self.source.node == self.destination.node

    @property
    def same_zone(self) -> bool:
        return self.source.availability_zone == self.destination.availability_zone

    @property
    def lvm_to_lvm(self) -> bool:
        return self.source.kind == self.destination.kind == "lvm"

    @property
    def to_rbd(self) -> bool:
        return self.destination.kind == "rbd"

    @property
    def from_rbd(self) -> bool:
        return self.source.kind == "rbd"

    @property
    def to_nfs(self) -> bool:
        return self.destination.kind == "nfs"

    @property
    def from_nfs(self) -> bool:
        return self.source.kind == "nfs"

    @property
    def two_nfs(self) -> bool:
        """Two back-ends whose shares have different names."""
        return self.from_nfs and self.to_nfs and not self.same_container

    @property
    def same_cluster(self) -> bool:
        """Both on one Ceph cluster."""
        return self.from_rbd and self.to_rbd and self.source.cluster == self.destination.cluster

    @property
    def source_wipes(self) -> bool:
        """The source overwrites what it deletes: thick LVM does, unless volume_clear is none."""
        return self.source.kind == "lvm" and not self.source.thin and self.source.wipes

    @property
    def to_thick(self) -> bool:
        """What the destination has not written yet shows what a former tenant left."""
        return self.destination.kind == "lvm" and not self.destination.thin

    # the types

    @cached_property
    def before(self) -> str:
        """Encryption provider of the volume's type, or none."""
        return self.cell.encryption.partition("-")[0]

    @cached_property
    def after(self) -> str:
        """Encryption provider of the type that it ends with, or none."""
        after = self.cell.encryption.rpartition("-")[2]
        wants_encryption = self.precondition == "multiattach-encrypted" and after == "none"
        return "luks" if wants_encryption else after

    @property
    def encryption_changes(self) -> bool:
        return self.before != self.after

    @property
    def encrypted(self) -> bool:
        """On either side."""
        return self.before != "none" or self.after != "none"

    @property
    def payload_shrinks(self) -> bool:
        """The owner's device at the destination is smaller than at the source."""
        return LUKS_HEADER_MIB[self.after] > LUKS_HEADER_MIB[self.before]

    @cached_property
    def becomes_multiattach(self) -> bool:
        """The new type sets multiattach, which the volume has not."""
        to_multiattach = self.cell.type == "multiattach" or self.precondition in (
            "multiattach-in-use",
            "multiattach-encrypted",
        )
        return self.retype and to_multiattach and not self.cell.multi_attached

    @property
    def types_equal(self) -> bool:
        """A retype between types that differ in name only."""
        return (
            self.retype
            and self.in_place
            and self.cell.type in ("none", "shared")
            and not self.encryption_changes
            and not self.becomes_multiattach
        )

    # the path

    @property
    def driver_retypes(self) -> bool:
        """The driver is asked and says yes; where it has no such method, the base class says no."""
        asked = self.retype and self.in_place and not self.types_equal and not self.encrypted
        return asked and self.source.retypes and not self.qos_removal_fails

    @property
    def qos_removal_fails(self) -> bool:
        """RBD's driver removes settings that the image never had when QoS is the front-end's; that fails."""
        return self.retype and self.in_place and self.from_rbd and self.cell.type == "front-end-qos"

    @cached_property
    def moves(self) -> bool:
        """A migration is needed, be it onto the same back-end."""
        return not (self.types_equal or self.driver_retypes)

    @cached_property
    def could_be_offered(self) -> bool:
        """Nothing but the release, and the servers that have the volume, speaks against the driver's own way
        (`_can_use_driver_migration`).
        """
        only_the_name_differs = (
            self.cell.type in ("none", "zone") and not self.encrypted and not self.becomes_multiattach
        )
        wanted = self.cell.force == "no" if self.migrate else only_the_name_differs
        return self.moves and wanted

    @cached_property
    def offered(self) -> bool:
        """The source's driver is asked to migrate a detached volume."""
        return self.could_be_offered and self.available and (self.migrate or self.ways.assisted_retypes)

    @cached_property
    def offered_attached(self) -> bool:
        """It is asked to migrate an attached one, which only the RBD driver does not refuse at once."""
        asked = self.could_be_offered and self.in_use and self.ways.offers_attached
        return asked and (self.migrate or self.ways.assisted_retypes)

    @cached_property
    def lvm_offered(self) -> bool:
        """The LVM driver does not refuse: it moves the volume, or raises."""
        asked = self.offered and self.lvm_to_lvm and self.same_node and not self.locked
        return asked and (self.migrate or self.ways.lvm_moves_retyped)

    @cached_property
    def lvm_moves(self) -> bool:
        return self.lvm_offered and not self.same_container

    @cached_property
    def rbd_moves(self) -> bool:
        """The RBD driver refuses to copy attached volumes, and takes one that is retyped for detached."""
        attached = self.offered_attached and (self.same_container or self.retype)
        return self.same_cluster and (self.offered or attached)

    @property
    def rbd_copies(self) -> bool:
        """In one pool RBD has nothing to copy: only the record changes."""
        return self.rbd_moves and not self.same_container

    @property
    def driver_copies(self) -> bool:
        return self.lvm_moves or self.rbd_copies

    @cached_property
    def generic(self) -> bool:
        """Through a temporary volume."""
        return self.moves and not self.lvm_offered and not self.rbd_moves

    @property
    def offline(self) -> bool:
        """Generic, and Cinder copies itself."""
        return self.generic and self.available

    @property
    def swapped(self) -> bool:
        """Generic, and Nova copies."""
        return self.generic and self.in_use

    @property
    def attached_meanwhile(self) -> bool:
        return self.unlocked and self.cell.meanwhile == "attach"

    @property
    def extended_meanwhile(self) -> bool:
        return self.unlocked and self.cell.meanwhile == "extend"

    @property
    def renamed_meanwhile(self) -> bool:
        """Status retyping does not keep a user from renaming, maintenance does."""
        return self.available and not self.locked and self.cell.meanwhile == "rename"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One reason for one outcome. `reason` is a sentence for whoever reads the report.

    `violations` maps invariants that this very rule breaks to known faults; what follows from `stage` alone is
    added by `harness.matrix.rules_aftermath`. `fault` is a known fault that chooses the way without breaking
    anything. `temporary_stays`: the second record outlives the operation, so counters and keys still match it.
    """

    name: str
    stage: Stage
    applies: Callable[[Situation], bool]
    outcome: Outcome
    reason: str
    source: str
    code: int | None = None
    violations: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    temporary_stays: bool = False
