"""Who may do what: Cinder's default policies, as far as they tell admins, members and strangers apart."""

from __future__ import annotations

from harness import errors
from harness.model import Context, Volume

ADMIN_ACTIONS = "volume_extension:volume_admin_actions"


def visible(context: Context, volume: Volume) -> bool:
    """A volume of another project does not exist for a member."""
    return context.is_admin or context.project_id == volume.project_id


def authorize(context: Context, volume: Volume, action: str, *, admin: bool = False) -> None:
    """PolicyNotAuthorized unless the caller is an admin or, where `admin` is False, of the project."""
    if context.is_admin or (not admin and visible(context, volume)):
        return
    raise errors.PolicyNotAuthorized(action=action)


def require_admin(context: Context, action: str) -> None:
    """PolicyNotAuthorized unless the caller is an admin."""
    if not context.is_admin:
        raise errors.PolicyNotAuthorized(action=action)
