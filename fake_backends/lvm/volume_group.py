"""A volume group: physical volumes cut into extents of 4 MiB, and what `lvcreate` and its kin do with them.

Refusals carry lvm2's own words (2.03.16), so that a command line put over this class can print them. A
volume keeps its place on the disks, and removing it leaves its bytes there: the next volume on the same
extents shows them, but for its first 4,096 bytes, which `lvcreate` zeroes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from fake_backends.block_store import CHUNK, PAGE, BlockDevice, Chunk
from fake_backends.lvm import signatures
from fake_backends.lvm.backing import IN_MEMORY, Backing
from fake_backends.lvm.extents import Area, PhysicalVolume, allocate, lvm_uuid
from fake_backends.lvm.logical_volume import (
    LinearVolume,
    LogicalVolume,
    OpenVolume,
    ThickSnapshot,
    store_extents_max,
)
from fake_backends.lvm.names import check_group_name, check_volume_name
from fake_backends.lvm.signatures import Signature
from fake_backends.lvm.thin_pool import ThinPool, ThinVolume, metadata_size
from harness.errors import AlreadyExists, Busy, InvalidArgument, NoSpace, NotFound, StorageError
from harness.sim.points import QUIET, Points

COMMAND_US = 20_000
_T = TypeVar("_T")


class SignatureFound(StorageError):
    """A new volume would show `signatures` of somebody else's; lvcreate asks whether to wipe them."""

    def __init__(self, volume: str, found: Sequence[Signature]) -> None:
        super().__init__(f"Failed to wipe signatures on logical volume {volume}.")
        self.signatures = list(found)


