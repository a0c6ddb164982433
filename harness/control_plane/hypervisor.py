"""Nova, as far as volumes are concerned: attach, detach, and the swap that migrates an attached volume.

Sources: `nova.compute.api:API.swap_volume`, `nova.compute.manager:ComputeManager.swap_volume`,
`nova.virt.libvirt.driver:LibvirtDriver.swap_volume`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fake_backends.block_store import BlockDevice
from fake_backends.connectors import Connection, connect
from fake_backends.luks import LuksDevice, provider_of
from fake_backends.nfs import qemu_img
from harness import errors
from harness.control_plane.copying import Copy, copy_time_us
from harness.control_plane.encryption import attach_encryptor
from harness.control_plane.manager_base import host_connector
from harness.control_plane.nova_profiles import NovaProfile
from harness.control_plane.servers import SWAPPABLE_STATES, Disk, Server
from harness.model import Attachment, ConnectionInfo, Context, Encryption, Volume

if TYPE_CHECKING:
    from harness.control_plane.face import ControlPlane


class Nova:
    """The compute API and the compute services. Nova talks to Cinder with an admin's token."""

    def __init__(self, cloud: ControlPlane, profile: NovaProfile) -> None:
        self.cloud = cloud
        self.profile = profile
        self.servers: dict[str, Server] = {}
        self.copies: dict[str, Copy] = {}
        """The mirror jobs that run, by the id of the volume that is copied."""
        self.swap_allowed = True
        self.cross_az_attach = True
        self.context = Context("nova", "service", is_admin=True, service=True)

    def create_server(self, name: str, *, availability_zone: str = "nova") -> Server:
        """A running server on a compute host of its own."""
        server = Server(name, f"compute{len(self.servers) + 1}", availability_zone)
        self.servers[name] = server
        return server

    # ------------------------------------------------------------------------------------- attach, detach

    def attach_volume(self, server: Server, volume_id: str) -> Disk:
        """Reserve, connect, complete; on a failure the attachment is deleted and the error goes on."""
        attachments = self.cloud.attachments
        attachment = attachments.create(self.context, volume_id, server.id)
        try:
            attachment = attachments.update(self.context, attachment.id, host_connector(server.host))
            volume = self.cloud.database.get_volume(volume_id)
            connection, device = self._connect(volume, attachment, server)
            attachments.complete(self.context, attachment.id)
        except Exception:
            attachments.delete(self.context, attachment.id)
            raise
        disk = Disk(volume_id, attachment.id, connection, device, attachment.attach_mode or "rw")
        server.disks[volume_id] = disk
        return disk

    def plug(self, server: Server, attachment: Attachment, info: ConnectionInfo) -> Disk:
        """Give a server the disk of an attachment that is in the records already."""
        attachment.connection_info = info
        volume = self.cloud.database.get_volume(attachment.volume_id)
        connection, device = self._connect(volume, attachment, server)
        disk = Disk(volume.id, attachment.id, connection, device, attachment.attach_mode or "rw")
        server.disks[volume.id] = disk
        return disk

    def detach_volume(self, server: Server, volume_id: str) -> None:
        """The device goes away from the guest, then the attachment is deleted."""
        self.cloud.api.begin_detaching(self.context, volume_id)
        disk = server.disks.pop(volume_id)
        self.cloud.simulation.visit("nova.detach_volume", f"{volume_id} from {server.id}")
        disk.connection.disconnect()
        self.cloud.attachments.delete(self.context, disk.attachment_id)

    def _connect(
        self, volume: Volume, attachment: Attachment, server: Server
    ) -> tuple[Connection, BlockDevice]:
        """Connect on the compute host, and decrypt: QEMU does it for luks, dm-crypt for everything else."""
        info = attachment.connection_info or {}
        self.cloud.simulation.visit("nova.connect_volume", f"{volume.name} on {server.host}")
        connection = connect(self.cloud.world, info, host_connector(server.host))
        encryption = self._encryption(volume)
        try:
            disk = connection.disk()
            if encryption is None:
                return connection, disk
            key = self.cloud.key_manager.keys[volume.encryption_key_id or ""]
            if encryption.provider == "luks" and provider_of(disk) is not None:
                return connection, LuksDevice(disk, key)
            return connection, attach_encryptor(connection, encryption, key)
        except Exception:
            connection.disconnect()
            raise

    @staticmethod
    def _encryption(volume: Volume) -> Encryption | None:
        volume_type = volume.volume_type
        return volume_type.encryption if volume_type and volume.encryption_key_id else None

    def reboot(self, server: Server) -> None:
        """A hard reboot: every disk is connected anew, as its attachment describes it by now.

        Source: `nova.virt.block_device:DriverVolumeBlockDevice.refresh_connection_info`.
        """
        for volume_id, disk in server.disks.items():
            disk.connection.disconnect()
            attachment = self.cloud.database.get_attachment(disk.attachment_id)
            volume = self.cloud.database.get_volume(volume_id)
            disk.connection, disk.device = self._connect(volume, attachment, server)

    def extend_volume(self, server_ids: Sequence[str], volume_id: str) -> bool:
        """The event ``volume-extended``: guests see the new size. False if Nova knows none of the servers."""
        known = [server_id for server_id in server_ids if server_id in self.servers]
        for server_id in known:
            self.cloud.simulation.record("nova.extend_volume", f"{volume_id} on {server_id}")
        return bool(known)

    # ---------------------------------------------------------------------------------- assisted snapshots

    def create_volume_snapshot(self, volume_id: str, create_info: dict[str, Any]) -> None:
        """The guest goes on in a file that the driver has made over the one it has written to so far.

        Source: `nova.virt.libvirt.driver:LibvirtDriver.volume_snapshot_create`.
        """
        server = self._server_with(volume_id)
        self.cloud.simulation.visit("nova.volume_snapshot_create", f"{volume_id} on {server.id}")
        disk = server.disks[volume_id]
        attachment = self.cloud.database.get_attachment(disk.attachment_id)
        data = {**(attachment.connection_info or {}), "name": create_info["new_file"], "format": "qcow2"}
        disk.connection = connect(self.cloud.world, data, host_connector(server.host))
        disk.device = disk.connection.disk()

    def delete_volume_snapshot(self, volume_id: str, delete_info: dict[str, Any]) -> None:
        """QEMU pulls what is below the active file into it, or commits a file below it into its backing file.

        Source: `nova.virt.libvirt.driver:LibvirtDriver.volume_snapshot_delete`.
        """
        server = self._server_with(volume_id)
        self.cloud.simulation.visit("nova.volume_snapshot_delete", f"{volume_id} on {server.id}")
        disk = server.disks[volume_id]
        attachment = self.cloud.database.get_attachment(disk.attachment_id)
        data = attachment.connection_info or {}
        share = self.cloud.world.shares[data["export"]]
        merged, target = delete_info["file_to_merge"], delete_info["merge_target_file"]
        if target is None:
            qemu_img.pull(share, data["name"], down_to=merged)
        else:
            above = qemu_img.above(share, data["name"], merged)
            qemu_img.commit(share, merged)
            qemu_img.rebase(share, above, target)
        disk.device = disk.connection.disk()

    def _server_with(self, volume_id: str) -> Server:
        for server in self.servers.values():
            if volume_id in server.disks:
                return server
        raise errors.NovaBadRequest(reason=f"No instance has volume {volume_id}")

    # ----------------------------------------------------------------------------------------------- swap

    def update_server_volume(self, server_id: str, volume_id: str, new_volume_id: str) -> None:
        """PUT os-volume_attachments: check, reserve, and leave the rest to the compute service.

        Raises what the compute API answers: 400, 403, 404 or 409.
        """
        server = self._swappable_server(server_id)
        volume = self.cloud.database.get_volume(volume_id)
        new_volume = self.cloud.database.get_volume(new_volume_id)
        self._check_volumes(server, volume, new_volume)
        attachments = self.cloud.attachments
        self.cloud.api.begin_detaching(self.context, volume_id)
        try:
            attachment = attachments.create(self.context, new_volume_id, server_id)
        except Exception:
            self.cloud.api.roll_detaching(self.context, volume_id)
            raise
        self.cloud.simulation.kernel.spawn(
            "nova-compute", self._swap_volume, server, volume_id, new_volume_id, attachment, delay_us=1_000
        )

    def _swappable_server(self, server_id: str) -> Server:
        if server_id not in self.servers:
            raise errors.ServerNotFound(server_id=server_id)
        server = self.servers[server_id]
        if not self.swap_allowed:
            raise errors.NovaForbidden(
                reason="Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed."
            )
        if server.state not in SWAPPABLE_STATES:
            raise errors.NovaConflict(
                reason=f"Cannot 'swap_volume' instance {server_id} while it is in vm_state {server.state}"
            )
        return server

    def _check_volumes(self, server: Server, volume: Volume, new_volume: Volume) -> None:
        if self.profile.only_for_cinder and not volume.migration_status:
            raise errors.NovaConflict(reason="A volume swap must be started by Cinder's migration or retype")
        if volume.id not in server.disks or new_volume.attach_status != "detached":
            raise errors.NovaBadRequest(reason=f"Invalid volume: {volume.id} or {new_volume.id}")
        if new_volume.size < volume.size:
            raise errors.NovaBadRequest(reason="Old volume is attached to a different size of new volume")
        if not self.cross_az_attach and server.availability_zone != new_volume.availability_zone:
            raise errors.NovaBadRequest(
                reason=f"Instance {server.id} and volume {new_volume.id} are not in the same availability_zone"
            )
        writers = [each for each in volume.volume_attachment if each.attach_mode != "ro"]
        if len(writers) > 1:
            raise errors.NovaBadRequest(
                reason=f"Swapping multi-attach volume {volume.id} with more than one read/write attachment is "
                "not supported"
            )

    def _swap_volume(self, server: Server, volume_id: str, new_volume_id: str, new: Attachment) -> None:
        """The compute service's part; it ends by telling Cinder, unless the deletion of an attachment fails.

        Only of what is `migrating` when it begins: other swaps are none of Cinder's, and the disk is then of
        the new volume. Nova's own record of the disk changes last.
        """
        attachments = self.cloud.attachments
        disk = server.disks[volume_id]
        for_cinder = self.cloud.database.get_volume(volume_id).migration_status == "migrating"
        save_volume_id = new_volume_id
        failure: Exception | None = None
        try:
            self._copy_to_new(server, disk, new_volume_id, new)
        except Exception as error:  # noqa: BLE001 (whatever went wrong, the swap is rolled back)
            failure = error
            self.cloud.simulation.record("nova.swap_volume failed", str(error))
            self.cloud.api.roll_detaching(self.context, volume_id)
        attachments.delete(self.context, new.id if failure else disk.attachment_id)
        if for_cinder:
            save_volume_id = self.cloud.api.migrate_volume_completion(
                self.context, volume_id, new_volume_id, error=failure is not None
            )
        if failure is None:
            disk.volume_id, disk.attachment_id = save_volume_id, new.id
            server.disks[save_volume_id] = server.disks.pop(volume_id)

    def _copy_to_new(self, server: Server, disk: Disk, new_volume_id: str, new: Attachment) -> None:
        """Connect the new volume, mirror, pivot, let go of the old one, mark the attachment as attached."""
        database = self.cloud.database
        new = self.cloud.attachments.update(self.context, new.id, host_connector(server.host))
        volume = database.get_volume(disk.volume_id)
        new_volume = database.get_volume(new_volume_id)
        for each in (volume, new_volume):
            encryption = self._encryption(each)
            if encryption is not None and encryption.provider == "luks":
                raise errors.SwapNotSupported(reason="Swap volume is not supported for encrypted volumes")
        old_connection = disk.connection
        connection, device = self._connect(new_volume, new, server)
        try:
            if self.profile.needs_host_device and connection.path is None:
                raise errors.SwapNotSupported(reason="Swap only supports host devices")
            now_us = self.cloud.simulation.kernel.now_us
            self.copies[volume.id] = Copy(now_us, copy_time_us(disk.device.size))
            disk.mirror_to(connection, device, self.cloud.simulation)
        except Exception:
            connection.disconnect()
            raise
        finally:
            self.copies.pop(volume.id, None)
        old_connection.disconnect()
        self.cloud.attachments.complete(self.context, new.id)
