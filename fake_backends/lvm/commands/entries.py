"""Logical volumes as reports list them: pools and their hidden parts among them, with attributes and roles.

Source: `lv_attr_dup` and `lv_role` in lib/metadata of lvm2 2.03.16; lvs(8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fake_backends.block_store import CHUNK
from fake_backends.lvm.extents import Area, PhysicalVolume
from fake_backends.lvm.logical_volume import LinearVolume, LogicalVolume, ThickSnapshot
from fake_backends.lvm.thin_pool import ThinPool, ThinVolume
from fake_backends.lvm.volume_group import VolumeGroup

SPARE_NAME = "lvol0_pmspare"
_NOWHERE = Area()


class Attributes(NamedTuple):
    """What differs between the kinds of volumes in lv_attr."""

    kind: str
    permission: str = "w"
    state: str = "-"
    is_open: str = "-"
    target: str = "-"
    zero: str = "-"
    skip: str = "-"
    health: str = "-"


class Entry:
    """One logical volume in a report. Hidden ones are listed on demand, in brackets."""

    def __init__(self, group: VolumeGroup, name: str) -> None:
        self.group = group
        self.name = name

    @property
    def shown_name(self) -> str:
        """The name, in brackets if the volume is hidden."""
        return f"[{self.name}]" if self.hidden else self.name

    @property
    def hidden(self) -> bool:
        """Whether it is listed only by ``-a`` or by name."""
        return False

    @property
    def uuid(self) -> str:
        """lvm2's identifier."""
        return ""

    @property
    def tags(self) -> Sequence[str]:
        """Tags in the order in which they were given."""
        return ()

    @property
    def size(self) -> int:
        """Bytes."""
        return self.area.count * CHUNK

    @property
    def area(self) -> Area:
        """The extents that it lies on; none for a volume in a pool."""
        return _NOWHERE

    @property
    def devices(self) -> list[str]:
        """What each segment lies on, with the first extent there."""
        scale = max(1, self.group.extent_size // CHUNK)
        return [f"{segment.disk.name}({segment.start // scale})" for segment in self.area.segments]

    @property
    def active(self) -> bool:
        """Whether it is mapped."""
        return False

    @property
    def origin(self) -> str:
        """The name of what it is a snapshot of, or nothing."""
        return ""

    @property
    def pool(self) -> str:
        """The name of its pool, or nothing."""
        return ""

    @property
    def data_percent(self) -> float | None:
        """How full it is, where that means something."""
        return None

    @property
    def metadata_percent(self) -> float | None:
        """How full the metadata of a pool is."""
        return None

    @property
    def snap_percent(self) -> float | None:
        """How full a snapshot is; the same as `data_percent` for thin volumes and pools."""
        return self.data_percent

    @property
    def segment_type(self) -> str:
        """The segment type."""
        return "linear"

    @property
    def layout(self) -> str:
        """What it is made of (`lv_layout`)."""
        return "linear"

    @property
    def role(self) -> str:
        """What it is for (`lv_role`)."""
        return "public"

    def attributes(self, *, readonly: bool, missing: Sequence[PhysicalVolume]) -> str:
        """The ten characters of lv_attr. With `readonly` nobody asks the kernel, so its part is unknown."""
        one = self._attributes()
        state, is_open = ("X", "X") if readonly else (one.state, one.is_open)
        partial = missing and any(segment.disk in missing for segment in self.area.segments)
        health = "p" if partial else one.health
        return f"{one.kind}{one.permission}i-{state}{is_open}{one.target}{one.zero}{health}{one.skip}"

    def _attributes(self) -> Attributes:
        raise NotImplementedError


class VolumeEntry(Entry):
    """A volume or a snapshot, thick or thin."""

    def __init__(self, group: VolumeGroup, volume: LogicalVolume) -> None:
        self.group = group
        self.name = volume.name
        self.volume = volume

    @property
    def hidden(self) -> bool:
        return self.volume.merging

    @property
    def uuid(self) -> str:
        return self.volume.uuid

    @property
    def tags(self) -> Sequence[str]:
        return self.volume.tags

    @property
    def size(self) -> int:
        return self.volume.listed_size

    @property
    def area(self) -> Area:
        volume = self.volume
        return volume.area if isinstance(volume, LinearVolume | ThickSnapshot) else _NOWHERE

    @property
    def active(self) -> bool:
        return self.volume.active

    @property
    def origin(self) -> str:
        return self.volume.origin.name if self.volume.origin else ""

    @property
    def pool(self) -> str:
        return self.volume.pool.name if isinstance(self.volume, ThinVolume) else ""

    @property
    def data_percent(self) -> float | None:
        volume = self.volume
        if not volume.active:
            return None
        if isinstance(volume, ThinVolume):
            return 100 * volume.data_used / volume.size
        return volume.percent_used if isinstance(volume, ThickSnapshot) else None

    @property
    def segment_type(self) -> str:
        return "thin" if isinstance(self.volume, ThinVolume) else "linear"

    @property
    def layout(self) -> str:
        return "thin,sparse" if isinstance(self.volume, ThinVolume) else "linear"

    @property
    def role(self) -> str:
        return ",".join(("public", *self._roles()))

    def _roles(self) -> Iterator[str]:
        volume = self.volume
        thin = [other for other in self.group.volumes.values() if _thin_snapshot_of(other, volume)]
        if thin or volume.snapshots:
            yield "origin"
        if thin:
            yield from ("thinorigin", "multithinorigin")[: len(thin)]
        if isinstance(volume, ThickSnapshot):
            yield from ("snapshot", "thicksnapshot")
        elif isinstance(volume, ThinVolume) and volume.origin:
            yield from ("snapshot", "thinsnapshot")
        if volume.snapshots:
            yield from ("thickorigin", "multithickorigin")[: len(volume.snapshots)]

    def _attributes(self) -> Attributes:
        volume = self.volume
        thin = isinstance(volume, ThinVolume)
        state = "a" if volume.active else "-"
        if isinstance(volume, ThickSnapshot) and volume.active and volume.invalid:
            state = "I"
        return Attributes(
            kind=self._kind(),
            permission="r" if volume.read_only else "w",
            state=state,
            is_open="o" if volume.openers else "-",
            target="t" if thin else "s" if volume.snapshots or isinstance(volume, ThickSnapshot) else "-",
            zero="z" if thin else "-",
            skip="k" if volume.skips_activation else "-",
        )

    def _kind(self) -> str:
        volume = self.volume
        if volume.snapshots:
            return "O" if any(snapshot.merging for snapshot in volume.snapshots) else "o"
        if isinstance(volume, ThickSnapshot):
            return "S" if volume.merging else "s"
        if isinstance(volume, ThinVolume):
            if volume.merging:
                return "S"
            others = self.group.volumes.values()
            return "O" if any(_thin_snapshot_of(one, volume) and one.merging for one in others) else "V"
        return "-"


def _thin_snapshot_of(one: LogicalVolume, origin: LogicalVolume) -> bool:
    return isinstance(one, ThinVolume) and one.origin is origin


class PoolEntry(Entry):
    """A thin pool."""

    def __init__(self, group: VolumeGroup, pool: ThinPool) -> None:
        super().__init__(group, pool.name)
        self.thin_pool = pool

    @property
    def uuid(self) -> str:
        return self.thin_pool.uuid

    @property
    def tags(self) -> Sequence[str]:
        return self.thin_pool.tags

    @property
    def size(self) -> int:
        return self.thin_pool.size

    @property
    def devices(self) -> list[str]:
        return [f"{self.name}_tdata(0)"]

    @property
    def active(self) -> bool:
        return self.thin_pool.active

    @property
    def data_percent(self) -> float | None:
        pool = self.thin_pool
        return 100 * pool.data_used / pool.size if pool.running else None

    @property
    def metadata_percent(self) -> float | None:
        pool = self.thin_pool
        return 100 * pool.metadata_used / (pool.metadata.count * CHUNK) if pool.running else None

    @property
    def segment_type(self) -> str:
        return "thin-pool"

    @property
    def layout(self) -> str:
        return "thin,pool"

    @property
    def role(self) -> str:
        return "private"

    def _attributes(self) -> Attributes:
        pool = self.thin_pool
        is_open = "o" if pool.active and pool.layered else "-"
        health = "D" if pool.running and pool.refused_writes and not pool.free_blocks else "-"
        state = "a" if pool.active else "-"
        return Attributes("t", state=state, is_open=is_open, target="t", zero="z", health=health)


class PartEntry(Entry):
    """What a pool is made of: its data, its metadata, or the spare for repairs."""

    def __init__(self, group: VolumeGroup, name: str, area: Area, use: str, pool: ThinPool | None) -> None:
        super().__init__(group, name)
        self._area = area
        self._use = use
        self._pool = pool

    @property
    def hidden(self) -> bool:
        return True

    @property
    def area(self) -> Area:
        return self._area

    @property
    def active(self) -> bool:
        return self._pool is not None and self._pool.running

    @property
    def role(self) -> str:
        return f"private,{'thin,' if self._pool else ''}pool,{self._use}"

    def _attributes(self) -> Attributes:
        kind = "T" if self._use == "data" else "e"
        return Attributes(kind, state="a" if self.active else "-", is_open="o" if self.active else "-")


def entries(group: VolumeGroup) -> list[Entry]:
    """All logical volumes of a group, hidden ones too, by name."""
    found: list[Entry] = [VolumeEntry(group, volume) for volume in group.volumes.values()]
    for name in group.pools():
        pool = group.pool(name)
        found.append(PoolEntry(group, pool))
        found.append(PartEntry(group, f"{name}_tdata", pool.data, "data", pool))
        found.append(PartEntry(group, f"{name}_tmeta", pool.metadata, "metadata", pool))
    if group.spare.count:
        found.append(PartEntry(group, SPARE_NAME, group.spare, "spare", None))
    return sorted(found, key=_name)


def _name(entry: Entry) -> str:
    return entry.name
