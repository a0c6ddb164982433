"""The reference RBD driver against what Cinder's own does on a real cluster."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends import luks
from fake_backends.rbd.clone_chain import delete_parent_refs
from fake_backends.rbd.driver import RbdDriver
from fake_backends.rbd.layers import ReadOnlyImage
from fake_backends.rbd.pool import Pool
from fake_backends.world import World
from harness.control_plane.database import Database
from harness.driver import Configuration
from harness.errors import (
    AlreadyExists,
    Busy,
    Invalid,
    InvalidArgument,
    ManageExistingInvalidReference,
    NotFound,
    NotFoundError,
    SnapshotIsBusy,
    StorageError,
    VolumeBackendAPIException,
    VolumeDriverException,
    VolumeIsBusy,
    VolumeMigrationFailed,
)
from harness.model import Context, Encryption, QosSpecs, Snapshot, Volume, VolumeType
from harness.sim.faults import Fault, FaultPlan
from harness.sim.simulation import Simulation

GIB = 1 << 30
CONTEXT = Context("admin", "admin", True)
KEY = b"k" * 32
HEADER = 2_068_480


class Lab:
    """A cluster with two pools, another cluster, and drivers over them."""

    def __init__(self, **options: Any) -> None:
        self.simulation = Simulation()
        self.world = World(self.simulation)
        self.world.keys["key"] = KEY
        self.pool = self.world.cluster("ceph").create_pool("volumes")
        self.other_pool = self.world.cluster("ceph").create_pool("other")
        self.world.cluster("elsewhere").create_pool("volumes")
        self.database = Database(0)
        self.options = options
        self.rbd = self.driver()
        self._numbers = count(1)

    def driver(self, **options: Any) -> RbdDriver:
        values = {"rbd_pool": "volumes", "rbd_user": "cinder", "rbd_ceph_conf": "/etc/ceph/ceph.conf"}
        configuration = Configuration("rbd", values | self.options | options)
        driver = RbdDriver(configuration=configuration, world=self.world, host="node1@rbd")
        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()
        return driver

    def volume_type(self, **fields: Any) -> VolumeType:
        values = {"id": f"type-{next(self._numbers)}", **fields}
        return self.database.get_volume_type(self.database.create(VolumeType, values))

    def volume(self, size: int = 1, **fields: Any) -> Volume:
        values = {"id": f"{next(self._numbers):08d}-1111-4222-8333-0123456789ab", "size": size, **fields}
        return self.database.get_volume(self.database.create(Volume, {"status": "available", **values}))

    def created(self, size: int = 1, **fields: Any) -> Volume:
        volume = self.volume(size, **fields)
        volume.update(self.rbd.create_volume(volume) or {})
        volume.save()
        return volume

    def encrypted(self, size: int = 1, **encryption: Any) -> Volume:
        volume_type = self.volume_type(encryption=Encryption(**{"provider": "luks", **encryption}))
        return self.volume(size, volume_type_id=volume_type.id, encryption_key_id="key")

    def snapshot(self, volume: Volume) -> Snapshot:
        values = {"volume_id": volume.id, "volume_size": volume.size}
        return self.database.get_snapshot(self.database.create(Snapshot, values))

    def snapshotted(self, volume: Volume) -> Snapshot:
        snapshot = self.snapshot(volume)
        self.rbd.create_snapshot(snapshot)
        return snapshot

    def fail(self, point: str, *, nth: int = 1, kind: Any = "eio") -> None:
        self.simulation.faults = FaultPlan([Fault(point=point, kind=kind, nth=nth)])

    def visits(self, point: str) -> list[str]:
        return [event.detail for event in self.simulation.history if event.step == point]


def write(pool: Pool, name: str, offset: int, data: bytes) -> None:
    with pool.open(name) as handle:
        handle.write(offset, data)


def read(pool: Pool, name: str, offset: int, length: int) -> bytes:
    with pool.open(name, read_only=True) as handle:
        return handle.read(offset, length)


def destination(driver: RbdDriver) -> dict[str, Any]:
    return {"host": "node1@other#other", "cluster_name": None, "capabilities": driver.get_volume_stats()}


# ----------------------------------------------------------------------------------------- start-up, stats


def test_an_unknown_pool_fails_the_set_up() -> None:
    """As librados cannot open it."""
    with pytest.raises(VolumeBackendAPIException, match="Error connecting to ceph cluster"):
        Lab().driver(rbd_pool="nopool")


def test_stats_are_those_of_the_original() -> None:
    """Keys and shapes as recorded; no pools list, no sparse_copy_volume."""
    lab = Lab()
    fsid = lab.world.cluster("ceph").fsid
    assert lab.rbd.get_volume_stats() == {
        "vendor_name": "Open Source",
        "driver_version": "1.3.0",
        "storage_protocol": "ceph",
        "total_capacity_gb": 102400.0,
        "free_capacity_gb": 102400.0,
        "reserved_percentage": 0,
        "multiattach": True,
        "thin_provisioning_support": True,
        "max_over_subscription_ratio": "20.0",
        "location_info": f"ceph:/etc/ceph/ceph.conf:{fsid}:cinder:volumes",
        "backend_state": "up",
        "qos_support": True,
        "volume_backend_name": "RBD",
        "replication_enabled": False,
    }


def test_location_names_no_user_as_none() -> None:
    """The text None, as Cinder formats it."""
    lab = Lab(rbd_user=None, rbd_ceph_conf="")
    assert lab.rbd.get_volume_stats()["location_info"] == f"ceph::{lab.pool.cluster.fsid}:None:volumes"


@pytest.mark.parametrize(
    ("max_bytes", "dynamic", "total", "free"),
    [
        (None, True, 102399.99, 102399.98),
        (None, False, 102400.0, 102399.98),
        (GIB, True, 1.0, 0.99),
        (GIB, False, 1.0, 0.99),
    ],
)
def test_capacity_depends_on_quota_and_report_dynamic_total_capacity(
    max_bytes: int | None, dynamic: bool, total: float, free: float
) -> None:
    """Free is what may be written; total is free + used, or else the quota or the cluster."""
    lab = Lab()
    lab.world.cluster("ceph").create_pool("limited", max_bytes)
    rbd = lab.driver(rbd_pool="limited", report_dynamic_total_capacity=dynamic)
    lab.created(1)
    write(lab.pool, lab.pool.names()[0], 0, b"x" * (8 << 20))
    volume = lab.volume(1)
    rbd.create_volume(volume)
    write(lab.world.cluster("ceph").pool("limited"), volume.name, 0, b"x" * (8 << 20))
    stats = rbd.get_volume_stats()
    assert (stats["total_capacity_gb"], stats["free_capacity_gb"]) == (total, free)


def test_a_shared_pool_reports_what_is_provisioned() -> None:
    """Every image of the pool counts, in GiB rounded up."""
    lab = Lab(rbd_exclusive_cinder_pool=False)
    lab.created(2)
    lab.pool.create("foreign", GIB + 1)
    assert lab.rbd.get_volume_stats()["provisioned_capacity_gb"] == 4


def test_container_and_objects_name_the_pool_and_its_images() -> None:
    """What a checker compares with the records."""
    lab = Lab()
    volume = lab.created()
    assert lab.rbd.container == "ceph/volumes"
    assert lab.rbd.objects() == [volume.name]


# --------------------------------------------------------------------------------------- create and delete


def test_a_volume_is_an_image_of_its_size() -> None:
    """N x 2^30 bytes, nothing allocated; a second one of that name is refused."""
    lab = Lab()
    volume = lab.created(3)
    assert lab.pool.image(volume.name).size == 3 * GIB
    assert lab.pool.used_objects == 0
    with pytest.raises(AlreadyExists):
        lab.rbd.create_volume(volume)
    assert lab.rbd.objects() == [volume.name]


def test_an_encrypted_volume_has_its_header_on_top() -> None:
    """N GiB of payload and qemu-img's header, which opens with the volume's key."""
    lab = Lab()
    volume = lab.encrypted(2)
    assert lab.rbd.create_volume(volume) == {}
    assert lab.pool.image(volume.name).size == 2 * GIB + HEADER
    with lab.pool.open(volume.name) as handle:
        assert luks.provider_of(handle) == "luks"
        assert luks.LuksDevice(handle, KEY).size == 2 * GIB


def test_two_encrypted_volumes_with_one_key_have_different_master_keys() -> None:
    """The ciphertext of one means nothing behind the header of the other."""
    lab = Lab()
    ciphertexts = set()
    for volume in (lab.encrypted(), lab.encrypted()):
        lab.rbd.create_volume(volume)
        with lab.pool.open(volume.name) as handle:
            luks.LuksDevice(handle, KEY).write(0, b"x" * 4096)
            ciphertexts.add(handle.read(HEADER, 4096))
    assert len(ciphertexts) == 2


def test_only_luks_and_what_qemu_img_knows_can_be_created() -> None:
    """Provider luks2, no encryption in the type, a key that is gone, a cipher that does not exist."""
    lab = Lab()
    with pytest.raises(VolumeDriverException, match="Provider luks2 not supported"):
        lab.rbd.create_volume(lab.encrypted(provider="luks2"))
    with pytest.raises(VolumeDriverException, match="Invalid encryption spec"):
        lab.rbd.create_volume(lab.volume(encryption_key_id="key"))
    with pytest.raises(InvalidArgument, match="aes-512"):
        lab.rbd.create_volume(lab.encrypted(key_size=512))
    lab.world.keys.clear()
    with pytest.raises(NotFoundError):
        lab.rbd.create_volume(lab.encrypted())
    assert lab.rbd.objects() == []


def test_deleting_an_absent_volume_succeeds() -> None:
    """The original logs it."""
    lab = Lab()
    lab.rbd.delete_volume(lab.volume())


def test_deleting_a_volume_that_is_open_is_busy() -> None:
    """After three tries, 5 and 10 seconds apart."""
    lab = Lab()
    volume = lab.created()
    with lab.pool.open(volume.name):
        started_us = lab.simulation.kernel.now_us
        with pytest.raises(VolumeIsBusy, match="ImageBusy error raised while deleting RBD volume"):
            lab.rbd.delete_volume(volume)
        assert lab.simulation.kernel.now_us - started_us > 15_000_000
    lab.rbd.delete_volume(volume)
    assert lab.rbd.objects() == []


def test_deleting_survives_a_short_use() -> None:
    """An image that is busy once is tried again."""
    lab = Lab()
    volume = lab.created()
    lab.fail("rbd.remove", kind="ebusy")
    lab.rbd.delete_volume(volume)
    assert lab.rbd.objects() == []


def test_deleting_a_volume_with_a_snapshot_and_a_child_flattens_and_trashes() -> None:
    """As recorded: the child lives, the volume waits in the trash."""
    lab = Lab()
    volume = lab.created()
    snapshot = lab.snapshotted(volume)
    child = lab.volume()
    lab.rbd.create_volume_from_snapshot(child, snapshot)
    lab.rbd.delete_volume(volume)
    assert lab.rbd.objects() == [child.name]
    assert [entry.image.name for entry in lab.pool.trash.values()] == [volume.name]
    assert lab.pool.image(child.name).parent is None
    lab.rbd.delete_snapshot(snapshot)
    lab.rbd.delete_volume(child)
    lab.rbd.delete_volume(volume)
    assert lab.rbd.objects() == []


def test_deferred_deletion_keeps_the_image_for_its_delay() -> None:
    """Only where it cannot be removed at once."""
    lab = Lab(enable_deferred_deletion=True, deferred_deletion_delay=3600)
    volume = lab.created()
    lab.rbd.delete_volume(volume)
    assert lab.pool.trash == {}
    volume = lab.created()
    lab.snapshotted(volume)
    lab.rbd.delete_volume(volume)
    assert [entry.delay_s for entry in lab.pool.trash.values()] == [3600]


def test_a_failed_set_up_removes_the_image() -> None:
    """A type that wants what excludes one another."""
    lab = Lab()
    specs = {"replication_enabled": "<is> True", "multiattach": "<is> True"}
    volume = lab.volume(volume_type_id=lab.volume_type(extra_specs=specs).id)
    with pytest.raises(VolumeDriverException, match="mutually exclusive"):
        lab.rbd.create_volume(volume)
    assert lab.rbd.objects() == []


def test_replication_fails_because_nothing_is_mirrored() -> None:
    """In the original's words."""
    lab = Lab()
    replicated = lab.volume_type(extra_specs={"replication_enabled": "<is> True"})
    volume = lab.volume(volume_type_id=replicated.id)
    with pytest.raises(VolumeDriverException, match="Failed to enable image replication"):
        lab.rbd.create_volume(volume)
    plain = lab.created()
    with pytest.raises(VolumeDriverException, match="Failed to enable image replication"):
        lab.rbd.retype(CONTEXT, plain, replicated, {}, {})


