"""The actions on a volume as REST requests, for the recording of Cinder's answers.

A path and a body may name what the recording has prepared: ``{volume}``, ``{target}`` (the temporary volume of
a migration), ``{attachment}``, ``{snapshot}``, ``{type}`` (another volume type), ``{image}``, ``{backup}``,
``{group}`` and ``{host}`` (another pool).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, NamedTuple

NEWEST = "3.71"
CONNECTOR = {"host": "compute1", "ip": "192.0.2.9", "initiator": "iqn.1994-05.com.example:compute1"}
SERVER = "5e12e125-0000-4000-8000-000000000001"
OTHER_SERVER = "5e12e125-0000-4000-8000-000000000002"


class Request(NamedTuple):
    """One request. `admin` says who asks: an admin of another project, or a member of the volume's own."""

    method: str
    path: str
    body: Any = None
    admin: bool = False
    version: str = NEWEST
    situations: tuple[str, ...] = ("detached", "attached")
    """Those of `tests.golden.api.table.SITUATIONS` in which the answer may differ."""


ATTACHED = ("attached",)
WITH_SNAPSHOT = ("detached", "attached", "snapshot")
SNAPSHOT = ("snapshot",)
SEVERAL = ("detached", "attached", "multiattach")


def _action(
    name: str,
    body: Any = None,
    *,
    admin: bool = False,
    version: str = NEWEST,
    situations: tuple[str, ...] = ("detached", "attached"),
) -> Request:
    content = {name: {} if body is None else body}
    return Request("POST", "volumes/{volume}/action", content, admin, version, situations)


def _snapshot(version: str, **fields: object) -> Request:
    return Request(
        "POST",
        "snapshots",
        {"snapshot": {"volume_id": "{volume}", **fields}},
        version=version,
        situations=WITH_SNAPSHOT,
    )


def _attachment(server: str | None) -> Request:
    return Request(
        "POST",
        "attachments",
        {"attachment": {"volume_uuid": "{volume}", "instance_uuid": server}},
        situations=SEVERAL,
    )


