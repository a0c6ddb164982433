"""A driver that takes consistent snapshots of groups, which is right, and others that are not."""

from __future__ import annotations

from typing import Any

from fake_backends.rbd.driver import RbdDriver
from harness.errors import CrucibleError, VolumeDriverException
from harness.sim.points import QUIET
from tests.conformance.mutants.planted import mutant

LIVES = "consistent groups/a_consistent_group_lives_and_leaves_nothing"
ANSWERS = "consistent groups/answers_have_the_form_that_the_manager_takes"
Update = tuple[dict[str, Any] | None, list[dict[str, Any]] | None]


class Grouping(RbdDriver):
    """Groups are a matter of Cinder's records; the pool sees to it that nobody writes between snapshots."""

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {**super().get_volume_stats(refresh), "consistent_group_snapshot_enabled": True}

    def create_group(self, context: Any, group: Any) -> dict[str, Any] | None:
        return {"status": "available"}

    def update_group(
        self, context: Any, group: Any, add_volumes: Any = (), remove_volumes: Any = ()
    ) -> tuple[dict[str, Any] | None, list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
        return None, None, None

    def delete_group(self, context: Any, group: Any, volumes: Any) -> Update:
        for volume in volumes:
            self.delete_volume(volume)
        return {"status": "deleted"}, [{"id": volume.id, "status": "deleted"} for volume in volumes]

    def create_group_snapshot(self, context: Any, group_snapshot: Any, snapshots: Any) -> Update:
        try:
            self.at_one_moment(snapshots)
        except CrucibleError as error:
            raise VolumeDriverException(message=f"group {group_snapshot.group_id}: {error}") from error
        return {"status": "available"}, [{"id": each.id, "status": "available"} for each in snapshots]

    def at_one_moment(self, snapshots: Any) -> None:
        """All snapshots, and nobody writes between them."""
        cluster = self._pool().cluster
        cluster.points.visit("rbd.group_snap_create")
        points, cluster.points = cluster.points, QUIET
        try:
            for snapshot in snapshots:
                self.create_snapshot(snapshot)
        finally:
            cluster.points = points

    def delete_group_snapshot(self, context: Any, group_snapshot: Any, snapshots: Any) -> Update:
        try:
            for snapshot in snapshots:
                self.delete_snapshot(snapshot)
        except CrucibleError as error:
            raise VolumeDriverException(message=str(error)) from error
        return {"status": "deleted"}, [{"id": each.id, "status": "deleted"} for each in snapshots]

    def create_group_from_src(
        self, context: Any, group: Any, volumes: Any, group_snapshot: Any = None, snapshots: Any = None,
        source_group: Any = None, source_vols: Any = None,
    ) -> Update:  # fmt: skip
        for number, volume in enumerate(volumes):
            if group_snapshot is not None:
                self.create_volume_from_snapshot(volume, snapshots[number])
            else:
                self.create_cloned_volume(volume, source_vols[number])
        return None, None


@mutant("group-one-by-one", "consistent groups/a_consistent_snapshot_is_of_one_moment", "one after the other")
class OneByOne(Grouping):
    def at_one_moment(self, snapshots: Any) -> None:
        for snapshot in snapshots:
            self.create_snapshot(snapshot)


@mutant("group-first-only", LIVES, "snapshots the first volume only")
class FirstOnly(Grouping):
    def at_one_moment(self, snapshots: Any) -> None:
        super().at_one_moment(snapshots[:1])


@mutant("group-order", LIVES, "takes the sources in their reverse order")
class ReverseOrder(Grouping):
    def create_group_from_src(
        self, context: Any, group: Any, volumes: Any, group_snapshot: Any = None, snapshots: Any = None,
        source_group: Any = None, source_vols: Any = None,
    ) -> Update:  # fmt: skip
        turned = list(reversed(snapshots or []))
        return super().create_group_from_src(context, group, volumes, group_snapshot, turned, None, source_vols)


@mutant("group-clones-first", "groups/a_group_is_copied_as_a_whole", "clones the first volume for all")
class ClonesFirst(Grouping):
    def create_group_from_src(
        self, context: Any, group: Any, volumes: Any, group_snapshot: Any = None, snapshots: Any = None,
        source_group: Any = None, source_vols: Any = None,
    ) -> Update:  # fmt: skip
        sources = source_vols and [source_vols[0]] * len(source_vols)
        return super().create_group_from_src(context, group, volumes, group_snapshot, snapshots, None, sources)


@mutant("group-volumes-stay", LIVES, "deletes the group and leaves its volumes")
class VolumesStay(Grouping):
    def delete_group(self, context: Any, group: Any, volumes: Any) -> Update:
        return {"status": "deleted"}, [{"id": volume.id, "status": "deleted"} for volume in volumes]


@mutant(
    "group-leaver-deleted", "consistent groups/volumes_of_a_consistent_group_come_and_go", "deletes who leaves"
)
class DeletesLeavers(Grouping):
    def update_group(
        self, context: Any, group: Any, add_volumes: Any = (), remove_volumes: Any = ()
    ) -> tuple[dict[str, Any] | None, list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
        for volume in remove_volumes:
            self.delete_volume(volume)
        return None, None, None


@mutant("group-returns-records", ANSWERS, "returns the records that it was given")
class ReturnsRecords(Grouping):
    def create_group_snapshot(self, context: Any, group_snapshot: Any, snapshots: Any) -> Any:
        super().create_group_snapshot(context, group_snapshot, snapshots)
        return {"status": "available"}, snapshots


@mutant("group-without-status", ANSWERS, "says nothing of the members' statuses")
class WithoutStatus(Grouping):
    def delete_group_snapshot(self, context: Any, group_snapshot: Any, snapshots: Any) -> Update:
        super().delete_group_snapshot(context, group_snapshot, snapshots)
        return {"status": "deleted"}, [{"id": snapshot.id} for snapshot in snapshots]


@mutant("group-two-answers", ANSWERS, "update_group returns two things instead of three")
class TwoAnswers(Grouping):
    def update_group(self, context: Any, group: Any, add_volumes: Any = (), remove_volumes: Any = ()) -> Any:
        return None, None


@mutant("group-only-claims", "groups/who_says_consistent_snapshots_groups", "claims it, and has no methods")
class OnlyClaims(RbdDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {**super().get_volume_stats(refresh), "consistent_group_snapshot_enabled": True}


@mutant(
    "group-foreign-error", "groups/a_failed_group_snapshot_is_told", "raises what is no exception of Cinder's"
)
class ForeignError(Grouping):
    def create_group_snapshot(self, context: Any, group_snapshot: Any, snapshots: Any) -> Update:
        self.at_one_moment(snapshots)
        return {"status": "available"}, None
