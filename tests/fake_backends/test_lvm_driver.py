"""The reference LVM driver against what Cinder's own does."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.connectors import connect
from fake_backends.lvm.driver import LvmDriver
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.world import World
from harness.control_plane.database import Database
from harness.driver import Configuration
from harness.errors import (
    Busy,
    InvalidArgument,
    InvalidConnectorException,
    InvalidVolume,
    ManageExistingAlreadyManaged,
    ManageExistingInvalidReference,
    NoSpace,
    NotFound,
    StorageError,
    VolumeBackendAPIException,
    VolumeIsBusy,
)
from harness.model import Attachment, Context, Snapshot, Volume

GIB = 1 << 30
CONTEXT = Context("admin", "admin", True)
CONNECTOR = {"initiator": "iqn.1994-05.com.redhat:me", "host": "me"}
STALE = {3: b"s" * PAGE}


class Recorder:
    """Points that remember what was passed, and raise at the n-th visit of one of them."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, str, int]] = []
        self.fault: tuple[str, int] | None = None
        self.action: Callable[[str], None] = lambda name: None

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        self.passed.append((name, detail, cost_us))
        self.action(name)
        if self.fault is not None and name == self.fault[0]:
            self.fault = (name, self.fault[1] - 1)
            if self.fault[1] == 0:
                raise StorageError(f"planned fault at {name}")

    def names(self, prefix: str) -> list[str]:
        return [name for name, _, _ in self.passed if name.startswith(prefix)]


class Lab:
    """A node with three volume groups, and drivers over them."""

    def __init__(self, **options: Any) -> None:
        self.points = Recorder()
        self.world = World(self.points)
        self.node = self.world.node("node1")
        for name in ("vg-a", "vg-b", "vg-thin"):
            self.node.volume_groups[name] = VolumeGroup(name, [64 * GIB], points=self.points)
        self.database = Database(0)
        self.options = options
        self._numbers = count(1)

    def driver(self, group: str = "vg-a", **options: Any) -> LvmDriver:
        values = {"volume_group": group, "lvm_type": "default", "volume_clear": "zero"} | self.options | options
        driver = LvmDriver(configuration=Configuration("lvm", values), world=self.world, host="node1@lvm")
        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()
        return driver

    def thin(self, **options: Any) -> LvmDriver:
        return self.driver("vg-thin", lvm_type="thin", **options)

    def volume(self, size: int = 1, **fields: Any) -> Volume:
        values = {"id": f"{next(self._numbers):08d}-1111-4222-8333-0123456789ab", "size": size, **fields}
        return self.database.get_volume(self.database.create(Volume, {"status": "available", **values}))

    def created(self, driver: LvmDriver, size: int = 1, **fields: Any) -> Volume:
        volume = self.volume(size, **fields)
        driver.create_volume(volume)
        return volume

    def snapshot(self, volume: Volume) -> Snapshot:
        values = {"volume_id": volume.id, "volume_size": volume.size}
        return self.database.get_snapshot(self.database.create(Snapshot, values))

    def exported(self, driver: LvmDriver, volume: Volume) -> Volume:
        volume.update(driver.create_export(CONTEXT, volume, CONNECTOR))
        volume.save()
        return volume


def write(group: VolumeGroup, name: str, offset: int, data: bytes) -> None:
    device = group.open(name)
    device.write(offset, data)
    device.close()


def read(group: VolumeGroup, name: str, offset: int, length: int = PAGE) -> bytes:
    device = group.open(name)
    try:
        return device.read(offset, length)
    finally:
        device.close()


# ------------------------------------------------------------------------------------------------- start-up


def test_missing_volume_group_fails_the_set_up() -> None:
    """check_for_setup_error raises what the manager expects."""
    with pytest.raises(VolumeBackendAPIException, match="Volume Group vg-x does not exist"):
        Lab().driver("vg-x")


@pytest.mark.parametrize("lvm_type", ["thin", "auto"])
def test_thin_makes_its_pool_of_95_percent_of_the_group(lvm_type: str) -> None:
    """The pool is <vg>-pool; a second start finds it. auto means thin."""
    lab = Lab()
    driver = lab.driver("vg-thin", lvm_type=lvm_type)
    lab.driver("vg-thin", lvm_type=lvm_type)
    group = lab.node.volume_groups["vg-thin"]
    assert group.pools() == ["vg-thin-pool"]
    assert group.pool("vg-thin-pool").size == 15565 * CHUNK
    assert (driver.lvm_type, driver.get_volume_stats()["sparse_copy_volume"]) == ("thin", True)


