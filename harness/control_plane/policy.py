"""Who may do what: Cinder's default policies (`cinder.policies`), for admins, members and readers of a project.

A rule that is not named here is for admins and for members of the project.
"""

from __future__ import annotations

from typing import Protocol

from harness import errors
from harness.model import Context

ADMIN_RULES = frozenset(
    {
        "backup:backup-import",
        "backup:backup_project_attribute",
        "backup:export-import",
        "clusters:get",
        "clusters:get_all",
        "clusters:update",
        "group:access_group_types_specs",
        "group:group_project_attribute",
        "group:group_snapshot_project_attribute",
        "group:group_types:create",
        "group:group_types:delete",
        "group:group_types:update",
        "group:group_types_specs:create",
        "group:group_types_specs:delete",
        "group:group_types_specs:get",
        "group:group_types_specs:get_all",
        "group:group_types_specs:update",
        "group:reset_group_snapshot_status",
        "group:reset_status",
        "scheduler_extension:scheduler_stats:get_pools",
        "snapshot_extension:list_manageable",
        "snapshot_extension:snapshot_manage",
        "snapshot_extension:snapshot_unmanage",
        "volume:failover_host",
        "volume:force_delete",
        "volume:freeze_host",
        "volume:thaw_host",
        "volume:update_volume_admin_metadata",
        "volume_extension:access_types_qos_specs_id",
        "volume_extension:backup_admin_actions:force_delete",
        "volume_extension:backup_admin_actions:reset_status",
        "volume_extension:capabilities",
        "volume_extension:default_get",
        "volume_extension:default_get_all",
        "volume_extension:default_set_or_update",
        "volume_extension:default_unset",
        "volume_extension:hosts",
        "volume_extension:list_manageable",
        "volume_extension:qos_specs_manage:create",
        "volume_extension:qos_specs_manage:delete",
        "volume_extension:qos_specs_manage:get",
        "volume_extension:qos_specs_manage:get_all",
        "volume_extension:qos_specs_manage:update",
        "volume_extension:quota_classes:get",
        "volume_extension:quota_classes:update",
        "volume_extension:quotas:delete",
        "volume_extension:quotas:update",
        "volume_extension:services:index",
        "volume_extension:services:update",
        "volume_extension:snapshot_admin_actions:force_delete",
        "volume_extension:snapshot_admin_actions:reset_status",
        "volume_extension:type_create",
        "volume_extension:type_delete",
        "volume_extension:type_update",
        "volume_extension:types_extra_specs:create",
        "volume_extension:types_extra_specs:delete",
        "volume_extension:types_extra_specs:read_sensitive",
        "volume_extension:types_extra_specs:update",
        "volume_extension:volume_actions:upload_public",
        "volume_extension:volume_admin_actions:extend_volume_completion",
        "volume_extension:volume_admin_actions:force_delete",
        "volume_extension:volume_admin_actions:force_detach",
        "volume_extension:volume_admin_actions:migrate_volume",
        "volume_extension:volume_admin_actions:migrate_volume_completion",
        "volume_extension:volume_admin_actions:reset_status",
        "volume_extension:volume_host_attribute",
        "volume_extension:volume_manage",
        "volume_extension:volume_mig_status_attribute",
        "volume_extension:volume_type_access:addProjectAccess",
        "volume_extension:volume_type_access:get_all_for_type",
        "volume_extension:volume_type_access:removeProjectAccess",
        "volume_extension:volume_type_encryption",
        "volume_extension:volume_type_encryption:create",
        "volume_extension:volume_type_encryption:delete",
        "volume_extension:volume_type_encryption:get",
        "volume_extension:volume_type_encryption:update",
        "volume_extension:volume_unmanage",
        "workers:cleanup",
    }
)
READER_RULES = frozenset(
    {
        "backup:get",
        "backup:get_all",
        "group:get",
        "group:get_all",
        "group:get_all_group_snapshots",
        "group:get_group_snapshot",
        "limits_extension:used_limits",
        "message:get",
        "message:get_all",
        "volume:get",
        "volume:get_all",
        "volume:get_all_snapshots",
        "volume:get_all_transfers",
        "volume:get_snapshot",
        "volume:get_snapshot_metadata",
        "volume:get_transfer",
        "volume:get_volume_metadata",
        "volume_extension:access_types_extra_specs",
        "volume_extension:extended_snapshot_attributes",
        "volume_extension:quotas:show",
        "volume_extension:type_get",
        "volume_extension:type_get_all",
        "volume_extension:types_extra_specs:index",
        "volume_extension:types_extra_specs:show",
        "volume_extension:volume_encryption_metadata",
        "volume_extension:volume_image_metadata:show",
        "volume_extension:volume_tenant_attribute",
    }
)


class Owned(Protocol):
    """A record of a project's."""

    @property
    def project_id(self) -> str: ...


def least(rule: str) -> str:
    """The least that may: reader, member or admin."""
    return "admin" if rule in ADMIN_RULES else "reader" if rule in READER_RULES else "member"


def may(context: Context, rule: str, owned: Owned | None = None) -> bool:
    """Whether the rule lets the caller do something to `owned`, or to what will be its own."""
    if context.is_admin:
        return True
    if owned is not None and owned.project_id != context.project_id:
        return False
    return least(rule) in context.roles


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
