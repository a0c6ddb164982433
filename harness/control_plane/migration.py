"""The manager's chapter on migration: driver-assisted or generic, completion, swap, and every wart.

Sources: `cinder.volume.manager:VolumeManager.migrate_volume`, `_migrate_volume_generic`,
`_copy_volume_data`, `_clean_temporary_volume`, `migrate_volume_completion`, `update_migrated_volume`;
`cinder.objects.volume:Volume.finish_volume_migration`.
"""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.connections import Connections
from harness.control_plane.copying import Copy, copy_time_us, copy_volume
from harness.control_plane.volume_types import encryption_changed
from harness.model import GIB, Attachment, Encryption, ModelUpdate, TypesDiff, Volume

SECOND_US = 1_000_000

NOT_COPIED_TO_TEMPORARY = frozenset(
    {"id", "_name_id", "host", "cluster_name", "availability_zone", "snapshot_id", "source_volid", "status",
     "attach_status", "migration_status", "use_quota"}
)  # fmt: skip
"""`VolumeManager._VOLUME_CLONE_SKIP_PROPERTIES` and the fields set explicitly. provider_* *are* copied."""

NOT_SWAPPED = frozenset(
    {"id", "_name_id", "provider_location", "glance_metadata", "use_quota", "migration_status", "status",
     "display_description", "volume_type_id"}
)  # fmt: skip
"""Fields that `finish_volume_migration` leaves alone or treats in its own way."""


