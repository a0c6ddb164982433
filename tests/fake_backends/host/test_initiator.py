"""iSCSI between two machines of one world: what a login brings, who may, and what a removal leaves behind."""

from __future__ import annotations

import errno

import pytest

from fake_backends.connectors import connect
from fake_backends.host.initiator import by_path
from fake_backends.world import Node, World
from harness.errors import Busy, NotFound, StorageError

IQN = "iqn.2010-10.org.openstack:volume-a"
CHAP = ("user", "secret")
MIB = 1 << 20


class Lab:
    """A storage node that exports ``/dev/vg/a`` with LIO, and a compute node that it admits."""

    def __init__(self) -> None:
        self.world = World()
        self.storage, self.compute = self.world.node("storage"), self.world.node("compute")
        self.group = self.storage.add_volume_group("vg", [1 << 30])
        self.group.create("a", 8 * MIB)
        self.portal = f"{self.storage.address}:3260"
        assert self.rtstool("create", "/dev/vg/a", IQN, *CHAP, False, "-p3260") == 0
        self.admit(self.compute, CHAP)

    def rtstool(self, *words: object) -> int:
        return self.storage.execute(["cinder-rtstool", *words]).rc

    def admit(self, node: Node, chap: tuple[str, str]) -> None:
        assert self.rtstool("add-initiator", IQN, *chap, node.initiator.name) == 0

    @property
    def path(self) -> str:
        return by_path(self.portal, IQN, 0)


def test_a_login_brings_a_disk_and_a_logout_takes_it() -> None:
    """Under both names; what is written through them is in the logical volume."""
    lab = Lab()
    login = lab.compute.initiator.login(lab.portal, IQN, CHAP)
    assert (login.disk, login.path) == ("/dev/sda", lab.path)
    assert lab.compute.execute(["blockdev", "--getsize64", lab.path]).stdout == f"{8 * MIB}\n"
    with lab.compute.opened(lab.path) as disk:
        disk.write(0, b"over the wire")
    with lab.storage.opened("/dev/vg/a") as volume:
        assert volume.read(0, 13) == b"over the wire"
    assert not lab.storage.exists("/dev/sda")
    lab.compute.initiator.logout(login)
    for path in ("/dev/sda", lab.path):
        assert not lab.compute.exists(path)
    lab.compute.initiator.logout(login)


def test_two_logins_are_one_session() -> None:
    """So whoever logs out first takes the disk from the other."""
    lab = Lab()
    first, second = (lab.compute.initiator.login(lab.portal, IQN, CHAP) for _ in range(2))
    assert first is second
    assert len(lab.storage.targets.sessions) == 1
    lab.compute.initiator.logout(second)
    assert (lab.storage.targets.sessions, lab.compute.initiator.logins) == ([], [])


def test_every_initiator_has_its_own_secret() -> None:
    """Not the target's, and not that of another initiator; adding one again changes nothing."""
    lab = Lab()
    other = lab.world.node("other")
    lab.admit(other, ("other", "password"))
    lab.admit(other, ("other", "new password"))
    for chap in (CHAP, ("other", "new password"), None):
        with pytest.raises(StorageError) as caught:
            other.initiator.login(lab.portal, IQN, chap)
        assert caught.value.errno == errno.EACCES
    assert not other.exists("/dev/sda")
    other.initiator.login(lab.portal, IQN, ("other", "password"))
    lab.compute.initiator.login(lab.portal, IQN, CHAP)
    assert [session.initiator for session in lab.storage.targets.sessions] == [
        other.initiator.name,
        lab.compute.initiator.name,
    ]


def test_a_target_that_goes_takes_the_disk_from_its_users() -> None:
    """An open handle gives EIO, the session is forgotten, and the same target made anew can be used."""
    lab = Lab()
    lab.compute.initiator.login(lab.portal, IQN, CHAP)
    with lab.compute.opened(lab.path) as disk:
        assert lab.rtstool("delete", IQN) == 0
        with pytest.raises(StorageError) as caught:
            disk.read(0, 1)
        assert caught.value.errno == errno.EIO
    assert lab.compute.initiator.logins == []
    lab.group.remove("a")
    lab.group.create("a", 8 * MIB)
    assert lab.rtstool("create", "/dev/vg/a", IQN, *CHAP, False, "-p3260") == 0
    lab.admit(lab.compute, CHAP)
    login = lab.compute.initiator.login(lab.portal, IQN, CHAP)
    with lab.compute.opened(login.path) as disk:
        disk.write(0, b"again")


def test_an_exported_volume_is_in_use_until_the_target_goes() -> None:
    """With a session or without one; a session alone does not hold it."""
    lab = Lab()
    login = lab.compute.initiator.login(lab.portal, IQN, CHAP)
    with pytest.raises(Busy):
        lab.group.remove("a")
    assert lab.storage.execute(["lvremove", "-f", "vg/a"]).rc == 5
    lab.compute.initiator.logout(login)
    with pytest.raises(Busy):
        lab.group.remove("a")
    lab.rtstool("delete", IQN)
    assert lab.storage.execute(["lvremove", "-f", "vg/a"]).rc == 0


def test_nobody_answers_where_no_portal_or_target_is() -> None:
    """And nothing appears."""
    lab = Lab()
    with pytest.raises(StorageError, match="no portal"):
        lab.compute.initiator.login("192.0.2.99:3260", IQN, CHAP)
    with pytest.raises(NotFound):
        lab.compute.initiator.login(lab.portal, "iqn.x:other", CHAP)
    assert lab.compute.initiator.logins == []


def test_a_connection_is_a_disk_of_the_connectors_host() -> None:
    """As os-brick's connector leaves it; dd and cryptsetup find it there, and only there."""
    lab = Lab()
    data = {
        "target_portal": lab.portal, "target_iqn": IQN, "target_lun": 0,
        "auth_method": "CHAP", "auth_username": CHAP[0], "auth_password": CHAP[1],
    }  # fmt: skip
    connector = {"host": "compute", "initiator": lab.compute.initiator.name}
    connection = connect(lab.world, {"driver_volume_type": "iscsi", "data": data}, connector)
    assert connection.path == lab.path
    done = lab.compute.execute(["dd", "if=/dev/zero", f"of={lab.path}", "bs=1M", "count=8", "oflag=direct"])
    assert (done.rc, done.stderr.splitlines()[0]) == (0, "8+0 records in")
    formatting = ["cryptsetup", "-q", "luksFormat", "--type", "luks1", "--key-file=-", lab.path]
    assert lab.compute.execute(formatting, "passphrase").rc == 0
    assert lab.storage.execute(["cryptsetup", "isLuks", "/dev/vg/a"]).rc == 0
    assert lab.storage.execute(["cryptsetup", "isLuks", lab.path]).rc == 4
    connection.disconnect()
    assert lab.compute.execute(["dd", f"if={lab.path}", "of=/dev/null"]).rc == 1
