"""Drivers that move volumes by themselves, or use them meanwhile, at the expense of others."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm import dd
from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from fake_backends.rbd.features import JOURNALING
from fake_backends.rbd.type_settings import MULTIATTACH_EXCLUSIONS
from harness.errors import InvalidSnapshot, InvalidVolume, VolumeBackendAPIException
from harness.model import GIB
from tests.conformance.mutants.planted import mutant

SPACE, SPECS = (
    "assisted/a_volume_that_moved_gives_back_all_its_space",
    "retype/specs_that_mean_nothing_are_changed_in_place",
)


@mutant("assisted-in-use-raises", "assisted/a_volume_in_use_is_no_error", "raises for what is in use")
class RaisesForInUse(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        if volume.status == "in-use":
            raise VolumeBackendAPIException(data="cannot migrate what is in use")
        return super().migrate_volume(context, volume, host)


class Moves(LvmDriver):
    """Knows when it deletes the source of a move."""

    moving = False

    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        self.moving = True
        try:
            return super().migrate_volume(context, volume, host)
        finally:
            self.moving = False


@mutant(
    "assisted-not-cleared",
    "assisted/a_new_volume_shows_nothing_of_one_that_moved_away",
    "does not clear the source of a move",
)
class MovesUncleared(Moves):
    def _delete(self, name: str, size_gb: int) -> None:
        if self.moving:
            self.group.remove(name)
        else:
            super()._delete(name, size_gb)


@mutant("assisted-trash", SPACE, "puts the source of a move into the trash, for ever")
class MovesToTrash(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        cluster, _, fsid, _, pool = (host["capabilities"].get("location_info") or "::::").split(":")
        if fsid != self._pool().cluster.fsid or pool == self._option("rbd_pool"):
            return super().migrate_volume(context, volume, host)
        self._pool().copy(volume.name, self._connect(cluster, pool), volume.name)
        self._pool().trash_move(volume.name, 10**9)
        return True, None


@mutant(
    "assisted-full",
    "assisted/what_is_empty_moves_without_taking_space",
    "copies zeros to a thin destination",
    on="lvm-thin",
)
class MovesEveryByte(LvmDriver):
    def _copy(self, source: str, group: Any, name: str, size_gb: int) -> None:
        ends = (self.group, source), (group, name)
        dd.copy(*ends, size_gb * GIB, sparse=False, points=self.world.points)


PARTED = "assisted/a_clone_and_its_source_part"


@mutant("assisted-takes-clones", PARTED, "takes the clones of what it moves for copies that stay behind")
class TakesClones(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        clones = [child.name for child in self._pool().image(volume.name).children(None)]
        moved, update = super().migrate_volume(context, volume, host)
        for name in clones if moved else ():
            self._pool().remove(name)
        return moved, update


@mutant("assisted-empty-clone", PARTED, "moves of a clone what was written to it alone")
class MovesEmptyClone(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        is_clone = self._pool().image(volume.name).head.parent is not None
        moved, update = super().migrate_volume(context, volume, host)
        if moved and is_clone and volume.name not in self._pool():
            cluster, _, _, _, pool = host["capabilities"]["location_info"].split(":")
            target = self._connect(cluster, pool)
            target.remove(volume.name)
            target.create(volume.name, volume.size * GIB)
        return moved, update


@mutant(
    "assisted-cuts-encrypted",
    "encryption/an_encrypted_volume_is_moved_whole",
    "makes an encrypted volume as large as its record",
)
class CutsEncrypted(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        moved, update = super().migrate_volume(context, volume, host)
        if moved and volume.encryption_key_id:
            cluster, _, _, _, pool = host["capabilities"]["location_info"].split(":")
            self._resize(self._connect(cluster, pool), volume.name, volume.size * GIB)
        return moved, update


@mutant(
    "assisted-exclusive",
    "assisted/a_moved_volume_is_what_its_type_says",
    "moves a multiattach volume as one for a single host",
)
class MovesExclusively(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        moved, update = super().migrate_volume(context, volume, host)
        if moved and volume.name not in self._pool():
            cluster, _, _, _, pool = host["capabilities"]["location_info"].split(":")
            with self._connect(cluster, pool).open(volume.name) as handle:
                missing = MULTIATTACH_EXCLUSIONS & ~JOURNALING & ~handle.image.features
                if missing:
                    handle.image.set_features(missing, True)
        return moved, update


@mutant(
    "copy-deletes-source",
    "migration from/a_migration_that_is_not_completed_keeps_the_volume",
    "deletes the source when it has been copied",
)
class DeletesCopied(NfsDriver):
    def after_volume_copy(self, context: Any, src_vol: Any, dest_vol: Any, remote: Any = None) -> None:
        self.delete_volume(src_vol)


# ------------------------------------------------------------------------------------------------ retypes


@mutant("retype-in-use-refused", SPECS, "refuses to retype what is in use")
class RefusesRetypeInUse(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        return volume.attach_status != "attached" and super().retype(context, volume, new_type, diff, host)


@mutant("retype-limits-refused", SPECS, "refuses where limits differ that it does not set")
class RefusesLimits(LvmDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> bool:
        return not diff["qos_specs"]


@mutant(
    "retype-snapshot-refused",
    "retype/a_volume_with_a_snapshot_can_be_retyped",
    "refuses to retype what has a snapshot",
)
class RefusesRetypeWithSnapshot(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        snapshots = self._pool().image(volume.name).snapshots
        return not snapshots and super().retype(context, volume, new_type, diff, host)


# ------------------------------------------------------------------------------------------------- in use

BACKED_UP = "images and backups/a_volume_in_use_can_be_backed_up"


@mutant("backup-no-clone", BACKED_UP, "makes no clone of what is backed up")
class ClonesNoBackup(NfsDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        if src_vref.status == "backing-up":
            raise InvalidVolume(reason="backing-up")
        return super().create_cloned_volume(volume, src_vref)


@mutant("backup-no-snapshot", BACKED_UP, "makes no volume of a snapshot that is backed up", on="nfs-qcow2")
class CopiesNoBackup(NfsDriver):
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> Any:
        if snapshot.status == "backing-up":
            raise InvalidSnapshot(reason="backing-up")
        return super().create_volume_from_snapshot(volume, snapshot)


@mutant("extend-disconnects", "extend/an_attached_volume_can_be_extended", "exports anew what it has extended")
class ExtendsAnew(LvmDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        super().extend_volume(volume, new_size)
        if volume.attach_status == "attached":
            self.exports.remove(volume)
            self.exports.create(volume, self.group)


@mutant(
    "same-connector",
    "multiattach/two_attachments_on_one_host_share_a_connection",
    "knows a host only by all that it says of itself",
)
class KnowsConnectors(LvmDriver):
    def do_setup(self, context: Any) -> None:
        super().do_setup(context)
        self.exports.same_connector = lambda one, other: one == other  # type: ignore[method-assign]


@mutant(
    "access-stays-migrated",
    "multiattach/a_host_that_is_gone_is_out",
    "leaves a host its access to a volume that has been migrated",
)
class KeepsAccessByName(LvmDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        if volume._name_id is None:
            return super().terminate_connection(volume, connector, **kwargs)
        return len(volume.volume_attachment) > 1


@mutant(
    "connects-raced",
    "concurrency/one_volume_is_connected_on_hosts_at_once",
    "writes down who may connect as it was before it asked",
)
class ConnectsRaced(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        target = self.node.targets.targets[volume.provider_location.split(" ")[1]]
        before = dict(target.allowed or {})
        info = super().initialize_connection(volume, connector)
        target.allowed = {**before, connector["initiator"]: (target.allowed or {})[connector["initiator"]]}
        return info


REPORTED = "multiattach/what_works_is_reported"


@mutant("hides-multiattach", REPORTED, "does not report multiattach")
class HidesMultiattach(RbdDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {**super().get_volume_stats(refresh), "multiattach": False}


@mutant("hides-multiattach-thin", REPORTED, "does not report multiattach of its pool", on="lvm-thin")
class HidesMultiattachOfPool(LvmDriver):
    def _fresh_stats(self) -> dict[str, Any]:
        stats = super()._fresh_stats()
        pools = [{key: value for key, value in pool.items() if key != "multiattach"} for pool in stats["pools"]]
        return {**stats, "pools": pools}
