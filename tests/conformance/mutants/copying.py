"""Faults in clones, reverts, images, limits and listings, and drivers that write to Cinder's records."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import AlreadyExists, CrucibleError, InvalidVolume, NotFound, VolumeBackendAPIException
from harness.model import GIB
from tests.conformance.mutants.planted import mutant

RECORD, RENAMED = "volumes/the_record_is_cinders", "destination/the_record_leads_to_the_copy"


@mutant("clone-refuses-in-use", "in use/a_volume_in_use_can_be_cloned", "refuses to clone what is in use")
class RefusesInUse(LvmDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        if src_vref.status == "in-use":
            raise InvalidVolume(reason="in use")
        super().create_cloned_volume(volume, src_vref)


@mutant("clone-shared-snapshot", "concurrency/one_source_is_cloned_several_times_at_once", "one name for all")
class SharedSnapshot(LvmDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        temporary = f"clone-snap-{src_vref.id}"
        self._snapshot(src_vref.name, temporary)
        try:
            self.create_volume(volume)
            self.group.activate(temporary)
            self._copy(temporary, self.group, volume.name, src_vref.size)
        finally:
            self._delete_snapshot(temporary, src_vref.size)


@mutant("clone-unlocked", "concurrency/one_source_is_cloned_several_times_at_once", "clones without a lock")
class Unlocked(NfsDriver):
    create_cloned_volume = NfsDriver.create_cloned_volume.__wrapped__  # type: ignore[attr-defined]


@mutant(
    "revert-takes-others", "revert/older_snapshots_outlive_a_revert", "a revert removes the older snapshots"
)
class RevertTakesOthers(RbdDriver):
    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        super().revert_to_snapshot(context, volume, snapshot)
        with self._pool().open(volume.name) as handle:
            for each in list(handle.image.snapshots):
                if each.name != snapshot.name:
                    handle.image.unprotect_snapshot(each.name)
                    handle.image.remove_snapshot(each.name)


@mutant("total-is-free", "stats/the_total_stays_the_same", "the total is what is free")
class TotalIsFree(LvmDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        stats = super().get_volume_stats(refresh)
        pool = {**stats["pools"][0], "total_capacity_gb": stats["pools"][0]["free_capacity_gb"]}
        return {**stats, "pools": [pool]}


@mutant("extension-uncounted", "stats/an_extension_takes_what_it_adds", "counts the size at the creation")
class CountsAtCreation(NfsDriver):
    def do_setup(self, context: Any) -> None:
        super().do_setup(context)
        self.sizes: dict[str, int] = {}

    def create_volume(self, volume: Any) -> Any:
        self.sizes[volume.id] = volume.size
        return super().create_volume(volume)

    def delete_volume(self, volume: Any) -> None:
        self.sizes.pop(volume.id, None)
        super().delete_volume(volume)

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        stats = super().get_volume_stats(refresh)
        return {**stats, "provisioned_capacity_gb": sum(self.sizes.values())}


@mutant("sets-status", RECORD, "sets the status of the record")
class SetsStatus(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        answer = super().create_volume(volume)
        volume.status = "available"
        volume.save()
        return answer


@mutant("sets-size", RECORD, "writes the new size down itself")
class SetsSize(LvmDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        super().extend_volume(volume, new_size)
        volume.size = new_size
        volume.save()


@mutant("changes-destination", "assisted/a_moved_volume_is_gone_from_its_source", "changes what it is told")
class ChangesDestination(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        answer = super().migrate_volume(context, volume, host)
        host["capabilities"].pop("location_info", None)
        return answer


@mutant("answers-host", "assisted/a_moved_volume_is_gone_from_its_source", "answers with the old host")
class AnswersHost(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        moved, update = super().migrate_volume(context, volume, host)
        return moved, {"host": volume.host} if moved else update


@mutant("changes-diff", "retype/specs_that_mean_nothing_are_changed_in_place", "changes the diff of the types")
class ChangesDiff(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        answer = super().retype(context, volume, new_type, dict(diff), host)
        diff["extra_specs"] = None
        return answer


@mutant("keeps-open", "extend/an_extended_volume_is_deleted_as_a_whole", "leaves the image open")
class KeepsOpen(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        self._pool().open(volume.name).__enter__().image.resize(new_size * GIB)


@mutant("limits-ignored", "retype/a_volume_has_the_limits_of_its_type", "creates without limits")
class IgnoresLimits(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        self._pool().create(volume.name, volume.size * GIB)


@mutant("limits-ignored-clone", "retype/a_copy_has_the_limits_of_its_type", "clones without limits")
class IgnoresLimitsOfClones(RbdDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        super().create_cloned_volume(volume, src_vref)
        image = self._pool().image(volume.name)
        for key in [key for key in image.metadata if key.startswith("conf_")]:
            del image.metadata[key]


@mutant("plaintext", "encryption/an_encrypted_volume_holds_its_data", "does not encrypt")
class Plaintext(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        self._pool().create(volume.name, volume.size * GIB)


# ----------------------------------------------------------------------------------------------- images


@mutant("upload-short", "images/an_upload_is_the_whole_volume", "uploads half of the volume")
class UploadsHalf(RbdDriver):
    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        with self._pool().open(volume.name, read_only=True) as handle:
            image_service.upload(image_meta["id"], handle, -(-volume.size // 2))


@mutant("upload-by-id", "images/an_upload_is_the_whole_volume", "uploads what the id names")
class UploadsById(RbdDriver):
    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        with self._pool().open(f"volume-{volume.id}", read_only=True) as handle:
            image_service.upload(image_meta["id"], handle, volume.size)


@mutant("upload-keeps-open", "images/images_leave_nothing", "leaves the volume open after an upload")
class UploadKeepsOpen(RbdDriver):
    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        handle = self._pool().open(volume.name).__enter__()
        image_service.upload(image_meta["id"], handle, volume.size)


@mutant("upload-nothing", "images/a_failed_image_is_told", "says nothing of a failed upload")
class HidesUpload(LvmDriver):
    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        try:
            super().copy_volume_to_image(context, volume, image_service, image_meta)
        except CrucibleError:
            return


@mutant("download-nothing", "images/an_image_is_written_over_the_volume", "does not write the image")
class DownloadsNothing(LvmDriver):
    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: Any, disable_sparse: bool = False
    ) -> None:
        return None


@mutant("download-by-id", "images/an_image_is_written_over_the_volume", "writes over what the id names")
class DownloadsById(RbdDriver):
    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: Any, disable_sparse: bool = False
    ) -> None:
        with self._pool().open(f"volume-{volume.id}") as handle:
            image_service.download(image_id, handle)


@mutant(
    "download-anew", "images/an_image_is_written_over_the_volume", "makes the volume anew, of the image's size"
)
class DownloadsAnew(RbdDriver):
    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: Any, disable_sparse: bool = False
    ) -> None:
        self._pool().remove(volume.name)
        self._pool().create(volume.name, image_service.show(image_id).size)
        with self._pool().open(volume.name) as handle:
            image_service.download(image_id, handle)


@mutant("clone-image-swapped", "image clones/an_image_elsewhere_is_not_cloned", "answers (cloned, update)")
class SwapsAnswer(RbdDriver):
    def clone_image(self, *arguments: Any) -> Any:
        update, cloned = super().clone_image(*arguments)
        return cloned, update


@mutant(
    "clone-image-raises", "image clones/an_image_elsewhere_is_not_cloned", "raises for what it cannot clone"
)
class RaisesForImage(RbdDriver):
    def clone_image(self, *arguments: Any) -> Any:
        update, cloned = super().clone_image(*arguments)
        if not cloned:
            raise VolumeBackendAPIException(data="cannot clone")
        return update, cloned


@mutant("clone-image-not-grown", "image clones/a_cloned_image_is_whole", "is as large as the image")
class CloneOfImageNotGrown(RbdDriver):
    def clone_image(self, context: Any, volume: Any, image_location: Any, image_meta: Any, images: Any) -> Any:
        found = self._cloneable(image_location[0] or image_location[1][0]["url"], image_meta)
        if found is None:
            return None, False
        found[0].clone(found[1], found[2], volume.name, self._pool())
        return None, True


@mutant("clone-image-any-format", "image clones/a_cloned_image_is_whole", "clones qcow2 images")
class ClonesAnyFormat(RbdDriver):
    def clone_image(self, context: Any, volume: Any, image_location: Any, image_meta: Any, images: Any) -> Any:
        return super().clone_image(context, volume, image_location, {"disk_format": "raw"}, images)


@mutant("clone-image-never", "image clones/an_image_at_hand_is_cloned", "clones nothing")
class ClonesNothing(RbdDriver):
    def clone_image(self, *arguments: Any) -> Any:
        return None, False


@mutant(
    "clone-image-claims", "image clones/an_image_elsewhere_is_not_cloned", "says that it has cloned anything"
)
class ClaimsImage(RbdDriver):
    def clone_image(self, *arguments: Any) -> Any:
        return None, True


# ---------------------------------------------------------------------------------------------- manage


@mutant(
    "unmanage-snapshot-deletes", "manage/a_snapshot_that_was_let_go_can_be_taken_over", "deletes the snapshot"
)
class UnmanageDeletesSnapshot(LvmDriver):
    def unmanage_snapshot(self, snapshot: Any) -> None:
        self.delete_snapshot(snapshot)


@mutant(
    "manage-first-snapshot", "manage/a_snapshot_that_was_let_go_can_be_taken_over", "takes the first snapshot"
)
class ManagesFirst(RbdDriver):
    def manage_existing_snapshot(self, snapshot: Any, existing_ref: Any) -> None:
        with self._pool().open(snapshot.volume_name) as handle:
            handle.image.rename_snapshot(handle.image.snapshots[0].name, snapshot.name)


@mutant("lists-nothing", "manage/what_can_be_taken_over_is_listed", "lists nothing")
class ListsNothing(RbdDriver):
    def get_manageable_volumes(self, cinder_volumes: Any) -> Any:
        return []


@mutant("lists-known", "manage/what_can_be_taken_over_is_listed", "offers what Cinder has already")
class OffersKnown(LvmDriver):
    def get_manageable_volumes(self, cinder_volumes: Any) -> Any:
        return super().get_manageable_volumes([])


# ------------------------------------------------------------------------------------- after a migration


@mutant("renamed-empty", "destination/the_answer_names_both_fields", "renames, and answers with an empty dict")
class AnswersEmpty(LvmDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)
        return {}


@mutant("renamed-kept", RENAMED, "renames, and keeps the temporary name on record")
class KeepsNameId(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)
        return {"_name_id": new_volume.name_id, "provider_location": new_volume.provider_location}


@mutant("renamed-backwards", RENAMED, "renames the other way round")
class RenamesBackwards(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        try:
            self._pool().rename(f"volume-{volume.id}", f"volume-{new_volume.id}")
        except (NotFound, AlreadyExists):
            pass
        return {"_name_id": None, "provider_location": None}


@mutant("renamed-anyway", "destination/a_taken_name_is_no_obstacle", "forgets the copy if it cannot be renamed")
class ForgetsCopy(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        answer = super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)
        return answer if original_volume_status == "in-use" else {"_name_id": None, "provider_location": None}


@mutant(
    "renamed-to-earlier", "destination/a_second_migration_arrives_too", "renames to the name of an earlier one"
)
class RenamesToEarlier(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        if original_volume_status != "in-use":
            self._pool().rename(new_volume.name, volume.name)
            return {"_name_id": None, "provider_location": None}
        return super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)


@mutant("location-of-source", RENAMED, "answers with the source's location")
class SourcesLocation(NfsDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        answer = super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)
        return {**answer, "provider_location": volume.provider_location}


@mutant("refusal-copies", "assisted/a_moved_volume_is_gone_from_its_source", "copies what it then refuses")
class CopiesAndRefuses(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        location = (host["capabilities"].get("location_info") or "").split(":")
        if len(location) == 5 and location[4] != self._option("rbd_pool"):
            self._pool().copy(volume.name, self._connect(location[0], location[4]), volume.name)
        return False, None


@mutant(
    "deletes-before-copy", "assisted/a_failed_move_keeps_the_volume", "deletes a source that it could not copy"
)
class DeletesUncopied(LvmDriver):
    def _copy(self, source: str, group: Any, name: str, size_gb: int) -> None:
        try:
            super()._copy(source, group, name, size_gb)
        except CrucibleError:
            self._delete(source, size_gb)
            raise


@mutant("retype-without-limits", "retype/a_retyped_volume_has_the_limits_of_its_type", "sets no new limits")
class SetsNoLimits(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        return True


@mutant("retype-by-id", "retype/a_migrated_volume_is_retyped", "limits the object that the id names")
class RetypesById(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        plain = volume.copy()
        plain.__dict__["_name_id"] = None
        return super().retype(context, plain, new_type, diff, host)


@mutant("retype-raises", "retype/specs_that_mean_nothing_are_changed_in_place", "raises for what it cannot")
class RetypeRaises(LvmDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        raise VolumeBackendAPIException(data="cannot")
