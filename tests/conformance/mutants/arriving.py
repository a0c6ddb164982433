"""The same faults, at the end of a migration and after it, in drivers of every kind.

What a fault does to names is written once; `Volumes`, `Images` and `Files` say how names are changed.
"""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import AlreadyExists
from tests.conformance.mutants.migrating import by_id
from tests.conformance.mutants.planted import mutant


class Volumes(LvmDriver):
    """Names of logical volumes."""

    def has(self, record: Any, name: str) -> bool:
        return name in self.group

    def call(self, record: Any, name: str, new_name: str) -> None:
        self.group.rename(name, new_name)

    def drop(self, record: Any, name: str) -> None:
        self.group.remove(name, cascade=True)


class Images(RbdDriver):
    """Names of images."""

    def has(self, record: Any, name: str) -> bool:
        return name in self._pool()

    def call(self, record: Any, name: str, new_name: str) -> None:
        self._pool().rename(name, new_name)

    def drop(self, record: Any, name: str) -> None:
        self._pool().remove(name)


class Files(NfsDriver):
    """Names of files in the share of a record."""

    def has(self, record: Any, name: str) -> bool:
        return name in self._share(record)

    def call(self, record: Any, name: str, new_name: str) -> None:
        self._share(record).rename(name, new_name)

    def drop(self, record: Any, name: str) -> None:
        self._share(record).remove(name)


class Ending:
    """What is the same of all that end a migration in a way of their own."""

    has: Any
    call: Any
    drop: Any

    def update_migrated_volume(self, ctxt: Any, volume: Any, new_volume: Any, status: str) -> Any:
        if status != "available":
            return super().update_migrated_volume(ctxt, volume, new_volume, status)  # type: ignore[misc]
        self.end(volume, new_volume, f"volume-{volume.id}")
        location = new_volume.provider_location if isinstance(self, NfsDriver) else None
        return {"_name_id": None, "provider_location": location}

    def end(self, volume: Any, new_volume: Any, name: str) -> None:
        """Give the copy the name, or do not."""
        raise NotImplementedError


class Swaps(Ending):
    """Gives the name to the copy, and the copy's to whatever had it (LP 2026718)."""

    def end(self, volume: Any, new_volume: Any, name: str) -> None:
        taken = self.has(new_volume, name)
        if taken:
            self.call(new_volume, name, "swapped")
        self.call(new_volume, new_volume.name, name)
        if taken:
            self.call(new_volume, "swapped", new_volume.name)


class Overwrites(Ending):
    def end(self, volume: Any, new_volume: Any, name: str) -> None:
        if self.has(new_volume, name):
            self.drop(new_volume, name)
        self.call(new_volume, new_volume.name, name)


class Gives(Ending):
    """Has no answer to a name that is taken."""

    def end(self, volume: Any, new_volume: Any, name: str) -> None:
        if self.has(new_volume, name):
            raise AlreadyExists(f"{name} is there")
        self.call(new_volume, new_volume.name, name)


class Earlier(Ending):
    def end(self, volume: Any, new_volume: Any, name: str) -> None:
        if not self.has(new_volume, name):
            self.call(new_volume, new_volume.name, volume.name)


class Nothing(Ending):
    def end(self, volume: Any, new_volume: Any, name: str) -> None:
        return None


class Half:
    """Answers with the name alone."""

    def update_migrated_volume(self, *arguments: Any) -> Any:
        answer = super().update_migrated_volume(*arguments)  # type: ignore[misc]
        return {"_name_id": answer["_name_id"]}


TAKEN, LEADS = "destination/a_taken_name_is_no_obstacle", "destination/the_record_leads_to_the_copy"
AGAIN, FIELDS = "destination/a_second_migration_arrives_too", "destination/the_answer_names_both_fields"
SWAPS, OVER = "swaps the names of copy and original", "a rename overwrites what has the name"
FATAL, EARLIER = "a name that is taken is an error", "renames to the name of an earlier one"
RECORD, HALF = "the record is renamed, the object is not", "answers with the name, and not with the place"


@mutant("renamed-swapped-lvm", TAKEN, SWAPS)
class SwapsVolumes(Swaps, Volumes):
    pass


@mutant("renamed-swapped-rbd", TAKEN, SWAPS)
class SwapsImages(Swaps, Images):
    pass


@mutant("renamed-swapped-nfs", TAKEN, SWAPS)
class SwapsFiles(Swaps, Files):
    pass


@mutant("M03-lvm", TAKEN, OVER, on="lvm-thin")
class OverwritesVolumes(Overwrites, Volumes):
    pass


@mutant("M03-nfs", TAKEN, OVER)
class OverwritesFiles(Overwrites, Files):
    pass


@mutant("M03-nfs-cloud", "migration to/a_copy_within_the_storage_is_whole", OVER)
class OverwritesOriginal(Overwrites, Files):
    pass


@mutant("M02-lvm", TAKEN, FATAL, on="lvm-thin")
class VolumeTakenIsFatal(Gives, Volumes):
    pass


@mutant("M02-nfs", TAKEN, FATAL, on="nfs-qcow2")
class FileTakenIsFatal(Gives, Files):
    pass


