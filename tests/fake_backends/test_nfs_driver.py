"""The reference NFS driver against what Cinder's own does."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from fake_backends.block_store import MemoryDevice
from fake_backends.connectors import connect
from fake_backends.nfs import qemu_img
from fake_backends.nfs.driver import SECURE_INDICATOR, NfsDriver
from fake_backends.nfs.share import Share
from fake_backends.nfs.shares_config import read_shares
from fake_backends.world import World
from harness.control_plane.database import Database
from harness.control_plane.images import ImageService
from harness.driver import Configuration
from harness.errors import (
    ExtendVolumeError,
    ImageNotFound,
    Invalid,
    InvalidArgument,
    InvalidSnapshot,
    InvalidVolume,
    NfsException,
    NfsNoSharesMounted,
    NfsNoSuitableShareFound,
    RemoteFSException,
    StorageError,
    VolumeDriverException,
)
from harness.model import Attachment, Context, Snapshot, Volume
from harness.sim.faults import Fault, FaultPlan
from harness.sim.simulation import Simulation

GIB = 1 << 30
CONTEXT = Context("admin", "admin", True)
CONNECTOR = {"initiator": "iqn.1994-05.com.redhat:me", "host": "me"}
A, B = "192.0.2.9:/srv/a", "192.0.2.9:/srv/b"


class Lab:
    """Two shares of 64 GiB, and drivers over them."""

    def __init__(self) -> None:
        self.simulation = Simulation()
        self.world = World(self.simulation)
        for export in (A, B):
            self.world.shares[export] = Share(export, 64 * GIB, points=self.simulation)
        self.database = Database(0)
        self._numbers = count(1)

    def driver(self, export: str = A, **options: Any) -> NfsDriver:
        host, _, path = export.partition(":")
        values = {
            "nas_host": host, "nas_share_path": path, "nas_secure_file_operations": "false",
            "nas_secure_file_permissions": "false", "nfs_snapshot_support": True, **options,
        }  # fmt: skip
        driver = NfsDriver(configuration=Configuration("nfs", values), world=self.world, host="node1@nfs")
        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()
        return driver

    def volume(self, size: int = 1, **fields: Any) -> Volume:
        values = {"id": f"{next(self._numbers):08d}-1111-4222-8333-0123456789ab", "size": size, **fields}
        return self.database.get_volume(self.database.create(Volume, {"status": "available", **values}))

    def created(self, driver: NfsDriver, size: int = 1, **fields: Any) -> Volume:
        volume = self.volume(size, **fields)
        volume.update(driver.create_volume(volume))
        volume.save()
        return volume

    def snapshot(self, volume: Volume, **fields: Any) -> Snapshot:
        values = {"volume_id": volume.id, "volume_size": volume.size, "status": "available", **fields}
        return self.database.get_snapshot(self.database.create(Snapshot, values))

    def disk(self, driver: NfsDriver, volume: Volume) -> Any:
        volume.refresh()
        return connect(self.world, driver.initialize_connection(volume, CONNECTOR), CONNECTOR).disk()


@pytest.fixture
def lab() -> Lab:
    return Lab()


# ------------------------------------------------------------------------------------------------- start-up


def test_shares_are_read_as_cinder_reads_them(tmp_path: Path) -> None:
    """nas_host and nas_share_path win; both must be set; a missing file is told."""
    path = tmp_path / "shares"
    path.write_text(f"#{B}\n{A} -o vers=4,rw\n\n")
    options = {"nfs_shares_config": str(path), "nas_host": "nas"}
    assert read_shares(Configuration("nfs", options)) == {A: "-o vers=4,rw"}
    both = Configuration("nfs", {**options, "nas_share_path": "/srv", "nas_mount_options": "-o ro"})
    assert read_shares(both) == {"nas:/srv": "-o ro"}
    with pytest.raises(NfsException, match="no NFS config file configured"):
        read_shares(Configuration("nfs", {}))
    with pytest.raises(NfsException, match="cannot be read"):
        read_shares(Configuration("nfs", {"nfs_shares_config": str(tmp_path / "absent")}))


def test_a_driver_without_a_share_does_not_set_up(lab: Lab) -> None:
    """A share that cannot be mounted is left out; none at all is an error."""
    with pytest.raises(NfsNoSharesMounted):
        lab.driver("nowhere:/srv")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_over_subscription_ratio": "auto"}, VolumeDriverException),
        ({"max_over_subscription_ratio": "0.5"}, Invalid),
        ({"nas_secure_file_operations": "perhaps"}, Invalid),
        ({"nas_secure_file_operations": "true"}, VolumeDriverException),
        ({"nas_secure_file_operations": "auto"}, VolumeDriverException),
    ],
)
def test_options_that_cannot_be_meant_fail_the_set_up(
    lab: Lab, options: dict[str, str], error: type[Exception]
) -> None:
    """Snapshots and secure file operations, which auto means on a new share, exclude one another."""
    with pytest.raises(error):
        lab.driver(**options)


def test_auto_is_secure_on_a_new_share_and_stays_what_it_was(lab: Lab) -> None:
    """A file in the share remembers; a share with volumes from before is not secure."""
    lab.created(lab.driver(B))
    auto = {"nas_secure_file_operations": "auto", "nas_secure_file_permissions": "auto"}
    old = lab.driver(B, **auto)
    assert SECURE_INDICATOR not in lab.world.shares[B]
    assert lab.world.shares[B].file(lab.created(old).name).mode == 0o666
    new = lab.driver(A, **auto, nfs_snapshot_support=False)
    volume = lab.created(new)
    assert lab.world.shares[A].file(volume.name).mode == 0o660
    assert new.objects() == [volume.name]


# --------------------------------------------------------------------------------------------------- stats


def test_stats_sum_the_shares_up(lab: Lab, tmp_path: Path) -> None:
    """provisioned counts lengths for sparse files, and used space for others."""
    shares = tmp_path / "shares"
    shares.write_text(f"{A}\n{B}\n")
    options: dict[str, Any] = {
        "nas_host": "", "nfs_shares_config": str(shares), "reserved_percentage": 5,
    }  # fmt: skip
    driver = lab.driver(**options)
    lab.created(driver, 10)
    stats = driver.get_volume_stats(refresh=True)
    assert (stats["total_capacity_gb"], stats["free_capacity_gb"]) == (128, 128)
    assert stats["provisioned_capacity_gb"] == 10
    assert stats["volume_backend_name"] == "Generic_NFS"
    assert stats["sparse_copy_volume"]
    assert (stats["thin_provisioning_support"], stats["thick_provisioning_support"]) == (True, False)
    assert "multiattach" not in stats
    assert "pools" not in stats
    thick = lab.driver(**options, nfs_sparsed_volumes=False)
    lab.created(thick, 4)
    stats = thick.get_volume_stats()
    assert (stats["free_capacity_gb"], stats["provisioned_capacity_gb"]) == (124, 4)
    assert (stats["thin_provisioning_support"], stats["thick_provisioning_support"]) == (False, True)


# ------------------------------------------------------------------------------------------------- volumes


@pytest.mark.parametrize(
    ("options", "format", "allocated"),
    [
        ({}, "raw", 0),
        ({"nfs_sparsed_volumes": False}, "raw", GIB),
        ({"nfs_qcow2_volumes": True, "nfs_sparsed_volumes": False}, "qcow2", 331_776),
    ],
)
def test_a_volume_is_a_file_on_a_share(lab: Lab, options: dict[str, Any], format: str, allocated: int) -> None:
    """Sparse, fully allocated or qcow2; its format and its share are on record."""
    driver = lab.driver(**options)
    volume = lab.created(driver)
    volume.refresh()
    assert volume.provider_location == A
    assert volume.admin_metadata == {"format": format}
    assert lab.world.shares[A].file(volume.name).allocated == allocated
    assert driver.initialize_connection(volume, CONNECTOR) == {
        "driver_volume_type": "nfs",
        "data": {"export": A, "name": volume.name, "format": format, "options": None},
        "mount_point_base": "/var/lib/cinder/mnt",
    }
    assert lab.disk(driver, volume).size == GIB
    driver.delete_volume(volume)
    driver.delete_volume(volume)
    assert lab.world.shares[A].names() == []


def test_the_share_with_the_least_in_it_is_chosen(lab: Lab, tmp_path: Path) -> None:
    """Of those with room: for the volume, for what is reserved, and below the ratio."""
    shares = tmp_path / "shares"
    shares.write_text(f"{A}\n{B}\n")
    options: dict[str, Any] = {
        "nas_host": "", "nfs_shares_config": str(shares), "max_over_subscription_ratio": "1.0",
    }  # fmt: skip
    driver = lab.driver(**options)
    assert lab.created(driver, 10).provider_location == A
    assert lab.created(driver, 20).provider_location == B
    assert lab.created(driver, 20).provider_location == A
    assert lab.created(driver, 40).provider_location == B
    with pytest.raises(NfsNoSuitableShareFound, match="There is no share which can host 34G"):
        lab.created(driver, 34)
    lab.world.shares[A].fill("somebody else's", 8 * GIB)
    reserved = lab.driver(**{**options, "reserved_percentage": 90, "max_over_subscription_ratio": "20.0"})
    assert lab.created(reserved, 1).provider_location == B


def test_a_volume_without_a_share_on_record_is_not_deleted(lab: Lab) -> None:
    """provider_location is all that leads to the file."""
    driver = lab.driver()
    volume = lab.created(driver)
    volume.provider_location = None
    driver.delete_volume(volume)
    assert volume.name in lab.world.shares[A]
    with pytest.raises(NfsException):
        driver.initialize_connection(volume, CONNECTOR)


def test_an_extension_needs_a_detached_volume_and_room(lab: Lab) -> None:
    """ExtendVolumeError; data stays."""
    driver = lab.driver(max_over_subscription_ratio="1.0")
    volume = lab.created(driver)
    lab.disk(driver, volume).write(5, b"data")
    driver.extend_volume(volume, 3)
    assert lab.world.shares[A].file(volume.name).size == 3 * GIB
    with pytest.raises(ExtendVolumeError, match="Insufficient space"):
        driver.extend_volume(volume, 64)
    volume.attach_status = "attached"
    with pytest.raises(ExtendVolumeError, match="while it is attached"):
        driver.extend_volume(volume, 4)


def test_a_raw_file_that_is_on_record_as_qcow2_cannot_be_extended(lab: Lab) -> None:
    """What a byte-wise copy onto a qcow2 back-end leaves: it connects as raw, qemu-img refuses to resize it."""
    driver = lab.driver(nfs_qcow2_volumes=True)
    volume = lab.created(driver)
    lab.world.shares[A].file(volume.name).open_truncated(GIB)
    assert driver.initialize_connection(volume, CONNECTOR)["data"]["format"] == "raw"
    with pytest.raises(InvalidArgument, match="not in qcow2 format"):
        driver.extend_volume(volume, 2)


def test_a_disk_that_a_guest_has_enlarged_is_not_connected(lab: Lab) -> None:
    """A qcow2 header is a guest's to write, if nobody says that the file is raw."""
    driver = lab.driver(nfs_qcow2_volumes=True)
    volume = lab.created(driver)
    qemu_img.resize(lab.world.shares[A], volume.name, 2 * GIB)
    with pytest.raises(InvalidVolume, match="suspect an exploit"):
        driver.initialize_connection(volume, CONNECTOR)
    raw = lab.created(lab.driver())
    image = lab.world.shares[A].file(volume.name)
    lab.world.shares[A].file(raw.name).write(0, image.read(0, 1 << 16))
    assert driver.initialize_connection(raw, CONNECTOR)["data"]["format"] == "raw"


