"""The API: what a request is checked for, what it writes at once, and whom it tells.

Source: `cinder.volume.api:API` and its siblings; HTTP codes are those that the REST layer answers with. Every
state check is one atomic compare-and-swap, so the text of a refusal lists all conditions at once, as Cinder's
does. Cinder's volume API is one class; here it is a chain of chapters, each in a file of its own, as the volume
manager is. Every function takes the caller's `Context` first and raises `harness.errors.ServiceError`.

`Cloud.api`, the volume API, by chapter:

    creation     create_volume(size, name, description, volume_type, snapshot_id, source_volid, image_id,
                 backup_id, group_id, metadata, availability_zone, scheduler_hints, host)
    volumes      get(volume_id) · list_volumes(all_tenants) · delete_volume(volume_id, force, cascade) ·
                 update_volume(volume_id, name, description, metadata) ·
                 extend_volume(volume_id, new_size, microversion) · extend_volume_completion(volume_id, error)
    metadata     create_metadata(volume_id, metadata) · update_metadata(volume_id, metadata, delete) ·
                 delete_metadata(volume_id, key) · set_image_metadata · delete_image_metadata ·
                 set_bootable(volume_id, bootable) · update_readonly_flag(volume_id, readonly)
    snapshots    get_snapshot(snapshot_id) · list_snapshots(all_tenants) · create_snapshot(volume_id, name,
                 description, metadata, force, microversion) · delete_snapshot(snapshot_id, force) ·
                 update_snapshot · update_snapshot_metadata · delete_snapshot_metadata ·
                 reset_snapshot_status(snapshot_id, status) ·
                 update_snapshot_status(snapshot_id, status, progress) ·
                 revert_to_snapshot(volume_id, snapshot_id)
    connections  reserve · unreserve · begin_detaching · roll_detaching (volume_id) · attach(volume_id,
                 instance_uuid, host_name, mountpoint, mode) · detach(volume_id, attachment_id) ·
                 initialize_connection(volume_id, connector) · terminate_connection(volume_id, connector) ·
                 force_detach(volume_id, attachment_id, connector)
    images       upload_image(volume_id, image_name, force, disk_format, container_format, visibility,
                 protected) · reimage(volume_id, image_id, reimage_reserved)
    moves        migrate_volume(volume_id, host, cluster, force_host_copy, lock_volume) ·
                 migrate_volume_completion(volume_id, new_volume_id, error) ·
                 retype(volume_id, new_type, migration_policy)
    manage       manage_volume(host, ref, name, description, volume_type, metadata, availability_zone,
                 bootable) · unmanage_volume(volume_id) · get_manageable_volumes(host) ·
                 manage_snapshot(volume_id, ref, name, description, metadata) ·
                 unmanage_snapshot(snapshot_id) · get_manageable_snapshots(host)
    states       reset_status(volume_id, status, attach_status, migration_status)
    backends     freeze_host · thaw_host (host, cluster) · failover_host(host, cluster, backend_id) ·
                 set_cluster_disabled(name, disabled, reason)

`Cloud.attachments`: get_attachment · list_attachments · create(volume_id, server_id, mode, connector) ·
update(attachment_id, connector) · complete · delete (attachment_id)
`Cloud.backups`: get_backup · list_backups · create(volume_id, name, description, container, incremental, force,
snapshot_id, metadata) · delete(backup_id, force) · restore(backup_id, volume_id, name) · update ·
reset_status(backup_id, status)
`Cloud.transfers`: get_transfer · list_transfers · create(volume_id, name, no_snapshots) · accept(transfer_id,
auth_key) · delete(transfer_id)
`Cloud.groups`: get_group · list_groups · create(name, description, group_type, volume_types, availability_zone)
· delete(group_id, delete_volumes) · update(group_id, name, description, add_volumes, remove_volumes) ·
reset_status(group_id, status) · create_from_source(name, description, group_snapshot_id, source_group_id) ·
get_group_snapshot · list_group_snapshots · create_group_snapshot(group_id, name, description) ·
delete_group_snapshot · update_group_snapshot · reset_group_snapshot_status(group_snapshot_id, status) ·
enable_replication · disable_replication · failover_replication(group_id, allow_attached_volume,
secondary_backend_id) · list_replication_targets · create_type(name, description, is_public, group_specs) ·
get_type · list_types · update_type · delete_type · set_specs(type_id, specs) · delete_spec(type_id, key)
`Cloud.types`: get_type · list_types · create_type(name, description, extra_specs, is_public) · update_type ·
delete_type · set_extra_specs · delete_extra_spec · create_encryption · update_encryption · delete_encryption ·
add_access · remove_access
`Cloud.default_types`: of_project(project_id) · list_defaults · choose(project_id, volume_type) ·
unset(project_id) · default_for(project_id)
`Cloud.qos`: get · create(name, specs) · update · delete(specs_id, force) · delete_keys · associations ·
associate · disassociate (specs_id, type_id) · disassociate_all
"""

from __future__ import annotations

from harness.control_plane.api.attachments import AttachmentApi
from harness.control_plane.api.backends import Backends
from harness.control_plane.api.backups import BackupApi
from harness.control_plane.api.default_types import DefaultTypeApi
from harness.control_plane.api.group_replication import GroupReplication
from harness.control_plane.api.group_snapshots import GroupSnapshots
from harness.control_plane.api.group_types import GroupTypes
from harness.control_plane.api.images import Images
from harness.control_plane.api.manage import Manage
from harness.control_plane.api.metadata import Metadata
from harness.control_plane.api.moves import Moves
from harness.control_plane.api.qos import QosApi
from harness.control_plane.api.states import States
from harness.control_plane.api.transfers import TransferApi
from harness.control_plane.api.types import TypeApi

__all__ = [
    "AttachmentApi",
    "BackupApi",
    "DefaultTypeApi",
    "GroupApi",
    "QosApi",
    "TransferApi",
    "TypeApi",
    "VolumeApi",
]


class VolumeApi(Manage, Metadata, Images, Moves, States, Backends):
    """Actions on volumes, snapshots and back-ends (`cinder.volume.api:API`)."""


class GroupApi(GroupReplication, GroupSnapshots, GroupTypes):
    """Actions on groups, their snapshots and their types (`cinder.group.api:API`)."""
