"""QoS specs, and the volume types that they are associated with.

Sources: `cinder.volume.qos_specs`, `cinder.api.contrib.qos_specs_manage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.model import Context, QualityOfServiceSpecs, VolumeType

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

MANAGE = "volume_extension:qos_specs_manage"
CONSUMERS = ("back-end", "front-end", "both")
VALUES = (
    "QoSConsumerValues(default=<class 'oslo_versionedobjects.fields.UnspecifiedDefault'>,nullable=False,"
    f"valid_values={CONSUMERS})"
)
"""How Cinder names them to its users."""


class QosApi:
    """`Cloud.qos`. Everything here is for admins only."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get(self, context: Context, specs_id: str) -> QualityOfServiceSpecs:
        """QoSSpecsNotFound."""
        require_admin(context, f"{MANAGE}:get")
        row = self.cloud.database.qos_specs.get(specs_id)
        if row is None:
            raise errors.QoSSpecsNotFound(specs_id=specs_id)
        return QualityOfServiceSpecs.from_row(row, self.cloud.database)

    def create(self, context: Context, name: str, specs: Mapping[str, Any]) -> QualityOfServiceSpecs:
        """`specs` may have a consumer among them. QoSSpecsExists, InvalidQoSSpecs."""
        require_admin(context, f"{MANAGE}:create")
        values = self._checked(specs)
        consumer = values.pop("consumer", "back-end")
        if any(row["name"] == name for row in self.cloud.database.qos_specs.values()):
            raise errors.QoSSpecsExists(specs_id=name)
        made = self.cloud.database.create(
            QualityOfServiceSpecs,
            {
                "name": name,
                "consumer": consumer,
                "specs": values,
                "created_at": self.cloud.simulation.kernel.now_us,
            },
        )
        return self.get(context, made)

    def update(self, context: Context, specs_id: str, specs: Mapping[str, Any]) -> None:
        """Add or replace keys, and the consumer."""
        require_admin(context, f"{MANAGE}:update")
        found = self.get(context, specs_id)
        values = self._checked(specs)
        found.consumer = values.pop("consumer", found.consumer)
        found.specs = {**found.specs, **values}
        self._save(found)

    @staticmethod
    def _checked(specs: Mapping[str, Any]) -> dict[str, Any]:
        consumer = specs.get("consumer", "back-end")
        if consumer not in CONSUMERS:
            raise errors.InvalidQoSSpecs(reason=f"Valid consumer of QoS specs are: {VALUES}")
        return dict(specs)

    def delete_keys(self, context: Context, specs_id: str, keys: Sequence[str]) -> None:
        """One after another, up to the first that is not there: QoSSpecsKeyNotFound."""
        require_admin(context, f"{MANAGE}:delete")
        found = self.get(context, specs_id)
        left = dict(found.specs)
        try:
            for key in keys:
                if key not in left:
                    raise errors.QoSSpecsKeyNotFound(specs_key=key, specs_id=specs_id)
                del left[key]
        finally:
            found.specs = left
            self._save(found)

    def delete(self, context: Context, specs_id: str, *, force: bool = False) -> None:
        """Invalid while a type has them, unless forced: then the types lose them."""
        require_admin(context, f"{MANAGE}:delete")
        self.get(context, specs_id)
        if self.associations(context, specs_id):
            if not force:
                raise errors.Invalid("Qos specs still in use.")
            self.disassociate_all(context, specs_id)
        del self.cloud.database.qos_specs[specs_id]

    def associations(self, context: Context, specs_id: str) -> list[VolumeType]:
        """The types that have them."""
        require_admin(context, f"{MANAGE}:get_all")
        self.get(context, specs_id)
        rows = self.cloud.database.volume_types.values()
        kinds = [self.cloud.database.get_volume_type(row["id"]) for row in rows if row["qos_specs"]]
        return [kind for kind in kinds if kind.qos_specs and kind.qos_specs.id == specs_id]

    def associate(self, context: Context, specs_id: str, type_id: str) -> None:
        """InvalidVolumeType for a type that has others."""
        require_admin(context, f"{MANAGE}:update")
        found = self.get(context, specs_id)
        kind = self.cloud.types.get_type(context, type_id)
        if kind.qos_specs is not None and kind.qos_specs.id != specs_id:
            raise errors.InvalidVolumeType(
                reason=f"Type {type_id} is already associated with another qos specs: {kind.qos_specs.id}"
            )
        kind.qos_specs = found.of_type()
        kind.save()

    def disassociate(self, context: Context, specs_id: str, type_id: str) -> None:
        """A type that does not have them stays as it is."""
        require_admin(context, f"{MANAGE}:update")
        self.get(context, specs_id)
        kind = self.cloud.types.get_type(context, type_id)
        if kind.qos_specs is not None and kind.qos_specs.id == specs_id:
            kind.qos_specs = None
            kind.save()

    def disassociate_all(self, context: Context, specs_id: str) -> None:
        """No type has them any more."""
        require_admin(context, f"{MANAGE}:update")
        for kind in self.associations(context, specs_id):
            kind.qos_specs = None
            kind.save()

    def _save(self, specs: QualityOfServiceSpecs) -> None:
        """Types that carry a copy get the new one."""
        specs.updated_at = self.cloud.simulation.kernel.now_us
        specs.save()
        for row in self.cloud.database.volume_types.values():
            if row["qos_specs"] is not None and row["qos_specs"].id == specs.id:
                self.cloud.database.update(VolumeType, row["id"], {"qos_specs": specs.of_type()})