class Migration(Connections):
    """Runs on the *source*'s service, except `update_migrated_volume`, which runs on the destination's."""

    def migrate_volume(
        self,
        volume: Volume,
        host: dict[str, Any],
        force_host_copy: bool,
        new_type_id: str | None = None,
        diff: TypesDiff | None = None,
    ) -> None:
        """Move the volume to ``host["host"]``; the migration_status tells how it went."""
        try:
            self.require_driver_initialized()
        except errors.DriverNotInitialized:
            # The status is not restored here: a locked volume stays in maintenance.
            volume.migration_status = "error"
            volume.save()
            raise
        restored: ModelUpdate = {}
        if volume.status in ("retyping", "maintenance"):
            restored = {"status": volume.previous_status}
        volume.migration_status = "migrating"
        volume.save()
        self.note("migrate_volume", f"to {host['host']}")
        try:
            moved = False
            if not volume.volume_attachment and not force_host_copy and can_use_driver_migration(diff):
                moved = self._migrate_assisted(volume, host, new_type_id, restored)
            if not moved:
                self._migrate_generic(volume, host, new_type_id)
        except Exception as error:
            volume.update({"migration_status": "error", **restored})
            volume.save()
            self.note("migration failed", str(error))
            raise

    # ------------------------------------------------------------------------------------------- assisted

    def _migrate_assisted(
        self, volume: Volume, host: dict[str, Any], new_type_id: str | None, restored: ModelUpdate
    ) -> bool:
        """Let the driver try. An exception is final: there is no fallback to the generic path."""
        moved, model_update = self.drive("migrate_volume", self.admin, volume, host)
        if not moved:
            self.note("driver.migrate_volume refused", "generic migration follows")
            return False
        service = self.db.service(host["host"].partition("#")[0])
        volume.update(
            {
                "host": host["host"],
                "cluster_name": host.get("cluster_name"),
                "migration_status": "success",
                "availability_zone": service.availability_zone,
                "previous_status": volume.status,
                "service_uuid": service.uuid,
                **restored,
                **(model_update or {}),
                **({"volume_type_id": new_type_id} if new_type_id else {}),
            }
        )
        volume.save()
        self.note("driver moved the volume", host["host"])
        return True

    # -------------------------------------------------------------------------------------------- generic

    def _migrate_generic(self, volume: Volume, host: dict[str, Any], new_type_id: str | None) -> None:
        """Create a temporary volume there, copy, complete. Attached volumes are copied by Nova."""
        temporary = self._create_temporary(volume, host, new_type_id)
        self._wait_for_temporary(volume, temporary)
        lineage = {field: getattr(volume, field) for field in ("snapshot_id", "source_volid")}
        if any(lineage.values()):
            temporary.update({field: value for field, value in lineage.items() if value})
            temporary.save()
        try:
            attachments = volume.volume_attachment
            if not attachments:
                self.drive("before_volume_copy", self.admin, volume, temporary, remote="dest")
                self._copy_volume_data(volume, temporary)
                self.drive("after_volume_copy", self.admin, volume, temporary, remote="dest")
                self.migrate_volume_completion(volume, temporary, False)
            else:
                # Nova copies, and calls the completion when it has. This returns as soon as it accepts.
                for attachment in attachments:
                    self.note("nova.update_server_volume", f"server {attachment.instance_uuid}")
                    self.cloud.nova.update_server_volume(
                        attachment.instance_uuid or "", volume.id, temporary.id
                    )
        except Exception:
            self._clean_temporary(volume, temporary)
            raise

    def _create_temporary(self, volume: Volume, host: dict[str, Any], new_type_id: str | None) -> Volume:
        """The second record. Provider fields of the *source* come along until the driver overwrites them."""
        values = {
            field: getattr(volume, field) for field in Volume.DEFAULTS if field not in NOT_COPIED_TO_TEMPORARY
        }
        if volume.hides_admin_metadata:
            del values["admin_metadata"]
        if new_type_id:
            values["volume_type_id"] = new_type_id
            if encryption_changed(self.db, volume.volume_type_id, new_type_id):
                encrypted = self.db.get_volume_type(new_type_id).encryption is not None
                values["encryption_key_id"] = self.cloud.key_manager.create_key() if encrypted else None
        service = self.db.service(host["host"].partition("#")[0])
        values.update(
            host=host["host"],
            cluster_name=host.get("cluster_name"),
            availability_zone=service.availability_zone,
            status="creating",
            attach_status="detached",
            migration_status=f"target:{volume.id}",
            use_quota=False,
        )
        temporary = self.db.get_volume(self.db.create(Volume, values))
        self.note("create temporary volume", temporary.name)
        self.messaging.cast(self._address(temporary), "create_volume", temporary)
        return temporary

    def _wait_for_temporary(self, volume: Volume, temporary: Volume) -> None:
        """Poll after 0, 1, 5, 14, 30... seconds. `available` counts even behind the deadline."""
        kernel = self.simulation.kernel
        deadline_us = kernel.now_us + self._create_timeout_s * SECOND_US
        temporary.refresh()
        tries = 0
        while temporary.status != "available":
            tries += 1
            if temporary.status == "error":
                reason = "failed to create new_volume on destination"
            elif kernel.now_us > deadline_us:
                reason = "timeout creating new_volume on destination"
            else:
                kernel.sleep(tries**2 * SECOND_US)
                temporary.refresh()
                continue
            # Only the record goes: nothing was created, or so Cinder believes.
            self._clean_temporary(volume, temporary, only_record=True)
            raise errors.VolumeMigrationFailed(reason=reason)

    @property
    def _create_timeout_s(self) -> int:
        """`migration_create_volume_timeout_secs` of the source's node."""
        return int(self.cloud.node_options(self.plan)["migration_create_volume_timeout_secs"])

    def _clean_temporary(self, volume: Volume, temporary: Volume, *, only_record: bool = False) -> None:
        """Delete the temporary volume, unless the completion has begun: then only its state is cleared."""
        try:
            if volume.migration_status != "migrating":
                temporary.migration_status = None
                temporary.save()
            elif only_record:
                self.db.destroy_volume(temporary.id)
                self.note("destroy temporary record", temporary.name)
            else:
                self.messaging.cast(self._address(temporary), "delete_volume", temporary)
        except errors.VolumeNotFound:
            self.note("ignored", f"temporary volume {temporary.name} is gone already")

    def _copy_volume_data(self, volume: Volume, temporary: Volume) -> None:
        """Attach both to this host, the destination first, and copy (`_copy_volume_data`).

        Encryptors are attached only if the encryption of the types differs: otherwise ciphertext is copied.
        """
        through_encryptors = encryption_changed(self.db, volume.volume_type_id, temporary.volume_type_id)
        destination = self.attach_volume_here(
            temporary, remote=True, encryption=_encryption(temporary, through_encryptors)
        )
        try:
            source = self.attach_volume_here(
                volume, remote=False, encryption=_encryption(volume, through_encryptors)
            )
        except Exception:
            self.detach_volume_here(destination, temporary, remote=True)
            raise
        # Outside of any try: if the destination does not answer, both stay attached.
        capabilities = self.messaging.call(self._address(temporary), "get_capabilities", False)
        size = volume.size * GIB
        self.cloud.copies[volume.id] = Copy(self.simulation.kernel.now_us, copy_time_us(size))
        try:
            copy_volume(
                source.device,
                destination.device,
                volume.size,
                paths=source.has_path and destination.has_path,
                sparse=bool(capabilities.get("sparse_copy_volume", False)),
                points=self.simulation,
            )
        except Exception:
            # The file objects of the loop are in the frames of the error, and open as long as it is handled.
            source.is_held = destination.is_held = not (source.has_path and destination.has_path)
            raise
        finally:
            self.cloud.copies.pop(volume.id, None)
            try:
                self.detach_volume_here(destination, temporary, remote=True)
            finally:
                self.detach_volume_here(source, volume, remote=False)

    @staticmethod
    def _address(volume: Volume) -> str:
        return (volume.cluster_name or volume.host or "").partition("#")[0]

    # ----------------------------------------------------------------------------------------- completion

    def migrate_volume_completion(self, volume: Volume, temporary: Volume, error: bool) -> str:
        """Swap the records and delete the old object; returns the id of the volume that goes on.

        Called in process after an offline copy, and by message when Nova has copied.
        """
        try:
            self.require_driver_initialized()
        except errors.DriverNotInitialized:
            volume.migration_status = "error"
            volume.save()
            raise
        original_status = volume.previous_status
        if error:
            self.messaging.cast(self._address(temporary), "delete_volume", temporary)
            volume.update({"migration_status": "error", "status": original_status})
            volume.save()
            self.note("migrate_volume_completion", "error: the temporary volume is deleted")
            return volume.id
        volume.migration_status = "completing"
        volume.save()
        self.note("migrate_volume_completion", f"original status {original_status}")
        in_old_flow = self._detach_in_old_flow(volume, original_status)
        self.messaging.call(
            self._address(temporary), "update_migrated_volume", volume, temporary, original_status
        )
        volume.refresh()
        temporary.refresh()
        finish_volume_migration(volume, temporary)
        updates = {"status": original_status, "previous_status": volume.status, "migration_status": "success"}
        if original_status == "in-use" and volume.status in ("available", "reserved", "attaching"):
            for attachment in in_old_flow:
                self.messaging.call(
                    self._address(volume), "attach_volume", volume, attachment.instance_uuid,
                    attachment.attached_host, attachment.mountpoint, attachment.attach_mode or "rw",
                )  # fmt: skip
        volume.update(updates)
        volume.save()
        self.note("records swapped", f"{volume.id} is now on {volume.host}")
        self.messaging.cast(self._address(temporary), "delete_volume", temporary)
        for attachment in self.db.attachments_of(temporary.id):
            self.db.update(Attachment, attachment.id, {"volume_id": volume.id})
        return volume.id

    def _detach_in_old_flow(self, volume: Volume, original_status: str | None) -> list[Attachment]:
        """Detach what is still attached, and return it, for after the swap the new volume takes its place.

        Nova has deleted the attachment by now, unless it attached in the manner of before Queens.
        """
        if original_status != "in-use" or volume.status == "available":
            return []
        for attachment in volume.volume_attachment:
            try:
                self.detach_volume(volume.id, attachment.id)
            except Exception as error:  # noqa: BLE001 (whatever the driver raises is only logged)
                self.note("ignored", f"detach_volume failed: {error}")
        return volume.volume_attachment

    def update_migrated_volume(self, volume: Volume, temporary: Volume, original_status: str) -> None:
        """Ask the destination's driver for the final names, and store them crosswise.

        None and {} do not mean "no change": src gets the defaults, and the temporary record keeps what it
        has, so that its deletion may address the wrong object.
        """
        fields: ModelUpdate = {
            "_name_id": temporary.name_id, "provider_location": temporary.provider_location
        }  # fmt: skip
        try:
            answer = self.drive("update_migrated_volume", self.admin, volume, temporary, original_status)
        except NotImplementedError:
            answer = dict(fields)
        if answer:
            fields.update(answer)
            # A field that volumes do not have is an AttributeError, and the migration does not complete.
            temporary.update(
                {key: getattr(volume, key) for key in answer if key != "metadata" or volume.metadata}
            )
            temporary.save()
        volume.update(fields)
        volume.save()
        self.note("update_migrated_volume", f"_name_id {fields['_name_id']}")