def test_no_space_for_a_pool_fails_the_set_up() -> None:
    """The group is full of thick volumes."""
    lab = Lab()
    lab.node.volume_groups["vg-thin"].create("x", lab.node.volume_groups["vg-thin"].free)
    with pytest.raises(VolumeBackendAPIException, match="Failed to create thin pool"):
        lab.thin()


def test_container_and_objects_lead_the_checkers() -> None:
    """Node and group name the container; pools are no objects."""
    lab = Lab()
    driver = lab.thin()
    volume = lab.created(driver)
    assert driver.container == "node1/vg-thin"
    assert driver.objects() == [volume.name]


# ---------------------------------------------------------------------------------------------------- stats


def test_thick_stats() -> None:
    """Figures have two decimals; provisioned is total minus free."""
    lab = Lab(volume_backend_name="gold", reserved_percentage=5, max_over_subscription_ratio="20.0")
    driver = lab.driver()
    lab.created(driver, 3)
    stats = driver.get_volume_stats(refresh=True)
    [pool] = stats.pop("pools")
    assert stats == {
        "volume_backend_name": "gold",
        "vendor_name": "Open Source",
        "driver_version": "3.0.0",
        "storage_protocol": "iSCSI",
        "shared_targets": False,
        "sparse_copy_volume": False,
    }
    assert pool == {
        "pool_name": "gold",
        "total_capacity_gb": 64.0,
        "free_capacity_gb": 61.0,
        "provisioned_capacity_gb": 3.0,
        "reserved_percentage": 5,
        "location_info": "LVMVolumeDriver:node1:vg-a:default:0",
        "QoS_support": False,
        "max_over_subscription_ratio": "20.0",
        "thin_provisioning_support": False,
        "thick_provisioning_support": True,
        "total_volumes": 1,
        "filter_function": None,
        "goodness_function": None,
        "multiattach": True,
        "backend_state": "up",
    }


def test_thin_stats() -> None:
    """Total and free are the pool's, provisioned the sum of the virtual sizes, the pool counts as a volume."""
    lab = Lab()
    driver = lab.thin()
    volume = lab.created(driver, 100)
    device = driver.group.open(volume.name)
    device.allocate(0, 256)
    [pool] = driver.get_volume_stats(refresh=True)["pools"]
    assert (pool["total_capacity_gb"], pool["provisioned_capacity_gb"]) == (60.8, 100.0)
    assert pool["free_capacity_gb"] == pytest.approx(59.8, abs=0.01)
    assert (pool["total_volumes"], pool["thin_provisioning_support"]) == (2, True)
    assert pool["location_info"] == "LVMVolumeDriver:node1:vg-thin:thin:0"


def test_stats_are_kept_until_a_refresh() -> None:
    """Without refresh the last ones are returned (`cinder.volume.driver:BaseVD.get_volume_stats`)."""
    lab = Lab()
    driver = lab.driver()
    before = driver.get_volume_stats()
    lab.created(driver)
    assert driver.get_volume_stats() is before
    assert driver.get_volume_stats(refresh=True)["pools"][0]["free_capacity_gb"] == 63.0


def test_mirrored_volumes_cannot_be_made() -> None:
    """lvm2 refuses Cinder's kind of mirror log; the stats divide the free space all the same."""
    lab = Lab()
    driver = lab.driver(lvm_mirrors=1)
    with pytest.raises(InvalidArgument, match="DEPRECATED"):
        lab.created(driver)
    [pool] = driver.get_volume_stats()["pools"]
    assert (pool["total_capacity_gb"], pool["free_capacity_gb"]) == (32.0, 0.0)


# -------------------------------------------------------------------------------------------------- volumes


@pytest.mark.parametrize("kind", ["driver", "thin"])
def test_create_and_delete(kind: str) -> None:
    """A volume has its size to the byte; deleting it twice is deleting it once."""
    lab = Lab()
    driver: LvmDriver = getattr(lab, kind)()
    volume = lab.created(driver, 2)
    assert driver.group.volume(volume.name).size == 2 * GIB
    driver.delete_volume(volume)
    driver.delete_volume(volume)
    assert driver.objects() == []


