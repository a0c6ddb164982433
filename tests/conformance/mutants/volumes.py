"""Faults in volumes, snapshots, clones, extensions, reverts, names."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm import dd
from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import ExtendVolumeError, NotFound, SnapshotNotFound, VolumeNotFound
from harness.model import GIB
from tests.conformance.mutants.migrating import by_id
from tests.conformance.mutants.planted import mutant


@mutant("size-decimal", "volumes/a_volume_has_exactly_its_size", "a GiB has a thousand million bytes")
class DecimalSize(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        self._pool().create(volume.name, volume.size * 10**9 // 4096 * 4096)


@mutant("size-larger", "volumes/any_size_is_made_exactly_or_refused", "large volumes are rounded up to 10 GiB")
class RoundsUp(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        size = volume.size if volume.size < 100 else -(-volume.size // 10) * 10
        self._pool().create(volume.name, size * GIB)


@mutant("not-cleared", "volumes/a_new_volume_shows_nothing_of_a_deleted_one", "deleted volumes are not cleared")
class NotCleared(LvmDriver):
    def _delete(self, name: str, size_gb: int) -> None:
        self.group.remove(name, cascade=True)


@mutant("clears-one-gib", "volumes/a_new_volume_shows_nothing_of_a_deleted_one", "clears the first GiB only")
class ClearsFirst(LvmDriver):
    def _delete(self, name: str, size_gb: int) -> None:
        dd.clear(self.group, name, GIB, points=self.world.points)
        self.group.remove(name, cascade=True)


@mutant("absent-fails", "volumes/deleting_an_absent_volume_succeeds", "deleting what is absent fails")
class AbsentFails(RbdDriver):
    def delete_volume(self, volume: Any) -> None:
        if volume.name not in self._pool():
            raise VolumeNotFound(volume_id=volume.id)
        super().delete_volume(volume)


@mutant("twice-fails", "volumes/deleting_twice_succeeds", "deleting twice fails")
class TwiceFails(LvmDriver):
    def delete_volume(self, volume: Any) -> None:
        self.group.volume(volume.name)
        super().delete_volume(volume)


@mutant("delete-nothing", "volumes/deleting_removes_the_object_and_no_other", "deleting does nothing")
class DeletesNothing(RbdDriver):
    def delete_volume(self, volume: Any) -> None:
        return None


@mutant("delete-all", "volumes/deleting_leaves_other_volumes_alone", "deletes by a common prefix")
class DeletesAll(RbdDriver):
    def delete_volume(self, volume: Any) -> None:
        for name in self._pool().names():
            if name[:7] == volume.name[:7]:
                self._pool().remove(name)


@mutant("delete-returns", "volumes/delete_volume_returns_nothing", "delete_volume returns True")
class DeleteReturns(LvmDriver):
    def delete_volume(self, volume: Any) -> Any:
        super().delete_volume(volume)
        return True


@mutant("create-exports", "volumes/creating_exports_nothing", "create_volume exports")
class CreateExports(LvmDriver):
    def create_volume(self, volume: Any) -> Any:
        super().create_volume(volume)
        return self.create_export(None, volume, {})  # type: ignore[arg-type]


@mutant(
    "create-field", "volumes/a_volume_has_exactly_its_size", "create_volume returns a field that there is not"
)
class UnknownField(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        return {**(super().create_volume(volume) or {}), "provider_uuid": "x"}


@mutant("create-over", "volumes/a_taken_name_loses_no_data", "creates over what has the name")
class CreatesOver(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        if volume.name in self._pool():
            self._pool().remove(volume.name)
        return super().create_volume(volume)


@mutant("shared-object", "volumes/volumes_share_nothing", "volumes of all sizes are one file")
class SharedFile(NfsDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        info["data"]["name"] = min(self.objects())
        return info


@mutant("keeps-in-memory", "restart/volumes_outlive_the_service", "knows volumes only in memory")
class KnowsInMemory(RbdDriver):
    def do_setup(self, context: Any) -> None:
        super().do_setup(context)
        self.known: set[str] = set()

    def create_volume(self, volume: Any) -> Any:
        self.known.add(volume.id)
        return super().create_volume(volume)

    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        if volume.id not in self.known:
            raise VolumeNotFound(volume_id=volume.id)
        return super().initialize_connection(volume, connector)


@mutant("cleans-at-start", "restart/starting_changes_nothing", "removes everything when it is set up")
class CleansAtStart(RbdDriver):
    def check_for_setup_error(self) -> None:
        super().check_for_setup_error()
        for name in self._pool().names():
            self._pool().remove(name)


@mutant(
    "half-creation", "faults/a_failed_creation_can_be_cleaned_up", "a failed creation leaves a helper image"
)
class LeavesHelper(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        self._pool().create(f"helper-{volume.id}", GIB)
        answer = super().create_volume(volume)
        self._pool().remove(f"helper-{volume.id}")
        return answer


@mutant("shared-temporary", "concurrency/volumes_can_be_created_at_once", "creations share a temporary name")
class SharedTemporary(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        self._pool().create("new", volume.size * GIB)
        self.world.points.visit("array.pause")
        self._pool().rename("new", volume.name)


# ----------------------------------------------------------------------------------------------- snapshots


@mutant(
    "snapshot-late", "snapshots/a_snapshot_keeps_what_was", "a volume from a snapshot is of the newest data"
)
class LateSnapshot(RbdDriver):
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> Any:
        self._pool().copy(snapshot.volume_name, self._pool(), volume.name)
        if volume.size > snapshot.volume_size:
            self._resize(self._pool(), volume.name, volume.size * GIB)


@mutant(
    "snapshot-merges", "snapshots/deleting_a_snapshot_keeps_the_volume", "deleting a snapshot merges it back"
)
class MergesOnDelete(RbdDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        image = self._pool().images.get(snapshot.volume_name)
        if image is not None and any(each.name == snapshot.name for each in image.snapshots):
            with self._pool().open(snapshot.volume_name) as handle:
                handle.image.rollback(snapshot.name, by=handle)
        super().delete_snapshot(snapshot)


@mutant(
    "snapshot-absent", "snapshots/deleting_an_absent_snapshot_succeeds", "deleting an absent snapshot fails"
)
class AbsentSnapshotFails(LvmDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        if f"_{snapshot.name}" not in self.group:
            raise SnapshotNotFound(snapshot_id=snapshot.id)
        super().delete_snapshot(snapshot)


@mutant("snapshot-not-grown", "snapshots/a_larger_volume_from_a_snapshot_is_grown", "is not grown")
class FromSnapshotNotGrown(RbdDriver):
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> Any:
        pool = self._pool()
        pool.clone(
            snapshot.volume_name, snapshot.name, volume.name, order=pool.image(snapshot.volume_name).order
        )


@mutant(
    "snapshot-stays", "snapshots/a_volume_can_be_deleted_after_its_snapshots", "snapshots are never deleted"
)
class SnapshotStays(LvmDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        return None


@mutant(
    "snapshot-of-nothing", "snapshots/a_snapshot_of_an_absent_volume_is_an_error", "succeeds without a volume"
)
class SnapshotOfNothing(RbdDriver):
    def create_snapshot(self, snapshot: Any) -> Any:
        try:
            return super().create_snapshot(snapshot)
        except NotFound:
            return None


@mutant("snapshot-half", "snapshots/a_snapshot_keeps_what_was", "a volume from a snapshot is copied by MiB")
class FromSnapshotHalf(LvmDriver):
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        self.create_volume(volume)
        self.group.activate(f"_{snapshot.name}")
        self._copy(f"_{snapshot.name}", self.group, volume.name, snapshot.volume_size / 1024)


@mutant(
    "snapshot-newest", "snapshots/snapshots_do_not_depend_on_one_another", "uses the newest snapshot for all"
)
class NewestSnapshot(RbdDriver):
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> Any:
        image = self._pool().image(snapshot.volume_name)
        newest = image.snapshots[-1].name
        self._pool().clone(snapshot.volume_name, newest, volume.name, order=image.order)


# -------------------------------------------------------------------------------------------------- clones


@mutant("clone-not-grown", "clones/a_larger_clone_is_grown", "a larger clone is not grown")
class CloneNotGrown(RbdDriver):
    def _extend_if_required(self, pool: Any, volume: Any, src_vref: Any) -> None:
        return None


@mutant(
    "clone-grows-source", "clones/a_larger_clone_leaves_its_source_as_it_was", "a larger clone grows its source"
)
class CloneGrowsSource(RbdDriver):
    def _extend_if_required(self, pool: Any, volume: Any, src_vref: Any) -> None:
        super()._extend_if_required(pool, volume, src_vref)
        super()._extend_if_required(pool, by_size(src_vref, volume.size), src_vref)


def by_size(volume: Any, size: int) -> Any:
    """The record with another size."""
    other = volume.copy()
    other.__dict__["size"] = size
    return other


@mutant("clone-leaves-snapshot", "clones/cloning_adds_one_volume", "the temporary snapshot of a clone stays")
class CloneLeavesSnapshot(LvmDriver):
    def _delete_snapshot(self, name: str, size_gb: int) -> None:
        if not name.startswith("clone-snap"):
            super()._delete_snapshot(name, size_gb)


@mutant("clone-by-mib", "clones/a_clone_has_the_data_and_size_of_its_source", "a clone is copied by MiB")
class CloneByMebibyte(LvmDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        super().create_cloned_volume(volume, by_size(src_vref, src_vref.size / 1024))


@mutant(
    "clone-of-nothing", "clones/a_clone_of_an_absent_volume_is_an_error", "clones of nothing are empty volumes"
)
class CloneOfNothing(RbdDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        if src_vref.name not in self._pool():
            return self.create_volume(volume)
        return super().create_cloned_volume(volume, src_vref)


@mutant("clone-by-id", "names/a_migrated_volume_is_cloned", "clones the object that the id names")
class ClonesById(LvmDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        super().create_cloned_volume(volume, by_id(src_vref))


# -------------------------------------------------------------------------------------------------- extend


@mutant("extend-adds", "extend/an_extended_volume_has_exactly_its_new_size", "adds the new size to the old one")
class ExtendAdds(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        super().extend_volume(volume, volume.size + new_size)


@mutant("extend-anew", "extend/extending_keeps_the_data", "makes the volume anew")
class ExtendsAnew(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        self._pool().remove(volume.name)
        self._pool().create(volume.name, new_size * GIB)


@mutant(
    "extend-refuses-online", "extend/an_attached_volume_can_be_extended", "refuses what is attached, silently"
)
class RefusesAttached(LvmDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        if volume.attach_status == "attached":
            raise ExtendVolumeError(reason="attached")
        super().extend_volume(volume, new_size)


@mutant("extend-absent", "extend/extending_an_absent_volume_is_an_error", "extending what is absent succeeds")
class ExtendsNothing(LvmDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        if volume.name in self.group:
            super().extend_volume(volume, new_size)


@mutant("extend-by-id", "names/a_migrated_volume_is_extended", "extends the object that the id names")
class ExtendsById(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        super().extend_volume(by_id(volume), new_size)


@mutant("extend-shows", "extend/an_extension_shows_nothing_of_deleted_volumes", "volumes are not cleared")
class ExtensionShows(NotCleared):
    pass


# -------------------------------------------------------------------------------------------------- revert


@mutant("revert-nothing", "revert/a_reverted_volume_is_as_the_snapshot", "reverting does nothing")
class RevertsNothing(RbdDriver):
    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        return None


@mutant("revert-takes-snapshot", "revert/a_snapshot_outlives_a_revert", "the snapshot goes with the revert")
class RevertTakesSnapshot(LvmDriver):
    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        self.group.merge(f"_{snapshot.name}")
        self.group.deactivate(volume.name)
        self.group.activate(volume.name)


# -------------------------------------------------------------------------------------------------- manage


@mutant("manage-copies", "manage/a_managed_volume_leaves_nothing", "copies what it should take over")
class ManageCopies(RbdDriver):
    def manage_existing(self, volume: Any, existing_ref: Any) -> Any:
        self._pool().copy(existing_ref["source-name"], self._pool(), volume.name)


@mutant("manage-mib", "manage/the_size_is_told_before", "tells the size in MiB")
class ManageMebibytes(RbdDriver):
    def manage_existing_get_size(self, volume: Any, existing_ref: Any) -> int:
        return super().manage_existing_get_size(volume, existing_ref) * 1024


@mutant("manage-unknown", "manage/an_unknown_reference_is_refused", "an unknown reference has no size")
class ManageUnknown(RbdDriver):
    def manage_existing_get_size(self, volume: Any, existing_ref: Any) -> int:
        try:
            return super().manage_existing_get_size(volume, existing_ref)
        except Exception:  # noqa: BLE001 (that is the fault)
            return 0


@mutant("unmanage-deletes", "manage/letting_go_touches_nothing", "deletes what it should let go")
class UnmanageDeletes(LvmDriver):
    def unmanage(self, volume: Any) -> None:
        self.delete_volume(volume)


@mutant("names-by-display", "names/two_volumes_may_have_one_display_name", "names objects by the display name")
class NamesByDisplay(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        if volume.display_name is not None and any(
            row["display_name"] == volume.display_name and row["id"] != volume.id
            for row in volume._store.volumes.values()
        ):
            return None
        return super().create_volume(volume)