# -------------------------------------------------------------------------------------------------- extend


def test_extending_resizes_in_use_too() -> None:
    """The client sees it at once."""
    lab = Lab()
    volume = lab.created()
    with lab.pool.open(volume.name) as guest:
        lab.rbd.extend_volume(volume, 2)
        assert guest.size == 2 * GIB


def test_extending_an_encrypted_volume_forgets_the_header() -> None:
    """2 GiB of image in total, so the payload is short of 2 GiB by the header."""
    lab = Lab()
    volume = lab.encrypted()
    lab.rbd.create_volume(volume)
    lab.rbd.extend_volume(volume, 2)
    assert lab.pool.image(volume.name).size == 2 * GIB


def test_extending_an_absent_volume_is_a_backend_error() -> None:
    """Whatever goes wrong, the text is the same."""
    lab = Lab()
    volume = lab.volume()
    with pytest.raises(VolumeBackendAPIException, match=f"Failed to Extend Volume {volume.name}"):
        lab.rbd.extend_volume(volume, 2)


# ----------------------------------------------------------------------------------------------- snapshots


def test_snapshots_are_protected() -> None:
    """And a second one of the name, or one of an absent volume, is refused as librbd refuses it."""
    lab = Lab()
    volume = lab.created()
    snapshot = lab.snapshotted(volume)
    assert lab.pool.image(volume.name).snapshot(snapshot.name).protected
    with pytest.raises(AlreadyExists):
        lab.rbd.create_snapshot(snapshot)
    with pytest.raises(NotFound):
        lab.rbd.create_snapshot(lab.snapshot(lab.volume()))