def test_deleted_thick_volume_is_cleared() -> None:
    """volume_clear=zero: the next owner of the extents reads zeros."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver)
    write(driver.group, volume.name, 5 * PAGE, b"secret")
    driver.delete_volume(volume)
    assert read(driver.group, lab.created(driver).name, 5 * PAGE) == bytes(PAGE)
    assert ("lvm.clear", f"dd if=/dev/zero of=vg-a/{volume.name}", 10_240_000) in lab.points.passed


def test_volume_clear_none_leaves_the_bytes() -> None:
    """As the operator asked: the next owner of the extents sees them."""
    lab = Lab(volume_clear="none")
    driver = lab.driver()
    volume = lab.created(driver)
    write(driver.group, volume.name, 5 * PAGE, b"secret")
    driver.delete_volume(volume)
    assert read(driver.group, lab.created(driver).name, 5 * PAGE, 6) == b"secret"


def test_clearing_goes_by_the_size_on_record() -> None:
    """A record that is too small leaves a tail behind; one that is too large makes the delete fail."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver, 2)
    write(driver.group, volume.name, GIB + PAGE, b"tail")
    volume.size = 3
    with pytest.raises(NoSpace):
        driver.delete_volume(volume)
    write(driver.group, volume.name, GIB + PAGE, b"tail")
    volume.size = 1
    driver.delete_volume(volume)
    assert read(driver.group, lab.created(driver, 2).name, GIB + PAGE, 4) == b"tail"


def test_volume_clear_size_clears_the_beginning_only() -> None:
    """MiB, as in cinder.conf."""
    lab = Lab(volume_clear_size=4)
    driver = lab.driver()
    volume = lab.created(driver)
    write(driver.group, volume.name, 5 * PAGE, b"secret")
    write(driver.group, volume.name, CHUNK, b"left")
    driver.delete_volume(volume)
    name = lab.created(driver).name
    assert (read(driver.group, name, 5 * PAGE, 6), read(driver.group, name, CHUNK, 4)) == (bytes(6), b"left")


def test_volume_with_thick_snapshots_is_busy() -> None:
    """Thin snapshots do not keep their origin from being deleted."""
    lab = Lab()
    thick, thin = lab.driver(), lab.thin()
    for driver in (thick, thin):
        driver.create_snapshot(lab.snapshot(lab.created(driver)))
    with pytest.raises(VolumeIsBusy):
        thick.delete_volume(lab.database.get_volume(thick.objects()[0].removeprefix("volume-")))
    thin.delete_volume(lab.database.get_volume(thin.objects()[0].removeprefix("volume-")))
    assert (len(thick.objects()), len(thin.objects())) == (2, 1)


def test_open_volume_is_not_deleted() -> None:
    """An export that was left behind makes lvremove fail."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver))
    with pytest.raises(Busy, match="in use"):
        driver.delete_volume(volume)
    driver.remove_export(CONTEXT, volume)
    driver.delete_volume(volume)


@pytest.mark.parametrize("kind", ["driver", "thin"])
def test_extend_keeps_the_data(kind: str) -> None:
    """To `new_size` GiB in total, with snapshots or without."""
    lab = Lab()
    driver: LvmDriver = getattr(lab, kind)()
    volume = lab.created(driver)
    write(driver.group, volume.name, GIB - PAGE, b"end")
    driver.extend_volume(volume, 2)
    driver.create_snapshot(lab.snapshot(volume))
    driver.extend_volume(volume, 3)
    assert driver.group.volume(volume.name).size == 3 * GIB
    assert read(driver.group, volume.name, GIB - PAGE, 3) == b"end"


def test_failed_extend_leaves_an_origin_inactive() -> None:
    """The original activates it only after lvextend has succeeded."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver)
    driver.create_snapshot(lab.snapshot(volume))
    with pytest.raises(NoSpace):
        driver.extend_volume(volume, 100)
    with pytest.raises(NotFound):
        driver.group.open(volume.name)


# ------------------------------------------------------------------------------------- snapshots and clones