def test_a_volume_with_snapshots_cannot_be_uploaded(lab: Lab) -> None:
    """The safety check of the conversion refuses a backing file; a qcow2 volume without one is its disk."""
    images = ImageService(0, lab.simulation)
    driver = lab.driver(nfs_qcow2_volumes=True)
    volume, image = lab.created(driver), images.create("project", name="upload")
    lab.disk(driver, volume).write(5, b"data")
    driver.copy_volume_to_image(CONTEXT, volume, images, {"id": image.id})
    assert (images.show(image.id).size, images.disks[image.id].read(5, 4)) == (GIB, b"data")
    driver.create_snapshot(lab.snapshot(volume))
    with pytest.raises(Invalid, match="Unacceptable parameters"):
        driver.copy_volume_to_image(CONTEXT, volume, images, {"id": image.id})


def test_an_image_makes_a_qcow2_volume_raw(lab: Lab) -> None:
    """Only the record says qcow2 then: it is connected, and cannot be extended."""
    images = ImageService(0, lab.simulation)
    disk = MemoryDevice(GIB)
    disk.write(5, b"image")
    image = images.fill(images.create("project", name="image").id, disk)
    driver = lab.driver(nfs_qcow2_volumes=True)
    volume = lab.created(driver, 2)
    driver.copy_image_to_volume(CONTEXT, volume, images, image.id)
    file = lab.world.shares[A].file(volume.name)
    assert (file.size, file.read(5, 5), lab.disk(driver, volume).read(5, 5)) == (2 * GIB, b"image", b"image")
    with pytest.raises(InvalidArgument, match="not in qcow2 format"):
        driver.extend_volume(volume, 3)