class VolumeGroup:
    """Sizes are bytes and are rounded up to extents. Every change first passes the point ``lvm.<command>``."""

    def __init__(
        self,
        name: str,
        disks: Sequence[int | PhysicalVolume],
        *,
        extent_size: int = CHUNK,
        points: Points = QUIET,
        backing: Backing = IN_MEMORY,
    ) -> None:
        """`disks` are physical volumes, or sizes of new ones; what was allocated on them is free again.

        InvalidArgument for a name that lvm2 does not take.
        """
        check_group_name(name)
        self.name = name
        self.extent_size = extent_size
        self.disks = [
            PhysicalVolume(disk, f"/dev/{name}-disk{index}") if isinstance(disk, int) else disk
            for index, disk in enumerate(disks)
        ]
        for disk in self.disks:
            disk.initialize()
            disk.format(extent_size)
        self.uuid = lvm_uuid("vg", name, *(disk.uuid for disk in self.disks))
        self.seqno = 1
        self.outdated: dict[str, int] = {}
        """Disks that were missing when the metadata was written, by uuid: the generation that they have."""
        self.tags: list[str] = []
        self._points = points
        self._backing = backing
        self._volumes: dict[str, LogicalVolume] = {}
        self._pools: dict[str, ThinPool] = {}
        self._spare = Area()
        self._held_back: bool | None = None
        """Inside of `one_change`: whether anything has changed."""

    # ------------------------------------------------------------------------------------------ questions

    @property
    def extent_count(self) -> int:
        """All extents: each physical volume has lost its first MiB to lvm2's metadata."""
        return self.size // self.extent_size

    @property
    def free_extents(self) -> int:
        """Extents that nothing is allocated on."""
        return self.free // self.extent_size

    @property
    def size(self) -> int:
        """Bytes in all extents."""
        return sum(disk.usable(self.extent_size) for disk in self.disks)

    @property
    def free(self) -> int:
        """Bytes in free extents."""
        return self.size - sum(disk.extent_count - disk.free_extents for disk in self.disks) * CHUNK

    def names(self) -> list[str]:
        """Volumes and snapshots (no pools) in the order of their creation; one that merges is hidden."""
        return [name for name, volume in self._volumes.items() if not volume.merging]

    def pools(self) -> list[str]:
        """Thin pools in the order of their creation."""
        return list(self._pools)

    @property
    def volumes(self) -> Mapping[str, LogicalVolume]:
        """Volumes and snapshots by name, in the order of their creation, with those that merge."""
        return self._volumes

    def adopt(self, volumes: Sequence[LogicalVolume], pools: Sequence[ThinPool]) -> None:
        """Take in what was found on the disks, in the order of creation; its extents are taken already."""
        self._volumes = {volume.name: volume for volume in volumes}
        self._pools = {pool.name: pool for pool in pools}

    @property
    def spare(self) -> Area:
        """What is set aside to repair the metadata of thin pools (``lvol0_pmspare``)."""
        return self._spare

    def __contains__(self, name: str) -> bool:
        return name in self._volumes or name in self._pools

    def volume(self, name: str) -> LogicalVolume:
        """The volume or snapshot of that name. NotFound if there is none."""
        try:
            return self._volumes[name]
        except KeyError:
            raise NotFound(f'Failed to find logical volume "{self.name}/{name}"') from None

    def pool(self, name: str) -> ThinPool:
        """The thin pool of that name. NotFound if there is none, InvalidArgument if it is no pool."""
        if name in self._volumes:
            raise InvalidArgument(f"Logical volume {self.name}/{name} is not a thin pool.")
        try:
            return self._pools[name]
        except KeyError:
            raise NotFound(f"Pool {name} not found in Volume group {self.name}.") from None

    # ------------------------------------------------------------------------------------------- lvcreate

    def create(self, name: str, size_bytes: int, *, wipe: bool = False) -> list[Signature]:
        """A thick linear volume. Its first 4,096 bytes are zeroed, the rest shows what the extents held.

        AlreadyExists, NoSpace, InvalidArgument (the name); `SignatureFound` if the extents still show
        somebody's file system or container, unless `wipe`. Returns the signatures that were wiped.
        """
        self._visit("lvcreate", f"lvcreate -n {name} {self.name} -L {size_bytes}b")
        self._check_new(name)
        with self._new_area(self.round_up(size_bytes)) as area:
            volume = LinearVolume(name, area, self._new_uuid(name))
            if not wipe and (left := signatures.found(volume)):
                raise SignatureFound(f"{self.name}/{name}", left)
            wiped = signatures.wipe(volume)
            volume.write(0, bytes(PAGE))
        self._volumes[name] = volume
        self._changed()
        return wiped

    def create_thin_pool(self, name: str, size_bytes: int) -> None:
        """A thin pool: data, metadata, and room to repair the largest metadata of the group.

        AlreadyExists; NoSpace also when the data would fit but the metadata would not.
        """
        self._visit("lvcreate", f"lvcreate -T -L {size_bytes}b {self.name}/{name}")
        if name in self:
            raise AlreadyExists(f"Logical volume {name} already exists in Volume group {self.name}.")
        check_volume_name(name)
        data = self.round_up(size_bytes)
        metadata = self.round_up(metadata_size(data * CHUNK))
        spare = max(0, metadata - self._spare.count)
        free = self.free // CHUNK - spare
        if data > free:
            raise self._too_little(free, data)
        if data + metadata > free:
            raise self._insufficient(data + metadata, free)
        allocate(self.disks, self._spare, spare)
        with self._new_area(data) as data_area, self._new_area(metadata) as metadata_area:
            self._pools[name] = self._backing.thin_pool(name, data_area, metadata_area, self._new_uuid(name))
        self._changed()

    def create_thin(self, name: str, virtual_size: int, pool: str) -> None:
        """A volume in a thin pool; nothing is allocated yet. NotFound (the pool), AlreadyExists."""
        self._visit("lvcreate", f"lvcreate -T -V {virtual_size}b -n {name} {self.name}/{pool}")
        home = self.pool(pool)
        self._check_new(name)
        volume = home.new_volume(name, self.round_up(virtual_size), uuid=self._new_uuid(name))
        self._volumes[name] = volume
        self._changed()

    def snapshot(self, origin: str, name: str, size_bytes: int | None) -> None:
        """A thick snapshot with a store of `size_bytes`, or with None a thin one of a thin volume.

        A thick one may be made of a thin volume too. A store larger than it could ever use is cut down. A thin
        one is not active, and is activated only when asked for by name (``-K``).
        NotFound (the origin), AlreadyExists, NoSpace, InvalidArgument.
        """
        size = "" if size_bytes is None else f" -L {size_bytes}b"
        self._visit("lvcreate", f"lvcreate --name {name} --snapshot {self.name}/{origin}{size}")
        source = self._volumes.get(origin)
        if source is None:
            raise NotFound(f"Snapshot origin LV {origin} not found in Volume group {self.name}.")
        self._check_new(name)
        self._volumes[name] = (
            self._thin_snapshot(source, name)
            if size_bytes is None
            else self._thick_snapshot(source, name, self.round_up(size_bytes))
        )
        self._changed()

    # --------------------------------------------------------------- lvremove, lvrename, lvextend, lvconvert

    def remove(self, name: str, *, cascade: bool = False) -> None:
        """Remove a volume, snapshot or pool; its bytes stay on the disks.

        Thick snapshots of a volume, and volumes of a pool, go along if `cascade`, as with ``lvremove -f``;
        otherwise they make it Busy. Thin snapshots outlive their origin. Busy also while anything that
        would go is open; then nothing is removed. NotFound.
        """
        self._visit("lvremove", f"lvremove -f {self.name}/{name}")
        if name in self._pools:
            self._remove_pool(self._pools[name], cascade)
            self._changed()
            return
        volume = self.volume(name)
        if isinstance(volume, ThickSnapshot) and volume.merging:
            raise Busy(f"Can't remove merging snapshot logical volume {self.name}/{name}.")
        doomed = [volume, *volume.snapshots]
        self._check_closed(doomed)
        if volume.snapshots and not cascade:
            raise Busy(f"Logical volume {self.name}/{name} has {len(volume.snapshots)} snapshot(s).")
        for victim in reversed(doomed):
            self._drop(victim)
        self._changed()

    def rename(self, old: str, new: str) -> None:
        """Change a name, in use or not. NotFound, AlreadyExists, InvalidArgument (the name)."""
        self._visit("lvrename", f"lvrename {self.name} {old} {new}")
        if old == new:
            raise InvalidArgument("Old and new logical volume names must differ")
        check_volume_name(new)
        if old not in self:
            raise NotFound(f'Existing logical volume "{old}" not found in volume group "{self.name}"')
        self._check_new(new)
        if old in self._pools:
            self._pools = _renamed(self._pools, old, new)
            self._pools[new].name = new
        else:
            self._volumes = _renamed(self._volumes, old, new)
            self._volumes[new].name = new
        self._changed()

    def extend(self, name: str, new_size: int) -> None:
        """Grow a volume, a pool, or the store of a thick snapshot, to `new_size`.

        New extents of a linear volume show what they held before. NotFound, NoSpace; InvalidArgument if
        the size would not grow, or if the volume has thick snapshots and is not deactivated.
        """
        self._visit("lvextend", f"lvextend -L {new_size}b {self.name}/{name}")
        if name not in self:
            raise NotFound(f"Logical volume {name} not found in volume group {self.name}.")
        grown = self._pools.get(name) or self._volumes[name]
        size = grown.size if isinstance(grown, ThinPool) else grown.listed_size
        now, wanted = size // CHUNK, self.round_up(new_size)
        if wanted == now:
            raise InvalidArgument(
                f"New size ({self._in_extents(wanted)} extents) matches existing size "
                f"({self._in_extents(now)} extents)."
            )
        if wanted < now:
            raise InvalidArgument(
                f"New size given ({self._in_extents(wanted)} extents) not larger than existing size "
                f"({self._in_extents(now)} extents)"
            )
        if isinstance(grown, ThinPool):
            self._grow(grown.data, wanted - now)
        elif grown.snapshots and grown.active:
            raise InvalidArgument(
                "Snapshot origin volumes can be resized only while inactive: try lvchange -an."
            )
        else:
            if isinstance(grown, LinearVolume | ThickSnapshot):
                self._grow(grown.area, wanted - now)
            if not isinstance(grown, ThickSnapshot):
                for volume in (grown, *grown.snapshots):
                    volume.resize(wanted)
        self._changed()

    def merge(self, name: str) -> bool:
        """Put the origin back to what the snapshot shows; the snapshot disappears.

        False if that has to wait for the next activation of the origin, because it or the snapshot is open
        or inactive. NotFound; InvalidArgument if it is no snapshot; StorageError if it is invalid.
        """
        self._visit("lvconvert", f"lvconvert --merge {self.name}/{name}")
        snapshot = self.volume(name)
        origin = snapshot.origin
        if origin is None:
            reason = (
                "is not a mergeable logical volume."
                if isinstance(snapshot, ThinVolume)
                else "cannot be merged because --trackchanges was not used."
            )
            raise InvalidArgument(f"{self.name}/{name} {reason}")
        rivals = [other for other in self._volumes.values() if other.origin is origin and other.merging]
        thick_over_thin = isinstance(snapshot, ThinVolume) and (origin.snapshots or snapshot.snapshots)
        if rivals:
            raise InvalidArgument(
                f"Cannot merge snapshot {self.name}/{name} into the origin {self.name}/{origin.name} "
                f"with merging snapshot {self.name}/{rivals[0].name}."
            )
        if thick_over_thin:
            raise InvalidArgument(f"Command not permitted on LV {self.name}/{name}.")
        if isinstance(snapshot, ThickSnapshot) and snapshot.invalid:
            raise StorageError(f"Unable to merge invalidated snapshot LV {self.name}/{name}.")
        waits = bool(origin.openers or snapshot.openers or not origin.active)
        if waits:
            snapshot.merging = True
        else:
            self._merge(snapshot, origin)
        self._changed()
        return not waits

    # ------------------------------------------------------------------------------------------- lvchange

    def activate(self, name: str, *, skipping: bool = False) -> None:
        """Make the device appear, with those of its thick snapshots; merges that waited take place.

        With `skipping`, a volume that skips activation stays as it is (``lvchange -ay`` without ``-K``).
        """
        if name in self._pools:
            self._pools[name].activate()
            return
        volume = self.volume(name)
        origin = volume.origin if isinstance(volume, ThickSnapshot) else volume
        assert origin is not None
        if skipping and volume.skips_activation:
            return
        if not origin.active:
            self._visit("lvchange", f"lvchange -a y --yes -K {self.name}/{name}")
            self._set_active(origin, True)
        for waiting in [other for other in self._volumes.values() if other.merging and other.origin is origin]:
            if not origin.openers and not waiting.openers:
                self._merge(waiting, origin)
                self._changed()

    def deactivate(self, name: str) -> None:
        """Make the device disappear, with those of its thick snapshots. Busy if any of them is open.

        A thick snapshot goes with its origin. A pool's own device goes; the volumes in it stay.
        """
        if name in self._pools:
            self._pools[name].active = False
            return
        volume = self.volume(name)
        if isinstance(volume, ThickSnapshot):
            volume = volume.origin
        if volume.active:
            self._visit("lvchange", f"lvchange -a n {self.name}/{name}")
            self._check_closed([volume, *volume.snapshots], name)
            self._set_active(volume, False)

    # -------------------------------------------------------------------------------------------- devices

    def open(self, name: str) -> OpenVolume:
        """A handle that counts as an opener until it is closed. NotFound if absent or inactive."""
        return self.volume(name).open()

    def close(self, device: BlockDevice) -> None:
        """Close a handle of `open`; closing it twice is allowed."""
        if not isinstance(device, OpenVolume):
            raise InvalidArgument(f"{device!r} is no open logical volume")
        device.close()

    def clear_store(self, name: str) -> None:
        """Overwrite the store of a thick snapshot (its ``-cow`` device) with zeros. NotFound."""
        snapshot = self.volume(name)
        if not isinstance(snapshot, ThickSnapshot) or not snapshot.active:
            raise NotFound(f"{name}-cow: No such file or directory")
        snapshot.clear_store()

    def age(self, pages: Mapping[int, bytes], extents: int, *, every: int = 1) -> None:
        """Let the first `extents` free extents of every disk hold `pages`, as if left by a former tenant.

        With `every` only the last of every n extents in a row of free ones.
        """
        stale: Chunk = dict(pages)
        for disk in self.disks:
            left = extents
            for run in disk.free:
                last = min(run.last, run.first + left)
                first = run.first + every - 1
                for extent in range(first, last, every):
                    disk.put(extent, stale)
                left -= last - run.first

    # -------------------------------------------------------------------------------------------- insides

    def store_max(self, origin: LogicalVolume) -> int:
        """Units of 4 MiB in the largest store that a thick snapshot of a volume can use."""
        return self.round_up(store_extents_max(origin.size // CHUNK) * CHUNK)

    def _visit(self, command: str, detail: str) -> None:
        self._points.visit(f"lvm.{command}", detail, cost_us=COMMAND_US)

    def _check_new(self, name: str) -> None:
        if name in self:
            raise AlreadyExists(f'Logical Volume "{name}" already exists in volume group "{self.name}"')
        check_volume_name(name)

    def _check_closed(self, volumes: Sequence[LogicalVolume], name: str | None = None) -> None:
        for volume in volumes:
            if volume.openers:
                mounted = any(opener.mounted for opener in volume.openers)
                use = "contains a filesystem in use." if mounted else "in use."
                raise Busy(f"Logical volume {self.name}/{name or volume.name} {use}")

    def round_up(self, size: int) -> int:
        """Units of 4 MiB (`CHUNK`) in the whole extents that so many bytes take. InvalidArgument unless > 0.

        lvm2's extents are `extent_size`; here one must be a multiple of 4 MiB to be allocated.
        """
        if size <= 0:
            raise InvalidArgument("--size may not be zero." if size == 0 else "Size may not be negative.")
        if self.extent_size % CHUNK:
            raise InvalidArgument(
                f"extents of {self.extent_size} bytes cannot be allocated here, only multiples of {CHUNK}"
            )
        return -(-size // self.extent_size) * self.extent_size // CHUNK

    def _in_extents(self, chunks: int) -> int:
        return chunks * CHUNK // self.extent_size

    def _too_little(self, free: int, wanted: int) -> NoSpace:
        return NoSpace(
            f'Volume group "{self.name}" has insufficient free space ({self._in_extents(free)} extents): '
            f"{self._in_extents(wanted)} required."
        )

    def _insufficient(self, wanted: int, free: int) -> NoSpace:
        return NoSpace(
            f"Insufficient free space: {self._in_extents(wanted)} extents needed, "
            f"but only {self._in_extents(free)} available"
        )

    def _allocated(self, chunks: int) -> Area:
        free = self.free // CHUNK
        if chunks > free:
            raise self._too_little(free, chunks)
        area = Area()
        allocate(self.disks, area, chunks)
        return area

    @contextmanager
    def _new_area(self, chunks: int) -> Iterator[Area]:
        """Extents for something new; they are free again if it cannot be made."""
        area = self._allocated(chunks)
        try:
            yield area
        except BaseException:
            area.release()
            raise

    def _grow(self, area: Area, chunks: int) -> None:
        free = self.free // CHUNK
        if chunks > free:
            raise self._insufficient(chunks, free)
        allocate(self.disks, area, chunks)

    def _new_uuid(self, name: str) -> str:
        return lvm_uuid("lv", self.uuid, name, str(self.seqno))

    def touch(self) -> None:
        """Something else in the metadata has changed: a tag, a permission, the size of a disk."""
        self._changed()

    @contextmanager
    def one_change(self) -> Iterator[None]:
        """All that is done inside becomes one change of the metadata, which is committed at the end."""
        self._held_back = False
        try:
            yield
        finally:
            changed, self._held_back = self._held_back, None
            if changed:
                self._changed()

    def _changed(self) -> None:
        """The metadata of the group has changed: called once per command, when the change is complete.

        NotCommitted if it cannot be kept; then the group is what it was before.
        """
        if self._held_back is not None:
            self._held_back = True
            return
        self.seqno += 1
        self._backing.commit(self)

    def _thin_snapshot(self, source: LogicalVolume, name: str) -> ThinVolume:
        if not isinstance(source, ThinVolume):
            raise InvalidArgument("Please specify either size or extents with snapshots.")
        volume = source.pool.new_volume(name, source.size // CHUNK, source, self._new_uuid(name))
        volume.active, volume.skips_activation = False, True
        return volume

    def _thick_snapshot(self, source: LogicalVolume, name: str, extents: int) -> ThickSnapshot:
        if isinstance(source, ThickSnapshot):
            raise InvalidArgument("Snapshots of snapshots are not supported.")
        # A thin merge, too: it would change the origin under its new snapshot.
        if any(other.merging and other.origin is source for other in self._volumes.values()):
            raise InvalidArgument("Snapshots of an origin that has a merging snapshot are not supported.")
        with self._new_area(min(extents, self.store_max(source))) as store:
            snapshot = ThickSnapshot(name, source, self._backing.copy_store(store), self._new_uuid(name))
        snapshot.active = source.active
        source.snapshots.append(snapshot)
        return snapshot

    def _remove_pool(self, pool: ThinPool, cascade: bool) -> None:
        doomed = [victim for volume in pool.volumes for victim in (*volume.snapshots, volume)]
        self._check_closed(doomed)
        if doomed and not cascade:
            raise Busy(f"Thin pool {self.name}/{pool.name} has {len(pool.volumes)} volume(s).")
        for victim in doomed:
            self._drop(victim)
        pool.data.release()
        pool.metadata.release()
        del self._pools[pool.name]
        if not self._pools:
            self._spare.release()

    def _merge(self, snapshot: LogicalVolume, origin: LogicalVolume) -> None:
        if isinstance(snapshot, ThickSnapshot):
            if not snapshot.merging:
                # Whoever finds the origin half merged must know that the rest is to follow.
                snapshot.merging = True
                self._changed()
            snapshot.merge()
        elif isinstance(snapshot, ThinVolume) and isinstance(origin, ThinVolume):
            origin.replace_with(snapshot)
            for other in self._volumes.values():
                if other.origin is snapshot:
                    other.origin = origin
        self._drop(snapshot)

    def _drop(self, volume: LogicalVolume) -> None:
        """Forget a closed volume, whatever its kind, and give back what it takes."""
        del self._volumes[volume.name]
        if isinstance(volume, LinearVolume):
            volume.area.release()
        elif isinstance(volume, ThickSnapshot):
            volume.release()
            volume.origin.snapshots.remove(volume)
        elif isinstance(volume, ThinVolume):
            volume.pool.remove(volume)
        for other in self._volumes.values():
            if other.origin is volume:
                other.origin, other.merging = None, False

    @staticmethod
    def _set_active(volume: LogicalVolume, active: bool) -> None:
        for one in (volume, *volume.snapshots):
            one.active = active


def _renamed(volumes: dict[str, _T], old: str, new: str) -> dict[str, _T]:
    """The same, in the same order, with one key changed."""
    return {new if name == old else name: volume for name, volume in volumes.items()}
