"""New volumes with what images and backups hold, copies of other types, and what Nova says of snapshots."""

from __future__ import annotations

import pytest

from fake_backends.block_store import MemoryDevice
from harness import errors
from harness.control_plane.images import Image
from harness.model import GIB, Encryption, Snapshot, Volume
from tests.harness.control_plane.api.test_content import PAGE, _read, _write
from tests.harness.control_plane.conftest import Lab


def image(lab: Lab, **fields: object) -> Image:
    """An image of 1 GiB that begins with a page."""
    disk = MemoryDevice(GIB)
    disk.write(0, PAGE)
    made = lab.cloud.images.create("project", name="cirros", **fields)
    return lab.cloud.images.fill(made.id, disk)


def made(lab: Lab, size: int, **keywords: object) -> Volume:
    volume: Volume = lab.act(lab.api.create_volume, lab.owner, size, **keywords)
    return lab.now(volume)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_volume_of_an_image_boots(lab: Lab, encrypted: bool) -> None:
    """It holds the image and remembers it; a plain image is encrypted on its way into an encrypted volume."""
    lab.cloud.create_type("t", encryption=Encryption("luks") if encrypted else None)
    source = image(lab, properties={"os": "linux"})
    volume = made(lab, 2, image_id=source.id, volume_type="t")
    assert (volume.status, volume.bootable) == ("available", True)
    assert volume.glance_metadata["image_id"] == source.id
    assert volume.glance_metadata["os"] == "linux"
    assert _read(lab, volume) == PAGE


def test_an_image_that_does_not_fit_is_refused(lab: Lab) -> None:
    """InvalidInput; ImageNotFound for one that is not there."""
    with pytest.raises(errors.InvalidInput, match="minDisk size 3GB"):
        lab.api.create_volume(lab.owner, 2, image_id=image(lab, min_disk=3).id)
    with pytest.raises(errors.ImageNotFound):
        lab.api.create_volume(lab.owner, 2, image_id="nowhere")
    with pytest.raises(errors.InvalidInput, match="May specify only one of"):
        lab.api.create_volume(lab.owner, 2, image_id=image(lab).id, source_volid=lab.volume().id)


def test_an_image_that_cannot_be_copied_leaves_the_object(lab: Lab) -> None:
    """ImageCopyFailure: in error where it is, and not tried elsewhere (`OnFailureRescheduleTask`)."""
    lab.fail("image.download")
    volume = lab.api.create_volume(lab.owner, 1, image_id=image(lab).id)
    lab.kernel.run()
    volume = lab.now(volume)
    assert volume.status == "error"
    assert volume.name in set().union(*(lab.objects(name) for name in ("lvm-a", "lvm-b", "rbd-a")))
    assert lab.steps().count("driver.create_volume") == 1


def test_the_type_of_an_image_is_its_volumes(lab: Lab) -> None:
    """The property cinder_img_volume_type, unless another type is asked for."""
    kind = lab.cloud.create_type("gold")
    source = image(lab, properties={"cinder_img_volume_type": "gold"})
    assert made(lab, 1, image_id=source.id).volume_type_id == kind.id


def test_a_volume_of_a_backup(lab: Lab) -> None:
    """The service makes an empty one, the backup service fills it and makes it available."""
    volume = lab.volume()
    _write(lab, volume, PAGE)
    backup = lab.act(lab.cloud.backups.create, lab.owner, volume.id)
    copy = made(lab, 2, backup_id=backup.id)
    assert (copy.status, copy.metadata) == ("available", {"src_backup_id": backup.id})
    assert lab.database.get_backup(backup.id).status == "available"
    assert _read(lab, copy) == PAGE
    with pytest.raises(errors.InvalidInput, match="cannot be smaller than the backup size 1GB"):
        lab.api.create_volume(lab.owner, 0, backup_id=backup.id)


def test_a_copy_needs_room_on_its_originals_pool(lab: Lab) -> None:
    """It is scheduled like any other volume, but only there (`VolumeCastTask`)."""
    volume = lab.volume("lvm-a")
    assert made(lab, 1, source_volid=volume.id).host == volume.host
    lab.cloud.quotas.set_limit("project", "gigabytes", -1)
    copy = made(lab, 11_000, source_volid=volume.id)
    assert (copy.status, copy.host) == ("error", None)


def test_a_copy_of_another_type_needs_the_same_place_and_encryption(lab: Lab) -> None:
    """InvalidInput (`API._retype_is_possible`)."""
    for name, backend in (("a", "lvm-a"), ("again", "lvm-a"), ("b", "lvm-b")):
        lab.cloud.create_type(name, extra_specs={"volume_backend_name": backend})
    luks = {"volume_backend_name": "lvm-a"}
    lab.cloud.create_type("luks", extra_specs=luks, encryption=Encryption("luks"))
    volume = made(lab, 1, volume_type="a")
    assert made(lab, 1, source_volid=volume.id, volume_type="again").status == "available"
    for other in ("b", "luks"):
        with pytest.raises(errors.InvalidInput, match="requested type is not compatible"):
            lab.api.create_volume(lab.owner, 1, source_volid=volume.id, volume_type=other)


def test_what_nova_says_of_a_snapshot(lab: Lab) -> None:
    """creating may become available or error, deleting error_deleting; nothing else is Nova's to say."""
    snapshot = lab.act(lab.api.create_snapshot, lab.owner, lab.volume().id)
    update = lab.api.update_snapshot_status
    with pytest.raises(errors.Invalid, match="available not allowed for update_snapshot_status"):
        update(lab.owner, snapshot.id, "error")
    lab.database.update(Snapshot, snapshot.id, {"status": "creating"})
    update(lab.owner, snapshot.id, "creating", "90%")
    assert lab.database.get_snapshot(snapshot.id).progress == "90%"
    with pytest.raises(errors.Invalid, match="error_deleting not allowed for snapshot with status creating"):
        update(lab.owner, snapshot.id, "error_deleting")
    update(lab.owner, snapshot.id, "available", "100%")
    assert lab.database.get_snapshot(snapshot.id).status == "available"