def finish_volume_migration(volume: Volume, temporary: Volume) -> None:
    """Swap the two records, field by field (`cinder.objects.volume:Volume.finish_volume_migration`).

    Edits that the owner made to the volume meanwhile go to the temporary record, and are lost with it.
    """
    hidden = {"admin_metadata"} if volume.hides_admin_metadata else set()
    for field in Volume.DEFAULTS:
        if field not in NOT_SWAPPED | hidden:
            ours, theirs = getattr(volume, field), getattr(temporary, field)
            setattr(volume, field, theirs)
            setattr(temporary, field, ours)
    if not temporary._name_id:
        temporary._name_id = volume.id
    volume.migration_status = None
    temporary.migration_status = "deleting"
    volume.status = temporary.status
    temporary.status = "deleting"
    volume.display_description = temporary.display_description
    temporary.display_description = f"migration src for {volume.id}"
    volume.volume_type_id = temporary.volume_type_id
    volume.save()
    temporary.save()


def can_use_driver_migration(diff: TypesDiff | None) -> bool:
    """False as soon as the types' diff has anything but the back-end's name and zones.

    The diff contains what the types have *in common* too (`VolumeManager._can_use_driver_migration`).
    """
    if not diff:
        return True
    if diff["qos_specs"] or diff["encryption"]:
        return False
    return not set(diff["extra_specs"]) - {"volume_backend_name", "RESKEY:availability_zones"}


def _encryption(volume: Volume, wanted: bool) -> Encryption | None:
    volume_type = volume.volume_type
    return volume_type.encryption if wanted and volume_type is not None else None
