"""Faults in how drivers migrate: those that bugs of Cinder's drivers were made of."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import AlreadyExists, NotFound, VolumeBackendAPIException
from tests.conformance.mutants.planted import mutant


def by_id(volume: Any) -> Any:
    """The record as somebody sees it who names objects by the id."""
    plain = volume.copy()
    plain.__dict__["_name_id"] = None
    return plain


@mutant("M01", "destination/an_object_in_use_stays_where_its_guest_finds_it", "an object in use is renamed")
class RenamesInUse(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        return super().update_migrated_volume(ctxt, volume, new_volume, "available")


@mutant("M01-nfs", "destination/an_object_in_use_stays_where_its_guest_finds_it", "an object in use is renamed")
class RenamesAttachedFile(NfsDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        return super().update_migrated_volume(ctxt, volume, new_volume, "available")


@mutant("M02", "destination/a_taken_name_is_no_obstacle", "a name that is taken is an error")
class NameTakenIsFatal(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        if f"volume-{volume.id}" in self._pool():
            raise AlreadyExists("image exists")
        return super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)


@mutant("M03", "destination/a_taken_name_is_no_obstacle", "a rename overwrites what has the name")
class RenameOverwrites(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        if original_volume_status != "in-use" and f"volume-{volume.id}" in self._pool():
            self._pool().remove(f"volume-{volume.id}")
        return super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)


@mutant("M05", "destination/the_record_leads_to_the_copy", "the record is renamed, the object is not")
class RenamesOnlyRecord(LvmDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        return {"_name_id": None, "provider_location": None}


@mutant("M05-none", "destination/the_answer_names_both_fields", "renames, and answers nothing")
class AnswersNothing(LvmDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)
        return None


@mutant("M05-share", "destination/the_record_leads_to_the_copy", "forgets the share of a renamed file")
class ForgetsShare(NfsDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        answer = super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)
        return {**answer, "provider_location": None}


@mutant("M08", "names/a_migrated_volume_is_connected", "objects are named by the id")
class NamesById(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        return super().create_volume(by_id(volume))

    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        return super().initialize_connection(by_id(volume), connector)

    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        raise NotImplementedError


@mutant("M09", "names/a_migrated_volume_is_deleted", "deletes by the id")
class DeletesById(RbdDriver):
    def delete_volume(self, volume: Any) -> None:
        super().delete_volume(by_id(volume))


@mutant("M09-stranger", "names/deleting_a_migrated_volume_spares_its_id", "deletes by the id")
class DeletesStranger(LvmDriver):
    def delete_volume(self, volume: Any) -> None:
        super().delete_volume(by_id(volume))


@mutant(
    "M10", "assisted/moving_within_the_storage_keeps_the_volume", "copies onto itself and deletes the source"
)
class DeletesWithinPool(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        answer = super().migrate_volume(context, volume, host)
        if answer[0] and volume.name in self._pool():
            self._pool().remove(volume.name)
        return answer


@mutant("M12", "assisted/a_moved_volume_is_whole", "copies as many MiB as there are GiB")
class CopiesMebibytes(LvmDriver):
    def _copy(self, source: str, group: Any, name: str, size_gb: int) -> None:
        super()._copy(source, group, name, size_gb / 1024)  # type: ignore[arg-type]


@mutant("M14", "assisted/an_attached_volume_keeps_its_guest", "takes a volume that is retyping from its guest")
class TakesFromGuest(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        image = self._pool().images.get(volume.name)
        if image is not None and volume.status == "retyping":
            location = host["capabilities"]["location_info"].split(":")
            target = self._connect(location[0], location[4])
            self._pool().copy(volume.name, target, volume.name)
            del self._pool().images[volume.name]
            return True, None
        return super().migrate_volume(context, volume, host)


@mutant("M15", "assisted/a_locked_volume_is_moved_like_an_available_one", "moves only what is available")
class OnlyAvailable(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return super().migrate_volume(context, volume, host) if volume.status == "available" else (False, None)


@mutant("M16", "retypes/a_locked_migration_is_the_drivers", "refuses what is in maintenance")
class RefusesMaintenance(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return (
            (False, None) if volume.status == "maintenance" else super().migrate_volume(context, volume, host)
        )


@mutant("M15-retype", "retypes/a_retype_for_the_back_end_alone_is_the_drivers", "refuses what is retyping")
class RefusesRetyping(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return (False, None) if volume.status == "retyping" else super().migrate_volume(context, volume, host)


@mutant("M17", "assisted/a_foreign_destination_is_refused", "raises for a destination of another kind")
class RaisesForForeign(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        moved, update = super().migrate_volume(context, volume, host)
        if not moved:
            raise VolumeBackendAPIException(data="cannot migrate there")
        return moved, update


@mutant(
    "M17-copy", "migration from/a_foreign_destination_gets_a_copy", "raises for a destination of another kind"
)
class RaisesInMigration(RaisesForForeign):
    pass


@mutant("M18", "assisted/a_moved_volume_is_what_its_type_says", "drops the limits of the volume's type")
class DropsLimits(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        answer = super().migrate_volume(context, volume, host)
        location = (host["capabilities"].get("location_info") or "").split(":")
        if answer[0] and len(location) == 5:
            image = self._connect(location[0], location[4]).image(volume.name)
            for key in [key for key in image.metadata if key.startswith("conf_")]:
                del image.metadata[key]
        return answer


@mutant("M20", "retype/a_retype_to_another_back_end_is_refused", "claims to have retyped to another back-end")
class ClaimsRetype(NfsDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        return True


@mutant(
    "M22", "retype/specs_that_mean_nothing_are_changed_in_place", "refuses for specs that mean nothing to it"
)
class RefusesSpecs(LvmDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        return not diff["extra_specs"]


@mutant("M22-cloud", "retypes/a_retype_in_place_copies_nothing", "refuses for specs that mean nothing to it")
class RefusesSpecsInCloud(RefusesSpecs):
    pass


@mutant("M24", "encryption/an_encrypted_volume_migrates_whole", "an encrypted object is larger than its record")
class LargerWhenEncrypted(LvmDriver):
    def create_volume(self, volume: Any) -> None:
        super().create_volume(volume)
        if volume.encryption_key_id:
            self.group.extend(volume.name, (volume.size << 30) + (16 << 20))


@mutant(
    "assisted-never", "assisted/volumes_move_within_the_storage_system", "takes its own cluster for another"
)
class NeverAssists(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return False, None


@mutant("deletes-original", "names/a_migrated_volume_is_deleted", "deletes by the id at the end of a migration")
class DeletesOriginal(RbdDriver):
    def delete_volume(self, volume: Any) -> None:
        super().delete_volume(by_id(volume) if volume.migration_status == "deleting" else volume)


@mutant(
    "retype-keeps-limits", "retype/a_retyped_volume_has_the_limits_of_its_type", "keeps limits of the old type"
)
class KeepsLimits(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        return super().retype(context, volume, new_type, {**diff, "qos_specs": {}}, host)


@mutant("rename-fails", "destination/a_taken_name_is_no_obstacle", "has no answer when a name is taken")
class NoAnswerForTakenName(LvmDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        answer = super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)
        if answer["_name_id"] is not None and original_volume_status == "available":
            raise KeyError("provider_location")
        return answer


@mutant(
    "assisted-source-stays",
    "assisted/a_moved_volume_is_gone_from_its_source",
    "leaves the volume at its source",
)
class SourceStays(LvmDriver):
    def _delete(self, name: str, size_gb: int) -> None:
        return None


@mutant(
    "assisted-reversed",
    "assisted/a_moved_volume_is_whole",
    "answers (update, moved), as the old docstring said",
)
class ReversedAnswer(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        moved, update = super().migrate_volume(context, volume, host)
        return update, moved


@mutant(
    "assisted-claims", "assisted/a_moved_volume_is_gone_from_its_source", "says that it moved what it did not"
)
class ClaimsMove(NfsDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return True, None


@mutant(
    "assisted-ignores-failure", "assisted/a_failed_move_keeps_the_volume", "deletes the source of a failed copy"
)
class DeletesAfterFailure(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        try:
            return super().migrate_volume(context, volume, host)
        except (NotFound, VolumeBackendAPIException):
            super()._delete(volume.name, volume.size)
            return True, None


@mutant("assisted-by-id", "assisted/a_volume_moves_under_its_name_id", "moves the object that the id names")
class MovesById(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return super().migrate_volume(context, by_id(volume), host)


@mutant("assisted-location", "assisted/a_destination_without_location_is_refused", "needs location_info")
class NeedsLocation(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        host["capabilities"]["location_info"].split(":")
        return super().migrate_volume(context, volume, host)


@mutant(
    "generic-needs-own-fields", "destination/fields_of_another_driver_do_no_harm", "trusts provider_location"
)
class TrustsLocation(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        if volume.provider_location:
            return None
        return super().create_volume(volume)
