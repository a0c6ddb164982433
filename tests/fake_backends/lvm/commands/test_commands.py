"""What the transcripts do not show of the command line: options, tags, permissions, refusals."""

from __future__ import annotations

import shlex

import pytest

from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.lvm.commands import execute
from fake_backends.lvm.commands.sizes import SizeError, parsed, percent, printed, shown
from fake_backends.lvm.logical_volume import ThickSnapshot

GIB = 1 << 30


def run(host: Host, line: str) -> Result:
    """Run a command line on a host."""
    return execute(host, shlex.split(line))


def done(host: Host, *lines: str) -> str:
    """Run command lines that must succeed; the output of the last."""
    out = ""
    for line in lines:
        result = run(host, line)
        assert result.rc == 0, (line, result)
        out = result.stdout
    return out


def new_host() -> Host:
    """A host with a volume group of 10 GiB."""
    host = Host("node1")
    host.add_disk("/dev/vdb", 10 * GIB)
    done(host, "vgcreate vg /dev/vdb")
    return host


# -------------------------------------------------------------------------------------------- command lines


@pytest.mark.parametrize(
    ("line", "rc", "said"),
    [
        ("lvcreate -n a -L 1g --addtag no! --addtag 'b c' vg", 3, "Invalid argument for --addtag: b c"),
        ("lvs --no", 3, "lvs: option '--no' is ambiguous; possibilities: '--noudevsync' '--noheadings'"),
        ("lvs -x", 3, "lvs: invalid option -- 'x'"),
        ("lvs -o", 3, "lvs: option requires an argument -- 'o'"),
        ("lvs --units", 3, "lvs: option '--units' requires an argument"),
        ("lvs --nosuffix=1", 3, "lvs: option '--nosuffix' doesn't allow an argument"),
        ("lvs --units q", 3, "Invalid argument for --units: q"),
        ("lvs -o lv_name,no_such", 5, "Unrecognised field: no_such"),
        ("lvcreate -W maybe -n a -L 1g vg", 3, "Invalid argument for --wipesignatures: maybe"),
        ("lvcreate -n a -L 1g -l 1 vg", 3, "No command with matching syntax recognised."),
        ("lvcreate --type raid1 -n a -L 1g vg", 3, "No command with matching syntax recognised."),
        ("lvcreate -n a -l 1%MOON vg", 3, "Invalid argument for --extents: 1%MOON"),
        ("lvcreate -n a -L 1g -m 1 --mirrorlog core vg", 5, "Insufficient suitable allocatable extents"),
        ("lvextend vg/a", 3, "No command with matching syntax recognised."),
        ("lvconvert --repair vg/a", 3, "unrecognized option '--repair'"),
        ("lvrename vg a", 3, 'Path required for Logical Volume "vg".'),
        ("pvresize /dev/nope", 5, "No device found for /dev/nope."),
        ("dd if=/dev/zero of=/tmp/x bs=1Q", 1, "invalid number: '1Q'"),
        ("dd if=/dev/zero of=/tmp/x conv=ebcdic", 1, "invalid conversion: 'ebcdic'"),
        ("dd if=/dev/zero colour=red", 1, "unrecognized operand 'colour=red'"),
        ("blockdev --setro /dev/vdb", 1, "Unknown command: --setro"),
        ("udevadm trigger", 1, "Unknown command verb trigger."),
        ("vgextend vg /dev/vdc", 127, "env: 'vgextend': No such file or directory"),
        ("lvm", 3, "Specify options after a command"),
        ("lvm dance", 2, "No such command."),
    ],
)
def test_what_is_not_understood_fails_and_says_so(line: str, rc: int, said: str) -> None:
    """Nothing succeeds by accident, and nothing is changed."""
    host = new_host()
    result = run(host, line)
    assert result.rc == rc
    assert said in result.stderr
    assert not host.volume_groups["vg"].names()


@pytest.mark.parametrize(
    "line", ["lvs -a vg", "lvm lvs -a vg", "sudo cinder-rootwrap /r.conf env LC_ALL=C lvs -a vg"]
)
def test_wrappers_change_nothing(line: str) -> None:
    """The same command answers the same, however it is wrapped."""
    host = new_host()
    done(host, "lvcreate -n a -L 1g vg")
    assert run(host, line) == run(host, "lvs vg")