def test_thick_snapshot_reserves_as_much_as_its_origin() -> None:
    """And is named so that lvm2 accepts it."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver)
    snapshot = lab.snapshot(volume)
    driver.create_snapshot(snapshot)
    assert driver.objects() == [volume.name, f"_{snapshot.name}"]
    assert driver.group.volume(f"_{snapshot.name}").listed_size == GIB


def test_snapshot_of_an_absent_volume_is_not_found() -> None:
    """The origin is looked up first."""
    lab = Lab()
    with pytest.raises(NotFound, match="Volume device not found"):
        lab.driver().create_snapshot(lab.snapshot(lab.volume()))


@pytest.mark.parametrize("kind", ["driver", "thin"])
def test_volume_from_snapshot_is_the_moment_of_the_snapshot(kind: str) -> None:
    """Larger than the snapshot if asked, independent of it and of the origin."""
    lab = Lab()
    driver: LvmDriver = getattr(lab, kind)()
    origin = lab.created(driver)
    write(driver.group, origin.name, PAGE, b"before")
    snapshot = lab.snapshot(origin)
    driver.create_snapshot(snapshot)
    write(driver.group, origin.name, PAGE, b"after.")
    copy = lab.volume(2)
    driver.create_volume_from_snapshot(copy, snapshot)
    driver.delete_snapshot(snapshot)
    driver.delete_snapshot(snapshot)
    assert driver.group.volume(copy.name).size == 2 * GIB
    assert read(driver.group, copy.name, PAGE, 6) == b"before"
    assert driver.objects() == [origin.name, copy.name]


@pytest.mark.parametrize("kind", ["driver", "thin"])
def test_clone_is_independent(kind: str) -> None:
    """The thick one goes by a temporary snapshot, which is gone afterwards, with its bytes cleared."""
    lab = Lab()
    driver: LvmDriver = getattr(lab, kind)()
    origin = lab.created(driver)
    write(driver.group, origin.name, PAGE, b"origin")
    clone = lab.volume(2)
    driver.create_cloned_volume(clone, origin)
    write(driver.group, origin.name, PAGE, b"after.")
    write(driver.group, clone.name, 2 * PAGE, b"clone")
    assert read(driver.group, clone.name, PAGE, 6) == b"origin"
    assert read(driver.group, origin.name, 2 * PAGE, 5) == bytes(5)
    assert driver.objects() == [origin.name, clone.name]


def test_thick_clone_overwrites_stale_extents() -> None:
    """A full copy writes zeros too."""
    lab = Lab()
    driver = lab.driver()
    origin = lab.created(driver)
    driver.group.age(STALE, 2000)
    clone = lab.volume()
    driver.create_cloned_volume(clone, origin)
    assert read(driver.group, clone.name, 0, 2 * CHUNK) == bytes(2 * CHUNK)


def test_failed_clone_removes_the_temporary_snapshot() -> None:
    """The half-made volume stays, for the manager to delete."""
    lab = Lab()
    driver = lab.driver()
    origin = lab.created(driver)
    lab.points.fault = ("lvm.dd", 3)
    clone = lab.volume()
    with pytest.raises(StorageError, match="planned fault"):
        driver.create_cloned_volume(clone, origin)
    assert driver.objects() == [origin.name, clone.name]
    driver.delete_volume(clone)


def test_revert_brings_a_thick_volume_back_and_keeps_the_snapshot() -> None:
    """lvconvert destroys the snapshot, so the driver makes a new one."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver)
    write(driver.group, volume.name, PAGE, b"before")
    snapshot = lab.snapshot(volume)
    driver.create_snapshot(snapshot)
    write(driver.group, volume.name, PAGE, b"after.")
    driver.revert_to_snapshot(CONTEXT, volume, snapshot)
    assert read(driver.group, volume.name, PAGE, 6) == b"before"
    assert driver.objects() == [volume.name, f"_{snapshot.name}"]


def test_revert_is_not_implemented_for_thin() -> None:
    """The manager then copies."""
    lab = Lab()
    driver = lab.thin()
    volume = lab.created(driver)
    with pytest.raises(NotImplementedError):
        driver.revert_to_snapshot(CONTEXT, volume, lab.snapshot(volume))


def test_copy_is_paid_by_size_in_few_visits() -> None:
    """100 MiB/s and eight slices, however large the volume."""
    lab = Lab()
    driver = lab.driver()
    driver.create_cloned_volume(lab.volume(10), lab.created(driver, 10))
    costs = [cost for name, _, cost in lab.points.passed if name == "lvm.dd"]
    assert (len(costs), sum(costs)) == (8, 102_400_000)


# ---------------------------------------------------------------------------------- exports and connections


