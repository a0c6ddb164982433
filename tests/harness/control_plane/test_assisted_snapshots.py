"""Snapshots of attached NFS volumes: the driver makes the files, Nova moves the guest from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from fake_backends.block_store import PAGE
from harness import errors
from harness.control_plane.servers import Server
from harness.model import Snapshot, Volume
from harness.sim.ledger import Ledger

if TYPE_CHECKING:
    from tests.harness.control_plane.conftest import Lab


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Iterator[Lab]:
    """A cloud with two NFS back-ends on two shares."""
    with make_lab(backends=("nfs-a", "nfs-far", "lvm-a")) as lab:
        yield lab


def _snapshot(lab: Lab, volume: Volume) -> Snapshot:
    made: Snapshot = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    assert lab.database.get_snapshot(made.id).status == "available"
    return made


def _written(lab: Lab, server: Server, volume: Volume, count: int) -> list[Snapshot]:
    """The guest writes a page, a snapshot is made, and so on."""
    disk, snapshots = server.disks[volume.id], []
    for number in range(count):
        disk.write(number, bytes([number + 1]) * PAGE)
        snapshots.append(_snapshot(lab, volume))
    disk.write(count, bytes([count + 1]) * PAGE)
    return snapshots


def _ledger(server: Server, volume: Volume) -> Ledger:
    """What the guest was acknowledged."""
    ledger = server.disks[volume.id].ledger
    assert ledger is not None
    return ledger


def _files(lab: Lab, volume: Volume) -> list[str]:
    """The volume's files on the share that it was made on."""
    share = lab.cloud.world.shares[volume.provider_location or ""]
    return [name for name in share.names() if name.startswith(volume.name)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_snapshots_of_an_attached_volume_go_in_any_order(lab: Lab, order: tuple[int, ...]) -> None:
    """The guest goes on and loses nothing; what is left of the volume is one qcow2 file."""
    volume = lab.volume("nfs-a")
    server = lab.server_with(volume)
    snapshots = _written(lab, server, volume, 3)
    for index in order:
        lab.act(lab.api.delete_snapshot, lab.owner, snapshots[index].id)
        assert snapshots[index].id not in lab.database.snapshots
        disk = server.disks[volume.id]
        assert _ledger(server, volume).lost(disk.device.load) == []
        disk.write(7, bytes([index + 100]) * PAGE)
    assert _files(lab, volume) == [f"{volume.name}.{snapshots[-1].id}", f"{volume.name}.info"]
    assert lab.now(volume).admin_metadata["format"] == "qcow2"
    ledger = _ledger(server, volume)
    lab.act(lab.cloud.nova.detach_volume, server, volume.id)
    again = lab.server_with(volume, "again").disks[volume.id]
    assert ledger.lost(again.device.load) == []


def test_a_clone_shows_the_snapshot_and_not_what_came_after(lab: Lab) -> None:
    """A volume of a snapshot that was made while the guest wrote."""
    volume = lab.volume("nfs-a")
    snapshot = _written(lab, lab.server_with(volume), volume, 1)[0]
    clone = lab.volume("nfs-a", snapshot_id=snapshot.id)
    disk = lab.server_with(clone, "other").disks[clone.id]
    assert disk.device.read(0, 2 * PAGE) == b"\1" * PAGE + bytes(PAGE)


def test_an_attached_volume_that_had_a_snapshot_moves_with_its_data(lab: Lab) -> None:
    """QEMU mirrors the disk; the source's file, whatever its name, is deleted."""
    volume = lab.volume("nfs-a")
    server = lab.server_with(volume)
    snapshot = _written(lab, server, volume, 1)[0]
    lab.act(lab.api.delete_snapshot, lab.owner, snapshot.id)
    assert _files(lab, volume) != []
    lab.migrate(volume, "nfs-far")
    assert lab.now(volume).migration_status == "success"
    disk = server.disks[volume.id]
    assert _ledger(server, volume).lost(disk.device.load) == []
    assert _files(lab, volume) == []


def test_nova_does_not_snapshot_what_no_server_has(lab: Lab) -> None:
    """A volume that is attached by the record alone."""
    with pytest.raises(errors.NovaBadRequest, match="No instance has volume"):
        lab.cloud.nova.create_volume_snapshot("nobody's", {"new_file": "file"})