@mutant("M02-cloud", "migration to/a_copy_within_the_storage_is_whole", FATAL)
class ImageTakenIsFatal(Gives, Images):
    pass


@mutant("renamed-to-earlier-lvm", AGAIN, EARLIER)
class RenamesToEarlierVolume(Earlier, Volumes):
    pass


@mutant("renamed-to-earlier-nfs", AGAIN, EARLIER)
class RenamesToEarlierFile(Earlier, Files):
    pass


@mutant("M05-rbd", LEADS, RECORD)
class RenamesNoImage(Nothing, Images):
    pass


@mutant("M05-nfs", LEADS, RECORD, on="nfs-qcow2")
class RenamesNoFile(Nothing, Files):
    pass


@mutant("renamed-half-lvm", FIELDS, HALF, on="lvm-thin")
class HalfOfVolume(Half, LvmDriver):
    pass


@mutant("renamed-half-rbd", FIELDS, HALF)
class HalfOfImage(Half, RbdDriver):
    pass


@mutant("renamed-half-nfs", FIELDS, HALF)
class HalfOfFile(Half, NfsDriver):
    pass


class Hides:
    """Says that it has renamed what it could not."""

    def update_migrated_volume(self, ctxt: Any, volume: Any, new_volume: Any, status: str) -> Any:
        answer = super().update_migrated_volume(ctxt, volume, new_volume, status)  # type: ignore[misc]
        return {**answer, "_name_id": None} if status == "available" else answer


HIDDEN = "says that it has renamed what it could not"


@mutant("renamed-hides-lvm", "destination/a_failed_rename_loses_nothing", HIDDEN)
class HidesVolume(Hides, LvmDriver):
    pass


@mutant("renamed-hides-nfs", TAKEN, HIDDEN)
class HidesFile(Hides, NfsDriver):
    pass


@mutant("M01-lvm", "destination/an_object_in_use_stays_where_its_guest_finds_it", "an object in use is renamed")
class RenamesVolumeInUse(LvmDriver):
    def update_migrated_volume(self, ctxt: Any, volume: Any, new_volume: Any, status: str) -> Any:
        return super().update_migrated_volume(ctxt, volume, new_volume, "available")


# ------------------------------------------------------------------------------------- names that are ids


class Ids:
    """Connects, extends, deletes, clones and reverts what the id names."""

    BY_ID: tuple[str, ...] = ()

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name not in type(self).BY_ID:
            return value

        def with_ids(*arguments: Any, **keywords: Any) -> Any:
            return value(
                *(by_id(each) if hasattr(each, "_name_id") else each for each in arguments), **keywords
            )

        return with_ids


CONNECTED, EXTENDED = "names/a_migrated_volume_is_connected", "names/a_migrated_volume_is_extended"
CONNECTS, EXTENDS = "connects what the id names", "extends the object that the id names"


@mutant("M08-lvm", CONNECTED, CONNECTS)
class ConnectsVolumesById(Ids, LvmDriver):
    BY_ID = ("create_export",)


@mutant("M08-nfs", CONNECTED, CONNECTS)
class ConnectsFilesById(Ids, NfsDriver):
    BY_ID = ("initialize_connection",)


@mutant("M09-nfs", "names/a_migrated_volume_is_deleted", "deletes by the id")
class DeletesFilesById(Ids, NfsDriver):
    BY_ID = ("delete_volume",)


@mutant("M09-thin", "names/a_migrated_volume_is_deleted", "deletes by the id", on="lvm-thin")
class DeletesThinById(Ids, LvmDriver):
    BY_ID = ("delete_volume",)


@mutant("extend-by-id-lvm", EXTENDED, EXTENDS, on="lvm-thin")
class ExtendsVolumesById(Ids, LvmDriver):
    BY_ID = ("extend_volume",)


@mutant("extend-by-id-nfs", EXTENDED, EXTENDS, on="nfs-qcow2")
class ExtendsFilesById(Ids, NfsDriver):
    BY_ID = ("extend_volume",)


@mutant("clone-by-id-rbd", "names/a_migrated_volume_is_cloned", "clones the object that the id names")
class ClonesImagesById(Ids, RbdDriver):
    BY_ID = ("create_cloned_volume",)


@mutant("revert-by-id", "names/a_migrated_volume_is_reverted", "reverts the object that the id names")
class RevertsById(Ids, RbdDriver):
    BY_ID = ("revert_to_snapshot",)


@mutant("snapshot-by-id", "names/a_migrated_volume_is_snapshotted", "snapshots the object that the id names")
class SnapshotsById(LvmDriver):
    def create_snapshot(self, snapshot: Any) -> None:
        self._snapshot(f"volume-{snapshot.volume_id}", f"_{snapshot.name}")


@mutant("unexport-by-id", "exports/removing_takes_the_target_away", "removes the export that the id names")
class UnexportsById(Ids, LvmDriver):
    BY_ID = ("remove_export",)


@mutant(
    "snapshot-stays-migrated",
    "names/a_migrated_volume_is_snapshotted",
    "looks for snapshots of the object that the id names, to delete them",
)
class DeletesSnapshotsById(RbdDriver):
    def delete_snapshot(self, snapshot: Any) -> None:
        if f"volume-{snapshot.volume_id}" in self._pool():
            super().delete_snapshot(snapshot)
