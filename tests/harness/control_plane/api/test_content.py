"""What is in a volume goes to images and backups and comes back; snapshots bring the past back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import errors
from harness.model import Encryption, Volume

if TYPE_CHECKING:
    from tests.harness.control_plane.conftest import Lab

PAGE = b"the past" * 512


def _write(lab: Lab, volume: Volume, data: bytes) -> None:
    """A server writes the first page, and lets go of the volume."""
    server = lab.cloud.nova.create_server(f"server-{len(lab.cloud.nova.servers)}")
    lab.act(lab.cloud.nova.attach_volume, server, volume.id)
    server.disks[volume.id].device.write(0, data)
    lab.act(lab.cloud.nova.detach_volume, server, volume.id)


def _read(lab: Lab, volume: Volume) -> bytes:
    server = lab.cloud.nova.create_server(f"server-{len(lab.cloud.nova.servers)}")
    lab.act(lab.cloud.nova.attach_volume, server, volume.id)
    data: bytes = server.disks[volume.id].device.read(0, len(PAGE))
    lab.act(lab.cloud.nova.detach_volume, server, volume.id)
    return data


BACKENDS = pytest.mark.parametrize("backend", ["lvm-a", "lvm-thin", "rbd-a", "nfs-a", "nfs-qcow2"])


@pytest.fixture
def wide_lab(make_lab):  # type: ignore[no-untyped-def]
    """Back-ends of every kind."""
    with make_lab(backends=("lvm-a", "lvm-thin", "rbd-a", "nfs-a", "nfs-qcow2")) as lab:
        yield lab


@BACKENDS
def test_a_backup_is_restored_over_another_volume(wide_lab: Lab, backend: str) -> None:
    """The data are those of the time of the backup; quota and record count it until it is deleted."""
    lab = wide_lab
    volume, other = lab.volume(backend), lab.volume("lvm-a")
    _write(lab, volume, PAGE)
    backup = lab.act(lab.cloud.backups.create, lab.owner, volume.id, name="nightly")
    assert lab.states(volume)[0] == "available"
    assert lab.database.get_backup(backup.id).status == "available"
    if backend != "nfs-qcow2":
        lab.act(lab.cloud.backups.restore, lab.owner, backup.id, other.id)
        assert (lab.states(other)[0], _read(lab, other)) == ("available", PAGE)
        assert lab.now(other).metadata == {"src_backup_id": backup.id}
    assert lab.cloud.quotas.usage("project", "backups").in_use == 1
    lab.act(lab.cloud.backups.delete, lab.owner, backup.id)
    assert not lab.database.backups
    assert lab.cloud.quotas.usage("project", "backup_gigabytes").in_use == 0


def test_a_volume_in_use_is_backed_up_through_a_clone_that_goes(lab: Lab) -> None:
    """With force; the temporary volume is nobody's quota."""
    volume = lab.volume()
    server = lab.server_with(volume)
    server.disks[volume.id].device.write(0, PAGE)
    with pytest.raises(errors.InvalidVolume):
        lab.cloud.backups.create(lab.owner, volume.id)
    backup = lab.act(lab.cloud.backups.create, lab.owner, volume.id, force=True)
    assert lab.database.get_backup(backup.id).status == "available"
    assert lab.states(volume)[:2] == ("in-use", "attached")
    assert list(lab.database.volumes) == [volume.id]
    restored = lab.act(lab.cloud.backups.restore, lab.owner, backup.id)
    assert _read(lab, restored) == PAGE


def test_an_incremental_backup_needs_a_parent_and_keeps_it(lab: Lab) -> None:
    """InvalidBackup without one, and with a child on it."""
    volume = lab.volume()
    create, delete = lab.cloud.backups.create, lab.cloud.backups.delete
    with pytest.raises(errors.InvalidBackup):
        create(lab.owner, volume.id, incremental=True)
    assert lab.cloud.quotas.open_reservations() == []
    first = lab.act(create, lab.owner, volume.id)
    second = lab.act(create, lab.owner, volume.id, incremental=True)
    assert lab.database.get_backup(second.id).parent_id == first.id
    with pytest.raises(errors.InvalidBackup):
        delete(lab.owner, first.id)
    lab.act(delete, lab.owner, second.id)
    lab.act(delete, lab.owner, first.id)


def test_an_encrypted_volume_is_restored_with_a_key_of_its_own(lab: Lab) -> None:
    """Ciphertext comes back, with the secret that it was written with; no key stays behind."""
    lab.cloud.create_type("secret", encryption=Encryption("luks2"))
    volume, other = lab.volume(volume_type="secret"), lab.volume(volume_type="secret")
    _write(lab, volume, PAGE)
    backup = lab.act(lab.cloud.backups.create, lab.owner, volume.id)
    lab.act(lab.cloud.backups.restore, lab.owner, backup.id, other.id)
    assert _read(lab, other) == PAGE
    lab.act(lab.cloud.backups.delete, lab.owner, backup.id)
    for each in (volume, other):
        lab.act(lab.api.delete_volume, lab.owner, each.id)
    assert lab.cloud.key_manager.keys == {}


def test_a_restore_that_fails_leaves_the_volume_in_error_restoring(lab: Lab) -> None:
    """It can be deleted then; the backup is available again."""
    volume = lab.volume()
    backup = lab.act(lab.cloud.backups.create, lab.owner, volume.id)
    lab.fail("copy.file", actor="c-bak")
    lab.act(lab.cloud.backups.restore, lab.owner, backup.id, volume.id)
    assert lab.states(volume)[0] == "error_restoring"
    assert lab.database.get_backup(backup.id).status == "available"
    lab.act(lab.api.delete_volume, lab.owner, volume.id)
    assert not lab.database.volumes


