"""``/volumes/{id}/action``: what owners, Nova and administrators do to a volume.

Sources: `cinder.api.contrib.volume_actions`, `cinder.api.contrib.admin_actions`.
"""

from __future__ import annotations

from typing import Any

from harness.rest.faults import Fault
from harness.rest.operations import Handler, Operation
from harness.rest.requests import Request, to_bool
from harness.rest.schemas import (
    ANY_NAME,
    ANYTHING,
    BOOLEAN,
    DESCRIPTION,
    SIZE,
    UUID,
    UUID_OR_NULL,
    Schema,
    any_of,
    mapping,
    nullable,
    only,
    record,
)

PATH = "/volumes/{volume_id}/action"


def wish(request: Request) -> dict[str, Any]:
    """What is under the action's name; an empty mapping for null."""
    (value,) = request.body.values()
    return value or {}


def volume_id(request: Request) -> str:
    """The volume that the path names."""
    return request.path["volume_id"]


def reserve(request: Request) -> None:
    """Keep a volume for a server."""
    request.cloud.api.reserve(request.context, volume_id(request))


def unreserve(request: Request) -> None:
    """No longer keep the volume."""
    request.cloud.api.unreserve(request.context, volume_id(request))


def attach(request: Request) -> None:
    """Note an attachment, in the manner of before 3.27."""
    body = wish(request)
    request.cloud.api.attach(
        request.context,
        volume_id(request),
        instance_uuid=body.get("instance_uuid"),
        host_name=body.get("host_name"),
        mountpoint=body["mountpoint"],
        mode=body.get("mode", "rw"),
    )


def detach(request: Request) -> None:
    """Note that an attachment has ended."""
    request.cloud.api.detach(request.context, volume_id(request), wish(request).get("attachment_id"))


def force_detach(request: Request) -> None:
    """End an attachment and its connection by hand."""
    body = wish(request)
    request.cloud.api.force_detach(
        request.context,
        volume_id(request),
        attachment_id=body.get("attachment_id"),
        connector=_connector(body.get("connector")),
    )


def initialize_connection(request: Request) -> dict[str, Any]:
    """Export a volume to a host."""
    connector = _connector(wish(request)["connector"]) or {}
    info = request.cloud.api.initialize_connection(request.context, volume_id(request), connector)
    multipath = connector.get("enforce_multipath", False)
    return {"connection_info": {**info, "enforce_multipath": multipath}}


def terminate_connection(request: Request) -> None:
    """No longer export a volume to a host."""
    request.cloud.api.terminate_connection(
        request.context, volume_id(request), _connector(wish(request)["connector"])
    )


def _connector(value: Any) -> dict[str, Any] | None:
    """A text is taken by the schema, but no driver can do anything with it."""
    if value is not None and not isinstance(value, dict):
        raise Fault(400, "Invalid input received: Connector must be an object.")
    return value


def set_bootable(request: Request) -> None:
    """Say whether a server may boot from it."""
    request.cloud.api.set_bootable(request.context, volume_id(request), to_bool(wish(request)["bootable"]))


def update_readonly_flag(request: Request) -> None:
    """Say whether servers may write to it."""
    request.cloud.api.update_readonly_flag(
        request.context, volume_id(request), to_bool(wish(request)["readonly"])
    )


def revert(request: Request) -> None:
    """Take a volume back to its latest snapshot."""
    request.cloud.api.revert_to_snapshot(request.context, volume_id(request), wish(request).get("snapshot_id"))


def upload_image(request: Request) -> dict[str, Any]:
    """Make an image of a volume."""
    body = wish(request)
    newer = request.since(1)
    image = request.cloud.api.upload_image(
        request.context,
        volume_id(request),
        body["image_name"],
        force=to_bool(body.get("force", False)),
        disk_format=body.get("disk_format", "raw"),
        container_format=body.get("container_format") or "bare",
        visibility=body.get("visibility", "private") if newer else "shared",
        protected=to_bool(body.get("protected", False)) if newer else False,
    )
    row = request.cloud.database.volumes[volume_id(request)]
    kind = request.cloud.database.volume_types.get(row["volume_type_id"] or "")
    shown: dict[str, Any] = {
        "id": row["id"],
        "updated_at": request.at(row.get("updated_at")),
        "status": "uploading",
        "display_description": row["display_description"],
        "size": row["size"],
        "volume_type": {"id": kind["id"], "name": kind["name"]} if kind else None,
        "image_id": image.id,
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "image_name": image.name,
    }
    if newer:
        shown |= {"visibility": image.visibility, "protected": image.protected}
    return {"os-volume_upload_image": shown}


