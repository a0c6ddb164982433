"""Requests about groups of volumes, through Cinder's real REST router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.cinder_engine.rest import Rest
from harness.model import Context, Group, GroupSnapshot

if TYPE_CHECKING:
    from harness.cinder_engine.cloud import CinderCloud


class GroupApi:
    """Groups, their types and snapshots, with the signatures of `harness.control_plane.api`."""

    def __init__(self, cloud: CinderCloud, rest: Rest) -> None:
        self._cloud = cloud
        self._rest = rest

    def create_type(self, context: Context, name: str, *, group_specs: Mapping[str, str]) -> str:
        """A type of groups with these specs; its id."""
        answer = self._rest(context, "POST", "group_types", {"group_type": {"name": name}})
        type_id = str(answer["group_type"]["id"])
        self._rest(context, "POST", f"group_types/{type_id}/group_specs", {"group_specs": dict(group_specs)})
        return type_id

    def create(self, context: Context, group_type: str, volume_types: Sequence[str]) -> Group:
        body = {"group_type": group_type, "volume_types": list(volume_types)}
        return self._group(self._rest(context, "POST", "groups", {"group": body}))

    def create_from_source(self, context: Context, **source: str) -> Group:
        """`group_snapshot_id` or `source_group_id`."""
        return self._group(self._rest(context, "POST", "groups/action", {"create-from-src": source}))

    def update(
        self,
        context: Context,
        group_id: str,
        *,
        add_volumes: Sequence[str] = (),
        remove_volumes: Sequence[str] = (),
    ) -> None:
        volumes = {"add_volumes": ",".join(add_volumes), "remove_volumes": ",".join(remove_volumes)}
        body = {name: value for name, value in volumes.items() if value}
        self._rest(context, "PUT", f"groups/{group_id}", {"group": body})

    def delete(self, context: Context, group_id: str, *, delete_volumes: bool = False) -> None:
        body = {"delete": {"delete-volumes": delete_volumes}}
        self._rest(context, "POST", f"groups/{group_id}/action", body)

    def create_group_snapshot(self, context: Context, group_id: str) -> GroupSnapshot:
        answer = self._rest(context, "POST", "group_snapshots", {"group_snapshot": {"group_id": group_id}})
        return self._cloud.database.get_group_snapshot(answer["group_snapshot"]["id"])

    def delete_group_snapshot(self, context: Context, group_snapshot_id: str) -> None:
        self._rest(context, "DELETE", f"group_snapshots/{group_snapshot_id}")

    def _group(self, answer: Any) -> Group:
        return self._cloud.database.get_group(answer["group"]["id"])