@BACKENDS
def test_an_uploaded_volume_can_be_written_over_another(wide_lab: Lab, backend: str) -> None:
    """Upload and reimage; the image's properties become the volume's."""
    lab = wide_lab
    volume, other = lab.volume(backend), lab.volume(backend)
    _write(lab, volume, PAGE)
    image = lab.act(lab.api.upload_image, lab.owner, volume.id, "golden")
    assert (lab.states(volume)[0], lab.cloud.images.show(image.id).status) == ("available", "active")
    lab.act(lab.api.reimage, lab.owner, other.id, image.id)
    now = lab.now(other)
    assert (now.status, now.bootable, now.glance_metadata["image_id"]) == ("available", True, image.id)
    assert _read(lab, other) == PAGE


def test_an_upload_that_fails_deletes_the_image(lab: Lab) -> None:
    """And the volume is available again."""
    volume = lab.volume()
    lab.fail("image.upload")
    image = lab.act(lab.api.upload_image, lab.owner, volume.id, "golden")
    assert lab.states(volume)[0] == "available"
    with pytest.raises(errors.ImageNotFound):
        lab.cloud.images.show(image.id)


def test_an_image_that_does_not_fit_is_refused_and_the_status_goes_back(lab: Lab) -> None:
    """InvalidInput, 400."""
    large = lab.volume(size=2)
    image = lab.act(lab.api.upload_image, lab.owner, large.id, "large")
    volume = lab.volume()
    with pytest.raises(errors.InvalidInput):
        lab.api.reimage(lab.owner, volume.id, image.id)
    assert lab.states(volume)[0] == "available"
    lab.fail("image.download")
    lab.act(lab.api.reimage, lab.owner, large.id, image.id)
    assert lab.states(large)[0] == "error"


@BACKENDS
def test_a_volume_goes_back_to_its_latest_snapshot(wide_lab: Lab, backend: str) -> None:
    """By the driver, or by a copy where it cannot; nothing temporary stays."""
    lab = wide_lab
    if not lab.deployment.backend(backend).takes_snapshots:
        pytest.skip(f"{backend} takes no snapshots")
    volume = lab.volume(backend)
    _write(lab, volume, PAGE)
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    _write(lab, volume, b"the news" * 512)
    lab.act(lab.api.revert_to_snapshot, lab.owner, volume.id, snapshot.id)
    assert (lab.states(volume)[0], lab.database.get_snapshot(snapshot.id).status) == ("available", "available")
    assert _read(lab, volume) == PAGE
    assert list(lab.database.snapshots) == [snapshot.id]
    assert list(lab.database.volumes) == [volume.id]


def test_only_the_latest_snapshot_of_the_same_size_can_be_gone_back_to(lab: Lab) -> None:
    """400; a wrong status is a conflict, 409."""
    volume = lab.volume()
    with pytest.raises(errors.Invalid, match="doesn't have any snapshots"):
        lab.api.revert_to_snapshot(lab.owner, volume.id, None)
    old = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    lab.run_for(1)
    new = lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    with pytest.raises(errors.Invalid, match="not the latest one"):
        lab.api.revert_to_snapshot(lab.owner, volume.id, old.id)
    lab.act(lab.api.reset_snapshot_status, lab.admin, new.id, "error")
    with pytest.raises(errors.Conflict):
        lab.api.revert_to_snapshot(lab.owner, volume.id, new.id)


def test_a_cascade_takes_the_snapshots_along(lab: Lab) -> None:
    """Record, object and quota of all."""
    volume = lab.volume()
    for _ in range(2):
        lab.act(lab.api.create_snapshot, lab.owner, volume.id)
    with pytest.raises(errors.InvalidVolume):
        lab.api.delete_volume(lab.owner, volume.id)
    lab.act(lab.api.delete_volume, lab.owner, volume.id, cascade=True)
    assert (lab.database.volumes, lab.database.snapshots, lab.objects("lvm-a")) == ({}, {}, set())
    assert lab.cloud.quotas.usage("project", "gigabytes").in_use == 0


@pytest.mark.parametrize("backend", ["lvm-a", "rbd-a"])
def test_a_plain_image_is_encrypted_when_it_is_written(lab: Lab, backend: str) -> None:
    """With the volume's key; an image that was encrypted itself is written as it is."""
    lab.cloud.create_type("secret", encryption=Encryption("luks"))
    plain = lab.volume(backend)
    secret = lab.volume(backend, size=2, volume_type="secret")
    _write(lab, secret, b"other")
    _write(lab, plain, PAGE)
    image = lab.act(lab.api.upload_image, lab.owner, plain.id, "plain")
    lab.act(lab.api.reimage, lab.owner, secret.id, image.id)
    assert lab.states(secret)[0] == "available"
    assert _read(lab, secret) == PAGE


def test_an_upload_leaves_the_export_of_others_alone(lab: Lab) -> None:
    """LVM's driver reads the device itself, so a migration that runs goes on."""
    volume = lab.volume()
    lab.begin(lab.api.migrate_volume, lab.admin, volume.id, lab.address("rbd-a"))
    lab.run_for(3)
    lab.begin(lab.api.upload_image, lab.owner, volume.id, "meanwhile")
    lab.kernel.run()
    assert lab.states(volume) == ("available", "detached", "success")
    assert [image.status for image in lab.cloud.images.images.values()] == ["active"]
