"""Replays recorded LVM transcripts against the fakes, and compares each step byte for byte.

What differs from one run to the next is normalised on both sides. What the recorder did between two commands
(opening a device) is in `HANDS`. Shell probes are replayed by what they do to the storage (`Shell`). Steps that
are known to differ are in `TOLERATED`, each with its reason.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fake_backends.block_store import BlockDevice
from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.lvm.commands import execute
from fake_backends.lvm.host import close_device
from tests.golden.shell import Shell, Unknown

HERE = Path(__file__).parent
GIB = 1 << 30
DISKS = {
    "/dev/vdd": 10 * GIB,
    "/dev/vde": 10 * GIB,
    "/dev/vdf": 4 * GIB,
    "/dev/vdg": 4 * GIB,
    "/dev/vdh": 4 * GIB,
    "/dev/vdi": 1_000_000_000,
    "/dev/vdj": 24 * GIB,
}


@dataclass(frozen=True)
class Step:
    """One recorded command and what it answered."""

    scenario: str
    number: int
    kind: str
    argv: list[str]
    expected: Result


def steps(path: Path) -> dict[str, list[Step]]:
    """The scenarios of a transcript, in the order in which they were recorded."""
    scenarios: dict[str, list[Step]] = {}
    for line in path.read_text().splitlines():
        row: dict[str, Any] = json.loads(line)
        expected = Result(row["stdout"], row["stderr"], row["rc"])
        step = Step(row["scenario"], row["step"], row["kind"], row["argv"], expected)
        scenarios.setdefault(step.scenario, []).append(step)
    return scenarios


def class_steps(path: Path) -> dict[str, list[Step]]:
    """The commands that method calls of Cinder's LVM class issued, numbered through each scenario."""
    scenarios: dict[str, list[Step]] = {}
    for line in path.read_text().splitlines():
        call: dict[str, Any] = json.loads(line)
        found = scenarios.setdefault(call["scenario"], [])
        for row in call["commands"]:
            expected = Result(row["stdout"], row["stderr"], row["rc"])
            found.append(Step(call["scenario"], len(found) + 1, "cinder", row["argv"], expected))
    return scenarios


def new_host() -> Host:
    """The machine of the recording at the start of a scenario: empty disks, no volume group."""
    host = Host("h2vm")
    for path, size in DISKS.items():
        host.add_disk(path, size)
    return host


HANDS: dict[tuple[str, int], list[str]] = {
    **{("vg_number_formats", number): ["reset"] for number in (6, 11, 16, 21, 26, 31)},
    ("extend", 39): ["reset"],
    ("thin_pool_errors", 56): ["reset"],
    ("mirrors", 41): ["reset"],
    ("mirrors", 46): ["reset"],
    ("open_lv", 5): ["open volume-00000001-1111-4222-8333-0123456789ab"],
    ("open_lv", 17): ["open _snapshot-00000001-5555-4666-8777-0123456789ab"],
    ("open_lv", 24): ["close _snapshot-00000001-5555-4666-8777-0123456789ab"],
    ("open_lv", 37): ["close volume-00000001-1111-4222-8333-0123456789ab"],
    ("merge", 25): ["open volume-00000001-1111-4222-8333-0123456789ab"],
    ("merge", 38): ["close volume-00000001-1111-4222-8333-0123456789ab"],
    ("merge", 52): ["open _snapshot-00000003-5555-4666-8777-0123456789ab"],
    ("merge", 55): ["close _snapshot-00000003-5555-4666-8777-0123456789ab"],
    ("thin_snapshot", 94): ["open volume-00000003-1111-4222-8333-0123456789ab"],
    ("thin_snapshot", 99): ["close volume-00000003-1111-4222-8333-0123456789ab"],
    ("class_thick", 1): ["make"],
    ("class_thick", 72): ["open volume-00000004-aaaa-4bbb-8ccc-0123456789ab"],
    ("class_thick", 82): ["close volume-00000004-aaaa-4bbb-8ccc-0123456789ab"],
}
"""What the recorder did before a step without recording it: empty disks, devices that it opened and closed."""

