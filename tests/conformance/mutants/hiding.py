"""Drivers that say that it went well when it did not."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import CrucibleError
from tests.conformance.mutants.planted import mutant


@mutant("hides-create", "faults/a_failed_creation_can_be_cleaned_up", "a failed creation succeeds")
class HidesCreation(LvmDriver):
    def create_volume(self, volume: Any) -> None:
        try:
            super().create_volume(volume)
        except CrucibleError:
            return None


@mutant("hides-delete", "faults/a_failed_deletion_can_be_repeated", "a failed deletion succeeds")
class HidesDeletion(RbdDriver):
    def delete_volume(self, volume: Any) -> None:
        try:
            super().delete_volume(volume)
        except CrucibleError:
            return None


@mutant("hides-extend", "faults/a_failed_extension_keeps_the_data", "a failed extension succeeds")
class HidesExtension(LvmDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        try:
            super().extend_volume(volume, new_size)
        except CrucibleError:
            return None


@mutant("hides-snapshot", "faults/a_failed_snapshot_can_be_cleaned_up", "a failed snapshot succeeds")
class HidesSnapshot(RbdDriver):
    def create_snapshot(self, snapshot: Any) -> Any:
        try:
            return super().create_snapshot(snapshot)
        except CrucibleError:
            return None


@mutant("hides-clone", "faults/a_failed_clone_can_be_cleaned_up", "a failed clone succeeds")
class HidesClone(RbdDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        try:
            return super().create_cloned_volume(volume, src_vref)
        except CrucibleError:
            return None


@mutant(
    "hides-from-snapshot", "faults/a_failed_volume_from_a_snapshot_can_be_cleaned_up", "a failed copy succeeds"
)
class HidesFromSnapshot(LvmDriver):
    def _copy(self, source: str, group: Any, name: str, size_gb: int) -> None:
        try:
            super()._copy(source, group, name, size_gb)
        except CrucibleError:
            return


@mutant("hides-revert", "revert/a_failed_revert_can_be_repeated", "a failed revert succeeds")
class HidesRevert(RbdDriver):
    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        try:
            super().revert_to_snapshot(context, volume, snapshot)
        except CrucibleError:
            return None


@mutant(
    "hides-delete-snapshot", "faults/a_failed_snapshot_deletion_can_be_repeated", "a failed deletion succeeds"
)
class HidesSnapshotDeletion(LvmDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        try:
            super().delete_snapshot(snapshot)
        except CrucibleError:
            return None


@mutant("keeps-lock", "faults/a_failure_holds_nobody_up", "holds its lock after a failure")
class KeepsLock(NfsDriver):
    def create_snapshot(self, snapshot: Any) -> None:
        lock = self.world.lock(f"snapshot-{snapshot.volume_id}")
        lock.__enter__()
        super().create_snapshot(snapshot)
        lock.__exit__(None, None, None)


@mutant("hides-setup", "restart/storage_that_is_not_there_is_told", "starts without its pool")
class HidesMissingPool(RbdDriver):
    def check_for_setup_error(self) -> None:
        return None

    def get_volume_stats(self, refresh: bool = False) -> Any:
        return {"volume_backend_name": "x", "total_capacity_gb": 100, "free_capacity_gb": 100}


TOLD = "faults/nothing_succeeds_while_the_storage_fails"


@mutant("hides-lasting-snapshot", TOLD, "a snapshot that was tried in vain succeeds", on="lvm-thin")
class HidesThinSnapshot(LvmDriver):
    def create_snapshot(self, snapshot: Any) -> None:
        try:
            super().create_snapshot(snapshot)
        except CrucibleError:
            return None


@mutant("hides-lasting-clone", TOLD, "a clone that was tried in vain succeeds", on="lvm-thin")
class HidesThinClone(LvmDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        try:
            super().create_cloned_volume(volume, src_vref)
        except CrucibleError:
            return None


@mutant("hides-lasting-delete", TOLD, "a deletion that was tried in vain succeeds", on="lvm-thin")
class HidesThinDeletion(LvmDriver):
    def delete_volume(self, volume: Any) -> None:
        try:
            super().delete_volume(volume)
        except CrucibleError:
            return None


@mutant(
    "hides-delete-snapshot-rbd",
    "faults/a_failed_snapshot_deletion_can_be_repeated",
    "a failed deletion succeeds",
)
class HidesImageSnapshotDeletion(RbdDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        try:
            super().delete_snapshot(snapshot)
        except CrucibleError:
            return None
