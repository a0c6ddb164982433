"""Faults of the control plane in volumes that change places while servers use them.

They are planted like those of `control_plane`. Names that begin with M, and numbers of bugs, say what they were
made of.
"""

from __future__ import annotations

from harness.control_plane.api.moves import Moves
from harness.control_plane.connections import Connections
from harness.control_plane.hypervisor import Nova
from harness.control_plane.migration import Migration
from harness.control_plane.retype import Retype
from harness.control_plane.servers import Disk
from tests.conformance.mutants.control_plane import Fault, one

SWAPS = "swaps/"
NOT_SWAPPED = SWAPS + "what_nova_does_not_swap"
UNWILLING, FAILED, NO_DRIVER, QUEENS, MEANWHILE, LUKS, WRITERS = (
    SWAPS + "a_hypervisor_that_refuses_ends_the_migration",
    SWAPS + "a_failed_swap_leaves_nothing",
    SWAPS + "a_completion_without_a_driver_is_an_error",
    SWAPS + "an_attachment_of_before_queens_moves_along",
    SWAPS + "what_a_guest_writes_meanwhile_moves_along",
    SWAPS + "what_qemu_decrypts_is_not_swapped",
    SWAPS + "a_volume_of_two_writers_is_not_swapped",
)
ENDED, SWAP = (
    SWAPS + "every_connection_is_ended",
    SWAPS + "a_swap_of_novas_own_takes_attachments_along",
)
DELETES = 'self.messaging.cast(self._address(temporary), "delete_volume", temporary)'

OF_SWAPS: dict[str, Fault] = {
    "M54 who listens to Nova's refusal is nobody": one(
        UNWILLING, Migration, "_migrate_generic",
        "self._clean_temporary(volume, temporary)\n        raise", "self._clean_temporary(volume, temporary)",
    ),
    "M54 Nova's refusal leaves the temporary volume": one(
        UNWILLING, Migration, "_migrate_generic", "self._clean_temporary(volume, temporary)\n        raise",
        "if not volume.volume_attachment:\n            self._clean_temporary(volume, temporary)\n        raise",
    ),
    "M42 after a failed swap the temporary volume stays": one(
        FAILED, Migration, "migrate_volume_completion", f"if error:\n        {DELETES}", "if error:"
    ),
    "M42 after a failed swap a retype goes on": one(
        FAILED, Migration, "migrate_volume_completion",
        '{"migration_status": "error", "status": original_status}', '{"migration_status": "error"}',
    ),
    "M42 after a failed swap the old volume is deleted": one(
        FAILED, Migration, "migrate_volume_completion", f"if error:\n        {DELETES}",
        'if error:\n        self.messaging.cast(self._address(volume), "delete_volume", volume)',
    ),
    "after a failed swap Nova lets go of the old volume": one(
        FAILED, Nova, "_swap_volume", "new.id if failure else disk.attachment_id", "disk.attachment_id"
    ),
    "a service without its driver completes a migration": one(
        NO_DRIVER, Migration, "migrate_volume_completion", "self.require_driver_initialized()", "pass"
    ),
    "a completion without a driver goes on for ever": one(
        NO_DRIVER, Migration, "migrate_volume_completion",
        'except errors.DriverNotInitialized:\n        volume.migration_status = "error"',
        "except errors.DriverNotInitialized:",
    ),
    "M37 attachments are read when they are gone (LP 1659914)": one(
        QUEENS, Migration, "_detach_in_old_flow",
        "return volume.volume_attachment", "return self.db.attachments_of(volume.id)",
    ),
    "M39 every attachment of before Queens becomes read/write (LP 1802155)": one(
        QUEENS, Migration, "migrate_volume_completion", 'attachment.attach_mode or "rw"', '"rw"'
    ),
    "M37 an attachment of before Queens is lost (LP 1614371)": one(
        QUEENS, Migration, "migrate_volume_completion",
        "for attachment in in_old_flow:", "for attachment in ():",
    ),
    "an attachment of before Queens is made anew beside the old one": one(
        QUEENS, Migration, "_detach_in_old_flow", "self.detach_volume(volume.id, attachment.id)", "pass"
    ),
    "an export of before Queens that stays ends the migration": one(
        QUEENS, Migration, "_detach_in_old_flow", "except Exception as error:", "except KeyError as error:"
    ),
    "an attachment of before Queens goes to another place": one(
        QUEENS, Migration, "migrate_volume_completion", "attachment.mountpoint,", "None,"
    ),
    "M54 Nova does not copy what the guest writes meanwhile": one(
        MEANWHILE, Disk, "mirror_to", "while self._dirty:", "while False:"
    ),
    "M54 Nova swaps what QEMU decrypts (NOVA 1749418)": one(
        LUKS, Nova, "_copy_to_new",
        'if encryption is not None and encryption.provider == "luks":', "if False:", "lvm",
    ),
    "M54 Nova swaps what two servers write to": one(
        WRITERS, Nova, "_check_volumes", "if len(writers) > 1:", "if False:"
    ),
    "M54 Nova leaves its connection to the old volume": one(
        ENDED, Nova, "_swap_volume",
        "attachments.delete(self.context, new.id if failure else disk.attachment_id)",
        "if failure:\n        attachments.delete(self.context, new.id)",
    ),
    "the destination of a copy is not disconnected": one(
        ENDED, Connections, "detach_volume_here",
        'self.messaging.call(address, "terminate_connection", volume.id, self.connector, True)', "pass",
    ),
    "the source of a copy is not disconnected": one(
        ENDED, Connections, "detach_volume_here",
        "self.terminate_connection(volume.id, self.connector, True)", "pass",
    ),
    "a copy is disconnected without force": one(
        ENDED, Connections, "detach_volume_here",
        "self.terminate_connection(volume.id, self.connector, True)",
        "self.terminate_connection(volume.id, self.connector, False)",
    ),
    "a swap of Nova's own leaves the old attachment (LP 1489744)": one(
        SWAP, Moves, "_swap_without_migration",
        "self.detach_record(context, volume, attachment.id)", "pass",
    ),
    "a swap of Nova's own attaches nothing (LP 1489744)": one(
        SWAP, Moves, "_swap_without_migration", "self.attach_record(", "(lambda *each: None)("
    ),
    "a swap of Nova's own is done although it failed (LP 1489744)": one(
        SWAP, Moves, "_swap_without_migration", "if not error:", "if True:"
    ),
    "a service without its driver begins to retype": one(
        "trouble/a_service_without_its_driver_does_nothing", Retype, "retype",
        "self.require_driver_initialized()", "pass",
    ),
    "M54 Nova swaps what does not migrate": one(
        NOT_SWAPPED, Nova, "_check_volumes",
        "if self.profile.only_for_cinder and not volume.migration_status:", "if False:",
    ),
    "M54 Nova swaps a volume for a smaller one": one(
        NOT_SWAPPED, Nova, "_check_volumes", "if new_volume.size < volume.size:", "if False:"
    ),
    "M54 Nova swaps a volume for one that is attached": one(
        NOT_SWAPPED, Nova, "_check_volumes", ' or new_volume.attach_status != "detached"', ""
    ),
    "M54 Nova swaps volumes across zones": one(
        NOT_SWAPPED, Nova, "_check_volumes", "if not self.cross_az_attach and", "if False and"
    ),
}  # fmt: skip
"""By what is wrong."""
