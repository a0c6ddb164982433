"""Faults of the control plane in what it tells others, and in what it does when something goes wrong."""

from __future__ import annotations

from harness.control_plane import user_messages
from harness.control_plane.api.attachments import AttachmentApi
from harness.control_plane.connections import Connections
from harness.control_plane.managing import Managing
from harness.control_plane.quota import Quotas
from harness.control_plane.snapshots import Snapshots
from harness.control_plane.start import Start
from harness.control_plane.volume_manager import VolumeManager
from tests.conformance.mutants.control_plane import QUOTA, Fault, one

HEARD, TOLD = "told/who_listens_hears_of_a_whole_life", "told/users_are_told_what_failed"
EXPIRES, BEYOND = (
    "refusals/what_was_reserved_in_vain_expires",
    "bookkeeping/who_is_beyond_the_quota_may_delete",
)
OLD_WAY = "requests/the_old_way_of_attaching_still_works"
STEPS = "requests/a_volume_is_attached_step_by_step"
HALF_MADE, IMAGE, ATTACHED, ITS_OWN = (
    "trouble/what_was_half_made_is_deleted",
    "trouble/an_image_that_cannot_be_copied_is_no_back_ends_fault",
    "trouble/what_a_server_has_is_not_deleted",
    "bookkeeping/a_service_takes_up_its_own_work_only",
)
CREATED = 'self.cloud.notifications.volume(volume, "create.{}", publisher)'
SNAPSHOT = 'self._notify_snapshot(snapshot, "{}")'
UNSENT = {
    "that a creation begins": (VolumeManager, "_create_volume", CREATED.format("start")),
    "that a creation ends": (VolumeManager, "_create_volume", CREATED.format("end")),
    "that a deletion begins": (VolumeManager, "_delete_volume", 'self.notify(volume, f"{event}.start")'),
    "that a deletion ends": (VolumeManager, "_delete_volume", 'self.notify(volume, f"{event}.end")'),
    "that an extension begins": (VolumeManager, "extend_volume", 'self.notify(volume, "resize.start")'),
    "of an attachment": (Connections, "attachment_update", 'self.notify(volume, "attach.start")'),
    "that a detachment begins": (Connections, "attachment_delete", 'self.notify(volume, "detach.start")'),
    "that a detachment ends": (AttachmentApi, "delete", 'self.notify(volume, "detach.end")'),
    "that a snapshot is taken": (Snapshots, "_create_snapshot", SNAPSHOT.format("create.start")),
    "that a snapshot is there": (Snapshots, "_create_snapshot", SNAPSHOT.format("create.end")),
    "that a snapshot goes": (Snapshots, "delete_snapshot", SNAPSHOT.format("delete.start")),
    "that a snapshot is gone": (Snapshots, "delete_snapshot", SNAPSHOT.format("delete.end")),
}
"""Notifications that are not sent: where, and by what call."""

OF_TELLING: dict[str, Fault] = {
    **{f"nobody hears {what}": one(HEARD, *where, "pass") for what, where in UNSENT.items()},
    "nobody hears how large a volume has become": one(
        HEARD, Managing, "extend_volume_completion", ", size=new_size", ", size=0"
    ),
    "users do not hear of a failed creation": one(
        TOLD, VolumeManager, "_create_raw", "self.cloud.user_messages.create(", "(lambda *each: None)("
    ),
    "users do not hear of a failed extension": one(
        TOLD, Managing, "extend_volume_completion",
        "self.cloud.user_messages.create(", "(lambda *each, **further: None)(",
    ),
    "users do not hear of a failed snapshot": one(
        TOLD, Snapshots, "_create_snapshot", "self.cloud.user_messages.create(", "(lambda *each: None)("
    ),
    "a failed snapshot is told as a deletion": one(
        TOLD, Snapshots, "_create_snapshot", "Action.SNAPSHOT_CREATE,", "Action.SNAPSHOT_DELETE,"
    ),
    "users hear of the failures of others": one(
        TOLD, user_messages, "_visible", "context.project_id == message.project_id", "True"
    ),
    "what was half made stays": one(
        HALF_MADE, VolumeManager, "_reschedule", 'self.drive("delete_volume", volume)', "pass"
    ),
    "an image that cannot be copied is tried elsewhere": one(
        IMAGE, VolumeManager, "create_volume", " and not isinstance(error, errors.ImageCopyFailure)", ""
    ),
    "what has been attached meanwhile is deleted": one(
        ATTACHED, VolumeManager, "_delete_volume", 'if volume.attach_status == "attached":', "if False:"
    ),
    "a service that starts takes up what others have begun": one(
        ITS_OWN, Start, "do_cleanup", "work.service == request.service", "True"
    ),
    "a volume may be of any size": one(QUOTA, Quotas, "check_size", "if 0 <= limit < size_gb:", "if False:"),
    "who is beyond the quota is charged for what is deleted": one(
        BEYOND, Quotas, "_is_over", "delta >= 0 and ", ""
    ),
    "reservations never expire": one(EXPIRES, Quotas, "expire", "reservation.until_us < now_us", "False"),
    "reservations expire at once": one(EXPIRES, Quotas, "expire", "reservation.until_us < now_us", "True"),
    "a server that attaches twice before Queens has two attachments": one(
        OLD_WAY, Connections, "attach_volume", "if same:", "if False:"
    ),
    "before Queens a volume is attached to any number of servers": one(
        OLD_WAY, Connections, "attach_volume",
        'if volume.status == "in-use" and not volume.multiattach and not volume.migration_status:', "if False:",
    ),
    "before Queens an export stays": one(
        OLD_WAY, Connections, "detach_volume", 'self.drive("remove_export", self.admin, volume)', "pass", "lvm"
    ),
    "before Queens a volume is let go by name only": one(
        OLD_WAY, Connections, "detach_volume", "attachment_id = attachments[0].id", "return"
    ),
    "nobody hears of an attachment before Queens": one(
        OLD_WAY, Connections, "attach_volume", 'self.notify(volume, "attach.end")', "pass"
    ),
    "nobody hears of a detachment before Queens": one(
        OLD_WAY, Connections, "detach_volume", 'self.notify(volume, "detach.start")', "pass"
    ),
    "a server that connects a volume has it": one(
        STEPS, Connections, "attachment_update", "mark_attached=False", "mark_attached=True"
    ),
    "a volume that is reserved is available": one(
        STEPS, AttachmentApi, "_reserve", '{"status": "reserved"}', "{}"
    ),
    "a server that says it has a volume has it not": one(
        STEPS, AttachmentApi, "complete", 'attachment.attach_status = "attached"', "pass"
    ),
}  # fmt: skip
"""By what is wrong."""