def test_deleting_a_snapshot_flattens_its_clones() -> None:
    """At the second try; again, or of an absent volume, is fine."""
    lab = Lab()
    volume = lab.created()
    write(lab.pool, volume.name, 0, b"data")
    snapshot = lab.snapshotted(volume)
    children = [lab.volume(), lab.volume()]
    for child in children:
        lab.rbd.create_volume_from_snapshot(child, snapshot)
    lab.rbd.delete_snapshot(snapshot)
    assert lab.pool.image(volume.name).snapshots == []
    for child in children:
        assert lab.pool.image(child.name).parent is None
        assert read(lab.pool, child.name, 0, 4) == b"data"
    lab.rbd.delete_snapshot(snapshot)
    lab.rbd.delete_snapshot(lab.snapshot(lab.volume()))


def test_a_snapshot_with_a_clone_in_the_trash_is_busy() -> None:
    """Flattening does not reach what is in the trash."""
    lab = Lab()
    volume = lab.created()
    snapshot = lab.snapshotted(volume)
    child = lab.volume()
    lab.rbd.create_volume_from_snapshot(child, snapshot)
    lab.pool.trash_move(child.name)
    with pytest.raises(SnapshotIsBusy):
        lab.rbd.delete_snapshot(snapshot)


def test_deleting_an_unprotected_snapshot_works() -> None:
    """Somebody unprotected it by hand."""
    lab = Lab()
    volume = lab.created()
    snapshot = lab.snapshotted(volume)
    lab.pool.image(volume.name).unprotect_snapshot(snapshot.name)
    lab.rbd.delete_snapshot(snapshot)
    assert lab.pool.image(volume.name).snapshots == []


