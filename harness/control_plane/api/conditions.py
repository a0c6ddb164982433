"""What a volume must be for each action: the API's conditions as data.

Sources: `cinder.volume.api:API`, `cinder.backup.api:API`, `cinder.transfer.api:API`, `cinder.group.api:API` and
`cinder.policies`. A test compares every action in every (status, migration_status) with what the real API
answers.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from harness.model import AVAILABLE_MIGRATION_STATUSES, Volume

Microversion = tuple[int, int]
NEWEST: Microversion = (3, 71)
"""The highest microversion of Cinder 29."""

VOLUME_ACTIONS = "volume_extension:volume_actions"
ADMIN_ACTIONS = "volume_extension:volume_admin_actions"


class Action(NamedTuple):
    """The conditions of one action.

    `rule` is the policy that says who may. The volume must be in one of `statuses` (None: in any) and in none
    of `excluded`, must not migrate if `idle`, and must not be attached if `detached`. `refusal` is the reason
    of the InvalidVolume if it is not so; it may name id, status and statuses. `since` is the first
    microversion that has the action.
    """

    rule: str
    statuses: tuple[str, ...] | None = None
    refusal: str = ""
    idle: bool = False
    detached: bool = False
    excluded: tuple[str, ...] = ()
    since: Microversion = (3, 0)

    def allows(self, volume: Volume) -> bool:
        """True if the volume is as it must be; other conditions of the action are not looked at."""
        return (
            (self.statuses is None or volume.status in self.statuses)
            and volume.status not in self.excluded
            and (not self.idle or volume.migration_status in AVAILABLE_MIGRATION_STATUSES)
            and (not self.detached or volume.attach_status != "attached")
        )

    def reason(self, volume: Volume) -> str:
        """Why not, in Cinder's words."""
        statuses = " or ".join(self.statuses or ())
        return self.refusal.format(id=volume.id, status=volume.status, statuses=statuses)


DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")
AVAILABLE_OR_IN_USE = ("available", "in-use")
_NOT_DELETABLE = (
    "must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be "
    "disassociated from snapshots after volume transfer."
)
_MIGRATE = (
    "Volume {id} status must be available or in-use, must not be migrating, have snapshots, be replicated, be "
    "part of a group and destination host/cluster must be different than the current one"
)
_RETYPE = (
    "Retype needs volume to be in available or in-use state, not be part of an active migration or a "
    "consistency group, requested type has to be different that the one from the volume, and for in-use "
    "volumes front-end qos specs cannot change."
)
_REIMAGE = "Volume {id} status must be {statuses}, but current status is {status}."
_METADATA = " volume metadata is not allowed for volumes in {status} status."

ACTIONS = MappingProxyType({
    "reserve": Action(
        f"{VOLUME_ACTIONS}:reserve", ("available",),
        "Volume status must be {statuses} to reserve, but the status is {status}.",
    ),
    "unreserve": Action(f"{VOLUME_ACTIONS}:unreserve"),
    "begin_detaching": Action(
        f"{VOLUME_ACTIONS}:begin_detaching", ("in-use",),
        "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to "
        "detach.",
        idle=True,
    ),
    "roll_detaching": Action(f"{VOLUME_ACTIONS}:roll_detaching"),
    "attach": Action(
        f"{VOLUME_ACTIONS}:attach", refusal="The volume cannot be attached in maintenance mode.",
        excluded=("maintenance",),
    ),
    "detach": Action(
        f"{VOLUME_ACTIONS}:detach", refusal="The volume cannot be detached in maintenance mode.",
        excluded=("maintenance",),
    ),
    "initialize_connection": Action(
        f"{VOLUME_ACTIONS}:initialize_connection",
        refusal="The volume connection cannot be initialized in maintenance mode.", excluded=("maintenance",),
    ),
    "terminate_connection": Action(f"{VOLUME_ACTIONS}:terminate_connection"),
    "attachment_create": Action(
        "volume:attachment_create", ("available", "downloading"),
        "Volume {id} status must be {statuses} to reserve, but the current status is {status}.", since=(3, 27),
    ),
    "extend": Action(
        "volume:extend", ("available",),
        "Volume {id} status must be '{{'status': 'available'}}' to extend, currently {status}.",
    ),
    "extend_attached": Action(
        "volume:extend_attached_volume", ("in-use",),
        "Volume {id} status must be '{{'status': 'in-use'}}' to extend, currently {status}.", since=(3, 42),
    ),
    "extend_completion": Action(
        f"{ADMIN_ACTIONS}:extend_volume_completion", ("extending",), "Volume is not being extended.",
        since=(3, 71),
    ),
    "delete": Action(
        "volume:delete", DELETABLE, f"Volume status must be {{statuses}} and {_NOT_DELETABLE}", idle=True,
        detached=True,
    ),
    "force_delete": Action(
        "volume:force_delete", refusal=f"Volume  {_NOT_DELETABLE}", idle=True, detached=True,
    ),
    "create_snapshot": Action(
        "volume:create_snapshot", AVAILABLE_OR_IN_USE,
        "Volume {id} status must be available, in-use, but current status is: {status}.", idle=True,
        since=(3, 66),
    ),
    "create_snapshot_available": Action(
        "volume:create_snapshot", ("available",),
        "Volume {id} status must be available, but current status is: {status}.", idle=True,
    ),
    "revert_to_snapshot": Action(
        "volume:revert_to_snapshot", ("available",),
        "Can't revert volume {id} to its latest snapshot {{snapshot}}. Volume's status must be 'available'.",
        since=(3, 40),
    ),
    "upload_image": Action(
        f"{VOLUME_ACTIONS}:upload_image", ("available",), "Volume {id} status must be {statuses}",
    ),
    "reimage": Action("volume:reimage", ("available", "error"), _REIMAGE, since=(3, 68)),
    "reimage_reserved": Action(
        "volume:reimage_reserved", ("available", "error", "reserved"), _REIMAGE, since=(3, 68),
    ),
    "retype": Action("volume:retype", AVAILABLE_OR_IN_USE, _RETYPE, idle=True),
    "migrate": Action(f"{ADMIN_ACTIONS}:migrate_volume", AVAILABLE_OR_IN_USE, _MIGRATE, idle=True),
    "migrate_completion": Action(f"{ADMIN_ACTIONS}:migrate_volume_completion"),
    "update_readonly_flag": Action(
        "volume:update_readonly_flag", ("available",),
        "Volume {id} status must be available to update readonly flag, but current status is: {status}.",
    ),
    "update": Action(
        "volume:update", refusal="The volume cannot be updated during maintenance.", excluded=("maintenance",),
    ),
    "update_metadata": Action(
        "volume:update_volume_metadata", refusal="Updating" + _METADATA, excluded=("maintenance", "uploading"),
    ),
    "delete_metadata": Action(
        "volume:delete_volume_metadata", refusal="Deleting" + _METADATA, excluded=("maintenance", "uploading"),
    ),
    "create_transfer": Action("volume:create_transfer", ("available",), "status must be available"),
    "create_backup": Action(
        "backup:create", AVAILABLE_OR_IN_USE,
        'Volume to be backed up must be available or in-use, but the current status is "{status}".',
    ),
    "restore_backup": Action("backup:restore", ("available",), "Volume to be restored to must be available"),
    "reset_status": Action(f"{ADMIN_ACTIONS}:reset_status"),
})  # fmt: skip
"""Action by name. What more an action looks at, such as snapshots, groups and quota, its function says."""