def test_export_with_lio() -> None:
    """LUN 0, the target's name for its number; only initiators that were connected may log in."""
    lab = Lab(target_helper="lioadm")
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver, encryption_key_id="key"))
    iqn = f"iqn.2010-10.org.openstack:{volume.name}"
    assert volume.provider_location == f"192.0.2.1:3260,{iqn} {iqn} 0"
    method, user, secret = (volume.provider_auth or "").split(" ")
    info = driver.initialize_connection(volume, CONNECTOR)
    assert info == {
        "driver_volume_type": "iscsi",
        "data": {
            "target_discovered": False,
            "target_portal": "192.0.2.1:3260",
            "target_iqn": iqn,
            "target_lun": 0,
            "volume_id": volume.id,
            "auth_method": method,
            "auth_username": user,
            "auth_password": secret,
            "encrypted": True,
        },
    }
    with pytest.raises(StorageError, match="authorization"):
        connect(lab.world, info, {"host": "elsewhere", "initiator": "stranger"})
    connection = connect(lab.world, info, CONNECTOR)
    connection.device.write(0, b"hello")
    connection.disconnect()
    assert driver.terminate_connection(volume, CONNECTOR) is False
    with pytest.raises(StorageError, match="authorization"):
        connect(lab.world, info, CONNECTOR)
    driver.remove_export(CONTEXT, volume)
    driver.remove_export(CONTEXT, volume)
    assert lab.node.targets.targets == {}
    assert read(driver.group, volume.name, 0, 5) == b"hello"


def test_export_with_tgt() -> None:
    """LUN 1, a number for the target; everybody with the credentials may log in."""
    lab = Lab(target_helper="tgtadm", target_prefix="iqn.x:", target_port=3261)
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver))
    assert volume.provider_location == f"192.0.2.1:3261,1 iqn.x:{volume.name} 1"
    info = driver.initialize_connection(volume, {**CONNECTOR, "multipath": True})
    assert info["data"]["target_portals"] == ["192.0.2.1:3261"]
    connect(lab.world, info, {"host": "elsewhere", "initiator": "anybody"}).disconnect()


@pytest.mark.parametrize("helper", ["lioadm", "tgtadm"])
def test_a_target_has_one_disk(helper: str) -> None:
    """Whoever asks for another LUN finds none, and is logged out again."""
    lab = Lab(target_helper=helper)
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver))
    info = driver.initialize_connection(volume, CONNECTOR)
    other = {**info, "data": {**info["data"], "target_lun": 2}}
    with pytest.raises(NotFound, match="has no disk with LUN 2"):
        connect(lab.world, other, CONNECTOR)
    assert lab.node.targets.sessions == []
    connect(lab.world, info, CONNECTOR).disconnect()


def test_export_is_idempotent_and_keeps_its_credentials() -> None:
    """Those on record win over the ones that the name would give."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver, provider_auth="CHAP me mine")
    first = driver.create_export(CONTEXT, volume, CONNECTOR)
    assert first["provider_auth"] == "CHAP me mine"
    assert driver.create_export(CONTEXT, volume, CONNECTOR) == first
    assert len(lab.node.targets.targets) == 1


def test_ensure_export_restores_a_tgt_target() -> None:
    """Called at service start for volumes in use."""
    lab = Lab(target_helper="tgtadm")
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver))
    lab.node.targets.remove_target(f"iqn.2010-10.org.openstack:{volume.name}")
    driver.ensure_export(CONTEXT, volume)
    connect(lab.world, driver.initialize_connection(volume, CONNECTOR), CONNECTOR).disconnect()


def test_remove_export_goes_by_the_target_on_record() -> None:
    """Without provider_location the target stays, and the volume stays in use."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver))
    volume.provider_location = None
    driver.remove_export(CONTEXT, volume)
    assert len(lab.node.targets.targets) == 1


def test_connection_without_an_export_is_refused() -> None:
    """tgt: discovery finds no target of the volume."""
    lab = Lab(target_helper="tgtadm")
    driver = lab.driver()
    with pytest.raises(InvalidVolume, match="Could not find iSCSI export"):
        driver.initialize_connection(lab.created(driver), CONNECTOR)


def test_connector_needs_an_initiator() -> None:
    """The key is named."""
    with pytest.raises(InvalidConnectorException, match="initiator"):
        Lab().driver().validate_connector({"host": "me"})


