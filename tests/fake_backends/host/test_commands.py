"""Command lines of a host, as os-brick and Cinder issue them, wrappers included."""

from __future__ import annotations

from fake_backends.command_line import Result
from fake_backends.files.fake import fake_directory
from fake_backends.host.commands import HostCommands
from fake_backends.host.file_systems import DirectoryFiles
from fake_backends.host.paths import Host
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.targets import TargetPortal

WRAPPED = ["sudo", "cinder-rootwrap", "/etc/cinder/rootwrap.conf"]
PATH = "/dev/disk/by-path/ip-192.0.2.1:3260-iscsi-iqn.2010-10.org.openstack:volume-a-lun-0"
NAME = f"crypt-{PATH.rpartition('/')[2]}"


def commands() -> HostCommands:
    group = VolumeGroup("vg", [1 << 30])
    group.create("volume-a", 64 << 20)
    host = Host("host")
    host.volume_groups["vg"] = group
    host.add_device("/dev/sdb", group.volume("volume-a").open)
    host.link(PATH, "/dev/sdb")
    return HostCommands(host, TargetPortal("host", "192.0.2.1"))


def test_os_brick_attaches_and_detaches_an_encrypted_volume() -> None:
    """In the order of `os_brick.encryptors.luks:LuksEncryptor`: the path leads to the plaintext meanwhile."""
    machine = commands()

    def run(*words: str, key: str = "") -> int:
        return machine.execute([*WRAPPED, *words], key).rc

    opening = ["cryptsetup", "luksOpen", "--key-file=-", "/dev/sdb", NAME]
    assert run(*opening, key="passphrase") == 1
    assert run("cryptsetup", "isLuks", "--verbose", "/dev/sdb") == 1
    formatting = ["cryptsetup", "--batch-mode", "luksFormat", "--type", "luks1", "--key-file=-"]
    cipher = ["--cipher", "aes-xts-plain64", "--key-size", "256"]
    assert run(*formatting, *cipher, "/dev/sdb", key="passphrase") == 0
    assert run(*opening, key="passphrase") == 0
    assert run("ln", "--symbolic", "--force", f"/dev/mapper/{NAME}", PATH) == 0
    with machine.host.opened(PATH) as device:
        assert device.size == 62 << 20
    assert run("cryptsetup", "luksClose", NAME) == 0
    assert run("cryptsetup", "luksClose", NAME) == 4


def test_other_programs_are_not_there() -> None:
    """Status 127; nothing that is not known succeeds."""
    assert commands().execute(["env", "LC_ALL=C", "frob", "-x"]).rc == 127
    assert commands().execute(["ln", "-s", "a", "b"]).rc == 1


def test_programs_can_be_added() -> None:
    """Those of LVM, for example."""
    machine = HostCommands(Host("host"), others={"vgs": lambda arguments, _: Result(" ".join(arguments))})
    assert machine.execute(["env", "LC_ALL=C", "vgs", "--noheadings"]) == Result("--noheadings")
    assert machine.execute(["cinder-rtstool", "verify"]).rc == 127
    assert machine.execute(["qemu-img", "--version"]).stdout.startswith("qemu-img version 7.2")


def test_a_directory_of_the_process_can_be_mounted() -> None:
    """dd and qemu-img read and write its files, and only what is directly in it."""
    host, directory = Host("host"), fake_directory()
    host.mount("/conversion", DirectoryFiles(directory))
    machine = HostCommands(host)
    with directory.create("image") as file:
        file.write(0, b"image".ljust(1 << 20, b"\0"))
    assert machine.execute(["dd", "if=/conversion/image", "of=/conversion/copy", "conv=sparse"]).rc == 0
    assert machine.execute(["qemu-img", "resize", "-f", "raw", "/conversion/copy", "2M"]).rc == 0
    with directory.open("copy") as file:
        assert file.read(0, 3 << 20) == b"image".ljust(2 << 20, b"\0")
    host.unlink("/conversion/copy")
    assert not host.exists("/conversion/copy")
    assert machine.execute(["dd", "if=/dev/zero", "of=/conversion/a/b", "count=1"]).rc == 1


def test_rtstool_on_a_storage_host() -> None:
    """Arguments that are no strings are taken as they print."""
    machine = commands()
    line = ["cinder-rtstool", "create", "/dev/vg/volume-a", "iqn.x:volume-a", "u", "p", False, "-p3260"]
    assert machine.execute([*WRAPPED, *line]) == Result()
    assert machine.execute(["cinder-rtstool", "get-targets"]).stdout == "iqn.x:volume-a\n"
