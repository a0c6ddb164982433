"""The requests of `tests.golden.api.requests` as calls of the simulated API."""

from __future__ import annotations

from collections.abc import Callable

from harness.control_plane.cloud import Cloud
from harness.model import Context
from tests.golden.api.requests import CONNECTOR, OTHER_SERVER, SERVER

Call = Callable[[Cloud, Context, dict[str, str]], object]

CALLS: dict[str, Call] = {
    "show": lambda cloud, who, ids: cloud.api.get(who, ids["volume"]),
    "reserve": lambda cloud, who, ids: cloud.api.reserve(who, ids["volume"]),
    "unreserve": lambda cloud, who, ids: cloud.api.unreserve(who, ids["volume"]),
    "begin-detaching": lambda cloud, who, ids: cloud.api.begin_detaching(who, ids["volume"]),
    "roll-detaching": lambda cloud, who, ids: cloud.api.roll_detaching(who, ids["volume"]),
    "attach": lambda cloud, who, ids: cloud.api.attach(who, ids["volume"], instance_uuid=SERVER),
    "detach": lambda cloud, who, ids: cloud.api.detach(who, ids["volume"], ids["attachment"]),
    "force-detach": lambda cloud, who, ids: cloud.api.force_detach(who, ids["volume"], ids["attachment"]),
    "initialize-connection": lambda cloud, who, ids: cloud.api.initialize_connection(
        who, ids["volume"], CONNECTOR
    ),
    "terminate-connection": lambda cloud, who, ids: cloud.api.terminate_connection(
        who, ids["volume"], CONNECTOR
    ),
    "attachment-create": lambda cloud, who, ids: cloud.attachments.create(who, ids["volume"], OTHER_SERVER),
    "attachment-create-same-server": lambda cloud, who, ids: cloud.attachments.create(
        who, ids["volume"], SERVER
    ),
    "attachment-update": lambda cloud, who, ids: cloud.attachments.update(who, ids["attachment"], CONNECTOR),
    "attachment-complete": lambda cloud, who, ids: cloud.attachments.complete(who, ids["attachment"]),
    "attachment-delete": lambda cloud, who, ids: cloud.attachments.delete(who, ids["attachment"]),
    "extend": lambda cloud, who, ids: cloud.api.extend_volume(who, ids["volume"], 2),
    "extend-before-3.42": lambda cloud, who, ids: cloud.api.extend_volume(
        who, ids["volume"], 2, microversion=(3, 41)
    ),
    "extend-completion": lambda cloud, who, ids: cloud.api.extend_volume_completion(who, ids["volume"]),
    "delete": lambda cloud, who, ids: cloud.api.delete_volume(who, ids["volume"]),
    "delete-cascade": lambda cloud, who, ids: cloud.api.delete_volume(who, ids["volume"], cascade=True),
    "delete-force": lambda cloud, who, ids: cloud.api.delete_volume(who, ids["volume"], force=True),
    "delete-force-cascade": lambda cloud, who, ids: cloud.api.delete_volume(
        who, ids["volume"], force=True, cascade=True
    ),
    "force-delete": lambda cloud, who, ids: cloud.api.delete_volume(who, ids["volume"], force=True),
    "unmanage": lambda cloud, who, ids: cloud.api.unmanage_volume(who, ids["volume"]),
    "snapshot-create": lambda cloud, who, ids: cloud.api.create_snapshot(who, ids["volume"]),
    "snapshot-create-force-true": lambda cloud, who, ids: cloud.api.create_snapshot(
        who, ids["volume"], force=True
    ),
    "snapshot-create-force-false": lambda cloud, who, ids: cloud.api.create_snapshot(
        who, ids["volume"], force=False
    ),
    "snapshot-create-before-3.66": lambda cloud, who, ids: cloud.api.create_snapshot(
        who, ids["volume"], microversion=(3, 65)
    ),
    "snapshot-create-force-before-3.66": lambda cloud, who, ids: cloud.api.create_snapshot(
        who, ids["volume"], force=True, microversion=(3, 65)
    ),
    "snapshot-delete": lambda cloud, who, ids: cloud.api.delete_snapshot(who, ids["snapshot"]),
    "revert": lambda cloud, who, ids: cloud.api.revert_to_snapshot(who, ids["volume"], ids["snapshot"]),
    "upload": lambda cloud, who, ids: cloud.api.upload_image(who, ids["volume"], "image"),
    "upload-force": lambda cloud, who, ids: cloud.api.upload_image(who, ids["volume"], "image", force=True),
    "reimage": lambda cloud, who, ids: cloud.api.reimage(who, ids["volume"], ids["image"]),
    "reimage-reserved": lambda cloud, who, ids: cloud.api.reimage(
        who, ids["volume"], ids["image"], reimage_reserved=True
    ),
    "retype": lambda cloud, who, ids: cloud.api.retype(who, ids["volume"], ids["type"], "on-demand"),
    "migrate": lambda cloud, who, ids: cloud.api.migrate_volume(who, ids["volume"], ids["host"]),
    "migrate-locked": lambda cloud, who, ids: cloud.api.migrate_volume(
        who, ids["volume"], ids["host"], lock_volume=True
    ),
    "migrate-completion": lambda cloud, who, ids: cloud.api.migrate_volume_completion(
        who, ids["volume"], ids["target"], error=False
    ),
    "migrate-completion-error": lambda cloud, who, ids: cloud.api.migrate_volume_completion(
        who, ids["volume"], ids["target"], error=True
    ),
    "update-readonly-flag": lambda cloud, who, ids: cloud.api.update_readonly_flag(who, ids["volume"], True),
    "set-bootable": lambda cloud, who, ids: cloud.api.set_bootable(who, ids["volume"], True),
    "rename": lambda cloud, who, ids: cloud.api.update_volume(who, ids["volume"], name="new name"),
    "metadata-create": lambda cloud, who, ids: cloud.api.create_metadata(who, ids["volume"], {"color": "blue"}),
    "metadata-replace": lambda cloud, who, ids: cloud.api.update_metadata(
        who, ids["volume"], {"color": "blue"}, delete=True
    ),
    "metadata-delete": lambda cloud, who, ids: cloud.api.delete_metadata(who, ids["volume"], "kept"),
    "image-metadata-set": lambda cloud, who, ids: cloud.api.set_image_metadata(
        who, ids["volume"], {"os": "linux"}
    ),
    "image-metadata-unset": lambda cloud, who, ids: cloud.api.delete_image_metadata(who, ids["volume"], "kept"),
    "transfer-create": lambda cloud, who, ids: cloud.transfers.create(who, ids["volume"]),
    "transfer-create-no-snapshots": lambda cloud, who, ids: cloud.transfers.create(
        who, ids["volume"], no_snapshots=True
    ),
    "backup-create": lambda cloud, who, ids: cloud.backups.create(who, ids["volume"]),
    "backup-create-force": lambda cloud, who, ids: cloud.backups.create(who, ids["volume"], force=True),
    "backup-create-snapshot": lambda cloud, who, ids: cloud.backups.create(
        who, ids["volume"], snapshot_id=ids["snapshot"]
    ),
    "backup-restore": lambda cloud, who, ids: cloud.backups.restore(who, ids["backup"], ids["volume"]),
    "group-add": lambda cloud, who, ids: cloud.groups.update(who, ids["group"], add_volumes=[ids["volume"]]),
    "clone": lambda cloud, who, ids: cloud.api.create_volume(who, 1, source_volid=ids["volume"]),
    "from-snapshot": lambda cloud, who, ids: cloud.api.create_volume(who, 1, snapshot_id=ids["snapshot"]),
    "reset-status": lambda cloud, who, ids: cloud.api.reset_status(who, ids["volume"], status="error"),
    "reset-status-in-use": lambda cloud, who, ids: cloud.api.reset_status(who, ids["volume"], status="in-use"),
    "reset-migration-status": lambda cloud, who, ids: cloud.api.reset_status(
        who, ids["volume"], migration_status="none"
    ),
    "reset-attach-status": lambda cloud, who, ids: cloud.api.reset_status(
        who, ids["volume"], attach_status="detached"
    ),
}
