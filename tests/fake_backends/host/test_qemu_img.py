"""The qemu-img command line: recorded answers, and what the bytes are afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fake_backends import luks
from fake_backends.host.paths import Host
from fake_backends.host.qemu_img import QemuImg
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.nfs.share import Share

MIB = 1 << 20
RECORDED = json.loads((Path(__file__).parents[2] / "golden" / "luks" / "qemu_img.json").read_text())


def normalised(text: str) -> str:
    """As ``record_qemu_img.py`` does it."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r'(iters"?): \d+', r"\1: N", text)
    text = re.sub(r'"actual-size": \d+', '"actual-size": N', text)
    return re.sub(r"disk size: .*", "disk size: N", text)


class Machine(QemuImg):
    """A host with the recorded files below /files, and a logical volume of 8 MiB."""

    def __init__(self) -> None:
        group = VolumeGroup("vg", [1 << 30])
        group.create("a", 8 * MIB)
        host = Host("host")
        host.volume_groups["vg"] = group
        super().__init__(host)
        self.host.mount("/files", Share("files", 1 << 40))
        for name, content in RECORDED["files"].items():
            self.host.write(f"/files/{name}", content.encode())


def test_answers_are_qemu_imgs() -> None:
    """Every recorded step: status and both streams."""
    machine = Machine()
    for step in RECORDED["steps"]:
        done = machine.execute(step["arguments"].replace("{D}", "/files").split())
        ours = [done.rc, normalised(done.stdout), normalised(done.stderr)]
        theirs = [step["rc"], *(step[stream].replace("{D}", "/files") for stream in ("stdout", "stderr"))]
        assert (step["arguments"], ours) == (step["arguments"], theirs)
    plain = RECORDED["files"]["plain"].encode()
    padded = plain + bytes(-len(plain) % 512)
    assert machine.host.read("/files/p.raw") == padded
    with machine.host.opened("/files/again") as device:
        assert luks.LuksDevice(device, b"second").read(0, len(padded)) == padded


def test_converting_onto_a_volume_writes_all_of_the_image() -> None:
    """Zeros too: a volume shows what its extents held before."""
    machine = Machine()
    machine.host.create("/files/zeros", 4 * MIB)
    with machine.host.opened("/dev/vg/a") as device:
        device.write(MIB, b"stale")
        device.write(5 * MIB, b"kept")
        done = machine.execute(["convert", "-n", "-O", "raw", "-f", "raw", "/files/zeros", "/dev/vg/a"])
        assert done.rc == 0
        assert device.read(MIB, 5) == bytes(5)
        assert device.read(5 * MIB, 4) == b"kept"


def test_an_image_that_does_not_fit() -> None:
    """Status 1, before anything is written."""
    machine = Machine()
    machine.host.create("/files/large", 12 * MIB)
    done = machine.execute(["convert", "-n", "-O", "raw", "-f", "raw", "/files/large", "/dev/vg/a"])
    assert (done.rc, done.stderr) == (1, "qemu-img: output file is smaller than input file\n")


@pytest.mark.parametrize(
    "arguments",
    [["create", "-f", "vmdk", "/files/x", "1G"], ["rebase", "-u", "/files/x"], ["check", "x"]],
)
def test_what_is_not_known_here_fails(arguments: list[str]) -> None:
    """It never succeeds without having done anything."""
    machine = Machine()
    assert machine.execute(arguments).rc == 1
    assert not machine.host.exists("/files/x")