def test_an_image_that_is_not_there_overwrites_nothing(lab: Lab) -> None:
    """It is fetched before the file is opened."""
    driver = lab.driver()
    volume = lab.created(driver)
    lab.disk(driver, volume).write(5, b"data")
    with pytest.raises(ImageNotFound):
        driver.copy_image_to_volume(CONTEXT, volume, ImageService(0, lab.simulation), "absent")
    assert lab.disk(driver, volume).read(5, 4) == b"data"


def test_encryption_multiattach_and_revert_are_not_there(lab: Lab) -> None:
    """What the driver says no to."""
    driver = lab.driver()
    with pytest.raises(VolumeDriverException):
        driver.create_volume(lab.volume(encryption_key_id="key"))
    volume = lab.created(driver)
    with pytest.raises(NotImplementedError):
        driver.revert_to_snapshot(CONTEXT, volume, lab.snapshot(volume))
    assert driver.migrate_volume(CONTEXT, volume, {"host": "node1@nfs#x", "capabilities": {}}) == (False, None)


# ----------------------------------------------------------------------------------------------- snapshots


@pytest.mark.parametrize("qcow2", [False, True])
def test_snapshots_come_and_go_in_any_order(lab: Lab, qcow2: bool) -> None:
    """The volume is qcow2 while it has one, and afterwards what it was; the files are those of a chain."""
    driver = lab.driver(nfs_qcow2_volumes=qcow2)
    volume = lab.created(driver)
    share = lab.world.shares[A]
    snapshots = []
    for number in range(3):
        lab.disk(driver, volume).write(number * 100_000, b"%d" % number)
        snapshots.append(lab.snapshot(volume))
        driver.create_snapshot(snapshots[-1])
    volume.refresh()
    assert volume.admin_metadata == {"format": "qcow2", "base_format": "qcow2" if qcow2 else "raw"}
    lab.disk(driver, volume).write(300_000, b"3")
    assert driver.objects() == [volume.name]
    assert len(share.names()) == 5
    for index, left in ((1, 4), (0, 3), (2, 2)):
        driver.delete_snapshot(snapshots[index])
        driver.delete_snapshot(snapshots[index])
        assert len(share.names()) == left
        disk = lab.disk(driver, volume)
        assert [disk.read(number * 100_000, 1) for number in range(4)] == [b"0", b"1", b"2", b"3"]
    volume.refresh()
    assert volume.admin_metadata["format"] == ("qcow2" if qcow2 else "raw")
    assert share.names() == [volume.name, f"{volume.name}.info"]
    driver.delete_volume(volume)
    assert share.names() == []