REQUESTS = MappingProxyType({
    "show": Request("GET", "volumes/{volume}"),
    "reserve": _action("os-reserve", situations=SEVERAL),
    "unreserve": _action("os-unreserve"),
    "begin-detaching": _action("os-begin_detaching"),
    "roll-detaching": _action("os-roll_detaching"),
    "attach": _action("os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb", "mode": "rw"},
    situations=SEVERAL), "detach": _action("os-detach", {"attachment_id": "{attachment}"}, situations=ATTACHED),
    "force-detach": _action("os-force_detach", {"attachment_id": "{attachment}"}, admin=True,
    situations=ATTACHED), "initialize-connection": _action("os-initialize_connection", {"connector":
    CONNECTOR}), "terminate-connection": _action("os-terminate_connection", {"connector": CONNECTOR}),
    "attachment-create": _attachment(OTHER_SERVER),
    "attachment-create-same-server": _attachment(SERVER),
    "attachment-update": Request(
        "PUT", "attachments/{attachment}", {"attachment": {"connector": CONNECTOR}}, situations=ATTACHED),
    "attachment-complete": Request("POST", "attachments/{attachment}/action", {"os-complete": {}},
    situations=ATTACHED), "attachment-delete": Request("DELETE", "attachments/{attachment}",
    situations=ATTACHED), "extend": _action("os-extend", {"new_size": 2}),
    "extend-before-3.42": _action("os-extend", {"new_size": 2}, version="3.41"),
    "extend-completion": _action("os-extend_volume_completion", {"error": False}, admin=True),
    "delete": Request("DELETE", "volumes/{volume}", situations=WITH_SNAPSHOT),
    "delete-cascade": Request("DELETE", "volumes/{volume}?cascade=true", situations=WITH_SNAPSHOT),
    "delete-force": Request("DELETE", "volumes/{volume}?force=true", admin=True, situations=WITH_SNAPSHOT),
    "delete-force-cascade": Request("DELETE", "volumes/{volume}?force=true&cascade=true", admin=True,
    situations=WITH_SNAPSHOT), "force-delete": _action("os-force_delete", admin=True, situations=WITH_SNAPSHOT),
    "unmanage": _action("os-unmanage", admin=True, situations=WITH_SNAPSHOT),
    "snapshot-create": _snapshot("3.71"),
    "snapshot-create-force-true": _snapshot("3.71", force=True),
    "snapshot-create-force-false": _snapshot("3.71", force=False),
    "snapshot-create-before-3.66": _snapshot("3.65"),
    "snapshot-create-force-before-3.66": _snapshot("3.65", force=True),
    "snapshot-delete": Request("DELETE", "snapshots/{snapshot}", situations=SNAPSHOT),
    "revert": _action("revert", {"snapshot_id": "{snapshot}"}, situations=SNAPSHOT),
    "upload": _action("os-volume_upload_image", {"image_name": "image"}),
    "upload-force": _action("os-volume_upload_image", {"image_name": "image", "force": True}),
    "reimage": _action("os-reimage", {"image_id": "{image}"}),
    "reimage-reserved": _action("os-reimage", {"image_id": "{image}", "reimage_reserved": True}),
    "retype": _action("os-retype", {"new_type": "{type}", "migration_policy": "on-demand"},
    situations=WITH_SNAPSHOT), "migrate": _action("os-migrate_volume", {"host": "{host}"}, admin=True,
    situations=WITH_SNAPSHOT), "migrate-locked": _action("os-migrate_volume", {"host": "{host}", "lock_volume":
    True}, admin=True), "migrate-completion": _action("os-migrate_volume_completion", {"new_volume":
    "{target}"}, admin=True), "migrate-completion-error": _action(
        "os-migrate_volume_completion", {"new_volume": "{target}", "error": True}, admin=True
    ),
    "update-readonly-flag": _action("os-update_readonly_flag", {"readonly": True}),
    "set-bootable": _action("os-set_bootable", {"bootable": True}),
    "rename": Request("PUT", "volumes/{volume}", {"volume": {"name": "new name"}}),
    "metadata-create": Request("POST", "volumes/{volume}/metadata", {"metadata": {"color": "blue"}}),
    "metadata-replace": Request("PUT", "volumes/{volume}/metadata", {"metadata": {"color": "blue"}}),
    "metadata-delete": Request("DELETE", "volumes/{volume}/metadata/kept"),
    "image-metadata-set": _action("os-set_image_metadata", {"metadata": {"os": "linux"}}),
    "image-metadata-unset": _action("os-unset_image_metadata", {"key": "kept"}),
    "transfer-create": Request("POST", "volume-transfers", {"transfer": {"volume_id": "{volume}"}},
    situations=WITH_SNAPSHOT), "transfer-create-no-snapshots": Request(
        "POST", "volume-transfers", {"transfer": {"volume_id": "{volume}", "no_snapshots": True}},
        situations=WITH_SNAPSHOT), "backup-create": Request("POST", "backups", {"backup": {"volume_id":
        "{volume}"}}, situations=WITH_SNAPSHOT), "backup-create-force": Request("POST", "backups", {"backup":
        {"volume_id": "{volume}", "force": True}}), "backup-create-snapshot": Request(
        "POST", "backups", {"backup": {"volume_id": "{volume}", "snapshot_id": "{snapshot}"}},
        situations=SNAPSHOT), "backup-restore": Request("POST", "backups/{backup}/restore", {"restore":
        {"volume_id": "{volume}"}}), "group-add": Request("PUT", "groups/{group}", {"group": {"add_volumes":
        "{volume}"}}), "clone": Request("POST", "volumes", {"volume": {"size": 1, "source_volid": "{volume}"}}),
    "from-snapshot": Request("POST", "volumes", {"volume": {"size": 1, "snapshot_id": "{snapshot}"}},
    situations=SNAPSHOT), "reset-status": _action("os-reset_status", {"status": "error"}, admin=True),
    "reset-status-in-use": _action("os-reset_status", {"status": "in-use"}, admin=True),
    "reset-migration-status": _action("os-reset_status", {"migration_status": "none"}, admin=True),
    "reset-attach-status": _action("os-reset_status", {"attach_status": "detached"}, admin=True),
})  # fmt: skip
