"""The matrix proves itself: faults planted in drivers, control plane and Nova must be seen, and by whom.

A mutation replaces a piece of the source text of one function and leaves everything else as it is. The text
must be there exactly once: a mutation that no longer fits the code fails, and is not a silent pass.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

import msgspec
import pytest

from fake_backends.lvm.driver import LvmDriver
from fake_backends.lvm.extents import Area
from fake_backends.lvm.thin_pool import ThinPool
from fake_backends.nfs import snapshots
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from fake_backends.rbd.pool import Pool
from harness.checkers import CHECKERS
from harness.control_plane import migration
from harness.control_plane.api import VolumeApi
from harness.control_plane.connections import Connections
from harness.control_plane.deployment import Deployment
from harness.control_plane.hypervisor import Nova
from harness.control_plane.manager_base import ManagerBase
from harness.control_plane.migration import Migration
from harness.control_plane.retype import Retype
from harness.control_plane.servers import Disk
from harness.matrix.families import find
from harness.matrix.runner import run_cell
from harness.results import CellResult


class Mutation(msgspec.Struct, frozen=True):
    """In the function `name` of `owner` (a class or a module), `old` becomes `new`."""

    owner: Any
    name: str
    old: str
    new: str

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Compile the changed text where the function lives, and put the result in its place."""
        original = inspect.getattr_static(self.owner, self.name)
        function = getattr(original, "__func__", original)
        text = textwrap.dedent(inspect.getsource(function))
        assert text.count(self.old) == 1, f"{self.name} has changed: {self.old!r} is not in it exactly once"
        made: dict[str, Any] = {}
        exec(
            compile(text.replace(self.old, self.new), f"<mutated {self.name}>", "exec"),
            function.__globals__,
            made,
        )
        monkeypatch.setattr(self.owner, self.name, made[self.name])


def broken(result: CellResult) -> set[str]:
    """The invariants that do not hold."""
    return {judgement.name for judgement in result.invariants if judgement.holds is False}


def undecided(result: CellResult) -> set[str]:
    """The invariants whose checker could not tell."""
    return {judgement.name for judgement in result.invariants if judgement.holds is None}


# ------------------------------------------------------------------------------------ one fault per checker

READ_WRITE_AFTER_SWAP = Mutation(
    Nova, "update_server_volume",
    "    except", "        attachment.attach_mode = 'rw'; attachment.save()\n    except",
)  # fmt: skip
ONE_FAULT_PER_CHECKER: dict[str, tuple[str, Mutation]] = {
    # The copy leaves out the first eighth of the volume.
    "data": (
        "migrate/lvm-a/rbd-a/available",
        Mutation(migration, "copy_volume", "range(SLICES)", "range(1, SLICES)"),
    ),
    # Deleting says yes and does nothing.
    "objects": (
        "migrate/lvm-a/rbd-a/available",
        Mutation(LvmDriver, "delete_volume", "self._delete(volume.name, volume.size)", "pass"),
    ),
    # Detaching leaves the export behind.
    "exports": (
        "retype/lvm-a/lvm-a/available",
        Mutation(Connections, "attachment_delete", 'self.drive("remove_export", self.admin, volume)', "pass"),
    ),
    # A read-only attachment becomes a read/write one on its way.
    "attachments": ("migrate/lvm-a/lvm-far/read-only", READ_WRITE_AFTER_SWAP),
    # The counter that the scheduler sees is not moved.
    "capacity": (
        "retype/lvm-a/lvm-a/available",
        Mutation(ManagerBase, "change_allocated_capacity", "+= change_gb", "+= 0"),
    ),
    # The temporary volume is charged to the project.
    "quota": (
        "migrate/lvm-a/rbd-a/available",
        Mutation(Migration, "_create_temporary", "use_quota=False", "use_quota=True"),
    ),
    # The temporary volume gets a key that it does not need, and that nobody takes away.
    "keys": (
        "migrate/lvm-a/lvm-far/available/encryption=luks",
        Mutation(
            Migration, "_create_temporary",
            'status="creating",', 'status="creating", user_id=self.cloud.key_manager.create_key(),',
        ),
    ),
    # What was locked for the migration stays locked when it fails.
    "statuses": (
        "migrate/lvm-a/rbd-a/available/lock=yes/precondition=copy-fails",
        Mutation(Migration, "migrate_volume", '{"status": volume.previous_status}', "{}"),
    ),
    "names": (
        "migrate/rbd-a/lvm-a/available",
        Mutation(
            LvmDriver, "update_migrated_volume",
            '"provider_location": None',
            '"provider_location": "192.0.2.1:3260,1 iqn:" + VOLUME_NAME % new_volume.id + " 0"',
        ),
    ),
    # An extension goes by the id of the volume, and not by the name that it got when it moved.
    "life_after": (
        "migrate/lvm-a/lvm-far/in-use",
        Mutation(LvmDriver, "extend_volume", "volume.name", "VOLUME_NAME % volume.id"),
    ),
}  # fmt: skip


