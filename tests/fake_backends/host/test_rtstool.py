"""cinder-rtstool, in the forms that Cinder's target driver lioadm issues."""

from __future__ import annotations

import pytest

from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.host.rtstool import Rtstool
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.targets import TargetPortal
from harness.errors import Busy, StorageError

IQN = "iqn.2010-10.org.openstack:volume-a"
ME = "iqn.1994-05.com.redhat:me"
CHAP = ("user", "secret")


class Storage(Rtstool):
    """A storage host with one logical volume, ``/dev/vg/volume-a``."""

    def __init__(self) -> None:
        self.group = VolumeGroup("vg", [1 << 30])
        self.group.create("volume-a", 4 << 20)
        host = Host("host")
        host.volume_groups["vg"] = self.group
        super().__init__(host, TargetPortal("host", "192.0.2.1"))

    def export(self) -> Result:
        """As `create_iscsi_target` does it; the flag for iSER comes as a bool."""
        return self.execute(
            ["create", "/dev/vg/volume-a", IQN, *CHAP, False, "-p3260", "-a192.0.2.1,192.0.2.2"]
        )


def test_an_export_holds_its_volume() -> None:
    """It is listed, its volume cannot be removed, and deleting it twice is fine."""
    storage = Storage()
    assert storage.execute(["get-targets"]) == Result()
    assert storage.export() == Result()
    assert storage.execute(["get-targets"]) == Result(f"{IQN}\n")
    with pytest.raises(Busy):
        storage.group.remove("volume-a")
    for _ in range(2):
        assert storage.execute(["delete", IQN]) == Result()
    storage.group.remove("volume-a")


def test_creating_again_changes_nothing() -> None:
    """Not even its initiators."""
    storage = Storage()
    storage.export()
    storage.execute(["add-initiator", IQN, *CHAP, ME])
    assert storage.export() == Result()
    assert storage.portal.targets[IQN].allowed == {ME: CHAP}


def test_initiators_come_and_go() -> None:
    """Nobody may log in before; whatever the case of the name; a session ends with its admission."""
    storage = Storage()
    storage.export()
    with pytest.raises(StorageError):
        storage.portal.login(IQN, ME, CHAP)
    for name in (ME, ME.upper()):
        assert storage.execute(["add-initiator", IQN, *CHAP, name]) == Result()
    session = storage.portal.login(IQN, ME, CHAP)
    assert storage.execute(["delete-initiator", IQN, ME.upper()]) == Result()
    with pytest.raises(StorageError):
        session.device.read(0, 1)
    done = storage.execute(["delete-initiator", IQN, ME])
    assert done == Result(f"delete_initiator: {ME} ACL not found. Continuing.\n")


@pytest.mark.parametrize("arguments", [["add-initiator", IQN, *CHAP, ME], ["delete-initiator", IQN, ME]])
def test_initiators_of_no_target(arguments: list[str]) -> None:
    """Status 1."""
    done = Storage().execute(arguments)
    assert (done.rc, done.stderr) == (1, f"cinder.cmd.rtstool.RtstoolError: Could not find target {IQN}\n")


def test_devices_that_cannot_be_exported() -> None:
    """An absent one, and one that another target holds."""
    storage = Storage()
    done = storage.execute(["create", "/dev/vg/absent", IQN, *CHAP, False])
    assert (done.rc, "is not a TYPE_DISK block device" in done.stderr) == (1, True)
    storage.export()
    done = storage.execute(["create", "/dev/vg/volume-a", f"{IQN}-other", *CHAP, False])
    assert (done.rc, "is already in use" in done.stderr) == (1, True)


def test_saved_targets_come_back() -> None:
    """With their credentials and initiators; without anything saved, restoring fails."""
    storage = Storage()
    assert storage.execute(["restore"]).rc == 1
    storage.export()
    storage.execute(["add-initiator", IQN, *CHAP, ME])
    assert storage.execute(["save"]) == Result()
    storage.execute(["delete", IQN])
    assert storage.execute(["restore"]) == Result()
    assert storage.portal.login(IQN, ME, CHAP).device.read(0, 1) == b"\0"


@pytest.mark.parametrize(
    "arguments",
    [[], ["frob"], ["create", "/dev/vg/volume-a", IQN], ["delete"], ["create", "/d", IQN, *CHAP, False, "-pX"],
     ["create", "/d", IQN, *CHAP, False, "-a"], ["save", "a", "b"]],
)  # fmt: skip
def test_what_makes_no_sense(arguments: list[object]) -> None:
    """The usage text, and status 1."""
    done = Storage().execute(arguments)
    assert (done.rc, done.stdout.splitlines()[0]) == (1, "Usage:")


def test_verify() -> None:
    """The target driver asks at its start."""
    assert Storage().execute(["verify"]) == Result()
