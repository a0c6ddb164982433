"""Records a transcript anew on a machine that has the real tools, and says what came out differently.

    python -m tests.golden.record lvm.jsonl NEW.jsonl --disk /dev/vdd=/dev/sdb --disk /dev/vde=/dev/sdc ...

runs, as root, every command of the transcript again, in its order, with the given disks for the recorded ones.
**Everything on these disks is lost**, and every volume group of the machine is removed between scenarios: use a
virtual machine. What the recorder did without recording it (`lvm_replay.HANDS`) is done again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fake_backends.command_line import Result
from fake_backends.lvm.host import mapper_name
from tests.golden.lvm_replay import HANDS, Replay, Step

GROUP = "cinder-volumes"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C"}
HERE = Path(__file__).parent


class Recorder:
    """Runs commands on this machine; `disks` are the real ones by their recorded names."""

    def __init__(self, disks: dict[str, str]) -> None:
        self._disks = disks
        self._opened: dict[str, int] = {}

    def reset(self) -> None:
        """No volume group, empty disks."""
        for descriptor in self._opened.values():
            os.close(descriptor)
        self._opened.clear()
        groups = self.run(["vgs", "--noheadings", "-o", "name"]).stdout.split()
        for group in groups:
            self.run(["vgremove", "-ff", "-y", group])
        for disk in self._disks.values():
            self.run(["wipefs", "-a", disk])
            self.run(["blkdiscard", "-f", "-z", disk])

    def hand(self, what: str) -> None:
        """One entry of `HANDS`."""
        action, _, name = what.partition(" ")
        match action:
            case "reset":
                self.reset()
            case "make":
                self.run(["vgcreate", GROUP, self._disks["/dev/vdd"]])
            case "open":
                self._opened[name] = os.open(f"/dev/mapper/{mapper_name(GROUP, name)}", os.O_RDONLY)
            case "close":
                os.close(self._opened.pop(name))

    def run(self, argv: list[str]) -> Result:
        """Run a command with its standard input closed; 127 if there is no such program."""
        argv = [self._translated(word, self._disks) for word in argv]
        try:
            ran = subprocess.run(
                argv, input="", capture_output=True, text=True, errors="replace", env=ENVIRONMENT, cwd="/"
            )
        except FileNotFoundError as error:
            return Result(stderr=f"{error}\n", rc=127)
        back = {real: recorded for recorded, real in self._disks.items()}
        return Result(self._translated(ran.stdout, back), self._translated(ran.stderr, back), ran.returncode)

    @staticmethod
    def _translated(text: str, names: dict[str, str]) -> str:
        for name, other in names.items():
            text = text.replace(name, other)
        return text


def record(rows: list[dict[str, Any]], recorder: Recorder) -> list[dict[str, Any]]:
    """The rows with what their commands answer now."""
    recorded: list[dict[str, Any]] = []
    scenario = None
    for row in rows:
        if row["scenario"] != scenario:
            scenario = row["scenario"]
            recorder.reset()
        for hand in HANDS.get((row["scenario"], row["step"]), ()):
            recorder.hand(hand)
        begin = time.monotonic_ns()
        result = recorder.run(row["argv"])
        elapsed = (time.monotonic_ns() - begin) // 1_000_000
        recorded.append(
            {**row, "rc": result.rc, "stdout": result.stdout, "stderr": result.stderr, "ms": elapsed}
        )
    return recorded


def differences(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    """A line for every step that answers differently, but for what differs from run to run."""
    lines = []
    comparison = Replay()
    for before, after in zip(old, new, strict=True):
        expected = Result(before["stdout"], before["stderr"], before["rc"])
        result = Result(after["stdout"], after["stderr"], after["rc"])
        step = Step(before["scenario"], before["step"], before["kind"], before["argv"], expected)
        if not comparison.agrees(step, result):
            lines.append(f"{step.scenario} {step.number}: {' '.join(step.argv)}\n  {expected}\n  {result}")
    return lines


def main() -> int:
    """Exit status 0 if everything came out as before, 1 if not, 2 for wrong usage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("transcript", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--disk", action="append", default=[], metavar="RECORDED=REAL")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root can record; run it in a virtual machine")
    if not all("=" in disk for disk in options.disk) or not options.disk:
        parser.error("--disk takes the recorded name and the real one, as in /dev/vdd=/dev/sdb")
    rows = [json.loads(line) for line in (HERE / options.transcript).read_text().splitlines()]
    recorded = record(rows, Recorder(dict(disk.split("=", 1) for disk in options.disk)))
    temporary = options.new.with_suffix(".part")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in recorded))
    temporary.rename(options.new)
    lines = differences(rows, recorded)
    print("\n".join(lines) or "no differences")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