def test_a_volume_from_a_snapshot_is_a_copy_of_that_moment(lab: Lab) -> None:
    """As large as the snapshot, whatever was asked for: Cinder's driver does not grow it."""
    driver = lab.driver()
    volume = lab.created(driver)
    lab.disk(driver, volume).write(0, b"before")
    snapshot = lab.snapshot(volume)
    driver.create_snapshot(snapshot)
    lab.disk(driver, volume).write(0, b"behind")
    copy = lab.volume(2)
    copy.update(driver.create_volume_from_snapshot(copy, snapshot))
    copy.save()
    assert lab.disk(driver, copy).read(0, 6) == b"before"
    assert lab.world.shares[A].file(copy.name).size == GIB
    with pytest.raises(InvalidSnapshot):
        driver.create_volume_from_snapshot(lab.volume(), lab.snapshot(volume, status="creating"))


@pytest.mark.parametrize("qcow2", [False, True])
def test_a_clone_is_a_copy_on_the_same_share(lab: Lab, qcow2: bool) -> None:
    """Even without snapshot support: the temporary snapshot is the driver's own. The source stays as it was."""
    driver = lab.driver(nfs_qcow2_volumes=qcow2, nfs_snapshot_support=False)
    volume = lab.created(driver)
    lab.disk(driver, volume).write(0, b"data")
    clone = lab.volume()
    clone.update(driver.create_cloned_volume(clone, volume))
    clone.save()
    lab.disk(driver, volume).write(0, b"more")
    assert lab.disk(driver, clone).read(0, 4) == b"data"
    assert (clone.provider_location, clone.admin_metadata) == (A, {"format": "qcow2" if qcow2 else "raw"})
    assert driver.objects() == sorted([volume.name, clone.name])
    volume.status = "in-use"
    with pytest.raises(InvalidVolume):
        driver.create_cloned_volume(lab.volume(), volume)