def test_reverting_rolls_back() -> None:
    """In place; ReadOnlyImage while a guest owns the lock."""
    lab = Lab()
    volume = lab.created()
    write(lab.pool, volume.name, 0, b"old")
    snapshot = lab.snapshotted(volume)
    write(lab.pool, volume.name, 0, b"new")
    lab.rbd.revert_to_snapshot(CONTEXT, volume, snapshot)
    assert read(lab.pool, volume.name, 0, 3) == b"old"
    with lab.pool.open(volume.name) as guest:
        guest.write(0, b"x")
        with pytest.raises(ReadOnlyImage):
            lab.rbd.revert_to_snapshot(CONTEXT, volume, snapshot)


@pytest.mark.parametrize(
    ("flatten", "temporary", "independent"), [(False, False, False), (True, False, True), (True, True, False)]
)
def test_a_volume_from_a_snapshot_is_a_clone(flatten: bool, temporary: bool, independent: bool) -> None:
    """Flattened if the section says so, unless it is a temporary volume (use_quota is False)."""
    lab = Lab(rbd_flatten_volume_from_snapshot=flatten)
    volume = lab.created()
    write(lab.pool, volume.name, 0, b"data")
    snapshot = lab.snapshotted(volume)
    child = lab.volume(2, use_quota=not temporary)
    assert lab.rbd.create_volume_from_snapshot(child, snapshot) == {}
    assert read(lab.pool, child.name, 0, 4) == b"data"
    assert lab.pool.image(child.name).size == 2 * GIB
    assert (lab.pool.image(child.name).parent is None) is independent


def test_a_larger_encrypted_volume_from_a_snapshot_keeps_its_header() -> None:
    """Current size and the difference: the one place where the header is remembered."""
    lab = Lab()
    volume = lab.encrypted()
    lab.rbd.create_volume(volume)
    child = lab.encrypted(2)
    lab.rbd.create_volume_from_snapshot(child, lab.snapshotted(volume))
    assert lab.pool.image(child.name).size == 2 * GIB + HEADER


def test_a_volume_from_an_absent_snapshot_is_refused() -> None:
    """librbd's error comes through."""
    lab = Lab()
    with pytest.raises(NotFound):
        lab.rbd.create_volume_from_snapshot(lab.volume(), lab.snapshot(lab.created()))


# -------------------------------------------------------------------------------------------------- clones