_UUID = re.compile(r"\b\w{6}(?:-\w{4}){5}-\w{6}\b")
_DD = re.compile(r"copied, .*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000|\bNov 23 \d\d:\d\d\b")
_MINOR = re.compile(r"\bdm-\d+|\b253:\d+")
_DIGEST = re.compile(r"\b[0-9a-f]{32}\b")


_MACHINE = "asks the recording machine, not lvm2"
TOLERATED: dict[tuple[str, int], str] = {
    **{("versions", number): _MACHINE for number in (7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19)},
    ("thick_basic", 22): _MACHINE,
    ("cow_full", 26): "dmsetup is not simulated: Cinder does not use it",
    ("cow_full", 27): "dmsetup is not simulated: Cinder does not use it",
    ("cow_full", 69): "the kernel's log",
    ("cow_full", 98): "the kernel's log",
    ("thin_basic", 58): "metadata of a transaction that was not committed yet, 6 pages",
    **{("stale_data", number): "blkid's own words" for number in (30, 43, 56, 69, 82, 95)},
    ("dd_facts", 5): "the size of the recording machine's /run",
    ("leaked_fd_and_conf", 2): "a descriptor that the recorder left open",
    ("leaked_fd_and_conf", 9): "commands run as root here",
    ("leaked_fd_and_conf", 10): "commands run as root here",
    ("leaked_fd_and_conf", 11): "the help on all columns, before the error",
    ("leaked_fd_and_conf", 14): "the help on the command that lvm2 finds similar",
    ("mirrors", 12): "a file that another scenario left on the recording machine",
}
"""Steps that differ, and why."""


class Replay:
    """One scenario on one host, from the first step to the last."""

    def __init__(self) -> None:
        self.host = new_host()
        self.shell = Shell(self.host)
        self.opened: dict[str, BlockDevice] = {}
        self.digests: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def play(self, step: Step) -> Result:
        """What the fakes answer to a step."""
        for hand in HANDS.get((step.scenario, step.number), ()):
            self._lend(hand)
        if step.argv[:2] == ["sh", "-c"]:
            return self._shell(step.argv[2])
        if step.argv[0] == "hexdump":
            return self._shell(shlex.join(step.argv))
        return execute(self.host, step.argv)

    def agrees(self, step: Step, result: Result) -> bool:
        """Whether a result is the recorded one, but for what differs from run to run.

        Digests of random data must be equal to one another exactly where the recorded ones are.
        """
        return self.normalised(step.expected, 0) == self.normalised(result, 1)

    def normalised(self, result: Result, side: int) -> Result:
        """Without uuids, dates, minors, dd's time and rate; digests are numbered as they appear."""

        def numbered(found: re.Match[str]) -> str:
            known = self.digests[side]
            return known.setdefault(found[0], f"digest-{len(known)}")

        streams = []
        for text in (result.stdout, result.stderr):
            for pattern, name in ((_UUID, "UUID"), (_DATE, "DATE"), (_MINOR, "MINOR"), (_DD, "copied")):
                text = pattern.sub(name, text)
            streams.append(_DIGEST.sub(numbered, text))
        out, err = streams
        return Result(out, err, result.rc)

    def _shell(self, script: str) -> Result:
        try:
            return self.shell.run(script)
        except Unknown as error:
            return Result(stderr=f"sh: {error}: not found\n", rc=127)

    def _lend(self, hand: str) -> None:
        what, _, name = hand.partition(" ")
        if what == "reset":
            self.host.volume_groups.clear()
            for path, size in DISKS.items():
                self.host.add_disk(path, size)
        elif what == "make":
            execute(self.host, ["vgcreate", "cinder-volumes", "/dev/vdd"])
        elif what == "open":
            self.opened[name] = self.host.volume_groups["cinder-volumes"].open(name)
        else:
            close_device(self.opened.pop(name))


SCENARIOS = {**steps(HERE / "lvm.jsonl"), **class_steps(HERE / "lvm_class.jsonl")}


@cache
def outcomes(scenario: str) -> list[tuple[Step, bool]]:
    """Every step of a scenario, and whether the fakes agree with it."""
    replay = Replay()
    return [(step, replay.agrees(step, replay.play(step))) for step in SCENARIOS[scenario]]