def test_terminate_tells_whether_others_use_the_export() -> None:
    """Two attachments: True; two of one initiator: access is kept as well."""
    lab = Lab(target_helper="lioadm")
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver, multiattach=True))
    driver.initialize_connection(volume, CONNECTOR)
    for _ in range(2):
        values = {"volume_id": volume.id, "connector": CONNECTOR, "attach_status": "attached"}
        lab.database.create(Attachment, values)
    volume.refresh()
    assert driver.terminate_connection(volume, CONNECTOR) is True
    [target] = lab.node.targets.targets.values()
    assert list(target.allowed or ()) == [CONNECTOR["initiator"]]
    volume.volume_attachment[0].update({"connector": {"initiator": "another"}})
    volume.volume_attachment[0].save()
    volume.refresh()
    assert driver.terminate_connection(volume, CONNECTOR) is True
    assert target.allowed == {}


@pytest.mark.parametrize(("multiattach", "told"), [
    (False, "'NoneType' object is not subscriptable"),
    (True, "'NoneType' object has no attribute 'get'"),
])  # fmt: skip
def test_terminating_without_a_connector_fails_as_in_cinder(multiattach: bool, told: str) -> None:
    """`LioAdm.terminate_connection` and `ISCSITarget.are_same_connector` look into one that is None."""
    lab = Lab(target_helper="lioadm")
    driver = lab.driver()
    volume = lab.exported(driver, lab.created(driver, multiattach=multiattach))
    driver.initialize_connection(volume, CONNECTOR)
    values = {"volume_id": volume.id, "connector": CONNECTOR, "attach_status": "attached"}
    lab.database.create(Attachment, values)
    volume.refresh()
    with pytest.raises((TypeError, AttributeError), match=told):
        driver.terminate_connection(volume, None, force=True)


# --------------------------------------------------------------------------------------- migration, retype


def destination(driver: LvmDriver) -> dict[str, Any]:
    [pool] = driver.get_volume_stats(refresh=True)["pools"]
    return {"host": "node1@other#other", "cluster_name": None, "capabilities": pool}


def test_migration_between_groups_of_a_node_moves_the_volume() -> None:
    """Same name, same bytes, gone from the source, which was cleared."""
    lab = Lab()
    source, target = lab.driver(), lab.driver("vg-b")
    volume = lab.created(source)
    write(source.group, volume.name, GIB - PAGE, b"moved")
    assert source.migrate_volume(CONTEXT, volume, destination(target)) == (True, None)
    assert (source.objects(), target.objects()) == ([], [volume.name])
    assert read(target.group, volume.name, GIB - PAGE, 5) == b"moved"


