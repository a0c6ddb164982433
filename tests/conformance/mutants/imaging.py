"""Drivers that go wrong with images, limits and what they report of their abilities."""

from __future__ import annotations

from typing import Any

from fake_backends.nfs import qemu_img
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from fake_backends.rbd.type_settings import MULTIATTACH_EXCLUSIONS, QOS_OPTIONS
from harness.errors import InvalidVolume
from harness.model import GIB
from tests.conformance.mutants.planted import mutant

COPIED = "encryption/an_encrypted_volume_is_copied_and_extended"
UPLOAD = "images/an_upload_is_the_whole_volume"


@mutant("upload-sets-status", UPLOAD, "sets the status of the record")
class SetsStatus(RbdDriver):
    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        super().copy_volume_to_image(context, volume, image_service, image_meta)
        volume.status = "uploaded"
        volume.save()


@mutant("upload-first-file", UPLOAD, "uploads the file that was there before the snapshot")
class UploadsFirstFile(NfsDriver):
    def _disk(self, volume: Any) -> Any:
        return qemu_img.open_image(self._share(volume), volume.name, None)


@mutant("upload-not-in-use", "in use/a_volume_in_use_can_be_uploaded", "uploads nothing that is attached")
class UploadsIdle(RbdDriver):
    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        if volume.attach_status == "attached":
            raise InvalidVolume(reason="attached")
        super().copy_volume_to_image(context, volume, image_service, image_meta)


@mutant("download-drops-snapshots", "images/an_image_leaves_snapshots_alone", "removes the snapshots first")
class DropsSnapshots(RbdDriver):
    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: Any, disable_sparse: bool = False
    ) -> None:
        with self._pool().open(volume.name) as handle:
            for snapshot in list(handle.image.snapshots):
                handle.image.unprotect_snapshot(snapshot.name)
                handle.image.remove_snapshot(snapshot.name)
        super().copy_image_to_volume(context, volume, image_service, image_id, disable_sparse)


@mutant(
    "download-plaintext",
    "encryption/an_image_on_an_encrypted_volume_is_read_decrypted",
    "writes images over encrypted volumes as they are",
)
class DownloadsPlaintext(RbdDriver):
    def copy_image_to_encrypted_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: Any, disable_sparse: bool = False
    ) -> None:
        self.copy_image_to_volume(context, volume, image_service, image_id, disable_sparse)


# -------------------------------------------------------------------------------------------------- limits


@mutant("limits-swapped", "retype/a_limit_is_the_one_that_was_meant", "limits writes in place of reads")
class SwapsLimits(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        answer = super().create_volume(volume)
        limits = self._pool().image(volume.name).metadata
        for name in [name for name in limits if "_read_" in name]:
            limits[name.replace("_read_", "_write_")] = limits.pop(name)
        return answer


@mutant("multiattach-exclusive", "retype/multiattach_can_be_switched", "creates multiattach volumes as others")
class CreatesExclusive(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        kind = volume.volume_type
        if kind is not None and kind.multiattach:
            self._pool().create(volume.name, volume.size * GIB)
            return {}
        return super().create_volume(volume)


@mutant(
    "clone-encrypts-anew",
    COPIED,
    "makes an empty volume of its own where a clone is to be encrypted",
)
class EncryptsAnew(RbdDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        if volume.encryption_key_id:
            return self.create_volume(volume)
        return super().create_cloned_volume(volume, src_vref)


@mutant("from-snapshot-encrypted-short", COPIED, "grows an encrypted volume from a snapshot by MiB")
class GrowsByMebibytes(RbdDriver):
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> Any:
        answer = super().create_volume_from_snapshot(volume, snapshot)
        if volume.encryption_key_id and volume.size > snapshot.volume_size:
            size = self._pool().image(snapshot.volume_name).size
            with self._pool().open(volume.name) as handle:
                handle.image.resize(size + ((volume.size - snapshot.volume_size) << 20))
        return answer


@mutant(
    "limits-of-front-end", "retype/a_volume_has_the_limits_of_its_type", "sets limits of the hypervisor, too"
)
class LimitsFrontEnd(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        answer = super().create_volume(volume)
        qos = volume.volume_type.qos_specs if volume.volume_type is not None else None
        with self._pool().open(volume.name) as handle:
            for key, value in qos.specs if qos is not None else ():
                handle.image.config_set(QOS_OPTIONS[key], value)
        return answer


@mutant(
    "multiattach-for-ever",
    "retype/multiattach_can_be_switched",
    "leaves features off that multiattach excludes",
)
class MultiattachForEver(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        answer = super().retype(context, volume, new_type, diff, host)
        with self._pool().open(volume.name) as handle:
            if handle.image.features & MULTIATTACH_EXCLUSIONS:
                handle.image.set_features(handle.image.features & MULTIATTACH_EXCLUSIONS, False)
        return answer


@mutant("retype-both", "retype/a_retyped_volume_has_the_limits_of_its_type", "forgets the consumer both")
class ForgetsBoth(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        if new_type.qos_specs is not None and new_type.qos_specs.consumer == "both":
            return True, None
        return super().retype(context, volume, new_type, diff, host)


@mutant("manage-without-limits", "manage/a_managed_volume_has_the_limits_of_its_type", "sets no limits")
class ManagesUnlimited(RbdDriver):
    def manage_existing(self, volume: Any, existing_ref: Any) -> Any:
        self._pool().rename(existing_ref["source-name"], volume.name)


@mutant("renamed-without-limits", "destination/a_migrated_volume_is_what_its_type_says", "drops the limits")
class RenamesUnlimited(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        self._pool().image(new_volume.name).metadata.clear()
        return super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)


@mutant("renamed-sets-status", "destination/the_answer_names_both_fields", "writes to the temporary record")
class RenamesRecord(RbdDriver):
    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        new_volume.status = "deleted"
        new_volume.save()
        return super().update_migrated_volume(ctxt, volume, new_volume, original_volume_status)


# ----------------------------------------------------------------------------------------------- abilities


@mutant("hides-online-extend", "extend/what_is_not_reported_is_refused", "extends what is attached in secret")
class HidesOnlineExtend(RbdDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {**super().get_volume_stats(refresh), "online_extend_support": False}


@mutant("never-full", "stats/what_is_written_is_not_free", "everything is free for ever")
class NeverFull(RbdDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        stats = super().get_volume_stats(refresh)
        return {**stats, "free_capacity_gb": stats["total_capacity_gb"]}
