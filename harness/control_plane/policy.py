"""Who may do what: Cinder's default policies (`cinder.policies`), for admins, members and readers of a project.

A rule that is not named here is for admins and for members of the project.
"""

from __future__ import annotations

from typing import Protocol

from harness import errors
from harness.model import Context

ADMIN_RULES = frozenset(
    {
        "volume_extension:volume_admin_actions:reset_status",
        "volume_extension:volume_admin_actions:force_delete",
        "volume_extension:volume_admin_actions:force_detach",
        "volume_extension:volume_admin_actions:migrate_volume",
        "volume_extension:volume_admin_actions:migrate_volume_completion",
        "volume_extension:volume_admin_actions:extend_volume_completion",
        "volume_extension:snapshot_admin_actions:reset_status",
        "volume_extension:snapshot_admin_actions:force_delete",
        "volume_extension:backup_admin_actions:reset_status",
        "volume_extension:backup_admin_actions:force_delete",
        "volume_extension:volume_host_attribute",
        "volume_extension:volume_mig_status_attribute",
        "volume_extension:volume_manage",
        "volume_extension:volume_unmanage",
        "volume_extension:list_manageable",
        "snapshot_extension:snapshot_manage",
        "snapshot_extension:snapshot_unmanage",
        "snapshot_extension:list_manageable",
        "volume_extension:volume_actions:upload_public",
        "volume:force_delete",
        "group:reset_status",
        "group:group_types:create",
        "group:group_types:delete",
    }
)
READER_RULES = frozenset(
    {
        "volume:get",
        "volume:get_all",
        "volume:get_volume_metadata",
        "volume:get_snapshot",
        "volume:get_all_snapshots",
        "volume:get_snapshot_metadata",
        "volume:get_transfer",
        "volume:get_all_transfers",
        "backup:get",
        "backup:get_all",
        "group:get",
        "group:get_all",
        "volume_extension:volume_tenant_attribute",
    }
)


class Owned(Protocol):
    """A record of a project's."""

    @property
    def project_id(self) -> str: ...


def may(context: Context, rule: str, owned: Owned | None = None) -> bool:
    """Whether the rule lets the caller do something to `owned`, or to what will be its own."""
    if context.is_admin:
        return True
    if rule in ADMIN_RULES or (owned is not None and owned.project_id != context.project_id):
        return False
    return ("reader" if rule in READER_RULES else "member") in context.roles


def authorize(context: Context, rule: str, owned: Owned | None = None) -> None:
    """PolicyNotAuthorized unless the caller may."""
    if not may(context, rule, owned):
        raise errors.PolicyNotAuthorized(action=rule)


def visible(context: Context, owned: Owned) -> bool:
    """What is another project's does not exist for those who are no admins."""
    return may(context, "volume:get", owned)


def require_admin(context: Context, rule: str) -> None:
    """PolicyNotAuthorized unless the caller is an admin."""
    if not context.is_admin:
        raise errors.PolicyNotAuthorized(action=rule)