def test_a_clone_goes_through_a_snapshot_of_its_own() -> None:
    """Named after the clone; larger if asked for."""
    lab = Lab()
    source = lab.created()
    write(lab.pool, source.name, 0, b"data")
    clone = lab.volume(2)
    assert lab.rbd.create_cloned_volume(clone, source) == {}
    assert [s.name for s in lab.pool.image(source.name).snapshots] == [f"{clone.name}.clone_snap"]
    assert read(lab.pool, clone.name, 0, 4) == b"data"
    assert lab.pool.image(clone.name).size == 2 * GIB


def test_a_deep_clone_is_flattened() -> None:
    """At rbd_max_clone_depth ancestors of the source; the snapshot is removed."""
    lab = Lab(rbd_max_clone_depth=2)
    volumes = [lab.created()]
    for _ in range(3):
        volumes.append(lab.volume())
        lab.rbd.create_cloned_volume(volumes[-1], volumes[-2])
    parents = [lab.pool.image(volume.name).parent for volume in volumes]
    assert [parent.image.name if parent else None for parent in parents] == [
        None, volumes[0].name, volumes[1].name, None,
    ]  # fmt: skip
    assert lab.pool.image(volumes[2].name).snapshots == []


def test_a_temporary_clone_is_not_flattened() -> None:
    """However deep it is (use_quota is False)."""
    lab = Lab(rbd_max_clone_depth=1)
    first, second, temporary = lab.created(), lab.volume(), lab.volume(use_quota=False)
    lab.rbd.create_cloned_volume(second, first)
    lab.rbd.create_cloned_volume(temporary, second)
    assert lab.pool.image(temporary.name).parent is not None


def test_a_clone_depth_of_0_is_a_full_copy() -> None:
    """Without snapshot and without parent; the source still cannot tell."""
    lab = Lab(rbd_max_clone_depth=0)
    source = lab.created()
    write(lab.pool, source.name, 0, b"data")
    clone = lab.volume(2)
    assert lab.rbd.create_cloned_volume(clone, source) is None
    assert (lab.pool.image(clone.name).parent, lab.pool.image(source.name).snapshots) == (None, [])
    assert lab.pool.image(clone.name).size == 2 * GIB


def test_a_failed_clone_removes_its_snapshot() -> None:
    """And nobody has the source open."""
    lab = Lab()
    source, clone = lab.created(), lab.created()
    with pytest.raises(VolumeBackendAPIException, match="Failed to clone"):
        lab.rbd.create_cloned_volume(clone, source)
    assert lab.pool.image(source.name).snapshots == []
    assert lab.pool.image(source.name).watchers == []
    with pytest.raises(NotFound):
        lab.rbd.create_cloned_volume(lab.volume(), lab.volume())


def test_deleting_a_chain_leaves_silent_parents_behind() -> None:
    """As recorded: parents are kept as .deleted, and the fast path of the last delete forgets them."""
    lab = Lab()
    first = lab.created()
    second, third = lab.volume(), lab.volume()
    lab.rbd.create_cloned_volume(second, first)
    lab.rbd.create_cloned_volume(third, second)
    lab.rbd.delete_volume(first)
    lab.rbd.delete_volume(second)
    assert lab.rbd.objects() == [f"{first.name}.deleted", f"{second.name}.deleted", third.name]
    lab.rbd.delete_volume(third)
    assert lab.rbd.objects() == [f"{first.name}.deleted", f"{second.name}.deleted"]


def a_chain(lab: Lab) -> list[Volume]:
    """Three volumes, each cloned from the one before; the first two are deleted."""
    volumes = [lab.created(), lab.volume(), lab.volume()]
    for source, clone in pairwise(volumes):
        lab.rbd.create_cloned_volume(clone, source)
    for volume in volumes[:2]:
        lab.rbd.delete_volume(volume)
    return volumes


def test_deleting_a_clone_with_a_snapshot_lets_go_of_its_parents_snapshot() -> None:
    """Format 2: the clone goes to the trash, from where it still holds the snapshot, under another name."""
    lab = Lab()
    lab.pool.cluster.clone_format = 2
    _, second, third = a_chain(lab)
    lab.snapshotted(third)
    lab.rbd.delete_volume(third)
    assert [entry.image.name for entry in lab.pool.trash.values()] == [third.name]
    [snapshot] = lab.pool.image(f"{second.name}.deleted").snapshots
    assert snapshot.trashed_from == f"{third.name}.clone_snap"


def test_deleting_a_clone_with_a_snapshot_fails_in_format_1() -> None:
    """The clone is in the trash by then, and keeps its parent's snapshot protected."""
    lab = Lab()
    _, _, third = a_chain(lab)
    lab.snapshotted(third)
    with pytest.raises(Busy):
        lab.rbd.delete_volume(third)
    assert [entry.image.name for entry in lab.pool.trash.values()] == [third.name]