def test_snapshots_need_the_option_and_a_volume_at_rest(lab: Lab) -> None:
    """VolumeDriverException, InvalidVolume; an attached volume needs Nova."""
    volume = lab.created(lab.driver())
    with pytest.raises(VolumeDriverException, match="support is disabled"):
        lab.driver(nfs_snapshot_support=False).create_snapshot(lab.snapshot(volume))
    volume.update({"status": "in-use", "attach_status": "attached"})
    volume.save()
    with pytest.raises(RemoteFSException, match="Nova"):
        lab.driver().create_snapshot(lab.snapshot(volume))
    volume.status = "maintenance"
    volume.save()
    for action in (lab.driver().create_snapshot, lab.driver().delete_snapshot):
        with pytest.raises(InvalidVolume):
            action(lab.snapshot(volume))


class Qemu:
    """Nova, as far as the driver sees it."""

    def __init__(self, share: Share) -> None:
        self.share = share
        self.asked: list[dict[str, Any]] = []

    def create_volume_snapshot(self, volume_id: str, create_info: dict[str, Any]) -> None:
        self.asked.append(create_info)

    def delete_volume_snapshot(self, volume_id: str, delete_info: dict[str, Any]) -> None:
        self.asked.append(delete_info)
        active = self.asked[0]["new_file"]
        if delete_info["merge_target_file"] is None:
            qemu_img.pull(self.share, active, down_to=delete_info["file_to_merge"])


def test_the_snapshot_of_an_attached_volume_is_pulled_into_the_active_file(lab: Lab) -> None:
    """The attachment leads to the new file at once (LP 1860913), and the volume's first file goes."""
    driver, share = lab.driver(), lab.world.shares[A]
    lab.world.compute = Qemu(share)
    volume = lab.created(driver, attach_status="attached")
    volume.update({"status": "in-use"})
    volume.save()
    values = {"volume_id": volume.id, "connection_info": {"export": A, "name": volume.name, "format": "raw"}}
    attachment_id = lab.database.create(Attachment, {**values, "attach_status": "attached"})
    lab.disk(driver, volume).write(0, b"data")
    snapshot = lab.snapshot(volume)
    driver.create_snapshot(snapshot)
    active = f"{volume.name}.{snapshot.id}"
    assert lab.database.get_attachment(attachment_id).connection_info == {
        "export": A, "name": active, "format": "qcow2",
    }  # fmt: skip
    driver.delete_snapshot(snapshot)
    assert share.names() == [active, f"{volume.name}.info"]
    assert driver.objects() == [volume.name]
    assert lab.disk(driver, volume).read(0, 4) == b"data"
    volume.refresh()
    assert volume.admin_metadata == {"format": "qcow2", "base_format": "qcow2"}
    driver.delete_volume(volume)
    assert share.names() == []


