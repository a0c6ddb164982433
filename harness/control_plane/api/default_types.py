"""The type of volumes for which a project asks none (`cinder.api.v3.default_types`, microversion 3.62)."""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.policy import authorize
from harness.model import Context, DefaultType, VolumeType

RULES = "volume_extension:default"


class DefaultTypeApi(Chapter):
    """A matter of administrators. Who is none is told so, and no more (403)."""

    def of_project(self, context: Context, project_id: str) -> DefaultType:
        """VolumeTypeProjectDefaultNotFound."""
        self._authorize(context, "get")
        return self._found(project_id)

    def list_defaults(self, context: Context) -> list[DefaultType]:
        """Those of all projects."""
        self._authorize(context, "get_all")
        database = self.cloud.database
        return [DefaultType.from_row(row, database) for row in database.default_types.values()]

    def choose(self, context: Context, project_id: str, volume_type: str) -> DefaultType:
        """By name or id. Invalid for a type that is not there."""
        self._authorize(context, "set_or_update")
        database = self.cloud.database
        try:
            kind = database.get_volume_type(volume_type)
        except errors.VolumeTypeNotFound as error:
            raise errors.Invalid(str(error)) from None
        database.create(DefaultType, {"id": project_id, "volume_type_id": kind.id})
        self.note("default type", f"of project {project_id}: {kind.name}")
        return self._found(project_id)

    def unset(self, context: Context, project_id: str) -> None:
        """A project that has none is fine."""
        self._authorize(context, "unset")
        self.cloud.database.default_types.pop(project_id, None)

    def default_for(self, project_id: str) -> VolumeType:
        """The project's, or `default_volume_type` (`cinder.volume.volume_types:get_default_volume_type`).

        VolumeTypeDefaultMisconfiguredError if there is no type of that name.
        """
        database = self.cloud.database
        if project_id in database.default_types:
            return database.get_volume_type(database.default_types[project_id]["volume_type_id"])
        name: str = self.cloud.options["default_volume_type"]
        try:
            return database.get_volume_type(name)
        except errors.VolumeTypeNotFound:
            raise errors.VolumeTypeDefaultMisconfiguredError(volume_type_name=name) from None

    def require_no_default(self, type_id: str) -> None:
        """VolumeTypeDefaultDeletionError for a type that is anybody's default (`volume_types:destroy`)."""
        rows = self.cloud.database.default_types.values()
        chosen = any(row["volume_type_id"] == type_id for row in rows)
        if chosen or self.default_for("").id == type_id:
            raise errors.VolumeTypeDefaultDeletionError(volume_type_id=type_id)

    def _found(self, project_id: str) -> DefaultType:
        row = self.cloud.database.default_types.get(project_id)
        if row is None:
            raise errors.VolumeTypeProjectDefaultNotFound(project_id=project_id)
        return DefaultType.from_row(row, self.cloud.database)

    @staticmethod
    def _authorize(context: Context, what: str) -> None:
        try:
            authorize(context, f"{RULES}_{what}")
        except errors.PolicyNotAuthorized as error:
            raise errors.PolicyNotAuthorized("You are not authorized to perform this operation.") from error