def test_silent_parents_go_when_nothing_depends_on_them() -> None:
    """Up the chain, as far as parents are only kept for their clones."""
    lab = Lab()
    first, second, third = a_chain(lab)
    lab.pool.remove(third.name)
    discarded: list[str] = []

    def discard(pool: Pool, name: str) -> None:
        discarded.append(name)
        pool.remove(name)

    delete_parent_refs(lab.pool, f"{second.name}.deleted", f"{third.name}.clone_snap", discard=discard)
    assert discarded == [f"{second.name}.deleted", f"{first.name}.deleted"]
    assert lab.rbd.objects() == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 5)), max_size=10))
def test_clones_are_independent_of_their_sources(steps: list[tuple[int, bool, int]]) -> None:
    """Whoever is cloned from whom, and written to when."""
    lab = Lab(rbd_max_clone_depth=2)
    volumes = [lab.created()]
    model: list[dict[int, bytes]] = [{}]
    for step, (chosen, cloning, number) in enumerate(steps):
        index = chosen % len(volumes)
        if cloning:
            clone = lab.volume()
            lab.rbd.create_cloned_volume(clone, volumes[index])
            volumes.append(clone)
            model.append(dict(model[index]))
        else:
            write(lab.pool, volumes[index].name, number << 22, b"%04d" % step)
            model[index][number] = b"%04d" % step
    for volume, content in zip(volumes, model, strict=True):
        for number in range(6):
            assert read(lab.pool, volume.name, number << 22, 4) == content.get(number, bytes(4))


# --------------------------------------------------------------------------------------------- connections


def test_connections_have_the_originals_shape() -> None:
    """A handle: name, monitors, user and secret; the secret defaults to the fsid."""
    lab = Lab()
    volume = lab.created()
    info = lab.rbd.initialize_connection(volume, {"host": "me"})
    assert info == {
        "driver_volume_type": "rbd",
        "data": {
            "name": f"volumes/{volume.name}",
            "hosts": ["198.51.100.1", "198.51.100.2", "198.51.100.3"],
            "ports": ["6789", "6789", "6789"],
            "cluster_name": "ceph",
            "auth_enabled": True,
            "auth_username": "cinder",
            "secret_type": "ceph",
            "secret_uuid": lab.pool.cluster.fsid,
            "volume_id": volume.id,
            "discard": True,
        },
    }
    assert lab.rbd.create_export(CONTEXT, volume, {}) is None
    assert lab.rbd.terminate_connection(volume, None) is None
    anonymous = lab.driver(rbd_user=None, rbd_secret_uuid="secret").initialize_connection(volume, {})["data"]
    assert (anonymous["auth_enabled"], anonymous["auth_username"]) == (False, None)
    assert anonymous["secret_uuid"] == "secret"


# ----------------------------------------------------------------------------------------------- migration


@pytest.mark.parametrize("status", ["available", "retyping", "maintenance", "in-use"])
def test_migration_in_the_same_pool_moves_nothing(status: str) -> None:
    """Only the record changes."""
    lab = Lab()
    volume = lab.created(status=status)
    assert lab.rbd.migrate_volume(CONTEXT, volume, destination(lab.driver())) == (True, None)
    assert lab.rbd.objects() == [volume.name]
    assert lab.visits("rbd.copy") == []


@pytest.mark.parametrize("status", ["available", "retyping", "maintenance"])
def test_migration_to_another_pool_copies_and_deletes(status: str) -> None:
    """Under the same name."""
    lab = Lab()
    volume = lab.created(status=status)
    write(lab.pool, volume.name, GIB - 4, b"tail")
    other = lab.driver(rbd_pool="other")
    assert lab.rbd.migrate_volume(CONTEXT, volume, destination(other)) == (True, None)
    assert (lab.rbd.objects(), other.objects()) == ([], [volume.name])
    assert read(lab.other_pool, volume.name, GIB - 4, 4) == b"tail"


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("in-use", {}),
        ("error", {}),
        ("available", {"storage_protocol": "iSCSI"}),
        ("available", {"location_info": None}),
        ("available", {"location_info": "LVMVolumeDriver:node1:vg:thin"}),
        ("available", {"location_info": "ceph:conf:00000000-0000-4000-8000-000000000000:cinder:volumes"}),
        ("available", {"location_info": "ceph:a:b:c:d:e"}),
    ],
)
def test_migration_is_refused(status: str, changes: dict[str, Any]) -> None:
    """In use to another pool, other statuses, other protocols, locations and clusters."""
    lab = Lab()
    volume = lab.created(status=status)
    host = destination(lab.driver(rbd_pool="other"))
    host["capabilities"] |= changes
    assert lab.rbd.migrate_volume(CONTEXT, volume, host) == (False, None)
    assert lab.rbd.objects() == [volume.name]


