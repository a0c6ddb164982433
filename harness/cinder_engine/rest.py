"""Requests of users, operators and Nova, through Cinder's real REST router.

A refusal is raised as ServiceError with the HTTP code and the message that a client would see.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import webob
from cinder import context as cinder_context
from cinder.api.openstack import api_version_request, wsgi

from harness import errors
from harness.control_plane.images import Image
from harness.model import Attachment, Backup, Connector, Context, Snapshot, Volume

if TYPE_CHECKING:
    from harness.cinder_engine.cloud import CinderCloud


class Rest:
    """A client of ``/v3`` with the newest microversion."""

    def __init__(self, application: Any, report: Callable[[], None]) -> None:
        """`report` lets the services say that they are there."""
        self._application = application
        self._report = report
        self._version = api_version_request.max_api_version().get_string()

    def __call__(self, context: Context, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer, or None for an empty one. ServiceError for 400 and above."""
        self._report()
        request = wsgi.Request.blank(f"/{path}", base_url="http://controller/v3", method=method)
        request.headers["OpenStack-API-Version"] = f"volume {self._version}"
        request.environ["cinder.context"] = request_context(context)
        if body is not None:
            request.body = json.dumps(body).encode()
            request.content_type = "application/json"
        response: webob.Response = request.get_response(self._application)
        answer = json.loads(response.body) if response.body else None
        if response.status_int >= 400:
            raise refusal(response.status_int, answer)
        return answer


def request_context(context: Context) -> Any:
    """What keystone's middleware would have made of the caller's token."""
    roles = ["admin", "member", "reader"] if context.is_admin else list(context.roles)
    made = cinder_context.RequestContext(
        user_id=context.user_id, project_id=context.project_id, is_admin=context.is_admin, roles=roles
    )
    if context.service:
        made.service_roles = ["service"]
    return made


def refusal(code: int, answer: Any) -> errors.ServiceError:
    """The fault in an answer, as an error with its code."""
    message = next(iter(answer.values())).get("message", "") if isinstance(answer, dict) else str(answer)
    error = errors.ServiceError(message)
    error.code = code
    return error


class VolumeApi:
    """Actions on volumes and snapshots, with the signatures of `harness.control_plane.api.VolumeApi`."""

    def __init__(self, cloud: CinderCloud, rest: Rest) -> None:
        self._cloud = cloud
        self._rest = rest

    def create_volume(
        self,
        context: Context,
        size: int,
        *,
        name: str | None = None,
        volume_type: str | None = None,
        source_volid: str | None = None,
        snapshot_id: str | None = None,
        group_id: str | None = None,
        host: str | None = None,
    ) -> Volume:
        """`host` names the pool and skips the scheduler's choice, not the scheduler's part."""
        body = {
            "size": size, "name": name, "volume_type": volume_type, "source_volid": source_volid,
            "snapshot_id": snapshot_id, "group_id": group_id,
        }  # fmt: skip
        answer = self._rest(
            context, "POST", "volumes",
            {"volume": {key: value for key, value in body.items() if value is not None}},
        )  # fmt: skip
        if host is not None:
            self._cloud.places[answer["volume"]["id"]] = host
        volume = self._cloud.database.get_volume(answer["volume"]["id"])
        self._note("create_volume", f"{size} GiB {volume.name}")
        return volume

    def delete_volume(self, context: Context, volume_id: str, *, cascade: bool = False) -> None:
        """`cascade` takes its snapshots along."""
        self._rest(context, "DELETE", f"volumes/{volume_id}" + ("?cascade=True" if cascade else ""))
        self._note("delete_volume", volume_id)

    def rename_volume(self, context: Context, volume_id: str, name: str) -> None:
        self._rest(context, "PUT", f"volumes/{volume_id}", {"volume": {"name": name}})

    def extend_volume(self, context: Context, volume_id: str, new_size: int) -> None:
        self._action(context, volume_id, "os-extend", {"new_size": new_size})

    def migrate_volume(
        self,
        context: Context,
        volume_id: str,
        host: str | None,
        *,
        cluster: str | None = None,
        force_host_copy: bool = False,
        lock_volume: bool = False,
    ) -> None:
        where = {key: value for key, value in (("host", host), ("cluster", cluster)) if value is not None}
        self._note("migrate_volume", f"{volume_id} to {host or cluster}")
        self._action(
            context, volume_id, "os-migrate_volume",
            {**where, "force_host_copy": force_host_copy, "lock_volume": lock_volume},
        )  # fmt: skip

    def retype(self, context: Context, volume_id: str, new_type: str, policy: str) -> None:
        self._note("retype", f"{volume_id} to type {new_type}, {policy}")
        self._action(context, volume_id, "os-retype", {"new_type": new_type, "migration_policy": policy})

    def migrate_volume_completion(
        self, context: Context, volume_id: str, new_volume_id: str, *, error: bool
    ) -> str:
        self._note("migrate_volume_completion", f"error={error}")
        answer = self._action(
            context, volume_id, "os-migrate_volume_completion", {"new_volume": new_volume_id, "error": error}
        )
        return str(answer["save_volume_id"])

    def reset_status(
        self, context: Context, volume_id: str, *, status: str | None = None, attach_status: str | None = None,
        migration_status: str | None = None,
    ) -> None:  # fmt: skip
        states = {"status": status, "attach_status": attach_status, "migration_status": migration_status}
        body = {name: value for name, value in states.items() if value is not None}
        self._action(context, volume_id, "os-reset_status", body)

    def create_snapshot(self, context: Context, volume_id: str) -> Snapshot:
        answer = self._rest(context, "POST", "snapshots", {"snapshot": {"volume_id": volume_id}})
        return self._cloud.database.get_snapshot(answer["snapshot"]["id"])

    def revert_to_snapshot(self, context: Context, volume_id: str, snapshot_id: str) -> None:
        self._action(context, volume_id, "revert", {"snapshot_id": snapshot_id})

    def delete_snapshot(self, context: Context, snapshot_id: str) -> None:
        self._rest(context, "DELETE", f"snapshots/{snapshot_id}")

    def update_readonly_flag(self, context: Context, volume_id: str, readonly: bool) -> None:
        self._action(context, volume_id, "os-update_readonly_flag", {"readonly": readonly})

    def begin_detaching(self, context: Context, volume_id: str) -> None:
        self._action(context, volume_id, "os-begin_detaching", {})

    def roll_detaching(self, context: Context, volume_id: str) -> None:
        self._action(context, volume_id, "os-roll_detaching", {})

    def update_snapshot_status(self, context: Context, snapshot_id: str, status: str) -> None:
        """What Nova tells of a snapshot that it takes part in, once its part is done."""
        body = {"os-update_snapshot_status": {"status": status, "progress": "90%"}}
        self._rest(context, "POST", f"snapshots/{snapshot_id}/action", body)

    def upload_image(self, context: Context, volume_id: str, image_name: str, *, force: bool = False) -> Image:
        """Ask for a raw image of the volume."""
        body = {"image_name": image_name, "force": force}
        answer = self._action(context, volume_id, "os-volume_upload_image", body)
        return self._cloud.images.show(answer["os-volume_upload_image"]["image_id"])

    def reimage(self, context: Context, volume_id: str, image_id: str) -> None:
        self._action(context, volume_id, "os-reimage", {"image_id": image_id})

    def _action(self, context: Context, volume_id: str, name: str, body: dict[str, Any]) -> Any:
        return self._rest(context, "POST", f"volumes/{volume_id}/action", {name: body})

    def _note(self, step: str, detail: str) -> None:
        self._cloud.simulation.record(step, detail)


