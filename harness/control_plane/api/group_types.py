"""Types of groups, and their specs (`cinder.volume.group_types`, microversion 3.11)."""

from __future__ import annotations

from collections.abc import Mapping

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.policy import authorize
from harness.model import Context, GroupType


class GroupTypes(Chapter):
    """What volume types are for volumes, for groups of them."""

    def create_type(
        self,
        context: Context,
        name: str,
        *,
        description: str | None = None,
        is_public: bool = True,
        group_specs: Mapping[str, str] | None = None,
    ) -> GroupType:
        """GroupTypeExists (409) if there is one of that name."""
        authorize(context, "group:group_types:create")
        database = self.cloud.database
        if any(row["name"] == name for row in database.group_types.values()):
            raise errors.GroupTypeExists(id=name)
        made = database.create(
            GroupType,
            {
                "name": name,
                "description": description,
                "is_public": is_public,
                "group_specs": dict(group_specs or {}),
            },
        )
        return database.get_group_type(made)

    def get_type(self, context: Context, type_id: str) -> GroupType:
        """By id or name. GroupTypeNotFound, also for one that is not public."""
        kind = self.cloud.database.get_group_type(type_id)
        if not (kind.is_public or context.is_admin):
            raise errors.GroupTypeNotFound(group_type_id=type_id)
        return kind

    def list_types(self, context: Context) -> list[GroupType]:
        """All that are public; for an admin all."""
        return [
            GroupType.from_row(row, self.cloud.database)
            for row in self.cloud.database.group_types.values()
            if row["is_public"] or context.is_admin
        ]

    def delete_type(self, context: Context, type_id: str) -> None:
        """GroupTypeInUse while there is a group of it."""
        authorize(context, "group:group_types:delete")
        kind = self.cloud.database.get_group_type(type_id)
        if any(row["group_type_id"] == kind.id for row in self.cloud.database.groups.values()):
            raise errors.GroupTypeInUse(group_type_id=kind.id)
        del self.cloud.database.group_types[kind.id]

    def update_type(
        self,
        context: Context,
        type_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        is_public: bool | None = None,
    ) -> GroupType:
        """Change what is given. GroupTypeExists (409) if another one has the name."""
        authorize(context, "group:group_types:update")
        kind = self.cloud.database.get_group_type(type_id)
        if any(
            row["name"] == name and row["id"] != kind.id for row in self.cloud.database.group_types.values()
        ):
            raise errors.GroupTypeExists(id=name)
        given = {"name": name, "description": description, "is_public": is_public}
        kind.update({field: value for field, value in given.items() if value is not None})
        kind.save()
        return kind

    def set_specs(self, context: Context, type_id: str, specs: Mapping[str, str]) -> GroupType:
        """Add specs, or replace those of the same keys."""
        authorize(context, "group:group_types_specs:create")
        kind = self.cloud.database.get_group_type(type_id)
        kind.group_specs = {**kind.group_specs, **specs}
        kind.save()
        return kind

    def delete_spec(self, context: Context, type_id: str, key: str) -> None:
        """GroupTypeSpecsNotFound (404) if there is no such key."""
        authorize(context, "group:group_types_specs:delete")
        kind = self.cloud.database.get_group_type(type_id)
        if key not in kind.group_specs:
            raise errors.GroupTypeSpecsNotFound(group_type_id=kind.id, group_specs_key=key)
        kind.group_specs = {name: value for name, value in kind.group_specs.items() if name != key}
        kind.save()
