"""Mounting NFS exports, as os-brick does it, and what the machine then sees."""

from __future__ import annotations

from fake_backends.command_line import Result
from fake_backends.host.mounting import proc_mounts
from fake_backends.world import Node, World

EXPORT = "192.0.2.101:/srv/volumes"
POINT = "/var/lib/cinder/mnt/ced0aa44"
MOUNT = ["mount", "-t", "nfs", "-o", "vers=4,minorversion=2", EXPORT, POINT]


def nodes(*names: str) -> list[Node]:
    world = World()
    world.share(EXPORT, 1 << 40)
    return [world.node(name) for name in names]


def test_a_share_is_seen_by_every_machine_that_has_mounted_it() -> None:
    """And only by those; a file that one makes is there for the other."""
    one, other = nodes("one", "other")
    for node in (one, other):
        assert node.execute(["mkdir", "-p", POINT]) == Result()
    assert one.execute(["sudo", *MOUNT]) == Result()
    assert one.execute(["truncate", "-s", "1G", f"{POINT}/volume"]) == Result()
    assert not other.exists(f"{POINT}/volume")
    assert other.execute(MOUNT) == Result()
    assert other.is_file(f"{POINT}/volume")
    assert one.execute(["umount", POINT]) == Result()
    assert not one.exists(f"{POINT}/volume")
    assert other.exists(f"{POINT}/volume")


def test_mounts_are_listed() -> None:
    """By mount, and in /proc/mounts, as os-brick reads it: device, directory, type, options."""
    (node,) = nodes("one")
    node.execute(["mkdir", "-p", POINT])
    node.execute(MOUNT)
    assert node.execute(["mount"]).stdout == f"{EXPORT} on {POINT} type nfs (rw,vers=4,minorversion=2)\n"
    assert node.execute(["mount", "-t", "ext4"]).stdout == ""
    assert proc_mounts(node).splitlines()[1] == f"{EXPORT} {POINT} nfs rw,vers=4,minorversion=2 0 0"


def test_blanks_in_names_are_escaped_in_proc_mounts() -> None:
    """Its fields end with a blank."""
    (node,) = nodes("one")
    node.mount("/mnt/a b", node.initiator.network.shares[EXPORT], source="192.0.2.101:/a b", type="nfs")
    assert proc_mounts(node).splitlines()[1] == "192.0.2.101:/a\\040b /mnt/a\\040b nfs rw 0 0"


def test_what_cannot_be_mounted_is_refused() -> None:
    """Status 32, in the words of mount.nfs."""
    (node,) = nodes("one")

    def refusal(*argv: str) -> str:
        result = node.execute(argv)
        assert (result.stdout, result.rc) == ("", 32), argv
        return result.stderr

    assert refusal(*MOUNT) == f"mount.nfs: mount point {POINT} does not exist\n"
    node.execute(["mkdir", "-p", POINT])
    absent = "192.0.2.101:/srv/absent"
    assert refusal("mount", "-t", "nfs", absent, POINT) == (
        f"mount.nfs: mounting {absent} failed, reason given by server: No such file or directory\n"
    )
    assert refusal("mount", "-t", "nfs", "192.0.2.9:/x", POINT) == "mount.nfs: Connection timed out\n"
    node.execute(MOUNT)
    assert refusal(*MOUNT) == f"mount.nfs: {POINT} is busy or already mounted\n"
    assert refusal("mount", "-t", "foo", EXPORT, POINT) == f"mount: {POINT}: unknown filesystem type 'foo'.\n"
    assert refusal("umount", "/var/lib/cinder") == "umount: /var/lib/cinder: not mounted.\n"
    assert refusal("umount", "/nowhere") == "umount: /nowhere: no mount point specified.\n"


def test_mount_nfs_alone_says_how_it_is_used() -> None:
    """Cinder calls it to see whether it is installed."""
    (node,) = nodes("one")
    result = node.execute(["mount.nfs"])
    assert result.rc == 32
    assert result.stdout.startswith("usage: mount.nfs remotetarget dir [-rvVwfnsh] [-o nfsoptions]\n")
    assert result.stderr == "mount.nfs: no mount point provided\n"
    node.execute(["mkdir", "-p", POINT])
    assert node.execute(["mount.nfs", EXPORT, POINT, "-o", "ro"]) == Result()
