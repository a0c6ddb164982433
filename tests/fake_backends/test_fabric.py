"""What an array presents to an initiator, and how a machine connects it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fake_backends.array import Array, Place
from fake_backends.block_store import PAGE, MemoryDevice
from fake_backends.connectors import connect
from fake_backends.fabric import Fabric
from fake_backends.world import World
from harness.control_plane.manager_base import host_connector
from harness.errors import NotFound, StorageError

GIB = 1 << 30
IQN = "iqn.2010-10.org.example:array"
HOST = host_connector("compute1")
DATA = b"x" * PAGE


@pytest.fixture
def fabric() -> Fabric:
    return Fabric()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_initiators_have_numbers_of_their_own(fabric: Fabric) -> None:
    """LUN masking: the lowest free number of this target for this initiator."""
    one, two = MemoryDevice(GIB), MemoryDevice(GIB)
    assert fabric.present("one", one, target=IQN, initiator="a") == 0
    assert fabric.present("two", two, target=IQN, initiator="a") == 1
    assert fabric.present("two", two, target=IQN, initiator="b") == 0
    fabric.withdraw("one", "a")
    assert fabric.present("three", two, target=IQN, initiator="a") == 0


def test_a_volume_that_is_presented_twice_keeps_its_number(fabric: Fabric) -> None:
    """Drivers ask again when a second server of a host attaches."""
    device = MemoryDevice(GIB)
    fabric.present("one", MemoryDevice(GIB), target=IQN, initiator="a")
    first = fabric.present("two", device, target=IQN, initiator="a")
    assert fabric.present("two", device, target=IQN, initiator="a") == first
    assert len(list(fabric.presented())) == 2


def test_nobody_sees_what_was_not_mapped_for_him(fabric: Fabric) -> None:
    """Neither another's unit, nor another number."""
    fabric.present("one", MemoryDevice(GIB), target=IQN, initiator="a")
    for target, initiator, lun in ((IQN, "b", 0), (IQN, "a", 1), ("elsewhere", "a", 0)):
        with pytest.raises(NotFound):
            fabric.open(target, initiator, lun)


def test_chap_is_asked_for(fabric: Fabric) -> None:
    """Wrong credentials, or none, do not open it."""
    fabric.present("one", MemoryDevice(GIB), target=IQN, initiator="a", chap=("user", "right"))
    for chap in (None, ("user", "wrong")):
        with pytest.raises(StorageError, match="authorization failure"):
            fabric.open(IQN, "a", 0, chap)
    fabric.open(IQN, "a", 0, ("user", "right"))


def test_who_has_a_withdrawn_unit_open_gets_errors(fabric: Fabric) -> None:
    """As a disk that goes away under its user."""
    fabric.present("one", MemoryDevice(GIB), target=IQN, initiator="a")
    handle = fabric.open(IQN, "a", 0)
    assert list(fabric.in_use()) == [("one", "a")]
    fabric.withdraw("one")
    with pytest.raises(StorageError, match="not open any more"):
        handle.read(0, PAGE)
    assert not list(fabric.in_use())


def _iscsi(lun: int) -> dict[str, Any]:
    data = {"target_iqn": IQN, "target_portal": "203.0.113.10:3260", "target_lun": lun}
    return {"driver_volume_type": "iscsi", "data": data}


def _fibre_channel(lun: int) -> dict[str, Any]:
    return {
        "driver_volume_type": "fibre_channel",
        "data": {"target_wwn": ["5000", IQN], "target_lun": lun},
    }


def _nvme(lun: int) -> dict[str, Any]:
    return {"driver_volume_type": "nvmeof", "data": {"target_nqn": IQN, "ns_id": lun}}


@pytest.mark.parametrize(
    ("info", "initiator"),
    [(_iscsi, HOST["initiator"]), (_fibre_channel, HOST["wwpns"][0]), (_nvme, HOST["nqn"])],
)
def test_connection_info_becomes_a_disk(info: Any, initiator: str, world: World) -> None:
    """It appears under udev's name, shows the array's bytes, and goes when it is disconnected."""
    device = MemoryDevice(GIB)
    lun = world.fabric.present("one", device, target=IQN, initiator=initiator)
    connection = connect(world, info(lun), HOST)
    node = world.node("compute1")
    assert connection.path is not None
    assert node.exists(connection.path)
    with node.opened(connection.path) as disk:
        disk.write(0, DATA)
    assert device.read(0, PAGE) == DATA
    connection.disconnect()
    assert not node.exists(connection.path)
    assert not list(world.fabric.in_use())


def test_a_disk_grows_with_its_volume(world: World) -> None:
    """An array extends a volume that is attached."""
    device = MemoryDevice(GIB)
    world.fabric.present("one", device, target=IQN, initiator=HOST["initiator"])
    connection = connect(world, _iscsi(0), HOST)
    device.size = 2 * GIB
    assert connection.device.size == 2 * GIB


class Strange(Array):
    """An array with a protocol of its own."""

    PROTOCOLS = ("strange",)

    def connect(self, connection_info: dict[str, Any], connector: dict[str, Any]) -> MemoryDevice:
        return MemoryDevice(connection_info["data"]["size"])


def test_an_array_may_connect_in_its_own_way(world: World) -> None:
    """Then it opens the device itself."""
    world.arrays["mine"] = Strange(Place(name="mine"))
    info = {"driver_volume_type": "strange", "data": {"size": GIB}}
    connection = connect(world, info, HOST)
    assert connection.device.size == GIB
    assert connection.path is not None
    assert world.node("compute1").exists(connection.path)


def test_a_connection_that_nobody_knows_is_refused_with_those_that_there_are(world: World) -> None:
    """The arrays' own among them."""
    world.arrays["mine"] = Strange(Place(name="mine"))
    with pytest.raises(StorageError, match=r"'morse'; there are fibre_channel, iscsi, .*, strange"):
        connect(world, {"driver_volume_type": "morse", "data": {}}, HOST)


def test_a_local_device_is_there_anyway(world: World) -> None:
    """As with a driver whose volumes are devices of the host."""
    device = MemoryDevice(GIB)
    world.node("compute1").add_device("/dev/nvme0n1", lambda: device)
    info = {"driver_volume_type": "local", "data": {"device_path": "/dev/nvme0n1"}}
    connection = connect(world, info, HOST)
    connection.device.write(0, DATA)
    assert device.read(0, PAGE) == DATA
