"""Who asks: Cinder's ``auth_strategy = noauth``, and one more thing to type.

The token is ``USER:PROJECT``, and whoever has one is an admin (`cinder.api.middleware.auth:NoAuthMiddleware`).
To see what others see, a user may say in which role: ``alice@member`` or ``alice@reader``. The role is part of
the user, because clients put the project into the URL.
"""

from __future__ import annotations

from harness.model import Context

ROLES = ("admin", "member", "reader")


def caller(token: str) -> Context:
    """The context of a token. Without a project, the project is named as the user."""
    user, _, project = token.partition(":")
    name, _, role = user.rpartition("@")
    if not name or role not in ROLES:
        name, role = user, "admin"
    return context(name, project or name, role)


def context(user_id: str, project_id: str, role: str) -> Context:
    """A caller with that role, and the roles that it implies."""
    return Context(user_id, project_id, is_admin=role == "admin", roles=ROLES[ROLES.index(role) :])
