"""Volume types as the administrator makes them: names, extra specs, encryption, and who may use them.

Sources: `cinder.volume.volume_types`, `cinder.api.contrib.types_manage`, `types_extra_specs`,
`volume_type_encryption` and `volume_type_access`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.model import Context, Encryption, VolumeType

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

EXTRA_SPECS = "volume_extension:types_extra_specs"
ENCRYPTION = "volume_extension:volume_type_encryption"
ACCESS = "volume_extension:volume_type_access"


class TypeApi:
    """`Cloud.types`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get_type(self, context: Context, type_id: str) -> VolumeType:
        """By id. VolumeTypeNotFound, also for a private type of others."""
        row = self.cloud.database.volume_types.get(type_id)
        if row is None or not self._may_use(context, row):
            raise errors.VolumeTypeNotFound(volume_type_id=type_id)
        return self.cloud.database.get_volume_type(type_id)

    @staticmethod
    def _may_use(context: Context, row: Mapping[str, Any]) -> bool:
        return context.is_admin or row["is_public"] or context.project_id in row["projects"]

    def list_types(self, context: Context) -> list[VolumeType]:
        """Those that the caller may use."""
        rows = self.cloud.database.volume_types.values()
        return [self.cloud.database.get_volume_type(row["id"]) for row in rows if self._may_use(context, row)]

    def create_type(
        self,
        context: Context,
        name: str,
        *,
        description: str | None = None,
        extra_specs: Mapping[str, str] | None = None,
        is_public: bool = True,
    ) -> VolumeType:
        """VolumeTypeExists if the name is taken."""
        require_admin(context, "volume_extension:type_create")
        self._require_free(name)
        self.cloud.create_type(
            name,
            description=description,
            extra_specs=dict(extra_specs or {}),
            is_public=is_public,
            created_at=self.cloud.simulation.kernel.now_us,
        )
        self.cloud.simulation.record("create_type", name)
        return self.cloud.database.get_volume_type(name)

    def _require_free(self, name: str) -> None:
        if any(row["name"] == name for row in self.cloud.database.volume_types.values()):
            raise errors.VolumeTypeExists(id=name)

    def update_type(
        self,
        context: Context,
        type_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        is_public: bool | None = None,
    ) -> VolumeType:
        """None leaves a field as it is. The quota of a renamed type goes along with its name."""
        require_admin(context, "volume_extension:type_update")
        kind = self.get_type(context, type_id)
        if name and name != kind.name:
            self._require_free(name)
            self.cloud.quotas.rename_type(kind.name, name)
        wanted = {"name": name or None, "description": description, "is_public": is_public}
        kind.update({field: value for field, value in wanted.items() if value is not None})
        self._save(kind)
        return kind

    def delete_type(self, context: Context, type_id: str) -> None:
        """Invalid while a volume has it, VolumeTypeDefaultDeletionError if it is a default type."""
        require_admin(context, "volume_extension:type_delete")
        kind = self.get_type(context, type_id)
        self.cloud.default_types.require_no_default(type_id)
        if self._in_use(type_id):
            raise errors.Invalid("Target volume type is still in use.")
        del self.cloud.database.volume_types[type_id]
        self.cloud.simulation.record("delete_type", kind.name)

    def _in_use(self, type_id: str) -> bool:
        return any(row["volume_type_id"] == type_id for row in self.cloud.database.volumes.values())

    def _save(self, kind: VolumeType) -> None:
        kind.updated_at = self.cloud.simulation.kernel.now_us
        kind.save()

    # ---------------------------------------------------------------------------------------- extra specs

    def set_extra_specs(self, context: Context, type_id: str, specs: Mapping[str, str]) -> None:
        """Add or replace; a type that a volume has is not changed."""
        require_admin(context, f"{EXTRA_SPECS}:create")
        self._require_unused(type_id)
        kind = self.get_type(context, type_id)
        if all({**kind.extra_specs, **specs}.get(key) == "<is> True" for key in ("multiattach", "cacheable")):
            raise errors.Invalid("cacheable cannot be set with multiattach.")
        kind.extra_specs = {**kind.extra_specs, **specs}
        self._save(kind)

    def delete_extra_spec(self, context: Context, type_id: str, key: str) -> None:
        """VolumeTypeExtraSpecsNotFound."""
        kind = self.get_type(context, type_id)
        require_admin(context, f"{EXTRA_SPECS}:delete")
        self._require_unused(type_id)
        if key not in kind.extra_specs:
            raise errors.VolumeTypeExtraSpecsNotFound(volume_type_id=type_id, extra_specs_key=key)
        kind.extra_specs = {name: value for name, value in kind.extra_specs.items() if name != key}
        self._save(kind)

    def _require_unused(self, type_id: str) -> None:
        if self._in_use(type_id):
            raise errors.Invalid("Volume Type is currently in use.")

    # ----------------------------------------------------------------------------------------- encryption

    def create_encryption(self, context: Context, type_id: str, **fields: Any) -> None:
        """Fields as in `harness.model.Encryption`; None is as not given. VolumeTypeEncryptionExists."""
        require_admin(context, f"{ENCRYPTION}:create")
        if self._in_use(type_id):
            raise errors.Invalid("Cannot create encryption specs. Volume type in use.")
        kind = self.get_type(context, type_id)
        if kind.encryption is not None:
            raise errors.VolumeTypeEncryptionExists(type_id=type_id)
        kind.encryption = Encryption(**{name: value for name, value in fields.items() if value is not None})
        kind.encryption_id = self.cloud.database.new_id()
        self._save(kind)

    def update_encryption(self, context: Context, type_id: str, **fields: Any) -> None:
        """VolumeTypeEncryptionNotFound."""
        require_admin(context, f"{ENCRYPTION}:update")
        kind = self.get_type(context, type_id)
        if self._in_use(type_id):
            raise errors.Invalid("Cannot update encryption specs. Volume type in use.")
        if kind.encryption is None:
            raise errors.VolumeTypeEncryptionNotFound(type_id=type_id)
        changes = {name: value for name, value in fields.items() if value is not None}
        kind.encryption = kind.encryption._replace(**changes)
        self._save(kind)

    def delete_encryption(self, context: Context, type_id: str) -> None:
        """VolumeTypeEncryptionNotFound."""
        require_admin(context, f"{ENCRYPTION}:delete")
        if self._in_use(type_id):
            raise errors.Invalid("Cannot delete encryption specs. Volume type in use.")
        row = self.cloud.database.volume_types.get(type_id)
        if row is None or row["encryption"] is None:
            raise errors.VolumeTypeEncryptionNotFound(type_id=type_id)
        kind = self.cloud.database.get_volume_type(type_id)
        kind.update({"encryption": None, "encryption_id": None})
        self._save(kind)

    # --------------------------------------------------------------------------------------------- access

    def add_access(self, context: Context, type_id: str, project_id: str) -> None:
        """Let a project use a private type. VolumeTypeAccessExists."""
        require_admin(context, f"{ACCESS}:addProjectAccess")
        kind = self._private(context, type_id)
        if project_id in kind.projects:
            raise errors.VolumeTypeAccessExists(volume_type_id=type_id, project_id=project_id)
        kind.projects = (*kind.projects, project_id)
        self._save(kind)

    def remove_access(self, context: Context, type_id: str, project_id: str) -> None:
        """VolumeTypeAccessNotFound."""
        require_admin(context, f"{ACCESS}:removeProjectAccess")
        kind = self._private(context, type_id)
        if project_id not in kind.projects:
            raise errors.VolumeTypeAccessNotFound(volume_type_id=type_id, project_id=project_id)
        kind.projects = tuple(project for project in kind.projects if project != project_id)
        self._save(kind)

    def _private(self, context: Context, type_id: str) -> VolumeType:
        kind = self.get_type(context, type_id)
        if kind.is_public:
            raise errors.InvalidVolumeType(
                reason="Type access modification is not applicable to public volume type."
            )
        return kind