def reimage(request: Request) -> None:
    """Write an image over a volume."""
    body = wish(request)
    request.cloud.api.reimage(
        request.context,
        volume_id(request),
        body["image_id"],
        reimage_reserved=to_bool(body.get("reimage_reserved", False)),
    )


def unmanage(request: Request) -> None:
    """Forget a volume, and leave what is on the back-end."""
    request.cloud.api.unmanage_volume(request.context, volume_id(request))


def set_image_metadata(request: Request) -> dict[str, Any]:
    """Add or replace image metadata."""
    metadata = wish(request).get("metadata", {})
    return {"metadata": request.cloud.api.set_image_metadata(request.context, volume_id(request), metadata)}


def show_image_metadata(request: Request) -> dict[str, Any]:
    """Show image metadata."""
    volume = request.cloud.api.get(request.context, volume_id(request))
    return {"metadata": volume.glance_metadata}


def unset_image_metadata(request: Request) -> None:
    """Remove one entry of the image metadata."""
    request.cloud.api.delete_image_metadata(request.context, volume_id(request), wish(request)["key"])


def begin_detaching(request: Request) -> None:
    """Say that a server is about to let go of the volume."""
    request.cloud.api.begin_detaching(request.context, volume_id(request))


def roll_detaching(request: Request) -> None:
    """Say that the server keeps the volume after all."""
    request.cloud.api.roll_detaching(request.context, volume_id(request))


def extend(request: Request) -> None:
    """Grow a volume; one in use, from 3.42 on."""
    request.cloud.api.extend_volume(
        request.context,
        volume_id(request),
        int(wish(request)["new_size"]),
        microversion=(3, request.minor),
    )


def retype(request: Request) -> None:
    """Give a volume another type, with or without moving it."""
    body = wish(request)
    request.cloud.api.retype(
        request.context, volume_id(request), body["new_type"], body.get("migration_policy")
    )


def migrate(request: Request) -> None:
    """Move a volume to another back-end or pool."""
    body = wish(request)
    request.cloud.api.migrate_volume(
        request.context,
        volume_id(request),
        body.get("host"),
        cluster=body.get("cluster"),
        force_host_copy=to_bool(body.get("force_host_copy", False)),
        lock_volume=to_bool(body.get("lock_volume", False)),
    )


def migrate_completion(request: Request) -> dict[str, str]:
    """Say that the copy of an attached volume is done, or has failed; Nova does."""
    body = wish(request)
    saved = request.cloud.api.migrate_volume_completion(
        request.context, volume_id(request), body["new_volume"], error=bool(body.get("error", False))
    )
    return {"save_volume_id": saved}


def extend_completion(request: Request) -> None:
    """Say that an attached volume has been grown, or could not be; Nova does."""
    # Any text is true here, "false" as well.
    failed = bool(wish(request).get("error", False))
    request.cloud.api.extend_volume_completion(request.context, volume_id(request), error=failed)


def reset_status(request: Request) -> None:
    """Write states by hand."""
    request.cloud.api.reset_status(request.context, volume_id(request), **wish(request))


def force_delete(request: Request) -> None:
    """Delete a volume whatever its status is."""
    request.cloud.api.delete_volume(request.context, volume_id(request), force=True)


def action(
    name: str, handler: Handler, *bodies: tuple[int, Schema], code: int = 202, since: int = 0
) -> Operation:
    """One action on a volume; `bodies` are the forms of what is under its name."""
    return Operation(
        method="POST",
        path=PATH,
        handler=handler,
        code=code,
        action=name,
        since=since,
        bodies=tuple((first, only(name, schema)) for first, schema in bodies),
    )


_TEXT: Schema = {"type": ["string", "null"]}
_FLAGS: dict[str, Schema] = {"force_host_copy": BOOLEAN, "lock_volume": BOOLEAN}
_HOST: Schema = {"type": "string", "maxLength": 255}

