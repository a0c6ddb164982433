"""The cryptsetup command line: recorded answers on files, and dm-crypt mappings on logical volumes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fake_backends import luks
from fake_backends.command_line import Result
from fake_backends.host.cryptsetup import Cryptsetup
from fake_backends.host.paths import Host
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.nfs.share import Share
from harness.errors import Busy, NoSpace, StorageError

MIB = 1 << 20
RECORDED = json.loads((Path(__file__).parents[2] / "golden" / "luks" / "cryptsetup.json").read_text())


def normalised(text: str) -> str:
    """As ``record_cryptsetup.py`` does it."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"\b([0-9a-f]{2} ){4,}", "HEX ", text)
    return re.sub(r"Usage: .*?<action> <action-specific>\n", "USAGE\n", text, flags=re.DOTALL)


def test_answers_on_files_are_cryptsetups() -> None:
    """Every recorded step: status, both streams, and through them the layout of each header."""
    host = Host("host")
    host.mount("/files", Share("files", 1 << 40))
    for name, size in RECORDED["sizes"].items():
        host.create(f"/files/{name}", size)
    for name, key in RECORDED["keys"].items():
        host.write(f"/files/{name}", key.encode())
    command = Cryptsetup(host)
    for step in RECORDED["steps"]:
        words = step["arguments"].replace("{D}", "/files").split()
        done = command.execute(words, step["stdin"].encode())
        ours = [done.rc, normalised(done.stdout), normalised(done.stderr)]
        theirs = [step["rc"], *(step[stream].replace("{D}", "/files") for stream in ("stdout", "stderr"))]
        assert (step["arguments"], ours) == (step["arguments"], theirs)


class Machine(Cryptsetup):
    """A host with a volume group of two volumes, ``/dev/disk/by-path/disk`` leading to the first."""

    def __init__(self) -> None:
        self.group = VolumeGroup("vg", [1 << 30])
        self.group.create("a", 64 * MIB)
        self.group.create("b-b", 8 * MIB)
        host = Host("host")
        host.volume_groups["vg"] = self.group
        super().__init__(host)
        self.host.link("/dev/disk/by-path/disk", "/dev/vg/a")

    def run(self, line: str, stdin: bytes = b"") -> Result:
        return self.execute(line.split(), stdin)

    def format_and_open(self, kind: str = "luks1") -> None:
        """As os-brick does it for a volume that is attached for the first time."""
        assert self.run("luksOpen --key-file=- /dev/vg/a crypt-a", b"key").rc == 1
        done = self.run(
            f"-q luksFormat --type {kind} --key-file=- --cipher aes-xts-plain64 --key-size 256 /dev/vg/a",
            b"key",
        )
        assert done == Result()
        assert self.run("luksOpen --key-file=- /dev/disk/by-path/disk crypt-a", b"key") == Result()


def test_a_mapping_shows_the_plaintext() -> None:
    """At /dev/mapper, of the size that the header leaves; the volume has noise."""
    machine = Machine()
    machine.format_and_open()
    with machine.host.opened("/dev/mapper/crypt-a") as device:
        assert device.size == 62 * MIB
        device.write(0, b"plain".ljust(4096))
    with machine.host.opened("/dev/mapper/vg-a") as device:
        assert b"plain" not in device.read(2 * MIB, 4096)
        assert luks.LuksDevice(device, b"key").read(0, 5) == b"plain"


@pytest.mark.parametrize(
    ("kind", "place", "offset"), [("luks1", "dm-crypt", 4096), ("luks2", "keyring", 32768)]
)
def test_status_of_a_mapping(kind: str, place: str, offset: int) -> None:
    """Active, and in use while somebody has it open; 4 for a name that is not active."""
    machine = Machine()
    machine.format_and_open(kind)
    with machine.host.opened("/dev/mapper/crypt-a"):
        assert machine.run("status crypt-a") == Result(
            "/dev/mapper/crypt-a is active and is in use.\n"
            f"  type:    {kind.upper()}\n  cipher:  aes-xts-plain64\n  keysize: 256 bits\n"
            f"  key location: {place}\n  device:  /dev/vg/a\n  sector size:  512\n"
            f"  offset:  {offset} sectors\n  size:    {131072 - offset} sectors\n  mode:    read/write\n"
        )
    assert machine.run("status crypt-b") == Result("/dev/mapper/crypt-b is inactive.\n", "", 4)
    assert machine.run("status vg-a").rc == 1


def test_a_wrong_passphrase() -> None:
    """Status 2, and no mapping."""
    machine = Machine()
    machine.format_and_open()
    machine.run("luksClose crypt-a")
    done = machine.run("luksOpen --key-file=- /dev/vg/a crypt-a", b"wrong")
    assert done == Result("", "No key available with this passphrase.\n", 2)
    assert not machine.host.exists("/dev/mapper/crypt-a")


def test_a_mapping_holds_its_volume() -> None:
    """It cannot be removed, formatted or mapped again until the mapping is closed."""
    machine = Machine()
    machine.format_and_open()
    in_use = "Cannot use device /dev/vg/a which is in use (already mapped or mounted).\n"
    assert machine.run("-q luksFormat --key-file=- /dev/vg/a", b"key") == Result("", in_use, 5)
    assert machine.run("luksOpen --key-file=- /dev/vg/a other", b"key") == Result("", in_use, 5)
    assert machine.run("luksOpen --key-file=- /dev/vg/b-b crypt-a", b"key").rc == 5
    with pytest.raises(Busy):
        machine.group.remove("a")
    assert machine.run("luksClose crypt-a") == Result()
    assert machine.run("luksClose crypt-a") == Result("", "Device crypt-a is not active.\n", 4)
    machine.group.remove("a")