def test_migration_to_another_cluster_is_refused() -> None:
    """The fsid decides, whatever the pool is called."""
    lab = Lab()
    volume = lab.created()
    elsewhere = lab.driver(rbd_cluster_name="elsewhere")
    assert lab.rbd.migrate_volume(CONTEXT, volume, destination(elsewhere)) == (False, None)


def test_migration_to_who_reports_no_protocol_is_a_key_error() -> None:
    """A fault of the original."""
    lab = Lab()
    with pytest.raises(KeyError):
        lab.rbd.migrate_volume(CONTEXT, lab.created(), {"capabilities": {}})


def test_a_failed_copy_removes_the_copy() -> None:
    """The source stays."""
    lab = Lab()
    volume = lab.created()
    with lab.pool.open(volume.name) as handle:
        handle.allocate(0, 256)
    lab.fail("rbd.copy", nth=3)
    with pytest.raises(StorageError, match="planned fault"):
        lab.rbd.migrate_volume(CONTEXT, volume, destination(lab.driver(rbd_pool="other")))
    assert lab.other_pool.names() == []
    assert lab.rbd.objects() == [volume.name]


def test_a_failed_copy_removes_what_it_did_not_make() -> None:
    """An image of that name in the other pool is somebody else's, and is lost: a fault of the original."""
    lab = Lab()
    volume = lab.created()
    lab.other_pool.create(volume.name, GIB)
    with pytest.raises(AlreadyExists):
        lab.rbd.migrate_volume(CONTEXT, volume, destination(lab.driver(rbd_pool="other")))
    assert lab.other_pool.names() == []


def test_a_source_that_cannot_be_deleted_fails_the_migration() -> None:
    """Both copies stay."""
    lab = Lab()
    volume = lab.created()
    with (
        lab.pool.open(volume.name),
        pytest.raises(VolumeMigrationFailed, match="Failed to delete migration source"),
    ):
        lab.rbd.migrate_volume(CONTEXT, volume, destination(lab.driver(rbd_pool="other")))
    assert lab.rbd.objects() == lab.other_pool.names() == [volume.name]


def test_migrating_an_absent_volume_fails() -> None:
    """And removes nothing."""
    lab = Lab()
    volume = lab.volume()
    lab.other_pool.create(volume.name, GIB)
    with pytest.raises(NotFound):
        lab.rbd.migrate_volume(CONTEXT, volume, destination(lab.driver(rbd_pool="other")))
    assert lab.other_pool.names() == [volume.name]


def test_update_migrated_volume_renames_unless_in_use() -> None:
    """As recorded, also when it is repeated."""
    lab = Lab()
    volume, temporary = lab.volume(), lab.created(provider_location="somewhere")
    kept = {"_name_id": temporary.id, "provider_location": "somewhere"}
    assert lab.rbd.update_migrated_volume(CONTEXT, volume, temporary, "in-use") == kept
    assert lab.rbd.objects() == [temporary.name]
    renamed = {"_name_id": None, "provider_location": None}
    assert lab.rbd.update_migrated_volume(CONTEXT, volume, temporary, "available") == renamed
    assert lab.rbd.objects() == [volume.name]
    assert lab.rbd.update_migrated_volume(CONTEXT, volume, temporary, "available") == kept


def test_update_migrated_volume_keeps_the_name_where_it_is_taken() -> None:
    """Both images stay."""
    lab = Lab()
    volume, temporary = lab.created(), lab.created()
    assert lab.rbd.update_migrated_volume(CONTEXT, volume, temporary, "available") == {
        "_name_id": temporary.id, "provider_location": None,
    }  # fmt: skip
    assert lab.rbd.objects() == [volume.name, temporary.name]


# -------------------------------------------------------------------------------------------------- retype


def test_multiattach_switches_features_off_and_on_again() -> None:
    """The old ones are kept in provider_location."""
    lab = Lab()
    shared = lab.volume_type(extra_specs={"multiattach": "<is> True"})
    volume = lab.created(volume_type_id=shared.id)
    assert volume.provider_location == '{"saved_features":61}'
    assert lab.pool.image(volume.name).features == 33
    plain = lab.volume_type()
    assert lab.rbd.retype(CONTEXT, volume, plain, {}, {}) == (True, {"provider_location": None})
    assert lab.pool.image(volume.name).features == 61
    with pytest.raises(VolumeDriverException, match="Failed to restore image features"):
        lab.rbd.retype(CONTEXT, volume, plain, {}, {})