_ATTACH: Schema = {
    "type": "object",
    "properties": {
        "instance_uuid": UUID,
        "mountpoint": {"type": "string", "minLength": 1, "maxLength": 255},
        "host_name": _HOST,
        "mode": {"type": "string", "enum": ["rw", "ro"]},
    },
    "required": ["mountpoint"],
    "anyOf": any_of("instance_uuid", "host_name"),
    "additionalProperties": False,
}
_CONNECTOR: Schema = {"type": ["string", "object", "null"]}
_IMAGE_METADATA = mapping("^[a-zA-Z0-9-_:. /]{1,255}$", {"type": "string", "format": "mysql_text"})

_UPLOAD: dict[str, Schema] = {
    "image_name": {"type": "string", "minLength": 1, "maxLength": 255},
    "force": BOOLEAN,
    "disk_format": {"type": "string", "enum": ["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"]},
    "container_format": DESCRIPTION,
}
_UPLOAD_SINCE_1 = {
    **_UPLOAD,
    "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"]},
    "protected": BOOLEAN,
}

OPERATIONS = (
    action(
        "os-volume_upload_image",
        upload_image,
        (0, record(_UPLOAD, "image_name")),
        (1, record(_UPLOAD_SINCE_1, "image_name")),
    ),
    action(
        "os-reimage",
        reimage,
        (0, record({"image_id": UUID, "reimage_reserved": BOOLEAN}, "image_id")),
        since=68,
    ),
    action("os-unmanage", unmanage, (0, ANYTHING)),
    action("os-reserve", reserve, (0, ANYTHING)),
    action("os-unreserve", unreserve, (0, ANYTHING)),
    action("os-attach", attach, (0, _ATTACH)),
    action("os-detach", detach, (0, nullable(record({"attachment_id": UUID_OR_NULL})))),
    action("os-force_detach", force_detach, (0, record({"connector": _CONNECTOR, "attachment_id": _TEXT}))),
    action(
        "os-initialize_connection",
        initialize_connection,
        (0, record({"connector": {"type": ["object", "string"]}}, "connector")),
        code=200,
    ),
    action(
        "os-terminate_connection",
        terminate_connection,
        (0, record({"connector": _CONNECTOR}, "connector")),
    ),
    action("os-set_bootable", set_bootable, (0, record({"bootable": BOOLEAN}, "bootable")), code=200),
    action("os-update_readonly_flag", update_readonly_flag, (0, record({"readonly": BOOLEAN}, "readonly"))),
    action(
        "revert",
        revert,
        (0, {**record({"snapshot_id": _TEXT}), "additionalProperties": True}),
        since=40,
    ),
    action(
        "os-set_image_metadata",
        set_image_metadata,
        (0, record({"metadata": _IMAGE_METADATA}, "metadata")),
        code=200,
    ),
    action("os-show_image_metadata", show_image_metadata, (0, ANYTHING), code=200),
    action(
        "os-unset_image_metadata",
        unset_image_metadata,
        (0, record({"key": {"type": "string", "minLength": 1, "maxLength": 255}}, "key")),
        code=200,
    ),
    action("os-begin_detaching", begin_detaching, (0, ANYTHING)),
    action("os-roll_detaching", roll_detaching, (0, ANYTHING)),
    action("os-extend", extend, (0, record({"new_size": SIZE}, "new_size"))),
    action(
        "os-retype",
        retype,
        (
            0,
            record(
                {
                    "new_type": {"type": "string"},
                    "migration_policy": {**_TEXT, "enum": ["on-demand", "never"]},
                },
                "new_type",
            ),
        ),
    ),
    action(
        "os-migrate_volume",
        migrate,
        (0, record({"host": _HOST, **_FLAGS}, "host")),
        (16, record({"host": nullable(_HOST), **_FLAGS, "cluster": ANY_NAME})),
    ),
    action(
        "os-migrate_volume_completion",
        migrate_completion,
        (0, record({"new_volume": UUID, "error": {"type": ["string", "null", "boolean"]}}, "new_volume")),
        code=200,
    ),
    action(
        "os-extend_volume_completion",
        extend_completion,
        (0, record({"error": {"type": ["string", "null", "boolean"]}})),
    ),
    action(
        "os-reset_status",
        reset_status,
        (
            0,
            {
                "type": "object",
                "format": "validate_volume_reset_body",
                "properties": {
                    "status": {**_TEXT, "format": "volume_status"},
                    "attach_status": {**_TEXT, "format": "volume_attach_status"},
                    "migration_status": {**_TEXT, "format": "volume_migration_status"},
                },
                "additionalProperties": False,
            },
        ),
    ),
    action("os-force_delete", force_delete, (0, ANYTHING)),
)