# ------------------------------------------------------------------------------------------------ migration


def _migrated(
    lab: Lab, source: NfsDriver, destination: NfsDriver, status: str
) -> tuple[Volume, dict[str, Any]]:
    """A volume and its copy; what the destination's driver says of their names."""
    volume, copy = lab.created(source), lab.created(destination)
    lab.disk(source, volume).write(0, b"old")
    lab.disk(destination, copy).write(0, b"new")
    update = destination.update_migrated_volume(CONTEXT, volume, copy, status)
    assert update is not None
    assert update["provider_location"] == copy.provider_location
    return volume, {**update, "copy": copy}


def test_a_volume_from_another_share_gets_its_name_back(lab: Lab) -> None:
    """The rename of an available volume; the share is on record in any case (LP 1499151)."""
    volume, update = _migrated(lab, lab.driver(A), lab.driver(B), "available")
    assert update["_name_id"] is None
    assert lab.world.shares[B].names() == [volume.name]
    assert lab.world.shares[B].file(volume.name).read(0, 3) == b"new"


def test_in_one_share_the_copy_keeps_its_name(lab: Lab) -> None:
    """LP 1798468: a rename would replace the original, which is deleted next."""
    volume, update = _migrated(lab, lab.driver(A), lab.driver(A), "available")
    assert update["_name_id"] == update["copy"].id
    assert lab.world.shares[A].file(volume.name).read(0, 3) == b"old"
    assert lab.world.shares[A].file(update["copy"].name).read(0, 3) == b"new"


def test_a_share_under_two_names_loses_the_original(lab: Lab) -> None:
    """OPEN-NFS-ALIAS: names of shares are compared, so the copy takes the original's place in one directory."""
    alias = "nas.example.org:/srv/a"
    lab.world.shares[alias] = lab.world.shares[A]
    volume, update = _migrated(lab, lab.driver(A), lab.driver(alias), "available")
    assert update["_name_id"] is None
    assert lab.world.shares[A].names() == [volume.name]
    volume.provider_location = A
    lab.driver(A).delete_volume(volume)
    assert lab.world.shares[alias].names() == []


def test_a_volume_in_use_keeps_its_temporary_name(lab: Lab) -> None:
    """A server has the file open under that name."""
    _, update = _migrated(lab, lab.driver(A), lab.driver(B), "in-use")
    assert update["_name_id"] == update["copy"].id
    assert lab.world.shares[B].names() == [update["copy"].name]


def test_a_rename_that_fails_keeps_the_temporary_name(lab: Lab) -> None:
    """LP 1825029: the error is not swallowed into a wrong name."""
    lab.simulation.faults = FaultPlan([Fault(point="nfs.rename", kind="eio", nth=1)])
    _, update = _migrated(lab, lab.driver(A), lab.driver(B), "available")
    assert update["_name_id"] == update["copy"].id


# ------------------------------------------------------------------------------------------- the connection


def test_a_connection_has_a_path_and_both_views_of_the_file(lab: Lab) -> None:
    """dd sees the container, QEMU the disk; the mount point is the digest of the share's name."""
    driver = lab.driver(nfs_qcow2_volumes=True)
    volume = lab.created(driver)
    connection = connect(lab.world, driver.initialize_connection(volume, CONNECTOR), CONNECTOR)
    digest = hashlib.md5(A.encode(), usedforsecurity=False).hexdigest()
    assert connection.path == f"/var/lib/cinder/mnt/{digest}/{volume.name}"
    assert connection.device.read(0, 4) == b"QFI\xfb"
    assert connection.disk().read(0, 4) == bytes(4)
    connection.disconnect()
    info = driver.initialize_connection(volume, CONNECTOR)
    info["data"]["export"] = "nowhere:/srv"
    with pytest.raises(StorageError, match="no such export"):
        connect(lab.world, info, CONNECTOR)
