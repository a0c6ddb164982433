"""iSCSI exports of a storage host: targets, admission, sessions."""

from __future__ import annotations

import errno

import pytest

from fake_backends.block_store import CHUNK
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.targets import Target, TargetPortal
from harness.errors import Busy, NotFound, StorageError

IQN = "iqn.2010-10.org.openstack:volume-a"
ME = "iqn.1994-05.com.redhat:me"
CHAP = ("user", "secret")


class Portal(TargetPortal):
    """A portal with one logical volume behind it, and the points that were passed."""

    def __init__(self) -> None:
        super().__init__("node1", "192.0.2.1", points=self)
        self.passed: list[tuple[str, int]] = []
        self.fault = ""
        self.vg = VolumeGroup("vg", [1 << 30])
        self.vg.create("a", CHUNK)

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        self.passed.append((name, cost_us))
        if name == self.fault:
            raise StorageError(name)

    def export(self, *, allowed: list[str] | None = None) -> Target:
        return self.create_target(IQN, self.vg.volume("a").open, self.vg.close, chap=CHAP, allowed=allowed)

    @property
    def openers(self) -> int:
        return len(self.vg.volume("a").openers)


def test_target_holds_its_device_open() -> None:
    """An exported volume cannot be removed, logged in or not; a session is one more opener."""
    portal = Portal()
    portal.export()
    with pytest.raises(Busy):
        portal.vg.remove("a")
    session = portal.login(IQN, ME, CHAP)
    assert portal.openers == 2
    portal.logout(session)
    portal.remove_target(IQN)
    assert portal.openers == 0
    portal.vg.remove("a")


def test_creating_twice_is_creating_once() -> None:
    """The target, its number and its sessions stay as they are."""
    portal = Portal()
    first = portal.export()
    session = portal.login(IQN, ME, CHAP)
    assert portal.export() is first
    assert portal.openers == 2
    assert session.device.read(0, 1) == b"\0"


def test_target_numbers_count_up() -> None:
    """Each new target has the number after the highest in use."""
    portal = Portal()
    portal.export()
    other = portal.create_target(IQN + "2", portal.vg.volume("a").open, portal.vg.close)
    assert [target.tid for target in portal.targets.values()] == [1, 2]
    assert other.chap is None


def test_removing_an_absent_target_is_fine() -> None:
    """So is removing one twice."""
    portal = Portal()
    portal.export()
    portal.remove_target(IQN)
    portal.remove_target(IQN)
    assert portal.targets == {}


def test_removing_a_target_ends_its_sessions() -> None:
    """Removal is forced: the initiator's device gives I/O errors, a later logout is fine."""
    portal = Portal()
    portal.export()
    session = portal.login(IQN, ME, CHAP)
    portal.remove_target(IQN)
    assert portal.sessions == []
    with pytest.raises(StorageError):
        session.device.read(0, 1)
    portal.logout(session)


@pytest.mark.parametrize("chap", [None, ("user", "wrong"), ("other", "secret")])
def test_wrong_credentials_are_refused(chap: tuple[str, str] | None) -> None:
    """A refused login opens nothing."""
    portal = Portal()
    portal.export()
    with pytest.raises(StorageError) as caught:
        portal.login(IQN, ME, chap)
    assert caught.value.errno == errno.EACCES
    assert (portal.sessions, portal.openers) == ([], 1)


def test_login_to_an_absent_target_is_not_found() -> None:
    """Nothing is exported under that name."""
    with pytest.raises(NotFound):
        Portal().login(IQN, ME, CHAP)


def test_initiators_on_a_list_are_admitted_and_withdrawn() -> None:
    """LIO's access list: who is not on it is refused, who is taken off it loses the session."""
    portal = Portal()
    portal.export(allowed=[])
    with pytest.raises(StorageError, match="authorization"):
        portal.login(IQN, ME, CHAP)
    portal.allow(IQN, ME)
    portal.allow(IQN, ME)
    portal.login(IQN, ME, CHAP)
    portal.deny(IQN, "somebody else")
    assert len(portal.sessions) == 1
    portal.deny(IQN, ME)
    assert (portal.sessions, portal.targets[IQN].allowed) == ([], {})


def test_access_list_of_an_absent_target_is_not_found() -> None:
    """The helper looks the target up first."""
    portal = Portal()
    for change in (portal.allow, portal.deny):
        with pytest.raises(NotFound, match="Could not find target"):
            change(IQN, ME)


def test_every_step_is_a_point_of_five_milliseconds() -> None:
    """Names of the points, in order."""
    portal = Portal()
    portal.export()
    portal.logout(portal.login(IQN, ME, CHAP))
    portal.remove_target(IQN)
    names = ["create_target", "login", "logout", "remove_target"]
    assert portal.passed == [(f"iscsi.{name}", 5_000) for name in names]


def test_fault_at_a_step_changes_nothing() -> None:
    """Points are passed before anything happens."""
    portal = Portal()
    portal.fault = "iscsi.create_target"
    with pytest.raises(StorageError):
        portal.export()
    assert (portal.targets, portal.openers) == ({}, 0)
    portal.fault = "iscsi.remove_target"
    portal.export()
    with pytest.raises(StorageError):
        portal.remove_target(IQN)
    assert portal.openers == 1


def test_session_follows_a_rename_of_the_volume() -> None:
    """The target holds the device, not its name."""
    portal = Portal()
    portal.export()
    portal.vg.rename("a", "b")
    session = portal.login(IQN, ME, CHAP)
    session.device.write(0, b"x")
    assert portal.vg.open("b").read(0, 1) == b"x"