class AttachmentApi:
    """The attachment API, with the signatures of `harness.control_plane.api.AttachmentApi`."""

    def __init__(self, cloud: CinderCloud, rest: Rest) -> None:
        self._cloud = cloud
        self._rest = rest

    def create(self, context: Context, volume_id: str, server_id: str, mode: str | None = None) -> Attachment:
        body = {"volume_uuid": volume_id, "instance_uuid": self._cloud.server_uuid(server_id)}
        answer = self._rest(context, "POST", "attachments", {"attachment": body})
        self._note("attachment-create", f"{volume_id} for {server_id}")
        return self._cloud.database.get_attachment(answer["attachment"]["id"])

    def update(self, context: Context, attachment_id: str, connector: Connector) -> Attachment:
        answer = self._rest(
            context, "PUT", f"attachments/{attachment_id}", {"attachment": {"connector": connector}}
        )
        attachment = self._cloud.database.get_attachment(attachment_id)
        info = dict(answer["attachment"]["connection_info"])
        # The REST view is flat; the record keeps what the driver said.
        attachment.connection_info = {"driver_volume_type": info.pop("driver_volume_type", None), "data": info}
        self._note("attachment-update", f"{attachment.volume_id} to {connector['host']}")
        return attachment

    def complete(self, context: Context, attachment_id: str) -> None:
        self._rest(context, "POST", f"attachments/{attachment_id}/action", {"os-complete": {}})
        self._note("attachment-complete", attachment_id)

    def delete(self, context: Context, attachment_id: str) -> None:
        self._rest(context, "DELETE", f"attachments/{attachment_id}")
        self._note("attachment-delete", attachment_id)

    def _note(self, step: str, detail: str) -> None:
        self._cloud.simulation.record(step, detail)


class BackupApi:
    """Backups, with the signatures of `harness.control_plane.api.backups.BackupApi`."""

    def __init__(self, cloud: CinderCloud, rest: Rest) -> None:
        self._cloud = cloud
        self._rest = rest

    def create(self, context: Context, volume_id: str) -> Backup:
        answer = self._rest(context, "POST", "backups", {"backup": {"volume_id": volume_id}})
        return self.get_backup(context, answer["backup"]["id"])

    def get_backup(self, context: Context, backup_id: str) -> Backup:
        answer = self._rest(context, "GET", f"backups/{backup_id}")["backup"]
        fields = {name: answer[name] for name in ("id", "status", "volume_id", "fail_reason")}
        return Backup.from_row({**Backup.DEFAULTS, **fields}, self._cloud.database)

    def restore(self, context: Context, backup_id: str, volume_id: str | None) -> Volume:
        body = {"restore": {} if volume_id is None else {"volume_id": volume_id}}
        answer = self._rest(context, "POST", f"backups/{backup_id}/restore", body)
        return self._cloud.database.get_volume(answer["restore"]["volume_id"])


class TransferApi:
    """Offers of a volume to another project."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def create(self, context: Context, volume_id: str) -> None:
        self._rest(context, "POST", "volume-transfers", {"transfer": {"volume_id": volume_id, "name": None}})