def test_every_checker_has_its_planted_fault() -> None:
    """None is left out, in the order in which they judge."""
    assert list(ONE_FAULT_PER_CHECKER) == list(CHECKERS)


@pytest.mark.parametrize("checker", ONE_FAULT_PER_CHECKER)
def test_a_planted_fault_makes_exactly_its_checker_fail(
    checker: str, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared with the same cell without the fault, this one invariant breaks, and the cell fails."""
    cell_id, mutation = ONE_FAULT_PER_CHECKER[checker]
    cell = find(deployment, cell_id)
    before = run_cell(deployment, cell)
    assert before.verdict in ("pass", "known"), before.difference
    assert checker not in broken(before) | undecided(before)
    mutation.plant(monkeypatch)
    after = run_cell(deployment, cell)
    assert broken(after) - broken(before) == {checker}, after.difference
    assert after.verdict == "fail"
    assert checker in after.difference or "data" in broken(after)


# ---------------------------------------------------------------------------------------------- mutants

LVM_RETYPES_IN_COPY = Mutation(LvmDriver, "migrate_volume", '"available", "retyping"', '"available"')
NO_GUARD = Mutation(Migration, "migrate_volume", "not volume.volume_attachment and ", "")

MUTANTS: dict[str, tuple[str, list[Mutation], str]] = {
    "M01 an object in use is renamed, and the record with it": (
        "migrate/lvm-a/lvm-far/in-use",
        [Mutation(LvmDriver, "update_migrated_volume", 'original_volume_status == "available"', "True")],
        "exports",
    ),
    "M02 a name that is taken makes update_migrated_volume fail": (
        "migrate/rbd-a/rbd-shared/available/force=yes",
        [Mutation(RbdDriver, "update_migrated_volume", "(NotFound, AlreadyExists)", "NotFound")],
        "statuses",
    ),
    "M03 a rename overwrites the object that has the name": (
        "migrate/rbd-a/rbd-shared/available/force=yes",
        [Mutation(Pool, "rename", "if new_name in self.images", "if False")],
        "data",
    ),
    "LP-1798468 a copy in the same share takes the original's name, and goes with it": (
        "retype/nfs-a/nfs-a/available/type=specs",
        [Mutation(
            NfsDriver, "update_migrated_volume",
            " and volume.provider_location != new_volume.provider_location", "",
        )],
        "data",
    ),
    "LP-1499151 a file keeps its temporary name, and the record does not say so": (
        "migrate/lvm-a/nfs-a/available",
        [Mutation(NfsDriver, "update_migrated_volume", "name_id: str | None = new_volume.name_id",
                  "name_id = None; original_volume_status = ''")],
        "names",
    ),
    "LP-1860913 the attachment does not follow the active file of a snapshot": (
        "migrate/nfs-a/lvm-a/in-use/precondition=snapshot",
        [Mutation(snapshots, "create", "attachment.save()", "pass")],
        "life_after",
    ),
    "LP-1989514 the attachment does not say that the active file is qcow2": (
        "migrate/nfs-a/nfs-far/available",
        [Mutation(snapshots, "create", '"name": new, "format": "qcow2"}', '"name": new}')],
        "life_after",
    ),
    "the share is forgotten when the volume is renamed": (
        "migrate/lvm-a/nfs-a/available",
        [Mutation(
            NfsDriver, "update_migrated_volume",
            '"provider_location": new_volume.provider_location', '"provider_location": None',
        )],
        "data",
    ),
    "a qcow2 volume is connected as what its bytes are": (
        "migrate/lvm-a/nfs-qcow2/in-use",
        [Mutation(NfsDriver, "initialize_connection", '"format": info.file_format', '"format": "raw"')],
        "failed",
    ),
    "dd writes into a file without emptying it": (
        "migrate/lvm-a/nfs-qcow2/available",
        [Mutation(migration, "copy_volume", "destination.open_truncated", "str")],
        "data",
    ),
    "M05 the record is renamed, the object is not": (
        "migrate/lvm-a/rbd-a/available",
        [Mutation(RbdDriver, "update_migrated_volume", "self._pool().rename(", "str.format(")],
        "names",
    ),
    "M09 deleting goes by the id, and an absent object is fine": (
        "migrate/rbd-a/lvm-a/available",
        [Mutation(
            RbdDriver, "delete_volume",
            "pool = self._pool()", 'pool = self._pool(); volume = volume.copy(); volume._name_id = None',
        )],
        "objects",
    ),
    "M10 a migration to the same pool copies onto itself and deletes the source": (
        "migrate/rbd-a/rbd-shared/available",
        [Mutation(
            RbdDriver, "migrate_volume",
            "return True, None\n    if volume", "self.delete_volume(volume); return True, None\n    if volume",
        )],
        "data",
    ),
    "M12 the size to copy is in the wrong unit: assisted": (
        "migrate/lvm-a/lvm-b/available/fill=full",
        [Mutation(LvmDriver, "_copy", "size_gb * GIB", "size_gb << 20")],
        "data",
    ),
    "M12 the size to copy is in the wrong unit: generic": (
        "migrate/lvm-a/rbd-a/available/fill=full",
        [Mutation(migration, "copy_volume", "chunks = size_gb * GIB", "chunks = (size_gb << 20)")],
        "data",
    ),
    "M15 only what is available is moved by the driver, not what is retyping": (
        "retype/lvm-thin/lvm-a/available",
        [LVM_RETYPES_IN_COPY],
        "data",
    ),
    "M16 what is in maintenance is not moved by the driver": (
        "migrate/rbd-a/rbd-b/available/lock=yes/encryption=luks/fill=full",
        [Mutation(RbdDriver, "migrate_volume", '"retyping", "maintenance"', '"retyping"')],
        "data",
    ),
    "M17 a driver that cannot move a volume raises": (
        "migrate/lvm-a/rbd-a/available",
        [Mutation(
            LvmDriver, "migrate_volume",
            "location[0] != self.hostname:\n        return False, None",
            "location[0] != self.hostname:\n        raise Invalid",
        )],
        "but should be succeeded",
    ),
    "M20 a driver retypes to another back-end": (
        "retype/lvm-a/rbd-a/available",
        [Mutation(
            Retype, "retype", ' and self.is_our_backend(host["host"], host.get("cluster_name"))', "",
        )],
        "names",
    ),
    "M22 a driver refuses a retype for a difference that means nothing to it": (
        "retype/lvm-a/lvm-a/available/policy=never/type=specs",
        [Mutation(LvmDriver, "retype", "return True", "return not diff['extra_specs']")],
        "failed-dirty",
    ),
    "M24 an encrypted volume is larger than its record, and the copy is not": (
        "migrate/lvm-a/lvm-far/available/encryption=luks/fill=full",
        [Mutation(
            LvmDriver, "create_volume",
            "create(self.group, volume.name, volume.size, self.lvm_type, self._mirrors)",
            "create(self.group, volume.name, volume.size, self.lvm_type, self._mirrors)\n"
            "    self.group.extend(volume.name, volume.size * GIB + (4 << 20))",
        )],
        "data",
    ),
    "M26 the manager lets the driver move a volume that is attached": (
        "retype/lvm-a/lvm-b/in-use",
        [NO_GUARD],
        "data",
    ),
    "M27 the manager never lets the driver move a volume for a retype": (
        "retype/lvm-thin/lvm-a/available",
        [Mutation(
            Migration, "migrate_volume", "can_use_driver_migration(diff)", "new_type_id is None",
        )],
        "data",
    ),
    "M29 the status is not restored after a failure": (
        "migrate/lvm-a/rbd-a/available/lock=yes/precondition=create-fails",
        [Mutation(Migration, "migrate_volume", '"error", **restored', '"error"')],
        "statuses",
    ),
    "M31 a temporary volume that could not be created is left": (
        "migrate/lvm-a/rbd-a/available/precondition=create-fails",
        [Mutation(
            Migration, "_wait_for_temporary",
            "self._clean_temporary(volume, temporary, only_record=True)", "pass",
        )],
        "statuses",
    ),
    "M32 the temporary volume counts against the quota": (
        "migrate/lvm-a/rbd-a/available",
        [Mutation(Migration, "_create_temporary", "use_quota=False", "use_quota=True")],
        "quota",
    ),
    "M34 a retype to another encryption goes on with the old key": (
        "retype/lvm-a/lvm-far/available/encryption=luks-luks2",
        [Mutation(
            Migration, "_create_temporary",
            "self.cloud.key_manager.create_key() if encrypted else None", "volume.encryption_key_id",
        )],
        "keys",
    ),
    "M34 the key is deleted with the temporary volume": (
        "migrate/lvm-a/lvm-far/available/encryption=luks",
        [Mutation(
            Migration, "migrate_volume_completion",
            "volume.migration_status = \"completing\"",
            "volume.migration_status = \"completing\"; "
            "self.cloud.key_manager.delete_key(volume.encryption_key_id or '')",
        )],
        "keys",
    ),
    "extents of a volume that is deleted stay taken": (
        "migrate/lvm-a/rbd-a/available",
        [Mutation(
            Area, "release",
            "segment.disk.free.assign(segment.start, segment.start + segment.length, 0)", "pass",
        )],
        "life_after",
    ),
    "blocks of a thin volume that is deleted stay taken": (
        "migrate/lvm-thin/rbd-a/available",
        [Mutation(ThinPool, "remove", "self.recount()", "pass")],
        "life_after",
    ),
    "M35 a copy that ends too early is taken for a success": (
        "retype/lvm-a/lvm-far/available/encryption=none-luks/fill=full",
        [Mutation(
            Migration, "_copy_volume_data", "    except Exception:\n        # The file",
            "    except errors.NoSpace:\n        pass\n"
            "    except Exception:\n        # The file",
        )],
        "data",
    ),
    "M38 the attachment stays with the temporary volume": (
        "migrate/lvm-a/lvm-far/in-use",
        [Mutation(
            Migration, "migrate_volume_completion", '{"volume_id": volume.id}', '{"volume_id": temporary.id}',
        )],
        "attachments",
    ),
    "M39 every attachment becomes read/write": (
        "migrate/lvm-a/lvm-far/read-only",
        [READ_WRITE_AFTER_SWAP],
        "attachments",
    ),
    "M40 the old volume is not deleted": (
        "migrate/lvm-a/rbd-a/available",
        [Mutation(
            Migration, "migrate_volume_completion",
            'self.messaging.cast(self._address(temporary), "delete_volume", temporary)\n    for', "for",
        )],
        "statuses",
    ),
    "M42 after a failed swap the migration goes on for ever": (
        "migrate/lvm-a/rbd-a/in-use/nova=20",
        [Mutation(
            Migration, "migrate_volume_completion",
            '{"migration_status": "error", "status": original_status}', '{"migration_status": "completing"}',
        )],
        "statuses",
    ),
    "M42 after a failed swap the temporary volume stays": (
        "migrate/lvm-a/rbd-a/in-use/nova=20",
        [Mutation(
            Migration, "migrate_volume_completion",
            'if error:\n        self.messaging.cast(self._address(temporary), "delete_volume", temporary)',
            "if error:",
        )],
        "statuses",
    ),
    "M44 snapshots keep the old type": (
        "retype/lvm-a/lvm-a/available/precondition=snapshot",
        [Mutation(Retype, "_retyped_in_place", "in volume.snapshots", "in []")],
        "quota",
    ),
    "M46 the old type is kept": (
        "retype/lvm-a/rbd-a/available",
        [Mutation(
            migration, "finish_volume_migration", "volume.volume_type_id = temporary.volume_type_id", "pass"
        )],
        "failed",
    ),
    "M52 lock_volume does not lock": (
        "migrate/lvm-a/lvm-far/available/lock=yes/meanwhile=attach",
        [Mutation(VolumeApi, "migrate_volume", "if lock_volume:", "if False:")],
        "data",
    ),
    "M54 Nova cannot swap volumes": (
        "migrate/lvm-a/lvm-far/in-use",
        [Mutation(
            Nova, "update_server_volume",
            "server = self._swappable_server(server_id)", "raise NotImplementedError",
        )],
        "failed-clean",
    ),
    "M54 Nova says it has swapped, and has not": (
        "migrate/lvm-a/lvm-far/in-use",
        [Mutation(
            Disk, "mirror_to", "    source = self.device\n",
            "    self.connection, self.device = connection, device\n    return\n    source = self.device\n",
        )],
        "data",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_seen(mutant: str, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell was as expected before, is not any more, and the difference names what the mutant breaks."""
    cell_id, mutations, said = MUTANTS[mutant]
    cell = find(deployment, cell_id)
    before = run_cell(deployment, cell)
    assert before.verdict in ("pass", "known"), before.difference
    for mutation in mutations:
        mutation.plant(monkeypatch)
    after = run_cell(deployment, cell)
    assert after.verdict == "fail"
    assert said in after.difference, after.difference
