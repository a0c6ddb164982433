"""Formats that Cinder's schemas name: what holds, and what is said where it does not.

A format gives True or False, or raises: a Fault refuses the request at once, an InvalidName is one violation of
the schema among others, and counts if it is the first.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from harness.control_plane.api.states import RESETTABLE
from harness.control_plane.log_levels import LEVELS
from harness.rest.faults import Fault

SNAPSHOT_STATUSES = (
    "error", "available", "creating", "deleting", "deleted", "updating", "error_deleting", "unmanaging",
    "backing-up", "restoring",
)  # fmt: skip
BACKUP_STATUSES = ("available", "error")
GROUP_STATUSES = (
    "error", "available", "creating", "deleting", "deleted", "updating", "in-use", "error_deleting",
)  # fmt: skip
GROUP_SNAPSHOT_STATUSES = (
    "error", "available", "creating", "deleting", "deleted", "updating", "error_deleting",
)  # fmt: skip


class InvalidName(ValueError):
    """`cinder.exception:InvalidName`; the text is what the client is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"An invalid 'name' value was provided. {reason}")


def invalid_parameter(text: str) -> Fault:
    """`cinder.exception:InvalidParameterValue`."""
    return Fault(400, text)


def _uuid(value: Any) -> bool:
    """As oslo has it: hyphens and braces do not matter (`oslo_utils.uuidutils:is_uuid_like`)."""
    try:
        return str(uuid.UUID(value)).replace("-", "") == _digits(value)
    except (TypeError, ValueError, AttributeError):
        return False


def _digits(value: str) -> str:
    return value.replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "").lower()


def _name(value: Any) -> bool:
    if not value:
        raise InvalidName("The 'name' can not be None.")
    if not value.strip():
        raise InvalidName("The 'name' can not be empty.")
    return True


def _short_name(value: Any) -> bool:
    _name(value)
    if len(value.strip()) > 255:
        raise InvalidName("The 'name' can not be greater than 255 characters.")
    return True


def _length(what: str) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if value and len(value.strip()) > 255:
            raise Fault(
                400, f"Invalid input received: {what} has {len(value.strip())} characters, more than 255."
            )
        return True

    return holds


def _reason(value: Any) -> bool:
    return not value or 1 <= len(value.strip()) <= 255


def _mandatory(what: str) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if not value:
            raise Fault(400, f"The '{what}' can not be None.")
        if not value.strip():
            raise Fault(400, f"Invalid input received: {what} has a minimum character requirement of 1.")
        return _length(what)(value)

    return holds


def _quietly(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """The same, without words of its own."""

    def holds(value: Any) -> bool:
        try:
            return check(value)
        except Fault:
            return False

    return holds


def _one_of(what: str, statuses: Sequence[str], *, may_be_empty: bool = True) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if (not value and not may_be_empty) or (value and value.lower() not in statuses):
            raise invalid_parameter(f"{what}: {value} is invalid, valid statuses are: {statuses}.")
        return True

    return holds


def _group_status(value: Any) -> bool:
    if not value or value.lower() not in GROUP_STATUSES:
        raise Fault(
            400,
            f"Invalid Group Status: Group status: {value} is invalid, valid status are: {GROUP_STATUSES}.",
        )
    return True


def _group_snapshot_status(value: Any) -> bool:
    if not value.strip():
        raise Fault(400, "Invalid GroupSnapshot Status: The 'status' can not be empty.")
    if value.lower() not in GROUP_SNAPSHOT_STATUSES:
        raise Fault(
            400,
            f"Invalid GroupSnapshot Status: Group snapshot status: {value} is invalid, valid statuses are: "
            f"{GROUP_SNAPSHOT_STATUSES}.",
        )
    return True


def _some_state(value: Any) -> bool:
    if not any(value.get(name) for name in ("status", "attach_status", "migration_status")):
        raise invalid_parameter("Must specify 'status', 'attach_status' or 'migration_status' for update.")
    return True


def _zone(value: Any) -> bool:
    return value is None or _mandatory("availability_zone")(value)


def _key_size(value: Any) -> bool:
    if value is not None and not re.fullmatch(r"\s*[-+]?\d+\s*", str(value)):
        raise Fault(400, "Invalid input received: key_size must be an integer.")
    return True


def _progress(value: Any) -> bool:
    if not value:
        return True
    what = "Invalid input received: progress must be an integer percentage"
    try:
        number = int(str(value)[:-1])
    except ValueError:
        raise Fault(400, what) from None
    if not (0 <= number <= 100 and str(value).endswith("%")):
        raise Fault(400, f"{what} between 0 and 100")
    return True


def _level(value: Any) -> bool:
    if (value or "").upper() not in LEVELS:
        raise Fault(400, f"Invalid input received: {value or ''} is not a valid log level.")
    return True


def _base64(value: Any) -> bool:
    try:
        base64.b64decode(value)
    except ValueError:
        return False
    return True


def _mysql_text(value: Any) -> bool:
    return len(value.encode()) <= 65_535


FORMATS: dict[str, Callable[[Any], bool]] = {
    "uuid": _uuid,
    "name": _name,
    "name_skip_leading_trailing_spaces": _short_name,
    "name_non_mandatory_remove_white_spaces": _length("name"),
    "description_non_mandatory_remove_white_spaces": _length("description"),
    "disabled_reason": _reason,
    "validate_volume_reset_body": _some_state,
    "volume_status": _one_of("Volume status", RESETTABLE["status"]),
    "volume_attach_status": _one_of("Volume attach status", list(RESETTABLE["attach_status"])),
    "volume_migration_status": _one_of("Volume migration status", RESETTABLE["migration_status"]),
    "snapshot_status": _one_of("Snapshot status", SNAPSHOT_STATUSES, may_be_empty=False),
    "backup_status": _one_of("Backup status", list(BACKUP_STATUSES), may_be_empty=False),
    "group_status": _group_status,
    "group_snapshot_status": _group_snapshot_status,
    "availability_zone": _zone,
    "group_type": _quietly(_mandatory("group_type")),
    "key_size": _key_size,
    "progress": _progress,
    "mysql_text": _mysql_text,
    "level": _level,
    "base64": _base64,
}
