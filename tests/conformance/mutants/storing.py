"""Drivers that show, waste or mix up what is stored."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm import dd
from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs import qemu_img, snapshots
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import VolumeBackendAPIException
from harness.model import GIB
from tests.conformance.mutants.planted import mutant


@mutant(
    "clears-as-created",
    "volumes/a_new_volume_shows_nothing_of_a_deleted_one",
    "clears as much as there was at the creation",
)
class ClearsAsCreated(LvmDriver):
    def do_setup(self, context: Any) -> None:
        super().do_setup(context)
        self.sizes: dict[str, int] = {}

    def create_volume(self, volume: Any) -> None:
        super().create_volume(volume)
        self.sizes[volume.name] = volume.size

    def _delete(self, name: str, size_gb: int) -> None:
        super()._delete(name, self.sizes.get(name, size_gb))


@mutant(
    "snapshot-not-cleared",
    "snapshots/a_new_volume_shows_nothing_of_a_deleted_snapshot",
    "deleted snapshots are not cleared",
)
class SnapshotNotCleared(LvmDriver):
    def _delete_snapshot(self, name: str, size_gb: int) -> None:
        if name in self.group:
            self.group.remove(name, cascade=True)


class CopiesSparsely(LvmDriver):
    """Thick volumes, copied as if what is not written read zero."""

    def _copy(self, source: str, group: Any, name: str, size_gb: int) -> None:
        ends = (self.group, source), (group, name)
        dd.copy(*ends, size_gb * GIB, sparse=True, points=self.world.points)


@mutant(
    "clone-sparse", "used storage/a_clone_reads_as_its_source", "leaves out zeros where others have written"
)
class ClonesSparsely(CopiesSparsely):
    pass


@mutant("from-snapshot-sparse", "used storage/a_volume_from_a_snapshot_reads_as_it", "leaves out zeros, too")
class FromSnapshotSparsely(CopiesSparsely):
    pass


@mutant("assisted-sparse", "assisted/a_volume_moves_onto_used_storage", "moves without the zeros")
class MovesSparsely(CopiesSparsely):
    pass


@mutant("claims-sparse", "used storage/a_sparse_destination_reads_zero", "says that thick volumes read zero")
class ClaimsSparseThick(LvmDriver):
    def _fresh_stats(self) -> dict[str, Any]:
        return {**super()._fresh_stats(), "sparse_copy_volume": True}


@mutant("not-sparse", "migration to/what_is_empty_takes_no_space", "does not report sparse_copy_volume")
class NotSparse(NfsDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {**super().get_volume_stats(refresh), "sparse_copy_volume": False}


@mutant("clone-torn", "in use/a_copy_of_a_volume_in_use_is_of_one_moment", "clones while the guest writes")
class ClonesLive(LvmDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        self.create_volume(volume)
        self._copy(src_vref.name, self.group, volume.name, src_vref.size)


@mutant(
    "extend-stays-inactive", "extend/a_volume_with_a_snapshot_can_be_extended", "leaves the volume inactive"
)
class StaysInactive(LvmDriver):
    def _extend(self, name: str, size_gb: int) -> None:
        if self.group.volume(name).snapshots:
            self.group.deactivate(name)
        self.group.extend(name, size_gb * GIB)


@mutant("extend-decimal", "extend/any_size_is_reached_exactly_or_refused", "a TiB has a thousand GiB")
class ExtendsDecimal(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        super().extend_volume(volume, new_size if new_size < 1024 else new_size // 1024 * 1000)


@mutant("clone-large-short", "clones/large_copies_have_exactly_their_size", "copies the first 500 GiB")
class ClonesFirstPart(LvmDriver):
    def _copy(self, source: str, group: Any, name: str, size_gb: int) -> None:
        super()._copy(source, group, name, min(size_gb, 500))


@mutant(
    "snapshots-in-memory", "snapshots/a_name_is_free_again_after_deletion", "knows snapshots only in memory"
)
class SnapshotsInMemory(RbdDriver):
    def do_setup(self, context: Any) -> None:
        super().do_setup(context)
        self.taken: set[str] = set()

    def create_snapshot(self, snapshot: Any) -> None:
        super().create_snapshot(snapshot)
        self.taken.add(snapshot.id)

    def delete_snapshot(self, snapshot: Any) -> None:
        if snapshot.id in self.taken:
            super().delete_snapshot(snapshot)


SNAPSHOTS = "concurrency/one_volume_is_snapshotted_several_times_at_once"


@mutant("snapshot-unlocked", SNAPSHOTS, "snapshots without a lock")
class SnapshotsUnlocked(NfsDriver):
    create_snapshot = NfsDriver.create_snapshot.__wrapped__  # type: ignore[attr-defined]


@mutant(
    "snapshot-forgets-attachment",
    "in use/a_volume_in_use_can_be_snapshotted",
    "leaves the old file in the connection info of the attachment",
)
class ForgetsAttachment(NfsDriver):
    def create_snapshot(self, snapshot: Any) -> None:
        before = [(each, each.connection_info) for each in snapshot.volume.volume_attachment]
        super().create_snapshot(snapshot)
        for attachment, info in before:
            attachment.connection_info = info
            attachment.save()


@mutant("snapshot-deletion-unlocked", SNAPSHOTS, "deletes snapshots without a lock")
class DeletesUnlocked(NfsDriver):
    delete_snapshot = NfsDriver.delete_snapshot.__wrapped__  # type: ignore[attr-defined]


@mutant(
    "snapshot-forgets-format",
    "in use/a_volume_in_use_can_be_snapshotted",
    "does not write down that a volume has become qcow2 for good",
)
class ForgetsFormat(NfsDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        before = snapshot.volume.admin_metadata.get("base_format")
        super().delete_snapshot(snapshot)
        volume = snapshot.volume
        if before is not None:
            volume.admin_metadata["base_format"] = before
            volume.save()


@mutant("format-guessed", "volumes/what_a_guest_writes_is_no_format", "believes what a file looks like")
class GuessesFormat(NfsDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        other = volume.copy()
        other.__dict__["admin_metadata"] = {}
        return super().initialize_connection(other, connector)


class Offline(NfsDriver):
    """Deletes snapshots as if nobody used the volume."""

    def delete_snapshot(self, snapshot: Any) -> None:
        volume = snapshot.volume.copy()
        volume.__dict__["attach_status"] = "detached"
        snapshots.delete(self._share(volume), volume, snapshot.id, None)


@mutant(
    "snapshot-offline", "in use/a_volume_in_use_can_be_snapshotted", "deletes snapshots behind the guest's back"
)
class DeletesOffline(Offline):
    pass


@mutant(
    "snapshots-offline",
    "in use/snapshots_of_a_volume_in_use_go_in_any_order",
    "deletes them in any case the same",
)
class DeletesAllOffline(Offline):
    pass


@mutant(
    "delete-first-file",
    "in use/snapshots_of_a_volume_in_use_go_in_any_order",
    "deletes the file of the volume's name, whichever is in use",
)
class DeletesFirstFile(NfsDriver):
    def delete_volume(self, volume: Any) -> None:
        if volume.provider_location:
            for name in (volume.name + snapshots.INFO, volume.name):
                self._share(volume).remove(name)


@mutant(
    "delete-with-snapshots",
    "snapshots/a_snapshot_does_not_go_with_its_volume",
    "deletes a volume with its snapshots",
)
class DeletesWithSnapshots(LvmDriver):
    def delete_volume(self, volume: Any) -> None:
        if volume.name in self.group:
            self._delete(volume.name, volume.size)


@mutant(
    "snapshot-format-stays",
    "snapshots/a_volume_whose_snapshots_are_gone_is_as_others",
    "does not write down that a volume is raw again",
)
class KeepsFormat(NfsDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        super().delete_snapshot(snapshot)
        volume = snapshot.volume
        volume.admin_metadata["format"] = "qcow2"
        volume.save()


@mutant(
    "extend-unchecked",
    "extend/what_is_not_made_is_not_reached",
    "extends beyond what a share may promise",
    on="nfs-qcow2",
)
class ExtendsUnchecked(NfsDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        share = self._share(volume)
        active = snapshots.active_file(share, volume.name)
        qemu_img.resize(share, active, new_size * GIB, volume.admin_metadata.get("format"))


@mutant(
    "snapshot-small-store",
    "snapshots/a_snapshot_outlives_much_writing",
    "keeps of a snapshot what fits into 256 MiB",
)
class SmallStores(LvmDriver):
    def _snapshot(self, origin: str, name: str) -> None:
        self.group.snapshot(origin, name, 256 << 20)


@mutant(
    "snapshots-limited",
    "snapshots/a_volume_has_many_snapshots",
    "takes eight snapshots of a volume and no more",
    on="lvm-thin",
)
class EightSnapshots(LvmDriver):
    def create_snapshot(self, snapshot: Any) -> None:
        taken = [name for name in self.group.names() if name.startswith("_snapshot-")]
        if len(taken) >= 8:
            raise VolumeBackendAPIException(data="too many snapshots")
        super().create_snapshot(snapshot)


ON_ITS_SHARE = "several shares/a_volume_is_found_on_its_share"


@mutant("first-share", ON_ITS_SHARE, "looks for every volume on its first share")
class FirstShare(NfsDriver):
    def _share(self, volume: Any) -> Any:
        return next(iter(self._mounted.values()))


@mutant("clone-elsewhere", ON_ITS_SHARE, "writes down the emptiest share for a clone, on whichever it is")
class ClonesElsewhere(NfsDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        super().create_cloned_volume(volume, src_vref)
        return {"provider_location": self._find_share(volume.size)}


@mutant("stats-first-share", "several shares/every_share_counts", "counts its first share alone")
class CountsFirstShare(NfsDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        self._ensure_shares_mounted()
        first, statistics = next(iter(self._mounted.values())), super().get_volume_stats(refresh)
        return {**statistics, "total_capacity_gb": first.statistics().total / GIB}


CALLED = "names/what_is_made_of_a_volume_may_be_called_anything"


@mutant("clone-ascii", CALLED, "writes the name of a clone as ASCII")
class ClonesInAscii(RbdDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        (volume.display_name or "").encode("ascii")
        return super().create_cloned_volume(volume, src_vref)


@mutant("extend-name-limit", CALLED, "cannot extend what has a long name")
class ExtendsShortNames(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        if len(volume.display_name or "") > 200:
            raise ValueError("name too long")
        super().extend_volume(volume, new_size)


# ------------------------------------------------------------------------------------------------ manage

ROUNDED = "manage/a_size_that_is_not_whole_is_rounded_up"


@mutant("manage-rounds-down", ROUNDED, "rounds the size down")
class RoundsDown(RbdDriver):
    def manage_existing_get_size(self, volume: Any, existing_ref: Any) -> int:
        super().manage_existing_get_size(volume, existing_ref)
        return self._pool().image(existing_ref["source-name"]).size // GIB


@mutant("manage-rounds", ROUNDED, "rounds to the nearest GiB")
class RoundsToNearest(LvmDriver):
    def _existing_size(self, existing_ref: Any) -> int:
        super()._existing_size(existing_ref)
        return round(self.group.volume(existing_ref["source-name"]).listed_size / GIB + 0.001)


@mutant("manage-known", "manage/what_is_on_record_is_not_taken_from_it", "takes what another volume is")
class TakesKnown(LvmDriver):
    def _take_over(self, existing_ref: Any, new_name: str, record: Any) -> None:
        self.group.rename(existing_ref["source-name"], new_name)


@mutant("manage-snapshot-now", "manage/a_managed_snapshot_has_the_size_of_its_time", "tells the volume's size")
class TellsSizeNow(RbdDriver):
    def manage_existing_snapshot_get_size(self, snapshot: Any, existing_ref: Any) -> int:
        return self._pool().image(snapshot.volume_name).size // GIB