def test_a_mapping_in_use_is_not_closed() -> None:
    """Status 5."""
    machine = Machine()
    machine.format_and_open()
    with machine.host.opened("/dev/mapper/crypt-a"):
        assert machine.run("close crypt-a") == Result("", "Device crypt-a is still in use.\n", 5)
    assert machine.run("close crypt-a").rc == 0


@pytest.mark.parametrize("kind", ["luks1", "luks2"])
def test_a_mapping_grows_when_told(kind: str) -> None:
    """By the name or by a link that leads to it; LUKS2 asks for the passphrase."""
    machine = Machine()
    machine.format_and_open(kind)
    machine.host.link("/dev/disk/by-path/disk", "/dev/mapper/crypt-a")
    machine.group.extend("a", 128 * MIB)
    size = machine.host.mappings["crypt-a"].device.size
    wrong = machine.run("resize /dev/disk/by-path/disk", b"wrong")
    assert wrong.rc == (2 if kind == "luks2" else 0)
    assert machine.run("resize /dev/disk/by-path/disk", b"key").rc == 0
    assert machine.host.mappings["crypt-a"].device.size == size + 64 * MIB
    assert machine.run("resize crypt-b").rc == 4


def test_a_device_with_room_for_the_header_only() -> None:
    """It is formatted with a remark, and cannot be opened."""
    machine = Machine()
    remark = "Device /dev/vg/b-b is too small for activation, there is no remaining space for data.\n"
    assert machine.run("-q luksFormat --type luks2 --key-file=- /dev/vg/b-b", b"key") == Result(remark)
    done = machine.run("open --key-file=- /dev/mapper/vg-b--b x", b"key")
    assert (done.rc, done.stderr) == (
        1,
        "Requested offset is beyond real size of device /dev/mapper/vg-b--b.\n",
    )


def test_two_containers_with_one_passphrase_have_different_keys() -> None:
    """The host's own stream of ids goes into the master key."""
    machine = Machine()
    headers = set()
    for _ in range(2):
        assert machine.run("-q luksFormat --type luks1 --key-file=- /dev/vg/a", b"key").rc == 0
        with machine.host.opened("/dev/vg/a") as device:
            headers.add(luks.read_header(device).digest)
    assert len(headers) == 2


def test_a_mapping_whose_volume_went_away() -> None:
    """What is under it was closed by force: I/O errors, and the mapping can still be closed."""
    machine = Machine()
    machine.format_and_open()
    machine.group.close(machine.host.mappings["crypt-a"].backing)
    with machine.host.opened("/dev/mapper/crypt-a") as device, pytest.raises(StorageError):
        device.read(0, 1)
    assert machine.run("luksClose crypt-a").rc == 0


class Points:
    """Points with one fault at the n-th; `passed` are their names."""

    def __init__(self, fault: StorageError | None = None, nth: int = 0) -> None:
        self.passed: list[str] = []
        self._fault = fault
        self._nth = nth

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        self.passed.append(name)
        if self._fault is not None and len(self.passed) == self._nth:
            raise self._fault


WORKOUT = [
    ("luksFormat --batch-mode --type luks1 --key-file /files/key /files/disk", b""),
    ("luksAddKey --key-file /files/key /files/disk /files/new", b""),
    ("luksChangeKey --key-file /files/new /files/disk /files/newer", b""),
    ("luksKillSlot --batch-mode --key-file /files/key /files/disk 2", b""),
    ("luksOpen --key-file /files/key /files/disk plain", b""),
    ("resize --key-file /files/key plain", b""),
    ("luksClose plain", b""),
]


def run_workout(points: Points) -> tuple[list[tuple[int, str]], bytes]:
    """Status and complaint of each command, each done again if it failed; and what is on the disk then."""
    host = Host("host", points=points)
    host.mount("/files", Share("files", 1 << 40))
    host.create("/files/disk", 4 * MIB)
    for name in ("key", "new", "newer"):
        host.write(f"/files/{name}", name.encode())
    answers = []
    for line, stdin in WORKOUT:
        before = host.read("/files/disk")
        done = Cryptsetup(host).execute(line.split(), stdin)
        answers.append((done.rc, done.stderr))
        if done.rc:
            assert host.read("/files/disk") == before
            assert Cryptsetup(host).execute(line.split(), stdin).rc == 0
    return answers, host.read("/files/disk")


@pytest.mark.parametrize(
    ("fault", "rc"), [(Busy("in use"), 5), (StorageError("Input/output error"), 1), (NoSpace("full"), 1)]
)
def test_a_fault_at_a_point_ends_the_command_and_changes_nothing(fault: StorageError, rc: int) -> None:
    """At every point that the commands pass; done again, they end as if nothing had happened."""
    clean = Points()
    answers, disk = run_workout(clean)
    assert answers == [(0, "")] * len(WORKOUT)
    assert clean.passed == ["luks." + line.split()[0] for line, _ in WORKOUT]
    for nth in range(1, len(WORKOUT) + 1):
        answers, found = run_workout(Points(fault, nth))
        assert answers[nth - 1] == (rc, f"{fault}\n")
        assert [answer for answer in answers if answer[0]] == [(rc, f"{fault}\n")]
        assert found == disk
