"""Any sequence of operations on several volumes, snapshots and attachments, against a plain model.

The model is a dictionary: what each volume and snapshot should hold. After each sequence everything that
the model has is read; then everything is deleted, and nothing may be left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from conformance.attached import Attached, compare
from conformance.bench import Bench
from conformance.contents import Contents, pages_of
from conformance.law import Chapter, same
from harness.errors import SnapshotIsBusy, VolumeIsBusy
from harness.model import Snapshot, Volume

law = Chapter("sequences", level="core", stage=Bench)
OPERATIONS = (
    "create",
    "write",
    "delete",
    "snapshot",
    "delete snapshot",
    "from snapshot",
    "clone",
    "extend",
    "attach",
    "write attached",
    "detach",
    "restart",
)
NEEDS = {
    "snapshot": "create_snapshot", "delete snapshot": "create_snapshot", "from snapshot": "create_snapshot",
    "clone": "create_cloned_volume",
}  # fmt: skip
LIVE = 4
"""So many volumes and snapshots at most: a sequence of one step more does one thing more to the same few."""
plans = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 7)), min_size=1, max_size=14)


class Model:
    """What there should be: volumes and snapshots with their pages, and what is attached."""

    def __init__(self, bench: Bench, *, connects: bool) -> None:
        self.bench = bench
        self.connects = connects
        self.volumes: dict[str, tuple[Volume, dict[int, bytes]]] = {}
        self.snapshots: dict[str, tuple[Snapshot, dict[int, bytes]]] = {}
        self.attached: dict[str, Attached] = {}
        self._written = 0

    def step(self, operation: str, which: int) -> None:
        """Do one thing to the volume, snapshot or attachment that `which` picks, if there is one."""
        getattr(self, f"_{operation.replace(' ', '_')}")(which)

    def _pick(self, items: dict[str, Any], which: int) -> Any:
        return list(items.values())[which % len(items)] if items else None

    def _idle(self, which: int) -> tuple[Volume, dict[int, bytes]] | None:
        """A volume that is not attached: what most operations may be done to."""
        idle = {key: value for key, value in self.volumes.items() if key not in self.attached}
        found: tuple[Volume, dict[int, bytes]] | None = self._pick(idle, which)
        return found

    def _add(self, volume: Volume, pages: dict[int, bytes]) -> None:
        self.volumes[volume.id] = (volume, dict(pages))

    def _create(self, which: int) -> None:
        if len(self.volumes) < LIVE:
            self._add(self.bench.create(1 + which % 3), {})

    def _fresh_pages(self, which: int, size: int) -> dict[int, bytes]:
        self._written += 1
        places = (("first", "last"), ("middle",), ("second", "start of a chunk"))[which % 3]
        return dict(pages_of(Contents(f"write {self._written}", places), size))

    def _write(self, which: int) -> None:
        if self.connects and (found := self._idle(which)):
            volume, pages = found
            attached = self.bench.attach(volume)
            new = self._fresh_pages(which, attached.size)
            attached.write(new)
            self.bench.detach(attached)
            pages.update(new)

    def _delete(self, which: int) -> None:
        if found := self._idle(which):
            volume, _ = found
            if any(snapshot.volume_id == volume.id for snapshot, _ in self.snapshots.values()):
                return
            try:
                self.bench.delete(volume)
            except VolumeIsBusy:
                return
            del self.volumes[volume.id]

    def _snapshot(self, which: int) -> None:
        if len(self.snapshots) < LIVE and (found := self._idle(which)):
            snapshot = self.bench.snapshot(found[0])
            self.snapshots[snapshot.id] = (snapshot, dict(found[1]))

    def _delete_snapshot(self, which: int) -> None:
        found = self._pick(self.snapshots, which)
        # A driver may want Nova for the snapshot of a volume in use: laws on the control plane see to that.
        if found and found[0].volume_id not in self.attached:
            try:
                self.bench.delete_snapshot(found[0])
            except SnapshotIsBusy:
                return
            del self.snapshots[found[0].id]

    def _from_snapshot(self, which: int) -> None:
        found = self._pick(self.snapshots, which)
        if found and len(self.volumes) < LIVE:
            self._add(self.bench.from_snapshot(found[0]), found[1])

    def _clone(self, which: int) -> None:
        if len(self.volumes) < LIVE and (found := self._idle(which)):
            self._add(self.bench.clone(found[0]), found[1])

    def _extend(self, which: int) -> None:
        if found := self._idle(which):
            self.bench.extend(found[0], self.bench.fresh(found[0]).size + 1 + which % 2)

    def _attach(self, which: int) -> None:
        if self.connects and (found := self._idle(which)):
            self.attached[found[0].id] = self.bench.attach(found[0], f"host{which}")

    def _write_attached(self, which: int) -> None:
        if attached := self._pick(self.attached, which):
            new = self._fresh_pages(which, attached.size)
            attached.write(new)
            self.volumes[attached.volume.id][1].update(new)

    def _detach(self, which: int) -> None:
        if attached := self._pick(self.attached, which):
            self.bench.detach(attached)
            del self.attached[attached.volume.id]

    def _restart(self, which: int) -> None:
        self.bench.restart()

    # ----------------------------------------------------------------------------------------- judgement

    def must_be_true(self) -> None:
        """Read everything, by the hosts that have it attached and anew."""
        for attached in self.attached.values():
            pages = self.volumes[attached.volume.id][1]
            compare(attached.read(pages), pages, f"a volume on {attached.host}")
        for key, (volume, pages) in list(self.volumes.items()):
            if key not in self.attached and self.connects:
                attached = self.bench.attach(volume)
                same("the size of a volume in bytes", attached.size, self.bench.fresh(volume).size << 30)
                compare(attached.read(pages), pages, "a volume")
                self.bench.detach(attached)
        for snapshot, pages in self.snapshots.values():
            if self.connects and snapshot.volume_id not in self.attached:
                made = self.bench.from_snapshot(snapshot)
                attached = self.bench.attach(made)
                compare(attached.read(pages), pages, "a volume from a snapshot")
                self.bench.detach(attached)
                self.bench.delete(made)

    def delete_everything(self) -> None:
        """Attachments, snapshots, then volumes, until no more of them goes."""
        for attached in list(self.attached.values()):
            self.bench.detach(attached)
        self.attached.clear()
        while self.snapshots or self.volumes:
            before = len(self.snapshots) + len(self.volumes)
            for number in range(LIVE):
                self._delete_snapshot(number)
                self._delete(number)
            same("whether anything could be deleted", len(self.snapshots) + len(self.volumes) < before, True)


def possible(bench: Bench, plan: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The steps that this driver has methods for."""
    return [
        (operation, which)
        for operation, which in plan
        if operation not in NEEDS or bench.subject.has(NEEDS[operation])
    ]


@law(source="the life of volumes in Cinder: any order of API calls", needs=["data path"], plan=plans, weight=2)
def any_sequence_keeps_all_data(bench: Bench, plan: list[tuple[str, int]]) -> None:
    """After any sequence of operations every volume and snapshot holds what was written to it, and no more."""
    model = Model(bench, connects=True)
    model.step("create", 0)
    for operation, which in possible(bench, plan):
        model.step(operation, which)
    model.must_be_true()


@law(
    source="the life of volumes in Cinder: any order of API calls", needs=["inventory", "data path"], plan=plans
)
def any_sequence_can_be_cleaned_up(bench: Bench, plan: list[tuple[str, int]]) -> None:
    """After any sequence of operations everything can be deleted: no object, no export, no capacity is left."""
    objects, exports, free = bench.objects(), bench.exports(), bench.free_gb()
    model = Model(bench, connects=True)
    model.step("create", 0)
    for operation, which in possible(bench, plan):
        model.step(operation, which)
    model.delete_everything()
    same("the targets in the end", bench.exports(), exports)
    same("the objects in the end", bench.objects(), objects)
    if free is not None:
        same("free_capacity_gb in the end", bench.free_gb(), free)
