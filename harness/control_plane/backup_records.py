"""What of a backup is exported, so that another Cinder can find it: the record, as text.

Source: `cinder.objects.backup:Backup.encode_record`, `decode_record`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from harness import errors
from harness.model import Backup

REQUIRED = (
    "display_name", "display_description", "container", "size", "service_metadata", "object_count", "id"
)  # fmt: skip
"""Without these nothing is imported (`BackupManager.import_record`)."""
OWN = ("user_id", "project_id", "status", "fail_reason", "created_at")
"""Fields that an import does not take over."""


def encode(backup: Backup) -> str:
    """Base64 of JSON."""
    fields: dict[str, Any] = {name: getattr(backup, name) for name in Backup.DEFAULTS}
    # Where the driver finds it; this one needs no more than the id.
    fields |= {"service_metadata": backup.id, "driver_info": {}}
    return base64.b64encode(json.dumps(fields).encode()).decode()


def decode(text: str) -> dict[str, Any]:
    """The fields. InvalidInput for what is no such text, or lacks id or size."""
    try:
        fields = json.loads(base64.b64decode(text))
    except ValueError:
        raise errors.InvalidInput(reason="Can't parse backup record.") from None
    if not isinstance(fields, dict) or "id" not in fields:
        raise errors.InvalidInput(reason="Provided backup record is missing an id")
    if "size" not in fields:
        raise errors.InvalidInput(reason="Provided backup record is missing size attribute")
    return fields