def test_qos_limits_follow_the_type() -> None:
    """New ones are set, those that are gone are removed, front-end ones are not the image's."""
    lab = Lab()
    first = lab.volume_type(
        qos_specs=QosSpecs(
            "1", "first", "back-end", (("total_iops_sec", "100"), ("read_bytes_sec", "2000000"), ("x", "1"))
        )
    )
    second = lab.volume_type(qos_specs=QosSpecs("2", "second", "both", (("total_iops_sec", "200"),)))
    third = lab.volume_type(qos_specs=QosSpecs("3", "third", "front-end", (("total_iops_sec", "300"),)))
    volume = lab.created(volume_type_id=first.id)
    image = lab.pool.image(volume.name)
    assert image.metadata == {"conf_rbd_qos_iops_limit": "100", "conf_rbd_qos_read_bps_limit": "2000000"}
    diff: Any = {
        "qos_specs": {
            "consumer": ("back-end", "both"),
            "total_iops_sec": ("100", "200"),
            "read_bytes_sec": ("2000000", None),
        }
    }
    assert lab.rbd.retype(CONTEXT, volume, second, diff, {}) == (True, {})
    assert image.metadata == {"conf_rbd_qos_iops_limit": "200"}
    diff = {"qos_specs": {"consumer": ("both", "front-end"), "total_iops_sec": ("200", "300")}}
    lab.rbd.retype(CONTEXT, volume, third, diff, {})
    assert image.metadata == {}


def test_a_qos_limit_that_cannot_be_set_is_a_backend_error() -> None:
    """And the new image is removed."""
    lab = Lab()
    limited = lab.volume_type(qos_specs=QosSpecs("1", "q", "back-end", (("total_iops_sec", "100"),)))
    lab.fail("rbd.config")
    with pytest.raises(VolumeBackendAPIException, match="Failed to set qos spec"):
        lab.created(volume_type_id=limited.id)
    assert lab.rbd.objects() == []


# -------------------------------------------------------------------------------------------------- manage


def test_managing_renames_the_image() -> None:
    """Sizes are rounded up; unmanaging touches nothing."""
    lab = Lab()
    lab.pool.create("foreign", GIB + 1)
    volume = lab.volume()
    reference = {"source-name": "foreign"}
    assert lab.rbd.manage_existing_get_size(volume, reference) == 2
    assert lab.rbd.manage_existing(volume, reference) == {}
    assert lab.rbd.objects() == [volume.name]
    lab.rbd.unmanage(volume)
    assert lab.rbd.objects() == [volume.name]


def test_managing_what_is_not_there_is_refused() -> None:
    """A reference without a name, an absent image, a type that cannot be."""
    lab = Lab()
    with pytest.raises(ManageExistingInvalidReference, match="Reference must contain source-name element"):
        lab.rbd.manage_existing_get_size(lab.volume(), {"source-id": "x"})
    with pytest.raises(ManageExistingInvalidReference, match="Specified RBD image does not exist"):
        lab.rbd.manage_existing_get_size(lab.volume(), {"source-name": "nope"})
    with pytest.raises(NotFound):
        lab.rbd.manage_existing(lab.volume(), {"source-name": "nope"})
    specs = {"replication_enabled": "<is> True", "multiattach": "<is> True"}
    volume = lab.volume(volume_type_id=lab.volume_type(extra_specs=specs).id)
    with pytest.raises(Invalid, match="mutually exclusive"):
        lab.rbd.manage_existing(volume, {"source-name": "nope"})


def test_nothing_is_left_open() -> None:
    """Every operation closes the images that it opened, also when it fails."""
    lab = Lab()
    volume, clone = lab.created(), lab.volume()
    lab.rbd.create_cloned_volume(clone, volume)
    lab.rbd.extend_volume(clone, 2)
    snapshot = lab.snapshotted(clone)
    lab.rbd.revert_to_snapshot(CONTEXT, clone, snapshot)
    failures: list[tuple[str, Callable[[], object]]] = [
        ("rbd.resize", lambda: lab.rbd.extend_volume(clone, 3)),
        ("rbd.snap_protect", lambda: lab.rbd.create_snapshot(lab.snapshot(clone))),
        ("rbd.clone", lambda: lab.rbd.create_cloned_volume(lab.volume(), volume)),
        ("rbd.snap_rollback", lambda: lab.rbd.revert_to_snapshot(CONTEXT, clone, snapshot)),
        ("rbd.snap_unprotect", lambda: lab.rbd.delete_snapshot(snapshot)),
    ]
    for point, action in failures:
        lab.fail(point)
        with pytest.raises((StorageError, VolumeBackendAPIException)):
            action()
    assert all(not image.watchers for image in lab.pool.images.values())
