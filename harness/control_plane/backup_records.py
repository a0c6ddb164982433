"""What of a backup is exported, so that another Cinder can find it: the record, as text.

Source: `cinder.objects.backup:Backup.encode_record`, `decode_record`.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

import msgspec

from harness import errors
from harness.model import Backup

REQUIRED = (
    "display_name", "display_description", "container", "size", "service_metadata", "object_count", "id"
)  # fmt: skip
"""Without these nothing is imported (`BackupManager.import_record`)."""

Text = str | None
Count = Annotated[int, msgspec.Meta(ge=0)]


class Exported(msgspec.Struct, omit_defaults=True):
    """The fields of a record that an import takes over. `service_metadata` is for the driver."""

    id: str
    size: Count
    volume_id: str | msgspec.UnsetType = msgspec.UNSET
    snapshot_id: Text | msgspec.UnsetType = msgspec.UNSET
    parent_id: Text | msgspec.UnsetType = msgspec.UNSET
    display_name: Text | msgspec.UnsetType = msgspec.UNSET
    display_description: Text | msgspec.UnsetType = msgspec.UNSET
    container: Text | msgspec.UnsetType = msgspec.UNSET
    object_count: Count | msgspec.UnsetType = msgspec.UNSET
    encryption_key_id: Text | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    data_timestamp: int | msgspec.UnsetType | None = msgspec.UNSET
    service_metadata: Text | msgspec.UnsetType = msgspec.UNSET


def encode(backup: Backup) -> str:
    """Base64 of JSON."""
    fields: dict[str, Any] = {name: getattr(backup, name) for name in Backup.DEFAULTS}
    # Where the driver finds it; this one needs no more than the id.
    fields |= {"service_metadata": backup.id, "driver_info": {}}
    return base64.b64encode(msgspec.json.encode(fields)).decode()


def decode(text: str) -> dict[str, Any]:
    """The fields that are there. InvalidInput for what is no such text, or lacks id or size."""
    try:
        fields = msgspec.json.decode(base64.b64decode(text))
    except ValueError:
        raise errors.InvalidInput(reason="Can't parse backup record.") from None
    if not isinstance(fields, dict) or "id" not in fields:
        raise errors.InvalidInput(reason="Provided backup record is missing an id")
    if "size" not in fields:
        raise errors.InvalidInput(reason="Provided backup record is missing size attribute")
    try:
        exported = msgspec.convert(fields, Exported)
    except msgspec.ValidationError as error:
        raise errors.InvalidInput(reason=f"Can't parse backup record: {error}.") from None
    found: dict[str, Any] = msgspec.to_builtins(exported)
    return found
