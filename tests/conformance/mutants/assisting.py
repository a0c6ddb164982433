"""Faults of one kind of driver in its own moves and retypes, in a driver of the other kind."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.lvm.provisioning import create
from fake_backends.rbd.driver import RbdDriver
from harness.errors import VolumeBackendAPIException
from harness.model import GIB
from tests.conformance.mutants.migrating import by_id
from tests.conformance.mutants.planted import mutant


def location(host: Any) -> list[str]:
    """The five parts of a destination's location, empty if there is none."""
    parts = (host["capabilities"].get("location_info") or "").split(":")
    return parts if len(parts) == 5 else [""] * 5


@mutant(
    "M10-lvm",
    "assisted/moving_within_the_storage_keeps_the_volume",
    "deletes the source where source and destination are one",
)
class DeletesWithinGroup(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        if location(host)[2] == self.group.name:
            self._delete(volume.name, volume.size)
            return True, None
        return super().migrate_volume(context, volume, host)


@mutant("M12-rbd", "assisted/a_moved_volume_is_whole", "copies as many MiB as there are GiB")
class CopiesMebibytesOfImage(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        answer = super().migrate_volume(context, volume, host)
        if answer[0] and volume.name not in self._pool():
            target = self._connect(location(host)[0], location(host)[4])
            for size in (volume.size << 20, volume.size * GIB):
                self._resize(target, volume.name, size)
        return answer


@mutant(
    "M14-lvm", "assisted/an_attached_volume_keeps_its_guest", "takes a volume that is retyping from its guest"
)
class TakesVolumeFromGuest(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        parts = location(host)
        group = self.node.volume_groups.get(parts[2])
        if volume.status != "retyping" or group is None or group is self.group:
            return super().migrate_volume(context, volume, host)
        create(group, volume.name, volume.size, parts[3], 0)
        self._copy(volume.name, group, volume.name, volume.size)
        self.exports.remove(volume)
        self._delete(volume.name, volume.size)
        return True, None


@mutant(
    "M15-thin",
    "retypes/a_retype_for_the_back_end_alone_is_the_drivers",
    "refuses what is retyping (LP 2104334)",
    on="lvm-thin",
)
class RefusesRetypingThin(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return (False, None) if volume.status == "retyping" else super().migrate_volume(context, volume, host)


@mutant(
    "M16-lvm", "migration from/a_volume_arrives_elsewhere", "raises for what is in maintenance", on="lvm-thin"
)
class RaisesForMaintenance(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        if volume.status == "maintenance":
            raise VolumeBackendAPIException(data="cannot migrate what is in maintenance")
        return super().migrate_volume(context, volume, host)


@mutant("M17-rbd", "assisted/a_foreign_destination_is_refused", "raises for a destination of another kind")
class RaisesForForeignImage(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        answer = super().migrate_volume(context, volume, host)
        if not answer[0]:
            raise VolumeBackendAPIException(data="cannot migrate there")
        return answer


@mutant(
    "M22-rbd",
    "retype/specs_that_mean_nothing_are_changed_in_place",
    "refuses for specs that mean nothing to it",
)
class RefusesSpecsOfImages(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        return not diff["extra_specs"] and super().retype(context, volume, new_type, diff, host)


@mutant(
    "assisted-own-group",
    "assisted/a_destination_on_another_system_is_refused",
    "looks for its own group in place of the other one (LP 1258203)",
)
class LooksForItself(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        name = location(host)[2]
        if location(host)[1] == self.hostname and self.group.name in self.node.volume_groups:
            self.node.volume_groups[name]
        return super().migrate_volume(context, volume, host)


@mutant("assisted-by-id-rbd", "assisted/a_volume_moves_under_its_name_id", "moves the image that the id names")
class MovesImageById(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return super().migrate_volume(context, by_id(volume), host)


@mutant(
    "assisted-forgets-name",
    "assisted/a_volume_moves_under_its_name_id",
    "says that what it has moved has the name of its id",
    on="lvm-thin",
)
class ForgetsName(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        moved, update = super().migrate_volume(context, volume, host)
        return moved, {"_name_id": None} if moved else update


@mutant(
    "assisted-source-first",
    "assisted/a_failed_move_keeps_the_volume",
    "gives the source away before it is copied",
)
class GivesSourceAway(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        cluster, _, fsid, _, pool = location(host)
        if fsid != self._pool().cluster.fsid or pool == self._option("rbd_pool") or volume.status == "in-use":
            return super().migrate_volume(context, volume, host)
        self._pool().rename(volume.name, f"moving-{volume.id}")
        self._pool().copy(f"moving-{volume.id}", self._connect(cluster, pool), volume.name)
        self._pool().remove(f"moving-{volume.id}")
        return True, None
