"""Drivers that answer more than they were asked: what they say overrides what Cinder has on record."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import VolumeMigrationFailed
from tests.conformance.mutants.planted import mutant

ANSWER = "volumes/an_answer_leaves_to_cinder_what_is_cinders"


@mutant("answers-metadata", ANSWER, "answers with metadata of its own in place of the user's")
class AnswersMetadata(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        return {**(super().create_volume(volume) or {}), "metadata": {"array": "1"}}


@mutant("answers-service", ANSWER, "answers with the service in place of the pool that Cinder has chosen")
class AnswersService(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        return {**(super().create_volume(volume) or {}), "host": self.host}


@mutant("answers-type", ANSWER, "answers with the type of the source of a clone")
class AnswersType(RbdDriver):
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> Any:
        update = super().create_cloned_volume(volume, src_vref)
        return {**(update or {}), "volume_type_id": src_vref.volume_type_id}


@mutant("answers-mebibytes", ANSWER, "answers with the size of a snapshot in MiB")
class AnswersMebibytes(LvmDriver):
    def create_snapshot(self, snapshot: Any) -> Any:
        super().create_snapshot(snapshot)
        return {"volume_size": snapshot.volume_size * 1024}


@mutant("retype-old-type", "retype/specs_that_mean_nothing_are_changed_in_place", "answers with the old type")
class AnswersOldType(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> Any:
        super().retype(context, volume, new_type, diff, host)
        return True, {"volume_type_id": volume.volume_type_id}


@mutant("retype-refused-half", "retype/a_retyped_volume_has_the_limits_of_its_type", "refuses what it has done")
class RefusesWhatIsDone(RbdDriver):
    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> bool:
        super().retype(context, volume, new_type, diff, host)
        return False


# ------------------------------------------------------------------------------------- assisted migration

DONE = "assisted/a_move_is_done_or_not_begun"


@mutant("assisted-refuses-late", DONE, "refuses when the copy fails, and leaves it")
class RefusesLate(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        try:
            return super().migrate_volume(context, volume, host)
        except Exception:  # noqa: BLE001 (that is the fault)
            return False, None


@mutant("assisted-keeps-source", DONE, "says that it has moved what it could not delete at the source")
class KeepsSource(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        try:
            return super().migrate_volume(context, volume, host)
        except VolumeMigrationFailed:
            return True, None


@mutant("assisted-small-only", "assisted/volumes_move_within_the_storage_system", "moves what is small only")
class MovesSmall(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return super().migrate_volume(context, volume, host) if volume.size < 10 else (False, None)


@mutant("assisted-copy-stays", "assisted/a_copy_that_fails_leaves_nothing", "leaves a copy that has failed")
class CopyStays(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        cluster, _, fsid, _, pool = host["capabilities"]["location_info"].split(":")
        if fsid != self._pool().cluster.fsid:
            return False, None
        self._pool().copy(volume.name, self._connect(cluster, pool), volume.name)
        self.delete_volume(volume)
        return True, None


ELSEWHERE = "assisted/a_destination_on_another_system_is_refused"


def at(host: Any, part: int, value: str) -> Any:
    """The destination with one part of its location replaced, if it has a location of five."""
    location = (host["capabilities"].get("location_info") or "").split(":")
    if len(location) == 5:
        location[part] = value
    return {**host, "capabilities": {**host["capabilities"], "location_info": ":".join(location)}}


@mutant("assisted-any-node", ELSEWHERE, "takes a group of another node for that of its name here")
class AnyNode(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return super().migrate_volume(context, volume, at(host, 1, self.hostname))


@mutant(
    "assisted-own-type", "assisted/a_moved_volume_is_provisioned_as_its_destination", "provisions as its source"
)
class OwnType(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return super().migrate_volume(context, volume, at(host, 3, self.lvm_type))


@mutant("assisted-needs-pool", "assisted/a_foreign_destination_is_refused", "wants a pool in every address")
class NeedsPool(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        host["host"].split("#")[1]
        return super().migrate_volume(context, volume, host)


@mutant("assisted-no-group", ELSEWHERE, "answers (None, False) if there is no such group")
class NoGroup(LvmDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        answer = super().migrate_volume(context, volume, host)
        location = (host["capabilities"].get("location_info") or "").split(":")
        if len(location) == 5 and location[2] not in self.node.volume_groups:
            return answer[::-1]
        return answer


@mutant("assisted-any-cluster", ELSEWHERE, "takes a pool of another cluster for that of its name here")
class AnyCluster(RbdDriver):
    def migrate_volume(self, context: Any, volume: Any, host: Any) -> Any:
        return super().migrate_volume(context, volume, at(host, 2, self._pool().cluster.fsid))
