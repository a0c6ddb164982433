"""The manager's chapter on exports, connections and attachments."""

from __future__ import annotations

from typing import Any

from fake_backends.connectors import Connection, connect
from harness import errors
from harness.control_plane.encryption import attach_encryptor
from harness.control_plane.start import Start
from harness.control_plane.user_messages import Action
from harness.model import Attachment, ConnectionInfo, Connector, Encryption, Volume


class LocalAttachment:
    """A volume attached to the host of a volume service for a copy.

    `device` is what is copied from or to: a dm-crypt device over the connection's where there is an encryptor.
    While `is_held`, somebody has it open.
    """

    def __init__(self, volume: Volume, connection: Connection) -> None:
        self.volume = volume
        self.connection = connection
        self.device = connection.device
        self.is_held = False

    @property
    def has_path(self) -> bool:
        """False for an RBD handle, which dd cannot use."""
        return self.connection.path is not None


class Connections(Start):
    """Exports and connections (`cinder.volume.manager:VolumeManager`, the methods of the same names)."""

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """Validate, export, connect: what the manager wraps around the driver's three calls."""
        self.require_driver_initialized()
        return self._connection(volume, connector)

    def _connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        try:
            self.drive("validate_connector", connector)
        except errors.InvalidConnectorException as error:
            raise errors.InvalidInput(reason=str(error)) from error
        except Exception as error:
            raise errors.VolumeBackendAPIException(
                data=f"Validate volume connection failed (error: {error})."
            ) from error
        try:
            model_update = self.drive("create_export", self.admin, volume, connector)
        except errors.ServiceError as error:
            # What is no exception of Cinder's, such as a failed command, goes through as it is.
            raise errors.VolumeBackendAPIException(
                data=f"Create export for volume failed ({error})."
            ) from error
        if model_update:
            volume.update(model_update)
            volume.save()
        try:
            info: ConnectionInfo = self.drive("initialize_connection", volume, connector)
        except Exception as error:
            self.drive("remove_export", self.admin, volume)
            raise errors.VolumeBackendAPIException(
                data=f"Driver initialize connection failed (error: {error})."
            ) from error
        return self._with_connection_options(volume, info)

    def _with_connection_options(self, volume: Volume, info: ConnectionInfo) -> ConnectionInfo:
        """QoS, access mode and encryption flag (`VolumeManager._parse_connection_options`)."""
        data: dict[str, Any] = dict(info["data"])
        volume_type = volume.volume_type
        data["qos_specs"] = None
        if volume_type is not None and volume_type.qos_specs is not None:
            qos = volume_type.qos_specs
            if qos.consumer in ("front-end", "both"):
                data["qos_specs"] = dict(qos.specs)
        readonly = "ro" if volume.admin_metadata.get("readonly") == "True" else "rw"
        data["access_mode"] = volume.admin_metadata.get("attached_mode") or readonly
        if data.get("encrypted") is None:
            data["encrypted"] = volume.encryption_key_id is not None
        return {**info, "data": data}

    def terminate_connection(self, volume_id: str, connector: Connector | None, force: bool) -> None:
        """Withdraw access; whatever the driver raises becomes VolumeBackendAPIException."""
        self.require_driver_initialized()
        volume = self.db.get_volume(volume_id)
        try:
            self.drive("terminate_connection", volume, connector, force=force)
        except Exception as error:
            raise errors.VolumeBackendAPIException(
                data=f"Terminate volume connection failed: {error}"
            ) from error

    def remove_export(self, volume_id: str) -> None:
        """Remove the export; whatever the driver raises becomes VolumeBackendAPIException."""
        self.require_driver_initialized()
        volume = self.db.get_volume(volume_id)
        try:
            self.drive("remove_export", self.admin, volume)
        except Exception as error:
            raise errors.VolumeBackendAPIException(data=f"Remove volume export failed: {error}") from error

    # ---------------------------------------------------------------------------------------- attachments

    def attachment_update(self, volume: Volume, connector: Connector, attachment_id: str) -> ConnectionInfo:
        """Connect an attachment's host; the volume becomes attaching (`VolumeManager.attachment_update`).

        What is put on record, and what Nova gets, is the connection's data with the rest beside it
        (`VolumeManager._connection_create`).
        """
        mode = connector.get("mode", "rw")
        self.notify(volume, "attach.start")
        attachment = self.db.get_attachment(attachment_id)
        if attachment.attach_mode:
            mode = attachment.attach_mode
            connector = {**connector, "mode": mode}
        info = self._connection(volume, connector)
        self.db.update(Attachment, attachment_id, {"attach_status": "attaching", "connector": connector})
        try:
            self.require_driver_initialized()
        except errors.DriverNotInitialized as error:
            self.cloud.user_messages.create(volume, Action.UPDATE_ATTACHMENT, error)
            self.db.update(Attachment, attachment_id, {"attach_status": "error_attaching"})
            raise
        self.db.volume_attached(
            attachment_id,
            connector.get("host", ""),
            connector.get("mountpoint", "na"),
            mode,
            mark_attached=False,
        )
        data = info.pop("data")
        return {**data, **info, "attachment_id": attachment_id}

    def attachment_delete(self, attachment_id: str, volume: Volume) -> None:
        """Disconnect an attachment's host; a failing remove_export is only logged."""
        self.require_driver_initialized()
        attachment = self.db.get_attachment(attachment_id)
        self.notify(volume, "detach.start")
        shared = self._connection_terminate(volume, attachment)
        if shared is None or shared:
            return
        try:
            self.drive("remove_export", self.admin, volume)
        except Exception as error:  # noqa: BLE001 (an export that stays does not keep a volume attached)
            self.note("ignored", f"remove_export failed: {error}")

    def _connection_terminate(self, volume: Volume, attachment: Attachment) -> bool | None:
        """None if there was no connection; True if other attachments still use the export."""
        if not attachment.connector:
            return None
        try:
            shared = self.drive("terminate_connection", volume, attachment.connector, force=False)
        except Exception as error:
            raise errors.VolumeBackendAPIException(
                data=f"Terminate volume connection failed: {error}"
            ) from error
        return shared if isinstance(shared, bool) else False

    def attach_volume(
        self,
        volume: Volume,
        instance_uuid: str | None,
        host_name: str | None,
        mountpoint: str | None,
        mode: str,
    ) -> str:
        """Mark the volume as attached, with a new attachment row (the flow of Nova before Queens).

        Nothing is connected. Returns the attachment's id. Source: `VolumeManager.attach_volume`.
        """
        with self.cloud.lock(volume.id):
            wanted = volume.admin_metadata.get("attached_mode")
            if volume.status == "attaching" and wanted and wanted != mode:
                raise errors.InvalidVolume(reason="being attached by different mode")
            for known in self.db.attachments_of(volume.id):
                same = (
                    known.instance_uuid == instance_uuid if instance_uuid else known.attached_host == host_name
                )
                if same:
                    volume.status = "in-use"
                    volume.save()
                    return known.id
            if volume.status == "in-use" and not volume.multiattach and not volume.migration_status:
                raise errors.InvalidVolume(
                    reason="volume is already attached and multiple attachments are not enabled"
                )
            self.notify(volume, "attach.start")
            attachment_id = self.db.create(
                Attachment,
                {"volume_id": volume.id, "instance_uuid": instance_uuid, "attach_status": "attaching"},
            )
            volume.admin_metadata["attached_mode"] = mode
            volume.save()
            try:
                if volume.admin_metadata.get("readonly") == "True" and mode != "ro":
                    raise errors.InvalidVolumeAttachMode(mode=mode, volume_id=volume.id)
                self.require_driver_initialized()
            except errors.ServiceError as error:
                self.cloud.user_messages.create(volume, Action.ATTACH_VOLUME, error)
                self.db.update(Attachment, attachment_id, {"attach_status": "error_attaching"})
                raise
            self.db.volume_attached(attachment_id, host_name or "", mountpoint or "", mode, mark_attached=True)
            volume.refresh()
            self.notify(volume, "attach.end")
            self.note("attach_volume", volume.name)
            return attachment_id

    def detach_volume(self, volume_id: str, attachment_id: str | None) -> None:
        """Mark the volume as detached and remove its export (`VolumeManager.detach_volume`).

        Without an id its only attachment is meant: InvalidVolume if there are several. A volume that has none
        becomes available.
        """
        with self.cloud.lock(f"{volume_id}-detach_volume"):
            volume = self.db.get_volume(volume_id)
            if attachment_id is None:
                attachments = volume.volume_attachment
                if len(attachments) > 1:
                    raise errors.InvalidVolume(
                        reason="Detach volume failed: More than one attachment, but no attachment_id provided."
                    )
                if not attachments:
                    volume.update({"status": "available", "attach_status": "detached"})
                    volume.save()
                    return
                attachment_id = attachments[0].id
            known = attachment_id in self.db.attachments
            if known:
                self.notify(volume, "detach.start")
                try:
                    self.require_driver_initialized()
                except errors.DriverNotInitialized:
                    self.db.update(Attachment, attachment_id, {"attach_status": "error_detaching"})
                    raise
                try:
                    self.drive("remove_export", self.admin, volume)
                except Exception as error:
                    raise errors.RemoveExportException(volume=volume_id, reason=str(error)) from error
            self.db.volume_detached(volume_id, attachment_id)
            if known:
                volume.refresh()
                self.notify(volume, "detach.end")
            self.note("detach_volume", volume.name)

    # ----------------------------------------------------------------------- attaching to our own host

    def attach_volume_here(
        self, volume: Volume, *, remote: bool, encryption: Encryption | None
    ) -> LocalAttachment:
        """Attach to this service's host for a copy (`VolumeManager._attach_volume`).

        `remote` asks the volume's own service for the connection. With `encryption` the device is the
        plaintext one.
        """
        connector = self.connector
        if remote:
            try:
                info = self.messaging.call(_service_of(volume), "initialize_connection", volume, connector)
            except Exception:
                # Nothing is terminated: if the other side got through after all, its connection stays.
                self.db.update(Volume, volume.id, {"status": volume.status})
                raise
        else:
            info = self.initialize_connection(volume, connector)
        attachment: LocalAttachment | None = None
        try:
            self.simulation.visit("os-brick.connect_volume", volume.name)
            attachment = LocalAttachment(volume, connect(self.cloud.world, info, connector))
            if encryption is not None:
                self.simulation.visit("os-brick.attach_encryptor", f"{encryption.provider} on {volume.name}")
                key = self.cloud.key_manager.keys[volume.encryption_key_id or ""]
                attachment.device = attach_encryptor(attachment.connection, encryption, key)
        except Exception:
            self.detach_volume_here(attachment, volume, remote=remote)
            raise
        return attachment

    def detach_volume_here(self, attachment: LocalAttachment | None, volume: Volume, *, remote: bool) -> None:
        """Undo `attach_volume_here` (`VolumeManager._detach_volume`): the remote export goes by a cast.

        ProcessExecutionError, and nothing is undone, if a dm-crypt device is still open.
        """
        if attachment is not None:
            if attachment.is_held and attachment.device is not attachment.connection.device:
                raise errors.ProcessExecutionError(f"cryptsetup luksClose: {volume.name} is still in use.")
            self.simulation.visit("os-brick.disconnect_volume", volume.name)
            attachment.connection.disconnect()
        if remote:
            address = _service_of(volume)
            self.messaging.call(address, "terminate_connection", volume.id, self.connector, True)
            self.messaging.cast(address, "remove_export", volume.id)
        else:
            self.terminate_connection(volume.id, self.connector, True)
            self.remove_export(volume.id)


def _service_of(volume: Volume) -> str:
    """The service that RPC for a volume goes to (`Volume.service_topic_queue`)."""
    return (volume.cluster_name or volume.host or "").partition("#")[0]
