"""How a volume looks: by microversion, and by who looks.

Sources: `cinder.api.v3.views.volumes:ViewBuilder`, `cinder.api.contrib.volume_host_attribute` and its kin.
Views are made of rows, not of records, because a list has a thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from harness.record import service_host
from harness.rest.filters import Row
from harness.rest.requests import Request

View = dict[str, Any]

_SHOWN_AS = MappingProxyType({
    "managing": "creating", "error_managing": "error", "error_managing_deleting": "deleting"
})  # fmt: skip
_VISIBLE_ADMIN_METADATA = ("readonly", "attached_mode")


class VolumeViews:
    """Views for one request. What several volumes share is looked up once."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._types: dict[str, str | None] = {}

    def brief(self, row: Row) -> View:
        """Id, name and links."""
        return {
            "id": row["id"],
            "name": row["display_name"],
            "links": self._request.links("volumes", row["id"]),
        }

    def detail(self, row: Row, attachments: Iterable[Row]) -> View:
        """Everything that the caller may see, but for the attributes that extensions add."""
        view = self.legacy(row, attachments)
        self._newer(row, view)
        return view

    def legacy(self, row: Row, attachments: Iterable[Row]) -> View:
        """As in microversion 3.0."""
        request = self._request
        type_id = row["volume_type_id"]
        view = {
            "id": row["id"],
            "status": _SHOWN_AS.get(row["status"], row["status"]),
            "size": row["size"],
            "availability_zone": row["availability_zone"],
            "created_at": request.at(row["created_at"]),
            "updated_at": request.at(row.get("updated_at")),
            "name": row["display_name"],
            "description": row["display_description"],
            "volume_type": self._type_name(type_id),
            "snapshot_id": row["snapshot_id"],
            "source_volid": row["source_volid"],
            "metadata": row["metadata"],
            "links": request.links("volumes", row["id"]),
            "user_id": row["user_id"],
            "bootable": str(row["bootable"]).lower(),
            "encrypted": row["encryption_key_id"] is not None,
            "replication_status": row["replication_status"],
            "consistencygroup_id": row["consistencygroup_id"],
            "multiattach": row["multiattach"],
            "attachments": [
                self._attachment(each) for each in attachments if each["attach_status"] == "attached"
            ],
        }
        if request.context.is_admin:
            view["migration_status"] = row["migration_status"]
        return view

    def _newer(self, row: Row, view: View) -> None:
        """What microversions have added."""
        request = self._request
        admin = request.context.is_admin
        if request.since(13):
            view["group_id"] = row["group_id"]
        if request.since(21) and admin:
            view["provider_id"] = row["provider_id"]
        if request.since(48):
            view["shared_targets"] = self._shared_targets(row)
            view["service_uuid"] = row["service_uuid"]
        if request.since(61) and admin:
            view["cluster_name"] = row["cluster_name"]
        if request.since(63):
            view["volume_type_id"] = row["volume_type_id"]
        if request.since(64) and row["encryption_key_id"]:
            view["encryption_key_id"] = row["encryption_key_id"]
        if request.since(65):
            view["consumes_quota"] = row["use_quota"]

    def full(self, row: Row, attachments: Iterable[Row]) -> View:
        """With the attributes of extensions, which a creation is not answered with."""
        view = self.detail(row, attachments)
        view["metadata"] = visible_metadata(row)
        if self._request.context.is_admin:
            view["os-vol-mig-status-attr:migstat"] = row["migration_status"]
            view["os-vol-mig-status-attr:name_id"] = row["_name_id"]
            view["os-vol-host-attr:host"] = row["host"]
        view["os-vol-tenant-attr:tenant_id"] = row["project_id"]
        if row["glance_metadata"]:
            view["volume_image_metadata"] = row["glance_metadata"]
        return view

    def _type_name(self, type_id: str | None) -> str | None:
        if type_id is None:
            return None
        if type_id not in self._types:
            row = self._request.cloud.database.volume_types.get(type_id)
            self._types[type_id] = row["name"] if row else type_id
        return self._types[type_id]

    def _attachment(self, row: Row) -> View:
        return {
            "id": row["volume_id"],
            "attachment_id": row["id"],
            "volume_id": row["volume_id"],
            "server_id": row["instance_uuid"],
            "host_name": row["attached_host"] if self._request.context.is_admin else None,
            "device": row["mountpoint"],
            "attached_at": self._request.at(row.get("attach_time")),
        }

    def _shared_targets(self, row: Row) -> bool | None:
        """True until the service that made the volume knows better (`VolumeManager.create_volume`)."""
        manager = self._request.cloud.managers.get(service_host(row["host"] or ""))
        if row["service_uuid"] is None or manager is None:
            return True
        stats: Mapping[str, Any] = manager.capabilities
        return stats.get("storage_protocol") == "iSCSI" and bool(stats.get("shared_targets", True))


def visible_metadata(row: Row) -> dict[str, str]:
    """The owner's metadata, and what of the administrator's everybody may see."""
    shown = {key: row["admin_metadata"][key] for key in _VISIBLE_ADMIN_METADATA if key in row["admin_metadata"]}
    return {**row["metadata"], **shown}