@pytest.mark.parametrize(
    ("status", "location"),
    [
        ("maintenance", "LVMVolumeDriver:node1:vg-b:default:0"),
        ("in-use", "LVMVolumeDriver:node1:vg-b:default:0"),
        ("available", None),
        ("available", "ceph:/etc/ceph/ceph.conf:fsid:cinder:volumes"),
        ("available", "LVMVolumeDriver:node1:vg-b:default"),
        ("available", "LVMVolumeDriver:node1:vg-b:default:none"),
        ("available", "LVMVolumeDriver:node2:vg-b:default:0"),
        ("available", "LVMVolumeDriver:node1:vg-x:default:0"),
    ],
)
def test_migration_is_refused(status: str, location: str | None) -> None:
    """(False, None) sends the manager down the generic path; nothing was touched."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver, status=status)
    capabilities = {} if location is None else {"location_info": location}
    assert driver.migrate_volume(CONTEXT, volume, {"capabilities": capabilities}) == (False, None)
    assert lab.node.volume_groups["vg-b"].names() == []


def test_retyping_volume_is_migrated() -> None:
    """Since Cinder 28."""
    lab = Lab()
    source, target = lab.driver(), lab.driver("vg-b")
    moved, _ = source.migrate_volume(CONTEXT, lab.created(source, status="retyping"), destination(target))
    assert moved


def test_migration_within_one_group_raises() -> None:
    """It fails the migration: there is no way back to the generic path."""
    lab = Lab()
    driver = lab.driver()
    with pytest.raises(VolumeBackendAPIException, match="same Volume Group: vg-a"):
        driver.migrate_volume(CONTEXT, lab.created(driver), destination(driver))


def test_migration_from_thin_onto_stale_extents_keeps_the_old_bytes() -> None:
    """The copy is sparse because the source is thin, whatever the destination is."""
    lab = Lab()
    source, target = lab.thin(), lab.driver("vg-b")
    target.group.age(STALE, 10)
    volume = lab.created(source)
    source.migrate_volume(CONTEXT, volume, destination(target))
    assert read(target.group, volume.name, 3 * PAGE) == STALE[3]


def test_migration_onto_stale_extents_from_thick_is_clean() -> None:
    """A full copy overwrites them."""
    lab = Lab()
    source, target = lab.driver(), lab.driver("vg-b")
    target.group.age(STALE, 10)
    volume = lab.created(source)
    source.migrate_volume(CONTEXT, volume, destination(target))
    assert read(target.group, volume.name, 0, CHUNK) == bytes(CHUNK)


def test_failed_migration_leaves_the_copy_behind() -> None:
    """The clean-up asks for the wrong name, and its own failure is what the manager sees."""
    lab = Lab()
    source, target = lab.driver(), lab.driver("vg-b")
    volume = lab.created(source)
    lab.points.fault = ("lvm.dd", 4)
    with pytest.raises(NotFound, match="vg-b/<Volume") as caught:
        source.migrate_volume(CONTEXT, volume, destination(target))
    assert "planned fault" in str(caught.value.__cause__)
    assert (source.objects(), target.objects()) == ([volume.name], [volume.name])


def test_others_may_act_during_a_copy() -> None:
    """Both volumes are open meanwhile, so neither can be removed."""
    lab = Lab()
    source, target = lab.driver(), lab.driver("vg-b")
    volume = lab.created(source)
    busy: list[int] = []

    def intrude(name: str) -> None:
        if name == "lvm.dd":
            busy.append(sum(len(driver.group.volume(volume.name).openers) for driver in (source, target)))

    lab.points.action = intrude
    source.migrate_volume(CONTEXT, volume, destination(target))
    assert busy == [2] * 8


def test_available_volume_gets_its_final_name() -> None:
    """lvrename to volume-<id>; both fields are cleared."""
    lab = Lab()
    driver = lab.driver()
    volume, temporary = lab.volume(), lab.created(driver)
    update = driver.update_migrated_volume(CONTEXT, volume, temporary, "available")
    assert update == {"_name_id": None, "provider_location": None}
    assert driver.objects() == [f"volume-{volume.id}"]


@pytest.mark.parametrize(("status", "taken"), [("in-use", False), ("available", True)])
def test_temporary_name_is_kept_where_it_cannot_be_changed(status: str, taken: bool) -> None:
    """The volume is in use, or a volume of the final name is in the same group."""
    lab = Lab()
    driver = lab.driver()
    volume = lab.created(driver) if taken else lab.volume()
    temporary = lab.created(driver, provider_location="portal iqn 1")
    update = driver.update_migrated_volume(CONTEXT, volume, temporary, status)
    assert update == {"_name_id": temporary.id, "provider_location": "portal iqn 1"}
    assert temporary.name in driver.objects()


def test_retype_has_nothing_to_do() -> None:
    """True, whatever differs."""
    lab = Lab()
    driver = lab.driver()
    new_type: Any = None
    assert driver.retype(CONTEXT, lab.created(driver), new_type, {}, {}) is True


# ---------------------------------------------------------------------------------------- manage, unmanage


def test_manage_renames_and_rounds_up() -> None:
    """1.01 GiB are 2; the object then bears the volume's name, and unmanage leaves it alone."""
    lab = Lab()
    driver = lab.driver()
    driver.group.create("foreign", GIB + 2 * CHUNK)
    reference = {"source-name": "foreign"}
    volume = lab.volume(2)
    assert driver.manage_existing_get_size(volume, reference) == 2
    driver.manage_existing(volume, reference)
    driver.unmanage(volume)
    assert driver.objects() == [volume.name]


def test_bad_references_are_refused() -> None:
    """No source-name, no such object, no such object any more, an object on record."""
    lab = Lab()
    driver = lab.driver()
    volume, managed = lab.volume(), lab.created(driver)
    for reference in ({"source-id": "x"}, {"source-name": "nothing"}):
        with pytest.raises(ManageExistingInvalidReference):
            driver.manage_existing_get_size(volume, reference)
    with pytest.raises(VolumeBackendAPIException, match="Failed to rename logical volume nothing"):
        driver.manage_existing(volume, {"source-name": "nothing"})
    with pytest.raises(ManageExistingAlreadyManaged):
        driver.manage_existing(volume, {"source-name": managed.name})