# ---------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1 << 20), ("1.5g", 3 * GIB // 2), ("2s", 1024), ("+1GiB", GIB), ("0x10k", 16384), (".5m", 1 << 19)],
)
def test_sizes_are_read_as_lvm2_reads_them(text: str, size: int) -> None:
    """MiB without a unit; whole sectors; hexadecimal is a number, too."""
    assert parsed(text)[1] == size


@pytest.mark.parametrize("text", ["", "g", "1z", "1gg", "-1", "17e", "7b", "1 g"])
def test_unreadable_sizes_are_refused(text: str) -> None:
    """What is no size raises."""
    with pytest.raises(SizeError):
        parsed(text)


def test_sizes_are_printed_as_lvm2_prints_them() -> None:
    """Two decimals, the sign for too much, and the lone zero."""
    assert shown(2559 << 22) == "<10.00 GiB"
    assert (printed(0, "g", suffix=False), printed(0, "r", suffix=True)) == ("0", "0 ")
    assert (printed(4 << 20, "g", suffix=True), printed(4 << 20, "b", suffix=True)) == ("0.00g", "4194304B")
    assert (printed(GIB, "G", suffix=False), printed(GIB, "h", suffix=True)) == ("1.07", "1.00g")
    assert [percent(value) for value in (0, 0.0001, 3.125, 99.999, 100)] == [
        "0.00", "0.01", "3.12", "99.99", "100.00",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------- reports and tags


def test_tags_select_volumes_and_groups() -> None:
    """``@tag`` stands for whatever carries the tag, itself or through its group."""
    host = new_host()
    done(host, "lvcreate -n a -L 1g --addtag red vg", "lvcreate -n b -L 1g vg", "lvchange --addtag blue vg/b")
    assert done(host, "lvs --noheadings -o lv_name,lv_tags --separator : @red").split() == ["a:red"]
    done(host, "lvchange --addtag red --deltag blue vg/b")
    assert done(host, "lvs --noheadings -o lv_name @red").split() == ["a", "b"]
    assert done(host, "vgs --noheadings -o name @green") == ""
    done(host, "vgchange --addtag green vg")
    assert done(host, "vgs --noheadings -o name,vg_tags --separator : @green") == "  vg:green\n"
    assert done(host, "lvs --noheadings -o lv_name @green").split() == ["a", "b"]


def test_columns_can_be_added_to_the_usual_ones() -> None:
    """``-o +column``, in an aligned table with headings."""
    host = new_host()
    done(host, "lvcreate -n a -L 1g vg")
    heading, row = done(host, "lvs -o +segtype,seg_start,devices").splitlines()
    assert heading.split()[-3:] == ["Type", "Start", "Devices"]
    assert row.split()[-3:] == ["linear", "0", "/dev/vdb(0)"]
    assert run(host, "lvs nope").rc == 5


# --------------------------------------------------------------------------------------- permission, activation


def test_read_only_volume() -> None:
    """Its attributes show it, writes fail, and only a change is a change."""
    host = new_host()
    done(host, "lvcreate -n a -L 8m vg", "lvchange -p r vg/a")
    assert done(host, "lvs --noheadings -o lv_attr,lv_permissions vg/a").split() == ["-ri-a-----", "read-only"]
    result = run(host, "dd if=/dev/zero of=/dev/vg/a bs=1M count=1 oflag=direct")
    assert (result.rc, result.stderr.splitlines()[0]) == (
        1,
        "dd: error writing '/dev/vg/a': Operation not permitted",
    )
    assert done(host, "blockdev --getro /dev/vg/a") == "1\n"
    assert run(host, "lvchange -p r vg/a").stderr == '  Logical volume "vg/a" is already read only.\n'
    done(host, "lvchange -p rw vg/a", "dd if=/dev/zero of=/dev/vg/a bs=1M count=1")
    assert run(host, "lvchange -p rw vg/a").rc == 5


def test_volumes_are_made_as_options_say() -> None:
    """Inactive, read-only, thin snapshots active at once; without a name the next lvol."""
    host = new_host()
    done(host, "lvcreate -a n -L 4m -n off vg", "lvcreate -p r -L 4m -n ro vg", "lvcreate -L 4m vg")
    done(host, "lvcreate -T -L 1g -V 2g -n thin vg/pool", "lvcreate -k n -s -n on vg/thin")
    listed = done(host, "lvs --noheadings --separator : -o lv_name,lv_attr vg").split()
    assert listed == [
        "lvol0:-wi-a-----", "off:-wi-------", "on:Vwi-a-tz--", "pool:twi-aotz--", "ro:-ri-a-----",
        "thin:Vwi-a-tz--",
    ]  # fmt: skip


def test_questions_are_answered_by_yes_only() -> None:
    """Standard input is closed, so nobody else does."""
    host = new_host()
    done(host, "lvcreate -n a -L 4m vg")
    refused = run(host, "lvremove vg/a")
    assert refused.rc == 5
    assert refused.stderr.splitlines() == [
        "Do you really want to remove active logical volume vg/a? [y/n]: [n]",
        "  Logical volume vg/a not removed.",
    ]
    assert run(host, "vgremove vg").rc == 5
    assert done(host, "vgremove -y vg") == (
        '  Logical volume "a" successfully removed.\n  Volume group "vg" successfully removed\n'
    )


def test_group_as_a_whole_is_activated_and_removed() -> None:
    """Snapshots follow their origins, volumes their pools."""
    host = new_host()
    done(host, "lvcreate -n a -L 8m vg", "lvcreate -s -n s -L 8m vg/a", "lvcreate -T -L 1g -V 1g -n t vg/pool")
    assert done(host, "vgchange -an vg") == '  0 logical volume(s) in volume group "vg" now active\n'
    assert done(host, "lvchange -ay vg", "lvs --noheadings -o lv_active vg").split() == ["active"] * 4
    out = done(host, "vgremove -f vg")
    assert [line.split('"')[1] for line in out.splitlines()] == ["s", "a", "t", "pool", "vg"]


# ------------------------------------------------------------------------------------------------------ dd


def test_partial_write_of_a_store_changes_the_copies_only_when_all_is_zeroed() -> None:
    """The ``-cow`` device is the store itself; Cinder clears it before it removes a snapshot."""
    host = new_host()
    done(
        host,
        "lvcreate -n a -L 8m vg",
        "dd if=/dev/urandom of=/dev/vg/a bs=1M count=8",
        "lvcreate -s -n s -L 8m vg/a",
    )
    done(host, "dd if=/dev/zero of=/dev/vg/a bs=1M count=2 conv=notrunc")
    snapshot = host.volume_groups["vg"].volume("s")
    assert isinstance(snapshot, ThickSnapshot)
    assert any(snapshot.load(0).values())
    done(host, "dd if=/dev/zero of=/dev/mapper/vg-s-cow bs=4M count=1 oflag=direct")
    assert any(snapshot.load(0).values())
    done(host, "dd if=/dev/zero of=/dev/mapper/vg-s-cow bs=4M count=2 oflag=direct")
    assert snapshot.copies.load(0) == {}


def test_thin_copy_stops_where_the_pool_is_full() -> None:
    """dd counts what went through."""
    host = new_host()
    done(host, "lvcreate -T -L 64m -V 128m -n t vg/pool")
    result = run(host, "dd if=/dev/zero of=/dev/vg/t bs=1M oflag=direct")
    lines = result.stderr.splitlines()
    assert (result.rc, lines[0]) == (1, "dd: error writing '/dev/vg/t': No space left on device")
    assert lines[1:3] == ["65+0 records in", "64+0 records out"]
    assert done(host, "lvs --noheadings -o data_percent,lv_attr vg/pool").split() == ["100.00", "twi-aotzD-"]
    done(host, "lvextend -L 128m vg/pool")
    assert done(host, "lvs --noheadings -o data_percent,lv_attr vg/pool").split() == ["50.00", "twi-aotz--"]


def test_disk_that_has_grown_is_noticed_by_pvresize() -> None:
    """Until then its new extents do not exist."""
    host = new_host()
    host.disks["/dev/vdb"].size = 12 * GIB
    out = done(host, "pvresize /dev/vdb")
    assert out.splitlines()[0] == '  Physical volume "/dev/vdb" changed'
    assert done(host, "vgs --noheadings --units g --nosuffix -o size,free vg").split() == ["12.00", "12.00"]
    done(host, "lvcreate -n a -L 11g vg")
